// SPDX-License-Identifier: MIT

#include <pagefold/config/macros.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>

static_assert((PAGEFOLD_LITTLE_ENDIAN == 1) == (std::endian::native == std::endian::little));

namespace {

PAGEFOLD_ALWAYS_INLINE int twice(int x) { return 2 * x; }
PAGEFOLD_NOINLINE int thrice(int x) { return 3 * x; }
PAGEFOLD_COLD int four_times(int x) { return 4 * x; }

} // namespace

TEST_CASE("the attributes change no meaning") {
    const auto sum = [](int x) PAGEFOLD_INLINE_LAMBDA { return twice(x) + thrice(x) + four_times(x); };
    CHECK(sum(1) == 9);
    PAGEFOLD_CPU_RELAX();
#if PAGEFOLD_HAS_INT128
    CHECK(sizeof(__extension__ __int128) == 16);
#endif
}
