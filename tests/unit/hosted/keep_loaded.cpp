// SPDX-License-Identifier: MIT
//
// That an object stays which was closed: tests/packaging/unloading.sh, with one of its own.

#include <pagefold/hosted/keep_loaded.hpp>

#include <doctest/doctest.h>

#include <cstdlib>

namespace pagefold::testing::unit_hosted_keep_loaded {
namespace {

int value;

TEST_CASE("keep_loaded: a library is kept, again and again; the program itself and what is in no object are not") {
    CHECK(keep_loaded(reinterpret_cast<const void*>(&std::abort)));
    CHECK(keep_loaded(reinterpret_cast<const void*>(&std::abort)));
    CHECK_FALSE(keep_loaded(&value));
    CHECK_FALSE(keep_loaded(nullptr));
    int local = 0;
    CHECK_FALSE(keep_loaded(&local));
}

} // namespace
} // namespace pagefold::testing::unit_hosted_keep_loaded
