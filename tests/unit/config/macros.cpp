// SPDX-License-Identifier: MIT

#include <pagefold/config/macros.hpp>

#include <doctest/doctest.h>

#include <bit>

namespace unit_config_macros {

static_assert((PAGEFOLD_LITTLE_ENDIAN == 1) == (std::endian::native == std::endian::little));

namespace {

PAGEFOLD_ALWAYS_INLINE int twice(int x) { return 2 * x; }
PAGEFOLD_NOINLINE int thrice(int x) { return 3 * x; }
PAGEFOLD_COLD int four_times(int x) { return 4 * x; }

} // namespace

TEST_CASE("the attributes change no meaning") {
    CHECK(twice(1) + thrice(1) + four_times(1) == 9);
    PAGEFOLD_CPU_RELAX();
    PAGEFOLD_KEEP_STORES();
#if PAGEFOLD_HAS_INT128
    __extension__ using wide = __int128;
    CHECK(sizeof(wide) == 16);
#endif
}

} // namespace unit_config_macros
