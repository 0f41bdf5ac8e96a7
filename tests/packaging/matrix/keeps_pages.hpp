// SPDX-License-Identifier: MIT
#pragma once

// What the matrix asks of every store, in each of its units: pages of many kinds go in, come back, and go.

#include <pagefold/pagefold.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace matrix {

/// A page that `number` tells, of a kind that it tells, too: one value, few values, text, or noise.
template <std::size_t Size>
void fill(std::array<std::byte, Size>& page, std::uint64_t number) {
    std::uint64_t state = number;
    for (std::size_t i = 0; i < Size; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const std::uint64_t noise = state >> 56;
        switch (number % 4) {
        case 0: page[i] = static_cast<std::byte>(number); break;
        case 1: page[i] = static_cast<std::byte>(i % 64 == 0 ? noise : 0); break;
        case 2: page[i] = static_cast<std::byte>(97 + noise % 8); break;
        default: page[i] = static_cast<std::byte>(noise); break;
        }
    }
}

/// Whether a store over `source` does what a store does. Says on stdout what it does not.
template <class Store, class Source>
bool keeps_pages(const char* name, Source& source) {
    using pagefold::status;
    static std::array<std::byte, Store::page_size> page;
    static std::array<std::byte, Store::page_size> back;
    bool holds = true;
    const auto expect = [&](bool fact, int line) {
        if (!fact) {
            std::printf("%s: line %d is wrong\n", name, line);
            holds = false;
        }
    };

    Store store{source, {.limit_bytes = std::size_t{2} << 20, .partitions = 2, .seed = 1}};
    const auto kept = store.create_pool({.kind = pagefold::pool_kind::persistent});
    const auto dropped = store.create_pool({.kind = pagefold::pool_kind::ephemeral});
    if (!kept || !dropped) {
        expect(false, __LINE__);
        return false;
    }
    constexpr std::uint64_t pages = 48;
    for (std::uint64_t i = 0; i < pages; ++i) {
        fill(page, i);
        expect(store.put({*kept, 1, i}, page) == status::ok, __LINE__);
    }
    for (std::uint64_t i = 0; i < 8 * pages; ++i) { // more than there is room for
        fill(page, 4 * i + 3);
        const status s = store.put({*dropped, 2, i}, page);
        expect(s == status::ok || s == status::limit || s == status::no_memory, __LINE__);
    }
    for (std::uint64_t i = 0; i < pages; ++i) {
        fill(page, i);
        expect(store.get({*kept, 1, i}, back) == status::ok && back == page, __LINE__);
    }
    expect(store.check(), __LINE__);
    expect(store.stats().total_bytes <= std::size_t{2} << 20, __LINE__);
    expect(store.statistics_of(*kept).has_value(), __LINE__);
    expect(store.take({*kept, 1, 0}, back) == status::ok, __LINE__);
    expect(store.get({*kept, 1, 0}, back) == status::not_found, __LINE__);
    expect(store.erase({*kept, 1, 1}) == status::ok, __LINE__);
    const auto erased = store.erase_object(*kept, 1);
    expect(erased.has_value() && *erased == pages - 2, __LINE__);
    static_cast<void>(store.compact(std::size_t{1} << 20));
    static_cast<void>(store.maintain(std::size_t{1} << 20));
    static_cast<void>(store.shrink(std::size_t{1} << 20));
    expect(store.resize(std::size_t{1} << 20) != status::invalid, __LINE__);
    store.look_at_allocators([&](const auto& allocator) { expect(allocator.check(), __LINE__); });
    expect(store.quiesce() == status::ok, __LINE__);
    store.resume();
    expect(store.destroy_pool(*dropped) == status::ok, __LINE__);
    expect(store.check(), __LINE__);
    return holds;
}

/// What the units do, each with its own share of the allocators, policies, codecs, locks and sources.
bool one_unit();
bool other_unit();

} // namespace matrix
