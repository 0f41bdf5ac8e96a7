// SPDX-License-Identifier: MIT

#include "support/noting_source.hpp"
#include "support/test_source.hpp"

#include <pagefold/platform/page_source_ref.hpp>

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

namespace unit_platform_page_source_ref {

using namespace pagefold;
using namespace pagefold::testing;

static_assert(page_source<page_source_ref>);
static_assert(trimmable_page_source<page_source_ref>);
static_assert(contextual_page_source<page_source_ref>);
static_assert(contextual_page_source<noting_source> && !contextual_page_source<test_source>);
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

struct trimmable_source : test_source {
    std::size_t trim() noexcept {
        ++trims;
        return 5 * 4096;
    }
    unsigned trims = 0;
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

TEST_CASE("a reference tells a source that asks for it in which context it is asked") {
    noting_source source;
    page_source_ref ref = source;
    constexpr acquire_context urgent{.may_sleep = true, .how_urgent = urgency::reclaim};
    void* const first = ref.acquire(1, any_node, urgent).value();
    void* const second = ref.acquire(2, any_node).value();
    CHECK(source.contexts == std::vector<acquire_context>{urgent, acquire_context{}});
    CHECK(source.without_context == 0);
    ref.release(first, 1);
    ref.release(second, 2);

    test_source plain; // is asked as ever
    page_source_ref other = plain;
    other.release(other.acquire(1, any_node, urgent).value(), 1);
    CHECK(plain.bytes_held() == 0);
}

TEST_CASE("a reference trims a source that can be trimmed, and no other") {
    trimmable_source can;
    test_source can_not;
    page_source_ref ref = can;
    CHECK(ref.trim() == 5 * 4096);
    CHECK(can.trims == 1);
    ref = can_not;
    CHECK(ref.trim() == 0);
    CHECK(can.trims == 1);
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

} // namespace unit_platform_page_source_ref
