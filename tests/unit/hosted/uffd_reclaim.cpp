// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_uffd_reclaim {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;

TEST_CASE("uffd_reclaim: a full store keeps what it has, and the rest stays in memory") {
    for_each_mode([&](const pager_mode& mode) {
        constexpr std::size_t pages = 256;
        test_source source;
        store_options limit;
        limit.limit_bytes = std::size_t{700} << 10;
        store_type store{source, limit};
        running_pager<pager_type> one{store, options_of(pages, 64, mode)};
        REQUIRE(one.opened == status::ok);
        for (std::size_t i = 0; i < pages; ++i) {
            make_page({one.page(i), page}, page_kind::random, i);
        }
        const auto is_whole = [&] {
            for (std::size_t i = 0; i < pages; ++i) {
                const std::vector<std::byte> expected = page_of(page, page_kind::random, i);
                if (std::memcmp(one.page(i), expected.data(), page) != 0) {
                    return false;
                }
            }
            return true;
        };
        CHECK(is_whole());
        uffd_pager_stats s = one.pager.statistics();
        CHECK(s.refused_pages > 0);
        CHECK(s.resident_bytes + s.queued_bytes > s.budget_bytes);
        CHECK(s.lost_pages == 0);
        CHECK(one.pager.set_budget(32 * page) == status::limit);
        CHECK(one.pager.check());
        // Room again: the budget is met.
        static_cast<void>(store.resize(~std::size_t{0}));
        CHECK(one.pager.set_budget(32 * page) == status::ok);
        s = one.pager.statistics();
        CHECK(s.resident_bytes + s.queued_bytes <= 32 * page);
        CHECK(is_whole());
        CHECK(one.pager.check());
    });
}

TEST_CASE("uffd_reclaim: copies of pages that are in memory make room in a full store") {
    const pager_mode& mode = pager_modes[0];
    if (lacks_uffd(mode.features())) {
        return;
    }
    test_source source;
    store_type store{source};
    uffd_pager_options o = options_of(256, 256, mode);
    o.read_ahead_pages = 1;
    running_pager<pager_type> one{store, o};
    REQUIRE(one.opened == status::ok);
    for (std::size_t i = 0; i < 256; ++i) {
        make_page({one.page(i), page}, page_kind::random, i);
    }
    REQUIRE(one.pager.set_budget(64 * page) == status::ok);
    REQUIRE(one.pager.set_budget(256 * page) == status::ok);
    for (std::size_t i = 0; i < 200; ++i) {
        static_cast<void>(*static_cast<volatile std::byte*>(one.page(i))); // read: the copy stays good
    }
    const std::uint64_t copies = one.pager.statistics().copied_pages;
    CHECK(copies > 100);
    static_cast<void>(store.resize(store.stats().total_bytes)); // not a page more
    for (std::size_t i = 0; i < 256; ++i) {
        make_page({one.page(i), page}, page_kind::random, 1000 + i);
    }
    CHECK(one.pager.set_budget(96 * page) == status::ok);
    CHECK(one.pager.statistics().copied_pages < copies);
    CHECK(one.pager.statistics().refused_pages == 0);
    for (std::size_t i = 0; i < 256; ++i) {
        const std::vector<std::byte> expected = page_of(page, page_kind::random, 1000 + i);
        REQUIRE(std::memcmp(one.page(i), expected.data(), page) == 0);
    }
    CHECK(one.pager.check());
}

TEST_CASE("uffd_reclaim: clean pages go without being compressed again") {
    for_each_mode(tracks_clean_pages, [&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(128, 128, mode)};
        REQUIRE(one.opened == status::ok);
        for (std::size_t i = 0; i < 128; ++i) {
            make_page({one.page(i), page}, page_kind::text, i);
        }
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        const std::uint64_t puts = store.stats().puts;
        REQUIRE(one.pager.set_budget(128 * page) == status::ok);
        for (std::size_t i = 0; i < 100; ++i) {
            const std::vector<std::byte> expected = page_of(page, page_kind::text, i);
            REQUIRE(std::memcmp(one.page(i), expected.data(), page) == 0);
        }
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        // At most those that had not gone before.
        CHECK(store.stats().puts <= puts + 16);
        CHECK(one.pager.statistics().clean_pages >= 80);
    });
}

TEST_CASE("uffd_reclaim: pages of zeros take nothing in the store") {
    for_each_mode([&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(128, 128, mode)};
        REQUIRE(one.opened == status::ok);
        // Half of them after they were something else, and were stored; every fourth is not zeros.
        fill(one, 64);
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        CHECK(one.pager.statistics().stored_pages > 32);
        REQUIRE(one.pager.set_budget(128 * page) == status::ok);
        for (std::size_t i = 0; i < 128; ++i) {
            std::memset(one.page(i), 0, page);
            one.page(i)[page - 1] = i % 4 == 0 ? std::byte{1} : std::byte{};
        }
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        CHECK(one.pager.check());
        const uffd_pager_stats s = one.pager.statistics();
        CHECK(s.stored_pages <= 32);
        CHECK(s.copied_pages <= 16); // of pages in memory, not asked for yet whether they were written
        CHECK(s.stored_pages >= 16);
        for (std::size_t i = 0; i < 128; ++i) {
            const std::byte* const bytes = one.page(i);
            REQUIRE(bytes[page - 1] == (i % 4 == 0 ? std::byte{1} : std::byte{}));
            REQUIRE(std::all_of(bytes, bytes + page - 1, [](std::byte b) { return b == std::byte{}; }));
        }
        CHECK(one.pager.check());
    });
}

TEST_CASE("uffd_reclaim: pages that the kernel won't give stay, and others go for them") {
    for_each_mode(is_anonymous, [&](const pager_mode& mode) { // a hole can be punched under a lock
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(128, 128, mode)};
        REQUIRE(one.opened == status::ok);
        fill(one, 128);
        if (syscall(SYS_mlock, one.page(0), 48 * page) != 0) { // sanitizers make mlock() do nothing
            MESSAGE("skipped: this machine's limit of locked memory is too low");
            return;
        }
        CHECK(one.pager.set_budget(64 * page) == status::ok);
        uffd_pager_stats s = one.pager.statistics();
        CHECK(s.pinned_pages > 0);
        CHECK(s.resident_bytes + s.queued_bytes <= 64 * page);
        CHECK(one.pager.set_budget(32 * page) == status::limit); // 48 are locked
        CHECK(one.pager.discard(0, page) == status::busy);
        CHECK(one.pager.check());
        REQUIRE(syscall(SYS_munlock, one.page(0), 48 * page) == 0);
        CHECK(one.pager.set_budget(32 * page) == status::ok);
        for (std::size_t i = 0; i < 128; ++i) {
            REQUIRE(holds(one.page(i), i));
        }
        s = one.pager.statistics();
        CHECK(s.refused_pages == 0);
    });
}

TEST_CASE("uffd_reclaim: what leaves beside a page that is locked is not forgotten") {
    for_each_mode(is_anonymous, [&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(128, 128, mode)};
        REQUIRE(one.opened == status::ok);
        fill(one, 128);
        constexpr std::size_t locked[] = {20, 41, 42, 43, 77, 126, 127};
        for (const std::size_t i : locked) {
            if (syscall(SYS_mlock, one.page(i), page) != 0) {
                MESSAGE("skipped: this machine's limit of locked memory is too low");
                return;
            }
        }
        for (std::size_t budget = 116; budget >= 20; budget -= 16) {
            CHECK(one.pager.set_budget(budget * page) == status::ok);
            CHECK(one.pager.check());
        }
        for (std::size_t i = 0; i < 128; ++i) {
            REQUIRE(holds(one.page(i), i));
        }
        CHECK(one.pager.check());
        CHECK(one.pager.statistics().refused_pages == 0);
    });
}

TEST_CASE("uffd_reclaim: after the budget was cut, what is mapped keeps most of it") {
    for_each_mode(evicts_by_move, [&](const pager_mode& mode) {
        struct variant {
            unsigned batch;
            std::size_t budget;
        };
        for (const variant& how : {variant{32, 16}, variant{32, 31}, variant{32, 80}, variant{1, 60}}) {
            test_source source;
            store_type store{source};
            uffd_pager_options o = options_of(1024, 512, mode);
            o.reclaim_batch = how.batch;
            running_pager<pager_type> one{store, o};
            REQUIRE(one.opened == status::ok);
            fill(one, 1024);
            CHECK(one.pager.set_budget(how.budget * page) == status::ok);
            const uffd_pager_stats s = one.pager.statistics();
            // An eighth, and what a step adds; with none mapped each access would wait for the next one's eviction.
            REQUIRE(s.queued_bytes <= (how.budget / 8 + how.batch) * page);
            REQUIRE(s.resident_bytes >= how.budget / 4 * page);
            for (std::size_t i = 0; i < 1024; ++i) {
                REQUIRE(holds(one.page(i), i));
            }
            CHECK(one.pager.check());
        }
    });
}

TEST_CASE("uffd_reclaim: a process that locks all of its memory is paged all the same") {
    if (lacks_uffd(uffd_abi::feature_move)) {
        return;
    }
    const int how = in_child([] {
        if (syscall(SYS_mlockall, MCL_FUTURE) != 0) {
            return 77;
        }
        mmap_options small;
        small.capacity_bytes = std::size_t{16} << 20; // which is locked
        mmap_source<> source{small};
        page_store<default_config> store{source};
        running_pager<uffd_pager<page_store<default_config>>> one{store, options_of(256, 64)};
        if (one.opened != status::ok) {
            return 1;
        }
        fill(one, 256);
        for (std::size_t i = 0; i < 256; ++i) {
            if (!holds(one.page(i), i)) {
                return 2;
            }
        }
        const uffd_pager_stats s = one.pager.statistics();
        return s.resident_bytes + s.queued_bytes <= 64 * page && s.pinned_pages == 0 ? 0 : 3;
    });
    if (WIFEXITED(how) && WEXITSTATUS(how) == 77) {
        MESSAGE("skipped: this machine's limit of locked memory is too low");
        return;
    }
    CHECK(WIFEXITED(how));
    CHECK(WEXITSTATUS(how) == 0);
}

TEST_CASE("uffd_reclaim: a full store gives no copy of a page that is leaving by it") {
    // Eviction in place takes a batch off the resident set first: clean pages that rely on their copies, beside written
    // ones whose puts find the store full and take copies.
    pager_mode mode = pager_modes[3];
    if (lacks_uffd(mode.features())) {
        return;
    }
    constexpr std::size_t pages = 256;
    test_source source;
    store_type store{source};
    uffd_pager_options o = options_of(pages, pages, mode);
    o.read_ahead_pages = 1;
    o.reclaim_batch = 64;
    running_pager<pager_type> one{store, o};
    REQUIRE(one.opened == status::ok);
    std::vector<std::uint64_t> seeds(pages);
    const auto make = [&](std::size_t i, std::uint64_t seed) {
        seeds[i] = seed;
        make_page({one.page(i), page}, page_kind::random, seed);
    };
    const auto is_right = [&](std::size_t i) {
        const std::vector<std::byte> expected = page_of(page, page_kind::random, seeds[i]);
        return std::memcmp(one.page(i), expected.data(), page) == 0;
    };
    for (std::size_t i = 0; i < pages; ++i) {
        make(i, i);
    }
    for (std::size_t round = 1; round < 6; ++round) {
        static_cast<void>(store.resize(~std::size_t{0}));
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        REQUIRE(one.pager.set_budget(pages * page) == status::ok);
        for (std::size_t i = 0; i < pages; ++i) {
            REQUIRE(is_right(i));
            if ((i + round) % 2 == 0) {
                make(i, round * 1000 + i); // its copy goes
            }
        }
        CHECK(one.pager.statistics().copied_pages > pages / 4);
        static_cast<void>(store.resize(store.stats().total_bytes));
        const status s = one.pager.set_budget(32 * page);
        CHECK((s == status::ok || s == status::limit));
        CHECK(one.pager.check());
        for (std::size_t i = 0; i < pages; ++i) {
            REQUIRE(is_right(i));
        }
    }
    CHECK(one.pager.statistics().lost_pages == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_reclaim
