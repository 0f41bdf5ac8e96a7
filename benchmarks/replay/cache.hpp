// SPDX-License-Identifier: MIT
#pragma once

#include "trace.hpp"

#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/ghost_table.hpp>
#include <pagefold/evict/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

namespace pagefold::replay {

/// Pages from the C library.
class malloc_source {
public:
    [[nodiscard]] std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t pages, node_id) noexcept {
        void* const p = std::aligned_alloc(4096, pages * 4096);
        return p != nullptr ? result<void*>{p} : result<void*>{status::no_memory};
    }
    void release(void* p, std::size_t) noexcept { std::free(p); }
};

/// A cache that holds numbers of objects, so many of them, and one eviction policy with a real ghost.
template <eviction_policy Policy>
class cache {
public:
    using hook = typename Policy::hook;

    /// `scattered`: objects come into the ring of slots anywhere, as in a store, where their keys say where they stand.
    /// Otherwise where the last victim was, which costs no random numbers.
    cache(const Policy& empty, std::size_t size, std::size_t objects, bool scattered)
        : slots_{scattered ? size + size / 2 : size}, policy_{empty},
          slot_of_(objects, no_slot), size_{size}, scattered_{scattered} {
        if constexpr (remembering_policy<Policy>) {
            slots_.make_ghost(size * policy_.ghost_percent() / 100);
        }
        for (std::size_t i = slots_.count(); i > 0; --i) {
            unused_.push_back(static_cast<slot_id>(i - 1));
        }
    }
    /// One whose objects take bytes of their own, and that is so many bytes long; scattered. Its ghost is for as many objects of
    /// the mean size as it has room for.
    cache(const Policy& empty, std::uint64_t bytes, const trace& t)
        : slots_{t.objects + t.objects / 2}, policy_{empty}, slot_of_(t.objects, no_slot), size_{t.objects},
          bytes_of_(t.objects), room_{bytes}, scattered_{true} {
        if constexpr (remembering_policy<Policy>) {
            const std::uint64_t mean = t.all_bytes() / t.objects;
            const std::uint64_t held = std::min<std::uint64_t>(bytes / (mean != 0 ? mean : 1), t.objects);
            slots_.make_ghost(to_size(held) * policy_.ghost_percent() / 100);
        }
        for (std::size_t i = slots_.count(); i > 0; --i) {
            unused_.push_back(static_cast<slot_id>(i - 1));
        }
    }
    /// Whether it was there; it is there now, if it is not longer than the whole cache.
    bool request(std::uint32_t object, std::uint32_t bytes) {
        if (slot_of_[object] == no_slot) {
            if (bytes > room_ + held_) {
                return false;
            }
            while (bytes > room_) {
                make_room();
            }
            room_ -= bytes;
            held_ += bytes;
            bytes_of_[object] = bytes;
        }
        return request(object);
    }
    /// Whether it was there; it is there now.
    bool request(std::uint32_t object) {
        if (slot_of_[object] != no_slot) {
            policy_.on_hit(slots_, slot_of_[object]);
            return true;
        }
        if (policy_.size() == size_) {
            make_room();
        }
        if (scattered_) {
            std::swap(unused_[draw(unused_.size())], unused_.back());
        }
        const slot_id slot = unused_.back();
        unused_.pop_back();
        slots_.add(slot, object);
        policy_.on_insert(slots_, slot);
        slot_of_[object] = slot;
        return false;
    }
    [[nodiscard]] bool check() const { return policy_.check(slots_); }

private:
    /// The slot view: hooks, a bitmap of the slots in use, and the ghost.
    class slots {
    public:
        explicit slots(std::size_t count) : hooks_(count), object_(count), used_((count + 63) / 64) {}
        [[nodiscard]] std::size_t count() const { return hooks_.size(); }
        void make_ghost(std::size_t keys) {
            while (ghost_.capacity() < keys) {
                if (ghost_.grow() != status::ok) {
                    throw std::runtime_error{"no memory for a ghost"};
                }
            }
            ghost_.shorten(keys);
        }
        void add(slot_id slot, std::uint32_t object) {
            hooks_[slot] = hook{};
            object_[slot] = object;
            used_[slot / 64] |= std::uint64_t{1} << slot % 64;
        }
        void remove(slot_id slot) { used_[slot / 64] &= ~(std::uint64_t{1} << slot % 64); }
        [[nodiscard]] std::uint32_t object(slot_id slot) const { return object_[slot]; }

        [[nodiscard]] hook get(slot_id slot) const noexcept { return hooks_[slot]; }
        void set(slot_id slot, hook h) noexcept { hooks_[slot] = h; }
        [[nodiscard]] slot_id next(slot_id slot) const noexcept {
            if (slot != no_slot) {
                const std::uint64_t rest = used_[slot / 64] >> slot % 64 >> 1;
                if (rest != 0) [[likely]] {
                    return slot + 1 + trailing_zeros(rest);
                }
            }
            return first_from(slot != no_slot ? slot / 64 + 1 : 0);
        }
        void remember(slot_id slot) noexcept { ghost_.remember(hash_of(slot)); }
        [[nodiscard]] bool recall(slot_id slot) noexcept { return ghost_.recall(hash_of(slot)); }

    private:
        /// The first slot in use in a word or behind it, and round.
        [[nodiscard]] slot_id first_from(std::size_t word) const noexcept {
            for (std::size_t i = 0; i <= used_.size(); ++i, ++word) {
                word = word < used_.size() ? word : 0;
                if (used_[word] != 0) {
                    return static_cast<slot_id>(word * 64 + trailing_zeros(used_[word]));
                }
            }
            return no_slot;
        }
        [[nodiscard]] std::uint64_t hash_of(slot_id slot) const noexcept {
            return folded_multiply(object_[slot] ^ 0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u);
        }
        std::vector<hook> hooks_;
        std::vector<std::uint32_t> object_;
        std::vector<std::uint64_t> used_;
        malloc_source source_{};
        ghost_table<malloc_source> ghost_{source_, any_node};
    };

    void make_room() {
        std::size_t steps = ~std::size_t{0};
        const slot_id victim = policy_.evict(
            slots_, [](slot_id) noexcept { return true; }, steps);
        if (victim == no_slot) {
            throw std::logic_error{"the policy has no victim"};
        }
        const std::uint32_t object = slots_.object(victim);
        slot_of_[object] = no_slot;
        if (!bytes_of_.empty()) {
            room_ += bytes_of_[object];
            held_ -= bytes_of_[object];
        }
        slots_.remove(victim);
        unused_.push_back(victim);
    }
    /// Less than `bound`.
    [[nodiscard]] std::size_t draw(std::size_t bound) {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::size_t>((random_ >> 32) * bound >> 32);
    }

    slots slots_;
    Policy policy_;
    std::vector<slot_id> slot_of_; // by object
    std::vector<slot_id> unused_;
    std::size_t size_;
    std::vector<std::uint32_t> bytes_of_{}; // by object, where they count
    std::uint64_t room_ = 0, held_ = 0;     // in bytes
    std::uint64_t random_ = 1;
    bool scattered_;
};

} // namespace pagefold::replay
