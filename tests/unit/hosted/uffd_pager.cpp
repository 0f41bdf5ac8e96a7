// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/refused_calls.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/compress/lz4.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/node_placement.hpp>
#include <pagefold/hosted/numa_topology.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_uffd_pager {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;

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
    uffd_pager_options o = options_of(pages, 128, mode);
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
    for_each_mode([&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        run_random_operations<pager_type>(store, mode, 11);
        CHECK(store.stats().stored_pages == 0);
        CHECK(store.check());
    });
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

TEST_CASE("uffd_pager: sequential faults bring pages ahead") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    test_source source;
    store_type store{source};
    running_pager<pager_type> one{store, options_of(512, 256)};
    REQUIRE(one.opened == status::ok);
    fill(one, 512);
    const uffd_pager_stats before = one.pager.statistics();
    CHECK(before.faults < 200);
    CHECK(before.read_ahead_pages > 300);
    for (std::size_t i = 0; i < 512; ++i) {
        REQUIRE(holds(one.page(i), i));
    }
    const uffd_pager_stats after = one.pager.statistics();
    CHECK(after.read_ahead_pages > before.read_ahead_pages + 300);
}

TEST_CASE("uffd_pager: who fills a region asks for no leave to write what was brought ahead") {
    for_each_mode([](const pager_mode& mode) { return mode.tracking == clean_tracking::protect; },
                  [&](const pager_mode& mode) {
                      test_source source;
                      store_type store{source};
                      running_pager<pager_type> one{store, options_of(256, 256, mode)};
                      REQUIRE(one.opened == status::ok);
                      fill(one, 256);
                      uffd_pager_stats s = one.pager.statistics();
                      CHECK(s.read_ahead_pages > 150);
                      CHECK(s.write_faults == 0);
                      // Pages from the store are another matter: most of those are only read.
                      REQUIRE(one.pager.set_budget(16 * page) == status::ok);
                      REQUIRE(one.pager.set_budget(256 * page) == status::ok);
                      fill(one, 200);
                      s = one.pager.statistics();
                      CHECK(s.write_faults > 100);
                      for (std::size_t i = 0; i < 256; ++i) {
                          REQUIRE(holds(one.page(i), i));
                      }
                      CHECK(one.pager.check());
                  });
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

TEST_CASE("uffd_pager: populates a region whose mapping the kernel has split") {
    for_each_mode([&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        running_pager<pager_type> one{store, options_of(64, 64, mode)};
        REQUIRE(one.opened == status::ok);
        REQUIRE(madvise(one.page(9), page, MADV_DONTDUMP) == 0);
        CHECK(one.pager.populate(0, 64 * page) == status::ok);
        fill(one, 64);
        CHECK(one.pager.set_budget(16 * page) == status::ok);
        CHECK(one.pager.set_budget(64 * page) == status::ok);
        CHECK(one.pager.populate(0, 64 * page) == status::ok);
        for (std::size_t i = 0; i < 64; ++i) {
            REQUIRE(holds(one.page(i), i));
        }
        CHECK(one.pager.check());
    });
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
    fill(one, 64);
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

std::byte read_byte(const std::byte* at) { return *static_cast<const volatile std::byte*>(at); }

TEST_CASE("uffd_pager: works on a kernel of few features") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    test_source source;
    store_type store{source};
    pager_mode mode = pager_modes[3];
    uffd_pager_options o = options_of(128, 32, mode);
    o.may_use = uffd_abi::feature_wp; // Linux 5.7
    running_pager<pager_type> one{store, o};
    REQUIRE(one.opened == status::ok);
    fill(one, 128);
    for (std::size_t i = 0; i < 128; ++i) {
        REQUIRE(holds(one.page(i), i));
    }
    CHECK(one.pager.statistics().evicted_pages > 0);
}

/// The calling process gives its rights up; false where it has none to give up.
bool become_nobody() {
    return setgid(65534) == 0 && setuid(65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0; // or /proc/self is root's
}
TEST_CASE("uffd_pager: without rights it serves user code, and says what the rest would take") {
    if (lacks_uffd()) {
        return;
    }
    if (geteuid() != 0) {
        MESSAGE("skipped: this machine's user is not root, and has no rights to give up");
        return;
    }
    const int how = in_child([] {
        if (!become_nobody()) {
            return 1;
        }
        mmap_source<> source;
        page_store<default_config> store{source};
        uffd_pager_options o = options_of(64, 16);
        running_pager<uffd_pager<page_store<default_config>>> one{store, o};
        if (one.opened != status::ok) {
            return 2;
        }
        const bool may_all = std::fopen("/dev/userfaultfd", "r+") != nullptr; // another machine's owner may allow it
        if (!may_all && !one.pager.is_user_only()) {
            return 3;
        }
        for (std::size_t round = 0; round < 2; ++round) {
            for (std::size_t i = 0; i < 64; ++i) {
                if (round == 1 && !holds(one.page(i), i)) {
                    return 4;
                }
                make_page({one.page(i), page}, i);
            }
        }
        o.rights = uffd_rights::full;
        uffd_pager<page_store<default_config>> other{store};
        const status s = other.open(o);
        if (!may_all && (s != status::invalid || std::strstr(other.reason(), "CAP_SYS_PTRACE") == nullptr)) {
            return 5;
        }
        return 0;
    });
    CHECK(WIFEXITED(how));
    CHECK(WEXITSTATUS(how) == 0);
}

TEST_CASE("uffd_pager: a filter of system calls is told from a kernel without userfaultfd") {
    for (const int error : {EPERM, ENOSYS, EMFILE}) {
        const int how = in_child([error] {
            if (!refuse({"userfaultfd", SYS_userfaultfd}, error) || !become_nobody()) {
                return 77;
            }
            mmap_source<> source;
            page_store<default_config> store{source};
            uffd_pager<page_store<default_config>> pager{store};
            const status expected = error == EMFILE ? status::no_memory : status::invalid;
            const char* const word = error == EPERM ? "filter" : error == ENOSYS ? "no userfaultfd" : "RLIMIT_NOFILE";
            if (pager.open(options_of(64, 16)) != expected || !pager.memory().empty()) {
                return 1;
            }
            return std::strstr(pager.reason(), word) != nullptr ? 0 : 2;
        });
        if (WIFEXITED(how) && WEXITSTATUS(how) == 77) {
            MESSAGE("skipped: this machine does not allow a filter of system calls, or is not root's");
            return;
        }
        CHECK(WIFEXITED(how));
        CHECK(WEXITSTATUS(how) == 0);
    }
}

TEST_CASE("uffd_pager: pages that the program drops by itself read as zeros, and hold nobody up") {
    for_each_mode([&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        uffd_pager_options o = options_of(64, 64, mode);
        o.read_ahead_pages = 1;
        running_pager<pager_type> one{store, o};
        REQUIRE(one.opened == status::ok);
        fill(one, 64);
        const int how = mode.backing == uffd_backing::shared ? MADV_REMOVE : MADV_DONTNEED;
        REQUIRE(madvise(one.page(8), 8 * page, how) == 0);
        const std::vector<std::byte> zeros(page);
        CHECK(std::memcmp(one.page(9), zeros.data(), page) == 0);
        one.page(10)[5] = std::byte{7}; // a write
        CHECK(one.page(10)[5] == std::byte{7});
        if (mode.eviction == eviction_method::move) { // the rest is evicted as it is: nothing
            CHECK(one.pager.set_budget(16 * page) == status::ok);
        }
        for (std::size_t i = 8; i < 16; ++i) {
            CHECK((i == 10 || std::memcmp(one.page(i), zeros.data(), page) == 0));
        }
        CHECK(holds(one.page(7), 7));
        CHECK(holds(one.page(16), 16));
        CHECK(one.page(10)[5] == std::byte{7});
        CHECK(one.pager.set_budget(16 * page) == status::ok);
        CHECK(std::memcmp(one.page(9), zeros.data(), page) == 0);
        CHECK(one.pager.check());
    });
}

TEST_CASE("uffd_pager: a page that the program dropped, and saw as zeros, stays zeros") {
    for_each_mode(evicts_by_move, [&](const pager_mode& mode) {
        test_source source;
        store_type store{source};
        uffd_pager_options o = options_of(256, 256, mode);
        o.read_ahead_pages = 1;
        o.reclaim_batch = 1;
        running_pager<uffd_pager<store_type, fifo>> one{store, o};
        REQUIRE(one.opened == status::ok);
        for (std::size_t i = 0; i < 256; ++i) {
            make_page({one.page(i), page}, page_kind::text, i);
        }
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        REQUIRE(one.pager.set_budget(256 * page) == status::ok);
        for (std::size_t i = 0; i < 256; ++i) {
            static_cast<void>(read_byte(one.page(i))); // resident, with a copy in the store where there are such
        }
        REQUIRE(madvise(one.page(100), page, MADV_DONTNEED) == 0);
        // The first 90 to have come leave, and some 20 behind them wait to.
        REQUIRE(one.pager.set_budget(166 * page) == status::ok);
        const std::uint64_t before = one.pager.statistics().queue_faults;
        const std::vector<std::byte> zeros(page);
        CHECK(std::memcmp(one.page(100), zeros.data(), page) == 0);
        REQUIRE(one.pager.statistics().queue_faults == before + 1);
        REQUIRE(one.pager.set_budget(16 * page) == status::ok);
        for (std::size_t i = 200; i < 250; ++i) {
            static_cast<void>(read_byte(one.page(i))); // the latest to have come are others
        }
        CHECK(std::memcmp(one.page(100), zeros.data(), page) == 0);
        CHECK(one.pager.check());
    });
}

TEST_CASE("uffd_pager: a child has no region, and the parent's goes on") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    for (const fault_delivery delivery : {fault_delivery::thread, fault_delivery::signal}) {
        test_source source;
        store_type store{source};
        uffd_pager_options o = options_of(64, 16);
        o.delivery = delivery;
        running_pager<pager_type> one{store, o};
        REQUIRE(one.opened == status::ok);
        fill(one, 64);
        const int how = in_child([&] { return static_cast<int>(read_byte(one.page(3))); });
        CHECK(WIFSIGNALED(how));
        CHECK(WTERMSIG(how) == SIGSEGV);
        for (std::size_t i = 0; i < 64; ++i) {
            REQUIRE(holds(one.page(i), i));
        }
    }
}

/// A store that has no memory for a while, or finds pages corrupt.
struct moody_store : store_type {
    using store_type::store_type;
    std::atomic<int> refusals{0};
    std::atomic<std::uint64_t> corrupt_page{~std::uint64_t{0}};

    status get(const page_key& key, byte_span out) noexcept {
        if (refusals.load() > 0 && refusals.fetch_sub(1) > 0) {
            return status::no_memory;
        }
        return key.index == corrupt_page.load() ? status::corrupt : store_type::get(key, out);
    }
};

TEST_CASE("uffd_pager: a store that has no memory for a while loses nothing") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    for (const fault_delivery delivery : {fault_delivery::thread, fault_delivery::signal}) {
        test_source source;
        moody_store store{source};
        uffd_pager_options o = options_of(64, 16);
        o.delivery = delivery;
        running_pager<uffd_pager<moody_store>> one{store, o};
        REQUIRE(one.opened == status::ok);
        fill(one, 64);
        store.refusals = 5;
        CHECK(holds(one.page(0), 0));
        store.refusals = 1;
        CHECK(one.pager.populate(20 * page, page) == status::no_memory);
        CHECK(one.pager.populate(20 * page, page) == status::ok);
        CHECK(holds(one.page(20), 20));
        CHECK(one.pager.statistics().lost_pages == 0);
        CHECK(one.pager.check());
    }
}

sigjmp_buf after_signal;
volatile std::uintptr_t signal_address = 0;
void note_address(int, siginfo_t* info, void*) {
    signal_address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    siglongjmp(after_signal, 1);
}

/// In a function of its own: nothing of the caller's is lost to the jump.
[[gnu::noinline]] bool is_told_by_signal(const std::byte* at) {
    signal_address = 0;
    if (sigsetjmp(after_signal, 1) == 0) {
        static_cast<void>(read_byte(at));
        return false;
    }
    return true;
}

TEST_CASE("uffd_pager: of a corrupt page the program's own handler learns, and can begin anew") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    struct variant {
        fault_delivery delivery;
        bool has_poison;
        uffd_backing backing = uffd_backing::anonymous;
    };
    for (const variant& how :
         {variant{fault_delivery::thread, true}, variant{fault_delivery::thread, false},
          variant{fault_delivery::signal, true}, variant{fault_delivery::thread, true, uffd_backing::shared},
          variant{fault_delivery::thread, false, uffd_backing::shared},
          variant{fault_delivery::signal, true, uffd_backing::shared}}) {
        struct sigaction mine {
        }, kept_bus{}, kept_segv{};
        mine.sa_sigaction = note_address;
        mine.sa_flags = SA_SIGINFO;
        sigemptyset(&mine.sa_mask);
        REQUIRE(sigaction(SIGBUS, &mine, &kept_bus) == 0);
        REQUIRE(sigaction(SIGSEGV, &mine, &kept_segv) == 0); // where the kernel has no POISON
        {
            test_source source;
            moody_store store{source};
            uffd_pager_options o = options_of(64, 16);
            o.delivery = how.delivery;
            o.backing = how.backing;
            o.read_ahead_pages = 4;
            o.may_use = how.has_poison ? o.may_use : ~uffd_abi::feature_poison;
            running_pager<uffd_pager<moody_store>> one{store, o};
            REQUIRE(one.opened == status::ok);
            fill(one, 64);
            store.corrupt_page = 5;
            CHECK(is_told_by_signal(one.page(5) + 3));
            // In a message the address may be the page's.
            CHECK(signal_address / page == reinterpret_cast<std::uintptr_t>(one.page(5)) / page);
            CHECK(one.pager.statistics().lost_pages == 1);
            CHECK(one.pager.populate(5 * page, page) == status::corrupt);
            CHECK(one.pager.check());
            CHECK(holds(one.page(4), 4));
            CHECK(holds(one.page(6), 6));
            REQUIRE(one.pager.discard(5 * page, page) == status::ok);
            store.corrupt_page = ~std::uint64_t{0};
            CHECK(read_byte(one.page(5) + 3) == std::byte{0});
            make_page({one.page(5), page}, 500);
            for (std::size_t i = 0; i < 64; ++i) {
                REQUIRE(holds(one.page(i), i == 5 ? 500 : i));
            }
            CHECK(one.pager.statistics().lost_pages == 1);
            CHECK(one.pager.check());
        }
        sigaction(SIGBUS, &kept_bus, nullptr);
        sigaction(SIGSEGV, &kept_segv, nullptr);
    }
}

std::byte* touched_by_timer = nullptr;
std::atomic<unsigned> timer_sum{0}, timer_calls{0};
void touch_on_timer(int) {
    const unsigned call = timer_calls.fetch_add(1);
    timer_sum += static_cast<unsigned>(read_byte(touched_by_timer + call * 37 % 64 * page));
}

TEST_CASE("uffd_pager: a signal handler may touch the region, whatever its thread was doing") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    for (const fault_delivery delivery : {fault_delivery::thread, fault_delivery::signal}) {
        if (PAGEFOLD_TEST_TSAN != 0 && delivery == fault_delivery::signal) {
            MESSAGE(
                "skipped: this machine runs ThreadSanitizer, which calls a timer's handler later, with SIGBUS blocked");
            break;
        }
        test_source source;
        store_type store{source};
        uffd_pager_options o = options_of(64, 32);
        o.delivery = delivery;
        sigset_t timer_alone, kept_mask;
        sigemptyset(&timer_alone);
        sigaddset(&timer_alone, SIGALRM);
        pthread_sigmask(SIG_BLOCK, &timer_alone, &kept_mask); // in the thread of run(), where no handler may touch it
        running_pager<pager_type> one{store, o};
        pthread_sigmask(SIG_SETMASK, &kept_mask, nullptr);
        REQUIRE(one.opened == status::ok);
        fill(one, 64);
        touched_by_timer = one.page(0);
        timer_calls = 0;
        struct sigaction mine {
        }, kept{};
        mine.sa_handler = touch_on_timer;
        mine.sa_flags = SA_RESTART;
        REQUIRE(sigaction(SIGALRM, &mine, &kept) == 0);
        const itimerval often{{0, 200}, {0, 200}}, never{};
        REQUIRE(setitimer(ITIMER_REAL, &often, nullptr) == 0);
        for (std::size_t i = 0; timer_calls < 500; ++i) {
            REQUIRE(one.pager.set_budget((16 + i % 3 * 16) * page) == status::ok);
            REQUIRE(one.pager.populate(i % 64 * page, page) == status::ok);
            REQUIRE(one.pager.statistics().lost_pages == 0);
            REQUIRE(holds(one.page(i % 64), i % 64));
        }
        setitimer(ITIMER_REAL, &never, nullptr);
        sigaction(SIGALRM, &kept, nullptr);
        CHECK(one.pager.check());
    }
}

/// A partition a node, and every page on the node of its pool.
struct by_node {
    [[nodiscard]] constexpr partition_id home(const page_key&, std::uint64_t, node_id wish,
                                              std::size_t count) const noexcept {
        return wish == any_node ? 0 : static_cast<partition_id>(wish) % count;
    }
    [[nodiscard]] constexpr partition_id spill(partition_id home, std::size_t attempt,
                                               std::size_t count) const noexcept {
        return (home + 1 + attempt) % count;
    }
    [[nodiscard]] constexpr node_id node(partition_id id) const noexcept { return static_cast<node_id>(id); }
};
struct by_node_config : default_config {
    using place_type = by_node;
};
/// Counts what each node is asked for.
struct node_source : test_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (node != any_node && static_cast<std::size_t>(node) < 2) {
            asked[static_cast<std::size_t>(node)] += pages;
        }
        return test_source::acquire(pages, node);
    }
    std::atomic<std::size_t> asked[2]{};
};

TEST_CASE("uffd_pager: resident pages are on the node that is asked for, or the region is refused") {
    if (lacks_uffd()) {
        return;
    }
    test_source source;
    store_type store{source};
    const numa_topology nodes;
    for (const node_id there : nodes) {
        for (const uffd_backing backing : {uffd_backing::anonymous, uffd_backing::shared}) {
            uffd_pager_options o = options_of(128, 32);
            o.memory_node = there;
            o.backing = backing;
            running_pager<pager_type> one{store, o};
            REQUIRE(one.opened == status::ok);
            for (std::size_t i = 0; i < 128; ++i) {
                make_page({one.page(i), page}, i + 1);
            }
            for (std::size_t i = 0; i < 128; ++i) {
                REQUIRE(holds(one.page(i), i + 1));
            }
            const node_placement where{there, node_exhausted::refuse, false};
            CHECK((!nodes.is_numa() || where.pages_elsewhere(one.page(0), 128 * page, page) == 0));
        }
    }
    for (const node_id nowhere : {node_id{1023}, node_id{2000}, strictly(node_id{0})}) {
        uffd_pager_options o = options_of(128, 32);
        o.memory_node = nowhere;
        pager_type pager{store};
        CHECK(pager.open(o) == status::invalid);
        CHECK(std::string(pager.reason()).find("memory node") != std::string::npos);
        CHECK(pager.memory().empty());
    }
    CHECK(store.stats().stored_pages == 0);
}

TEST_CASE("uffd_pager: a region a node, each in its node's partition") {
    if (lacks_uffd()) {
        return;
    }
    using parted = tsan_ordered<partitioned_store<by_node_config>>;
    node_source source;
    store_options parts;
    parts.partitions = 2;
    parted store{source, parts};
    uffd_pager_options o = options_of(128, 16);
    o.pool.strict_node = true;
    o.pool.node = node_id{0};
    running_pager<uffd_pager<parted>> a{store, o};
    o.pool.node = node_id{1};
    running_pager<uffd_pager<parted>> b{store, o};
    REQUIRE(a.opened == status::ok);
    REQUIRE(b.opened == status::ok);
    const std::size_t before[2] = {source.asked[0], source.asked[1]};
    for (std::size_t i = 0; i < 128; ++i) {
        make_page({a.page(i), page}, page_kind::random, i);
    }
    CHECK(source.asked[0] >= before[0] + 100);
    CHECK(source.asked[1] == before[1]);
    for (std::size_t i = 0; i < 128; ++i) {
        make_page({b.page(i), page}, page_kind::random, 1000 + i);
    }
    CHECK(source.asked[1] >= before[1] + 100);
    for (std::size_t i = 0; i < 128; ++i) {
        const std::vector<std::byte> in_a = page_of(page, page_kind::random, i);
        const std::vector<std::byte> in_b = page_of(page, page_kind::random, 1000 + i);
        REQUIRE(std::memcmp(a.page(i), in_a.data(), page) == 0);
        REQUIRE(std::memcmp(b.page(i), in_b.data(), page) == 0);
    }
    uffd_pager<parted> c{store};
    o.pool.node = node_id{2}; // no partition is there
    CHECK(c.open(o) == status::invalid);
    CHECK(std::strlen(c.reason()) > 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_pager
