// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/cell_arena.hpp>
#include <pagefold/ds/page_directory.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/store/entry.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

// The index of a partition: page key → entry.
//
// What. 64 consecutive page numbers of an object form an extent, which holds the key once, a bitmap of the pages present,
// and a reference to an array with exactly those pages' entries, in order. An extent with a single page keeps its entry in
// place of bitmap and reference, so that a page alone in its object costs one extent (40 bytes) and a hash bucket (4).
// In a full extent a page costs 12 bytes and less than one for its share of the extent.
//
//     buckets ──► extent ──► extent (chained)        extent: object, pool, number, bitmap, array, three links
//                   │  └─ ring through all extents of the object
//                   └─ array in a cell_arena: entries[n], hooks[n]
//
// The extents of an object form a ring. One of them, the primary, is hashed under (pool, object), the others under (pool,
// object, number): an object is found without knowing any of its pages, and neither an object record nor a second hash
// entry is needed. A look-up tries the extent's own place first and the primary's second; in a large object nearly
// all succeed at once.
//
// The hash table grows and shrinks by one bucket at a time (linear hashing; Litwin, VLDB 1980): no operation pays for a
// rehash, and no large contiguous memory is asked for.
//
// Cost. A look-up touches a bucket, an extent and an entry. Buckets and extents are 44 bytes for 64 pages and stay in the
// cache of a store of many gigabytes; the entry is the one cold line. An insert or an erase moves at most 64 entries and now
// and then changes the array's cell.
//
// Not this: a hash slot for each page (the 128-bit key alone is 16 bytes), a radix tree for each object (a page alone in
// its object or in its range pays for whole nodes), a B-tree (several cold lines a look-up).

namespace pagefold {

/// `Hook` and `HookBits` are the eviction policy's; a hook wider than the entry's spare bits gets an array of its own.
template <class Hook, unsigned HookBits, class Source>
class extent_index {
public:
    static constexpr bool wide_hook = HookBits > packed_hook_bits;
    static constexpr std::size_t entry_bytes = 12 + (wide_hook ? sizeof(Hook) : 0);
    static constexpr std::uint32_t none = 0xffffffffu;
    static constexpr unsigned max_pool_slots = 4096;

    extent_index(Source& source, node_id node) noexcept
        : extents_{source, node}, arrays_{source, node}, buckets_{source, node} {}

    /// Where the page's entry is, or no_slot.
    [[nodiscard]] slot_id find(std::uint32_t pool, std::uint64_t object, std::uint64_t index) const noexcept {
        const std::uint32_t id = find_extent(pool, object, index / extent_pages);
        const unsigned at = static_cast<unsigned>(index % extent_pages);
        return id != none && has_page(extents_[id], at) ? slot(id, at) : no_slot;
    }

    /// Adds an entry for a page that has none; the hook starts as zero. Fails with what the source answered, or `limit`
    /// where the numbers end; nothing has changed then.
    result<slot_id> insert(std::uint32_t pool, std::uint64_t object, std::uint64_t index, entry e) noexcept {
        const unsigned at = static_cast<unsigned>(index % extent_pages);
        std::uint32_t id = find_extent(pool, object, index / extent_pages);
        if (id == none) {
            const result<std::uint32_t> added = add_extent(pool, object, index / extent_pages, at, e);
            if (!added) {
                return added.error();
            }
            id = *added;
        } else if (const status s = add_page(extents_[id], at, e); s != status::ok) {
            return s;
        }
        ++page_count_;
        return slot(id, at);
    }

    /// `s` must be live.
    void erase(slot_id s) noexcept {
        extent& x = extents_[s / extent_pages];
        PAGEFOLD_ASSERT(has_page(x, s % extent_pages));
        --page_count_;
        if (x.is_single() || is_power_of_two(x.bitmap)) {
            remove_extent(s / extent_pages);
        } else {
            remove_page(x, s % extent_pages);
        }
    }

    [[nodiscard]] entry get(slot_id s) const noexcept {
        const place p = locate(s);
        return {load_native<std::uint64_t>(p.word), load_native<std::uint32_t>(p.meta)};
    }
    /// Asks for the entry's cache line without waiting for it; `s` is live or no_slot.
    void prefetch(slot_id s) const noexcept {
        if (s != no_slot) {
            __builtin_prefetch(locate(s).word, 1);
        }
    }
    /// Replaces the entry and keeps the hook, when the hook is wide; a narrow one is part of the entry.
    void set(slot_id s, entry e) noexcept {
        const place p = locate(s);
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
        if constexpr (wide_hook) {
            store_native(locate(s).hook, hook);
        } else {
            const place p = locate(s);
            entry e{0, load_native<std::uint32_t>(p.meta)};
            e.set_hook(static_cast<std::uint8_t>(hook));
            store_native(p.meta, e.meta());
        }
    }

    // Walks. An extent's number is stable while it has pages; extents come in no order but that of their numbers.

    /// The first live extent with a number ≥ `from`, or none.
    [[nodiscard]] std::uint32_t next_extent(std::uint32_t from) const noexcept {
        const std::uint32_t id = extents_.next_live(from);
        return id < extents_.bound() ? id : none;
    }
    [[nodiscard]] std::uint32_t find_extent(std::uint32_t pool, std::uint64_t object,
                                            std::uint64_t number) const noexcept {
        if (bucket_count_ == 0) {
            return none;
        }
        const std::uint64_t identity = extent::identity(pool, number);
        for (std::uint32_t id = buckets_[bucket_of(page_hash(pool, object, number))]; id != 0;) {
            const extent& x = extents_[id - 1];
            if (x.object == object && (x.tag & extent::identity_bits) == identity && !x.is_primary()) {
                return id - 1;
            }
            id = x.hash_next;
        }
        const std::uint32_t first = find_object(pool, object);
        return first != none && (extents_[first].tag & extent::identity_bits) == identity ? first : none;
    }
    /// Some extent of the object, or none.
    [[nodiscard]] std::uint32_t find_object(std::uint32_t pool, std::uint64_t object) const noexcept {
        if (bucket_count_ == 0) {
            return none;
        }
        for (std::uint32_t id = buckets_[bucket_of(object_hash(pool, object))]; id != 0;) {
            const extent& x = extents_[id - 1];
            if (x.object == object && x.pool() == pool && x.is_primary()) {
                return id - 1;
            }
            id = x.hash_next;
        }
        return none;
    }
    /// The next extent of the same object, in a ring.
    [[nodiscard]] std::uint32_t next_of_object(std::uint32_t id) const noexcept { return extents_[id].ring_next; }
    [[nodiscard]] std::uint32_t pool_of(std::uint32_t id) const noexcept { return extents_[id].pool(); }
    [[nodiscard]] std::uint64_t object_of(std::uint32_t id) const noexcept { return extents_[id].object; }
    /// Page numbers of the extent start at this times extent_pages.
    [[nodiscard]] std::uint64_t number_of(std::uint32_t id) const noexcept { return extents_[id].number(); }
    /// One bit for each page present.
    [[nodiscard]] std::uint64_t pages_of(std::uint32_t id) const noexcept { return extents_[id].present(); }

    /// The slot after `s` among the pool's, in the order of numbers, starting over at the end; `s` may be gone, and no_slot
    /// starts at the beginning. no_slot if the pool has no page.
    [[nodiscard]] slot_id next_in_pool(std::uint32_t pool, slot_id s) const noexcept {
        std::uint32_t id = 0;
        if (s != no_slot) {
            id = s / extent_pages;
            const unsigned at = s % extent_pages;
            if (extents_.contains(id) && extents_[id].pool() == pool && at + 1 < extent_pages) {
                if (const std::uint64_t rest = extents_[id].present() & ~low_bits(at + 1); rest != 0) {
                    return slot(id, static_cast<unsigned>(std::countr_zero(rest)));
                }
            }
            ++id;
        }
        for (unsigned round = 0; round < 2; ++round, id = 0) {
            for (id = next_extent(id); id != none; id = next_extent(id + 1)) {
                if (extents_[id].pool() == pool) {
                    return slot(id, static_cast<unsigned>(std::countr_zero(extents_[id].present())));
                }
            }
        }
        return no_slot;
    }

    /// Pages present.
    [[nodiscard]] std::size_t size() const noexcept { return page_count_; }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return extents_.bytes() + arrays_.bytes() + buckets_.bytes(); }

    /// Walks every structure; false when one contradicts another.
    [[nodiscard]] bool check() const noexcept {
        std::size_t pages = 0, arrays = 0, chained = 0, ringed = 0;
        for (std::uint32_t id = next_extent(0); id != none; id = next_extent(id + 1)) {
            const extent& x = extents_[id];
            pages += count_ones(x.present());
            if (!x.is_single()) {
                ++arrays;
                if (count_ones(x.bitmap) > capacity(arrays_.size_class(x.array()))) {
                    return false;
                }
            }
            const std::uint32_t first = find_object(x.pool(), x.object);
            if (find_extent(x.pool(), x.object, x.number()) != id || first == none || (x.is_primary() && first != id)) {
                return false;
            }
            const extent& next = extents_[x.ring_next];
            if (next.ring_previous != id || next.object != x.object || next.pool() != x.pool()) {
                return false;
            }
            if (x.is_primary()) { // its ring holds all extents of the object
                std::uint32_t at = id;
                do {
                    at = extents_[at].ring_next;
                } while (++ringed <= extents_.size() && at != id);
            }
        }
        for (std::uint32_t b = 0; b < bucket_count_; ++b) {
            for (std::uint32_t id = buckets_[b]; id != 0; id = extents_[id - 1].hash_next) {
                if (!extents_.contains(id - 1) || bucket_of(hash_of(extents_[id - 1])) != b ||
                    ++chained > extents_.size()) {
                    return false;
                }
            }
        }
        return pages == page_count_ && arrays == arrays_.cell_count() && chained == extents_.size() &&
               ringed == extents_.size() && extents_.check() && arrays_.check();
    }

private:
    struct extent {
        std::uint64_t object;
        std::uint64_t tag;       // number 0..43, index of a single page 44..49, single 50, primary 51, pool 52..63
        std::uint64_t bitmap;    // a single page: its entry's word
        std::uint32_t cell;      // a single page: its entry's meta
        std::uint32_t hash_next; // number plus one; 0 ends the chain
        std::uint32_t ring_next, ring_previous;

        static constexpr std::uint64_t single_bit = std::uint64_t{1} << 50;
        static constexpr std::uint64_t primary_bit = std::uint64_t{1} << 51;
        static constexpr std::uint64_t number_bits = low_bits(44);
        static constexpr std::uint64_t identity_bits = number_bits | low_bits(12) << 52;

        [[nodiscard]] static constexpr std::uint64_t identity(std::uint32_t pool, std::uint64_t number) noexcept {
            return number | std::uint64_t{pool} << 52;
        }
        [[nodiscard]] bool is_single() const noexcept { return (tag & single_bit) != 0; }
        [[nodiscard]] bool is_primary() const noexcept { return (tag & primary_bit) != 0; }
        [[nodiscard]] unsigned single_index() const noexcept { return static_cast<unsigned>(tag >> 44 & 63); }
        [[nodiscard]] std::uint64_t number() const noexcept { return tag & number_bits; }
        [[nodiscard]] std::uint32_t pool() const noexcept { return static_cast<std::uint32_t>(tag >> 52); }
        [[nodiscard]] cell_ref array() const noexcept { return static_cast<cell_ref>(cell); }
        [[nodiscard]] std::uint64_t present() const noexcept {
            return is_single() ? std::uint64_t{1} << single_index() : bitmap;
        }
        void make_single(unsigned at, entry e) noexcept {
            tag = (tag & ~(std::uint64_t{63} << 44)) | std::uint64_t{at} << 44 | single_bit;
            bitmap = e.word();
            cell = e.meta();
        }
        void make_array(std::uint64_t pages, cell_ref array) noexcept {
            tag &= ~single_bit;
            bitmap = pages;
            cell = static_cast<std::uint32_t>(array);
        }
        [[nodiscard]] bool live() const noexcept { return is_single() || bitmap != 0; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return ring_next; }
    };
    static_assert(sizeof(extent) == 40);
    static_assert((max_page_index - 1) / extent_pages <= extent::number_bits);

    // A single page needs no array unless its hook is wide.
    static constexpr std::uint8_t capacities[] = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64};
    static constexpr unsigned smallest = wide_hook ? 0 : 1;
    struct array_sizes {
        static constexpr unsigned class_count = sizeof capacities - smallest;
        [[nodiscard]] static constexpr std::size_t cell_bytes(unsigned c) noexcept {
            return capacities[c + smallest] * entry_bytes;
        }
    };
    [[nodiscard]] static constexpr unsigned capacity(unsigned size_class) noexcept {
        return capacities[size_class + smallest];
    }
    [[nodiscard]] static constexpr unsigned class_for(unsigned count) noexcept {
        unsigned c = 0;
        while (capacity(c) < count) {
            ++c;
        }
        return c;
    }

    /// An array of entries, word and meta side by side so that they mostly share a cache line; then the hooks if they are
    /// wide.
    struct array_view {
        std::byte* data;
        unsigned capacity;

        [[nodiscard]] std::byte* word(unsigned rank) const noexcept { return data + rank * 12u; }
        [[nodiscard]] std::byte* meta(unsigned rank) const noexcept { return data + rank * 12u + 8; }
        [[nodiscard]] std::byte* hook(unsigned rank) const noexcept {
            return data + capacity * 12u + rank * sizeof(Hook);
        }
        /// Moves `count` elements; the arrays may be the same.
        static void move(const array_view& to, unsigned to_rank, const array_view& from, unsigned from_rank,
                         unsigned count) noexcept {
            move_bytes(to.word(to_rank), from.word(from_rank), count * 12u);
            if constexpr (wide_hook) {
                move_bytes(to.hook(to_rank), from.hook(from_rank), count * sizeof(Hook));
            }
        }
        void put(unsigned rank, entry e) const noexcept {
            store_native(word(rank), e.word());
            store_native(meta(rank), e.meta());
            if constexpr (wide_hook) {
                fill_bytes(hook(rank), 0, sizeof(Hook));
            }
        }
    };
    struct place {
        std::byte *word, *meta, *hook;
    };

    [[nodiscard]] static constexpr slot_id slot(std::uint32_t id, unsigned at) noexcept {
        return id * extent_pages + at;
    }
    [[nodiscard]] static bool has_page(const extent& x, unsigned at) noexcept { return (x.present() >> at & 1) != 0; }
    [[nodiscard]] static unsigned rank_of(std::uint64_t bitmap, unsigned at) noexcept {
        return count_ones(bitmap & low_bits(at));
    }
    [[nodiscard]] array_view view(cell_ref array) const noexcept {
        return {arrays_.data(array), capacity(arrays_.size_class(array))};
    }
    [[nodiscard]] place locate(slot_id s) const noexcept {
        extent& x = extents_[s / extent_pages];
        PAGEFOLD_ASSERT(has_page(x, s % extent_pages));
        if (x.is_single()) {
            return {reinterpret_cast<std::byte*>(&x.bitmap), reinterpret_cast<std::byte*>(&x.cell), nullptr};
        }
        const array_view array = view(x.array());
        const unsigned rank = rank_of(x.bitmap, s % extent_pages);
        return {array.word(rank), array.meta(rank), wide_hook ? array.hook(rank) : nullptr};
    }

    // Hashing.

    [[nodiscard]] static std::uint64_t object_hash(std::uint32_t pool, std::uint64_t object) noexcept {
        return mix(object, std::uint64_t{pool} << 52);
    }
    [[nodiscard]] static std::uint64_t page_hash(std::uint32_t pool, std::uint64_t object,
                                                 std::uint64_t number) noexcept {
        return mix(object, extent::identity(pool, number) + 1);
    }
    [[nodiscard]] static std::uint64_t hash_of(const extent& x) noexcept {
        return x.is_primary() ? object_hash(x.pool(), x.object) : page_hash(x.pool(), x.object, x.number());
    }
    [[nodiscard]] std::uint32_t bucket_of(std::uint64_t hash) const noexcept {
        const std::uint32_t h = static_cast<std::uint32_t>(hash);
        const std::uint32_t mask = std::bit_ceil(bucket_count_) - 1;
        return (h & mask) < bucket_count_ ? h & mask : h & (mask >> 1);
    }
    void hash_insert(std::uint32_t id) noexcept {
        std::uint32_t& head = buckets_[bucket_of(hash_of(extents_[id]))];
        extents_[id].hash_next = head;
        head = id + 1;
    }
    void hash_remove(std::uint32_t id) noexcept {
        std::uint32_t* link = &buckets_[bucket_of(hash_of(extents_[id]))];
        while (*link != id + 1) {
            link = &extents_[*link - 1].hash_next;
        }
        *link = extents_[id].hash_next;
    }
    /// One bucket more when there are more extents than buckets. A refusal of the source only makes chains longer.
    void grow_buckets() noexcept {
        if (extents_.size() <= bucket_count_ || buckets_.reserve(bucket_count_) != status::ok) {
            return;
        }
        const std::uint32_t added = bucket_count_++;
        buckets_[added] = 0;
        if (added == 0) {
            return;
        }
        std::uint32_t* link = &buckets_[added - std::bit_floor(added)];
        while (*link != 0) {
            const std::uint32_t id = *link;
            extent& x = extents_[id - 1];
            if (bucket_of(hash_of(x)) == added) {
                *link = x.hash_next;
                x.hash_next = buckets_[added];
                buckets_[added] = id;
            } else {
                link = &x.hash_next;
            }
        }
    }
    void shrink_buckets() noexcept {
        if (bucket_count_ < 64 || extents_.size() >= bucket_count_ / 2) {
            return;
        }
        const std::uint32_t last = --bucket_count_;
        std::uint32_t* link = &buckets_[last - std::bit_floor(last)];
        while (*link != 0) {
            link = &extents_[*link - 1].hash_next;
        }
        *link = buckets_[last];
    }

    // Extents.

    result<std::uint32_t> add_extent(std::uint32_t pool, std::uint64_t object, std::uint64_t number, unsigned at,
                                     entry e) noexcept {
        if (bucket_count_ == 0) {
            if (const status s = buckets_.reserve(0); s != status::ok) {
                return s;
            }
            buckets_[0] = 0;
            bucket_count_ = 1;
        }
        cell_ref array{};
        if constexpr (wide_hook) {
            const result<cell_ref> cell = arrays_.allocate(0);
            if (!cell) {
                return cell.error();
            }
            array = *cell;
        }
        const result<std::uint32_t> added = extents_.insert();
        if (!added || *added >= no_slot / extent_pages) {
            if constexpr (wide_hook) {
                arrays_.deallocate(array);
            }
            if (added) {
                extents_.erase(*added);
            }
            return added ? result<std::uint32_t>{status::limit} : added;
        }
        const std::uint32_t id = *added;
        extent& x = extents_[id];
        x.object = object;
        x.tag = extent::identity(pool, number);
        if constexpr (wide_hook) {
            x.make_array(std::uint64_t{1} << at, array);
            view(array).put(0, e);
        } else {
            x.make_single(at, e);
        }
        const std::uint32_t first = find_object(pool, object);
        if (first == none) {
            x.tag |= extent::primary_bit;
            x.ring_next = x.ring_previous = id;
        } else {
            x.ring_previous = first;
            x.ring_next = extents_[first].ring_next;
            extents_[x.ring_next].ring_previous = id;
            extents_[first].ring_next = id;
        }
        hash_insert(id);
        grow_buckets();
        return id;
    }
    void remove_extent(std::uint32_t id) noexcept {
        extent& x = extents_[id];
        hash_remove(id);
        if (x.ring_next != id) {
            if (x.is_primary()) {
                hash_remove(x.ring_next);
                extents_[x.ring_next].tag |= extent::primary_bit;
                hash_insert(x.ring_next);
            }
            extents_[x.ring_next].ring_previous = x.ring_previous;
            extents_[x.ring_previous].ring_next = x.ring_next;
        }
        if (!x.is_single()) {
            arrays_.deallocate(x.array());
        }
        extents_.erase(id);
        shrink_buckets();
    }

    // Pages of an extent.

    status add_page(extent& x, unsigned at, entry e) noexcept {
        const std::uint64_t before = x.present();
        const unsigned count = count_ones(before);
        const unsigned rank = rank_of(before, at);
        if (!x.is_single() && count < capacity(arrays_.size_class(x.array()))) {
            const array_view array = view(x.array());
            array_view::move(array, rank + 1, array, rank, count - rank);
            array.put(rank, e);
            x.bitmap |= std::uint64_t{1} << at;
            return status::ok;
        }
        const result<cell_ref> cell = arrays_.allocate(class_for(count + 1));
        if (!cell) {
            return cell.error();
        }
        const array_view to = view(*cell);
        if (x.is_single()) {
            to.put(rank == 0 ? 1 : 0, entry{x.bitmap, x.cell});
        } else {
            const array_view from = view(x.array());
            array_view::move(to, 0, from, 0, rank);
            array_view::move(to, rank + 1, from, rank, count - rank);
            arrays_.deallocate(x.array());
        }
        to.put(rank, e);
        x.make_array(before | std::uint64_t{1} << at, *cell);
        return status::ok;
    }
    void remove_page(extent& x, unsigned at) noexcept {
        const unsigned count = count_ones(x.bitmap) - 1;
        const unsigned rank = rank_of(x.bitmap, at);
        const array_view array = view(x.array());
        array_view::move(array, rank, array, rank + 1, count - rank);
        x.bitmap &= ~(std::uint64_t{1} << at);
        if (!wide_hook && count == 1) {
            const entry last{load_native<std::uint64_t>(array.word(0)), load_native<std::uint32_t>(array.meta(0))};
            const unsigned last_at = static_cast<unsigned>(std::countr_zero(x.bitmap));
            arrays_.deallocate(x.array());
            x.make_single(last_at, last);
            return;
        }
        // One page of slack, so that an extent at the edge of two sizes doesn't change its cell every time.
        const unsigned size_class = arrays_.size_class(x.array());
        if (size_class > 0 && count < capacity(size_class - 1)) {
            if (const result<cell_ref> cell = arrays_.allocate(class_for(count)); cell) {
                array_view::move(view(*cell), 0, array, 0, count);
                arrays_.deallocate(x.array());
                x.make_array(x.bitmap, *cell);
            }
        }
    }

    slot_pool<extent, Source> extents_;
    cell_arena<array_sizes, Source> arrays_;
    page_directory<std::uint32_t, Source> buckets_; // head of the chain: extent number plus one
    std::uint32_t bucket_count_ = 0;
    std::size_t page_count_ = 0;
};

} // namespace pagefold
