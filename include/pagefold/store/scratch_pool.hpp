// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/limited_source.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold {

/// Working memory for codecs, so that no lock is held while they work. Each slot has a scratch, prepared once by the
/// codec, and a buffer for one stream. A slot's memory is taken from the source when it is first used, and kept.
///
/// Threads start looking at different slots (by where their stacks are), so that a thread meets the slot that is warm in
/// its cache, and a store used by one thread has one slot. If all slots are taken, acquire waits.
template <class Compressor, unsigned Slots>
class scratch_pool {
    struct alignas(64) slot {
        // Taken by an exchange that acquires what the last holder released: the codec's state in the memory.
        atomic<std::uint32_t> taken{0};
        std::byte* memory = nullptr; // guarded by `taken`
    };

public:
    /// The right to use a slot, given back at the end of the scope.
    class [[nodiscard]] lease {
    public:
        lease(scratch_pool& pool, slot* taken) noexcept : pool_{pool}, slot_{taken} {}
        ~lease() {
            if (slot_ != nullptr) {
                slot_->taken.store(0, memory_order::release);
            }
        }
        lease(const lease&) = delete;
        lease& operator=(const lease&) = delete;

        [[nodiscard]] explicit operator bool() const noexcept { return slot_ != nullptr; }
        [[nodiscard]] byte_span scratch() const noexcept { return {slot_->memory, pool_.scratch_bytes_}; }
        [[nodiscard]] byte_span buffer() const noexcept {
            return {slot_->memory + round_up(pool_.scratch_bytes_, 64), pool_.buffer_bytes_};
        }

    private:
        scratch_pool& pool_;
        slot* slot_;
    };

    scratch_pool(const Compressor& compressor, std::size_t page_size, limited_source& source) noexcept
        : compressor_{compressor}, source_{source}, scratch_bytes_{compressor.scratch_size(page_size)},
          buffer_bytes_{compressor.bound(page_size) > page_size ? compressor.bound(page_size) : page_size} {}
    ~scratch_pool() {
        for (slot& s : slots_) {
            if (s.memory != nullptr) {
                source_.release(s.memory, page_count());
            }
        }
    }
    scratch_pool(const scratch_pool&) = delete;
    scratch_pool& operator=(const scratch_pool&) = delete;

    /// A slot; empty only where no slot has memory and none can be had (`reason` then says why).
    lease acquire(status& reason) noexcept {
        const std::uint64_t stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) >> 16;
        const unsigned start = static_cast<unsigned>(mix(stack, 0) % Slots);
        for (;;) {
            bool someone_has_memory = false;
            for (unsigned i = 0; i < Slots; ++i) {
                slot& s = slots_[(start + i) % Slots];
                if (s.taken.load(memory_order::relaxed) != 0 || s.taken.exchange(1, memory_order::acquire) != 0) {
                    someone_has_memory = true;
                    continue;
                }
                if (s.memory == nullptr) {
                    reason = give_memory(s);
                }
                if (s.memory != nullptr) {
                    return {*this, &s};
                }
                s.taken.store(0, memory_order::release);
            }
            if (!someone_has_memory) {
                return {*this, nullptr};
            }
            PAGEFOLD_CPU_RELAX();
        }
    }

    /// Bytes taken from the source. Exact while no operation is under way.
    [[nodiscard]] std::size_t bytes() const noexcept {
        std::size_t count = 0;
        for (const slot& s : slots_) {
            count += s.memory != nullptr ? page_count() : 0;
        }
        return count * source_.page_size();
    }

private:
    [[nodiscard]] std::size_t page_count() const noexcept {
        return ceil_div(round_up(scratch_bytes_, 64) + buffer_bytes_, source_.page_size());
    }
    status give_memory(slot& s) noexcept {
        const result<void*> memory = source_.acquire(page_count(), any_node);
        if (!memory) {
            return memory.error();
        }
        std::byte* const bytes = static_cast<std::byte*>(*memory);
        if (const status prepared = compressor_.prepare({bytes, scratch_bytes_}); prepared != status::ok) {
            source_.release(bytes, page_count());
            return prepared;
        }
        s.memory = bytes;
        return status::ok;
    }

    const Compressor& compressor_;
    limited_source& source_;
    std::size_t scratch_bytes_;
    std::size_t buffer_bytes_;
    slot slots_[Slots];
};

} // namespace pagefold
