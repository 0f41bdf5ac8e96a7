// SPDX-License-Identifier: MIT
#include <pagefold/store/page_move.hpp>

#include "support/partition_fixture.hpp"
#include "support/store_configs.hpp"
#include "support/test_tier.hpp"

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_page_move {
namespace {

constexpr pool_kind persistent = pool_kind::persistent, ephemeral = pool_kind::ephemeral;

template <class Config>
struct two_states {
    explicit two_states(pool_kind kind, std::size_t limit = ~std::size_t{0}) : from{kind}, to{kind, limit} {}
    moved move(std::uint64_t index) {
        return page_move<Config>{from.state, to.state}.move(from.pool(), to.pool(), from.at(1, index), buffer);
    }
    [[nodiscard]] bool check() { return from.check() && to.check(); }

    lone_state<Config> from, to;
    std::array<std::byte, 4096> buffer{};
};
template <class Source, std::size_t Most>
using other_tlsf = tlsf<Source, Most>;
struct tlsf_config : default_config {
    template <class Source, std::size_t Most>
    using allocator_type = other_tlsf<Source, Most>;
};

TEST_CASE_TEMPLATE("page_move: streams of every kind go over whole, and nothing of them stays", Config, default_config,
                   lru_config, tlsf_config) {
    for (const pool_kind kind : {persistent, ephemeral}) {
        two_states<Config> s{kind};
        const std::size_t sizes[] = {min_stream_size, min_stream_size + 1, 100, 1000, 2000, 4091, 4092, 4096};
        for (std::uint64_t i = 0; i < 8; ++i) {
            REQUIRE(s.from.put(i, sizes[i]) == status::ok);
        }
        for (std::uint64_t i = 0; i < 8; ++i) {
            CAPTURE(sizes[i]);
            const moved one = s.move(i);
            REQUIRE(one.result == status::ok);
            REQUIRE(one.has_gone);
            REQUIRE(!one.has_stayed);
            REQUIRE(s.from.lacks(i));
            REQUIRE(s.to.holds(i, sizes[i]));
            REQUIRE(s.check());
        }
        CHECK(s.from.pool().counts.stored_pages == 0);
        CHECK(s.from.state.allocator.allocated_bytes() == 0);
        CHECK(s.from.record.payload.load(memory_order::relaxed) == 0);
        CHECK(s.from.record.tables.load(memory_order::relaxed) == 0);
        CHECK(s.to.pool().counts.stored_pages == 8);
        CHECK(s.to.record.payload.load(memory_order::relaxed) == s.to.pool().counts.payload_bytes);
        CHECK(s.to.state.pages_migrated == 8);
        CHECK(s.from.state.erased_pages == 0);
        CHECK(s.to.pool().counts.puts == 0); // it is no put
    }
}

TEST_CASE("page_move: a page that is not there is no failure, and nothing happens") {
    two_states<default_config> s{persistent};
    REQUIRE(s.from.put(1, 500) == status::ok);
    const moved none = s.move(2);
    CHECK(none.result == status::ok);
    CHECK(!none.has_gone);
    CHECK(s.to.state.pages_migrated == 0);
    CHECK(s.from.holds(1, 500));
}

TEST_CASE("page_move: a version that is there already is newer, and stays") {
    for (const pool_kind kind : {persistent, ephemeral}) {
        two_states<default_config> s{kind};
        REQUIRE(s.from.put(1, 500, 1).result == status::ok);
        REQUIRE(s.to.put(1, 700, 2).result == status::ok);
        const moved one = s.move(1);
        CHECK(one.result == status::ok);
        CHECK(one.has_gone);
        CHECK(s.from.lacks(1));
        CHECK(s.to.holds(1, 700, 2));
        CHECK(s.to.pool().counts.stored_pages == 1);
        CHECK(s.to.state.pages_migrated == 0);
        CHECK(s.from.state.erased_pages == 1); // it was replaced
        CHECK(s.check());
    }
}

TEST_CASE("page_move: whatever is refused, the page stays as it was, and the answer says so") {
    for (const std::size_t size : {std::size_t{min_stream_size}, std::size_t{1000}, std::size_t{4096}}) {
        bool was_refused = true;
        for (std::uint64_t n = 1; was_refused; ++n) {
            CAPTURE(n);
            REQUIRE(n < 20);
            two_states<default_config> s{ephemeral};
            REQUIRE(s.from.put(1, size) == status::ok);
            s.to.source.refuse_nth(n);
            const moved one = s.move(1);
            s.to.source.refuse_nth(0);
            was_refused = one.result != status::ok;
            if (was_refused) {
                REQUIRE(one.result == status::no_memory);
                REQUIRE(!one.has_gone);
                REQUIRE(one.has_stayed);
                REQUIRE(s.from.holds(1, size));
                REQUIRE(s.to.lacks(1));
                REQUIRE(s.to.state.allocator.allocated_bytes() == 0);
                REQUIRE(s.check());
                REQUIRE(s.move(1).result == status::ok);
            }
            REQUIRE(s.to.holds(1, size));
            REQUIRE(s.check());
        }
    }
}

TEST_CASE("page_move: a page whose entry is damaged goes nowhere, and is counted") {
    two_states<default_config> s{persistent};
    REQUIRE(s.from.put(1, 500) == status::ok);
    REQUIRE(s.from.put(2, 500) == status::ok);
    auto e = s.from.state.index.get(s.from.slot(1));
    s.from.state.index.set(s.from.slot(1), {e.word() ^ 1u << 20, e.meta()});
    const moved one = s.move(1);
    CHECK(one.result == status::corrupt);
    CHECK(!one.has_gone);
    CHECK(s.from.lacks(1));
    CHECK(s.to.lacks(1));
    CHECK(s.from.state.corruptions == 1);
    CHECK(s.move(2).result == status::ok);
    CHECK(s.to.holds(2, 500));
}

TEST_CASE("page_move: an eviction policy takes a page that comes for a new one") {
    two_states<default_config> s{ephemeral};
    REQUIRE(s.from.put(1, 500) == status::ok);
    auto e = s.from.state.index.get(s.from.slot(1));
    e.set_hook(7);
    s.from.state.index.set(s.from.slot(1), e);
    two_states<default_config> fresh{ephemeral};
    REQUIRE(fresh.to.put(1, 500) == status::ok);
    CHECK(s.move(1).result == status::ok);
    CHECK(s.to.state.index.get(s.to.slot(1)).hook() == fresh.to.state.index.get(fresh.to.slot(1)).hook());
}

TEST_CASE("page_move: a page that is away goes over with its copy, which is forgotten only for a newer version") {
    two_states<tiered_config> s{persistent};
    s.from.pool().is_demoting = s.to.pool().is_demoting = true;
    for (std::uint64_t i = 0; i < 3; ++i) {
        REQUIRE(s.from.put(i, 1000) == status::ok);
        const slot_id slot = s.from.slot(i);
        const auto old = s.from.state.index.get(slot), now = old.moved_away(static_cast<tier_place>(i));
        s.from.state.leave_order(s.from.pool(), slot);
        s.from.state.account(s.from.pool(), old, false);
        s.from.state.account(s.from.pool(), now, true);
        s.from.state.index.set(slot, now);
        s.from.state.free_object(old);
    }
    copy_watch reader;
    s.from.state.copies.begin(reader, {s.from.at(1, 0).key, tier_place{0}});
    CHECK(s.move(0).has_gone);
    CHECK(reader.has_left()); // it looks again, and there
    s.from.state.copies.end(reader);
    CHECK(s.from.lacks(0));
    REQUIRE(s.to.slot(0) != no_slot);
    CHECK(s.to.state.index.get(s.to.slot(0)).is_away());
    CHECK(s.to.state.index.get(s.to.slot(0)).place() == tier_place{0});
    CHECK(s.to.pool().counts.away_pages == 1);
    CHECK(s.from.pool().counts.away_pages == 2);
    CHECK(!s.from.state.copies.has_leaving());
    CHECK(!s.to.state.copies.has_leaving());
    REQUIRE(s.to.put(1, 500) == status::ok); // newer
    CHECK(s.move(1).has_gone);
    const leaving_copies gone = s.from.state.copies.take_leaving();
    REQUIRE(gone.count == 1);
    CHECK(gone.of[0].place == tier_place{1});
    CHECK(s.to.holds(1, 500));
}

} // namespace
} // namespace pagefold::testing::unit_store_page_move
