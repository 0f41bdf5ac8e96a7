// SPDX-License-Identifier: MIT

#include <pagefold/core/bytes.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace unit_core_bytes {

using namespace pagefold;

static_assert(std::is_convertible_v<byte_span, byte_view>);
static_assert(!std::is_convertible_v<byte_view, byte_span>);
static_assert(std::is_convertible_v<std::vector<std::byte>&, byte_span>);
static_assert(std::is_convertible_v<const std::vector<std::byte>&, byte_view>);
static_assert(!std::is_convertible_v<const std::vector<std::byte>&, byte_span>);
static_assert(!std::is_convertible_v<std::vector<int>&, byte_view>);
static_assert(std::is_trivially_copyable_v<byte_view>);

TEST_CASE("a view is copied whole, and an empty one may be null") {
    std::byte to[4]{std::byte{9}, std::byte{9}, std::byte{9}, std::byte{9}};
    const std::byte from[3]{std::byte{1}, std::byte{2}, std::byte{3}};
    copy_bytes(to, byte_view{from, 3});
    CHECK(to[0] == std::byte{1});
    CHECK(to[2] == std::byte{3});
    CHECK(to[3] == std::byte{9});
    copy_bytes(to, byte_view{});
    CHECK(to[0] == std::byte{1});
}

TEST_CASE("a view is a pointer and a length") {
    CHECK(byte_view{}.empty());
    CHECK(byte_view{}.data() == nullptr);
    std::array<std::byte, 5> bytes{};
    const byte_span span{bytes};
    CHECK(span.data() == bytes.data());
    CHECK(span.size() == 5);
    CHECK(!span.empty());
    span[4] = std::byte{9};
    CHECK(bytes[4] == std::byte{9});
    const byte_view view = span;
    CHECK(view[4] == std::byte{9});
}

TEST_CASE("parts of a view, up to its very ends") {
    std::array<std::byte, 5> bytes{};
    const byte_view view{bytes};
    CHECK(view.first(0).empty());
    CHECK(view.first(5).size() == 5);
    CHECK(view.first(2).data() == view.data());
    CHECK(view.subview(5).empty());
    CHECK(view.subview(2).data() == view.data() + 2);
    CHECK(view.subview(2).size() == 3);
    CHECK(view.subview(1, 3).data() == view.data() + 1);
    CHECK(view.subview(1, 3).size() == 3);
    CHECK(view.subview(5, 0).empty());
}

TEST_CASE("the four functions do what those of the C library do") {
    char text[] = "abcdefgh";
    copy_bytes(text, text + 4, 4);
    CHECK(equal_bytes(text, "efghefgh", 8));
    move_bytes(text + 1, text, 6);
    CHECK(equal_bytes(text, "eefghefh", 8));
    fill_bytes(text, 'x', 3);
    CHECK(equal_bytes(text, "xxxghefh", 8));
    CHECK(!equal_bytes(text, "xxxghefi", 8));
    CHECK(equal_bytes(text, "y", 0));
}

TEST_CASE("values pass through memory at any alignment") {
    std::byte bytes[24] = {};
    for (std::size_t at = 0; at < 8; ++at) {
        const std::uint64_t value = 0x0123456789abcdef + at;
        store_native(bytes + at, value);
        CHECK(load_native<std::uint64_t>(bytes + at) == value);
        store_native(bytes + at, std::uint16_t{0x1234});
        CHECK(load_native<std::uint16_t>(bytes + at) == 0x1234);
    }
}

} // namespace unit_core_bytes
