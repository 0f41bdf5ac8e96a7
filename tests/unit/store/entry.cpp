// SPDX-License-Identifier: MIT

#include <pagefold/store/entry.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

using namespace pagefold;

TEST_CASE("an entry of a payload holds handle, length, checksum and hook apart") {
    constexpr std::uint64_t handles[] = {0, 1, 0x123456789abc, (std::uint64_t{1} << handle_bits) - 1};
    constexpr std::uint64_t sums[] = {0, ~std::uint64_t{0}, 0x123456789abcdef0};
    for (const std::uint64_t handle : handles) {
        for (const std::size_t size : {std::size_t{1}, std::size_t{9}, std::size_t{4096}, entry::max_size}) {
            for (const std::uint64_t sum : sums) {
                entry e = entry::with_payload(object_handle{handle}, size, sum);
                for (const unsigned hook : {7u, 0u, 5u, 2u}) {
                    e.set_hook(static_cast<std::uint8_t>(hook));
                    CHECK(e.hook() == hook);
                    CHECK(!e.is_inline());
                    CHECK(e.handle() == object_handle{handle});
                    CHECK(e.size() == size);
                    CHECK(e.matches(sum));
                }
            }
        }
    }
}

TEST_CASE("an entry of a stream holds the stream itself") {
    for (const std::uint64_t stream : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x8000000000000001}}) {
        entry e = entry::with_stream(stream, 0x0123456789abcdef);
        e.set_hook(6);
        CHECK(e.is_inline());
        CHECK(e.word() == stream);
        CHECK(e.hook() == 6);
        CHECK(e.matches(0x0123456789abcdef));
        CHECK(!e.matches(0x1123456789abcdef));
    }
}

TEST_CASE("the layout is the one that is written down") {
    const entry e = entry::with_payload(object_handle{0xabcdef012345}, 0x1000, 0xfedcba98'76543210);
    CHECK(e.word() == 0xabcdef0123450fff);
    CHECK(e.meta() == 0xfedcba90);
    const entry inlined = entry::with_stream(42, 0xfedcba98'76543210);
    CHECK(inlined.word() == 42);
    CHECK(inlined.meta() == 0xfedcba91);
    entry hooked = e;
    hooked.set_hook(0xff);
    CHECK(hooked.meta() == 0xfedcba9e);
    CHECK(entry{hooked.word(), hooked.meta()}.hook() == 7);
}

TEST_CASE("every kept bit of the checksum counts, and only those") {
    const std::uint64_t sum = 0x5a5a5a5a'5a5a5a5a;
    const entry e = entry::with_payload(object_handle{3}, 100, sum);
    for (unsigned bit = 0; bit < 64; ++bit) {
        CHECK(e.matches(sum ^ std::uint64_t{1} << bit) == (bit < 64 - entry::checksum_bits));
    }
}
