// SPDX-License-Identifier: MIT
#include "steered_run.hpp"

#include "run_result.hpp"
#include "table.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/pager_budget.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <support/latency.hpp>
#include <support/pager_failure.hpp>
#include <support/threads.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <thread>
#include <vector>

namespace paged_process {
namespace {

using steered_store = pagefold::page_store<pagefold::default_config>;
using steered_pager = pagefold::uffd_pager<steered_store>;

constexpr unsigned phases = 4; // busy, quiet, busy, quiet
/// Of a phase, the first ones: for following.
double following_seconds(unsigned phase_seconds) { return std::min(5.0, phase_seconds / 2.0); }

/// The busy phases of a run, or the quiet ones, without the time that following is allowed.
struct phase_figures {
    std::uint64_t queries = 0;
    double seconds = 0; ///< of processor time
    double memory = 0;  ///< bytes, times samples: pages in memory and all of the store
    double pages = 0;   ///< of those: pages in memory
    unsigned samples = 0;

    [[nodiscard]] double queries_a_second() const { return static_cast<double>(queries) / std::max(seconds, 1e-9); }
    [[nodiscard]] double memory_mib() const { return memory / 1048576.0 / std::max(samples, 1u); }
    [[nodiscard]] double pages_mib() const { return pages / 1048576.0 / std::max(samples, 1u); }
};
struct outcome {
    bool is_right = true;
    phase_figures busy, quiet;
    std::uint64_t faults = 0;
};

/// A thread that steers until the scope ends.
class steering_thread {
public:
    explicit steering_thread(pagefold::pager_budget<steered_pager>& budget)
        : thread_{examples::start_thread("that steers", [this, &budget] { steer(budget); })} {}
    ~steering_thread() {
        ends_ = true;
        thread_.join();
    }
    steering_thread(const steering_thread&) = delete;
    steering_thread& operator=(const steering_thread&) = delete;

private:
    void steer(pagefold::pager_budget<steered_pager>& budget) {
        while (!ends_) {
            std::this_thread::sleep_for(std::chrono::milliseconds{100});
            static_cast<void>(budget.step()); // limit: the store refuses, and the budget gives way
        }
    }

    std::atomic<bool> ends_{false};
    std::thread thread_;
};

/// Of this process, its steering included: what other programs take of the processor is no matter of the budget.
double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
double seconds_since(std::uint64_t start) { return static_cast<double>(pagefold::support::now_ns() - start) * 1e-9; }

void work_in_phases(order_table& table, const steered_pager& pager, const steered_store& store, unsigned seconds,
                    outcome& out) {
    pagefold::support::random_stream random{42};
    for (unsigned phase = 0; phase < phases; ++phase) {
        const std::size_t newest = phase % 2 == 0 ? table.size() : table.size() / 2;
        phase_figures& figures = phase % 2 == 0 ? out.busy : out.quiet;
        const std::uint64_t start = pagefold::support::now_ns();
        const double following = following_seconds(seconds);
        double next_sample = following;
        double settled_at = -1;
        for (double now = 0; now < seconds && out.is_right && was_interrupted == 0; now = seconds_since(start)) {
            if (settled_at < 0 && now >= following) {
                settled_at = processor_seconds();
            }
            for (int i = 0; i < 64 && out.is_right; ++i) {
                out.is_right = table.query_newest(newest, random);
            }
            figures.queries += settled_at >= 0 ? 64u : 0u;
            if (now >= next_sample) {
                next_sample += 0.05;
                const pagefold::uffd_pager_stats s = pager.statistics();
                const double pages = static_cast<double>(s.resident_bytes + s.queued_bytes);
                figures.pages += pages;
                figures.memory += pages + static_cast<double>(store.stats().total_bytes);
                ++figures.samples;
            }
        }
        figures.seconds += settled_at >= 0 ? processor_seconds() - settled_at : 0;
    }
}

/// With a budget of so many bytes, or one that follows.
outcome run_with(const arguments& given, std::optional<std::size_t> budget_bytes) {
    pagefold::mmap_source<> source;
    steered_store store{source};
    steered_pager pager{store};
    pagefold::budget_options steering = pagefold::pager_budget<steered_pager>::options_for(given.bytes);
    pagefold::uffd_pager_options options;
    options.bytes = given.bytes;
    options.budget_bytes = budget_bytes ? *budget_bytes : static_cast<std::size_t>(steering.most_bytes);
    options.delivery = pagefold::fault_delivery::signal;
    if (const pagefold::status s = pager.open(options); s != pagefold::status::ok) {
        examples::give_up("no paged region", pager, s);
    }
    outcome out;
    order_table table{pager.memory().data(), pager.memory().size()};
    for (std::size_t i = 0; i < table.size() && was_interrupted == 0; ++i) {
        table.fill(i);
    }
    std::optional<pagefold::pager_budget<steered_pager>> budget;
    std::optional<steering_thread> steers;
    if (!budget_bytes) {
        budget.emplace(pager, steering);
        steers.emplace(*budget);
    }
    work_in_phases(table, pager, store, given.seconds, out);
    steers.reset();
    out.faults = pager.statistics().faults;
    return out;
}

void print_row(const char* name, const outcome& o) {
    std::printf("%-9s %10.0f %8.1f %8.1f %10.0f %8.1f %8.1f %10.0f\n", name, o.busy.queries_a_second(),
                o.busy.pages_mib(), o.busy.memory_mib(), o.quiet.queries_a_second(), o.quiet.pages_mib(),
                o.quiet.memory_mib(), static_cast<double>(o.faults));
    std::fflush(stdout);
}

} // namespace

bool run_steered(const arguments& given) {
    std::printf("%.0f MiB of rows, all of them used for %u s, then the newer half, twice; one processor\n"
                "each phase without its first %.1f s; q/s of processor time; ALL is the pages in memory and the whole "
                "store\n\n",
                mib(given.bytes), given.seconds, following_seconds(given.seconds));
    std::printf("%-9s %10s %8s %8s %10s %8s %8s %10s\n", "BUDGET", "BUSY q/s", "PAGES", "ALL MiB", "QUIET q/s", "PAGES",
                "ALL MiB", "FAULTS");
    bool is_right = true;
    std::optional<outcome> best;
    for (const unsigned percent : {125u, 100u, 90u, 75u, 60u, 50u}) {
        if (!is_right || was_interrupted != 0) {
            return is_right;
        }
        if (best && !given.compares_budgets) {
            continue;
        }
        const outcome fixed = run_with(given, given.bytes / 4096 * percent / 100 * 4096);
        char name[16];
        std::snprintf(name, sizeof name, "%u %%", percent);
        print_row(name, fixed);
        is_right = fixed.is_right;
        const auto all = [](const outcome& o) { return o.busy.queries + o.quiet.queries; };
        if (!best || all(fixed) > all(*best)) {
            best = fixed;
        }
    }
    if (!is_right || was_interrupted != 0) {
        return is_right;
    }
    const outcome steered = run_with(given, std::nullopt);
    print_row("auto", steered);
    std::printf("\nauto: %.2f of the best budget's queries when busy and %.2f when quiet, with %.2f of its memory when "
                "quiet.\n",
                steered.busy.queries_a_second() / best->busy.queries_a_second(),
                steered.quiet.queries_a_second() / best->quiet.queries_a_second(),
                steered.quiet.memory_mib() / best->quiet.memory_mib());
    return is_right && steered.is_right;
}

} // namespace paged_process
