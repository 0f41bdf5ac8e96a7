// SPDX-License-Identifier: MIT
#include "contender.hpp"
#include "interruption.hpp"
#include "paced_reader.hpp"
#include "peers.hpp"
#include "pressure_figures.hpp"
#include "processors.hpp"

#include "../support/latency.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pagefold::measure {
namespace {

/// A store of one partition, where a reader meets every lock: pages that stay and are read, and in a pool of its own a
/// dense object that is erased again and again.
class erased_store {
public:
    erased_store(std::vector<const std::byte*> pages, std::size_t object_pages)
        : pages_{std::move(pages)}, object_pages_{object_pages}, kept_{make_pool()} {
        fill(kept_, pages_.size());
    }

    /// What the reader reads.
    [[nodiscard]] std::size_t size() const noexcept { return pages_.size(); }
    [[nodiscard]] status get(std::size_t i, byte_span out) { return store_.get({kept_, 0, i}, out); }

    void put_object() {
        erased_ = make_pool();
        fill(erased_, object_pages_);
    }
    void erase_object() {
        const result<std::size_t> erased = store_.erase_object(erased_, 0);
        if (!erased || *erased != object_pages_) {
            throw std::runtime_error("erase: the object was not erased");
        }
    }
    void destroy_pool() {
        if (store_.destroy_pool(erased_) != status::ok) {
            throw std::runtime_error("erase: the pool was not destroyed");
        }
    }
    void check() const {
        if (!store_.check() || store_.stats().stored_pages != pages_.size()) {
            throw std::logic_error("erase: the store is damaged");
        }
    }

private:
    [[nodiscard]] pool_id make_pool() {
        const result<pool_id> made = store_.create_pool();
        if (!made) {
            throw std::runtime_error(std::string("no pool: ") + to_string(made.error()));
        }
        return *made;
    }
    void fill(pool_id pool, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (store_.put({pool, 0, i}, {pages_[i % pages_.size()], page_bytes}) != status::ok) {
                throw wrong_outcome("erase", "put", i);
            }
            if (i % 4096 == 0) {
                end_if_interrupted();
            }
        }
    }

    std::vector<const std::byte*> pages_;
    std::size_t object_pages_;
    mmap_source<> source_;
    page_store<default_config> store_{source_};
    pool_id kept_;
    pool_id erased_{};
};

/// p99.9 of what a reader on another processor sees.
struct seen {
    double wait; ///< from when a read was due
    double read; ///< of the reads by themselves
};

seen reads_during(erased_store& store, int processor, const std::string& name, figures& out,
                  const std::function<void()>& work) {
    constexpr std::uint64_t period_ns = 5'000; // some times a read's length: the store is not kept busy
    paced_reader one{store, processor, period_ns};
    one.start();
    const std::uint64_t start = support::now_ns();
    work();
    const std::uint64_t took = support::now_ns() - start;
    one.stop();
    if (one.has_failed()) {
        throw std::runtime_error("erase: a page that stays could not be read");
    }
    const seen found{one.waits().percentile(99.9), one.reads().percentile(99.9)};
    out.add_context("erase." + name + "_ms", static_cast<double>(took) / 1e6);
    out.add_context("erase.get_p50_ns_" + name, one.reads().percentile(50));
    out.add_context("erase.get_p999_ns_" + name, found.read);
    out.add_context("erase.get_worst_ns_" + name, static_cast<double>(one.reads().max()));
    out.add_context("erase.wait_p999_ns_" + name, found.wait);
    return found;
}

} // namespace

void measure_erasures(const support::corpus& pages, const pressure_options& options, figures& out) {
    const int processor = usable_processors().front();
    erased_store store{pages.pages(), options.objects};
    for (unsigned i = 0; i < options.rounds; ++i) {
        store.put_object();
        const seen idle = reads_during(store, processor, "idle", out,
                                       [] { std::this_thread::sleep_for(std::chrono::milliseconds(200)); });
        const seen destroying = reads_during(store, processor, "destroying", out, [&] { store.destroy_pool(); });
        store.check();
        store.put_object();
        const seen erasing = reads_during(store, processor, "erasing", out, [&] { store.erase_object(); });
        store.destroy_pool();
        store.check();
        out.add("store.erase_object_get_p99_over_idle", std::max(erasing.wait, destroying.wait) / idle.wait);
        out.add_context("erase.get_p999_over_idle", std::max(erasing.read, destroying.read) / idle.read);
    }
}

} // namespace pagefold::measure
