// SPDX-License-Identifier: MIT
#include <pagefold/store/partition_pair.hpp>

#include "support/partition_fixture.hpp"
#include "support/store_configs.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_store_partition_pair {
namespace {

/// Notes who locks and unlocks, in order.
struct noting_lock {
    void lock() noexcept { calls.push_back({this, true}); }
    void unlock() noexcept { calls.push_back({this, false}); }
    struct call {
        const noting_lock* lock;
        bool takes;
    };
    static inline std::vector<call> calls;
};
struct noting_config : default_config {
    using lock_type = noting_lock;
};

/// Two partitions with the same pool.
template <class Config>
struct two_partitions : lone_partition<Config> {
    explicit two_partitions(pool_kind kind) : lone_partition<Config>{kind} {
        REQUIRE(other.open_pool(this->id) == status::ok);
    }
    moved move(std::uint64_t index, std::uint32_t route = 0, std::size_t held_back = 0) {
        partition_pair<Config> pair{this->part, other, true};
        located_key k = this->at(1, index);
        k.route = route;
        return pair ? pair.move(k, buffer, held_back) : moved{status::busy};
    }
    [[nodiscard]] bool is_in(partition<Config>& which, std::uint64_t index, std::uint32_t route = 0) {
        std::array<std::byte, 4096> out;
        typename partition<Config>::fetched found;
        located_key k = this->at(1, index);
        k.route = route;
        return which.fetch(k, out, buffer, false, found) == status::ok;
    }

    partition_gauge other_gauge;
    partition<Config> other{this->source, this->budget, this->table, this->hasher, other_gauge, any_node};
    std::array<std::byte, 4096> buffer{};
};

TEST_CASE("partition_pair: a page goes from the one to the other") {
    two_partitions<default_config> s{pool_kind::persistent};
    REQUIRE(s.put(1, 800) == status::ok);
    CHECK(s.move(1).has_gone);
    CHECK(!s.is_in(s.part, 1));
    CHECK(s.is_in(s.other, 1));
    CHECK(!s.move(1).has_gone);
    CHECK(s.part.check());
    CHECK(s.other.check());
}

TEST_CASE("partition_pair: the lower number's lock comes first, and both are let go before pages are released") {
    for (const bool from_is_lower : {false, true}) {
        two_partitions<noting_config> s{pool_kind::persistent};
        noting_lock::calls.clear();
        { const partition_pair<noting_config> pair{s.part, s.other, from_is_lower}; }
        REQUIRE(noting_lock::calls.size() == 4);
        const auto& calls = noting_lock::calls;
        CHECK(calls[0].takes);
        CHECK(calls[1].takes);
        CHECK(!calls[2].takes);
        CHECK(!calls[3].takes);
        CHECK(calls[0].lock != calls[1].lock);
        CHECK(calls[2].lock != calls[3].lock);
        CHECK((reinterpret_cast<std::uintptr_t>(calls[0].lock) - reinterpret_cast<std::uintptr_t>(&s.part) <
               sizeof s.part) == from_is_lower);
    }
}

TEST_CASE("partition_pair: who comes by an older route is sent back, by either partition") {
    for (const bool first : {false, true}) {
        two_partitions<default_config> s{pool_kind::persistent};
        REQUIRE(s.put(1, 800) == status::ok);
        CHECK((first ? s.is_in(s.part, 1, 5) : !s.is_in(s.other, 1, 5))); // leaves its number there
        CHECK(s.move(1, 4).result == has_moved);
        CHECK(s.is_in(s.part, 1, 5));
        CHECK(s.move(1, 5).result == status::ok);
        CHECK(s.is_in(s.other, 1, 5));
    }
}

TEST_CASE("partition_pair: a pool that is closed in one of the two is none") {
    for (const bool first : {false, true}) {
        two_partitions<default_config> s{pool_kind::persistent};
        REQUIRE(s.put(1, 800) == status::ok);
        (first ? s.part : s.other).close_pool(s.id);
        CHECK(s.move(1).result == status::invalid);
    }
}

TEST_CASE("partition_pair: a put takes the place of the version that has not moved, or leaves it until its last try") {
    for (const bool has_room : {true, false}) {
        two_partitions<default_config> s{pool_kind::persistent};
        const std::vector<std::byte> stream = page_of(4096, page_kind::random, 9);
        const located_key k = s.at(1, 1);
        REQUIRE(s.put(1, 800) == status::ok);
        s.budget.set_limit(has_room ? s.budget.limit() : s.budget.used());
        const auto put = [&](bool is_last) {
            partition_pair<default_config> pair{s.part, s.other, true};
            return pair
                .put(k, stream, checksum(stream, k.sum_seed), 0,
                     {partition<default_config>::no_pool, false, is_last, {}})
                .result;
        };
        CHECK(put(false) == (has_room ? status::ok : status::limit));
        CHECK(s.is_in(s.part, 1) == !has_room);
        CHECK(s.is_in(s.other, 1) == has_room);
        CHECK(put(true) == (has_room ? status::ok : status::limit)); // over itself, or in vain
        CHECK(!s.is_in(s.part, 1));
        CHECK(s.is_in(s.other, 1) == has_room);
        CHECK(s.part.check());
        CHECK(s.other.check());
    }
}

TEST_CASE("partition_pair: a put that is busy, as the pool is frozen, leaves the version that has not moved") {
    for (const bool is_last : {false, true}) {
        two_partitions<migrating_config> s{pool_kind::persistent};
        const std::vector<std::byte> stream = page_of(4096, page_kind::random, 9);
        const located_key k = s.at(1, 1);
        REQUIRE(s.put(1, 800) == status::ok);
        s.other.log_pool(s.id, nullptr, 0, true);
        {
            partition_pair<migrating_config> pair{s.part, s.other, true};
            CHECK(pair.put(k, stream, checksum(stream, k.sum_seed), 0,
                           {partition<migrating_config>::no_pool, false, is_last, {}})
                      .result == status::busy);
        }
        CHECK(s.is_in(s.part, 1));
        CHECK(!s.is_in(s.other, 1));
        CHECK(s.part.check());
    }
}

TEST_CASE("partition_pair: a page that is refused is in neither any more") {
    for (const bool has_moved_on : {false, true}) {
        two_partitions<default_config> s{pool_kind::persistent};
        REQUIRE(s.put(1, 800) == status::ok);
        if (has_moved_on) {
            REQUIRE(s.move(1).has_gone);
        }
        {
            partition_pair<default_config> pair{s.part, s.other, true};
            CHECK(pair.refuse(s.at(1, 1), status::incompressible) == status::ok);
        }
        CHECK(!s.is_in(s.part, 1));
        CHECK(!s.is_in(s.other, 1));
        CHECK(s.part.check());
        CHECK(s.other.check());
    }
}

TEST_CASE("partition_pair: puts and refusals by an older route, or of a closed pool, change nothing") {
    for (const bool first : {false, true}) {
        two_partitions<default_config> s{pool_kind::persistent};
        const std::vector<std::byte> stream = page_of(4096, page_kind::random, 9);
        REQUIRE(s.put(1, 800) == status::ok);
        CHECK((first ? s.is_in(s.part, 1, 5) : !s.is_in(s.other, 1, 5))); // leaves its number there
        for (const status expected : {has_moved, status::invalid}) {
            if (expected == status::invalid) {
                (first ? s.part : s.other).close_pool(s.id);
            }
            partition_pair<default_config> pair{s.part, s.other, true};
            const located_key k = s.at(1, 1);
            CHECK(pair.put(k, stream, 0, 0, {}).result == expected);
            CHECK(pair.refuse(k, status::incompressible) == expected);
        }
        CHECK((first || s.is_in(s.part, 1)));
    }
}

TEST_CASE("partition_pair: what others have reserved stays free") {
    two_partitions<default_config> s{pool_kind::persistent};
    REQUIRE(s.put(1, 4096) == status::ok);
    s.budget.set_limit(s.budget.used() + 100'000);
    CHECK(s.move(1, 0, 100'000).result == status::limit);
    CHECK(s.is_in(s.part, 1));
    CHECK(s.move(1, 0, 0).result == status::ok);
}

TEST_CASE("partition_pair: within a hold of the same thread it is not to be had") {
    two_partitions<default_config> s{pool_kind::persistent};
    const partition_pair<default_config> outer{s.part, s.other, true};
    CHECK(static_cast<bool>(outer));
    CHECK(s.move(1).result == status::busy);
}

} // namespace
} // namespace pagefold::testing::unit_store_partition_pair
