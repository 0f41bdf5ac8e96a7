// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstddef>
#include <cstdint>

// Tells faults that go through memory at equal steps, forwards or backwards, from random ones, and says which pages to
// bring besides the one that faulted. It brings nothing and decodes nothing itself: whether a page that it names costs
// a decoding now, or only a hint to the processor, is the caller's choice.
//
// A stream is a few faults at one distance. Neighbours (a step of 1 or -1) make one at the second fault, other steps at
// the third: a random fault near another is likely, two at the same distance are not. The next fault that a stream
// expects lies behind what was brought for it. When it comes, what was brought was read, and the window doubles; a
// stream that is given up before that brought its pages in vain. These two say how large windows may become: each page
// moves the rate by a thirty-second of what is left to 1, or to 0. A rate of 0 does not stay: a stream that goes on
// without anything brought counts as one page, so that a program which turns sequential is met again.
//
// Cost: a fault looks at 8 streams, 256 bytes in all, and divides once. (Linux keeps one stream a file and reads
// forwards only, mm/readahead.c; its window, too, doubles.)

namespace pagefold::inline PAGEFOLD_ABI {

/// Which pages to bring: page + stride, page + 2 × stride, and so on, `count` of them.
struct read_ahead_advice {
    std::int64_t stride = 0;
    unsigned count = 0;

    friend constexpr bool operator==(const read_ahead_advice&, const read_ahead_advice&) noexcept = default;
};

/// Not thread-safe. Pages are numbers below 2^62.
class stride_read_ahead {
public:
    static constexpr unsigned streams = 8;
    static constexpr std::int64_t max_stride = 256; ///< pages; faults further apart belong to different streams
    static constexpr unsigned max_window = 64;

    /// `most`: pages that a fault may bring, itself included, up to max_window; 1 turns it off.
    explicit stride_read_ahead(unsigned most = 1) noexcept
        : most_{most < 1 ? 0 : (most < max_window ? most : max_window) - 1} {}

    /// What to bring besides the page, at most most − 1 pages, none below page 0. Tell `brought` what became of it.
    [[nodiscard]] read_ahead_advice on_fault(std::uint64_t page) noexcept {
        if (most_ == 0) {
            return {};
        }
        ++now_;
        const auto at = static_cast<std::int64_t>(page);
        current_ = find(at);
        stream& s = streams_[current_];
        s.met_at = now_;
        s.last = at;
        s.ahead = 0;
        if (!s.is_sure) {
            return {};
        }
        s.window = s.window < limit() ? s.window : limit();
        const std::int64_t room = s.step < 0 ? at / -s.step : static_cast<std::int64_t>(s.window);
        return {s.step, room < static_cast<std::int64_t>(s.window) ? static_cast<unsigned>(room) : s.window};
    }
    /// How many of the pages of the last advice were brought: the first ones.
    void brought(unsigned count) noexcept { streams_[current_].ahead = count; }

    /// Of pages that were brought ahead: they were used; they went unused. For who can tell; who can't need not.
    void used(unsigned pages) noexcept { rate_ += (full_rate - rate_) * bounded(pages) / inertia; }
    void wasted(unsigned pages) noexcept { rate_ -= rate_ * bounded(pages) / inertia; }

    /// Pages that a fault brings at most for now, besides itself.
    [[nodiscard]] unsigned limit() const noexcept { return (most_ * rate_ + full_rate / 2) / full_rate; }
    /// The part of pages that were of use, in 65536ths.
    [[nodiscard]] std::uint32_t hit_rate() const noexcept { return rate_; }

private:
    static constexpr std::uint32_t full_rate = 65536;
    static constexpr std::uint32_t inertia = 32;

    struct stream {
        std::int64_t last = 0;    // page that faulted last
        std::uint64_t met_at = 0; // 0: there is none
        std::int32_t step = 0;    // 0: one fault so far
        unsigned ahead = 0;       // pages brought behind `last`
        unsigned window = 0;      // of the last advice
        bool is_sure = false;
    };

    [[nodiscard]] static std::uint32_t bounded(unsigned pages) noexcept { return pages < inertia ? pages : inertia; }

    /// The stream that the fault belongs to; a new one in the place of the one that was met longest ago.
    [[nodiscard]] unsigned find(std::int64_t page) noexcept {
        unsigned oldest = 0, nearest = streams;
        for (unsigned i = 0; i < streams; ++i) {
            stream& s = streams_[i];
            if (s.met_at == 0) {
                oldest = streams_[oldest].met_at == 0 ? oldest : i;
                continue;
            }
            const std::int64_t distance = page - s.last;
            if (s.is_sure && goes_on(s, distance)) {
                return i;
            }
            if (distance == 0) {
                return i; // the same fault again
            }
            if (!s.is_sure && distance >= -max_stride && distance <= max_stride &&
                (nearest == streams || size_of(distance) < size_of(page - streams_[nearest].last))) {
                nearest = i;
            }
            oldest = s.met_at < streams_[oldest].met_at ? i : oldest;
        }
        if (nearest != streams) {
            stream& s = streams_[nearest];
            const auto step = static_cast<std::int32_t>(page - s.last);
            s.is_sure = step == s.step || size_of(step) == 1;
            s.step = step;
            s.window = s.is_sure ? 1 : 0;
            return nearest;
        }
        wasted(streams_[oldest].ahead);
        streams_[oldest] = stream{};
        return oldest;
    }
    /// Whether a fault at that distance from the last one is the stream's; then its window is set.
    [[nodiscard]] bool goes_on(stream& s, std::int64_t distance) noexcept {
        if (distance == s.step * (std::int64_t{s.ahead} + 1)) {
            used(s.ahead == 0 ? 1 : s.ahead);
            s.window = s.window == 0 ? 1 : s.window < max_window / 2 ? s.window * 2 : max_window;
            return true;
        }
        // Within what was brought: it went again before it was read.
        const std::int64_t steps = s.step != 0 && distance % s.step == 0 ? distance / s.step : 0;
        if (steps < 1 || steps > s.ahead) {
            return false;
        }
        wasted(s.ahead);
        s.window /= 2;
        return true;
    }
    [[nodiscard]] static std::int64_t size_of(std::int64_t distance) noexcept {
        return distance < 0 ? -distance : distance;
    }

    stream streams_[streams]{};
    std::uint64_t now_ = 0;
    std::uint32_t rate_ = full_rate;
    std::uint32_t most_; // besides the page itself
    unsigned current_ = 0;
};

} // namespace pagefold
