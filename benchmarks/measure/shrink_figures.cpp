// SPDX-License-Identifier: MIT
#include "shrink_figures.hpp"

#include "interruption.hpp"
#include "processors.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pagefold::measure {
namespace {

/// A store of droppable pages, filled and used as one that has run for a while: half of its pages were read lately, here
/// and there, so that what is dropped first leaves holes everywhere.
template <class Store>
class used_store {
public:
    used_store(const std::vector<const std::byte*>& pages, std::size_t count, std::uint64_t seed)
        : random_{seed}, count_{count} {
        pool_options droppable;
        droppable.kind = pool_kind::ephemeral;
        const result<pool_id> made = store_.create_pool(droppable);
        if (!made) {
            throw std::runtime_error(std::string("no pool: ") + to_string(made.error()));
        }
        pool_ = *made;
        for (const std::uint32_t i : random_.permutation(count)) {
            expect(store_.put(key(i), {pages[i % pages.size()], page_bytes}), "put");
        }
        std::array<std::byte, page_bytes> out;
        for (std::size_t i = 0; i < count / 2; ++i) {
            expect(store_.get(key(random_.below(count)), out), "get");
            end_sometimes(i);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] store_stats stats() const { return store_.stats(); }
    /// Bytes that the page source has handed out.
    [[nodiscard]] std::size_t taken() const { return source_.acquired_bytes(); }

    [[nodiscard]] status get(std::size_t i, byte_span out) { return store_.get(key(i), out); }

    /// Returns when the source has all back but half of what it had handed out.
    void halve() {
        const std::size_t limit = taken() / 2;
        for (status done = status::busy; done != status::ok;) {
            done = store_.resize(limit);
            if (done != status::ok && done != status::busy) {
                throw std::runtime_error(std::string("resize: ") + to_string(done));
            }
            end_if_interrupted();
        }
        if (taken() > limit) {
            throw std::logic_error("the store has resized, and its source has too little back");
        }
    }
    /// Until nothing more is worth moving.
    void compact() {
        while (store_.compact(~std::size_t{0}) != 0) {
            end_if_interrupted();
        }
        if (!store_.check()) {
            throw std::logic_error("the store is damaged");
        }
    }

private:
    static constexpr std::size_t page_bytes = default_config::page_size;
    static constexpr std::uint64_t object_pages = 4096;

    [[nodiscard]] page_key key(std::uint64_t i) const { return {pool_, i / object_pages, i % object_pages}; }
    static void expect(status found, const char* what) {
        if (found != status::ok) {
            throw std::runtime_error(std::string("shrink: ") + what + ": " + to_string(found));
        }
    }
    static void end_sometimes(std::size_t i) {
        if (i % 4096 == 0) {
            end_if_interrupted();
        }
    }

    support::random_stream random_;
    std::size_t count_;
    mmap_source<> source_;
    Store store_{source_};
    pool_id pool_{};
};

/// A thread that reads random pages and notes how long each took that was there.
template <class Store>
class reader {
public:
    reader(used_store<Store>& store, int processor) : thread_{[this, &store, processor] { read(store, processor); }} {}
    ~reader() {
        ends_ = true;
        thread_.join();
    }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    /// From here on what is read counts.
    void start() { counts_ = true; }
    /// What was read since the start. Ends the thread's work.
    const support::latency_histogram& stop() {
        counts_ = false;
        ends_ = true;
        while (!has_ended_) {
            std::this_thread::yield();
        }
        return latencies_;
    }

private:
    void read(used_store<Store>& store, int processor) {
        pin_to(processor);
        support::random_stream random{99};
        std::array<std::byte, default_config::page_size> out;
        while (!ends_) {
            const std::uint64_t before = support::now_ns();
            const status found = store.get(random.below(store.size()), out);
            const std::uint64_t took = support::now_ns() - before;
            if (found == status::ok && counts_) {
                latencies_.record(took);
            }
        }
        has_ended_ = true;
    }

    support::latency_histogram latencies_;
    std::atomic<bool> counts_{false};
    std::atomic<bool> ends_{false};
    std::atomic<bool> has_ended_{false};
    std::thread thread_;
};

constexpr double bytes_a_gib = 1024.0 * 1024.0 * 1024.0;

double ms_since(std::uint64_t start) { return static_cast<double>(support::now_ns() - start) / 1e6; }

void add_latencies(const support::latency_histogram& found, const std::string& when, figures& out) {
    out.add_context("shrink.get_p50_ns_" + when, found.percentile(50));
    out.add_context("shrink.get_p99_ns_" + when, found.percentile(99));
    out.add_context("shrink.get_worst_ns_" + when, static_cast<double>(found.max()));
}

double held_over_live(const store_stats& stats) {
    return static_cast<double>(stats.total_bytes) / static_cast<double>(stats.compr_data_size);
}

/// The latency of reads while nothing else happens to the store, for about as long as it takes to halve it.
template <class Store>
double idle_p99(used_store<Store>& store, int processor, figures& out) {
    reader<Store> one{store, processor};
    one.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const support::latency_histogram& found = one.stop();
    add_latencies(found, "idle", out);
    return found.percentile(99);
}

/// What a store of one partition takes for what it holds, after it was halved and compacted: allocator slack is a
/// partition's own, so that this is what the allocator and the compaction can do.
void measure_left(const support::corpus& pages, std::size_t stored_pages, std::uint64_t seed, figures& out) {
    used_store<page_store<default_config>> store{pages.pages(), stored_pages, seed};
    store.halve();
    out.add_context("shrink.held_over_live_resized", held_over_live(store.stats()));
    const std::uint64_t start = support::now_ns();
    store.compact();
    out.add_context("shrink.compact_ms", ms_since(start));
    const store_stats left = store.stats();
    const double live = static_cast<double>(left.compr_data_size);
    out.add("shrink.held_over_live", held_over_live(left));
    out.add_context("shrink.allocated_over_live", static_cast<double>(left.allocated_bytes) / live);
    out.add_context("shrink.payload_pages_over_live", static_cast<double>(left.mem_used_total) / live);
    out.add_context("shrink.metadata_over_live", static_cast<double>(left.metadata_bytes) / live);
}

void measure_times(const support::corpus& pages, std::size_t stored_pages, std::uint64_t seed,
                   const std::vector<int>& processors, figures& out) {
    using shared_store = partitioned_store<default_config>;
    used_store<shared_store> store{pages.pages(), stored_pages, seed};
    const std::size_t before = store.taken();
    const auto add_time = [&](std::uint64_t start) {
        out.add("shrink.ms_per_gib", ms_since(start) / (static_cast<double>(before - store.taken()) / bytes_a_gib));
    };
    if (processors.size() >= 2) {
        const double idle = idle_p99(store, processors[0], out);
        reader<shared_store> one{store, processors[0]};
        one.start();
        const std::uint64_t start = support::now_ns();
        store.halve();
        add_time(start);
        const support::latency_histogram& found = one.stop();
        add_latencies(found, "shrinking", out);
        out.add("shrink.get_p99_over_idle", found.percentile(99) / idle);
    } else {
        const std::uint64_t start = support::now_ns();
        store.halve();
        add_time(start);
    }
    store.compact();
    out.add_context("shrink.held_over_live_8_partitions", held_over_live(store.stats()));
}

} // namespace

void measure_shrink(const support::corpus& pages, unsigned rounds, std::size_t stored_pages, figures& out) {
    const std::vector<int>& processors = usable_processors();
    pin_to(processors.back());
    if (processors.size() < 2) {
        out.note("one processor: shrink.get_p99_over_idle is left out");
    }
    for (unsigned i = 0; i < rounds; ++i) {
        measure_times(pages, stored_pages, i, processors, out);
        measure_left(pages, stored_pages, i, out);
    }
}

} // namespace pagefold::measure
