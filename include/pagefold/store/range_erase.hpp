// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/partition_state.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Where the erasure of a range stands, from hold to hold.
struct range_cursor {
    std::uint64_t number;       ///< the next extent number to look for; begins at that of the first page
    std::uint64_t bookmark = 0; ///< number of the last extent of the object that was seen and stays
    bool has_bookmark = false;
};

/// Erasing the pages of an object in a range, and of a pool that is closed. The partition's lock is held around every
/// call, which does no more than `steps_a_hold` pages' and extents' work, a microsecond or two: who waits for a lock turns on
/// the spot for that long before it sleeps, and sleeping costs it fifty.
///
/// A range can have more numbers than the object has extents, or fewer, and which can't be told before. So both are walked by
/// turns, the numbers of the range and the object's extents, and whichever walk ends first ends the other: the cost is
/// twice the cheaper one. The walk over extents keeps its place by the last one that stays.
template <store_config Config>
class range_erase {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using index_type = typename state_type::index_type;

public:
    static constexpr unsigned steps_a_hold = 8;

    explicit range_erase(state_type& state) noexcept : state_{state} {}

    /// Erases pages first to last, some of them; true when all are gone. Adds to `erased`.
    bool erase(pool_state& pool, std::uint64_t object, std::uint64_t first, std::uint64_t last, range_cursor& cursor,
               std::size_t& erased) noexcept {
        const span_of_pages span{pool_ids::slot(pool.id), object, first, last};
        return by_number(pool, span, cursor, erased) || by_object(pool, span, cursor, erased);
    }

    /// Erases pages of a closed pool whose ring this is, some of them; true when none are left. Adds to `steps` what it did.
    bool drain(pool_state& pool, std::uint32_t slot) noexcept {
        auto& index = state_.index;
        for (unsigned left = steps_a_hold; left != 0;) {
            std::uint32_t id = pool.ring.head;
            if (id != index_type::none && (!index.is_live(id) || (index.is_sound(id) && index.pool_of(id) != slot))) {
                ++state_.damage;
                id = pool.ring.head = index_type::none;
            }
            if (id == index_type::none) {
                if (pool.ring.extents == 0 || pool.searched >= index.bound()) {
                    index.forget(pool.ring);
                    return true;
                }
                id = pool.searched++; // the ring is broken
                --left;
                if (!index.is_live(id) || index.pool_of(id) != slot) {
                    continue;
                }
                left += left == 0 ? 1u : 0u;
            }
            const unsigned work = empty(pool, id, ~std::uint64_t{0}, left).work;
            left -= work < left ? work : left;
            pool.searched -= pool.searched > id && index.is_live(id) ? 1u : 0u;
        }
        return false;
    }

private:
    struct span_of_pages {
        std::uint32_t pool;
        std::uint64_t object, first, last;

        /// The pages of an extent that lie in it, as bits.
        [[nodiscard]] std::uint64_t pages_of(std::uint64_t extent) const noexcept {
            const std::uint64_t base = extent * extent_pages;
            if (last < base || first > base + extent_pages - 1) {
                return 0;
            }
            const unsigned low = first > base ? static_cast<unsigned>(first - base) : 0;
            const unsigned high = last - base < extent_pages ? static_cast<unsigned>(last - base) : extent_pages - 1;
            return low_bits(high + 1) & ~low_bits(low);
        }
    };
    struct emptied {
        unsigned pages; ///< that went
        unsigned work;
        bool whole; ///< all that were wanted
    };

    bool by_number(pool_state& pool, const span_of_pages& span, range_cursor& cursor, std::size_t& erased) noexcept {
        const std::uint64_t end = span.last / extent_pages;
        for (unsigned left = steps_a_hold / 2; left != 0 && cursor.number <= end;) {
            const std::uint32_t id = state_.index.find_extent(span.pool, span.object, cursor.number);
            emptied one{0, 1, true};
            if (id != index_type::none) {
                one = empty(pool, id, span.pages_of(cursor.number), left);
            }
            erased += one.pages;
            left -= one.work;
            cursor.number += one.whole ? 1u : 0u;
        }
        return cursor.number > end;
    }
    bool by_object(pool_state& pool, const span_of_pages& span, range_cursor& cursor, std::size_t& erased) noexcept {
        auto& index = state_.index;
        std::uint32_t id = index_type::none;
        if (cursor.has_bookmark) {
            id = index.find_extent(span.pool, span.object, cursor.bookmark);
            cursor.has_bookmark = id != index_type::none; // if somebody erased it, from the beginning again
            id = cursor.has_bookmark ? index.next_of_object(id) : id;
            if (cursor.has_bookmark && id == index_type::none) {
                return true;
            }
        }
        if (!cursor.has_bookmark) {
            id = state_.find_object(span.pool, span.object);
        }
        for (unsigned left = steps_a_hold / 2; id != index_type::none;) {
            const std::uint64_t number = index.number_of(id);
            const std::uint64_t wanted = span.pages_of(number) & index.pages_of(id);
            const bool stays = wanted != index.pages_of(id);
            if (left == 0) {
                return false;
            }
            const std::uint32_t next = index.next_of_object(id);
            const emptied one = empty(pool, id, wanted, left);
            erased += one.pages;
            left -= one.work;
            if (!one.whole) {
                return false; // its other pages next time
            }
            if (stays) {
                cursor.bookmark = number;
                cursor.has_bookmark = true;
            }
            id = next;
        }
        return true;
    }

    /// Erases pages of an extent, as many as `most` steps allow.
    emptied empty(pool_state& pool, std::uint32_t id, std::uint64_t which, unsigned most) noexcept {
        if (!state_.index.is_sound(id)) {
            const unsigned pages = count_ones(state_.index.pages_of(id));
            state_.discard(pool, id);
            return {pages, 1, true};
        }
        std::uint64_t pages = state_.index.pages_of(id) & which;
        const bool goes_on = pages == state_.index.pages_of(id);
        unsigned count = 0;
        for (; pages != 0 && count < most; ++count) {
            const unsigned last = bit_length(pages) - 1;
            pages &= ~(std::uint64_t{1} << last);
            const slot_id slot = index_type::slot(id, last);
            if (pool.has_order()) {
                state_.remove(pool, slot, goes_on);
            } else {
                state_.forget(pool, slot, goes_on);
            }
        }
        state_.erased_pages += count;
        return {count, count != 0 ? count : 1, pages == 0};
    }

    state_type& state_;
};

} // namespace pagefold
