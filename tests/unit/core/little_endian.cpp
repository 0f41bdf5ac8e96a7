// SPDX-License-Identifier: MIT
#include <pagefold/core/little_endian.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace unit_core_little_endian {

using namespace pagefold;

TEST_CASE("little_endian: the low byte comes first, at any address") {
    std::byte bytes[12]{};
    little_endian::store(bytes + 1, std::uint64_t{0x0807060504030201});
    for (unsigned i = 1; i <= 8; ++i) {
        CHECK(bytes[i] == static_cast<std::byte>(i));
    }
    CHECK(little_endian::load<std::uint64_t>(bytes + 1) == 0x0807060504030201);
    CHECK(little_endian::load<std::uint32_t>(bytes + 2) == 0x05040302);
    CHECK(little_endian::load<std::uint16_t>(bytes + 3) == 0x0403);
    little_endian::store(bytes, std::uint32_t{0xaabbccdd});
    little_endian::store(bytes + 4, std::uint16_t{0x1122});
    CHECK(bytes[0] == std::byte{0xdd});
    CHECK(bytes[3] == std::byte{0xaa});
    CHECK(bytes[4] == std::byte{0x22});
    CHECK(bytes[6] == std::byte{6});
    CHECK(little_endian::reversed(std::uint16_t{0x0102}) == 0x0201);
}

} // namespace unit_core_little_endian
