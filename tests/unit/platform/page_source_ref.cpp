// SPDX-License-Identifier: MIT

#include "support/test_source.hpp"

#include <pagefold/platform/page_source_ref.hpp>

#include <doctest/doctest.h>

#include <type_traits>

using namespace pagefold;
using namespace pagefold::testing;

static_assert(page_source<page_source_ref>);
static_assert(std::is_trivially_copyable_v<page_source_ref>);
static_assert(std::is_convertible_v<test_source&, page_source_ref>);
static_assert(!std::is_convertible_v<test_source, page_source_ref>); // a temporary would be gone at once
static_assert(!std::is_convertible_v<int&, page_source_ref>);

namespace {

/// Notes the node that it is asked for.
struct node_source : test_source {
    node_source() : test_source{8192} {}
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        last_node = node;
        return test_source::acquire(pages, node);
    }
    node_id last_node = any_node;
};

} // namespace

TEST_CASE("a reference passes everything on to its source") {
    node_source source;
    page_source_ref ref = source;
    CHECK(ref.page_size() == 8192);
    void* const p = ref.acquire(3, node_id{7}).value();
    CHECK(source.last_node == node_id{7});
    CHECK(source.bytes_held() == 3 * 8192);
    source.refuse_nth(1);
    CHECK(ref.acquire(1, any_node).error() == status::no_memory);
    CHECK(ref.acquire(0, any_node).error() == status::invalid);
    ref.release(p, 3);
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("a copy of a reference names the source itself, not the first reference") {
    test_source one, other;
    page_source_ref ref = one;
    const page_source_ref copy = ref;
    ref = other;
    page_source_ref again = copy;
    void* const p = again.acquire(1, any_node).value();
    CHECK(one.bytes_held() == 4096);
    CHECK(other.bytes_held() == 0);
    again.release(p, 1);
}
