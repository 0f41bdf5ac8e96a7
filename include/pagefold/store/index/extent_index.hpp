// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/store/index/entry_arrays.hpp>
#include <pagefold/store/index/extent.hpp>
#include <pagefold/store/index/linear_buckets.hpp>
#include <pagefold/store/located_key.hpp>

#include <bit>
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
// live, chains are walked for a bounded number of steps, a ring's neighbour must point back. An extent's content and each
// link of a chain have a bit of parity: so a damaged reference to an array never leads into another extent's, and a chain that
// is cut off is noticed before anybody acts on what it doesn't find. A chain that fails is made anew, with all others, from
// the extents; a ring's link from the one that points the other way. That is a walk over all extents, once for each damage.
// An extent that fails is lost, and its pages with it. All is counted; the entry's checksum, which is bound to the key, tells
// a wrong page from a right one.
//
// Cost. A look-up touches a bucket, an extent and an entry. Buckets and extents are 44 bytes for 64 pages and stay in the
// cache of a store of many gigabytes; the entry is the one cold line. An insert or an erase moves at most 64 entries and
// now and then changes the array's cell. Extents and arrays can be moved, so that memory comes back after any history.
//
// Not this: a hash slot for each page (the 128-bit key alone is 16 bytes), a radix tree for each object (a page alone in
// its object or in its range pays for whole nodes), a B-tree (several cold lines a look-up).

namespace pagefold {

/// The extents of one pool: where its ring begins, and what they take.
struct pool_ring {
    std::uint32_t head = extent::none;
    std::uint32_t extents = 0;
    std::size_t bytes = 0; ///< of the index: extents, their buckets and arrays
};

/// `Hook` and `HookBits` are the eviction policy's; a hook wider than the entry's spare bits gets an array of its own.
/// Not thread-safe: the partition's lock is held around every call.
template <class Entry, class Hook, unsigned HookBits, class Source>
class extent_index {
    static constexpr bool wide_hook = HookBits > packed_hook_bits;
    using arrays_type = entry_arrays<Entry, wide_hook ? sizeof(Hook) : 0, Source>;

public:
    using entry_type = Entry;
    static constexpr std::size_t entry_bytes = arrays_type::entry_bytes;
    static constexpr std::size_t extent_bytes = sizeof(extent) + sizeof(std::uint32_t); ///< with its bucket
    static constexpr std::uint32_t none = extent::none;

    extent_index(Source& source, node_id node, const key_hasher& hasher) noexcept
        : hasher_{hasher}, extents_{source, node}, arrays_{source, node}, buckets_{source, node} {}

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
        if (const status s = add_page(ring, extents_[id], k.page(), e); s != status::ok) {
            return s;
        }
        ++page_count_;
        return slot(id, k.page());
    }

    /// `s` must be live, and in the ring.
    void erase(pool_ring& ring, slot_id s) noexcept {
        extent& x = extents_[s / extent_pages];
        PAGEFOLD_ASSERT(x.has_page(s % extent_pages));
        page_count_ -= page_count_ != 0 ? 1 : 0;
        if (is_power_of_two(x.present())) {
            remove_extent(ring, s / extent_pages);
        } else {
            remove_page(ring, x, s % extent_pages);
        }
    }

    [[nodiscard]] Entry get(slot_id s) const noexcept {
        const entry_place p = locate(s);
        return {load_native<std::uint64_t>(p.word), load_native<typename Entry::meta_type>(p.meta)};
    }
    /// Asks for the entry's cache line without waiting for it; `s` is live or no_slot.
    void prefetch(slot_id s) const noexcept {
        if (s != no_slot) {
            __builtin_prefetch(locate(s).word, 1);
        }
    }
    /// Replaces the entry and keeps the hook, when the hook is wide; a narrow one is part of the entry.
    void set(slot_id s, Entry e) noexcept {
        const entry_place p = locate(s);
        if (extent& x = extents_[s / extent_pages]; x.is_single()) {
            x.note_change(x.bitmap ^ e.word());
            x.note_change(x.cell ^ e.meta());
        }
        store_native(p.word, e.word());
        store_native(p.meta, e.meta());
    }
    [[nodiscard]] Hook hook(slot_id s) const noexcept {
        if constexpr (wide_hook) {
            return load_native<Hook>(locate(s).hook);
        } else {
            return static_cast<Hook>(get(s).hook());
        }
    }
    void set_hook(slot_id s, Hook hook) noexcept {
        const entry_place p = locate(s);
        if constexpr (wide_hook) {
            store_native(p.hook, hook);
        } else {
            extent& x = extents_[s / extent_pages];
            set_hook_at({0, p.meta, x.is_single() ? &x : nullptr}, 0, hook);
        }
    }
    /// Whether the slot has a page whose entry can be looked at; any number may be asked.
    [[nodiscard]] bool contains(slot_id s) const noexcept {
        const extent* const x = extents_.find(s / extent_pages);
        return s != no_slot && x != nullptr && x->has_page(s % extent_pages) && is_sound(s / extent_pages);
    }

    /// The pages of an extent and where their entries' metas are, to go through them without finding each anew: valid until
    /// the extent changes. The extent is sound.
    struct metas {
        std::uint64_t pages;
        std::byte* first;
        extent* single; ///< where the entry stands in the extent

        [[nodiscard]] std::byte* of(unsigned at) const noexcept { return first + rank_of(pages, at) * Entry::bytes; }
    };
    [[nodiscard]] metas metas_of(std::uint32_t id) const noexcept {
        extent& x = extents_[id];
        return x.is_single() ? metas{x.present(), reinterpret_cast<std::byte*>(&x.cell), &x}
                             : metas{x.bitmap, arrays_.view(x.array()).at(0).meta, nullptr};
    }
    /// Sets the hook of the page at `at` of the extent whose metas these are.
    static void set_hook_at(const metas& m, unsigned at, Hook hook) noexcept requires(!wide_hook) {
        std::byte* const place = m.of(at);
        const auto was = load_native<typename Entry::meta_type>(place);
        Entry e{0, was};
        e.set_hook(static_cast<std::uint8_t>(hook));
        if (m.single != nullptr) {
            m.single->note_change(was ^ e.meta());
        }
        store_native(place, e.meta());
    }

    // Extents. A number is stable while the extent has pages and move_down is not called.

    [[nodiscard]] std::uint32_t find_extent(const located_key& k) const noexcept {
        return find_extent(k.pool, k.key.object, k.extent(), k.object_hash, k.extent_hash);
    }
    /// The first extent of the object, or none.
    [[nodiscard]] std::uint32_t find_object(std::uint32_t pool, std::uint64_t object) const noexcept {
        return find_primary(pool, object, hasher_.object(pool, object));
    }
    [[nodiscard]] std::uint32_t find_extent(std::uint32_t pool, std::uint64_t object,
                                            std::uint64_t number) const noexcept {
        const std::uint64_t of_object = hasher_.object(pool, object);
        return find_extent(pool, object, number, of_object, hasher_.extent(of_object, number));
    }
    /// The next extent of the same object, or none.
    [[nodiscard]] std::uint32_t next_of_object(std::uint32_t id) const noexcept {
        const std::uint32_t next = next_in_ring(id);
        return next != none && !extents_[next].is_primary() && extents_[next].same_object(extents_[id]) ? next : none;
    }
    /// The next extent of the pool's ring, which may be the same; none where the ring is damaged beyond mending.
    [[nodiscard]] std::uint32_t next_in_ring(std::uint32_t id) const noexcept {
        return has_way_on(id) ? extents_[id].ring_next : mend_ring(id);
    }
    [[nodiscard]] bool is_live(std::uint32_t id) const noexcept { return extents_.contains(id); }
    [[nodiscard]] std::uint32_t pool_of(std::uint32_t id) const noexcept { return extents_[id].pool(); }
    /// Page numbers of the extent start at this times extent_pages.
    [[nodiscard]] std::uint64_t number_of(std::uint32_t id) const noexcept { return extents_[id].number(); }
    [[nodiscard]] std::uint64_t object_of(std::uint32_t id) const noexcept { return extents_[id].object; }
    /// One bit for each page present.
    [[nodiscard]] std::uint64_t pages_of(std::uint32_t id) const noexcept { return extents_[id].present(); }
    /// Whether the extent's entries can be looked at: its array is one, and as long as it says.
    [[nodiscard]] bool is_sound(std::uint32_t id) const noexcept {
        const extent& x = extents_[id];
        const bool sound = x.is_whole() && (x.is_single() ? arrays_type::singles_inline
                                                          : arrays_.contains(x.array(), count_ones(x.bitmap)));
        damage_ += sound ? 0 : 1;
        return sound;
    }
    [[nodiscard]] static constexpr slot_id slot(std::uint32_t id, unsigned at) noexcept {
        return id * extent_pages + at;
    }
    /// The first live extent with a number ≥ `from`, or none. Walks the numbers between.
    [[nodiscard]] std::uint32_t next_extent(std::uint32_t from) const noexcept {
        const std::uint32_t id = extents_.next_live(from);
        return id < extents_.bound() ? id : none;
    }
    /// No extent has a number at or above it.
    [[nodiscard]] std::uint32_t bound() const noexcept { return extents_.bound(); }

    /// Calls `visit(slot)` for each page of an extent that is in `which`, in order.
    template <class Visit>
    void for_each_slot(std::uint32_t id, std::uint64_t which, Visit visit) const noexcept {
        for (std::uint64_t pages = pages_of(id) & which; pages != 0; pages &= pages - 1) {
            visit(slot(id, static_cast<unsigned>(std::countr_zero(pages))));
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
                return slot(id, static_cast<unsigned>(std::countr_zero(rest)));
            }
            id = next_in_ring(id);
        }
        for (std::uint32_t left = ring.extents; id != none && is_live(id); id = next_in_ring(id)) {
            if (is_sound(id)) [[likely]] {
                return slot(id, static_cast<unsigned>(std::countr_zero(extents_[id].present())));
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
    [[nodiscard]] std::uint32_t owner_of(std::uint32_t id) const noexcept {
        const extent* const next = extents_.find(extents_[id].ring_next);
        const bool knows = next != nullptr && next->is_whole() && next->ring_previous() == id;
        return knows ? next->pool() : extents_[id].pool();
    }

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
            return extent_bytes + (arrays_type::singles_inline ? 0 : arrays_type::bytes_for(1));
        }
        const extent& x = extents_[id];
        if (!is_sound(id) || x.has_page(k.page())) {
            return 0;
        }
        const unsigned count = count_ones(x.present());
        return !x.is_single() && count < arrays_.capacity(x.array())
                   ? 0
                   : arrays_type::bytes_for(count + 1) - array_bytes(x);
    }
    /// Bytes of live extents with their buckets and arrays: the sum of the rings' bytes.
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used_bytes_; }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return extents_.bytes() + arrays_.bytes() + buckets_.bytes(); }
    /// Pages present.
    [[nodiscard]] std::size_t size() const noexcept { return page_count_; }
    /// How often something was found that contradicts itself.
    [[nodiscard]] std::uint64_t damage() const noexcept { return damage_; }

    /// The extent to move down next, so that chunks of extents come free; none where they are dense.
    [[nodiscard]] std::uint32_t last_in_the_way() const noexcept {
        const std::uint32_t last = extents_.is_sparse() ? extents_.last_live() : none;
        return extents_.contains(last) ? last : none; // damage can make it look dead
    }
    /// Gives that extent a lower number; returns it, or none where that can't be done. The slots of its pages have new numbers
    /// then, and nothing else has changed.
    std::uint32_t move_down(pool_ring& ring, std::uint32_t id) noexcept {
        std::uint32_t* const link = find_link(id);
        if (link == nullptr || next_in_ring(id) == none || !has_way_back(id)) {
            return none;
        }
        const result<std::uint32_t> lower = extents_.insert_lower();
        if (!lower) {
            return none;
        }
        const extent& x = extents_[id];
        extents_[*lower] = x;
        *link = chain_link::to(*lower);
        if (x.ring_next == id) {
            extents_[*lower].ring_next = *lower;
            extents_[*lower].set_ring_previous(*lower);
        } else {
            extents_[x.ring_next].set_ring_previous(*lower);
            extents_[x.ring_previous()].ring_next = *lower;
        }
        ring.head = ring.head == id ? *lower : ring.head;
        extents_.erase(id);
        return *lower;
    }
    /// Puts the extent's entries into another array where that helps memory to come free; whether it did.
    bool repack(pool_ring& ring, std::uint32_t id) noexcept {
        extent& x = extents_[id];
        if (x.is_single() || !is_sound(id)) {
            return false;
        }
        const unsigned count = count_ones(x.bitmap);
        if (arrays_.is_not_least_for(x.array(), count)) {
            return set_array(ring, x, x.bitmap, count);
        }
        const result<cell_ref> moved = arrays_.relocate(x.array());
        if (!moved || *moved == x.array()) {
            return false;
        }
        x.make_array(x.bitmap, *moved);
        return true;
    }
    /// Gives back what the table of buckets has beyond one for each extent: some buckets a call; true when it is done.
    bool shrink_buckets_fully() noexcept {
        for (unsigned i = 0; i < 64; ++i) {
            if (buckets_.count() <= extents_.size() || !remove_bucket()) {
                buckets_.trim();
                return true;
            }
        }
        return false;
    }

    /// Walks every structure but the rings; false when one contradicts another.
    [[nodiscard]] bool check() const noexcept;
    /// Walks one pool's ring.
    [[nodiscard]] bool check_ring(const pool_ring& ring, std::uint32_t pool) const noexcept;

private:
    static constexpr std::uint32_t least_buckets = 64; // kept, so that a small table doesn't change with every page

    [[nodiscard]] entry_place locate(slot_id s) const noexcept {
        extent& x = extents_[s / extent_pages];
        PAGEFOLD_ASSERT(x.has_page(s % extent_pages));
        if (x.is_single()) {
            return {reinterpret_cast<std::byte*>(&x.bitmap), reinterpret_cast<std::byte*>(&x.cell), nullptr};
        }
        return arrays_.view(x.array()).at(rank_of(x.bitmap, s % extent_pages));
    }
    [[nodiscard]] static unsigned rank_of(std::uint64_t bitmap, unsigned at) noexcept {
        return count_ones(bitmap & low_bits(at));
    }
    [[nodiscard]] std::size_t array_bytes(const extent& x) const noexcept {
        return x.is_single() ? 0 : arrays_.bytes(x.array());
    }
    /// Never below 0, whatever damage did.
    void charge(pool_ring& ring, std::size_t more, std::size_t less) noexcept {
        ring.bytes = ring.bytes + more > less ? ring.bytes + more - less : 0;
        used_bytes_ = used_bytes_ + more > less ? used_bytes_ + more - less : 0;
    }

    // Chains.

    [[nodiscard]] std::uint64_t hash_of(const extent& x) const noexcept {
        return x.is_primary() ? hasher_.object(x.pool(), x.object) : hasher_.extent(x.pool(), x.object, x.number());
    }
    /// More steps than any chain has: with a secret hash they are as long as chance makes them, and longer only where the
    /// source refused buckets.
    [[nodiscard]] std::uint32_t longest_chain() const noexcept { return 64 + 8 * (extents_.size() / buckets_.count()); }

    /// The first extent of a chain for which `is_it(extent)`, or none.
    template <class Predicate>
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t find_in_chain(std::uint64_t hash,
                                                                     Predicate is_it) const noexcept {
        std::uint32_t left = longest_chain();
        for (std::uint32_t link = buckets_[buckets_.of(hash)]; link != 0; --left) {
            const std::uint32_t id = chain_link::id(link);
            const extent* const x = extents_.find(id);
            if (x == nullptr || left == 0 || !chain_link::is_whole(link)) [[unlikely]] {
                return find_after_mending(hash, is_it, left != 0);
            }
            if (is_it(*x)) {
                return id;
            }
            damage_ += x->is_whole() ? 0 : 1; // it may be what is looked for
            link = x->hash_next;
        }
        return none;
    }
    /// The same in chains that were made anew; none for a chain that is too long, since it would be the same.
    template <class Predicate>
    [[nodiscard]] PAGEFOLD_COLD std::uint32_t find_after_mending(std::uint64_t hash, Predicate is_it,
                                                                 bool helps) const noexcept {
        if (!helps) {
            ++damage_;
            return none;
        }
        mend_chains();
        std::uint32_t left = longest_chain();
        for (std::uint32_t link = buckets_[buckets_.of(hash)]; link != 0 && left != 0; --left) {
            const std::uint32_t id = chain_link::id(link);
            if (is_it(extents_[id])) {
                return id;
            }
            link = extents_[id].hash_next;
        }
        return none;
    }
    /// Makes all chains anew from the extents. Slow, and seldom: something was damaged.
    PAGEFOLD_COLD void mend_chains() const noexcept {
        ++damage_;
        for (std::uint32_t b = 0; b < buckets_.count(); ++b) {
            buckets_[b] = 0;
        }
        for (std::uint32_t id = next_extent(0); id != none; id = next_extent(id + 1)) {
            hash_insert(id);
        }
    }
    // A ring's link that is wrong is found by the one that leads the other way. Where there is none, since the extent between
    // is gone, the two ends are joined. What is behind an end then has no way back to a live extent.

    /// Whether the link to the extent before comes from where it leads to.
    [[nodiscard]] bool has_way_back(std::uint32_t id) const noexcept {
        const extent* const before = extents_.find(extents_[id].ring_previous());
        return before != nullptr && before->ring_next == id;
    }
    [[nodiscard]] bool has_way_on(std::uint32_t id) const noexcept {
        const extent* const next = extents_.find(extents_[id].ring_next);
        return next != nullptr && next->ring_previous() == id;
    }
    /// The first extent of the pool, but one, that `fits`, or none.
    template <class Predicate>
    [[nodiscard]] std::uint32_t search(std::uint32_t pool, Predicate fits) const noexcept {
        std::uint32_t id = next_extent(0);
        while (id != none && (extents_[id].pool() != pool || !fits(id))) {
            id = next_extent(id + 1);
        }
        return id;
    }
    /// The extent behind one, whose link there is wrong; mends it. None where nothing fits. Walks all extents.
    [[nodiscard]] PAGEFOLD_COLD std::uint32_t mend_ring(std::uint32_t id) const noexcept {
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
    [[nodiscard]] PAGEFOLD_COLD std::uint32_t mend_ring_before(std::uint32_t id) const noexcept {
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
    [[nodiscard]] std::uint32_t find_primary(std::uint32_t pool, std::uint64_t object,
                                             std::uint64_t hash) const noexcept {
        return buckets_.count() == 0 ? none : find_in_chain(hash, [&](const extent& x) noexcept {
            return x.object == object && x.pool() == pool && x.is_primary();
        });
    }
    [[nodiscard]] std::uint32_t find_extent(std::uint32_t pool, std::uint64_t object, std::uint64_t number,
                                            std::uint64_t object_hash, std::uint64_t extent_hash) const noexcept {
        if (buckets_.count() == 0) {
            return none;
        }
        const std::uint64_t identity = extent::identity(pool, number);
        const std::uint32_t id = find_in_chain(extent_hash, [&](const extent& x) noexcept {
            return x.object == object && x.has_identity(identity) && !x.is_primary();
        });
        if (id != none) {
            return id;
        }
        const std::uint32_t first = find_primary(pool, object, object_hash);
        return first != none && extents_[first].has_identity(identity) ? first : none;
    }
    /// What points to the extent in its chain, or null where it is damaged beyond mending.
    [[nodiscard]] std::uint32_t* find_link(std::uint32_t id) noexcept {
        for (const bool again : {true, false}) {
            std::uint32_t* link = &buckets_[buckets_.of(hash_of(extents_[id]))];
            for (std::uint32_t left = longest_chain(); left != 0 && *link != 0; --left) {
                if (*link == chain_link::to(id)) {
                    return link;
                }
                extent* const x = extents_.find(chain_link::id(*link));
                if (x == nullptr || !chain_link::is_whole(*link)) {
                    break;
                }
                link = &x->hash_next;
            }
            if (again) {
                mend_chains();
            }
        }
        return nullptr;
    }
    void hash_insert(std::uint32_t id) const noexcept {
        std::uint32_t& head = buckets_[buckets_.of(hash_of(extents_[id]))];
        extents_[id].hash_next = head;
        head = chain_link::to(id);
    }
    void hash_remove(std::uint32_t id) noexcept {
        if (std::uint32_t* const link = find_link(id); link != nullptr) {
            *link = extents_[id].hash_next;
        }
    }
    /// One bucket more when there are more extents than buckets. A refusal of the source only makes chains longer.
    void grow_buckets() noexcept {
        if (extents_.size() <= buckets_.count() || buckets_.add() != status::ok || buckets_.count() == 1) {
            return;
        }
        const std::uint32_t added = buckets_.count() - 1;
        std::uint32_t* link = &buckets_[buckets_.split_from()];
        for (std::uint32_t left = longest_chain() * 2; *link != 0; --left) {
            const std::uint32_t one = *link;
            extent* const x = extents_.find(chain_link::id(one));
            if (x == nullptr || left == 0 || !chain_link::is_whole(one)) [[unlikely]] {
                mend_chains();
                return;
            }
            if (buckets_.of(hash_of(*x)) == added) {
                *link = x->hash_next;
                x->hash_next = buckets_[added];
                buckets_[added] = one;
            } else {
                link = &x->hash_next;
            }
        }
    }
    /// Joins the last bucket's chain with the one that it was split off from; false where there are too few.
    bool remove_bucket() noexcept {
        if (buckets_.count() <= least_buckets) {
            return false;
        }
        std::uint32_t* link = &buckets_[buckets_.split_from()];
        for (std::uint32_t left = longest_chain() * 2; *link != 0; --left) {
            extent* const x = extents_.find(chain_link::id(*link));
            if (x == nullptr || left == 0 || !chain_link::is_whole(*link)) [[unlikely]] {
                buckets_.remove();
                mend_chains();
                return true;
            }
            link = &x->hash_next;
        }
        *link = buckets_[buckets_.count() - 1];
        buckets_.remove();
        return true;
    }

    // Extents.

    result<slot_id> add_extent(pool_ring& ring, const located_key& k, Entry e) noexcept {
        if (buckets_.count() == 0) {
            if (const status s = buckets_.add(); s != status::ok) {
                return s;
            }
        }
        cell_ref array{};
        if constexpr (!arrays_type::singles_inline) {
            const result<cell_ref> cell = arrays_.allocate(1);
            if (!cell) {
                return cell.error();
            }
            array = *cell;
        }
        const result<std::uint32_t> added = extents_.insert();
        if (!added || *added >= no_slot / extent_pages) {
            if constexpr (!arrays_type::singles_inline) {
                arrays_.deallocate(array);
            }
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
        if constexpr (arrays_type::singles_inline) {
            x.make_single(k.page(), e.word(), e.meta());
        } else {
            x.make_array(std::uint64_t{1} << k.page(), array);
            arrays_.view(array).put(0, e);
        }
        link(ring, id, find_primary(k.pool, k.key.object, k.object_hash));
        hash_insert(id);
        grow_buckets();
        charge(ring, extent_bytes + array_bytes(x), 0);
        ++ring.extents;
        ++page_count_;
        return slot(id, k.page());
    }
    /// Into the ring: behind the object's primary, or as a new object's at the end of the round.
    void link(pool_ring& ring, std::uint32_t id, std::uint32_t primary) noexcept {
        extent& x = extents_[id];
        if (primary == none) {
            x.make_primary();
        }
        // The last of a round is before its head, which may have to be mended first.
        std::uint32_t before = primary;
        if (before == none && extents_.contains(ring.head)) {
            before = extents_[ring.head].ring_previous();
            if (!has_way_back(ring.head)) {
                before = mend_ring_before(ring.head);
            }
        }
        const std::uint32_t behind = before != none ? next_in_ring(before) : none;
        if (behind == none) {
            x.ring_next = id; // the first, or what was there is damaged beyond mending
            x.set_ring_previous(id);
            ring.head = id;
            return;
        }
        x.set_ring_previous(before);
        x.ring_next = behind;
        extents_[behind].set_ring_previous(id);
        extents_[before].ring_next = id;
    }
    void remove_extent(pool_ring& ring, std::uint32_t id, bool is_damaged = false) noexcept {
        extent& x = extents_[id];
        hash_remove(id);
        const std::uint32_t next = next_in_ring(id);
        const std::uint32_t before = has_way_back(id) ? x.ring_previous() : mend_ring_before(id);
        if (next == id || next == none || before == none) {
            ring.head = ring.head == id ? none : ring.head;
        } else {
            extent& behind = extents_[next];
            // The object's next extent becomes its first. Whether a damaged one was the first, it can't say itself.
            const bool was_first = !is_damaged ? x.is_primary() : find_object(behind.pool(), behind.object) == none;
            if (was_first && !behind.is_primary()) {
                hash_remove(next);
                behind.make_primary();
                hash_insert(next);
            }
            behind.set_ring_previous(before);
            extents_[before].ring_next = next;
            ring.head = ring.head == id ? next : ring.head;
        }
        charge(ring, 0, extent_bytes + array_bytes(x));
        ring.extents -= ring.extents != 0 ? 1 : 0;
        if (!x.is_single()) {
            arrays_.deallocate(x.array());
        }
        extents_.erase(id);
        for (unsigned i = 0; i < 2 && extents_.size() < buckets_.count() - buckets_.count() / 4; ++i) {
            static_cast<void>(remove_bucket());
        }
    }

    // Pages of an extent.

    status add_page(pool_ring& ring, extent& x, unsigned at, Entry e) noexcept {
        const std::uint64_t before = x.present();
        const unsigned count = count_ones(before);
        const unsigned rank = rank_of(before, at);
        if (!x.is_single() && count < arrays_.capacity(x.array())) {
            const auto array = arrays_.view(x.array());
            array.move(array, rank + 1, array, rank, count - rank);
            array.put(rank, e);
            x.set_pages(before | std::uint64_t{1} << at);
            return status::ok;
        }
        const result<cell_ref> cell = arrays_.allocate(count + 1);
        if (!cell) {
            return cell.error();
        }
        const std::size_t less = array_bytes(x);
        const auto to = arrays_.view(*cell);
        if (x.is_single()) {
            to.put(rank == 0 ? 1 : 0, Entry{x.bitmap, static_cast<typename Entry::meta_type>(x.cell)});
        } else {
            const auto from = arrays_.view(x.array());
            to.move(to, 0, from, 0, rank);
            to.move(to, rank + 1, from, rank, count - rank);
            arrays_.deallocate(x.array());
        }
        to.put(rank, e);
        x.make_array(before | std::uint64_t{1} << at, *cell);
        charge(ring, array_bytes(x), less);
        return status::ok;
    }
    void remove_page(pool_ring& ring, extent& x, unsigned at) noexcept {
        const unsigned count = count_ones(x.bitmap) - 1;
        const unsigned rank = rank_of(x.bitmap, at);
        const auto array = arrays_.view(x.array());
        array.move(array, rank, array, rank + 1, count - rank);
        x.set_pages(x.bitmap & ~(std::uint64_t{1} << at));
        if (arrays_type::singles_inline && count == 1) {
            const Entry last = array.get(0);
            charge(ring, 0, array_bytes(x));
            const unsigned last_at = static_cast<unsigned>(std::countr_zero(x.bitmap));
            arrays_.deallocate(x.array());
            x.make_single(last_at, last.word(), static_cast<std::uint32_t>(last.meta()));
        } else if (arrays_.is_large_for(x.array(), count)) {
            static_cast<void>(set_array(ring, x, x.bitmap, count));
        }
    }
    /// Copies the entries into a new array of just their number; false where there is none.
    bool set_array(pool_ring& ring, extent& x, std::uint64_t pages, unsigned count) noexcept {
        const result<cell_ref> cell = arrays_.allocate(count);
        if (!cell) {
            return false;
        }
        const std::size_t less = array_bytes(x);
        const auto to = arrays_.view(*cell);
        to.move(to, 0, arrays_.view(x.array()), 0, count);
        arrays_.deallocate(x.array());
        x.make_array(pages, *cell);
        charge(ring, array_bytes(x), less);
        return true;
    }

    const key_hasher& hasher_;
    slot_pool<extent, Source> extents_;
    arrays_type arrays_;
    linear_buckets<Source> buckets_;
    std::size_t page_count_ = 0;
    std::size_t used_bytes_ = 0;
    mutable std::uint64_t damage_ = 0;
};

} // namespace pagefold

#include <pagefold/store/index/check.hpp>
