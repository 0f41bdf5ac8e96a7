// SPDX-License-Identifier: MIT
#include <pagefold/store/image_output.hpp>

#include "support/image_streams.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_store_image_output {

using namespace pagefold;
using namespace pagefold::testing;
using store_type = partitioned_store<cloning_config>;

TEST_CASE("image_output: a frame stays until the sink has it, and counts once") {
    store_fixture<store_type> f;
    const pool_id parent = f.make_pool();
    REQUIRE(f.store.seal(parent) == status::ok);
    const pool_id child = f.make_pool({.parent = parent});
    kept_image sink;
    std::vector<std::byte> buffer(least_image_buffer(4096));
    image_output<store_type, kept_image> shorter{f.store, sink, {buffer.data(), buffer.size() - 1}, {}};
    CHECK(!shorter.check());
    image_output<store_type, kept_image> output{f.store, sink, buffer, {.id = 4}};
    REQUIRE(output.check());
    CHECK(output.flush() == status::ok); // nothing
    output.header();
    CHECK(output.has_pending());
    sink.refuse_beyond(10, status::limit);
    CHECK(output.flush() == status::limit);
    CHECK(output.bytes() == 0);
    CHECK(output.has_pending());
    CHECK(output.flush() == status::ok);
    CHECK(output.bytes() == image_format::header_bytes);
    CHECK(output.sequence() == 0);
    const image_pool in_order[]{{parent, 1}, {child, 2}}, wrong[]{{child, 2}, {parent, 1}}, gone[]{{pool_id{}, 0}};
    CHECK(output.pool(wrong, 0, 2) == status::invalid);
    CHECK(output.pool(gone, 0, 1) == status::invalid);
    CHECK(!output.has_pending());
    REQUIRE(output.pool(in_order, 1, 2) == status::ok);
    CHECK(output.flush() == status::ok);
    CHECK(output.sequence() == 1);
    pool_cursor cursor{child};
    std::uint64_t pages = 0, damaged = 0;
    while (!cursor.has_ended()) {
        CHECK(output.pages(1, cursor, {}, pages, damaged) == status::ok);
    }
    CHECK(!output.has_pending()); // there were none
    CHECK(pages == 0);
}

} // namespace unit_store_image_output
