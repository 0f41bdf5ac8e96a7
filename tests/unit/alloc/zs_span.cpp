// SPDX-License-Identifier: MIT
#include <pagefold/alloc/zs_span.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace pagefold::testing::unit_alloc_zs_span {
namespace {

template <std::size_t UnitBytes, unsigned ChainUnits>
struct parameters {
    using span = zs_span<UnitBytes, ChainUnits>;
    using classes = size_classes<UnitBytes, ChainUnits>;
    static constexpr std::size_t unit = UnitBytes;
    static constexpr unsigned chain = ChainUnits;
};

#define PAGEFOLD_ALL_SPANS parameters<4096, 1>, parameters<4096, 8>, parameters<4096, 16>, parameters<16384, 12>

void* const place =
    reinterpret_cast<void*>(sizeof(void*) == 8 ? static_cast<std::uintptr_t>(0x123456789000ull) : 0x12345000u);

/// Calls visit(span, class, doublings) for a fresh span of every shape there can be.
template <class T, class Visit>
void for_each_shape(Visit visit) {
    for (unsigned number = 0; number + 1 < T::classes::count(); ++number) {
        const size_class& shape = T::classes::at(number);
        for (unsigned doublings = 0; doublings <= T::span::max_doublings; ++doublings) {
            if (unsigned{shape.units} << doublings <= T::chain &&
                unsigned{shape.slots} << doublings <= T::classes::max_slots) {
                CAPTURE(number);
                CAPTURE(doublings);
                typename T::span span{};
                span.open(place, number, doublings);
                visit(span, number, doublings);
            }
        }
    }
}

TEST_CASE_TEMPLATE("a span knows its shape and place, and starts empty", T, PAGEFOLD_ALL_SPANS) {
    static_assert(sizeof(typename T::span) == 32 || sizeof(void*) != 8);
    CHECK_FALSE(typename T::span{}.live());
    for_each_shape<T>([](const typename T::span& span, unsigned number, unsigned doublings) {
        const size_class& shape = T::classes::at(number);
        CHECK(span.live());
        CHECK(span.class_number() == number);
        CHECK(span.doublings() == doublings);
        CHECK(span.base() == place);
        CHECK(span.slots() == unsigned{shape.slots} << doublings);
        CHECK(span.bytes() == (shape.units * T::unit) << doublings);
        CHECK(span.slot(span.slots() - 1) + shape.bytes <= span.base() + span.bytes());
        CHECK(span.free_count() == span.slots());
        CHECK(span.used() == 0);
        CHECK_FALSE(span.is_victim());
        CHECK(span.consistent());
    });
}

TEST_CASE_TEMPLATE("slots are taken lowest first, each once, and can be put back", T, PAGEFOLD_ALL_SPANS) {
    for_each_shape<T>([](typename T::span& span, unsigned, unsigned) {
        const unsigned slots = span.slots();
        bool in_order = true, consistent = true;
        for (unsigned at = 0; at < slots; ++at) {
            in_order = in_order && span.is_free(at) && span.take() == at && !span.is_free(at);
            consistent = consistent && span.consistent() && span.used() == at + 1;
        }
        CHECK(in_order);
        CHECK(consistent);
        CHECK(span.free_count() == 0);
        for (const unsigned at : {slots - 1, 0u}) {
            span.put_back(at);
            CHECK(span.is_free(at));
            CHECK(span.free_count() == 1);
            CHECK(span.take() == at);
        }
    });
}

TEST_CASE_TEMPLATE("the used slots are found from any on", T, PAGEFOLD_ALL_SPANS) {
    for_each_shape<T>([](typename T::span& span, unsigned, unsigned) {
        const unsigned slots = span.slots();
        CHECK(span.next_used(0) == slots);
        for (unsigned at = 0; at < slots; ++at) {
            static_cast<void>(span.take());
        }
        for (unsigned at = 1; at < slots; at += 1 + at % 3) {
            span.put_back(at);
        }
        bool agree = true;
        for (unsigned from = 0; from <= slots; ++from) {
            unsigned expected = from;
            while (expected < slots && span.is_free(expected)) {
                ++expected;
            }
            agree = agree && span.next_used(from) == expected;
        }
        CHECK(agree);
    });
}

TEST_CASE_TEMPLATE("the eighth of a span counts its own slots, doubled or not", T, PAGEFOLD_ALL_SPANS) {
    for_each_shape<T>([](const typename T::span& span, unsigned, unsigned) {
        bool agree = true;
        for (unsigned free = 0; free < span.slots(); ++free) {
            agree = agree && span.eighth(free) == free * 8 / span.slots();
        }
        CHECK(agree);
    });
}

TEST_CASE_TEMPLATE("being a victim changes nothing else", T, PAGEFOLD_ALL_SPANS) {
    for_each_shape<T>([](typename T::span& span, unsigned number, unsigned doublings) {
        span.set_victim(true);
        CHECK(span.is_victim());
        CHECK(span.class_number() == number);
        CHECK(span.doublings() == doublings);
        CHECK(span.base() == place);
        CHECK(span.consistent());
        span.set_victim(false);
        CHECK_FALSE(span.is_victim());
    });
}

TEST_CASE("a header whose fields disagree is not consistent") {
    using span = zs_span<4096, 8>;
    const auto broken = [](auto damage) {
        span s{};
        s.open(place, size_classes<4096, 8>::of(64), 0); // 64 slots
        damage(s);
        return !s.consistent();
    };
    CHECK_FALSE(broken([](span&) {}));
    CHECK(broken([](span& s) { s.low &= ~std::uint64_t{1}; }));       // a slot in use that was not counted
    CHECK(broken([](span& s) { s.high |= 1; }));                      // a slot that it doesn't have
    CHECK(broken([](span& s) { s.high += std::uint64_t{1} << 56; })); // one more free than there are
    CHECK(broken([](span& s) { s.where |= 0xff; }));                  // no such class
}

} // namespace
} // namespace pagefold::testing::unit_alloc_zs_span
