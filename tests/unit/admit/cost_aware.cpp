// SPDX-License-Identifier: MIT
#include <pagefold/admit/cost_aware.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_admit_cost_aware {
namespace {

constexpr admission answer(const cost_aware& policy, std::size_t page, std::size_t packed) {
    return policy.admit({page, packed, pool_kind::persistent, 1});
}

TEST_CASE("cost_aware: to the byte where cost and worth are the same") {
    // 1000 + 4 · 100 + KiB of stream · 100 against KiB saved · 1000: even at (4096 · 1000 − 1400 · 1024) / 1100 bytes.
    constexpr cost_aware policy{{1000, 100, 100, 1000, admission::raw}};
    constexpr std::size_t even = (4096 * 1000 - 1400 * 1024) / 1100;
    CHECK(answer(policy, 4096, even) == admission::packed);
    CHECK(answer(policy, 4096, even + 1) == admission::raw);
    // And where it comes out even: 1 KiB saved, for 1000.
    constexpr cost_aware flat{{1000, 0, 0, 1000, admission::reject}};
    CHECK(answer(flat, 4096, 3072) == admission::packed);
    CHECK(answer(flat, 4096, 3073) == admission::reject);
}

TEST_CASE("cost_aware: each price counts") {
    constexpr cost_aware::options base{100, 100, 100, 1000, admission::raw};
    constexpr std::size_t packed = 2048; // 100 + 400 + 200 against 2000
    CHECK(answer(cost_aware{base}, 4096, packed) == admission::packed);
    cost_aware::options one = base;
    one.decode_ns = 1400;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::packed);
    one.decode_ns = 1401;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::raw);
    one = base;
    one.decode_ns_a_page_kib = 425;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::packed);
    one.decode_ns_a_page_kib = 426;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::raw);
    one = base;
    one.decode_ns_a_stream_kib = 750;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::packed);
    one.decode_ns_a_stream_kib = 751;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::raw);
    one = base;
    one.worth_ns_a_kib = 350;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::packed);
    one.worth_ns_a_kib = 349;
    CHECK(answer(cost_aware{one}, 4096, packed) == admission::raw);
}

TEST_CASE("cost_aware: the defaults keep half a page, and not an eighth saved") {
    CHECK(answer(cost_aware{}, 4096, 2048) == admission::packed);
    CHECK(answer(cost_aware{}, 4096, 3584) == admission::raw);
    CHECK(answer(cost_aware{}, 65536, 32768) == admission::packed);
    CHECK(answer(cost_aware{}, 65536, 65535) == admission::raw);
}

TEST_CASE("cost_aware: the ends") {
    constexpr std::uint32_t most = 0xffffffff;
    constexpr cost_aware dear{{most, most, most, most, admission::reject}}, worthless{{0, 0, 0, 0, admission::reject}};
    CHECK(answer(dear, 4096, 8) == admission::packed);
    CHECK(answer(worthless, 4096, 8) == admission::packed);
    CHECK(answer(worthless, 4096, 4095) == admission::packed); // costs nothing either
    CHECK(answer(worthless, 4096, 4096) == admission::reject);
    CHECK(answer(dear, std::size_t{1} << 29, 9) == admission::reject); // cost is a page's and a fraction
    CHECK(answer(cost_aware{{0, most, 0, most, admission::raw}}, std::size_t{1} << 29, 9) == admission::raw);
    CHECK(answer(cost_aware{{0, most - 100, 0, most, admission::raw}}, std::size_t{1} << 29, 9) == admission::packed);
}

} // namespace
} // namespace pagefold::testing::unit_admit_cost_aware
