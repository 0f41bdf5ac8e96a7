// SPDX-License-Identifier: MIT
#include "pager_figures.hpp"

#include "child.hpp"
#include "interruption.hpp"
#include "processors.hpp"

#include "../support/kernel_swap.hpp"
#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

namespace pagefold::measure {
namespace {

using store_type = page_store<default_config>;
constexpr std::size_t page_size = default_config::page_size;
// Where a page's number and version stand: not where the page begins, so that it compresses as it did.
constexpr std::size_t stamp_at = 2048;

void require(bool holds, const char* what) {
    if (!holds) {
        throw std::runtime_error(std::string("pager: ") + what);
    }
}

/// The program that is measured: it fills memory with pages of processes, and then reads at random.
class region_work {
public:
    region_work(const support::corpus& pages, std::byte* memory, std::size_t count)
        : memory_{memory}, versions_(count), random_{7} {
        const std::vector<const std::byte*> contents =
            pages.process_memory().empty() ? pages.pages() : pages.process_memory();
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(memory_ + i * page_size, contents[i * 7919 % contents.size()], page_size);
            stamp(i);
            end_sometimes(i);
        }
    }

    /// Nanoseconds of the first access to each page, in random order; all must have left memory before.
    [[nodiscard]] support::latency_histogram touch_all() {
        const std::uint64_t overhead = support::clock_overhead_ns();
        support::latency_histogram found;
        for (const std::uint32_t page : random_.permutation(versions_.size())) {
            const volatile std::byte* const at = memory_ + page * page_size + 64;
            const std::uint64_t before = support::now_ns();
            static_cast<void>(*at);
            const std::uint64_t took = support::now_ns() - before;
            found.record(took - (took < overhead ? took : overhead));
            require(is_whole(page), "a page came back wrong");
        }
        return found;
    }
    /// Thousands of accesses a second: one page each, verified, three of ten rewritten.
    [[nodiscard]] double access(std::size_t accesses, bool is_skewed) {
        const std::uint64_t start = support::now_ns();
        for (std::size_t i = 0; i < accesses; ++i) {
            const std::size_t page = is_skewed ? skewed_page() : random_.below(versions_.size());
            require(is_whole(page), "a page came back wrong");
            if (random_.below(10) < 3) {
                ++versions_[page];
                stamp(page);
            }
            end_sometimes(i);
        }
        return static_cast<double>(accesses) * 1e6 / static_cast<double>(support::now_ns() - start);
    }

private:
    struct mark {
        std::uint32_t page, version;
    };

    void stamp(std::size_t page) {
        const mark m{static_cast<std::uint32_t>(page), versions_[page]};
        std::memcpy(memory_ + page * page_size + stamp_at, &m, sizeof m);
    }
    [[nodiscard]] bool is_whole(std::size_t page) const {
        mark m{};
        std::memcpy(&m, memory_ + page * page_size + stamp_at, sizeof m);
        return m.page == page && m.version == versions_[page];
    }
    /// Four of five accesses go to a fifth of the pages, and in the same way within it; spread over the region.
    [[nodiscard]] std::size_t skewed_page() {
        std::size_t among = versions_.size();
        for (int level = 0; level < 3 && random_.below(5) != 0; ++level) {
            among /= 5;
        }
        return random_.below(among) * 2'654'435'761u % versions_.size();
    }
    static void end_sometimes(std::size_t i) {
        if (i % 4096 == 0) {
            end_if_interrupted();
        }
    }

    std::byte* memory_;
    std::vector<std::uint32_t> versions_;
    support::random_stream random_;
};

struct sizes {
    std::size_t pages;
    std::size_t accesses;
};

void report(figures& out, const std::string& who, const support::latency_histogram& touched, double uniform,
            double skewed) {
    out.add_context("pager." + who + ".fault_p50_ns", touched.percentile(50));
    out.add_context("pager." + who + ".fault_p99_ns", touched.percentile(99));
    out.add_context("pager." + who + ".overcommit_2x_kops", uniform);
    out.add_context("pager." + who + ".overcommit_2x_skewed_kops", skewed);
}

/// Nanoseconds a page of a program that writes to each for the first time, one after the other.
[[nodiscard]] double first_writes(std::byte* memory, std::size_t count) {
    const std::uint64_t start = support::now_ns();
    for (std::size_t i = 0; i < count; ++i) {
        *static_cast<volatile std::byte*>(memory + i * page_size) = std::byte{1};
    }
    return static_cast<double>(support::now_ns() - start) / static_cast<double>(count);
}

struct variant {
    const char* name;
    fault_delivery delivery;
    eviction_method eviction;
    clean_tracking tracking;
};

/// In a process of its own.
void measure_uffd(const support::corpus& pages, const sizes& size, const variant& how, figures& out) {
    mmap_source<> source;
    store_type store{source};
    uffd_pager<store_type> pager{store};
    uffd_pager_options options;
    options.bytes = size.pages * page_size;
    options.budget_bytes = options.bytes;
    options.delivery = how.delivery;
    options.eviction = how.eviction;
    options.tracking = how.tracking;
    if (pager.open(options) != status::ok) {
        throw std::runtime_error(pager.reason());
    }
    std::thread server;
    if (how.delivery == fault_delivery::thread) {
        server = std::thread([&] { static_cast<void>(pager.run() == status::ok); });
    }
    {
        out.add_context(std::string("pager.") + how.name + ".first_write_ns",
                        first_writes(pager.memory().data(), size.pages));
        region_work work{pages, pager.memory().data(), size.pages};
        require(pager.set_budget(pager.least_budget_pages * page_size) == status::ok, "the store is full");
        require(pager.set_budget(options.bytes) == status::ok, "no budget");
        const support::latency_histogram touched = work.touch_all();
        require(pager.set_budget(options.bytes / 2) == status::ok, "the store is full");
        static_cast<void>(work.access(size.accesses / 4, false));
        const double uniform = work.access(size.accesses, false);
        static_cast<void>(work.access(size.accesses / 4, true));
        const double skewed = work.access(size.accesses, true);
        report(out, how.name, touched, uniform, skewed);
    }
    if (server.joinable()) {
        pager.stop();
        server.join();
    }
}

/// In a process of its own.
void measure_swap(const support::corpus& pages, const sizes& size, const support::memory_cgroup& group, figures& out) {
    require(group.enter(), "the cgroup can't be entered");
    const std::size_t bytes = size.pages * page_size;
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "no memory");
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    // The limit before the pages: where all of them were just brought in and count as active, the kernel finds none to
    // take, gives up and kills.
    require(group.set_limit(group.usage() + bytes / 2), "the limit can't be set");
    region_work work{pages, static_cast<std::byte*>(memory), size.pages};
    static_cast<void>(work.access(size.accesses / 4, false));
    const double uniform = work.access(size.accesses, false);
    static_cast<void>(work.access(size.accesses / 4, true));
    const double skewed = work.access(size.accesses, true);
    require(group.set_limit(4 * bytes), "the limit can't be lifted");
    require(madvise(memory, bytes, MADV_PAGEOUT) == 0, "MADV_PAGEOUT");
    const support::latency_histogram touched = work.touch_all();
    report(out, "zram", touched, uniform, skewed);
}

[[nodiscard]] double context_of(const figures& found, const std::string& key) {
    double value = 0;
    found.for_each([&](figures::kind, const std::string& name, double v) { value = name == key ? v : value; });
    return value;
}

} // namespace

void measure_pager(const support::corpus& pages, unsigned rounds, bool quick, figures& out) {
    const sizes size = quick ? sizes{8192, 40'000} : sizes{16384, 100'000};
    const variant variants[] = {
        {"signal", fault_delivery::signal, eviction_method::automatic, clean_tracking::automatic},
        {"thread", fault_delivery::thread, eviction_method::automatic, clean_tracking::automatic},
        {"signal_protect", fault_delivery::signal, eviction_method::protect, clean_tracking::protect},
        {"thread_protect", fault_delivery::thread, eviction_method::protect, clean_tracking::protect},
    };
    uffd probe;
    if (probe.open(0) != status::ok) {
        out.note(std::string("pager.* is left out: ") + probe.reason());
        return;
    }
    pin_to(usable_processors().back());
    for (unsigned round = 0; round < rounds; ++round) {
        figures found;
        for (const variant& how : variants) {
            if (!run_in_child(found, [&](figures& to) { measure_uffd(pages, size, how, to); })) {
                throw std::runtime_error("the pager's process was killed");
            }
        }
        const support::kernel_swap swap = support::kernel_swap::on_zram(2 * size.pages);
        const support::memory_cgroup group =
            support::memory_cgroup::create("pagefold_measure." + std::to_string(getpid()));
        const bool has_peer = swap && group;
        const bool has_zram =
            has_peer && run_in_child(found, [&](figures& to) { measure_swap(pages, size, group, to); });
        found.for_each([&](figures::kind kind, const std::string& key, double value) { out.add(kind, key, value); });
        if (!has_zram) {
            out.note("the pager's ratios to zram are left out: " + (has_peer ? "its process was killed"
                                                                    : swap   ? group.error()
                                                                             : swap.error()));
            return;
        }
        const auto over_zram = [&](const std::string& key) {
            return context_of(found, "pager.signal." + key) / context_of(found, "pager.zram." + key);
        };
        out.add("pager.fault_p50_over_zram_swapin", over_zram("fault_p50_ns"));
        out.add("pager.overcommit_2x_over_zram", over_zram("overcommit_2x_kops"));
        out.add("pager.overcommit_2x_skewed_over_zram", over_zram("overcommit_2x_skewed_kops"));
    }
}

} // namespace pagefold::measure
