// SPDX-License-Identifier: MIT
#include <pagefold/alloc/size_classes.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::unit_alloc_size_classes {
namespace {

template <std::size_t UnitBytes, unsigned ChainUnits>
struct parameters {
    static constexpr std::size_t unit = UnitBytes;
    static constexpr unsigned chain = ChainUnits;
    using classes = size_classes<unit, chain>;
};

#define PAGEFOLD_ALL_TABLES                                                                                            \
    parameters<4096, 1>, parameters<4096, 4>, parameters<4096, 8>, parameters<4096, 12>, parameters<4096, 16>,         \
        parameters<16384, 1>, parameters<16384, 4>, parameters<16384, 8>, parameters<65536, 1>, parameters<65536, 4>,  \
        parameters<65536, 16>

TEST_CASE_TEMPLATE("slots of a class fit its span and fill it", T, PAGEFOLD_ALL_TABLES) {
    using classes = typename T::classes;
    for (unsigned number = 0; number < classes::count(); ++number) {
        CAPTURE(number);
        const size_class& shape = classes::at(number);
        CHECK(shape.units >= 1);
        CHECK(shape.units <= T::chain);
        CHECK(shape.slots >= 1);
        CHECK(shape.slots <= classes::max_slots);
        CHECK(shape.bytes % classes::step == 0);
        CHECK(shape.slots * shape.bytes <= shape.units * T::unit);
        CHECK(shape.slots * (shape.bytes + classes::step) > shape.units * T::unit); // no larger slot would do
        CHECK((number == 0 || classes::at(number - 1).bytes < shape.bytes));
    }
}

TEST_CASE_TEMPLATE("the last class is a whole unit, and the only one with one slot", T, PAGEFOLD_ALL_TABLES) {
    using classes = typename T::classes;
    const size_class& last = classes::at(classes::count() - 1);
    CHECK(last.bytes == T::unit);
    CHECK(last.units == 1);
    CHECK(last.slots == 1);
    for (unsigned number = 0; number + 1 < classes::count(); ++number) {
        CHECK(classes::at(number).slots > 1);
    }
}

TEST_CASE_TEMPLATE("a size goes to the smallest slot that holds it", T, PAGEFOLD_ALL_TABLES) {
    using classes = typename T::classes;
    unsigned expected = 0;
    bool all_agree = true;
    for (std::size_t size = 1; size <= T::unit; ++size) {
        while (classes::at(expected).bytes < size) {
            ++expected;
        }
        all_agree = all_agree && classes::of(size) == expected;
    }
    CHECK(all_agree);
}

TEST_CASE_TEMPLATE("no chain within the bound makes a size cheaper than its class", T, PAGEFOLD_ALL_TABLES) {
    using classes = typename T::classes;
    for (std::size_t size = classes::at(0).bytes; size <= T::unit; size += classes::step) {
        const size_class& shape = classes::at(classes::of(size));
        for (unsigned units = 1; units <= T::chain; ++units) {
            const std::size_t slots = units * T::unit / size;
            if (slots <= classes::max_slots) {
                CAPTURE(size);
                CAPTURE(units);
                CHECK(shape.units * slots <= units * shape.slots);
            }
        }
    }
}

TEST_CASE_TEMPLATE("the eighth of a span is the quotient rounded down", T, PAGEFOLD_ALL_TABLES) {
    using classes = typename T::classes;
    for (unsigned number = 0; number < classes::count(); ++number) {
        const size_class& shape = classes::at(number);
        CAPTURE(number);
        for (unsigned free = 0; free < shape.slots; ++free) {
            CHECK(shape.eighth(free) == free * 8u / shape.slots);
        }
    }
}

TEST_CASE("longer chains narrow the classes") {
    CHECK(size_classes<4096, 1>::count() < size_classes<4096, 4>::count());
    CHECK(size_classes<4096, 4>::count() < size_classes<4096, 8>::count());
    CHECK(size_classes<4096, 8>::count() < size_classes<4096, 16>::count());
    CHECK(size_classes<4096, 16>::count() < size_classes<4096, 16>::max_count);
    CHECK(size_classes<4096, 8>::at(size_classes<4096, 8>::of(3000)).bytes == 3072);
    CHECK(size_classes<4096, 1>::at(size_classes<4096, 1>::of(3000)).bytes == 4096);
    CHECK(size_classes<4096, 8>::at(0).bytes == 40);
}

TEST_CASE("tables of greater units are the same table, scaled") {
    CHECK(size_classes<4096, 8>::count() == size_classes<65536, 8>::count());
    for (unsigned number = 0; number < size_classes<4096, 8>::count(); ++number) {
        CHECK(size_classes<4096, 8>::at(number).bytes * 16 == size_classes<65536, 8>::at(number).bytes);
        CHECK(size_classes<4096, 8>::at(number).units == size_classes<65536, 8>::at(number).units);
    }
}

} // namespace
} // namespace pagefold::testing::unit_alloc_size_classes
