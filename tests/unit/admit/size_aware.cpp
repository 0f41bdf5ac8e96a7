// SPDX-License-Identifier: MIT
#include <pagefold/admit/size_aware.hpp>

#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace pagefold::testing::unit_admit_size_aware {
namespace {

constexpr admission_query query(std::size_t packed, std::uint64_t key, pool_kind kind = pool_kind::ephemeral) {
    return {4096, packed, kind, key};
}

TEST_CASE("size_aware: the chance halves with every half_bytes") {
    constexpr std::uint64_t all = std::uint64_t{1} << 32;
    CHECK(size_aware::chance(0, 2048) == all);
    CHECK(size_aware::chance(2048, 2048) == all / 2);
    CHECK(size_aware::chance(4096, 2048) == all / 4);
    CHECK(size_aware::chance(32, 1) == 1);
    CHECK(size_aware::chance(33, 1) == 0);
    CHECK(size_aware::chance(65536, 1) == 0);
    for (const std::uint32_t half : {1u, 7u, 100u, 2048u, 65536u, 0xffffffffu}) {
        std::uint64_t before = all;
        for (std::size_t bytes = 0; bytes <= 65536; bytes += 13) {
            const std::uint64_t chance = size_aware::chance(bytes, half);
            const double exact = std::exp2(32.0 - static_cast<double>(bytes) / half);
            REQUIRE(chance <= before);
            REQUIRE(std::abs(static_cast<double>(chance) - exact) <= exact / 1000 + 1);
            before = chance;
        }
    }
}

TEST_CASE("size_aware: of many tosses so many win") {
    for (const std::size_t packed : {64u, 1024u, 2048u, 4096u}) {
        size_aware policy{{.half_bytes = 2048, .seed = 3}};
        unsigned kept = 0;
        constexpr unsigned tosses = 20'000;
        for (std::uint64_t key = 0; key < tosses; ++key) {
            const admission answer = policy.admit(query(packed, rng{key}()));
            REQUIRE((answer == admission::reject || answer == query(packed, key).mildest()));
            kept += answer != admission::reject ? 1u : 0u;
        }
        const double expected = std::exp2(-static_cast<double>(packed) / 2048);
        CHECK(std::abs(kept / double{tosses} - expected) < 0.012); // more than three standard deviations
    }
}

TEST_CASE("size_aware: a page that comes again and again gets in, however long its stream is") {
    size_aware policy{256};
    for (std::uint64_t key = 0; key < 20; ++key) {
        unsigned asked = 1; // the chance is 1 in 256
        while (policy.admit(query(2048, key)) == admission::reject) {
            REQUIRE(++asked < 5000);
        }
    }
}

TEST_CASE("size_aware: a persistent pool's page and a stream without payload are kept") {
    size_aware policy{1};
    for (std::uint64_t key = 0; key < 100; ++key) {
        CHECK(policy.admit(query(4095, key, pool_kind::persistent)) == admission::packed);
        CHECK(policy.admit(query(4096, key, pool_kind::persistent)) == admission::raw);
        CHECK(policy.admit(query(8, key)) == admission::packed);
        CHECK(policy.admit(query(4096, key)) == admission::reject);
    }
}

/// Its answers to a thousand queries, as bits.
std::vector<bool> answers(size_aware policy) {
    std::vector<bool> kept;
    for (std::uint64_t key = 0; key < 1000; ++key) {
        kept.push_back(policy.admit(query(2048, key % 10)) != admission::reject);
    }
    return kept;
}

TEST_CASE("size_aware: the seed makes the tosses, and a copy goes on where the other is") {
    CHECK(answers(size_aware{{2048, 1}}) == answers(size_aware{{2048, 1}}));
    CHECK(answers(size_aware{{2048, 1}}) != answers(size_aware{{2048, 2}}));
    size_aware used{{2048, 1}};
    static_cast<void>(used.admit(query(2048, 0)));
    CHECK(answers(used) != answers(size_aware{{2048, 1}}));
    const size_aware copy{used};
    CHECK(answers(used) == answers(copy));
}

} // namespace
} // namespace pagefold::testing::unit_admit_size_aware
