// SPDX-License-Identifier: MIT
#pragma once

#include <support/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

// Traces of page requests, made with integers only, so that they are the same with every compiler.

namespace pagefold::testing {

using cache_trace = std::vector<std::uint32_t>; // page numbers

/// 2^24 / r^0.8: the greatest w with w^5 · r^4 ≤ 2^120.
[[nodiscard]] inline std::uint64_t zipf_08_weight(std::uint64_t r) {
    __extension__ using wide = unsigned __int128;
    const wide most = (wide{1} << 120) / (wide{r} * r * r * r);
    std::uint64_t low = 0, high = std::uint64_t{1} << 24;
    while (low < high) {
        const std::uint64_t w = (low + high + 1) / 2;
        (wide{w} * w * w * w * w <= most ? low : high) = wide{w} * w * w * w * w <= most ? w : w - 1;
    }
    return low;
}

/// Popularity by rank: page r has the (r + 1)-th greatest.
class page_popularity {
public:
    /// `weight(r)` for r from 1 to `pages`.
    template <class Weight>
    page_popularity(std::size_t pages, Weight weight) {
        std::uint64_t sum = 0;
        for (std::uint64_t r = 1; r <= pages; ++r) {
            up_to_.push_back(sum += weight(r));
        }
    }
    [[nodiscard]] std::uint32_t draw(rng& random) const {
        const auto found = std::upper_bound(up_to_.begin(), up_to_.end(), random.below(up_to_.back()));
        return static_cast<std::uint32_t>(found - up_to_.begin());
    }

private:
    std::vector<std::uint64_t> up_to_;
};
[[nodiscard]] inline page_popularity zipf_10(std::size_t pages) {
    return {pages, [](std::uint64_t r) { return (std::uint64_t{1} << 32) / r; }};
}
[[nodiscard]] inline page_popularity zipf_08(std::size_t pages) { return {pages, zipf_08_weight}; }

[[nodiscard]] inline cache_trace popular_pages(const page_popularity& popularity, std::size_t length) {
    rng random{2023};
    cache_trace pages(length);
    for (std::uint32_t& page : pages) {
        page = popularity.draw(random);
    }
    return pages;
}
/// Round and round.
[[nodiscard]] inline cache_trace looped_pages(std::uint32_t pages, std::size_t length) {
    cache_trace made(length);
    for (std::size_t i = 0; i < length; ++i) {
        made[i] = static_cast<std::uint32_t>(i % pages);
    }
    return made;
}
/// Popular pages, and after every `between` of them a scan over `scanned` of ten times as many others.
[[nodiscard]] inline cache_trace scanned_pages(const page_popularity& popularity, std::uint32_t pages,
                                               std::size_t between, std::uint32_t scanned, std::size_t length) {
    rng random{7};
    cache_trace made;
    while (made.size() < length) {
        for (std::size_t i = 0; i < between; ++i) {
            made.push_back(popularity.draw(random));
        }
        const auto first = pages + static_cast<std::uint32_t>(random.below(10)) * scanned;
        for (std::uint32_t i = 0; i < scanned; ++i) {
            made.push_back(first + i);
        }
    }
    return made;
}
/// Of ten requests six go to popular pages, whose popularity shifts now and then, two go round a loop, and two are for pages
/// that never come again.
[[nodiscard]] inline cache_trace mixed_pages(const page_popularity& popularity, std::uint32_t pages, std::uint32_t loop,
                                             std::size_t length) {
    rng random{11};
    cache_trace made;
    std::uint32_t looped = 0, once = 0, shift = 0;
    while (made.size() < length) {
        shift = made.size() % (length / 8) == 0 ? static_cast<std::uint32_t>(random.below(pages)) : shift;
        const std::uint64_t kind = random.below(10);
        made.push_back(kind < 6   ? (popularity.draw(random) + shift) % pages
                       : kind < 8 ? pages + looped++ % loop
                                  : pages + loop + once++);
    }
    return made;
}
/// What a cache of so many pages with lru before ours lets through.
[[nodiscard]] inline cache_trace filtered_pages(const cache_trace& pages, std::size_t cache_size) {
    std::list<std::uint32_t> by_use;
    std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> held;
    cache_trace passed;
    for (const std::uint32_t page : pages) {
        if (const auto found = held.find(page); found != held.end()) {
            by_use.splice(by_use.begin(), by_use, found->second);
            continue;
        }
        passed.push_back(page);
        if (held.size() == cache_size) {
            held.erase(by_use.back());
            by_use.pop_back();
        }
        by_use.push_front(page);
        held[page] = by_use.begin();
    }
    return passed;
}

} // namespace pagefold::testing
