// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/compress/lz4.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;

uffd_pager_options options_of(std::size_t pages, std::size_t budget) {
    uffd_pager_options o;
    o.bytes = pages * page;
    o.budget_bytes = budget * page;
    return o;
}
bool holds(const std::byte* at, std::uint64_t seed) {
    const std::vector<std::byte> expected = page_of(page, seed);
    return std::memcmp(at, expected.data(), page) == 0;
}

TEST_CASE("uffd_pager: arguments out of range are refused with a reason") {
    test_source source;
    store_type store{source};
    pager_type pager{store};
    const auto refuses = [&](const uffd_pager_options& o) {
        return pager.open(o) == status::invalid && std::strlen(pager.reason()) > 0 && pager.memory().empty();
    };
    CHECK(refuses(options_of(0, 64)));
    CHECK(refuses(options_of(64, pager_type::least_budget_pages - 1)));
    uffd_pager_options o = options_of(64, 32);
    o.bytes += 1;
    CHECK(refuses(o));
    o = options_of(64, 32);
    o.read_ahead_pages = 0;
    CHECK(refuses(o));
    o.read_ahead_pages = pager_type::max_window + 1;
    CHECK(refuses(o));
    o = options_of(64, 32);
    o.reclaim_batch = 0;
    CHECK(refuses(o));
    o.reclaim_batch = pager_type::max_batch + 1;
    CHECK(refuses(o));
    CHECK(pager.run() == status::invalid);
}

struct large : default_config {
    static constexpr std::size_t page_size = 16384;
};

TEST_CASE("uffd_pager: a page size that is not the system's is refused") {
    test_source source{16384};
    page_store<large> store{source};
    uffd_pager<page_store<large>> pager{store};
    uffd_pager_options o;
    o.bytes = o.budget_bytes = 1 << 20;
    CHECK(pager.open(o) == status::invalid);
    CHECK(std::string(pager.reason()).find("page size") != std::string::npos);
}

TEST_CASE("uffd_pager: where the store has no pool left, the region is not made") {
    if (lacks_uffd()) {
        return;
    }
    test_source source;
    source.refuse_all(true);
    store_type store{source};
    pager_type pager{store};
    CHECK(pager.open(options_of(64, 32)) == status::no_memory);
    CHECK(pager.memory().empty());
    source.refuse_all(false);
    CHECK(pager.open(options_of(64, 32)) == status::ok);
}

template <class Pager, class Store>
void run_random_operations(Store& store, const pager_mode& mode, std::uint64_t seed) {
    constexpr std::size_t pages = 512;
    uffd_pager_options o = options_of(pages, 128);
    mode.apply(o);
    running_pager<Pager> one{store, o};
    REQUIRE(one.opened == status::ok);
    rng random{seed};
    std::vector<std::uint64_t> seeds(pages, 0);
    const std::vector<std::byte> zeros(page);
    for (int step = 0; step < 3000; ++step) {
        const std::size_t i = random.one_in(4) ? random.below(8) : random.below(pages);
        std::byte* const at = one.page(i);
        REQUIRE((seeds[i] == 0 ? std::memcmp(at, zeros.data(), page) == 0 : holds(at, seeds[i])));
        if (random.one_in(3)) {
            seeds[i] = 1 + random.below(1u << 30);
            make_page({at, page}, seeds[i]);
        }
        if (random.one_in(40)) {
            const std::size_t first = random.below(pages), count = std::min(1 + random.below(5), pages - first);
            REQUIRE(one.pager.discard(first * page, count * page) == status::ok);
            std::fill_n(seeds.begin() + static_cast<std::ptrdiff_t>(first), count, 0);
        }
        if (random.one_in(40)) {
            const std::size_t first = random.below(pages), count = std::min(1 + random.below(20), pages - first);
            REQUIRE(one.pager.populate(first * page + 5, count * page - 5) == status::ok);
        }
        if (random.one_in(60)) {
            REQUIRE(one.pager.set_budget((16 + random.below(pages)) * page) == status::ok);
            const uffd_pager_stats now = one.pager.statistics();
            REQUIRE(now.resident_bytes + now.queued_bytes <= now.budget_bytes);
        }
        if (step % 50 == 0) {
            REQUIRE(one.pager.check());
        }
    }
    const uffd_pager_stats s = one.pager.statistics();
    CHECK(s.faults > 0);
    CHECK(s.faults == s.zero_faults + s.queue_faults + s.store_faults);
    CHECK(s.evicted_pages > 0);
    CHECK(s.lost_pages == 0);
    CHECK(s.refused_pages == 0);
    CHECK((s.clean_pages > 0) == (mode.tracking != clean_tracking::none));
    CHECK((s.queue_faults > 0) == (mode.eviction == eviction_method::move));
    one.stop();
    CHECK(one.ended == (mode.delivery == fault_delivery::thread ? status::ok : status::busy));
}

TEST_CASE("uffd_pager: random accesses, discards and budgets against a model, in every mode") {
    for (const pager_mode& mode : pager_modes) {
        SUBCASE(mode.name) {
            if (lacks_uffd(mode.features())) {
                return;
            }
            test_source source;
            store_type store{source};
            run_random_operations<pager_type>(store, mode, 11);
            CHECK(store.stats().stored_pages == 0);
            CHECK(store.check());
        }
    }
}

TEST_CASE_TEMPLATE("uffd_pager: with other policies and a store of partitions", Policy, fifo, lru) {
    if (lacks_uffd(pager_modes[0].features())) {
        return;
    }
    using parted = tsan_ordered<partitioned_store<default_config>>;
    test_source source;
    store_options parts;
    parts.partitions = 4;
    parted store{source, parts};
    run_random_operations<uffd_pager<parted, Policy>>(store, pager_modes[0], 12);
    CHECK(store.check());
}

TEST_CASE("uffd_pager: a full store keeps what it has, and the rest stays in memory") {
    for (const pager_mode& mode : pager_modes) {
        SUBCASE(mode.name) {
            if (lacks_uffd(mode.features())) {
                return;
            }
            constexpr std::size_t pages = 256;
            test_source source;
            store_options limit;
            limit.limit_bytes = std::size_t{700} << 10;
            store_type store{source, limit};
            uffd_pager_options o = options_of(pages, 64);
            mode.apply(o);
            running_pager<pager_type> one{store, o};
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
        }
    }
}

TEST_CASE("uffd_pager: copies of pages that are in memory make room in a full store") {
    const pager_mode& mode = pager_modes[0];
    if (lacks_uffd(mode.features())) {
        return;
    }
    test_source source;
    store_type store{source};
    uffd_pager_options o = options_of(256, 256);
    mode.apply(o);
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

TEST_CASE("uffd_pager: clean pages go without being compressed again") {
    for (const pager_mode& mode : pager_modes) {
        SUBCASE(mode.name) {
            if (mode.tracking == clean_tracking::none || lacks_uffd(mode.features())) {
                return;
            }
            test_source source;
            store_type store{source};
            uffd_pager_options o = options_of(128, 128);
            mode.apply(o);
            running_pager<pager_type> one{store, o};
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
        }
    }
}

TEST_CASE("uffd_pager: sequential faults bring pages ahead") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    test_source source;
    store_type store{source};
    running_pager<pager_type> one{store, options_of(512, 256)};
    REQUIRE(one.opened == status::ok);
    for (std::size_t i = 0; i < 512; ++i) {
        make_page({one.page(i), page}, i);
    }
    const uffd_pager_stats before = one.pager.statistics();
    CHECK(before.faults < 200);
    CHECK(before.read_ahead_pages > 300);
    for (std::size_t i = 0; i < 512; ++i) {
        REQUIRE(holds(one.page(i), i));
    }
    const uffd_pager_stats after = one.pager.statistics();
    CHECK(after.read_ahead_pages > before.read_ahead_pages + 300);
}

TEST_CASE("uffd_pager: system calls wait for a page, or fail until it is populated") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    for (const fault_delivery delivery : {fault_delivery::thread, fault_delivery::signal}) {
        test_source source;
        store_type store{source};
        uffd_pager_options o = options_of(64, 32);
        o.delivery = delivery;
        running_pager<pager_type> one{store, o};
        REQUIRE(one.opened == status::ok);
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        REQUIRE(write(ends[1], "page", 4) == 4);
        errno = 0;
        ssize_t got = read(ends[0], one.page(9) + 3, 4);
        if (one.pager.is_user_only()) {
            CHECK(got == -1);
            CHECK(errno == EFAULT);
            CHECK(one.pager.populate(9 * page, page) == status::ok);
            got = read(ends[0], one.page(9) + 3, 4);
        }
        CHECK(got == 4);
        CHECK(std::memcmp(one.page(9) + 3, "page", 4) == 0);
        close(ends[0]);
        close(ends[1]);
    }
}

TEST_CASE("uffd_pager: stopped and run again, opened and closed again") {
    if (lacks_uffd()) {
        return;
    }
    test_source source;
    store_type store{source};
    pager_type pager{store};
    for (int round = 0; round < 3; ++round) {
        REQUIRE(pager.open(options_of(64, 32)) == status::ok);
        for (std::size_t run = 0; run < 3; ++run) {
            std::thread server([&] { CHECK(pager.run() == status::ok); });
            for (std::size_t i = 0; i < 64; ++i) {
                make_page({pager.memory().data() + i * page, page}, i + run);
                REQUIRE(holds(pager.memory().data() + i * page, i + run));
            }
            pager.stop();
            server.join();
        }
        pager.stop(); // before run: ends it at once
        CHECK(pager.run() == status::ok);
    }
    CHECK(pager.discard(1, page) == status::invalid);
    CHECK(pager.discard(63 * page, 2 * page) == status::invalid);
    CHECK(pager.populate(65 * page, 0) == status::invalid);
    CHECK(pager.populate(0, 65 * page) == status::invalid);
    CHECK(pager.set_budget(15 * page) == status::invalid);
    pager.close();
    CHECK(store.stats().stored_pages == 0);
}

TEST_CASE("uffd_pager: several regions over one store keep apart") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    test_source source;
    store_type store{source};
    uffd_pager_options o = options_of(64, 16);
    running_pager<pager_type> a{store, o};
    o.delivery = fault_delivery::signal;
    running_pager<pager_type> b{store, o}, c{store, o};
    REQUIRE(a.opened == status::ok);
    REQUIRE(b.opened == status::ok);
    REQUIRE(c.opened == status::ok);
    for (std::size_t i = 0; i < 64; ++i) {
        make_page({a.page(i), page}, i);
        make_page({b.page(i), page}, 1000 + i);
        make_page({c.page(i), page}, 2000 + i);
    }
    for (std::size_t i = 0; i < 64; ++i) {
        REQUIRE(holds(a.page(i), i));
        REQUIRE(holds(b.page(i), 1000 + i));
        REQUIRE(holds(c.page(i), 2000 + i));
    }
    CHECK((a.pager.check() && b.pager.check() && c.pager.check()));
}

TEST_CASE("uffd_pager: an unprivileged descriptor is enough for user code") {
    if (lacks_uffd()) {
        return;
    }
    test_source source;
    store_type store{source};
    uffd_pager_options o = options_of(64, 16);
    o.rights = uffd_rights::user_only;
    running_pager<pager_type> one{store, o};
    REQUIRE(one.opened == status::ok);
    CHECK(one.pager.is_user_only());
    for (std::size_t i = 0; i < 64; ++i) {
        make_page({one.page(i), page}, i);
    }
    for (std::size_t i = 0; i < 64; ++i) {
        REQUIRE(holds(one.page(i), i));
    }
}

/// Forgets how to decompress when told so.
struct brittle : lz4 {
    inline static std::atomic<bool> is_broken{false};
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return is_broken ? status::corrupt : lz4::decompress(in, out, scratch);
    }
};
struct brittle_config : default_config {
    using compressor_type = brittle;
};

TEST_CASE("uffd_pager: a page that the store can't bring back is a signal, never other bytes") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    for (const fault_delivery delivery : {fault_delivery::thread, fault_delivery::signal}) {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            std::signal(SIGSEGV, SIG_DFL); // the test's own handlers, and a sanitizer's
            std::signal(SIGBUS, SIG_DFL);
            test_source source;
            page_store<brittle_config> store{source};
            uffd_pager_options o = options_of(64, 16);
            o.delivery = delivery;
            o.read_ahead_pages = 1;
            running_pager<uffd_pager<page_store<brittle_config>>> one{store, o};
            for (std::size_t i = 0; i < 64; ++i) {
                make_page({one.page(i), page}, page_kind::text, i);
            }
            brittle::is_broken = true;
            _exit(*static_cast<volatile std::byte*>(one.page(0)) == std::byte{0} ? 2 : 3);
        }
        int how = 0;
        REQUIRE(waitpid(child, &how, 0) == child);
        REQUIRE(WIFSIGNALED(how));
        CHECK((WTERMSIG(how) == SIGBUS || WTERMSIG(how) == SIGSEGV));
    }
}

} // namespace
} // namespace pagefold::testing
