// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/config/macros.hpp>

#include <cstddef>
#include <cstdint>

// What a free costs where there are many spans is the wait for the span's record: in a profile of tlsf four of five samples
// were in deallocate, and in a variant of it without branches two thirds of these at its first load of the record. An
// allocation takes the block at the head of a list, whose record was in use not long ago; which object is freed is for its
// owner to say. Branches that depend on the record keep a processor from going on meanwhile. So a free is put off, its record
// asked for, and the free that was put off four frees ago is carried out: it finds what it needs in the cache.
//
// Free + allocate over jemalloc's, 200k objects of sizes under LZ4, medians, tlsf in one run and the others in another:
//
//     depth     0      1      4      8      16
//     tlsf    2.23   1.46   1.08   1.07   1.07
//     xv      2.17          1.12
//     zs      1.14          0.75
//
// Tried for tlsf instead, and no better than the 2.3 to 2.6 that it began with in the same runs: lists as rings, and free
// and allocate without a branch (3.0); freed blocks not joined with their neighbours but kept for the next object of just
// their size, 4, 8 or 16 for each (2.4 to 2.75, and 0.7 to 1.4 % more memory); spans' records in chunks of 2 MiB (2.5).

namespace pagefold::inline PAGEFOLD_ABI {

/// The last few objects that were freed, in the order of their frees, for an allocator that carries a free out a few frees
/// later: what it must know of a span is in no cache then, and is fetched meanwhile instead of being waited for. With few
/// spans it is in the cache, and their memory is to come free at once: then no free waits.
///
/// Handles are told apart by their value alone. A free that waits must not hit an object that was not there when it was
/// asked for: an allocator that ignores handles which are not live says forget() of every handle it gives. All calls are
/// O(depth). Not thread-safe.
class pending_frees {
public:
    static constexpr unsigned depth = 4;
    static constexpr std::uint32_t few_spans = 1024; ///< their records are in the second level of a cache

    /// `h` was freed. Where it `may_wait`, calls free(oldest) for the one that was freed depth frees before; where not,
    /// free(h), and the same for one that is still waiting. Ignores a handle that is waiting.
    template <class Free>
    PAGEFOLD_ALWAYS_INLINE void add(object_handle h, bool may_wait, Free free) noexcept {
        object_handle now = h;
        if (may_wait) [[likely]] {
            if (contains(h)) [[unlikely]] {
                return;
            }
            now = exchange(h);
        } else if (const object_handle other = take(); other != none) {
            free(other);
        }
        if (now != none) [[likely]] {
            free(now);
        }
    }
    /// Calls free(h) for all that wait, which none does then.
    template <class Free>
    void free_all(Free free) noexcept {
        for (object_handle h = take(); h != none; h = take()) {
            free(h);
        }
    }
    /// `h` was given out: if it waits, it was no object's when it was freed.
    PAGEFOLD_ALWAYS_INLINE void forget(object_handle h) noexcept {
        if (contains(h)) [[unlikely]] {
            drop(h);
        }
    }

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool contains(object_handle h) const noexcept {
        unsigned found = 0;
        for (const object_handle one : handles_) {
            found |= one == h ? 1u : 0u;
        }
        return found != 0;
    }
    [[nodiscard]] bool empty() const noexcept {
        return sum([](object_handle) { return 1u; }) == 0;
    }
    /// The sum of what `of(h)` answers for each.
    template <class Of>
    [[nodiscard]] std::size_t sum(Of of) const noexcept {
        std::size_t total = 0;
        for (const object_handle one : handles_) {
            total += one != none ? of(one) : 0;
        }
        return total;
    }
    /// Whether no handle is there twice.
    [[nodiscard]] bool check() const noexcept {
        const auto same_as = [this](object_handle one) {
            return sum([one](object_handle other) { return other == one ? 1u : 0u; });
        };
        return oldest_ < depth && sum(same_as) == sum([](object_handle) { return 1u; });
    }

private:
    static constexpr object_handle none{~std::uint64_t{0}}; // no object's handle

    /// Adds one, and returns what was there instead.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE object_handle exchange(object_handle h) noexcept {
        const object_handle oldest = handles_[oldest_];
        handles_[oldest_] = h;
        oldest_ = (oldest_ + 1) % depth;
        return oldest;
    }
    /// The oldest, which leaves; none if there is none.
    [[nodiscard]] object_handle take() noexcept {
        for (unsigned i = 0; i < depth; ++i) {
            object_handle& one = handles_[(oldest_ + i) % depth];
            if (one != none) {
                const object_handle taken = one;
                one = none;
                return taken;
            }
        }
        return none;
    }
    PAGEFOLD_COLD void drop(object_handle h) noexcept {
        for (object_handle& one : handles_) {
            one = one == h ? none : one;
        }
    }

    object_handle handles_[depth]{none, none, none, none};
    std::uint32_t oldest_ = 0;
};

} // namespace pagefold
