// SPDX-License-Identifier: MIT

#include "support/rng.hpp"

#include <pagefold/core/checksum.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace unit_core_checksum {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

/// The definition, word by word.
std::uint64_t plain_checksum(const std::byte* data, std::size_t size, std::uint64_t seed) {
    constexpr std::uint64_t lane_step = 0x9e3779b97f4a7c15u, stripe_step = 0xd1b54a32d192ed03u;
    std::uint64_t sum[8] = {};
    std::uint64_t stripes = 0;
    const auto add_stripe = [&](const std::byte* from) {
        for (unsigned i = 0; i < 8; ++i) {
            std::uint64_t word = 0;
            for (unsigned byte = 0; byte < 8; ++byte) {
                word |= static_cast<std::uint64_t>(from[8 * i + byte]) << 8 * byte;
            }
            const std::uint64_t mixed = word ^ (seed + (i + 1) * lane_step + stripes * stripe_step);
            sum[i] += (mixed & 0xffffffffu) * (mixed >> 32);
        }
        ++stripes;
    };
    std::size_t at = 0;
    for (; at + 64 <= size; at += 64) {
        add_stripe(data + at);
    }
    if (at != size) {
        std::byte last[64] = {};
        const std::size_t length = size < 64 ? size : 64;
        std::memcpy(last, data + size - length, length);
        add_stripe(last);
    }
    const std::uint64_t a = mix(sum[0], sum[1]) + mix(sum[2] + stripe_step, sum[3]);
    const std::uint64_t b = mix(sum[4] + lane_step, sum[5]) ^ mix(sum[6], sum[7] + seed);
    return mix(a + size, b);
}

std::vector<std::byte> some_bytes(std::size_t size, std::uint64_t seed) {
    std::vector<std::byte> bytes(size);
    rng random{seed};
    for (std::byte& b : bytes) {
        b = static_cast<std::byte>(random());
    }
    return bytes;
}

} // namespace

TEST_CASE("known values stay what they are, for they may be written to a file") {
    static constexpr struct {
        std::size_t size;
        std::uint64_t seed, sum;
    } known[] = {
        {0, 0x0, 0xc33d8eb63416c1ed},    {0, 0x123456789abcdef0, 0x9ea6661321d3762f},
        {1, 0x0, 0xad2da6f189b8dad8},    {1, 0x123456789abcdef0, 0x78e58d7089dc2d5e},
        {8, 0x0, 0x55556836af8621e4},    {8, 0x123456789abcdef0, 0x91eaa3cf0a0733f2},
        {63, 0x0, 0x1d1029e00e683ae8},   {63, 0x123456789abcdef0, 0xb716f5c03ea7532e},
        {64, 0x0, 0x2fd55679db1dfaf6},   {64, 0x123456789abcdef0, 0x0f6c9f95e063d9e9},
        {65, 0x0, 0x491ca38e4cb5954b},   {65, 0x123456789abcdef0, 0x79ce032708178738},
        {100, 0x0, 0x92cb4c6c337d9d49},  {100, 0x123456789abcdef0, 0xf41f4d8a47050d9f},
        {128, 0x0, 0xf9d1888448a6dc6f},  {128, 0x123456789abcdef0, 0x27fb17939a756009},
        {1000, 0x0, 0x2ac824373466e71c}, {1000, 0x123456789abcdef0, 0x0f53e377464d57e5},
        {4096, 0x0, 0xd683a2812d533f56}, {4096, 0x123456789abcdef0, 0x29a8aad819a1e30b},
    };
    for (const auto& [size, seed, sum] : known) {
        std::vector<std::byte> bytes(size);
        for (std::size_t i = 0; i < size; ++i) {
            bytes[i] = static_cast<std::byte>(i * 7 + 3);
        }
        CHECK(checksum(bytes, seed) == sum);
    }
}

TEST_CASE("vectors or not, the value is that of the definition") {
    rng random{2};
    for (std::size_t size = 0; size < 400; ++size) {
        const auto bytes = some_bytes(size, size + 1);
        const std::uint64_t seed = random();
        CHECK(checksum(bytes, seed) == plain_checksum(bytes.data(), size, seed));
    }
    const auto page = some_bytes(65536 + 8, 3);
    for (std::size_t offset = 0; offset < 8; ++offset) { // unaligned, too
        CHECK(checksum({page.data() + offset, 65536}, 1) == plain_checksum(page.data() + offset, 65536, 1));
    }
}

TEST_CASE("every way gives the same sums") {
    using namespace pagefold::checksum_detail;
    rng random{6};
    const auto bytes = some_bytes(64 * 70 + 8, 5);
    for (std::size_t count = 0; count <= 64; ++count) {
        const std::byte* const from = bytes.data() + count % 8;
        const std::byte* const other = bytes.data() + random.below(64 * 69);
        const std::uint64_t seed = random();
        for (const std::byte* const last : {static_cast<const std::byte*>(nullptr), other}) {
            CAPTURE(count);
            CAPTURE(last == nullptr);
            std::uint64_t scalar[8];
            sum_stripes_scalar(from, count, last, seed, scalar);
#if PAGEFOLD_HAS_SSE2
            std::uint64_t vector[8];
            sum_stripes_sse2(from, count, last, seed, vector);
            CHECK(std::equal(std::begin(scalar), std::end(scalar), vector));
            if (available_features().contains(cpu_feature::avx2)) {
                std::fill(std::begin(vector), std::end(vector), 0);
                sum_stripes_avx2(from, count, last, seed, vector);
                CHECK(std::equal(std::begin(scalar), std::end(scalar), vector));
            }
#endif
            std::uint64_t taken[8];
            sum_stripes(from, count, last, seed, taken);
            CHECK(std::equal(std::begin(scalar), std::end(scalar), taken));
        }
    }
}

TEST_CASE("what the processor has decides, and the value stays") {
    const auto bytes = some_bytes(1000, 8);
    const std::uint64_t sum = checksum(bytes, 3);
    const std::uint8_t before = cpu_detail::asked.exchange(cpu_detail::is_asked, memory_order::relaxed);
    CHECK(checksum(bytes, 3) == sum);
    cpu_detail::asked.store(before, memory_order::relaxed);
}

TEST_CASE("every single flipped bit is noticed, at every length") {
    for (std::size_t size = 1; size <= 200; size += size < 130 ? 1 : 70) {
        auto bytes = some_bytes(size, size);
        const std::uint64_t sum = checksum(bytes, 7);
        std::size_t noticed = 0;
        for (std::size_t bit = 0; bit < 8 * size; ++bit) {
            const std::byte flipped = std::byte{1} << bit % 8;
            bytes[bit / 8] ^= flipped;
            noticed += checksum(bytes, 7) >> 36 != sum >> 36 ? 1 : 0; // in the bits that an entry keeps
            bytes[bit / 8] ^= flipped;
        }
        CHECK(noticed == 8 * size);
    }
}

TEST_CASE("zeros of different lengths differ, and so do other seeds") {
    std::set<std::uint64_t> sums;
    const std::vector<std::byte> zeros(300);
    for (std::size_t size = 0; size <= 300; ++size) {
        sums.insert(checksum(byte_view{zeros}.first(size), 5));
    }
    CHECK(sums.size() == 301);
    sums.clear();
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        sums.insert(checksum(byte_view{zeros}.first(100), seed));
    }
    CHECK(sums.size() == 1000);
}

TEST_CASE("exchanged stripes and words are noticed") {
    auto bytes = some_bytes(4096, 4);
    const std::uint64_t sum = checksum(bytes, 9);
    const auto differs_after_exchange = [&](std::size_t a, std::size_t b, std::size_t size) {
        auto changed = bytes;
        std::swap_ranges(changed.begin() + static_cast<std::ptrdiff_t>(a),
                         changed.begin() + static_cast<std::ptrdiff_t>(a + size),
                         changed.begin() + static_cast<std::ptrdiff_t>(b));
        return checksum(changed, 9) != sum;
    };
    for (std::size_t a = 0; a < 4096; a += 64) {
        for (std::size_t b = a + 64; b < 4096; b += 64) {
            REQUIRE(differs_after_exchange(a, b, 64));
        }
    }
    for (std::size_t a = 0; a + 8 < 4096; a += 8) {
        REQUIRE(differs_after_exchange(a, a + 8, 8));
    }
}

TEST_CASE("nothing outside the data is read") {
    for (std::size_t size = 0; size <= 260; ++size) { // the allocation ends with the data: a sanitizer watches
        const auto exact = std::make_unique<std::byte[]>(size);
        const auto copy = std::vector<std::byte>(exact.get(), exact.get() + size);
        CHECK(checksum({exact.get(), size}, 1) == checksum(copy, 1));
    }
}

} // namespace unit_core_checksum
