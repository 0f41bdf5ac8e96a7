// SPDX-License-Identifier: MIT
#include <pagefold/store/image.hpp>

#include "support/image_streams.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace unit_store_image {

namespace {
using namespace pagefold;
struct named {
    [[nodiscard]] std::uint64_t stream_format() const noexcept { return 6; }
};
struct nameless {
    [[nodiscard]] std::uint64_t stream_format() const noexcept { return 0; }
};
struct neither {
    void write(byte_view) noexcept {}
    std::size_t read(byte_span) noexcept { return 0; }
};
} // namespace

TEST_CASE("image: what a codec is called, with the host's number and without") {
    CHECK(image_codec(named{}, 0) == 6);
    CHECK(image_codec(named{}, 1) != 6);
    CHECK(image_codec(named{}, 1) != image_codec(named{}, 2));
    CHECK(image_codec(nameless{}, 0) == 0);
    CHECK(image_codec(nameless{}, 1) != 0);
}

TEST_CASE("image: sinks, sources, and lengths of buffers") {
    CHECK(image_sink<testing::kept_image>);
    CHECK(image_source<testing::image_bytes>);
    CHECK(!image_sink<neither>);
    CHECK(!image_source<neither>);
    for (const std::size_t page : {std::size_t{4096}, std::size_t{16384}, std::size_t{65536}}) {
        CHECK(least_image_buffer(page) > 2 * page);
        CHECK(good_image_buffer(page) > least_image_buffer(page));
    }
    CHECK(image_position{}.next == image_position::stage::header);
}

} // namespace unit_store_image
