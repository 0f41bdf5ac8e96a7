// SPDX-License-Identifier: MIT
#include <pagefold/store/shared_ghost.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace pagefold::testing::unit_store_shared_ghost {
namespace {

using ghost = shared_ghost<test_source>;
constexpr std::size_t page = 4096, mib = 1u << 20;

std::uint64_t hash_of(std::uint64_t key) { return rng{key + 1}(); }

struct fixture {
    explicit fixture(unsigned admission = 100, unsigned eviction = 0) : g{source, any_node} {
        g.set_percents(admission, eviction);
        g.pool_opened();
    }
    [[nodiscard]] key_past ask(std::uint64_t key, std::size_t limit = mib) { return g.ask(hash_of(key), limit, page); }
    void trim_all(std::uint64_t pages, std::size_t limit) {
        unsigned calls = 1;
        while (!g.trim(pages, limit, page)) {
            REQUIRE(++calls < 1000);
        }
    }
    test_source source;
    ghost g;
};

TEST_CASE("shared_ghost: a key is known from when it left to when it comes") {
    fixture f;
    CHECK(f.ask(1) == key_past::unseen);
    CHECK(f.ask(1) == key_past::unseen); // asking is not leaving
    f.g.note_left(hash_of(1));
    CHECK(f.ask(1) == key_past::left);
    CHECK(f.ask(1) == key_past::left);
    CHECK(f.ask(2) == key_past::unseen);
    f.g.note_arrival(hash_of(1));
    CHECK(f.ask(1) == key_past::unseen);
}

TEST_CASE("shared_ghost: who leaves twice is known once, whoever remembers it") {
    fixture f{100, 100};
    static_cast<void>(f.ask(1));
    f.g.remember(hash_of(1)); // an eviction policy
    f.g.note_left(hash_of(1));
    f.g.note_left(hash_of(1));
    CHECK(f.g.recall(hash_of(1)));
    CHECK_FALSE(f.g.recall(hash_of(1)));
    CHECK(f.ask(1) == key_past::unseen);
}

TEST_CASE("shared_ghost: takes no memory before it is asked, and has its first keys then") {
    fixture f;
    CHECK(f.source.acquisitions() == 0);
    f.g.note_left(hash_of(1)); // nowhere
    CHECK(f.source.acquisitions() == 0);
    CHECK(f.ask(1) == key_past::unseen);
    CHECK(f.g.bytes() == page); // 256 pages of a MiB, and a page of the source at least
    for (const std::uint64_t pages : {2048u, 2049u, 5000u}) {
        fixture larger;
        static_cast<void>(larger.ask(1, to_size(pages * page)));
        CHECK(larger.g.bytes() == (pages * 2 + page - 1) / page * page);
        CHECK(larger.g.bytes() == larger.source.bytes_held());
    }
}

TEST_CASE("shared_ghost: the first page is a 64th of the limit at most, and else nobody can know") {
    fixture f;
    CHECK(f.ask(1, 64 * page) == key_past::unseen);
    fixture small;
    CHECK(small.ask(1, 64 * page - 1) == key_past::untold);
    small.g.note_left(hash_of(1));
    CHECK(small.ask(1, 64 * page - 1) == key_past::untold);
    CHECK(small.source.acquisitions() == 0);
    CHECK(fixture{}.ask(1, 0) == key_past::untold);
}

TEST_CASE("shared_ghost: grows by some pages a call, and a store without a limit counts as one of 256 MiB") {
    fixture f;
    static_cast<void>(f.ask(1, std::size_t{1} << 30));
    CHECK(f.g.bytes() == 33 * page); // with a table of theirs
    for (int i = 0; i < 10; ++i) {
        static_cast<void>(f.ask(1, std::size_t{1} << 30));
    }
    CHECK(f.g.bytes() == 129 * page); // 2^30 / 4096 keys of 2 bytes
    // Nor one whose limit no machine has the memory for.
    constexpr std::size_t greatest = ~std::size_t{0}, half = greatest / 2 + 1;
    constexpr std::size_t beyond =
        sizeof(std::size_t) > 4 ? std::size_t{1} << (sizeof(std::size_t) > 4 ? 44 : 0) : half;
    for (const std::size_t limit : {greatest, greatest - 1, half, half - 1, beyond}) {
        fixture endless;
        for (int i = 0; i < 10; ++i) {
            static_cast<void>(endless.ask(1, limit));
        }
        CHECK(endless.g.bytes() == 33 * page);
    }
}

TEST_CASE("shared_ghost: the first keys take a 64th of the limit at most, whatever the percentage") {
    for (const unsigned percent : {3200u, 3300u, ~0u}) {
        fixture f{percent};
        for (int i = 0; i < 100; ++i) {
            static_cast<void>(f.ask(1, 64 * mib));
        }
        CHECK(f.g.bytes() >= mib);
        CHECK(f.g.bytes() <= mib + 2 * page); // with a table
    }
}

TEST_CASE("shared_ghost: knows about as many keys as it has room for") {
    fixture f;
    constexpr std::size_t limit = 4000 * page;
    static_cast<void>(f.ask(1, limit));
    for (std::uint64_t key = 0; key < 20'000; ++key) {
        f.g.note_left(hash_of(key));
    }
    unsigned known = 0, strangers = 0;
    for (std::uint64_t key = 17'000; key < 20'000; ++key) {
        known += f.ask(key, limit) == key_past::left ? 1u : 0u;
    }
    for (std::uint64_t key = 30'000; key < 33'000; ++key) {
        strangers += f.ask(key, limit) == key_past::left ? 1u : 0u;
    }
    CHECK(known > 2850);
    CHECK(strangers < 6); // 32 in 65536 each
}

TEST_CASE("shared_ghost: without a percentage nothing is asked, remembered, or taken") {
    fixture f{0, 100};
    CHECK(f.ask(1) == key_past::untold);
    f.g.note_left(hash_of(1));
    CHECK(f.ask(1) == key_past::untold);
    CHECK(f.source.acquisitions() == 0);
    for (std::uint64_t pages = 0; pages < 3000; ++pages) {
        f.g.follow(pages, pages * 2048);
    }
    CHECK(f.g.bytes() != 0); // the eviction policy's
    f.g.note_left(hash_of(1));
    CHECK_FALSE(f.g.recall(hash_of(1)));
    f.g.remember(hash_of(1));
    CHECK(f.g.recall(hash_of(1)));
}

TEST_CASE("shared_ghost: follows the pages beyond its first keys, as the one that wants more wants it") {
    for (const auto& [admission, eviction] : {std::pair{100u, 50u}, std::pair{50u, 100u}}) {
        fixture f{admission, eviction};
        static_cast<void>(f.ask(1, 64 * page));
        for (std::uint64_t pages = 0; pages <= 50'000; ++pages) {
            const std::size_t before = f.g.bytes(), held = to_size(pages * 2048);
            f.g.follow(pages, held);
            REQUIRE(f.g.bytes() <= before + 2 * page); // one may be a table
            REQUIRE((f.g.bytes() <= page || f.g.bytes() <= held / ghost::part));
        }
        CHECK(f.g.bytes() >= 96'000);
        CHECK(f.g.bytes() <= 104'000);
    }
    fixture tight;
    static_cast<void>(tight.ask(1, 64 * page));
    for (std::uint64_t pages = 0; pages <= 50'000; ++pages) {
        tight.g.follow(pages, to_size(pages * 100)); // pages that take little
        REQUIRE((tight.g.bytes() <= page || tight.g.bytes() * ghost::part <= pages * 100));
    }
}

TEST_CASE(
    "shared_ghost: what is too long is given back, some pages a call, and the first keys stay while there is a pool") {
    fixture f;
    constexpr std::size_t limit = 5000 * page;
    static_cast<void>(f.ask(1, limit));
    for (std::uint64_t pages = 0; pages <= 200'000; ++pages) {
        f.g.follow(pages, to_size(pages * 2048));
    }
    CHECK(f.g.bytes() > 90 * page);
    CHECK(f.g.is_long(5000, limit, page));
    CHECK_FALSE(f.g.trim(5000, limit, page));
    f.trim_all(5000, limit);
    CHECK(f.g.bytes() == 3 * page);
    CHECK_FALSE(f.g.is_long(0, limit, page));
    CHECK(f.g.trim(0, limit, page));
    CHECK(f.g.bytes() == 3 * page); // the first keys
    f.trim_all(0, 2000 * page);     // a lower limit
    CHECK(f.g.bytes() == page);
    f.trim_all(0, 10 * page);
    CHECK(f.g.bytes() == 0);
    CHECK(f.source.bytes_held() == 0);
    CHECK(f.ask(1, limit) == key_past::unseen);
    f.g.pool_opened();
    f.g.pool_closed();
    CHECK(f.g.trim(0, limit, page));
    CHECK(f.g.bytes() == 3 * page);
    f.g.pool_closed();
    CHECK(f.g.is_long(0, limit, page));
    f.trim_all(0, limit);
    CHECK(f.g.bytes() == 0);
    CHECK(f.source.bytes_held() == 0);
}

TEST_CASE("shared_ghost: what trim leaves, a look doesn't take again") {
    for (std::size_t pages = 1; pages < 9000; pages += 97) {
        fixture f;
        static_cast<void>(f.ask(1, pages * page));
        const std::size_t bytes = f.g.bytes();
        f.trim_all(0, pages * page);
        REQUIRE(f.g.bytes() == bytes);
        static_cast<void>(f.ask(1, pages * page));
        REQUIRE(f.g.bytes() == bytes);
    }
}

TEST_CASE("shared_ghost: a refusal is no failure, nobody is a stranger then, and it asks again later") {
    fixture f;
    f.source.refuse_all(true);
    for (int i = 0; i < 640; ++i) {
        REQUIRE(f.ask(1) == key_past::untold);
        f.g.note_left(hash_of(1));
    }
    CHECK(f.source.refusals() >= 5);
    CHECK(f.source.refusals() <= 12);
    f.source.refuse_all(false);
    unsigned untold = 0;
    while (f.ask(1) == key_past::untold) {
        REQUIRE(++untold <= 65);
    }
    CHECK(f.ask(1) == key_past::unseen);
    // Larger, and refused: smaller than it should be.
    f.source.refuse_all(true);
    CHECK(f.ask(1, 100 * mib) == key_past::unseen);
    CHECK(f.g.bytes() == page);
    f.g.note_left(hash_of(1));
    CHECK(f.ask(1, 100 * mib) == key_past::left);
}

TEST_CASE("shared_ghost: pools are charged a part of what is held at most") {
    fixture f;
    static_cast<void>(f.ask(1, 10'000 * page));
    CHECK(f.g.bytes() == 5 * page);
    CHECK(f.g.charged_bytes(0) == 0);
    CHECK(f.g.charged_bytes(ghost::part * page) == page);
    CHECK(f.g.charged_bytes(ghost::part * 100 * page) == 5 * page);
}

} // namespace
} // namespace pagefold::testing::unit_store_shared_ghost
