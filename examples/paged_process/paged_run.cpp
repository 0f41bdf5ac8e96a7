// SPDX-License-Identifier: MIT
#include "paged_run.hpp"

#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <support/memory_nodes.hpp>
#include <support/pager_failure.hpp>
#include <support/threads.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <unistd.h>

namespace paged_process {
namespace {

/// On nodes where the program is told so, else as without them.
struct node_config : pagefold::default_config {
    using place_type = pagefold::by_node;
};
using store_type = pagefold::partitioned_store<node_config>;
using pager_type = pagefold::uffd_pager<store_type>;

/// One line that is written over; on a terminal only.
class live_line {
public:
    live_line(const pager_type& pager, const store_type& store) : pager_{pager}, store_{store} {}
    ~live_line() {
        if (is_shown_) {
            std::fputs("\r\033[K", stderr);
        }
    }
    live_line(const live_line&) = delete;
    live_line& operator=(const live_line&) = delete;

    void show(double seconds) {
        const pagefold::uffd_pager_stats now = pager_.statistics();
        const double faults = static_cast<double>(now.faults - last_faults_) / (seconds - last_seconds_);
        last_faults_ = now.faults;
        last_seconds_ = seconds;
        if (isatty(STDERR_FILENO) == 0) {
            return;
        }
        const pagefold::store_stats stored = store_.stats();
        is_shown_ = true;
        std::fprintf(stderr, "\r\033[K%5.1f s  resident %.1f MiB  stored %.1f MiB in %.1f  ratio %.2f  %.0f faults/s",
                     seconds, mib(now.resident_bytes + now.queued_bytes), mib(stored.orig_data_size),
                     mib(stored.total_bytes), static_cast<double>(stored.ratio_permille()) / 1000, faults);
        std::fflush(stderr);
    }

private:
    const pager_type& pager_;
    const store_type& store_;
    std::uint64_t last_faults_ = 0;
    double last_seconds_ = 0;
    bool is_shown_ = false;
};

/// A thread that serves the pager's faults until the scope ends, whichever way.
class fault_server {
public:
    explicit fault_server(pager_type& pager)
        : pager_{pager}, thread_{examples::start_thread("for the page faults", [&pager] { serve(pager); })} {}
    ~fault_server() {
        pager_.stop();
        thread_.join();
    }
    fault_server(const fault_server&) = delete;
    fault_server& operator=(const fault_server&) = delete;

private:
    static void serve(pager_type& pager) {
        if (pager.run() != pagefold::status::ok) { // nobody would get the next page
            std::fprintf(stderr, "paged_process: faults are not served: %s\n", examples::reason_of(pager).c_str());
            std::_Exit(2);
        }
    }

    pager_type& pager_;
    std::thread thread_;
};

} // namespace

run_result run_paged(const arguments& given) {
    examples::memory_nodes nodes{given.uses_nodes};
    store_type store{nodes.source(), {.partitions = nodes.partitions(1)}, {}, {}, nodes.place()};
    pager_type pager{store};
    pagefold::uffd_pager_options options;
    options.bytes = given.bytes;
    options.budget_bytes = given.bytes / 2;
    options.delivery = given.in_thread ? pagefold::fault_delivery::thread : pagefold::fault_delivery::signal;
    nodes.settle(options, 0);
    if (const pagefold::status s = pager.open(options); s != pagefold::status::ok) {
        examples::give_up("no paged region", pager, s);
    }
    run_result out;
    {
        std::optional<fault_server> server;
        if (given.in_thread) {
            server.emplace(pager);
        }
        order_table table{pager.memory().data(), pager.memory().size()};
        live_line line{pager, store};
        work_on(table, given.seconds, out, [&](double seconds) { line.show(seconds); });
    }
    const pagefold::uffd_pager_stats end = pager.statistics();
    out.faults = end.faults;
    out.resident_bytes = end.resident_bytes + end.queued_bytes;
    out.stored_bytes = store.stats().total_bytes;
    std::fputs(nodes.report(store).c_str(), stdout);
    return out;
}

} // namespace paged_process
