// SPDX-License-Identifier: MIT

// Threads that fault and discard, while another sets budgets, and pagers that are shut down and opened again. Each thread
// knows what its pages must hold. Runs for PAGEFOLD_STRESS_SECONDS (3 without it), in turns over the modes.

#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_uffd_pager {
namespace {

using store_type = tsan_ordered<partitioned_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096, pages_a_thread = 700, threads = 3;
constexpr std::size_t shared_first = threads * pages_a_thread, shared_pages = 64; // read by all, written before

std::chrono::seconds duration() {
    const char* const text = std::getenv("PAGEFOLD_STRESS_SECONDS");
    const long seconds = text != nullptr ? std::strtol(text, nullptr, 10) : 3;
    return std::chrono::seconds(seconds > 0 ? seconds : 3);
}

struct mistakes {
    std::atomic<std::size_t> pages{0}, discards{0}, populates{0};
};

/// Reads, writes and discards pages of one thread, and reads those of all, until told to end. Pages of two threads lie
/// side by side.
void use_pages(pager_type& pager, std::size_t me, std::uint64_t seed, const std::atomic<bool>& ends, mistakes& found) {
    rng random{seed};
    std::vector<std::uint64_t> seeds(pages_a_thread, 0);
    std::vector<std::byte> expected(page);
    const auto look_at = [&](std::size_t i, std::uint64_t must) {
        must == 0 ? static_cast<void>(std::memset(expected.data(), 0, page)) : make_page(expected, must);
        found.pages += std::memcmp(pager.memory().data() + i * page, expected.data(), page) != 0 ? 1 : 0;
    };
    while (!ends) {
        const std::size_t i = random.one_in(3) ? random.below(pages_a_thread / 10) : random.below(pages_a_thread);
        const std::size_t at = i * threads + me;
        look_at(at, seeds[i]);
        if (random.one_in(3)) {
            seeds[i] = 1 + random.below(1u << 30);
            make_page({pager.memory().data() + at * page, page}, seeds[i]);
        }
        if (random.one_in(10)) {
            const std::size_t of_all = shared_first + random.below(shared_pages);
            look_at(of_all, of_all);
        }
        if (random.one_in(50)) {
            found.discards += pager.discard(at * page, page) == status::ok ? 0 : 1;
            seeds[i] = 0;
        }
        if (random.one_in(50)) {
            found.populates += pager.populate(at * page, page) == status::ok ? 0 : 1;
        }
    }
}

TEST_CASE("uffd_pager: faults of several threads, budgets and shutdowns lose nothing") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    mmap_source<> source;
    store_options parts;
    parts.partitions = 2;
    store_type store{source, parts};
    const auto end = std::chrono::steady_clock::now() + duration();
    rng random{99};
    std::size_t rounds = 0;
    while (std::chrono::steady_clock::now() < end) {
        const pager_mode& mode = pager_modes[rounds++ % (sizeof pager_modes / sizeof *pager_modes)];
        if ((mode.features() & ~uffd::supported_features()) != 0) {
            MESSAGE("left out, the kernel lacks what it needs: ", mode.name);
            continue;
        }
        uffd_pager_options o;
        o.bytes = (shared_first + shared_pages) * page;
        o.budget_bytes = o.bytes / 4;
        mode.apply(o);
        running_pager<pager_type> one{store, o};
        REQUIRE(one.opened == status::ok);
        for (std::size_t i = shared_first; i < shared_first + shared_pages; ++i) {
            make_page({one.page(i), page}, i);
        }
        std::atomic<bool> ends{false};
        mistakes found;
        std::vector<std::thread> users;
        for (std::size_t i = 0; i < threads; ++i) {
            users.emplace_back([&, i, seed = random()] { use_pages(one.pager, i, seed, ends, found); });
        }
        bool budgets_held = true;
        for (int i = 0; i < 20; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(8));
            const std::size_t budget = pager_type::least_budget_pages + random.below(threads * pages_a_thread);
            budgets_held &= one.pager.set_budget(budget * page) == status::ok;
        }
        budgets_held &= one.pager.check();
        const uffd_pager_stats now = one.pager.statistics();
        CHECK(now.faults == now.zero_faults + now.queue_faults + now.store_faults);
        ends = true;
        for (std::thread& user : users) {
            user.join();
        }
        CHECK_MESSAGE(found.pages == 0, std::string{mode.name});
        CHECK_MESSAGE(found.discards == 0, std::string{mode.name});
        CHECK_MESSAGE(found.populates == 0, std::string{mode.name});
        CHECK(budgets_held);
        CHECK(one.pager.statistics().lost_pages == 0);
    }
    CHECK(rounds > 0);
    CHECK(store.stats().stored_pages == 0);
    CHECK(store.check());
}

} // namespace
} // namespace pagefold::testing::stress_uffd_pager
