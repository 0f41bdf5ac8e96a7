// SPDX-License-Identifier: MIT

#include <pagefold/config/version.hpp>

#include <doctest/doctest.h>

namespace unit_config_version {

static_assert(PAGEFOLD_VERSION_MAJOR >= 0 && PAGEFOLD_VERSION_MINOR >= 0 && PAGEFOLD_VERSION_PATCH >= 0);

TEST_CASE("the version can be compared by the preprocessor") {
#if PAGEFOLD_VERSION_MAJOR > 0 || PAGEFOLD_VERSION_MINOR > 0 || PAGEFOLD_VERSION_PATCH > 0
    const bool is_above_zero = true;
#else
    const bool is_above_zero = false;
#endif
    CHECK(is_above_zero);
}

} // namespace unit_config_version
