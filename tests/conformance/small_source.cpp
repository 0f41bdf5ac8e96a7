// SPDX-License-Identifier: MIT
//
// Every allocator over sources of one page, two, and so on, which it fills again and again.

#include <conformance/small_source.hpp>

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::conformance_small_source {
namespace {

using source = static_source<>;

TEST_CASE_TEMPLATE("of 4 KiB units, what small sources held fits again", A, zs<source>, zs<source, 4096, 1>,
                   zs<source, 4096, 4>, xv<source>, xv<source, 4096, 1>, tlsf<source>, tlsf<source, 4096, 16>) {
    CHECK(describe(small_source_violations<A>(4096, 40)) == "");
}

TEST_CASE_TEMPLATE("of 16 KiB units, what small sources held fits again", A, zs<source, 16384>, xv<source, 16384>,
                   tlsf<source, 16384>) {
    CHECK(describe(small_source_violations<A>(16384, 16)) == "");
    CHECK(describe(small_source_violations<A>(4096, 40)) == "");
}

/// There are so many spans that frees wait.
TEST_CASE_TEMPLATE("what a source of a thousand spans and more held fits again", A, zs<source, 4096, 1>,
                   xv<source, 4096, 1>, tlsf<source>) {
    for (const std::size_t size : {3900u, 1300u}) {
        detail::small_source_checks<A> checks{1400 * (std::is_same_v<A, tlsf<source>> ? 3 : 1), 4096, size};
        checks.one_size(size);
        CHECK_FALSE(checks.broken());
    }
}

} // namespace
} // namespace pagefold::testing::conformance_small_source
