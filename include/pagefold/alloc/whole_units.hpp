// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Objects of a whole unit, such as pages that can't be compressed: each is a run of the source's pages of its own, found
/// by a small number in a table of 8 bytes each. Nothing is left over and there is nothing to compact. Not thread-safe.
template <page_source Source, std::size_t Unit>
class whole_units {
public:
    whole_units(Source& source, node_id node) noexcept : source_{source}, node_{node}, units_{source, node} {}
    ~whole_units() {
        for (std::uint32_t id = units_.next_live(0); id != units_.bound(); id = units_.next_live(id + 1)) {
            source_.release(units_[id].address(), pages());
        }
    }
    whole_units(const whole_units&) = delete;
    whole_units& operator=(const whole_units&) = delete;

    /// A number below `limit` for a new unit, or what the source answered. Its page size must divide Unit.
    result<std::uint32_t> allocate(std::uint32_t limit) noexcept {
        const result<void*> memory = source_.acquire(pages(), node_);
        if (!memory) {
            return memory.error();
        }
        const result<std::uint32_t> id = units_.insert();
        if (!id) {
            source_.release(*memory, pages());
            return id.error();
        }
        units_[*id].set_address(*memory);
        if (*id >= limit) {
            deallocate(*id);
            return status::limit;
        }
        return *id;
    }
    /// `id` must be live, here and in address().
    void deallocate(std::uint32_t id) noexcept {
        source_.release(units_[id].address(), pages());
        units_.erase(id);
    }
    [[nodiscard]] std::byte* address(std::uint32_t id) const noexcept { return units_[id].address(); }
    /// Whether `id` names a unit; any number may be asked.
    [[nodiscard]] bool contains(std::uint32_t id) const noexcept { return units_.contains(id); }

    [[nodiscard]] std::size_t bytes_held() const noexcept { return units_.size() * Unit; }
    [[nodiscard]] std::size_t table_bytes() const noexcept { return units_.bytes(); }
    [[nodiscard]] bool check() const noexcept { return units_.check(); }

private:
    struct unit {
        std::uint32_t low;  // of the page number, or the free link
        std::uint32_t high; // the rest of the page number; the top bit says that it is in use

        [[nodiscard]] bool live() const noexcept { return (high >> 31) != 0; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return low; }
        [[nodiscard]] std::byte* address() const noexcept {
            const std::uint64_t page = (std::uint64_t{high} << 32 | low) << 12;
            return reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(page));
        }
        void set_address(void* at) noexcept {
            const std::uint64_t page = std::uint64_t{reinterpret_cast<std::uintptr_t>(at)} >> 12;
            low = static_cast<std::uint32_t>(page);
            high = static_cast<std::uint32_t>(page >> 32) | 0x80000000u;
        }
    };

    [[nodiscard]] std::size_t pages() const noexcept { return Unit / source_.page_size(); }

    Source& source_;
    node_id node_;
    slot_pool<unit, Source> units_;
};

} // namespace pagefold
