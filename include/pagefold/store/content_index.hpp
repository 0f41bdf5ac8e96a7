// SPDX-License-Identifier: MIT
#pragma once

// Which pages a sealed pool has, by what is in them: how a clone's page is found to equal one of another key (clone.hpp).
//
// What: a number for each distinct page, its ordinal, which says its key; and the ordinals by the hash of the content. A page is in
// one of two buckets of 8 places, the emptier one, so a look-up is a look at two cache lines, whatever anybody has put
// where. A place is 64 bits: 32 of the hash, and the ordinal plus 1 in the others. An ordinal is the number of an extent that
// is listed here, by object and number, times 64, plus the page in it.
//
// Invariant: what is found is a guess. Who asked reads that page and compares it, and the check of what is kept is bound to
// its key: a wrong number here, by chance or by damage, costs a decompression or is `corrupt`, and never gives another page.
// Places are compared by their 32 bits alone, and a page whose bits are there already is left out, as it is that page nearly
// always. So a look-up leads to one page at most, and one who makes pages that collide with a template's pays one
// decompression for each put, which is their own. The hash is keyed by the store's secret, besides.
//
// It is made once, by one thread, beside everybody who reads the pool, and nobody looks until it is ready; from then on it does
// not change, until its pool goes. How nobody looks at one that is gone: in a hold of the lock of a partition in which the child is
// open, as a parent outlives its children (basic_store::pack_clone).
//
// Cost: 64 bytes for 7.2 pages, 16 for each extent, and some pages of its own: about 9 bytes for a page of a dense pool; a
// same-filled page takes none. The tables are made of single pages. Nine of ten places are used at most; a page that
// finds both its buckets full is left out, which costs a clone that reference.
//
// Why not a table with open addressing: at that load its longest probe has dozens of steps, and here it has two.

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/stable_array.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/store/limited_source.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

/// A page of the pool that the index is of.
struct content_place {
    std::uint32_t ordinal = 0;
    std::uint64_t object = 0;
    std::uint64_t index = 0;
};

namespace detail {

struct content_bucket {
    std::uint64_t of[8] = {};
};
struct content_extent {
    std::uint64_t object = 0;
    std::uint64_t number = 0;
};

} // namespace detail

/// Filled by one thread, then read by many.
class content_index {
    using bucket = detail::content_bucket;
    using extent = detail::content_extent;
    static_assert(sizeof(bucket) == 64 && sizeof(extent) == 16);

public:
    static constexpr unsigned bucket_places = 8;
    static constexpr std::uint32_t max_extents = 0xffffffffu / extent_pages; // ordinals plus 1 are of 32 bits

    /// One for up to so many distinct pages; in memory of the source, and nothing but that is taken yet. limit, no_memory.
    [[nodiscard]] static result<content_index*> make(page_source_ref source, byte_budget& budget, std::uint64_t pages,
                                                     std::size_t held_back) noexcept {
        limited_source first{source, budget};
        const limited_source::holding_back scope{first, held_back};
        const result<void*> memory = first.acquire(1, any_node);
        if (!memory) {
            return memory.error();
        }
        return ::new (*memory) content_index{source, budget, pages};
    }
    /// Gives all memory back.
    static void destroy(content_index* gone) noexcept {
        limited_source last{gone->host_, gone->budget_};
        gone->~content_index();
        last.release(gone, 1);
    }
    content_index(const content_index&) = delete;
    content_index& operator=(const content_index&) = delete;

    /// Takes the next page of the table; busy: there are more to take. Leaves `held_back` bytes of the limit free.
    status grow(std::size_t held_back) noexcept {
        const limited_source::holding_back scope{source_, held_back};
        if (buckets_.size() < bucket_count_) {
            if (const status s = buckets_.reserve(buckets_.size()); s != status::ok) {
                return s;
            }
        }
        return buckets_.size() < bucket_count_ ? status::busy : status::ok;
    }
    /// Adds a page, unless it is there or has no place. All of the table is there. limit, no_memory: the page isn't in it.
    status add(std::uint64_t hash, std::uint64_t object, std::uint64_t index, std::size_t held_back) noexcept {
        bucket* emptier = nullptr;
        unsigned used = bucket_places;
        const std::uint32_t numbers[2] = {first_bucket(hash), second_bucket(hash)};
        for (const std::uint32_t number : numbers) {
            bucket& one = buckets_[number];
            unsigned here = 0;
            for (; here < bucket_places && one.of[here] != 0; ++here) {
                if (tag_of(one.of[here]) == tag(hash)) {
                    return status::ok;
                }
            }
            if (here < used) {
                used = here;
                emptier = &one;
            }
        }
        if (emptier == nullptr) {
            return status::ok;
        }
        const extent at{object, index / extent_pages};
        if (extent_count_ == 0 || extents_[extent_count_ - 1].object != at.object ||
            extents_[extent_count_ - 1].number != at.number) {
            if (extent_count_ == max_extents) {
                return status::ok;
            }
            const limited_source::holding_back scope{source_, held_back};
            if (const status s = extents_.reserve(extent_count_); s != status::ok) {
                return s;
            }
            extents_[extent_count_++] = at;
        }
        const std::uint64_t ordinal = std::uint64_t{extent_count_ - 1} * extent_pages + index % extent_pages;
        emptier->of[used] = hash << 32 | (ordinal + 1);
        ++pages_;
        return status::ok;
    }
    /// Gives back some pages of the tables; true when all are. Nobody may look, and it takes no more pages.
    bool drain() noexcept {
        constexpr std::uint32_t step = 1024; // 16 pages of buckets
        const std::uint32_t buckets = buckets_.size(), extents = extents_.size();
        if (buckets != 0) {
            buckets_.trim(buckets > step ? buckets - step : 0);
        } else {
            extents_.trim(extents > step ? extents - step : 0);
        }
        return buckets_.size() == 0 && extents_.size() == 0;
    }
    /// All pages were added: from the answer on, others may look.
    void publish() noexcept { ready_.store(1, memory_order::release); } // the tables come first
    /// acquire: what was added before is seen.
    [[nodiscard]] bool is_ready() const noexcept { return ready_.load(memory_order::acquire) != 0; }

    /// The one page whose content may have that hash; false where there is none. Cost: two buckets and an extent.
    [[nodiscard]] bool find(std::uint64_t hash, content_place& found) const noexcept {
        const std::uint32_t numbers[2] = {first_bucket(hash), second_bucket(hash)};
        for (const std::uint32_t number : numbers) {
            const bucket& one = buckets_[number];
            for (unsigned i = 0; i < bucket_places && one.of[i] != 0; ++i) {
                if (tag_of(one.of[i]) == tag(hash)) {
                    return locate(static_cast<std::uint32_t>(one.of[i]) - 1, found);
                }
            }
        }
        return false;
    }
    /// The page with that ordinal; false where there is none.
    [[nodiscard]] bool locate(std::uint32_t ordinal, content_place& found) const noexcept {
        if (ordinal / extent_pages >= extent_count_) {
            return false;
        }
        const extent& at = extents_[ordinal / extent_pages];
        found = {ordinal, at.object, at.number * extent_pages + ordinal % extent_pages};
        return true;
    }

    /// Distinct pages that are in it.
    [[nodiscard]] std::uint64_t size() const noexcept { return pages_; }
    /// Bytes taken from the source. Of who fills it, or when it is ready.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return source_.page_size() + buckets_.bytes() + extents_.bytes();
    }

private:
    content_index(page_source_ref source, byte_budget& budget, std::uint64_t pages) noexcept
        : host_{source}, budget_{budget}, source_{source, budget}, buckets_{source_, any_node},
          extents_{source_, any_node}, bucket_count_{buckets_for(pages)} {}
    ~content_index() = default;

    [[nodiscard]] static std::uint32_t buckets_for(std::uint64_t pages) noexcept {
        const std::uint64_t buckets = pages / 36 * 5 + pages % 36 * 5 / 36 + 1;
        return buckets < max_buckets ? static_cast<std::uint32_t>(buckets) : max_buckets;
    }
    [[nodiscard]] static std::uint32_t tag(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash); }
    [[nodiscard]] static std::uint32_t tag_of(std::uint64_t place) noexcept {
        return static_cast<std::uint32_t>(place >> 32);
    }
    // Both by the bits that the tag doesn't have, or not alone.
    [[nodiscard]] std::uint32_t first_bucket(std::uint64_t hash) const noexcept {
        return static_cast<std::uint32_t>((hash >> 32) * bucket_count_ >> 32);
    }
    [[nodiscard]] std::uint32_t second_bucket(std::uint64_t hash) const noexcept {
        return static_cast<std::uint32_t>((hash * 0x9e3779b97f4a7c15u >> 32) * bucket_count_ >> 32);
    }

    static constexpr std::uint32_t max_buckets = 1u << 30;

    page_source_ref host_;
    byte_budget& budget_;
    limited_source source_;
    stable_array<bucket, limited_source> buckets_;
    stable_array<extent, limited_source> extents_;
    std::uint32_t bucket_count_;
    std::uint32_t extent_count_ = 0;
    std::uint64_t pages_ = 0;
    atomic<std::uint32_t> ready_{0};
};

} // namespace pagefold
