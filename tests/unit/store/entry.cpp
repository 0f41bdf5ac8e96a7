// SPDX-License-Identifier: MIT

#include <pagefold/store/entry.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

namespace unit_store_entry {

using namespace pagefold;

namespace {

using short_entry = basic_entry<28>;
using long_entry = basic_entry<60>;

template <class Test>
void for_each_entry(Test test) {
    test.template operator()<short_entry>();
    test.template operator()<long_entry>();
}

} // namespace

TEST_CASE("an entry takes 12 bytes with a checksum of 28 bits, and 16 with one of 60") {
    CHECK(short_entry::bytes == 12);
    CHECK(long_entry::bytes == 16);
    CHECK(std::is_same_v<entry, short_entry>);
    CHECK(short_entry::checksum_bits == 28);
    CHECK(long_entry::checksum_bits == 60);
}

TEST_CASE("an entry of a payload holds handle, length, checksum and hook apart") {
    for_each_entry([]<class Entry>() {
        constexpr std::uint64_t handles[] = {0, 1, 0x123456789abc, (std::uint64_t{1} << handle_bits) - 1};
        constexpr std::uint64_t sums[] = {0, ~std::uint64_t{0}, 0x123456789abcdef0};
        for (const std::uint64_t handle : handles) {
            for (const std::size_t size : {std::size_t{1}, std::size_t{9}, std::size_t{4096}, Entry::max_size}) {
                for (const std::uint64_t sum : sums) {
                    Entry e = Entry::with_payload(object_handle{handle}, size, sum);
                    for (const unsigned hook : {7u, 0u, 5u, 2u}) {
                        e.set_hook(static_cast<std::uint8_t>(hook));
                        CHECK(e.hook() == hook);
                        CHECK(!e.is_inline());
                        CHECK(e.handle() == object_handle{handle});
                        CHECK(e.size() == size);
                        CHECK(e.matches(sum));
                    }
                }
            }
        }
    });
}

TEST_CASE("an entry of a stream holds the stream itself") {
    for_each_entry([]<class Entry>() {
        for (const std::uint64_t stream : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x8000000000000001}}) {
            Entry e = Entry::with_stream(stream, 0x0123456789abcdef);
            e.set_hook(6);
            CHECK(e.is_inline());
            CHECK(e.word() == stream);
            CHECK(e.hook() == 6);
            CHECK(e.matches(0x0123456789abcdef));
            CHECK(!e.matches(0x1123456789abcdef));
        }
    });
}

TEST_CASE("another handle changes nothing else") {
    for_each_entry([]<class Entry>() {
        Entry e = Entry::with_payload(object_handle{0x7fffffffffff}, 65536, 0xaaaaaaaaaaaaaaaa);
        e.set_hook(5);
        e.set_handle(object_handle{0x123456789abc});
        CHECK(e.handle() == object_handle{0x123456789abc});
        CHECK(e.size() == 65536);
        CHECK(e.hook() == 5);
        CHECK(e.matches(0xaaaaaaaaaaaaaaaa));
    });
}

TEST_CASE("the layout is the one that is written down") {
    const short_entry e = short_entry::with_payload(object_handle{0x2bcdef012345}, 0x1000, 0xfedcba98'76543210);
    CHECK(e.word() == 0x579bde02468a0fff);
    CHECK(e.meta() == 0xfedcba90);
    const short_entry inlined = short_entry::with_stream(42, 0xfedcba98'76543210);
    CHECK(inlined.word() == 42);
    CHECK(inlined.meta() == 0xfedcba91);
    short_entry hooked = e;
    hooked.set_hook(0xff);
    CHECK(hooked.meta() == 0xfedcba9e);
    CHECK(short_entry{hooked.word(), hooked.meta()}.hook() == 7);
    const long_entry l = long_entry::with_payload(object_handle{1}, 1, 0xfedcba98'76543210);
    CHECK(l.meta() == 0xfedcba98'76543210);
}

TEST_CASE("a flipped bit shows, but for those of the policy") {
    for_each_entry([]<class Entry>() {
        for (const std::uint64_t sum : {std::uint64_t{0}, std::uint64_t{0xfedcba98'76543210}}) {
            Entry e = Entry::with_payload(object_handle{0x123456789abc}, 2100, sum);
            e.set_hook(3);
            CHECK(e.is_whole());
            e.set_handle(object_handle{0x123456789abd});
            CHECK(e.is_whole());
            e.set_hook(4);
            CHECK(e.is_whole());
            unsigned noticed = 0;
            for (unsigned bit = 0; bit < 64; ++bit) {
                noticed += Entry{e.word() ^ std::uint64_t{1} << bit, e.meta()}.is_whole() ? 0u : 1u;
            }
            CHECK(noticed == 64);
            for (unsigned bit = 4; bit < 8 * (Entry::bytes - 8); ++bit) {
                using meta_type = typename Entry::meta_type;
                const auto flipped = static_cast<meta_type>(e.meta() ^ meta_type{1} << bit);
                CHECK(!Entry{e.word(), flipped}.is_whole());
            }
        }
    });
}

TEST_CASE("every kept bit of the checksum counts, and there are as many as the entry says") {
    for_each_entry([]<class Entry>() {
        const std::uint64_t sum = 0x5a5a5a5a'5a5a5a5a;
        for (const Entry e : {Entry::with_payload(object_handle{3}, 100, sum), Entry::with_stream(3, sum)}) {
            unsigned counted = 0;
            for (unsigned bit = 0; bit < 64; ++bit) {
                counted += e.matches(sum ^ std::uint64_t{1} << bit) ? 0u : 1u;
            }
            CHECK(counted == Entry::checksum_bits);
            CHECK(e.matches(sum));
        }
    });
}

TEST_CASE("an entry that is away keeps length and checksum, says where, and comes back as it was") {
    for_each_entry([]<class Entry>() {
        for (const std::size_t size : {std::size_t{9}, std::size_t{2100}, std::size_t{4096}, Entry::max_size}) {
            for (const std::uint32_t place : {0u, 1u, 0x5a5a5a5au, (1u << tier_place_bits) - 1}) {
                const std::uint64_t sum = 0xfedcba98'76543210;
                Entry here = Entry::with_payload(object_handle{0x123456789abc}, size, sum);
                here.set_hook(5);
                CHECK(!here.is_away());
                const Entry away = here.moved_away(static_cast<tier_place>(place));
                CHECK(away.is_away());
                CHECK(!away.is_inline());
                CHECK(away.is_whole());
                CHECK(away.hook() == 0);
                CHECK(away.place() == static_cast<tier_place>(place));
                CHECK(away.away_size() == size);
                CHECK(away.matches(sum));
                CHECK(!away.matches(~sum));
                for (unsigned bit = 0; bit < 64; ++bit) {
                    CHECK(!Entry{away.word() ^ std::uint64_t{1} << bit, away.meta()}.is_whole());
                }
                const Entry back = away.brought_back(object_handle{77});
                CHECK(!back.is_away());
                CHECK(back.is_whole());
                CHECK(back.handle() == object_handle{77});
                CHECK(back.size() == size);
                CHECK(back.matches(sum));
                CHECK(back.is_like(here));
                CHECK(!away.is_like(here));
            }
        }
        const Entry one = Entry::with_payload(object_handle{1}, 100, 16);
        CHECK(!one.is_like(Entry::with_payload(object_handle{1}, 101, 16)));
        CHECK(!one.is_like(Entry::with_payload(object_handle{1}, 100, ~std::uint64_t{0})));
        CHECK(!Entry::with_stream(0, 0).is_away());
    });
}

TEST_CASE("an entry of a store with clones: own, delta and reference, each told from the others, and from damage") {
    const auto test = []<class Entry>() {
        CHECK(Entry::max_size == 4096);
        for (const std::size_t size : {std::size_t{9}, std::size_t{4095}, std::size_t{4096}}) {
            const Entry own = Entry::with_payload(object_handle{0x123456789abc}, size, 0x123456789abcdef0);
            const Entry delta = own.as_delta(), reference = Entry::with_reference(size, 0x123456789abcdef0);
            const std::uint32_t ordinal = size == 9 ? 0 : 0xffffffffu;
            const Entry by_content = Entry::with_reference(size, ordinal, 0x123456789abcdef0);
            CHECK(by_content.ordinal() == ordinal);
            CHECK(!(Entry{by_content.word() | std::uint64_t{3} << 49, by_content.meta()}.is_whole()));
            for (const Entry& e : {own, delta, reference, by_content}) {
                CHECK(e.size() == size);
                CHECK(e.matches(0x123456789abcdef0));
                CHECK(e.sum() == own.sum());
                CHECK(e.is_whole());
                CHECK(!e.is_inline());
                CHECK(e.is_delta() == e.is_same(delta));
                CHECK(e.is_reference() == (e.is_same(reference) || e.is_same(by_content)));
                CHECK(e.has_ordinal() == e.is_same(by_content));
                CHECK(e.has_base() == !e.is_same(own));
                Entry used = e;
                used.set_hook(5);
                CHECK(used.is_same(e));
                CHECK(used.is_whole());
                for (unsigned bit = 0; bit != 64; ++bit) {
                    CHECK(!Entry{e.word() ^ std::uint64_t{1} << bit, e.meta()}.is_whole());
                }
                for (unsigned bit = 12; bit != 16; ++bit) { // two bits, of which the parity knows nothing
                    const std::uint64_t word = e.word() ^ std::uint64_t{1} << bit ^ std::uint64_t{1} << 16;
                    const Entry other{word, e.meta()};
                    CHECK((!other.is_whole() || other.is_delta() != e.is_delta() ||
                           other.is_reference() != e.is_reference() || other.has_ordinal() != e.has_ordinal()));
                }
            }
            Entry moved = delta;
            moved.set_handle(object_handle{7});
            CHECK(moved.is_delta());
            CHECK(moved.size() == size);
            CHECK(moved.is_whole());
            CHECK(!moved.is_same(delta));
        }
        for (std::uint64_t word = 0x1000; word <= 0xffff; word += 0x1fff) { // a stream that looks like one of them
            const Entry e = Entry::with_stream(word, 1);
            CHECK(!e.is_reference());
            CHECK(!e.is_delta());
            CHECK(!e.has_base());
        }
    };
    test.operator()<basic_entry<28, true>>();
    test.operator()<basic_entry<60, true>>();
    CHECK(!short_entry::with_payload(object_handle{1}, 0x3001, 1).has_base());
}

} // namespace unit_store_entry
