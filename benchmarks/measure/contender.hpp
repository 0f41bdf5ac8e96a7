// SPDX-License-Identifier: MIT
#pragma once

// Passes over all pages, the same for every contender. The pages are in a corpus that no cache holds, puts and gets
// come in two different random orders, and each pass of puts gives every key another page of the corpus, so that the
// set of stored pages is the same after every pass while every stream is replaced by one of another size.

#include "../support/latency.hpp"
#include "peers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::measure {

/// A random permutation, the same in every run (xorshift64*; Vigna 2016).
[[nodiscard]] inline std::vector<std::uint32_t> permutation(std::size_t count, std::uint64_t seed) {
    std::vector<std::uint32_t> order(count);
    for (std::size_t i = 0; i < count; ++i) {
        order[i] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = count; i > 1; --i) {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        std::swap(order[i - 1], order[(seed * 0x2545f4914f6cdd1du >> 32) % i]);
    }
    return order;
}

/// Which page every key holds, and the orders of the passes.
class workload {
public:
    explicit workload(std::vector<const std::byte*> pages)
        : pages_(std::move(pages)), put_order_(permutation(pages_.size(), 11)),
          get_order_(permutation(pages_.size(), 23)), shuffle_(permutation(pages_.size(), 47)) {}

    [[nodiscard]] std::size_t size() const noexcept { return pages_.size(); }
    [[nodiscard]] const std::vector<std::uint32_t>& put_order() const noexcept { return put_order_; }
    [[nodiscard]] const std::vector<std::uint32_t>& get_order() const noexcept { return get_order_; }

    /// The page that `key` holds after `passes` passes of overwriting; 0: after the load, page i under key i.
    [[nodiscard]] const std::byte* page(std::size_t key, std::size_t passes) const noexcept {
        return pages_[passes == 0 ? key : shuffle_[(key + passes * stride) % pages_.size()]];
    }

private:
    static constexpr std::size_t stride = 7919;

    std::vector<const std::byte*> pages_;
    std::vector<std::uint32_t> put_order_;
    std::vector<std::uint32_t> get_order_;
    std::vector<std::uint32_t> shuffle_;
};

/// Processor time of the calling thread. On a busy machine the time that other programs took is not in it; nothing here
/// sleeps, so that on an idle one it is the time that passed.
[[nodiscard]] inline std::uint64_t thread_ns() noexcept {
    std::timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

/// What a pass took.
struct pass_times {
    double kops = 0;   ///< thousand operations a second of processor time, of a pass that was timed as a whole
    double p50_ns = 0; ///< of a pass whose operations were timed one by one
    double p99_ns = 0;
};

enum class timing { whole, each };

/// Something that stores the pages of a workload. A pass over all pages is made in parts, `first` to `last` of the
/// pass's order, so that contenders can take turns within it.
class contender {
public:
    explicit contender(std::string name) : name_{std::move(name)} {}
    virtual ~contender() = default;
    contender(const contender&) = delete;
    contender& operator=(const contender&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// Before the first part of a pass of puts, outside the timing.
    virtual void start_puts() = 0;
    virtual void put(const workload& work, std::size_t passes, std::size_t first, std::size_t last, timing how) = 0;
    virtual void get(const workload& work, std::size_t first, std::size_t last, timing how) = 0;
    /// Behind the last part.
    virtual pass_times finish() = 0;

    /// Reads every page back and compares it; throws wrong_outcome.
    virtual void verify(const workload& work, std::size_t passes) = 0;

private:
    std::string name_;
};

/// What a contender did is wrong, so nothing it measures counts.
struct wrong_outcome : std::runtime_error {
    wrong_outcome(const std::string& who, const char* what, std::size_t key)
        : std::runtime_error(who + ": " + what + " of page " + std::to_string(key) + " failed") {}
};

/// A contender out of anything with put(key, page) and get(key, out).
template <class Peer>
class contender_of final : public contender {
public:
    contender_of(
        std::string name, Peer& peer, std::function<void()> start = [] {})
        : contender(std::move(name)), peer_{peer}, start_{std::move(start)} {}

    void start_puts() override { start_(); }

    void put(const workload& work, std::size_t passes, std::size_t first, std::size_t last, timing how) override {
        run(work.put_order(), first, last, how, "put",
            [&](std::size_t key) { return peer_.put(key, work.page(key, passes)); });
    }

    void get(const workload& work, std::size_t first, std::size_t last, timing how) override {
        run(work.get_order(), first, last, how, "get", [&](std::size_t key) { return peer_.get(key, out_); });
    }

    pass_times finish() override {
        pass_times times;
        if (whole_ns_ != 0) {
            times.kops = static_cast<double>(whole_count_) * 1e6 / static_cast<double>(whole_ns_);
        }
        if (!samples_.empty()) {
            times.p50_ns = percentile(50);
            times.p99_ns = percentile(99);
        }
        whole_ns_ = 0;
        whole_count_ = 0;
        samples_.clear();
        return times;
    }

    void verify(const workload& work, std::size_t passes) override {
        for (std::size_t key = 0; key < work.size(); ++key) {
            std::memset(out_, 0xa5, sizeof out_);
            if (!peer_.get(key, out_) || std::memcmp(out_, work.page(key, passes), sizeof out_) != 0) {
                throw wrong_outcome(name(), "get", key);
            }
        }
    }

private:
    template <class Operation>
    void run(const std::vector<std::uint32_t>& order, std::size_t first, std::size_t last, timing how, const char* what,
             Operation operation) {
        if (how == timing::whole) {
            const std::uint64_t start = thread_ns();
            for (std::size_t i = first; i < last; ++i) {
                if (!operation(order[i])) [[unlikely]] {
                    throw wrong_outcome(name(), what, order[i]);
                }
            }
            whole_ns_ += thread_ns() - start;
            whole_count_ += last - first;
            return;
        }
        samples_.reserve(order.size());
        for (std::size_t i = first; i < last; ++i) {
            const std::uint64_t before = support::now_ns();
            const bool is_done = operation(order[i]);
            samples_.push_back(static_cast<std::uint32_t>(support::now_ns() - before));
            if (!is_done) [[unlikely]] {
                throw wrong_outcome(name(), what, order[i]);
            }
        }
    }

    double percentile(std::size_t percent) {
        const auto at = samples_.begin() + static_cast<std::ptrdiff_t>(samples_.size() * percent / 100);
        std::nth_element(samples_.begin(), at, samples_.end());
        return *at;
    }

    Peer& peer_;
    std::function<void()> start_;
    std::uint64_t whole_ns_ = 0;
    std::size_t whole_count_ = 0;
    std::vector<std::uint32_t> samples_;
    alignas(page_bytes) std::byte out_[page_bytes];
};

} // namespace pagefold::measure
