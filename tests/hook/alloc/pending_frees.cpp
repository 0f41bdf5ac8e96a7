// SPDX-License-Identifier: MIT
#include <support/returning_hook.hpp>

#include <pagefold/alloc/pending_frees.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

namespace pagefold::testing::hook_alloc_pending_frees {
namespace {

#define PAGEFOLD_ALLOCATORS zs<test_source, 4096, 1>, xv<test_source, 4096, 1>, tlsf<test_source>

TEST_CASE_TEMPLATE("a second free that still waits does not hit the object that got the handle since", T,
                   PAGEFOLD_ALLOCATORS) {
    constexpr std::size_t size = 1300;
    test_source source;
    T a{source, any_node};
    std::vector<object_handle> handles;
    for (unsigned i = 0; i < 15000; ++i) {
        handles.push_back(a.allocate(size).value_or(object_handle{}));
    }
    const auto free_others = [&] {
        for (unsigned i = 0; i < 2 * pending_frees::depth; ++i) {
            a.deallocate(handles.back());
            handles.pop_back();
        }
    };
    const object_handle twice = handles[3];
    a.deallocate(twice);
    free_others();
    a.deallocate(twice);
    bool again = false;
    for (unsigned i = 0; i < 4000 && !again; ++i) {
        again = a.allocate(size).value_or(object_handle{}) == twice;
    }
    REQUIRE(again);
    free_others();
    const std::size_t allocated = a.allocated_bytes();
    CHECK(a.capacity(twice) >= size);
    a.deallocate(twice);
    CHECK(a.allocated_bytes() < allocated);
    CHECK(a.check());
}

} // namespace
} // namespace pagefold::testing::hook_alloc_pending_frees
