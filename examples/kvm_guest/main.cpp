// SPDX-License-Identifier: MIT
#include "arguments.hpp"
#include "failure.hpp"
#include "paged_guest.hpp"
#include "snapshots.hpp"

#include <pagefold/core/status.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace kvm_guest {
namespace {

using guests_type = std::vector<std::unique_ptr<paged_guest>>;

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

mailbox told_to(const arguments& given, unsigned number) {
    mailbox box{};
    box.pages = pages_of(given.guest_bytes);
    box.steps = given.steps;
    box.seed = number + 1;
    if (number == 0 && given.first_guest == death::bad_instruction) {
        box.dies_at = given.steps / 2 + 1;
    }
    if (number == 0 && (given.first_guest == death::stop || given.first_guest == death::stop_in_fault)) {
        box.steps = ~std::uint64_t{0}; // it can't be done before the stop
    }
    return box;
}

/// Whether a guest ended as it was meant to.
bool ended_well(const arguments& given, unsigned number, exit_report how) {
    if (number != 0 || given.first_guest == death::none) {
        return how.kind == exit_kind::done;
    }
    return how.kind == (given.first_guest == death::bad_instruction ? exit_kind::dead : exit_kind::interrupted);
}

std::string describe(exit_report how) {
    switch (how.kind) {
    case exit_kind::done: return "done";
    case exit_kind::wrong_page: return "WRONG PAGE " + std::to_string(how.number);
    case exit_kind::lost_counts: return "LOST " + std::to_string(how.number) + " COUNTS";
    case exit_kind::dead: return "triple fault";
    case exit_kind::interrupted: return "stopped";
    case exit_kind::memory: return "a page of its memory is lost";
    case exit_kind::failed: break;
    }
    return "KVM failed: " + std::to_string(how.number);
}

void print_row(unsigned number, const paged_guest& guest, const std::string& verdict) {
    const guest_result& r = guest.result();
    std::printf("%5u %10llu %10llu %9llu %9llu %9.1f %9.1f %9llu %7.2f  %s%s%s\n", number + 1,
                static_cast<unsigned long long>(r.written), static_cast<unsigned long long>(r.checked),
                static_cast<unsigned long long>(r.pager.faults), static_cast<unsigned long long>(r.pager.store_faults),
                mib(r.pager.resident_bytes + r.pager.queued_bytes), mib(r.pager.peak_bytes),
                static_cast<unsigned long long>(r.pager.stored_pages), r.seconds, describe(r.how).c_str(),
                verdict.empty() ? "" : ": ", verdict.c_str());
    std::fflush(stdout);
}

/// The first guest ends; its memory goes back, and its share of the budget to the others.
void end_first(guests_type& guests, const arguments& given, bool& is_right) {
    if (given.first_guest == death::bad_instruction) {
        guests[0]->wait();
    } else {
        std::this_thread::sleep_for(std::chrono::milliseconds{150});
        given.first_guest == death::stop ? guests[0]->stop() : guests[0]->stop_in_fault();
    }
    const exit_report how = guests[0]->result().how;
    // A guest that is stopped between a page's number and its words leaves that page unfinished: only its life is judged.
    is_right = is_right && ended_well(given, 0, how);
    print_row(0, *guests[0], guests[0]->result().was_woken ? "its fault had to be served first" : "");
    guests[0].reset();
    for (std::size_t i = 1; i < guests.size(); ++i) {
        const std::size_t share = given.budget_bytes / (guests.size() - 1);
        if (guests[i]->pager().set_budget(share) == pagefold::status::invalid) {
            is_right = false;
        }
    }
}

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        std::fputs(help_text(), stdout);
        return 0;
    }
    take_interrupts();
    if (given.snapshots_while_running) {
        return snapshot_while_running(given);
    }
    examples::memory_nodes nodes{given.uses_nodes};
    store_type store{nodes.source(),
                     {.limit_bytes = given.store_bytes, .partitions = nodes.partitions(2 * given.guests)},
                     {},
                     {},
                     nodes.place()};
    guests_type guests;
    for (unsigned i = 0; i < given.guests; ++i) {
        guests.push_back(std::make_unique<paged_guest>(store, nodes, given, i, given.budget_bytes / given.guests));
    }
    std::printf("%u x %.0f MiB of guest memory, %.1f MiB of it resident, evicted by %s\n\n", given.guests,
                mib(given.guest_bytes), mib(given.budget_bytes),
                guests[0]->pager().eviction() == pagefold::eviction_method::move ? "MOVE" : "write protection");
    std::printf("GUEST    WRITTEN    CHECKED    FAULTS     STORE  RES. MiB  PEAK MiB    STORED       s\n");
    std::fflush(stdout);
    for (unsigned i = 0; i < given.guests; ++i) {
        guests[i]->start(told_to(given, i));
    }
    bool is_right = true;
    if (given.first_guest != death::none) {
        end_first(guests, given, is_right);
    }
    for (auto& guest : guests) {
        if (guest != nullptr) {
            guest->wait();
        }
    }
    const pagefold::store_stats stored = store.stats();
    const std::string on_nodes = nodes.report(store);
    std::uint64_t refused = 0, pinned = 0, resolving_ns = 0, evicting_ns = 0;
    for (unsigned i = 0; i < given.guests; ++i) {
        if (guests[i] == nullptr) {
            continue;
        }
        const guest_result& r = guests[i]->result();
        refused += r.pager.refused_pages;
        pinned += r.pager.pinned_pages;
        resolving_ns += r.pager.fault_ns;
        evicting_ns += r.pager.reclaim_ns;
        const std::string verdict = guests[i]->verify();
        is_right = is_right && verdict.empty() && ended_well(given, i, r.how);
        print_row(i, *guests[i], verdict);
    }
    guests.clear();
    is_right = is_right && store.check() && store.stats().stored_pages == 0;
    std::printf("\n%s", on_nodes.c_str());
    std::printf("Store: %llu pages in %.1f MiB, tables and slack included: ratio %.2f.\n",
                static_cast<unsigned long long>(stored.stored_pages), mib(stored.total_bytes),
                static_cast<double>(stored.ratio_permille()) / 1000);
    std::printf("The pagers resolved faults for %.2f s, and evicted for %.2f s, in part of that time.\n",
                static_cast<double>(resolving_ns) * 1e-9, static_cast<double>(evicting_ns) * 1e-9);
    if (refused != 0) {
        std::printf("The store was full: %llu evictions refused, those pages stayed in memory, over the budget.\n",
                    static_cast<unsigned long long>(refused));
    }
    if (pinned != 0) {
        std::printf("%llu evictions met a page that the kernel held, and tried another.\n",
                    static_cast<unsigned long long>(pinned));
    }
    std::printf("%s\n",
                is_right ? "Every page was right, for the guests and for their monitor." : "SOMETHING WAS WRONG.");
    return is_right ? 0 : 1;
}

} // namespace
} // namespace kvm_guest

int main(int count, char** values) {
    try {
        return kvm_guest::run(count, values);
    } catch (const kvm_guest::unavailable& why) {
        std::printf("kvm_guest is skipped: %s\n", why.what());
        return 77;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "kvm_guest: %s\n", why.what());
        return 2;
    }
}
