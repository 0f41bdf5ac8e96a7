// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/uffd_pager.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pagefold::testing {

/// The ways in which a pager can work.
struct pager_mode {
    const char* name;
    uffd_backing backing;
    fault_delivery delivery;
    eviction_method eviction;
    clean_tracking tracking;

    void apply(uffd_pager_options& to) const {
        to.backing = backing;
        to.delivery = delivery;
        to.eviction = eviction;
        to.tracking = tracking;
    }
    /// What the kernel must have for it.
    [[nodiscard]] std::uint64_t features() const {
        std::uint64_t wanted = uffd_abi::feature_wp;
        wanted |= delivery == fault_delivery::signal ? uffd_abi::feature_sigbus : 0;
        wanted |= eviction == eviction_method::move ? uffd_abi::feature_move : 0;
        wanted |= tracking == clean_tracking::scan ? uffd_abi::feature_wp_async : 0;
        wanted |= backing == uffd_backing::shared ? uffd_abi::feature_missing_shmem | uffd_abi::feature_wp_shmem : 0;
        return wanted;
    }
};

inline constexpr pager_mode pager_modes[] = {
    {"thread move scan", uffd_backing::anonymous, fault_delivery::thread, eviction_method::move, clean_tracking::scan},
    {"thread move protect", uffd_backing::anonymous, fault_delivery::thread, eviction_method::move,
     clean_tracking::protect},
    {"thread move none", uffd_backing::anonymous, fault_delivery::thread, eviction_method::move, clean_tracking::none},
    {"thread protect protect", uffd_backing::anonymous, fault_delivery::thread, eviction_method::protect,
     clean_tracking::protect},
    {"thread protect none", uffd_backing::anonymous, fault_delivery::thread, eviction_method::protect,
     clean_tracking::none},
    {"thread shared protect", uffd_backing::shared, fault_delivery::thread, eviction_method::protect,
     clean_tracking::protect},
    {"thread shared none", uffd_backing::shared, fault_delivery::thread, eviction_method::protect,
     clean_tracking::none},
    {"signal move scan", uffd_backing::anonymous, fault_delivery::signal, eviction_method::move, clean_tracking::scan},
    {"signal move protect", uffd_backing::anonymous, fault_delivery::signal, eviction_method::move,
     clean_tracking::protect},
    {"signal move none", uffd_backing::anonymous, fault_delivery::signal, eviction_method::move, clean_tracking::none},
    {"signal protect protect", uffd_backing::anonymous, fault_delivery::signal, eviction_method::protect,
     clean_tracking::protect},
    {"signal protect none", uffd_backing::anonymous, fault_delivery::signal, eviction_method::protect,
     clean_tracking::none},
    {"signal shared protect", uffd_backing::shared, fault_delivery::signal, eviction_method::protect,
     clean_tracking::protect},
};

/// Runs a test in every mode that is `wanted` and that this kernel has. The test may return early: a return in a subcase itself
/// would end the loop, and doctest would never learn of the modes behind it.
template <class Wanted, class Test>
void for_each_mode(Wanted wanted, Test test) {
    for (const pager_mode& mode : pager_modes) {
        SUBCASE(mode.name) {
            if (wanted(mode) && !lacks_uffd(mode.features())) {
                test(mode);
            }
        }
    }
}
template <class Test>
void for_each_mode(Test test) {
    for_each_mode([](const pager_mode&) { return true; }, test);
}
inline bool tracks_clean_pages(const pager_mode& mode) { return mode.tracking != clean_tracking::none; }
inline bool evicts_by_move(const pager_mode& mode) { return mode.eviction == eviction_method::move; }
inline bool is_anonymous(const pager_mode& mode) { return mode.backing == uffd_backing::anonymous; }

[[nodiscard]] inline uffd_pager_options options_of(std::size_t pages, std::size_t budget) {
    uffd_pager_options o;
    o.bytes = pages * 4096;
    o.budget_bytes = budget * 4096;
    return o;
}
[[nodiscard]] inline uffd_pager_options options_of(std::size_t pages, std::size_t budget, const pager_mode& mode) {
    uffd_pager_options o = options_of(pages, budget);
    mode.apply(o);
    return o;
}
/// Whether the page at `at` is what make_page makes of the seed.
[[nodiscard]] inline bool holds(const std::byte* at, std::uint64_t seed) {
    const std::vector<std::byte> expected = page_of(4096, seed);
    return std::memcmp(at, expected.data(), expected.size()) == 0;
}

/// Runs `work` in a child and says how it ended, as waitpid does. What `work` returns is the child's exit status.
template <class Work>
[[nodiscard]] int in_child(Work work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGSEGV, SIG_DFL); // the test's own handlers, and a sanitizer's
        std::signal(SIGBUS, SIG_DFL);
        alarm(60);
        _exit(work());
    }
    int how = 0;
    REQUIRE(waitpid(child, &how, 0) == child);
    return how;
}

/// Opens a pager, and runs it in a thread where its mode wants that.
template <class Pager>
class running_pager {
public:
    template <class Store>
    running_pager(Store& store, const uffd_pager_options& options) : pager{store}, opened{pager.open(options)} {
        if (opened == status::ok && options.delivery == fault_delivery::thread) {
            server_ = std::thread([this] { ended = pager.run(); });
        }
    }
    ~running_pager() {
        stop();
        pager.close();
    }
    running_pager(const running_pager&) = delete;
    running_pager& operator=(const running_pager&) = delete;

    void stop() {
        if (server_.joinable()) {
            pager.stop();
            server_.join();
        }
    }
    [[nodiscard]] std::byte* page(std::size_t i) const { return pager.memory().data() + i * Pager::page_size; }

    Pager pager;
    status opened;
    status ended = status::busy;

private:
    std::thread server_;
};

/// Page i of the first `pages` has the content that make_page makes of i.
template <class Pager>
void fill(running_pager<Pager>& one, std::size_t pages) {
    constexpr std::size_t page_bytes = Pager::page_size;
    for (std::size_t i = 0; i < pages; ++i) {
        make_page({one.page(i), page_bytes}, i);
    }
}

} // namespace pagefold::testing
