// SPDX-License-Identifier: MIT
#include <pagefold/hosted/uffd_methods.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing::unit_hosted_uffd_methods {
namespace {

using methods = pagefold::detail::uffd_methods;

constexpr std::uint64_t everything = ~std::uint64_t{0};

TEST_CASE("uffd_methods: automatic takes the best way of each kernel") {
    struct expectation {
        uffd_backing backing;
        std::uint64_t there;
        eviction_method eviction;
        clean_tracking tracking;
    };
    using namespace uffd_abi;
    constexpr auto anonymous = uffd_backing::anonymous, shared = uffd_backing::shared;
    const expectation all[] = {
        {anonymous, everything, eviction_method::move, clean_tracking::scan},
        {anonymous, everything & ~feature_wp_async, eviction_method::move, clean_tracking::protect},
        {anonymous, everything & ~feature_wp, eviction_method::move, clean_tracking::none},
        {anonymous, everything & ~feature_move, eviction_method::protect, clean_tracking::protect},
        {anonymous, feature_wp, eviction_method::protect, clean_tracking::protect},
        {anonymous, feature_wp_async, eviction_method::protect, clean_tracking::none},
        {anonymous, 0, eviction_method::protect, clean_tracking::none},
        {shared, everything, eviction_method::protect, clean_tracking::protect},
        {shared, everything & ~feature_wp_shmem, eviction_method::protect, clean_tracking::none},
        {shared, feature_wp_shmem, eviction_method::protect, clean_tracking::none},
    };
    for (const expectation& one : all) {
        CAPTURE(one.there);
        uffd_memory_options options;
        options.backing = one.backing;
        const uffd_memory_options chosen = methods::chosen(options, one.there);
        CHECK(chosen.eviction == one.eviction);
        CHECK(chosen.tracking == one.tracking);
        CHECK(methods::contradiction(chosen) == nullptr);
    }
}

TEST_CASE("uffd_methods: what is asked for stays, whatever the kernel has") {
    for (const std::uint64_t there : {std::uint64_t{0}, everything}) {
        for (const auto eviction : {eviction_method::move, eviction_method::protect}) {
            for (const auto tracking : {clean_tracking::none, clean_tracking::protect, clean_tracking::scan}) {
                uffd_memory_options options;
                options.eviction = eviction;
                options.tracking = tracking;
                options.pages = 7;
                const uffd_memory_options chosen = methods::chosen(options, there);
                CHECK(chosen.eviction == eviction);
                CHECK(chosen.tracking == tracking);
                CHECK(chosen.pages == 7);
            }
        }
    }
    // A scan finds nothing of what protection lifts: with this eviction it is never chosen.
    uffd_memory_options options;
    options.eviction = eviction_method::protect;
    CHECK(methods::chosen(options, everything).tracking == clean_tracking::protect);
}

TEST_CASE("uffd_methods: the features are those that the ways need, each for its own reason") {
    using namespace uffd_abi;
    uffd_memory_options options;
    options.eviction = eviction_method::move;
    options.tracking = clean_tracking::none;
    CHECK_FALSE(methods::needs_protection(options));
    CHECK(methods::features(options) == feature_move);
    options.delivery = fault_delivery::signal;
    CHECK(methods::features(options) == (feature_move | feature_sigbus));
    options.tracking = clean_tracking::scan;
    CHECK(methods::needs_protection(options));
    CHECK(methods::features(options) == (feature_move | feature_sigbus | feature_wp | feature_wp_async));
    options = {};
    options.eviction = eviction_method::protect;
    options.tracking = clean_tracking::none;
    CHECK(methods::needs_protection(options));
    CHECK(methods::features(options) == feature_wp);
    options.backing = uffd_backing::shared;
    CHECK(methods::features(options) == (feature_wp | feature_wp_shmem | feature_missing_shmem));
    options.tracking = clean_tracking::protect;
    CHECK(methods::features(options) == (feature_wp | feature_wp_shmem | feature_missing_shmem));
}

TEST_CASE("uffd_methods: what contradicts itself says why, and nothing else does") {
    for (const auto backing : {uffd_backing::anonymous, uffd_backing::shared}) {
        for (const auto eviction : {eviction_method::move, eviction_method::protect}) {
            for (const auto tracking : {clean_tracking::none, clean_tracking::protect, clean_tracking::scan}) {
                for (const auto on_fork : {fork_policy::none, fork_policy::zeros, fork_policy::inherit}) {
                    uffd_memory_options options;
                    options.backing = backing;
                    options.eviction = eviction;
                    options.tracking = tracking;
                    options.on_fork = on_fork;
                    const bool is_shared = backing == uffd_backing::shared;
                    const bool is_wrong =
                        (is_shared && (on_fork != fork_policy::none || eviction == eviction_method::move)) ||
                        (tracking == clean_tracking::scan && eviction == eviction_method::protect);
                    CHECK((methods::contradiction(options) != nullptr) == is_wrong);
                }
            }
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_methods
