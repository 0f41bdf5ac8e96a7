// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/vectors16.hpp>

#include <support/codec_paths.hpp>
#include <support/noise_pages.hpp>
#include <support/rng.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_compress_page_vectors16 {
namespace {

using bytes = std::vector<std::uint8_t>;

[[nodiscard]] bool has_vectors_of_16() {
    const page_path_set paths = available_page_paths();
    return paths.contains(page_path::sse42) || paths.contains(page_path::neon);
}

/// Bytes of which one in `rarity` is not zero, on average.
[[nodiscard]] bytes sparse_bytes(std::size_t count, std::uint64_t rarity, rng& random) {
    bytes all(count);
    for (std::uint8_t& byte : all) {
        byte = random.one_in(rarity) ? static_cast<std::uint8_t>(1 + random.below(255)) : std::uint8_t{0};
    }
    return all;
}

#if PAGEFOLD_HAS_X86_VECTORS || PAGEFOLD_HAS_NEON
PAGEFOLD_TARGET_V16 PAGEFOLD_NOINLINE std::size_t list(const bytes& from, bytes& to, bytes& bitmap) {
    return static_cast<std::size_t>(page_coding::v16::list_nonzero(from.data(), from.size(), to.data(), bitmap.data()) -
                                    to.data());
}
PAGEFOLD_TARGET_V16 PAGEFOLD_NOINLINE std::size_t put_sparse(const bytes& from, std::size_t count, bytes& to,
                                                             unsigned& flags) {
    return static_cast<std::size_t>(page_coding::v16::put_sparse(from.data(), count, to.data(), 8, flags) - to.data());
}
PAGEFOLD_TARGET_V16 PAGEFOLD_NOINLINE bool is_noise(const bytes& unit) {
    return page_coding::v16::rest_is_noise(unit.data() + 512);
}
#else
bool is_noise(const bytes&) { return false; }
std::size_t list(const bytes&, bytes&, bytes&) { return 0; }
std::size_t put_sparse(const bytes&, std::size_t, bytes&, unsigned&) { return 0; }
#endif

TEST_CASE("page codec, 16 bytes at a time: bytes that are not zero are listed in order, with where they stood") {
    if (!has_vectors_of_16()) {
        MESSAGE("skipped: this machine has no vectors of 16 bytes");
        return;
    }
    rng random{1};
    for (unsigned i = 0; i != 400; ++i) {
        const bytes from = sparse_bytes(16 * (1 + random.below(32)), 1 + i % 20, random);
        bytes to(from.size() + 16), bitmap(from.size() / 8, 0x5a), listed, marks(from.size() / 8);
        for (std::size_t at = 0; at != from.size(); ++at) {
            if (from[at] != 0) {
                listed.push_back(from[at]);
                marks[at / 8] = static_cast<std::uint8_t>(marks[at / 8] | 1u << at % 8);
            }
        }
        const std::size_t count = list(from, to, bitmap);
        to.resize(count);
        CHECK(to == listed);
        CHECK(bitmap == marks);
    }
}

TEST_CASE("page codec, 16 bytes at a time: sparse sections are the scalar path's") {
    if (!has_vectors_of_16()) {
        MESSAGE("skipped: this machine has no vectors of 16 bytes");
        return;
    }
    rng random{2};
    unsigned sparse = 0;
    for (unsigned i = 0; i != 400; ++i) {
        const std::size_t count = 1 + random.below(256);
        bytes from = sparse_bytes(count, 1 + i % 20, random);
        from.resize(round_up(count, 16)); // zeros behind, as the function asks
        bytes to(from.size() + 64), truth(from.size() + 64);
        unsigned flags = 1, expected_flags = 1;
        const std::size_t size = put_sparse(from, count, to, flags);
        const std::size_t expected = static_cast<std::size_t>(
            page_coding::scalar::put_sparse(from.data(), count, truth.data(), 8, expected_flags) - truth.data());
        to.resize(size);
        truth.resize(expected);
        CHECK(to == truth);
        CHECK(flags == expected_flags);
        sparse += flags == 9 ? 1 : 0;
    }
    CHECK(sparse > 100);
    CHECK(sparse < 400);
}

TEST_CASE("page codec, 16 bytes at a time: what is noise, near the limits") {
    if (!has_vectors_of_16()) {
        MESSAGE("skipped: this machine has no vectors of 16 bytes");
        return;
    }
    rng random{6};
    unsigned noisy = 0;
    for (unsigned i = 0; i != 2000; ++i) {
        const std::vector<std::uint8_t> unit = testing::nearly_noise(random);
        const bool expected = testing::is_noise_by_the_rule(unit);
        REQUIRE(is_noise(unit) == expected);
        noisy += expected ? 1 : 0;
    }
    CHECK(noisy > 400);
    CHECK(noisy < 1600);
}

} // namespace
} // namespace pagefold::testing::unit_compress_page_vectors16
