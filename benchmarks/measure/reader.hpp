// SPDX-License-Identifier: MIT
#pragma once

#include "peers.hpp"
#include "processors.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/core/status.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace pagefold::measure {

/// A thread that reads random pages and notes how long each took that was there. `Store` has size() and get(i, out), for
/// pages counted from zero.
template <class Store>
class reader {
public:
    reader(Store& store, int processor) : thread_{[this, &store, processor] { read(store, processor); }} {}
    ~reader() {
        ends_ = true;
        thread_.join();
    }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    /// Returns once something was read, and the thread has its place.
    void wait_until_reading() const {
        while (!has_read_) {
            std::this_thread::yield();
        }
    }
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
    void read(Store& store, int processor) {
        pin_to(processor);
        support::random_stream random{99};
        alignas(page_bytes) std::byte out[page_bytes];
        static_cast<void>(store.get(0, {out, page_bytes}));
        has_read_ = true;
        while (!ends_) {
            // A read that has begun counts however late it ends: it may have waited for all that was measured.
            const bool counts = counts_;
            const std::uint64_t before = support::now_ns();
            const status found = store.get(random.below(store.size()), {out, page_bytes});
            const std::uint64_t took = support::now_ns() - before;
            if (found == status::ok && counts) {
                latencies_.record(took);
            }
        }
        has_ended_ = true;
    }

    support::latency_histogram latencies_;
    std::atomic<bool> counts_{false};
    std::atomic<bool> ends_{false};
    std::atomic<bool> has_read_{false};
    std::atomic<bool> has_ended_{false};
    std::thread thread_;
};

} // namespace pagefold::measure
