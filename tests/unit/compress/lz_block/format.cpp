// SPDX-License-Identifier: MIT
#include <pagefold/compress/lz_block/format.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pagefold::detail::lz_block::unit_compress_lz_block_format {
namespace {

TEST_CASE("lz_block: words are little-endian on every machine") {
    const std::byte bytes[] = {std::byte{0xee}, std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                               std::byte{5},    std::byte{6}, std::byte{7}, std::byte{8}};
    CHECK(load_little<std::uint16_t>(bytes + 1) == 0x0201);
    CHECK(load_little<std::uint32_t>(bytes + 1) == 0x04030201);
    CHECK(load_little<std::uint64_t>(bytes + 1) == 0x0807060504030201);

    std::byte out[9] = {std::byte{0xee}};
    store_little(out + 1, std::uint64_t{0x0807060504030201});
    CHECK(std::equal(out, out + 9, bytes));
    store_little(out + 1, std::uint16_t{0x0a09});
    CHECK(out[1] == std::byte{9});
    CHECK(out[2] == std::byte{10});
    CHECK(out[3] == std::byte{3});
}

TEST_CASE("lz_block: literals are copied with at most 15 bytes more") {
    for (std::size_t count = 1; count < 300; ++count) {
        CAPTURE(count);
        std::vector<std::byte> from(count + 15);
        for (std::size_t i = 0; i < from.size(); ++i) {
            from[i] = static_cast<std::byte>(i * 7 + 1);
        }
        std::vector<std::byte> to(count + 15);
        copy_literals(to.data(), from.data(), count);
        CHECK(std::equal(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(count), from.begin()));
    }
}

} // namespace
} // namespace pagefold::detail::lz_block::unit_compress_lz_block_format
