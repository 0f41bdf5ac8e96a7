// SPDX-License-Identifier: MIT
#include "support/partition_fixture.hpp"

#include <pagefold/core/checksum.hpp>
#include <pagefold/store/basic_store.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unit_store_partition_batch {
namespace {

using namespace pagefold;
using namespace pagefold::testing;

struct fixture : lone_partition<> {
    explicit fixture(pool_kind kind = pool_kind::persistent) : lone_partition<>{kind} {
        for (page_request& one : requests) {
            outs.emplace_back(4096);
            one.out = outs.back();
        }
    }
    void want(unsigned number, std::uint64_t index) {
        window.keys[number] = at(1, index);
        window.slots[number] = no_slot;
        pages |= std::uint64_t{1} << number;
    }
    void look() {
        for (unsigned step = 0; step <= static_cast<unsigned>(batch_step::streams); ++step) {
            part.look_ahead(static_cast<batch_step>(step), window, pages);
        }
    }
    void fetch(bool removing = false, std::size_t room = 8192) {
        part.fetch_some(window, pages, requests, removing, byte_span{scratch}.first(room), into);
    }
    [[nodiscard]] bool is(unsigned place, unsigned number, std::size_t size, std::uint64_t seed) const {
        const auto& page = into.pages[place];
        return page.number == number && page.found.stream.size() == size &&
               equal_bytes(page.found.stream.data(), page_of(size, page_kind::random, seed).data(), size);
    }

    std::vector<std::vector<std::byte>> outs;
    page_request requests[batch_window::max_pages];
    std::vector<std::byte> scratch = std::vector<std::byte>(8192);
    batch_window window;
    std::uint64_t pages = 0;
    partition<default_config>::fetched_pages into;
};

TEST_CASE("partition_batch: streams lie behind each other, as many as have room") {
    fixture f;
    for (unsigned i = 0; i < 5; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
        f.want(i + 3, i);
    }
    f.look();
    f.fetch(false, 3072);
    REQUIRE(f.into.count == 3);
    for (unsigned i = 0; i < 3; ++i) {
        CHECK(f.is(i, i + 3, 1000, i));
        CHECK(f.requests[i + 3].outcome == status::ok);
    }
    CHECK(f.pages == 0b11000000u);
    f.fetch(false, 3072);
    REQUIRE(f.into.count == 2);
    CHECK(f.is(0, 6, 1000, 3));
    CHECK(f.is(1, 7, 1000, 4));
    CHECK(f.pages == 0);
    f.fetch();
    CHECK(f.into.count == 0);
}

TEST_CASE("partition_batch: no more than so many pages a hold, those that are missing among them") {
    fixture f;
    for (unsigned i = 0; i < 20; ++i) {
        f.want(i, i);
        REQUIRE((i % 2 == 0 || f.put(i, min_stream_size) == status::ok));
    }
    f.fetch();
    CHECK(f.into.count == batch_window::pages_a_hold / 2);
    CHECK(f.pages == (low_bits(20) & ~low_bits(batch_window::pages_a_hold)));
    CHECK(f.requests[0].outcome == status::not_found);
    CHECK(f.requests[1].outcome == status::ok);
}

TEST_CASE("partition_batch: a place that another page has by now is not read") {
    fixture f;
    REQUIRE(f.put(64, 1000) == status::ok);
    f.want(0, 64);
    f.look();
    const slot_id slot = f.window.slots[0];
    REQUIRE(slot != no_slot);
    REQUIRE(f.part.erase(f.at(1, 64)) == status::ok);
    REQUIRE(f.put(128, 1000, 7).result == status::ok); // takes the extent that came free
    f.want(1, 128);
    f.look();
    REQUIRE(f.window.slots[1] == slot);
    f.window.slots[0] = slot;
    f.fetch();
    CHECK(f.requests[0].outcome == status::not_found);
    CHECK(f.requests[1].outcome == status::ok);
    REQUIRE(f.into.count == 1);
    CHECK(f.is(0, 1, 1000, 7));
    CHECK(f.part.check());
}

TEST_CASE("partition_batch: a key that is taken twice is there once") {
    fixture f;
    REQUIRE(f.put(5, 704) == status::ok);
    f.want(2, 5);
    f.want(4, 5);
    f.look();
    f.fetch(true);
    CHECK(f.requests[2].outcome == status::ok);
    CHECK(f.requests[4].outcome == status::not_found);
    REQUIRE(f.into.count == 1);
    CHECK(f.is(0, 2, 704, 5));
    CHECK(f.part.check());
}

TEST_CASE("partition_batch: erasures, page by page; nobody has what is in a pool that is gone") {
    fixture f;
    for (unsigned i = 0; i < 12; ++i) {
        REQUIRE((i % 3 == 0 || f.put(i, 304) == status::ok));
        f.want(i, i);
    }
    erase_request erasures[batch_window::max_pages];
    f.part.erase_some(f.window, f.pages, erasures);
    CHECK(f.pages == (low_bits(12) & ~low_bits(batch_window::pages_a_hold)));
    for (unsigned i = 0; i < batch_window::pages_a_hold; ++i) {
        CHECK(erasures[i].outcome == (i % 3 == 0 ? status::not_found : status::ok));
    }
    f.part.close_pool(f.id);
    const std::uint64_t left = f.pages;
    f.fetch();
    CHECK(f.into.count == 0);
    CHECK(f.pages == left); // for the single operation to say
    f.part.erase_some(f.window, f.pages, erasures);
    CHECK(erasures[batch_window::pages_a_hold].outcome == status::invalid);
    CHECK(f.pages == 0);
}

} // namespace
} // namespace unit_store_partition_batch
