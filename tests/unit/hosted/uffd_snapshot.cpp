// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_hosted_uffd_snapshot {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;

bool takes_first_writes(const pager_mode& mode) { return mode.tracking == clean_tracking::protect; }

status finish(pager_type& pager) {
    status s = status::busy;
    for (int calls = 0; s == status::busy && calls < 10000; ++calls) {
        s = pager.advance_snapshot();
    }
    return s;
}
/// Pages 0 to count − 1 are as fill made them; there are no others.
void check_filled(store_type& store, pool_id pool, std::size_t count, std::size_t pages) {
    std::vector<std::byte> got(page);
    for (std::size_t i = 0; i < pages; ++i) {
        CAPTURE(i);
        const status s = store.get({pool, 0, i}, {got.data(), page});
        REQUIRE((s == status::ok || s == status::not_found));
        if (s == status::not_found) {
            std::memset(got.data(), 0, page); // as pages of zeros are kept
        }
        REQUIRE((i < count ? holds(got.data(), i) : s == status::not_found));
    }
}

TEST_CASE("uffd_snapshot: it is of the moment, whatever happens to the region until it is whole") {
    for_each_mode(takes_first_writes, [](const pager_mode& mode) {
        constexpr std::size_t pages = 256, filled = 240;
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(pages, 64, mode)};
        REQUIRE(one.opened == status::ok);
        rng random{17};
        for (int round = 0; round < 6; ++round) {
            fill(one, filled);
            REQUIRE(one.pager.discard(filled * page, (pages - filled) * page) == status::ok);
            const pool_id pool = *store.create_pool({});
            REQUIRE(one.pager.begin_snapshot(pool) == status::ok);
            CHECK(one.pager.snapshot_statistics().pages > filled / 2); // pages of zeros may be nowhere
            CHECK(one.pager.begin_snapshot(pool) == status::busy);
            std::vector<std::uint64_t> seeds(pages, 0);
            status s = status::busy;
            while (s == status::busy) {
                const std::size_t i = random.below(pages);
                if (random.one_in(2)) { // most pages are read only, and some of them pushed out by that
                    REQUIRE((seeds[i] == 0 ? i >= filled || holds(one.page(i), i) : holds(one.page(i), seeds[i])));
                } else if (random.one_in(8) && i < filled) {
                    REQUIRE(one.pager.discard(i * page, page) == status::ok);
                    seeds[i] = 1000 + i;
                    make_page({one.page(i), page}, seeds[i]);
                } else {
                    seeds[i] = 1000 + random.below(1u << 20);
                    make_page({one.page(i), page}, seeds[i]);
                }
                if (random.one_in(50)) {
                    REQUIRE(one.pager.set_budget((16 + random.below(pages)) * page) == status::ok);
                }
                if (random.one_in(6)) {
                    s = one.pager.advance_snapshot();
                }
            }
            REQUIRE(s == status::ok);
            const uffd_snapshot_stats came = one.pager.snapshot_statistics();
            CHECK(came.unsaved_pages == 0);
            CHECK(came.write_faults > 0);
            CHECK(came.copied_streams > 0);
            check_filled(store, pool, filled, pages);
            for (std::size_t i = 0; i < pages; ++i) {
                REQUIRE((seeds[i] == 0 ? i >= filled || holds(one.page(i), i) : holds(one.page(i), seeds[i])));
            }
            CHECK(one.pager.check());
            REQUIRE(store.destroy_pool(pool) == status::ok);
        }
        one.stop();
        one.pager.close();
        CHECK(store.check());
    });
}

TEST_CASE("uffd_snapshot: beside threads that write without a pause, no page is of another moment") {
    for_each_mode(takes_first_writes, [](const pager_mode& mode) {
        // Each thread counts in its own pages in turn. At the moment they stand still; the counts then are the snapshot's.
        constexpr std::size_t pages = 96, threads = 3;
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(pages, 48, mode)};
        REQUIRE(one.opened == status::ok);
        for (std::size_t i = 0; i < pages; ++i) {
            make_page({one.page(i), page}, i);
        }
        const pool_id pool = *store.create_pool({});
        std::array<std::uint64_t, pages> at_moment{};
        const auto count_at = [&](std::size_t i) { return reinterpret_cast<std::uint64_t*>(one.page(i)); };
        for (std::size_t i = 0; i < pages; ++i) {
            *count_at(i) = at_moment[i] = 5 * i + 1;
        }
        REQUIRE(one.pager.begin_snapshot(pool) == status::ok);
        std::atomic<bool> ends{false};
        std::vector<std::thread> writers;
        for (std::size_t t = 0; t < threads; ++t) {
            writers.emplace_back([&, t] {
                while (!ends.load()) {
                    for (std::size_t i = t; i < pages; i += threads) {
                        ++*count_at(i);
                    }
                }
            });
        }
        const status s = finish(one.pager);
        ends.store(true);
        for (std::thread& writer : writers) {
            writer.join();
        }
        REQUIRE(s == status::ok);
        std::vector<std::byte> got(page);
        for (std::size_t i = 0; i < pages; ++i) {
            REQUIRE(store.get({pool, 0, i}, {got.data(), page}) == status::ok);
            std::uint64_t count = 0;
            std::memcpy(&count, got.data(), sizeof count);
            REQUIRE(count == at_moment[i]);
        }
        CHECK(one.pager.check());
    });
}

TEST_CASE("uffd_snapshot: what can't be is refused, and what was given up may begin again") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    test_source source;
    store_type store{source};
    const pool_id pool = *store.create_pool({});
    uffd_pager_options o = options_of(32, 16);
    o.tracking = clean_tracking::none;
    {
        running_pager<pager_type> one{store, o};
        REQUIRE(one.opened == status::ok);
        CHECK(one.pager.begin_snapshot(pool) == status::invalid); // nobody would take the first writes
        CHECK(one.pager.advance_snapshot() == status::ok);
        one.stop();
        one.pager.close();
        CHECK(one.pager.begin_snapshot(pool) == status::invalid);
        CHECK(one.pager.advance_snapshot() == status::invalid);
    }
    o.tracking = clean_tracking::protect;
    running_pager<pager_type> one{store, o};
    REQUIRE(one.opened == status::ok);
    CHECK(one.pager.begin_snapshot(pool_id{}) == status::invalid);
    CHECK(one.pager.begin_snapshot(pool) == status::ok); // of nothing
    CHECK(finish(one.pager) == status::ok);
    fill(one, 32);
    REQUIRE(one.pager.begin_snapshot(pool) == status::ok);
    one.pager.end_snapshot();
    make_page({one.page(0), page}, 77); // protected still, and nobody's
    CHECK(one.pager.snapshot_statistics().write_faults == 0);
    make_page({one.page(0), page}, 0);
    REQUIRE(one.pager.begin_snapshot(pool) == status::ok);
    CHECK(finish(one.pager) == status::ok);
    check_filled(store, pool, 32, 32);
}

TEST_CASE("uffd_snapshot: where the store has no room the snapshot fails, and the region goes on") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    test_source source;
    store_type store{source};
    uffd_pager_options o = options_of(64, 128);
    o.tracking = clean_tracking::protect;
    running_pager<pager_type> one{store, o};
    REQUIRE(one.opened == status::ok);
    fill(one, 64);
    pool_options small;
    small.cap_bytes = 8 * page;
    const pool_id pool = *store.create_pool(small);
    REQUIRE(one.pager.begin_snapshot(pool) == status::ok);
    CHECK(finish(one.pager) == status::limit);
    CHECK(one.pager.advance_snapshot() == status::limit); // as it ended
    for (std::size_t i = 0; i < 64; ++i) {
        REQUIRE(holds(one.page(i), i));
        make_page({one.page(i), page}, i + 500);
    }
    for (std::size_t i = 0; i < 64; ++i) {
        REQUIRE(holds(one.page(i), i + 500));
    }
    CHECK(one.pager.check());
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_snapshot
