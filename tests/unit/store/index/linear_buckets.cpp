// SPDX-License-Identifier: MIT

#include <pagefold/store/index/linear_buckets.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_store_index_linear_buckets {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

using buckets_type = linear_buckets<test_source>;

} // namespace

TEST_CASE("without a bucket there is no memory") {
    test_source source;
    buckets_type buckets{source, any_node};
    CHECK(buckets.count() == 0);
    CHECK(buckets.bytes() == 0);
    CHECK(source.acquisitions() == 0);
}

TEST_CASE("a hash belongs to a bucket that is there, and a new bucket takes from one only") {
    test_source source;
    buckets_type buckets{source, any_node};
    rng random{1};
    std::vector<std::uint64_t> hashes(2000);
    for (std::uint64_t& hash : hashes) {
        hash = random();
    }
    std::vector<std::uint32_t> before;
    for (std::uint32_t count = 1; count <= 300; ++count) {
        REQUIRE(buckets.add() == status::ok);
        REQUIRE(buckets.count() == count);
        REQUIRE(buckets[count - 1] == 0);
        std::vector<std::uint32_t> now;
        std::uint32_t taken = 0;
        for (std::size_t i = 0; i < hashes.size(); ++i) {
            const std::uint32_t b = buckets.of(hashes[i]);
            REQUIRE(b < count);
            now.push_back(b);
            if (!before.empty() && before[i] != b) {
                REQUIRE(before[i] == buckets.split_from());
                REQUIRE(b == count - 1);
                ++taken;
            }
        }
        // Of the bucket that is split about a half goes.
        REQUIRE((count < 2 || taken > 0 || count > 100));
        before = now;
    }
    for (std::uint32_t count = 300; count-- > 1;) {
        const std::uint32_t back = buckets.split_from();
        buckets.remove();
        for (std::size_t i = 0; i < hashes.size(); ++i) {
            const std::uint32_t b = buckets.of(hashes[i]);
            REQUIRE(b == (before[i] == count ? back : before[i]));
            before[i] = b;
        }
    }
    buckets.remove();
    CHECK(buckets.count() == 0);
}

TEST_CASE("no bucket has much more than its share of random hashes, between powers of two either") {
    test_source source;
    buckets_type buckets{source, any_node};
    rng random{2};
    for (const std::uint32_t count : {64u, 96u, 127u, 128u, 129u}) {
        while (buckets.count() < count) {
            REQUIRE(buckets.add() == status::ok);
        }
        std::vector<unsigned> met(count);
        for (unsigned i = 0; i < 1000 * count; ++i) {
            ++met[buckets.of(random())];
        }
        for (const unsigned one : met) {
            CHECK(one > 400); // a bucket that is not split yet has twice as many as one that is
            CHECK(one < 2300);
        }
    }
}

TEST_CASE("a bucket that is refused is not there, and the others keep their heads") {
    for (const status answer : {status::no_memory, status::limit}) {
        test_source source;
        buckets_type buckets{source, any_node};
        std::uint32_t refused = 0;
        for (std::uint32_t i = 0; i < 5000;) {
            source.refuse_nth(1, answer);
            const status s = buckets.add();
            source.refuse_nth(0);
            if (s != status::ok) {
                REQUIRE(s == answer);
                REQUIRE(buckets.count() == i);
                ++refused;
                REQUIRE(buckets.add() == status::ok);
            }
            buckets[i] = i + 7;
            ++i;
        }
        CHECK(refused >= 3);
        for (std::uint32_t i = 0; i < 5000; ++i) {
            REQUIRE(buckets[i] == i + 7);
        }
        CHECK(buckets.bytes() == source.bytes_held());
    }
}

TEST_CASE("pages of the table go back as it shrinks, and come back empty") {
    test_source source;
    buckets_type buckets{source, any_node};
    constexpr std::uint32_t count = 20'000;
    for (std::uint32_t i = 0; i < count; ++i) {
        REQUIRE(buckets.add() == status::ok);
        buckets[i] = i + 1;
    }
    const std::size_t full = buckets.bytes();
    CHECK(full >= count * sizeof(std::uint32_t));
    CHECK(full <= count * sizeof(std::uint32_t) + 3 * 4096);
    while (buckets.count() > count / 2) {
        buckets.remove();
        REQUIRE(buckets.bytes() <= buckets.count() * sizeof(std::uint32_t) + 5 * 4096);
    }
    for (std::uint32_t i = 0; i < count / 2; ++i) {
        REQUIRE(buckets[i] == i + 1);
    }
    // Around the edge of a page nothing comes and goes all the time.
    const std::uint32_t edge = count / 2 / 1024 * 1024;
    while (buckets.count() > edge) {
        buckets.remove();
    }
    const std::uint64_t acquired = source.acquisitions();
    for (int i = 0; i < 10; ++i) {
        for (int j = 0; j < 100; ++j) {
            REQUIRE(buckets.add() == status::ok);
            REQUIRE(buckets[buckets.count() - 1] == 0);
        }
        for (int j = 0; j < 100; ++j) {
            buckets.remove();
        }
    }
    CHECK(source.acquisitions() <= acquired + 1);
    while (buckets.count() > 0) {
        buckets.remove();
    }
    CHECK(buckets.bytes() == 0);
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("trim gives back all that lies above the last bucket") {
    test_source source;
    buckets_type buckets{source, any_node};
    for (std::uint32_t i = 0; i < 5000; ++i) {
        REQUIRE(buckets.add() == status::ok);
        buckets[i] = i + 1;
    }
    while (buckets.count() > 1024) {
        buckets.remove();
    }
    buckets.trim();
    CHECK(buckets.bytes() == 4096);
    CHECK(buckets[1023] == 1024);
    while (buckets.count() > 8) {
        buckets.remove();
    }
    buckets.trim();
    CHECK(buckets.bytes() == 0); // a few heads stand in the table itself
    CHECK(buckets[7] == 8);
}

} // namespace unit_store_index_linear_buckets
