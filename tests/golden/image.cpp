// SPDX-License-Identifier: MIT
//
// An image, kept: one of version 1 must be readable for ever, and what it has is saved as the same bytes on every machine. Its
// streams are put as they are, so that no codec's choice is in it. docs/images.md tells the format; a change of it needs a new version.

#include "support/image_streams.hpp"
#include "support/store_configs.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::golden_image {
namespace {

using bytes = std::vector<std::byte>;

// A parent, "et", with a short stream in two objects and a same-filled page; its child, "hc", with a reference, a delta and
// a same-filled page.
constexpr char kept[] =
    "5046494d4147451a0100000000100000efcdab8967452301609c3b51a71e4967070000000000000000000000d82f0000"
    "000000000000000069b599a64fcbe094504646010000000000000000000000001800000000000000fc8d0c1ea0e4267b"
    "2b959717ee7a1c1565740000000000000000000000000000ffffffff0200000050464602030000000100000000000000"
    "aa01000000000000cf9f837aa4e5a53705cf2e38488c11500100000001000000ffffffff000000000100000000000000"
    "0000a80000100000000000000100000005000000000000000102030405060708090a0b0c0d0e0f101112131415161718"
    "191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f222222222222222222"
    "22222222222222222222222222222222222222222222020f000000000100000000010101010101010101010101010101"
    "010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "120000a80000100000070000000000000046000000000000000102030405060708090a0b0c0d0e0f1011121314151617"
    "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f2222222222222222"
    "2222222222222222222222222222222222222222222222020f0000000001000000000101010101010101010101010101"
    "010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "011201010700001000005a5a5a5a5a5a5a5a50464603000000000200000000000000200000000000000001e4426b0a83"
    "d934287222da8645098665740000000000000000000000000000ffffffff020000000300000000000000504646010000"
    "000003000000000000001800000001000000007315f83079f20d66c318281893caae6863000000000000657400000000"
    "00000000000000000000504646020300000004000000000000007f000000010000008c45feb4d863118a774a4a806a5c"
    "965e0100000001000000ffffffff00000000010000000000000004001600001000000000000001000000050000000000"
    "0000153f56a50cf24045ee00020101010000000000000020008000000000000018030000000010000007000000000000"
    "004600000000000000153f56a50cf2404501010700001000005a5a5a5a5a5a5a5a504646030000000005000000000000"
    "0020000000010000000959b8dff1e404cd8d384a79e9ad507b6863000000000000657400000000000000000000000000"
    "000300000000000000504646070000000006000000000000000800000002000000d971602c03f65e4c71b41f2e4917fa"
    "da0600000000000000";

bytes from_hex(const char* text) {
    bytes out;
    const auto digit = [](char c) { return c < 'a' ? c - '0' : c - 'a' + 10; };
    for (; *text != 0; text += 2) {
        out.push_back(static_cast<std::byte>(digit(text[0]) * 16 + digit(text[1])));
    }
    return out;
}
/// The pages that are in it.
bytes counting() {
    bytes page(4096);
    for (std::size_t i = 0; i < page.size(); i += 64) {
        page[i] = static_cast<std::byte>(i / 64);
    }
    return page;
}

} // namespace

TEST_CASE("image: a kept one is read, and saved as the same bytes") {
    const bytes image = from_hex(kept);
    test_source source;
    page_store<cloning_config> store{source, {.seed = 12345}};
    restore r{store, image, {.verifies = true}};
    REQUIRE(r.reader.run() == status::ok);
    CHECK(r.reader.header().id == 0x0123456789abcdef);
    const bytes same(4096, std::byte{0x5a}), own = counting();
    bytes near = own, page(4096);
    near[1000] = std::byte{0xee};
    const std::uint64_t far = 0x100000000;
    for (const pool_id pool : {r.ids[0], r.ids[1]}) {
        REQUIRE(store.get({pool, 7, 70}, page) == status::ok);
        CHECK(page == own);
        REQUIRE(store.get({pool, 7, 71}, page) == status::ok);
        CHECK(page == same);
        REQUIRE(store.get({pool, far, 5}, page) == status::ok);
        CHECK(page == (pool == r.ids[0] ? own : near));
    }
    CHECK(store.statistics_of(r.ids[1]).value().reference_pages == 1);
    CHECK(store.statistics_of(r.ids[1]).value().delta_pages == 1);
    CHECK(store.put({r.ids[0], 7, 70}, own) == status::invalid); // sealed
    // A walk lists extents from the last one to the first, so pages come back in the other order, and the second time in theirs.
    const auto save = [&](const std::vector<pool_id>& ids) {
        return image_of(store, {{ids[0], 0x7465}, {ids[1], 0x6368}}, {.id = 0x0123456789abcdef}, 16384);
    };
    const bytes turned = save(r.ids);
    CHECK(turned.size() == image.size());
    restore second{store, turned};
    REQUIRE(second.reader.run() == status::ok);
    const bool is_same = save(second.ids) == image;
    CHECK(is_same);
}

} // namespace pagefold::testing::golden_image
