// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/store/index/extent.hpp>
#include <pagefold/store/index/extent_chains.hpp>
#include <pagefold/store/index/extent_entries.hpp>
#include <pagefold/store/index/extent_rings.hpp>
#include <pagefold/store/located_key.hpp>

#include <cstddef>
#include <cstdint>

// The index of a partition: page key → entry.
//
// What. 64 consecutive page numbers of an object form an extent, which holds the key once, a bitmap of the pages present,
// and a reference to an array with exactly those pages' entries, in order. An extent with a single page keeps its entry in
// place of bitmap and reference, so that a page alone in its object costs one extent (40 bytes) and a hash bucket (4). In a
// full extent a page costs 12 bytes and less than one for its share of the extent.
//
//     buckets ──► extent ──► extent (chained)        extent: object, pool, number, bitmap, array, three links
//                   │  └─ ring through all extents of the pool, those of an object side by side
//                   └─ array in a cell_arena: entries[n], hooks[n]
//
// Each pool has a ring of its own, so that nobody who works for one pool walks over another's extents. In the ring the
// extents of an object lie side by side, and the first of them, the primary, is hashed under (pool, object), the others
// under (pool, object, number): an object is found without knowing any of its pages, its extents are those that follow, and
// neither an object record nor a second hash entry is needed. A look-up tries the extent's own place first and the primary's
// second; in a large object nearly all succeed at once.
//
// Damage. Every number that leads somewhere is checked before it is followed: extents and cells are asked whether they
// live, chains are walked for a bounded number of steps, a ring's neighbour must point back. An extent's content, an entry
// and each link of a chain have a bit of parity: so a damaged reference never leads into another page's array or object, and
// a chain that is cut off is noticed before anybody acts on what it doesn't find. extent_chains and extent_rings mend
// themselves, by a walk over all extents, once for each damage. An extent that fails is lost, and its pages with it. All is
// counted; the entry's checksum, which is bound to the key, tells a wrong page from a right one.
//
// Parts. extent_chains finds extents by key, extent_rings keeps a pool's together, extent_entries holds their entries.
//
// Cost. A look-up touches a bucket, an extent and an entry. Buckets and extents are 44 bytes for 64 pages and stay in the
// cache of a store of many gigabytes; the entry is the one cold line. An insert or an erase moves at most 64 entries and
// now and then changes the array's cell. Extents and arrays can be moved, so that memory comes back after any history.
//
// Not this: a hash slot for each page (the 128-bit key alone is 16 bytes), a radix tree for each object (a page alone in
// its object or in its range pays for whole nodes), a B-tree (several cold lines a look-up).

namespace pagefold::inline PAGEFOLD_ABI {

/// `Hook` and `HookBits` are the eviction policy's; a hook wider than the entry's spare bits gets an array of its own.
/// Not thread-safe: the partition's lock is held around every call.
template <class Entry, class Hook, unsigned HookBits, class Source>
class extent_index {
    using entries_type = extent_entries<Entry, Hook, HookBits, Source>;

public:
    using entry_type = Entry;
    static constexpr std::size_t entry_bytes = entries_type::entry_bytes;
    static constexpr std::size_t extent_bytes = sizeof(extent) + sizeof(std::uint32_t); ///< with its bucket
    static constexpr std::uint32_t none = extent::none;

    extent_index(Source& source, node_id node, const key_hasher& hasher) noexcept
        : hasher_{hasher}, extents_{source, node}, chains_{extents_, hasher, source, node}, rings_{extents_},
          entries_{source, node} {}

    // Pages.

    /// Where the page's entry is, or no_slot.
    [[nodiscard]] slot_id find(const located_key& k) const noexcept {
        const std::uint32_t id = find_extent(k);
        return id != none && extents_[id].has_page(k.page()) && is_sound(id) ? slot(id, k.page()) : no_slot;
    }

    /// Adds an entry for a page that has none; the hook starts as zero. Fails with what the source answered, `limit` where
    /// the numbers end, or `corrupt` where the extent is damaged; nothing has changed then.
    result<slot_id> insert(pool_ring& ring, const located_key& k, Entry e) noexcept {
        const std::uint32_t id = find_extent(k);
        if (id == none) {
            return add_extent(ring, k, e);
        }
        if (!is_sound(id)) {
            return status::corrupt;
        }
        extent& x = extents_[id];
        const std::size_t less = entries_.bytes(x);
        if (const status s = entries_.add(x, k.page(), e); s != status::ok) {
            return s;
        }
        charge(ring, entries_.bytes(x), less);
        ++page_count_;
        return slot(id, k.page());
    }

    /// `s` must be live, and in the ring. `goes_on`: the extent's other pages are to follow.
    void erase(pool_ring& ring, slot_id s, bool goes_on = false) noexcept {
        extent& x = extents_[s / extent_pages];
        PAGEFOLD_ASSERT(x.has_page(s % extent_pages));
        page_count_ -= page_count_ != 0 ? 1u : 0u;
        if (is_power_of_two(x.present())) {
            remove_extent(ring, s / extent_pages);
        } else {
            const std::size_t less = entries_.bytes(x);
            entries_.remove(x, s % extent_pages, goes_on);
            charge(ring, entries_.bytes(x), less);
        }
    }

    [[nodiscard]] Entry get(slot_id s) const noexcept {
        return entries_.get(extents_[s / extent_pages], s % extent_pages);
    }
    /// Asks for the entry's cache line without waiting for it; `s` is live or no_slot. Inlined, as slot_pool::prefetch.
    PAGEFOLD_ALWAYS_INLINE void prefetch(slot_id s) const noexcept {
        if (s != no_slot) {
            __builtin_prefetch(entries_.locate(extents_[s / extent_pages], s % extent_pages).word, 1);
        }
    }

    // For who only asks for cache lines (batch_look_ahead.hpp), and looks again when they are there: nothing is changed or
    // counted, whatever is met.

    // Step by step: the extent that is met first, what is behind it in the chain or what says where its array is, the entry.

    PAGEFOLD_ALWAYS_INLINE void prefetch_extent(const located_key& k) const noexcept {
        chains_.prefetch_first(k.extent_hash);
    }
    /// The page's slot, if its extent is what is met first and the page may be there; no_slot says nothing.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE slot_id guess_first(const located_key& k) const noexcept {
        return guessed(chains_.guess_first(k.pool, k.key.object, k.extent(), k.extent_hash), k);
    }
    /// Where find comes to, mostly; no_slot says nothing.
    [[nodiscard]] slot_id guess(const located_key& k) const noexcept {
        return guessed(chains_.guess(k.pool, k.key.object, k.extent(), k.object_hash, k.extent_hash), k);
    }
    /// As contains().
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool may_look_at(slot_id s) const noexcept {
        const extent* const x = extents_.find(s / extent_pages);
        return s != no_slot && x != nullptr && x->has_page(s % extent_pages) && entries_.is_sound(*x);
    }
    /// Whether find, which counts what it meets, would come to this slot; false says nothing. Any number may be asked.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool is_at(slot_id s, const located_key& k) const noexcept {
        return may_look_at(s) && s % extent_pages == k.page() && extents_[s / extent_pages].object == k.key.object &&
               extents_[s / extent_pages].has_identity(extent::identity(k.pool, k.extent()));
    }

    /// Replaces the entry and keeps the hook, when the hook is wide; a narrow one is part of the entry.
    void set(slot_id s, Entry e) noexcept { entries_.set(extents_[s / extent_pages], s % extent_pages, e); }
    [[nodiscard]] Hook hook(slot_id s) const noexcept {
        return entries_.hook(extents_[s / extent_pages], s % extent_pages);
    }
    void set_hook(slot_id s, Hook hook) noexcept {
        entries_.set_hook(extents_[s / extent_pages], s % extent_pages, hook);
    }
    /// Whether the slot has a page whose entry can be looked at; any number may be asked.
    [[nodiscard]] bool contains(slot_id s) const noexcept {
        const extent* const x = extents_.find(s / extent_pages);
        return s != no_slot && x != nullptr && x->has_page(s % extent_pages) && is_sound(s / extent_pages);
    }

    /// Whether the extent is there, and no bit of it but of its links is flipped: by that alone, as it is asked often.
    [[nodiscard]] bool is_whole(std::uint32_t id) const noexcept {
        const extent* const x = extents_.find(id);
        return x != nullptr && x->is_whole();
    }

    /// To go through the entries of an extent that is sound: valid until it changes.
    using metas = typename entries_type::metas;
    [[nodiscard]] metas metas_of(std::uint32_t id) const noexcept { return entries_.metas_of(extents_[id]); }

    // Extents. A number is stable while the extent has pages and move_down is not called.

    [[nodiscard]] std::uint32_t find_extent(const located_key& k) const noexcept {
        return chains_.find(k.pool, k.key.object, k.extent(), k.object_hash, k.extent_hash);
    }
    /// The first extent of the object, or none.
    [[nodiscard]] std::uint32_t find_object(std::uint32_t pool, std::uint64_t object) const noexcept {
        return chains_.find_primary(pool, object, hasher_.object(pool, object));
    }
    [[nodiscard]] std::uint32_t find_extent(std::uint32_t pool, std::uint64_t object,
                                            std::uint64_t number) const noexcept {
        const std::uint64_t of_object = hasher_.object(pool, object);
        return chains_.find(pool, object, number, of_object, hasher_.extent(of_object, number));
    }
    /// The next extent of the same object, or none.
    [[nodiscard]] std::uint32_t next_of_object(std::uint32_t id) const noexcept { return rings_.next_of_object(id); }
    /// The next extent of the pool's ring, which may be the same; none where the ring is damaged beyond mending.
    [[nodiscard]] std::uint32_t next_in_ring(std::uint32_t id) const noexcept { return rings_.next(id); }
    [[nodiscard]] bool is_live(std::uint32_t id) const noexcept { return extents_.contains(id); }
    [[nodiscard]] std::uint32_t pool_of(std::uint32_t id) const noexcept { return extents_[id].pool(); }
    /// Page numbers of the extent start at this times extent_pages.
    [[nodiscard]] std::uint64_t number_of(std::uint32_t id) const noexcept { return extents_[id].number(); }
    [[nodiscard]] std::uint64_t object_of(std::uint32_t id) const noexcept { return extents_[id].object; }
    /// One bit for each page present.
    [[nodiscard]] std::uint64_t pages_of(std::uint32_t id) const noexcept { return extents_[id].present(); }
    /// Whether the extent's entries can be looked at: its array is one, and as long as it says.
    [[nodiscard]] bool is_sound(std::uint32_t id) const noexcept {
        const bool sound = entries_.is_sound(extents_[id]);
        damage_ += sound ? 0u : 1u;
        return sound;
    }
    /// Whether a look-up comes to the extent; mends the chains where none does.
    [[nodiscard]] bool is_found(std::uint32_t id) noexcept {
        const extent& x = extents_[id];
        return find_extent(x.pool(), x.object, x.number()) == id ||
               (chains_.find_link(id) != nullptr && find_extent(x.pool(), x.object, x.number()) == id);
    }
    [[nodiscard]] static constexpr slot_id slot(std::uint32_t id, unsigned at) noexcept {
        return id * extent_pages + at;
    }
    /// The first live extent with a number ≥ `from`, or none. Walks the numbers between.
    [[nodiscard]] std::uint32_t next_extent(std::uint32_t from) const noexcept {
        return pagefold::next_extent(extents_, from);
    }
    /// No extent has a number at or above it.
    [[nodiscard]] std::uint32_t bound() const noexcept { return extents_.bound(); }

    /// Calls `visit(slot)` for each page of an extent that is in `which`, in order.
    template <class Visit>
    void for_each_slot(std::uint32_t id, std::uint64_t which, Visit visit) const noexcept {
        for (std::uint64_t pages = pages_of(id) & which; pages != 0; pages &= pages - 1) {
            visit(slot(id, trailing_zeros(pages)));
        }
    }

    /// The slot after `s`, which is live, in the pool's ring; no_slot starts at its head. Passes over extents that are not
    /// sound. no_slot if the pool has no page.
    [[nodiscard]] slot_id next_in_pool(const pool_ring& ring, slot_id s) const noexcept {
        std::uint32_t id = ring.head;
        if (s != no_slot && is_live(s / extent_pages)) {
            id = s / extent_pages;
            const unsigned at = s % extent_pages;
            const std::uint64_t rest = extents_[id].present() & ~low_bits(at + 1);
            if (rest != 0) {
                return slot(id, trailing_zeros(rest));
            }
            id = rings_.next(id);
        }
        for (std::uint32_t left = ring.extents; id != none && is_live(id); id = rings_.next(id)) {
            if (is_sound(id)) [[likely]] {
                return slot(id, trailing_zeros(extents_[id].present()));
            }
            if (left-- == 0) {
                break;
            }
        }
        return no_slot;
    }

    /// Takes an extent out that is not sound, with what it says of its pages; says how many there were. Their array and their
    /// objects stay where they are, known to nobody.
    unsigned discard(pool_ring& ring, std::uint32_t id) noexcept {
        extent& x = extents_[id];
        const unsigned pages = count_ones(x.present());
        page_count_ -= pages < page_count_ ? pages : page_count_;
        x.make_single(x.single_index(), 0, 0);
        remove_extent(ring, id, true);
        return pages;
    }

    /// Slot of the pool that an extent is of, whatever it says itself: its neighbours in the ring know.
    [[nodiscard]] std::uint32_t owner_of(std::uint32_t id) const noexcept { return rings_.owner_of(id); }

    /// The pool has no extents any more, whatever damage left of its counts.
    void forget(pool_ring& ring) noexcept {
        charge(ring, 0, ring.bytes);
        ring = pool_ring{};
    }

    // Memory.

    /// By how much the bytes of a ring grow if the page comes; 0 if it is here.
    [[nodiscard]] std::size_t bytes_for(const located_key& k) const noexcept {
        const std::uint32_t id = find_extent(k);
        if (id == none) {
            return extent_bytes + entries_type::bytes_of_first();
        }
        const extent& x = extents_[id];
        return !is_sound(id) || x.has_page(k.page()) ? 0 : entries_.growth(x);
    }
    /// Bytes of live extents with their buckets and arrays: the sum of the rings' bytes.
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used_bytes_; }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return extents_.bytes() + entries_.bytes() + chains_.bytes(); }
    /// Pages present.
    [[nodiscard]] std::size_t size() const noexcept { return page_count_; }
    /// How often something was found that contradicts itself.
    [[nodiscard]] std::uint64_t damage() const noexcept { return damage_ + chains_.damage() + rings_.damage(); }

    /// The extent to move down next, so that chunks of extents come free; none where they are dense.
    [[nodiscard]] std::uint32_t last_in_the_way() const noexcept {
        const std::uint32_t last = extents_.is_sparse() ? extents_.last_live() : none;
        return extents_.contains(last) ? last : none; // damage can make it look dead
    }
    /// Gives that extent a lower number; returns it, or none where that can't be done. The slots of its pages have new numbers
    /// then, and nothing else has changed.
    std::uint32_t move_down(pool_ring& ring, std::uint32_t id) noexcept {
        std::uint32_t* const link = chains_.find_link(id);
        if (link == nullptr || !rings_.is_linked(id)) {
            return none;
        }
        const result<std::uint32_t> lower = extents_.insert_lower();
        if (!lower) {
            return none;
        }
        extents_[*lower] = extents_[id];
        *link = chain_link::to(*lower);
        rings_.renumber(ring, id, *lower);
        extents_.erase(id);
        return *lower;
    }
    /// Puts the extent's entries into another array where that helps memory to come free; whether it did.
    bool repack(pool_ring& ring, std::uint32_t id) noexcept {
        extent& x = extents_[id];
        if (!is_sound(id)) {
            return false;
        }
        const std::size_t less = entries_.bytes(x);
        const bool helped = entries_.repack(x);
        charge(ring, entries_.bytes(x), less);
        return helped;
    }
    /// Gives back what the table of buckets has beyond one for each extent: some buckets a call; true when it is done.
    bool shrink_buckets_fully() noexcept {
        if (!chains_.shrink(64)) {
            return false;
        }
        chains_.trim();
        return true;
    }

    /// Walks every structure but the rings; false when one contradicts another.
    [[nodiscard]] bool check() const noexcept;
    /// Walks one pool's ring.
    [[nodiscard]] bool check_ring(const pool_ring& ring, std::uint32_t pool) const noexcept;

private:
    /// Asks for what is met there, too.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE slot_id guessed(std::uint32_t id, const located_key& k) const noexcept {
        if (id == none) {
            return no_slot;
        }
        entries_.prefetch_array_of(extents_[id]);
        return slot(id, k.page());
    }
    /// Never below 0, whatever damage did.
    void charge(pool_ring& ring, std::size_t more, std::size_t less) noexcept {
        ring.bytes = ring.bytes + more > less ? ring.bytes + more - less : 0;
        used_bytes_ = used_bytes_ + more > less ? used_bytes_ + more - less : 0;
    }

    // Extents.

    result<slot_id> add_extent(pool_ring& ring, const located_key& k, Entry e) noexcept {
        if (const status s = chains_.prepare(); s != status::ok) {
            return s;
        }
        // Before the extent lives: to find may mend the chains, and would put it in.
        const std::uint32_t primary = chains_.find_primary(k.pool, k.key.object, k.object_hash);
        const result<cell_ref> array = entries_.allocate_first();
        if (!array) {
            return array.error();
        }
        const result<std::uint32_t> added = extents_.insert();
        if (!added || *added >= no_slot / extent_pages) {
            entries_.deallocate_first(*array);
            if (added) {
                extents_[*added].bitmap = 1; // the pool wants a live element
                extents_.erase(*added);
            }
            return added ? status::limit : added.error();
        }
        const std::uint32_t id = *added;
        extent& x = extents_[id];
        x.object = k.key.object;
        x.tag = extent::identity(k.pool, k.extent());
        entries_.put_first(x, k.page(), e, *array);
        if (primary == none) {
            x.make_primary();
        }
        rings_.link(ring, id, primary);
        chains_.insert(id);
        chains_.grow();
        charge(ring, extent_bytes + entries_.bytes(x), 0);
        ++page_count_;
        return slot(id, k.page());
    }
    void remove_extent(pool_ring& ring, std::uint32_t id, bool is_damaged = false) noexcept {
        extent& x = extents_[id];
        const auto sides = rings_.around(id);
        if (sides.next != none && sides.next != id && sides.before != none) {
            extent& behind = extents_[sides.next];
            damage_ += behind.is_whole() ? 0u : 1u; // under its new hash nobody may look for it and tell
            // The object's next extent becomes its first. Whether a damaged one was the first, it can't say itself.
            const std::uint32_t first = is_damaged ? find_object(behind.pool(), behind.object) : none;
            const bool was_first = is_damaged ? first == none || first == id : x.is_primary();
            if (was_first && !behind.is_primary()) {
                chains_.remove(sides.next);
                behind.make_primary();
                chains_.insert(sides.next);
            }
        }
        chains_.remove(id); // last: to remove another may mend the chains, and would put it in again
        rings_.unlink(ring, id, sides);
        charge(ring, 0, extent_bytes + entries_.bytes(x));
        entries_.release(x);
        extents_.erase(id);
        chains_.follow_down();
    }

    const key_hasher& hasher_;
    extent_pool<Source> extents_;
    extent_chains<Source> chains_;
    extent_rings<Source> rings_;
    entries_type entries_;
    std::size_t page_count_ = 0;
    std::size_t used_bytes_ = 0;
    mutable std::uint64_t damage_ = 0;
};

} // namespace pagefold

#include <pagefold/store/index/check.hpp>
