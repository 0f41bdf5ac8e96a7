// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/store/index/extent.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The extents of one pool: where its ring begins, and what they take.
struct pool_ring {
    std::uint32_t head = extent::none;
    std::uint32_t extents = 0;
    std::size_t bytes = 0;             ///< of the index: extents, their buckets and arrays
    std::uint32_t seen = extent::none; ///< for who walks it in many holds: the extents from the head to here were seen
};

/// The rings of an index: each pool's extents, those of an object side by side, its primary first.
///
/// A link that is wrong is found by the one that leads the other way. Where there is none, since the extent between is gone,
/// the two ends are joined: what is behind one has no way back to a live extent. That is a walk over all extents, once for
/// each damage. Not thread-safe.
template <class Source>
class extent_rings {
public:
    static constexpr std::uint32_t none = extent::none;

    explicit extent_rings(extent_pool<Source>& extents) noexcept : extents_{extents} {}

    // Walking.

    /// The next extent of the pool's ring, which may be the same; none where the ring is damaged beyond mending.
    [[nodiscard]] std::uint32_t next(std::uint32_t id) const noexcept {
        return has_way_on(id) ? extents_[id].ring_next : mend_next(id);
    }
    /// The next extent of the same object, or none.
    [[nodiscard]] std::uint32_t next_of_object(std::uint32_t id) const noexcept {
        const std::uint32_t next = this->next(id);
        return next != none && !extents_[next].is_primary() && extents_[next].same_object(extents_[id]) ? next : none;
    }
    /// Slot of the pool that an extent is of, whatever it says itself: its neighbours in the ring know.
    [[nodiscard]] std::uint32_t owner_of(std::uint32_t id) const noexcept {
        const extent* const next = extents_.find(extents_[id].ring_next);
        const bool knows = next != nullptr && next->is_whole() && next->ring_previous() == id;
        return knows ? next->pool() : extents_[id].pool();
    }

    /// The extents on both sides of one, which may be the same, or itself; none where the ring is damaged beyond mending.
    struct neighbours {
        std::uint32_t before, next;
    };
    [[nodiscard]] neighbours around(std::uint32_t id) const noexcept {
        const std::uint32_t behind = next(id);
        return {has_way_back(id) ? extents_[id].ring_previous() : mend_before(id), behind};
    }

    // Changing.

    /// Into the ring: behind the object's primary, or as a new object's at the end of the round.
    void link(pool_ring& ring, std::uint32_t id, std::uint32_t primary) noexcept {
        extent& x = extents_[id];
        x.ring_next = id; // links of its own, so that who mends takes it for no lost neighbour
        x.set_ring_previous(id);
        ++ring.extents;
        // The last of a round is before its head, which may have to be mended first.
        std::uint32_t before = primary;
        if (before == none && extents_.contains(ring.head)) {
            before = extents_[ring.head].ring_previous();
            if (!has_way_back(ring.head)) {
                before = mend_before(ring.head);
            }
        }
        const std::uint32_t behind = before != none ? this->next(before) : none;
        if (behind == none) {
            ring.head = id; // the first, or what was there is damaged beyond mending
            ring.seen = none;
            return;
        }
        x.set_ring_previous(before);
        x.ring_next = behind;
        extents_[behind].set_ring_previous(id);
        extents_[before].ring_next = id;
    }
    void unlink(pool_ring& ring, std::uint32_t id, const neighbours& sides) noexcept {
        ring.extents -= ring.extents != 0 ? 1u : 0u;
        const bool is_last = sides.next == id || sides.next == none || sides.before == none;
        if (!is_last) {
            extents_[sides.next].set_ring_previous(sides.before);
            extents_[sides.before].ring_next = sides.next;
        }
        if (ring.seen == id) {
            ring.seen = ring.head == id || is_last ? none : sides.before;
        }
        ring.head = ring.head != id ? ring.head : is_last ? none : sides.next;
    }
    /// Whether its links are right, or mended.
    [[nodiscard]] bool is_linked(std::uint32_t id) const noexcept { return next(id) != none && has_way_back(id); }
    /// The extent was copied to another number, which takes its place; it is linked.
    void renumber(pool_ring& ring, std::uint32_t from, std::uint32_t to) noexcept {
        extent& copy = extents_[to];
        if (copy.ring_next == from) {
            copy.ring_next = to;
            copy.set_ring_previous(to);
        } else {
            extents_[copy.ring_next].set_ring_previous(to);
            extents_[copy.ring_previous()].ring_next = to;
        }
        ring.head = ring.head == from ? to : ring.head;
        ring.seen = ring.seen == from ? to : ring.seen;
    }

    /// How often a link was found that is wrong.
    [[nodiscard]] std::uint64_t damage() const noexcept { return damage_; }
    /// Walks one pool's ring; false where it is not right, or its bytes are not the sum of `bytes_of(extent)`.
    template <class BytesOf>
    [[nodiscard]] bool check(const pool_ring& ring, std::uint32_t pool, BytesOf bytes_of) const noexcept {
        std::uint32_t count = 0;
        std::size_t used = 0;
        bool has_seen = ring.seen == none;
        if (ring.head != none) {
            std::uint32_t id = ring.head;
            do {
                if (!extents_.contains(id) || ++count > ring.extents) {
                    return false;
                }
                const extent& x = extents_[id];
                if (!has_way_on(id) || x.pool() != pool ||
                    (!x.is_primary() && !(has_way_back(id) && extents_[x.ring_previous()].same_object(x)))) {
                    return false;
                }
                used += bytes_of(x);
                has_seen = has_seen || id == ring.seen;
                id = x.ring_next;
            } while (id != ring.head);
        }
        return count == ring.extents && used == ring.bytes && has_seen;
    }

private:
    /// Whether the link to the extent before comes from where it leads to.
    [[nodiscard]] bool has_way_back(std::uint32_t id) const noexcept {
        const extent* const before = extents_.find(extents_[id].ring_previous());
        return before != nullptr && before->ring_next == id;
    }
    [[nodiscard]] bool has_way_on(std::uint32_t id) const noexcept {
        const extent* const next = extents_.find(extents_[id].ring_next);
        return next != nullptr && next->ring_previous() == id;
    }
    /// The first extent of the pool that `fits`, or none.
    template <class Predicate>
    [[nodiscard]] std::uint32_t search(std::uint32_t pool, Predicate fits) const noexcept {
        std::uint32_t id = next_extent(extents_, 0);
        while (id != none && (extents_[id].pool() != pool || !fits(id))) {
            id = next_extent(extents_, id + 1);
        }
        return id;
    }
    /// The extent behind one, whose link there is wrong; mends it. None where nothing fits. Walks all extents.
    [[nodiscard]] PAGEFOLD_COLD std::uint32_t mend_next(std::uint32_t id) const noexcept {
        ++damage_;
        extent& x = extents_[id];
        std::uint32_t next = x.ring_next;
        if (!extents_.contains(next) || extents_[next].pool() != x.pool() || has_way_back(next)) {
            next = search(x.pool(), [&](std::uint32_t other) { return extents_[other].ring_previous() == id; });
        }
        if (next == none) {
            next = search(x.pool(), [&](std::uint32_t other) { return other != id && !has_way_back(other); });
        }
        if (next != none) {
            x.ring_next = next;
            extents_[next].set_ring_previous(id);
        }
        return next;
    }
    /// The same for the extent before one.
    [[nodiscard]] PAGEFOLD_COLD std::uint32_t mend_before(std::uint32_t id) const noexcept {
        ++damage_;
        extent& x = extents_[id];
        std::uint32_t before = x.ring_previous();
        if (!extents_.contains(before) || extents_[before].pool() != x.pool() || has_way_on(before)) {
            before = search(x.pool(), [&](std::uint32_t other) { return extents_[other].ring_next == id; });
        }
        if (before == none) {
            before = search(x.pool(), [&](std::uint32_t other) { return other != id && !has_way_on(other); });
        }
        if (before != none) {
            x.set_ring_previous(before);
            extents_[before].ring_next = id;
        }
        return before;
    }

    extent_pool<Source>& extents_;
    mutable std::uint64_t damage_ = 0;
};

} // namespace pagefold
