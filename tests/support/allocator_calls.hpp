// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>

#include <support/dies.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing {

[[nodiscard]] object_handle must_allocate(object_allocator auto& a, std::size_t n) {
    const result<object_handle> h = a.allocate(n);
    REQUIRE(h.has_value());
    return *h;
}

/// A handle that nobody gave, some way from one that somebody did.
[[nodiscard]] constexpr object_handle plus(object_handle h, std::uint64_t by) noexcept {
    return object_handle{static_cast<std::uint64_t>(h) + by};
}

/// Every call with a handle that is not live ends a checked build, but the one that asks whether it is.
template <class Allocator>
void check_dies_of(Allocator& a, object_handle dead) {
    CAPTURE(static_cast<std::uint64_t>(dead));
    CHECK_FALSE(a.contains(dead));
    CHECK(dies([&] { static_cast<void>(a.place(dead)); }));
    CHECK(dies([&] { a.deallocate(dead); }));
    CHECK(dies([&] { static_cast<void>(a.capacity(dead)); }));
    CHECK(dies([&] { static_cast<void>(a.read(dead, 1, {})); }));
    CHECK(dies([&] { static_cast<void>(a.fullness(dead)); }));
    CHECK(dies([&] { static_cast<void>(a.misplaced(dead)); }));
    CHECK(dies([&] { static_cast<void>(a.relocate(dead)); }));
}

/// The handles that one run of allocations and frees brings.
template <class Allocator>
[[nodiscard]] std::vector<object_handle> handles_of_a_run(std::uint64_t seed) {
    test_source source;
    Allocator a{source, any_node};
    rng random{seed};
    std::vector<object_handle> live, handles;
    for (unsigned i = 0; i < 3000; ++i) {
        if (live.size() > 100 && random.one_in(2)) {
            const std::size_t at = random.below(live.size());
            a.deallocate(live[at]);
            live[at] = live.back();
            live.pop_back();
        } else {
            live.push_back(must_allocate(a, 1 + random.below(Allocator::max_size)));
            handles.push_back(live.back());
        }
    }
    return handles;
}

} // namespace pagefold::testing
