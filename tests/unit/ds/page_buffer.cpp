// SPDX-License-Identifier: MIT
#include <pagefold/ds/page_buffer.hpp>

#include <support/test_source.hpp>

#include <doctest/doctest.h>

namespace unit_ds_page_buffer {

using namespace pagefold;
using namespace pagefold::testing;

TEST_CASE("a buffer takes whole pages when it is asked to, once, and gives them back") {
    test_source source;
    {
        page_buffer<test_source> buffer{source, any_node, 5000};
        CHECK_FALSE(buffer.is_held());
        CHECK(buffer.bytes() == 0);
        CHECK(source.acquisitions() == 0);
        CHECK(buffer.acquire() == status::ok);
        CHECK(buffer.acquire() == status::ok);
        CHECK(source.bytes_held() == 8192);
        CHECK(buffer.bytes() == 8192);
        CHECK(buffer.first(5000).size() == 5000);
        CHECK(buffer.first(10).data() == buffer.first(5000).data());
        buffer.release();
        buffer.release();
        CHECK(source.bytes_held() == 0);
        CHECK_FALSE(buffer.is_held());
        CHECK(buffer.acquire() == status::ok);
    }
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("a buffer says what the source said, and can be asked again") {
    test_source source;
    page_buffer<test_source> buffer{source, any_node, 4096};
    source.refuse_nth(1, status::limit);
    CHECK(buffer.acquire() == status::limit);
    CHECK_FALSE(buffer.is_held());
    CHECK(buffer.acquire() == status::ok);
}

} // namespace unit_ds_page_buffer
