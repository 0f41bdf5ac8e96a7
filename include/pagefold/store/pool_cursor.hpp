// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/partition_state.hpp>
#include <pagefold/store/pool_route.hpp>

#include <cstddef>
#include <cstdint>

// A walk over a pool's keys, beside everybody who uses the store.
//
// What a walk lists. Each page that is there from its beginning to its end, and is not put meanwhile, is listed at least once. No
// page is listed that was not there at the moment when it was listed. A page that is put, put again, taken, erased, dropped
// or lost meanwhile may be listed or not, and several times if it comes and goes. One that is demoted, or comes back from the tier, is
// there all the time, and so is one that moves: within the tables, by compaction, or to another partition, by set_node. What is
// listed of it is what it was under the lock; it can be something else as soon as the answer is there. A page whose entry is
// damaged is listed as such, while the pages of an extent that is damaged are lost, and not listed. A walk changes nothing, and counts the
// damage that it finds.
//
// How. The partitions are walked one after the other, and the extents of each by their numbers, from the highest to 0. An extent
// keeps its number while it has pages, except that compaction gives it a lower one. So what has not been listed yet is below the
// cursor, and stays below it; what was listed and moves down is listed again. The cursor only falls, whatever the index says,
// and a number is asked whether an extent lives there before it is followed. No link is followed at all, so damage can neither make
// a walk endless nor lead it out of the tables.
//
// A pool that moves. Pages that go from a partition that was not walked yet to one that was would be missed. So a walk goes by the
// number of the pool's route, as every operation does (store_migration.hpp): with a newer route it begins again. Within one
// route a page moves once at most. So all is walked twice where that route is of a pool that moves: a page that is in its old
// place at the end of the first pass was there all the time, and was listed; one that is in its new place stays there, and is listed
// in the second. A pool that is sent from node to node without an end makes a walk without an end; `passes` tells.
//
// The position is a few numbers, which may be kept for as long as the store exists, and copied. No lock and no memory is held between
// two steps, and a walk that is given up needs no end. Wrong numbers in a cursor make pages be listed twice or not at all,
// and nothing else. A pool that is destroyed is `invalid` from the same moment as for any other operation, and for ever: ids
// don't come again.
//
// Cost. A hold looks at up to `steps_a_hold` numbers of extents and entries of pages, both counted. The whole is a look at every
// extent number of the partitions in which the pool has pages, those of other pools too, which is some 40 bytes of a sequential
// read each, and at the entry of each page. Nothing is there for who does not walk.
//
// Not this: the pool's ring, which has its own extents only. The place in it would have to be an extent of the pool, and where that is
// erased between two steps nothing tells where it was: the walk would begin anew, each time, beside a writer. Nor a mark in each
// extent or a list of walks in the pool, which somebody would have to end. Nor the order of hashes, which survives any change:
// the chains are shared by all pools as well, cost a cold line an extent, and change as buckets come and go.

namespace pagefold::inline PAGEFOLD_ABI {

/// What a page is kept as.
enum class page_content : std::uint8_t {
    own,       ///< a stream
    in_entry,  ///< no stream outside its entry: a same-filled page, a value of up to 8 bytes
    raw,       ///< as it is
    reference, ///< that of the parent (clone.hpp)
    delta,     ///< a stream that is read with the parent's page
    away,      ///< in the backing tier
    damaged    ///< its entry is; a get is `corrupt`
};

/// A page as a walk lists it.
struct walked_page {
    std::uint64_t object = 0;
    std::uint64_t index = 0;
    std::uint32_t length = 0; ///< of the page or value, in bytes; 0 where its entry is damaged
    std::uint32_t stream = 0; ///< bytes of its stream, here or in the tier; 0 where it has none of its own
    page_content content = page_content::own;
};

/// Where a walk over a pool stands: plain numbers. A new one is at the beginning.
struct pool_cursor {
    static constexpr std::uint32_t top = 0xffffffffu;

    pool_id pool{};
    std::uint32_t route = 0;       ///< number of the route that the pass goes by
    std::uint32_t partition = 0;   ///< that is being walked
    std::uint32_t below = top;     ///< the extents with lower numbers there are still to be walked
    std::uint32_t page = 0;        ///< and of the highest of them, the pages from this one on
    std::uint32_t passes = 0;      ///< that have begun
    std::uint32_t passes_left = 0; ///< with the one that is under way; 0 before the beginning and at the end

    /// Whether all was listed.
    [[nodiscard]] constexpr bool has_ended() const noexcept { return passes != 0 && passes_left == 0; }
    /// Begins a walk by this route, or begins it again.
    constexpr void begin(const pool_route& by) noexcept {
        route = by.number;
        passes_left = by.is_moving() ? 2 : 1;
        begin_pass();
    }
    /// All partitions were walked.
    constexpr void end_pass() noexcept {
        passes_left = passes_left == 2 ? 1 : 0;
        if (passes_left != 0) {
            begin_pass();
        }
    }
    constexpr void enter_next_partition() noexcept { enter_partition(partition + 1); }

private:
    constexpr void begin_pass() noexcept {
        passes += passes != top ? 1u : 0u;
        enter_partition(0);
    }
    constexpr void enter_partition(std::uint32_t which) noexcept {
        partition = which;
        below = top;
        page = 0;
    }
};

/// One hold's part of a walk. The partition's lock is held around the call.
template <store_config Config>
class pool_walk {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using index_type = typename state_type::index_type;
    using entry_type = typename state_type::entry_type;

public:
    static constexpr unsigned steps_a_hold = 32; ///< numbers of extents looked at, and pages listed

    explicit pool_walk(const state_type& state) noexcept : state_{state} {}

    /// Lists up to `room` pages; true when there are no more in this partition. Adds to `listed`.
    bool step(const pool_state& pool, pool_cursor& at, walked_page* out, std::size_t room,
              std::size_t& listed) const noexcept {
        return visit(pool, at, [&](std::uint32_t id, unsigned page) noexcept {
            if (room == 0) {
                return false;
            }
            *out++ = describe(id, page);
            ++listed;
            --room;
            return true;
        });
    }
    /// Hands pages to `list(extent, page)`, until it answers that it has no room for one, which is the next step's first; true when
    /// there are no more in this partition.
    template <class List>
    bool visit(const pool_state& pool, pool_cursor& at, List list) const noexcept {
        const index_type& index = state_.index;
        if (at.below > index.bound()) {
            at.below = index.bound();
            at.page = 0; // the extent that it was in is gone
        }
        if (pool.ring.extents == 0) {
            return true;
        }
        for (unsigned left = steps_a_hold; at.below != 0; next(at)) {
            if (left-- == 0) {
                return false;
            }
            const std::uint32_t id = at.below - 1;
            if (!index.is_live(id) || index.pool_of(id) != pool_ids::slot(pool.id) || !index.is_sound(id)) {
                continue;
            }
            std::uint64_t pages = at.page < extent_pages ? index.pages_of(id) & ~low_bits(at.page) : 0;
            for (; pages != 0; pages &= pages - 1) {
                at.page = trailing_zeros(pages);
                if (left == 0 || !list(id, at.page)) {
                    return false;
                }
                ++at.page;
                --left;
            }
        }
        return true;
    }

    /// The page as it is listed.
    [[nodiscard]] walked_page describe(std::uint32_t id, unsigned page) const noexcept {
        const entry_type e = state_.index.get(index_type::slot(id, page));
        walked_page one{state_.index.object_of(id), state_.index.number_of(id) * extent_pages + page};
        one.content = content_of(e);
        if (one.content != page_content::damaged) {
            one.length = static_cast<std::uint32_t>(state_type::length_of(e));
        }
        if (one.content == page_content::away) {
            one.stream = static_cast<std::uint32_t>(e.away_size());
        } else if (one.content != page_content::damaged && state_type::has_object(e)) {
            one.stream = static_cast<std::uint32_t>(e.size());
        }
        return one;
    }

private:
    static void next(pool_cursor& at) noexcept {
        --at.below;
        at.page = 0;
    }
    [[nodiscard]] page_content content_of(const entry_type& e) const noexcept {
        return !state_.is_readable(e)   ? page_content::damaged
               : state_type::is_away(e) ? page_content::away
               : e.is_inline()          ? page_content::in_entry
               : e.is_reference()       ? page_content::reference
               : e.is_delta()           ? page_content::delta
               : state_type::is_raw(e)  ? page_content::raw
                                        : page_content::own;
    }

    const state_type& state_;
};

} // namespace pagefold
