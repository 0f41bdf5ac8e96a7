// SPDX-License-Identifier: MIT

#include "support/test_source.hpp"

#include <pagefold/ds/fixed_array.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace unit_ds_fixed_array {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

struct counted {
    counted(unsigned& all, std::size_t n) : alive{all}, number{n} { ++alive; }
    ~counted() { --alive; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;

    unsigned& alive;
    std::size_t number;
};

} // namespace

TEST_CASE("a fixed array takes nothing before it is created, and gives all back") {
    test_source source;
    unsigned alive = 0;
    {
        fixed_array<counted, test_source> array{source};
        CHECK(array.size() == 0);
        CHECK(array.data() == nullptr);
        CHECK(array.bytes() == 0);
        CHECK(source.bytes_held() == 0);
        const status made = array.create(1000, [&](void* place, std::size_t i) {
            ::new (place) counted{alive, i * 3};
        });
        CHECK(made == status::ok);
        CHECK(array.size() == 1000);
        CHECK(alive == 1000);
        CHECK(array[0].number == 0);
        CHECK(array[999].number == 2997);
        CHECK(array.data() == &array[0]);
        CHECK(array.bytes() == source.bytes_held());
        CHECK(array.bytes() == (1000 * sizeof(counted) + 4095) / 4096 * 4096);
    }
    CHECK(alive == 0);
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("a fixed array of exactly a page takes a page") {
    test_source source;
    fixed_array<std::uint64_t, test_source> array{source};
    CHECK(array.create(512, [](void* place, std::size_t) { ::new (place) std::uint64_t{7}; }) == status::ok);
    CHECK(array.bytes() == 4096);
    CHECK(array[511] == 7);
}

TEST_CASE("a fixed array that is refused memory is empty, and can be created later") {
    test_source source;
    fixed_array<std::uint64_t, test_source> array{source};
    const auto zero = [](void* place, std::size_t) { ::new (place) std::uint64_t{0}; };
    source.refuse_all(true);
    CHECK(array.create(1, zero) == status::no_memory);
    CHECK(array.size() == 0);
    source.refuse_all(false);
    CHECK(array.create(1, zero) == status::ok);
    CHECK(array[0] == 0);
}

} // namespace unit_ds_fixed_array
