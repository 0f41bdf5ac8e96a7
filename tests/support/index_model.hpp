// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/entry.hpp>
#include <pagefold/store/index/extent_index.hpp>
#include <pagefold/store/located_key.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <type_traits>
#include <vector>

namespace pagefold::testing {

/// A hook of eight bytes, as a policy has that keeps links in it.
struct wide_hook {
    std::uint32_t before, after;
    friend bool operator==(const wide_hook&, const wide_hook&) = default;
};

/// An extent_index and, beside it, a map with the same pages; each step does the same to both. Pools are numbered from 0
/// and have slots far apart.
template <class Entry, class Hook, unsigned HookBits>
class index_model {
public:
    using index_type = extent_index<Entry, Hook, HookBits, test_source>;
    using meta_type = typename Entry::meta_type;
    static constexpr unsigned pools = 3;
    static constexpr std::uint32_t slots[pools] = {0, 1000, max_pool_slots - 1};
    static constexpr std::uint32_t none = index_type::none;

    struct key {
        unsigned pool;
        std::uint64_t object, index;
        friend auto operator<=>(const key&, const key&) = default;
    };
    struct page {
        Entry e;
        Hook hook;
    };

    explicit index_model(std::uint64_t seed = 1) : hasher{seed}, index{source, any_node, hasher} {}

    [[nodiscard]] located_key locate(const key& k) const {
        return hasher.locate(
            {static_cast<pool_id>(1u << (pool_ids::slot_bits + 1) | slots[k.pool]), k.object, k.index});
    }
    [[nodiscard]] slot_id find(const key& k) const { return index.find(locate(k)); }
    [[nodiscard]] bool has(const key& k) const { return pages.find(k) != pages.end(); }
    [[nodiscard]] static Entry random_entry(rng& random) {
        Entry e{random(), static_cast<meta_type>(random())};
        e.set_hook(0);
        return e;
    }
    [[nodiscard]] static Hook random_hook(rng& random) {
        if constexpr (std::is_same_v<Hook, wide_hook>) {
            return {static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())};
        } else {
            return static_cast<Hook>(random.below(1u << HookBits));
        }
    }

    status insert(const key& k, Entry e) {
        const result<slot_id> slot = index.insert(rings[k.pool], locate(k), e);
        if (!slot) {
            return slot.error();
        }
        REQUIRE(find(k) == *slot);
        REQUIRE(index.hook(*slot) == Hook{});
        pages[k] = {e, Hook{}};
        return status::ok;
    }
    void erase(key k, bool goes_on = false) { // a copy: the map's own key goes
        index.erase(rings[k.pool], find(k), goes_on);
        pages.erase(k);
        REQUIRE(find(k) == no_slot);
    }
    void set(const key& k, Entry e) {
        index.set(find(k), e);
        page& p = pages[k];
        p.e = e;
        p.hook = HookBits <= packed_hook_bits ? Hook{} : p.hook;
    }
    void set_hook(const key& k, Hook hook) {
        index.set_hook(find(k), hook);
        pages[k].hook = hook;
    }
    void erase_all() {
        while (!pages.empty()) {
            erase(pages.begin()->first);
        }
    }

    /// Whether the structures agree with each other, and the counts with the map.
    [[nodiscard]] bool check() const {
        std::size_t bytes = 0;
        for (unsigned pool = 0; pool < pools; ++pool) {
            if (!index.check_ring(rings[pool], slots[pool])) {
                return false;
            }
            bytes += rings[pool].bytes;
        }
        return index.check() && bytes == index.used_bytes() && index.size() == pages.size() &&
               index.bytes() == source.bytes_held() && index.damage() == 0;
    }
    /// Whether each page of the map is in the index as it is in the map.
    [[nodiscard]] bool has_all() const {
        return std::all_of(pages.begin(), pages.end(), [&](const auto& one) {
            const slot_id slot = find(one.first);
            if (slot == no_slot || !index.contains(slot) || !(index.hook(slot) == one.second.hook)) {
                return false;
            }
            Entry e = index.get(slot);
            e.set_hook(0);
            return e.word() == one.second.e.word() && e.meta() == one.second.e.meta();
        });
    }
    /// Whether the extents of each object follow each other in its pool's ring, from its first one on.
    [[nodiscard]] bool objects_lie_together() const {
        std::map<std::tuple<unsigned, std::uint64_t>, std::vector<std::uint64_t>> expected;
        for (const auto& one : pages) {
            auto& numbers = expected[{one.first.pool, one.first.object}];
            if (numbers.empty() || numbers.back() != one.first.index / extent_pages) {
                numbers.push_back(one.first.index / extent_pages);
            }
        }
        for (auto& [name, numbers] : expected) {
            const auto& [pool, object] = name;
            std::vector<std::uint64_t> met;
            for (std::uint32_t id = index.find_object(slots[pool], object); id != none && met.size() <= numbers.size();
                 id = index.next_of_object(id)) {
                if (index.object_of(id) != object || index.pool_of(id) != slots[pool]) {
                    return false;
                }
                met.push_back(index.number_of(id));
            }
            std::sort(met.begin(), met.end());
            if (met != numbers) {
                return false;
            }
        }
        return true;
    }

    test_source source;
    key_hasher hasher;
    index_type index;
    pool_ring rings[pools];
    std::map<key, page> pages;
};

using narrow_index = index_model<basic_entry<28>, std::uint8_t, 3>;
using wide_index = index_model<basic_entry<28>, wide_hook, 64>;
using long_narrow_index = index_model<basic_entry<60>, std::uint8_t, 1>;
using long_wide_index = index_model<basic_entry<60>, wide_hook, 64>;

} // namespace pagefold::testing
