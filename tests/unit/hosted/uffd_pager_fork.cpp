// SPDX-License-Identifier: MIT
//
// What children have of a region, by option.

#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/tsan_ordered.hpp"
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/fork_guard.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <sys/wait.h>

namespace pagefold::testing::unit_hosted_uffd_pager_fork {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;
constexpr std::size_t pages = 64;

/// A region of 64 pages with content, and all that its children need.
struct forked {
    explicit forked(const uffd_pager_options& options) : one{store, options} {}

    mmap_source<> source;
    fork_guard<mmap_source<>> source_guard{source};
    store_type store{source};
    fork_guard<store_type> store_guard{store};
    running_pager<pager_type> one;
};
struct guarded_fork : forked {
    explicit guarded_fork(const uffd_pager_options& options) : forked{options} {}
    fork_guard<pager_type> pager_guard{one.pager};
};

uffd_pager_options options_with(fork_policy on_fork, std::size_t budget, const pager_mode& mode) {
    uffd_pager_options o = options_of(pages, budget, mode);
    o.on_fork = on_fork;
    return o;
}
bool is_zero(const std::byte* at) {
    return std::all_of(at, at + page, [](std::byte b) { return b == std::byte{0}; });
}
bool all_hold(const running_pager<pager_type>& one) {
    bool all = true;
    for (std::size_t i = 0; i < pages; ++i) {
        all = all && holds(one.page(i), i);
    }
    return all;
}
template <class Test>
void for_each_private_mode(Test test) {
    for_each_mode(is_anonymous, test);
}
bool ended_well(int how) { return WIFEXITED(how) && WEXITSTATUS(how) == 0; }
bool has_no_region(int how) { return WIFSIGNALED(how) && WTERMSIG(how) == SIGSEGV; }

TEST_CASE("uffd_pager_fork: zeros, whatever there was, and the parent's pages stay") {
    for_each_private_mode([&](const pager_mode& mode) {
        guarded_fork f{options_with(fork_policy::zeros, 16, mode)};
        REQUIRE(f.one.opened == status::ok);
        fill(f.one, pages);
        std::byte* const region = f.one.page(0);
        CHECK(ended_well(in_child([&] {
            const byte_span left = f.one.pager.memory();
            if (left.data() != region || left.size() != pages * page) {
                return 1;
            }
            for (std::size_t i = 0; i < pages; ++i) {
                if (!is_zero(region + i * page)) {
                    return 2;
                }
                region[i * page] = std::byte{1};
            }
            f.one.pager.close();
            return f.one.pager.memory().empty() && f.store.check() ? 0 : 3;
        })));
        CHECK(all_hold(f.one));
        CHECK(f.one.pager.check());
    });
}

TEST_CASE("uffd_pager_fork: a copy of the whole region where the budget has room for what was written") {
    for_each_private_mode([&](const pager_mode& mode) {
        guarded_fork f{options_with(fork_policy::inherit, 16, mode)};
        REQUIRE(f.one.opened == status::ok);
        fill(f.one, pages - 8); // the last ones are nowhere
        REQUIRE(f.one.pager.statistics().stored_pages > 0);
        std::byte* const region = f.one.page(0);
        const auto child = [&] {
            if (f.one.pager.memory().size() != pages * page) {
                return 1;
            }
            for (std::size_t i = 0; i < pages; ++i) {
                if (i < pages - 8 ? !holds(region + i * page, i) : !is_zero(region + i * page)) {
                    return 2;
                }
                std::memset(region + i * page, 7, page);
            }
            return 0;
        };
        const uffd_pager_stats now = f.one.pager.statistics(); // pages of nothing but zeros take nothing
        const std::size_t needed = (now.resident_bytes + now.queued_bytes) / page + now.stored_pages;
        REQUIRE(needed > 17);
        // Too small a budget: nothing, rather than holes. One page short is as bad as many.
        for (const std::size_t budget : {std::size_t{16}, needed - 1}) {
            REQUIRE(f.one.pager.set_budget(budget * page) == status::ok);
            CHECK(ended_well(in_child([&] { return f.one.pager.memory().empty() ? 0 : 1; })));
            CHECK(has_no_region(in_child([&] { return static_cast<int>(*region); })));
        }
        REQUIRE(f.one.pager.set_budget(needed * page + now.queued_bytes) == status::ok);
        CHECK(ended_well(in_child(child)));
        REQUIRE(f.one.pager.set_budget(2 * pages * page) == status::ok);
        CHECK(ended_well(in_child(child)));
        for (std::size_t i = 0; i < pages - 8; ++i) {
            REQUIRE(holds(f.one.page(i), i)); // what the child wrote is not here
        }
        // The next one has none again, once it does not fit: the leave is for one fork. Pages that a child had are not moved
        // before they are written.
        fill(f.one, pages);
        REQUIRE(f.one.pager.set_budget(16 * page) == status::ok);
        CHECK(has_no_region(in_child([&] { return static_cast<int>(*region); })));
        CHECK(all_hold(f.one));
        CHECK(f.one.pager.check());
    });
}

TEST_CASE("uffd_pager_fork: inherit without a guard is nothing") {
    for_each_private_mode([&](const pager_mode& mode) {
        forked f{options_with(fork_policy::inherit, 2 * pages, mode)};
        REQUIRE(f.one.opened == status::ok);
        fill(f.one, pages);
        CHECK(has_no_region(in_child([&] { return static_cast<int>(*f.one.page(0)); })));
    });
}

TEST_CASE("uffd_pager_fork: with none a child may use and close the object, and open another") {
    for_each_mode([&](const pager_mode& mode) {
        guarded_fork f{options_with(fork_policy::none, 16, mode)};
        REQUIRE(f.one.opened == status::ok);
        fill(f.one, pages);
        std::byte* const region = f.one.page(0);
        CHECK(has_no_region(in_child([&] { return static_cast<int>(*region); })));
        CHECK(ended_well(in_child([&] {
            pager_type& pager = f.one.pager;
            if (!pager.memory().empty() || pager.set_budget(32 * page) != status::invalid ||
                pager.populate(0, page) != status::invalid || pager.discard(0, page) != status::invalid ||
                pager.reclaim(page) != status::ok || pager.run() != status::invalid) {
                return 1;
            }
            if (f.store.stats().stored_pages == 0) {
                return 2;
            }
            pager.close();
            if (f.store.stats().stored_pages != 0 || !f.store.check() || !f.source.check()) {
                return 3;
            }
            if (mode.delivery == fault_delivery::signal) { // the other kind would take a thread
                running_pager<pager_type> own{f.store, options_with(fork_policy::none, 16, mode)};
                fill(own, own.opened == status::ok ? pages : 0);
                return own.opened == status::ok && all_hold(own) ? 0 : 4;
            }
            return 0;
        })));
        CHECK(all_hold(f.one));
        CHECK(f.one.pager.check());
    });
}

TEST_CASE("uffd_pager_fork: shared memory is refused with a reason, and a closed pager forks") {
    if (lacks_uffd(uffd_abi::feature_missing_shmem)) {
        return;
    }
    mmap_source<> source;
    store_type store{source};
    pager_type pager{store};
    const fork_guard<pager_type> guard{pager};
    CHECK(ended_well(in_child([&] { return pager.memory().empty() ? 0 : 1; })));
    for (const fork_policy policy : {fork_policy::zeros, fork_policy::inherit}) {
        uffd_pager_options o = options_with(policy, 16, pager_mode{});
        o.backing = uffd_backing::shared;
        o.eviction = eviction_method::protect;
        CHECK(pager.open(o) == status::invalid);
        CHECK(std::strstr(pager.reason(), "fork_policy") != nullptr);
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_pager_fork
