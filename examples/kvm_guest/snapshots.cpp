// SPDX-License-Identifier: MIT
//
// A guest whose processor stands still for as long as it takes to write-protect its memory, while its snapshot is made
// beside it afterwards; and the same by stop and copy.
//
// That a snapshot is of one moment is found from what it holds alone. The guest numbers its steps, says in its mailbox which one it
// has begun, and each writes one known page with words that follow from the number. So of a snapshot whose mailbox says step t,
// every word of every page follows from t, but for how far the guest had come in the page of step t: that one begins with words of
// step t and goes on with what was there before.
#include "snapshots.hpp"

#include "failure.hpp"
#include "paged_guest.hpp"
#include "pausable_guest.hpp"

#include <pagefold/core/status.hpp>
#include <pagefold/hosted/mmap_source.hpp>

#include <support/latency.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace kvm_guest {
namespace {

using pagefold::pool_id;
using pagefold::status;
using page_words = std::array<std::uint64_t, page_size / 8>;

/// What ends all further snapshots: a page is wrong or lost.
struct wrong {
    std::string what;
};

struct made_snapshot {
    pool_id pool{};
    processor_state processor{};
    double stop_ms = 0, protect_ms = 0, pause_ms = 0, making_ms = 0;
    double steps_a_ms = 0; ///< while it was made
    pagefold::uffd_snapshot_stats pages{};
};

double ms_since(std::uint64_t start) { return static_cast<double>(pagefold::support::now_ns() - start) * 1e-6; }

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

/// Steps that the guest makes in a millisecond, over some.
double rate(pausable_guest& guest, std::chrono::milliseconds time) {
    const std::uint64_t start = pagefold::support::now_ns(), before = guest.now();
    std::this_thread::sleep_for(time);
    return static_cast<double>(guest.now() - before) / ms_since(start);
}

/// A page of zeros is not in the pool.
bool read(store_type& store, pool_id pool, std::uint64_t number, page_words& out) {
    const status s = store.get({pool, 0, number}, {reinterpret_cast<std::byte*>(out.data()), page_size});
    if (s == status::not_found) {
        out.fill(0);
    }
    return s == status::ok || s == status::not_found;
}

/// Empty, or why the snapshot is not of one moment.
std::string verify(store_type& store, pool_id pool) {
    page_words words;
    if (!read(store, pool, mailbox_address / page_size, words)) {
        return "the mailbox can't be read";
    }
    mailbox box{};
    std::memcpy(&box, words.data(), sizeof box);
    if (box.now == 0 || box.pages == 0 || box.pages > max_pages) {
        return "the mailbox is none";
    }
    std::vector<std::uint64_t> last(box.pages, 0);
    for (std::uint64_t step = 1; step < box.now; ++step) {
        last[stamped_page(step, box.pages)] = step;
    }
    const std::uint64_t being_written = stamped_page(box.now, box.pages);
    for (std::uint64_t page = 0; page < box.pages; ++page) {
        if (!read(store, pool, first_page / page_size + page, words)) {
            return "page " + std::to_string(page) + " can't be read";
        }
        const auto word_by = [&](std::uint64_t step, std::uint64_t i) {
            return step == 0 ? 0 : i == content_words ? step : word_of(box.seed, page, step, i);
        };
        std::uint64_t i = 0;
        while (page == being_written && i <= content_words && words[i] == word_by(box.now, i)) {
            ++i;
        }
        for (; i <= content_words; ++i) {
            if (words[i] != word_by(last[page], i)) {
                return "page " + std::to_string(page) + " is not of step " + std::to_string(box.now);
            }
        }
    }
    return "";
}

/// With `stops` the processor stands until all is saved.
made_snapshot make(store_type& store, pausable_guest& guest, bool stops) {
    made_snapshot made;
    const auto pool = store.create_pool({});
    if (!pool) {
        throw failure("no pool for a snapshot");
    }
    made.pool = *pool;
    const std::uint64_t start = pagefold::support::now_ns();
    if (!guest.pause()) {
        throw wrong{"the guest ended before its snapshot: it found a wrong page"};
    }
    made.stop_ms = ms_since(start);
    made.processor = guest.machine().state();
    const std::uint64_t protect_start = pagefold::support::now_ns();
    status s = guest.pager().begin_snapshot(made.pool);
    made.protect_ms = ms_since(protect_start);
    if (s != status::ok) {
        static_cast<void>(guest.go_on());
        throw wrong{"no snapshot can be begun"};
    }
    const auto save = [&] {
        while ((s = guest.pager().advance_snapshot()) == status::busy) {
            if (!stops) { // a fault that waits for the pager's lock has it now
                std::this_thread::sleep_for(std::chrono::microseconds{50});
            }
        }
    };
    if (stops) {
        save();
    }
    made.pause_ms = static_cast<double>(guest.go_on() - start) * 1e-6;
    if (!stops) {
        const std::uint64_t making = pagefold::support::now_ns(), before = guest.now();
        save();
        made.making_ms = ms_since(making);
        made.steps_a_ms = static_cast<double>(guest.now() - before) / made.making_ms;
    }
    made.pages = guest.pager().snapshot_statistics();
    if (s != status::ok || store.seal(made.pool) != status::ok) {
        throw wrong{"the snapshot could not be made whole: the store is full, or a page is lost"};
    }
    return made;
}

/// Memory and registers of a snapshot in a new guest.
bool load(store_type& store, const made_snapshot& from, pausable_guest& into, std::size_t bytes) {
    page_words words;
    for (std::uint64_t page = 0; page < bytes / page_size; ++page) {
        const status s = store.get({from.pool, 0, page}, {reinterpret_cast<std::byte*>(words.data()), page_size});
        if (s == status::ok) {
            std::memcpy(into.pager().memory().data() + page * page_size, words.data(), page_size);
        } else if (s != status::not_found) {
            return false;
        }
    }
    into.machine().set_state(from.processor);
    return true;
}

/// Both guests are to end at the same step, and to be the same then, from the mailbox on: page tables have bits that the processor
/// sets.
std::string compare(pausable_guest& one, pausable_guest& other, std::size_t bytes) {
    std::vector<std::byte> copy(page_size);
    for (std::uint64_t page = mailbox_address / page_size; page < bytes / page_size; ++page) {
        const std::byte* const here = one.page(page);
        if (here == nullptr) {
            return "page " + std::to_string(page) + " is lost";
        }
        std::memcpy(copy.data(), here, page_size);
        const std::byte* const there = other.page(page);
        if (there == nullptr || std::memcmp(copy.data(), there, page_size) != 0) {
            return "page " + std::to_string(page) + " of the second guest is another";
        }
    }
    return "";
}

void print_row(const char* how, const made_snapshot& one, double before, const std::string& verdict) {
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::printf("%-10s %9.3f %9.3f %9.3f %9.1f %8llu %8llu %8llu", how, one.pause_ms, one.stop_ms, one.protect_ms,
                one.making_ms, number(one.pages.pages), number(one.pages.copied_streams),
                number(one.pages.write_faults));
    if (one.steps_a_ms > 0) {
        std::printf(" %9.2f", before / one.steps_a_ms);
    } else {
        std::printf(" %9s", "-");
    }
    std::printf("  %s\n", verdict.empty() ? "of one moment" : verdict.c_str());
    std::fflush(stdout);
}

int snapshot(const arguments& given) {
    pagefold::mmap_source<> source;
    store_type store{pagefold::page_source_ref{source}, {.limit_bytes = given.store_bytes, .partitions = 2}};
    bool is_right = true;
    {
        pausable_guest guest{store, given, given.budget_bytes, {}};
        mailbox box{};
        box.pages = pages_of(given.guest_bytes);
        box.steps = ~std::uint64_t{0};
        box.seed = 1;
        box.stamps = 1;
        guest.machine().load(box);
        std::printf("A guest of %.0f MiB, %.1f MiB of it resident, evicted by %s, and snapshots of it\n\n",
                    static_cast<double>(given.guest_bytes) / 1048576.0,
                    static_cast<double>(given.budget_bytes) / 1048576.0,
                    guest.pager().eviction() == pagefold::eviction_method::move ? "MOVE" : "write protection");
        std::printf("HOW         PAUSE ms   STOP ms  PROT. ms   MAKE ms    PAGES  STREAMS   WRITES  SLOWDOWN\n");
        std::fflush(stdout);
        guest.start();
        while (!guest.has_ended() && guest.now() < 2 * box.pages) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        made_snapshot last;
        std::vector<double> pauses, stands, slowdowns;
        for (unsigned i = 0; i < given.snapshots; ++i) {
            for (const bool stops : {true, false}) {
                const double before = rate(guest, std::chrono::milliseconds{100});
                const made_snapshot made = make(store, guest, stops);
                const std::string verdict = verify(store, made.pool);
                print_row(stops ? "stopped" : "running", made, before, verdict);
                is_right = is_right && verdict.empty();
                (stops ? stands : pauses).push_back(made.pause_ms);
                if (!stops && made.steps_a_ms > 0) {
                    slowdowns.push_back(before / made.steps_a_ms);
                }
                if (last.pool != pool_id{}) {
                    is_right = store.destroy_pool(last.pool) == status::ok && is_right;
                }
                last = made;
            }
        }
        std::printf("\nThe pause is %.3f ms while it runs, and %.3f ms by stop and copy; it is slowed down %.2f times "
                    "meanwhile (medians).\n",
                    median(pauses), median(stands), median(slowdowns));
        std::string verdict = guest.pause() ? "" : "the guest ended";
        const std::uint64_t end = guest.now() + given.steps;
        guest.box().steps = end;
        static_cast<void>(guest.go_on());
        const exit_report first = guest.wait();
        {
            pausable_guest second{store, given, given.budget_bytes, last.pool};
            if (!load(store, last, second, given.guest_bytes)) {
                verdict = "the snapshot can't be read";
            } else {
                const std::uint64_t begin = second.now();
                second.box().steps = end;
                second.start();
                const exit_report how = second.wait();
                verdict = !verdict.empty() ? verdict
                          : first.kind != exit_kind::done || how.kind != exit_kind::done
                              ? "a guest found a wrong page"
                              : compare(guest, second, given.guest_bytes);
                std::printf("A second guest went on from the last one at step %llu to step %llu, as the first: %s.\n",
                            static_cast<unsigned long long>(begin), static_cast<unsigned long long>(end),
                            verdict.empty() ? "every page is the same" : verdict.c_str());
            }
            is_right = is_right && verdict.empty() && guest.pager().check() && second.pager().check();
        }
        is_right = store.destroy_pool(last.pool) == status::ok && is_right;
    }
    is_right = is_right && store.check() && store.stats().stored_pages == 0;
    std::printf("%s\n", is_right ? "Every page was right." : "SOMETHING WAS WRONG.");
    return is_right ? 0 : 1;
}

} // namespace

int snapshot_while_running(const arguments& given) {
    try {
        return snapshot(given);
    } catch (const wrong& why) {
        std::printf("%s.\nSOMETHING WAS WRONG.\n", why.what.c_str());
        return 1;
    }
}

} // namespace kvm_guest
