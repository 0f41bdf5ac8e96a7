// SPDX-License-Identifier: MIT

#include <pagefold/store/index/entry_arrays.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/entry.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace unit_store_index_entry_arrays {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

template <class Entry, std::size_t HookBytes>
struct kind {
    using entry_type = Entry;
    using arrays = entry_arrays<Entry, HookBytes, test_source>;
    using array = typename arrays::array;
    static constexpr std::size_t hook_bytes = HookBytes;
};

template <class Test>
void for_each_kind(Test test) {
    test.template operator()<kind<basic_entry<28>, 0>>();
    test.template operator()<kind<basic_entry<28>, 8>>();
    test.template operator()<kind<basic_entry<60>, 0>>();
    test.template operator()<kind<basic_entry<60>, 8>>();
}

template <class Kind>
typename Kind::entry_type entry_of(std::uint64_t n) {
    return {n * 0x9e3779b97f4a7c15u, static_cast<typename Kind::entry_type::meta_type>(n * 0xd1b54a32d192ed03u)};
}
template <class Kind>
bool holds(const typename Kind::array& array, unsigned rank, std::uint64_t n) {
    const auto e = array.get(rank), expected = entry_of<Kind>(n);
    std::uint64_t hook = n;
    if constexpr (Kind::hook_bytes != 0) {
        std::memcpy(&hook, array.at(rank).hook, sizeof hook);
    }
    return e.word() == expected.word() && e.meta() == expected.meta() && hook == n;
}
template <class Kind>
void put(const typename Kind::array& array, unsigned rank, std::uint64_t n) {
    array.put(rank, entry_of<Kind>(n));
    if constexpr (Kind::hook_bytes != 0) {
        std::uint64_t hook = 1;
        std::memcpy(&hook, array.at(rank).hook, sizeof hook);
        REQUIRE(hook == 0); // it starts as zero
        std::memcpy(array.at(rank).hook, &n, sizeof n);
    }
}

} // namespace

TEST_CASE("an entry of 12 bytes without a wide hook can stand in an extent, no other") {
    CHECK(kind<basic_entry<28>, 0>::arrays::singles_inline);
    CHECK(!kind<basic_entry<28>, 8>::arrays::singles_inline);
    CHECK(!kind<basic_entry<60>, 0>::arrays::singles_inline);
    CHECK(!kind<basic_entry<60>, 8>::arrays::singles_inline);
    CHECK(kind<basic_entry<28>, 0>::arrays::entry_bytes == 12);
    CHECK(kind<basic_entry<60>, 8>::arrays::entry_bytes == 24);
}

TEST_CASE("an array of every length holds as many entries, and little more") {
    for_each_kind([]<class Kind>() {
        test_source source;
        typename Kind::arrays arrays{source, any_node};
        std::vector<cell_ref> refs;
        std::size_t used = 0;
        for (unsigned count = 1; count <= 64; ++count) {
            const cell_ref ref = arrays.allocate(count).value();
            const unsigned capacity = arrays.capacity(ref);
            REQUIRE(capacity >= count);
            REQUIRE(capacity <= count + count / 2 + 1);
            REQUIRE(arrays.bytes(ref) == capacity * Kind::arrays::entry_bytes);
            REQUIRE(arrays.contains(ref, count));
            REQUIRE(!arrays.contains(ref, capacity + 1));
            REQUIRE(!arrays.is_not_least_for(ref, count));
            REQUIRE(!arrays.is_large_for(ref, count));
            used += arrays.bytes(ref);
            for (unsigned i = 0; i < capacity; ++i) {
                put<Kind>(arrays.view(ref), i, count * 100 + i);
            }
            refs.push_back(ref);
        }
        for (unsigned count = 1; count <= 64; ++count) {
            for (unsigned i = 0; i < count; ++i) {
                REQUIRE(holds<Kind>(arrays.view(refs[count - 1]), i, count * 100 + i));
            }
        }
        CHECK(arrays.count() == 64);
        CHECK(arrays.used_bytes() == used);
        CHECK(arrays.check());
        CHECK(arrays.bytes() == source.bytes_held());
        for (const cell_ref ref : refs) {
            arrays.deallocate(ref);
        }
        CHECK(arrays.count() == 0);
        CHECK(arrays.check());
    });
}

TEST_CASE("an array is too large only by more than one size, but for who wants the least") {
    for_each_kind([]<class Kind>() {
        test_source source;
        typename Kind::arrays arrays{source, any_node};
        const cell_ref ref = arrays.allocate(24).value();
        CHECK(!arrays.is_large_for(ref, 17));
        CHECK(!arrays.is_large_for(ref, 16)); // the edge to the next size
        CHECK(arrays.is_large_for(ref, 15));
        CHECK(!arrays.is_not_least_for(ref, 17));
        CHECK(arrays.is_not_least_for(ref, 16));
        const cell_ref least = arrays.allocate(1).value();
        CHECK(!arrays.is_large_for(least, 1));
        CHECK(!arrays.is_not_least_for(least, 1));
        arrays.deallocate(ref);
        arrays.deallocate(least);
    });
}

TEST_CASE("entries move within an array and between arrays, with their hooks") {
    for_each_kind([]<class Kind>() {
        test_source source;
        typename Kind::arrays arrays{source, any_node};
        const cell_ref a = arrays.allocate(8).value(), b = arrays.allocate(12).value();
        const auto from = arrays.view(a), to = arrays.view(b);
        for (unsigned i = 0; i < 7; ++i) {
            put<Kind>(from, i, i);
        }
        from.move(from, 3, from, 2, 5); // up, onto itself
        for (unsigned i = 0; i < 8; ++i) {
            REQUIRE(holds<Kind>(from, i, i < 3 ? i : i - 1));
        }
        from.move(from, 2, from, 3, 5); // and down
        for (unsigned i = 0; i < 7; ++i) {
            REQUIRE(holds<Kind>(from, i, i));
        }
        to.move(to, 0, from, 0, 2);
        to.move(to, 3, from, 2, 5);
        put<Kind>(to, 2, 99);
        for (unsigned i = 0; i < 8; ++i) {
            REQUIRE(holds<Kind>(to, i, i < 2 ? i : i == 2 ? 99 : i - 1));
        }
        to.move(to, 0, from, 0, 0);
        REQUIRE(holds<Kind>(to, 0, 0));
        arrays.deallocate(a);
        arrays.deallocate(b);
    });
}

TEST_CASE("any reference may be asked whether it names an array") {
    for_each_kind([]<class Kind>() {
        test_source source;
        typename Kind::arrays arrays{source, any_node};
        CHECK(!arrays.contains(cell_ref{0}, 0));
        const cell_ref ref = arrays.allocate(3).value();
        unsigned others = 0;
        for (unsigned bit = 0; bit < 32; ++bit) {
            others += arrays.contains(cell_ref{static_cast<std::uint32_t>(ref) ^ 1u << bit}, 1) ? 1 : 0;
        }
        CHECK(others == 0);
        CHECK(!arrays.contains(cell_ref{0xffffffff}, 0));
        arrays.deallocate(ref);
        CHECK(!arrays.contains(ref, 1));
    });
}

TEST_CASE("an array that is refused leaves the others as they were") {
    for_each_kind([]<class Kind>() {
        test_source source;
        typename Kind::arrays arrays{source, any_node};
        rng random{1};
        std::vector<cell_ref> refs;
        unsigned refused = 0;
        for (unsigned i = 0; i < 800; ++i) {
            const unsigned count = 1 + static_cast<unsigned>(random.below(64));
            const std::size_t used = arrays.used_bytes();
            source.refuse_nth(1 + random.below(2), status::limit);
            result<cell_ref> ref = arrays.allocate(count);
            source.refuse_nth(0);
            if (!ref) {
                ++refused;
                REQUIRE(ref.error() == status::limit);
                REQUIRE(arrays.used_bytes() == used);
                REQUIRE(arrays.check());
                ref = arrays.allocate(count);
            }
            refs.push_back(ref.value());
        }
        CHECK(refused > 5);
        for (const cell_ref ref : refs) {
            arrays.deallocate(ref);
        }
        CHECK(arrays.check());
    });
}

TEST_CASE("arrays out of nearly empty blocks move together, and blocks go back") {
    for_each_kind([]<class Kind>() {
        test_source source;
        typename Kind::arrays arrays{source, any_node};
        rng random{1};
        std::vector<cell_ref> all, kept;
        for (unsigned i = 0; i < 4000; ++i) {
            all.push_back(arrays.allocate(8).value());
        }
        for (const cell_ref ref : all) {
            if (random.one_in(10)) {
                put<Kind>(arrays.view(ref), 0, kept.size());
                kept.push_back(ref);
            } else {
                arrays.deallocate(ref);
            }
        }
        const std::size_t before = arrays.bytes();
        for (int sweep = 0; sweep < 2; ++sweep) {
            for (cell_ref& ref : kept) {
                ref = arrays.relocate(ref).value();
            }
        }
        CHECK(arrays.bytes() < before / 4);
        CHECK(arrays.check());
        for (std::size_t i = 0; i < kept.size(); ++i) {
            REQUIRE(holds<Kind>(arrays.view(kept[i]), 0, i));
            arrays.deallocate(kept[i]);
        }
    });
}

} // namespace unit_store_index_entry_arrays
