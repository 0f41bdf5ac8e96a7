// SPDX-License-Identifier: MIT
#pragma once

#include "peers.hpp"
#include "processors.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/core/status.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace pagefold::measure {

/// A thread that reads a random page every so often. A read counts from the moment when it was due: one that the store
/// holds up delays those behind it, and each of them has waited. (Were reads timed by themselves, a wait of any length
/// would be a single slow read.) What other programs take between two reads doesn't count. `Store` has size() and get(i, out), for pages counted from zero; all must be there.
template <class Store>
class paced_reader {
public:
    paced_reader(Store& store, int processor, std::uint64_t period_ns)
        : period_ns_{period_ns}, thread_{[this, &store, processor] { read(store, processor); }} {}
    ~paced_reader() {
        end_ns_ = 0;
        thread_.join();
    }
    paced_reader(const paced_reader&) = delete;
    paced_reader& operator=(const paced_reader&) = delete;

    /// Returns once the thread reads. From here on what becomes due counts.
    void start() {
        while (!is_ready_) {
            std::this_thread::yield();
        }
        start_ns_ = support::now_ns();
    }
    /// Returns once everything was read that has become due by now. Ends the thread's work.
    void stop() {
        end_ns_ = support::now_ns();
        while (!has_ended_) {
            std::this_thread::yield();
        }
    }

    // After stop().

    /// From when each read was due until it was done.
    [[nodiscard]] const support::latency_histogram& waits() const noexcept { return waits_; }
    /// Each read by itself.
    [[nodiscard]] const support::latency_histogram& reads() const noexcept { return reads_; }
    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

private:
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    // Between two looks at the clock. Longer, and another program had the processor while none of the store's code ran:
    // nothing was due then.
    static constexpr std::uint64_t displaced_ns = 20'000;

    void read(Store& store, int processor) {
        pin_to(processor);
        support::random_stream random{99};
        alignas(page_bytes) std::byte out[page_bytes];
        has_failed_ = store.get(0, {out, page_bytes}) != status::ok;
        is_ready_ = true;
        std::uint64_t due = support::now_ns();
        std::uint64_t last = due;
        while (due < end_ns_) {
            const std::uint64_t before = support::now_ns();
            if (before - last > displaced_ns) {
                due = std::max(due, before);
            }
            last = before;
            if (before < due) {
                continue;
            }
            has_failed_ |= store.get(random.below(store.size()), {out, page_bytes}) != status::ok;
            const std::uint64_t after = support::now_ns();
            if (due >= start_ns_) {
                waits_.record(after - due);
                reads_.record(after - before);
            }
            due += period_ns_;
            last = after;
        }
        has_ended_ = true;
    }

    std::uint64_t period_ns_;
    support::latency_histogram waits_;
    support::latency_histogram reads_;
    bool has_failed_ = false;
    std::atomic<std::uint64_t> start_ns_{never};
    std::atomic<std::uint64_t> end_ns_{never};
    std::atomic<bool> is_ready_{false};
    std::atomic<bool> has_ended_{false};
    std::thread thread_;
};

} // namespace pagefold::measure
