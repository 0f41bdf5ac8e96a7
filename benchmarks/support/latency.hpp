// SPDX-License-Identifier: MIT
#pragma once

// Latencies in nanoseconds, counted in buckets whose width grows with the value (the idea of HdrHistogram): 128 buckets
// to each power of two, so a percentile is off by less than 0.8 % whatever its size, recording is an increment, and
// histograms of many threads add up. A percentile is interpolated within its bucket.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

namespace pagefold::support {

/// CLOCK_MONOTONIC through the vDSO: 20 to 40 ns a call, no system call.
[[nodiscard]] inline std::uint64_t now_ns() noexcept {
    std::timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

/// What a pair of now_ns() calls measures of itself, to be taken off a latency: the median of some thousand pairs.
[[nodiscard]] inline std::uint64_t clock_overhead_ns() {
    std::vector<std::uint64_t> samples(2001);
    for (std::uint64_t& sample : samples) {
        const std::uint64_t before = now_ns();
        sample = now_ns() - before;
    }
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    return *middle;
}

/// 37 KiB. One thread at a time.
class latency_histogram {
public:
    void record(std::uint64_t ns) noexcept {
        ++buckets_[bucket_of(ns)];
        ++count_;
        sum_ += ns;
        max_ = std::max(max_, ns);
    }

    void merge(const latency_histogram& other) noexcept {
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            buckets_[i] += other.buckets_[i];
        }
        count_ += other.count_;
        sum_ += other.sum_;
        max_ = std::max(max_, other.max_);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
    [[nodiscard]] double mean() const noexcept {
        return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
    }

    /// The latency in nanoseconds that `percent` (0 to 100) of the records do not exceed; 0 when there are none.
    [[nodiscard]] double percentile(double percent) const noexcept {
        const double rank = percent / 100.0 * static_cast<double>(count_);
        double below = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            const auto here = static_cast<double>(buckets_[i]);
            if (here > 0 && below + here >= rank) {
                const auto low = static_cast<double>(lowest(i));
                const double part = std::clamp((rank - below) / here, 0.0, 1.0);
                return std::min(low + part * (static_cast<double>(lowest(i + 1)) - low), static_cast<double>(max_));
            }
            below += here;
        }
        return static_cast<double>(max_);
    }

private:
    static constexpr unsigned sub_bits = 7;
    static constexpr std::uint64_t sub_buckets = std::uint64_t{1} << sub_bits;
    static constexpr unsigned top_bits = 42; // an hour; what is longer counts as that
    static constexpr std::size_t bucket_count = (top_bits - sub_bits + 1) * sub_buckets;

    // Below 128 a bucket is one nanosecond; above, the top 8 bits of the value are its bucket.
    [[nodiscard]] static std::size_t bucket_of(std::uint64_t ns) noexcept {
        const std::uint64_t value = std::min(ns, (std::uint64_t{1} << top_bits) - 1);
        const unsigned width = static_cast<unsigned>(std::bit_width(value));
        const unsigned shift = width > sub_bits + 1 ? width - sub_bits - 1 : 0;
        return static_cast<std::size_t>(shift * sub_buckets + (value >> shift));
    }
    [[nodiscard]] static std::uint64_t lowest(std::size_t bucket) noexcept {
        const std::uint64_t octave = bucket / sub_buckets;
        if (octave < 2) {
            return bucket;
        }
        return (bucket % sub_buckets + sub_buckets) << (octave - 1);
    }

    std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(bucket_count);
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

} // namespace pagefold::support
