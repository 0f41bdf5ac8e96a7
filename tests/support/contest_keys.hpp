// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <cstdint>

namespace pagefold::testing {

/// The keys that threads contend for: in each pool the same 256, in four objects of 64 pages. Local keys i, i + 4, i + 8 …
/// are neighbours in one object.
namespace contest_keys {

inline constexpr std::uint32_t a_pool = 256;
inline constexpr std::uint32_t objects = 4;
inline constexpr std::uint32_t an_object = a_pool / objects;

/// Across two extents, dense within one, one page an extent, and up to the last page there can be.
[[nodiscard]] inline page_key key_of(pool_id pool, std::uint32_t local) noexcept {
    const std::uint64_t i = local / objects;
    switch (local % objects) {
    case 0: return {pool, 0, i + extent_pages / 2};
    case 1: return {pool, 1, i};
    case 2: return {pool, 77, i * extent_pages + i % 2};
    default: return {pool, ~std::uint64_t{0}, max_page_index - an_object + i};
    }
}

struct page_range {
    std::uint64_t first, count;
};
/// The pages that hold `local` and the next keys of its object, `count` in all, and no others.
[[nodiscard]] inline page_range range_of(std::uint32_t local, std::uint32_t count) noexcept {
    const std::uint64_t first = key_of({}, local).index;
    return local % objects == 2 ? page_range{first / extent_pages * extent_pages, std::uint64_t{count} * extent_pages}
                                // whole extents
                                : page_range{first, count};
}

} // namespace contest_keys

} // namespace pagefold::testing
