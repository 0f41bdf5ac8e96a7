// SPDX-License-Identifier: MIT

#include <pagefold/core/result.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <type_traits>

namespace unit_core_result {

using namespace pagefold;

static_assert(std::is_trivially_copyable_v<result<void*>>);
static_assert(sizeof(result<void*>) <= 16); // two registers

TEST_CASE("a result is a value, or says why not") {
    constexpr result<int> value = 5;
    static_assert(value.has_value() && *value == 5);
    CHECK(value);
    CHECK(value.error() == status::ok);
    CHECK(value.value() == 5);
    CHECK(value.value_or(7) == 5);

    constexpr result<int> error = status::limit;
    static_assert(!error.has_value());
    CHECK(!error);
    CHECK(error.error() == status::limit);
    CHECK(error.value_or(7) == 7);
}

TEST_CASE("zero and null are values") {
    CHECK(result<std::size_t>{std::size_t{0}});
    CHECK(result<void*>{nullptr});
}

} // namespace unit_core_result
