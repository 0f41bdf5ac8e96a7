// SPDX-License-Identifier: MIT
#include <pagefold/hosted/pager_budget.hpp>

#include <pagefold/core/types.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <support/uffd_skip.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_hosted_pager_budget {
namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

/// A pager that says what it is told.
struct played_pager {
    static constexpr std::size_t page_size = 4096;
    static constexpr std::size_t least_budget_pages = 16;

    uffd_pager_stats now{};
    status answer = status::ok;
    std::vector<std::size_t> budgets;

    [[nodiscard]] uffd_pager_stats statistics() const noexcept { return now; }
    status set_budget(std::size_t bytes) noexcept {
        budgets.push_back(bytes);
        if (answer != status::invalid) {
            now.budget_bytes = bytes;
        }
        if (answer == status::ok && now.resident_bytes > bytes) {
            now.resident_bytes = bytes;
        }
        return answer;
    }
};
/// A tenth of a second each time.
struct stepping_clock {
    std::uint64_t time = 1;

    [[nodiscard]] std::uint64_t now() noexcept { return time += 100'000'000; }
};
using steered = pager_budget<played_pager, stepping_clock>;

TEST_CASE("pager_budget: bounds for a region") {
    const budget_options usual = steered::options_for(640 * mib);
    CHECK(usual.least_bytes == 10 * mib);
    CHECK(usual.most_bytes == 800 * mib);
    const budget_options tiny = steered::options_for(4096);
    CHECK(tiny.least_bytes == 16 * 4096);
    CHECK(tiny.most_bytes == 16 * 4096);
    const budget_options all = steered::options_for(~std::uint64_t{0});
    CHECK(all.most_bytes == ~std::uint64_t{0});
}

TEST_CASE("pager_budget: without faults the budget goes down to the least, and with them up to the most") {
    played_pager pager;
    pager.now.resident_bytes = pager.now.budget_bytes = 80 * mib;
    steered s{pager, steered::options_for(64 * mib)};
    for (int i = 0; i < 300; ++i) {
        CHECK(s.step() == status::ok);
    }
    CHECK(pager.now.budget_bytes == mib);
    const std::size_t calls = pager.budgets.size();
    for (int i = 0; i < 100; ++i) {
        CHECK(s.step() == status::ok);
    }
    CHECK(pager.budgets.size() == calls); // what does not change is not set
    for (int i = 0; i < 100; ++i) {
        pager.now.faults += 10'000; // 3 µs each
        pager.now.fault_ns += 20'000'000;
        CHECK(s.step() == status::ok);
        pager.now.resident_bytes = pager.now.budget_bytes;
    }
    CHECK(pager.now.budget_bytes == 80 * mib);
}

TEST_CASE("pager_budget: a fault that waited for a processor counts for no more than a fault may take") {
    played_pager pager;
    pager.now.resident_bytes = pager.now.budget_bytes = 80 * mib;
    steered s{pager, steered::options_for(64 * mib)};
    for (int i = 0; i < 20; ++i) {
        pager.now.faults += 10;
        pager.now.fault_ns += 50'000'000; // half of the time
        CHECK(s.step() == status::ok);
    }
    CHECK(s.steering().stalled_ppm() <= 10 * 23 * 10);
    CHECK(pager.now.budget_bytes < 70 * mib);
}

TEST_CASE("pager_budget: faults that the queue served are no refaults, others are") {
    played_pager pager;
    pager.now.resident_bytes = pager.now.budget_bytes = 80 * mib;
    steered s{pager, steered::options_for(64 * mib)};
    for (int i = 0; i < 20; ++i) {
        pager.now.evicted_pages += 100;
        pager.now.queue_faults += 100;
        pager.now.refaults += 100;
        CHECK(s.step() == status::ok);
        CHECK_FALSE(s.steering().is_pausing());
    }
    pager.now.evicted_pages += 100;
    pager.now.refaults += 90;
    CHECK(s.step() == status::ok);
    CHECK(s.steering().is_pausing());
}

TEST_CASE("pager_budget: where the store refuses, the budget is what is in memory") {
    played_pager pager;
    pager.now.resident_bytes = pager.now.budget_bytes = 64 * mib;
    pager.answer = status::limit;
    steered s{pager, steered::options_for(64 * mib)};
    bool was_refused = false;
    for (int i = 0; i < 100; ++i) {
        was_refused = s.step() == status::limit || was_refused;
        CHECK(s.steering().bytes() >= 58 * mib); // a step below what is in memory, and no more
    }
    CHECK(was_refused);
    pager.answer = status::invalid; // closed
    for (int i = 0; i < 10; ++i) {
        static_cast<void>(s.step());
    }
    pager.answer = status::ok;
    for (int i = 0; i < 200; ++i) {
        static_cast<void>(s.step());
    }
    CHECK(pager.now.budget_bytes == mib);
}

TEST_CASE("pager_budget: a region that nobody uses leaves memory, and every page of it comes back") {
    if (lacks_uffd()) {
        return;
    }
    mmap_source<> source;
    page_store<default_config> store{source};
    using pager_type = uffd_pager<page_store<default_config>>;
    pager_type pager{store};
    uffd_pager_options options;
    options.bytes = 4 * mib;
    options.budget_bytes = 5 * mib;
    options.delivery = fault_delivery::signal;
    REQUIRE(pager.open(options) == status::ok);
    std::byte* const memory = pager.memory().data();
    for (std::size_t at = 0; at < options.bytes; at += 512) {
        memory[at] = static_cast<std::byte>(at / 512 % 251 + 1);
    }
    pager_budget<pager_type, stepping_clock> s{pager, pager_budget<pager_type>::options_for(options.bytes)};
    for (int i = 0; i < 300; ++i) {
        REQUIRE(s.step() == status::ok);
    }
    const uffd_pager_stats idle = pager.statistics();
    CHECK(idle.resident_bytes + idle.queued_bytes <= 16 * 4096);
    for (std::size_t at = 0; at < options.bytes; at += 512) {
        REQUIRE(memory[at] == static_cast<std::byte>(at / 512 % 251 + 1));
    }
    CHECK(pager.check());
}

} // namespace
} // namespace pagefold::testing::unit_hosted_pager_budget
