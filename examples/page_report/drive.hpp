// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"
#include "interrupt.hpp"
#include "measurement.hpp"
#include "page_set.hpp"
#include "progress.hpp"

#include "support/latency.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace page_report {

enum class page_fate : std::uint8_t {
    pending,
    held,    ///< put
    refused, ///< not put
    missing, ///< put, and not found
    wrong,   ///< found, with other bytes
};

/// What became of one page.
struct page_record {
    std::uint32_t put_ns = 0;
    std::uint32_t get_ns = 0;
    std::uint32_t stream_size = 0;
    page_fate fate = page_fate::pending;
    bool was_read = false;
};

/// Puts all pages and gets them back by several threads, which take turns of 64 pages; ends early upon an interrupt.
///
///   put(source, index, page)         answers whether it was taken; that is timed
///   get(source, index, to)           answers whether it was found; that is timed
///   stream_size()                    the length of the stream that this thread put last
class page_driver {
public:
    page_driver(const page_set& pages, unsigned threads, progress& shown)
        : pages_{pages}, records_(pages.size()),
          sources_(pages.size()), threads_{threads}, shown_{shown}, clock_ns_{pagefold::support::clock_overhead_ns()} {
        for (std::size_t s = 0; s < pages.sources().size(); ++s) {
            const auto first = sources_.begin() + static_cast<std::ptrdiff_t>(pages.sources()[s].first);
            std::fill_n(first, pages.sources()[s].count, static_cast<std::uint32_t>(s));
        }
    }

    template <class Put, class StreamSize>
    void put_all(const char* what, Put put, StreamSize stream_size) {
        each_thread([&](unsigned thread, const std::vector<std::uint32_t>& mine) {
            for (std::size_t done = 0; done < mine.size() && !delayed_interrupt::is_pending(); ++done) {
                const std::size_t i = mine[done];
                page_record& record = records_[i];
                const std::uint64_t before = pagefold::support::now_ns();
                const bool is_taken = put(sources_[i], index_of(i), pages_.page(i));
                record.put_ns = passed_since(before);
                record.fate = is_taken ? page_fate::held : page_fate::refused;
                record.stream_size = static_cast<std::uint32_t>(stream_size());
                tell(thread, what, done);
            }
        });
    }

    template <class Get>
    void get_all(const char* what, Get get) {
        each_thread([&](unsigned thread, std::vector<std::uint32_t>& mine) {
            shuffle(mine);
            alignas(page_bytes) std::byte back[page_bytes];
            for (std::size_t done = 0; done < mine.size() && !delayed_interrupt::is_pending(); ++done) {
                const std::size_t i = mine[done];
                page_record& record = records_[i];
                if (record.fate != page_fate::held) {
                    continue;
                }
                const std::uint64_t before = pagefold::support::now_ns();
                record.was_read = get(sources_[i], index_of(i), back);
                record.get_ns = passed_since(before);
                if (!record.was_read) {
                    record.fate = page_fate::missing;
                } else if (std::memcmp(back, pages_.page(i), page_bytes) != 0) {
                    record.fate = page_fate::wrong;
                }
                tell(thread, what, done);
            }
        });
    }

    [[nodiscard]] const std::vector<page_record>& records() const noexcept { return records_; }

    /// How many pages of [first, first + count) had that fate.
    [[nodiscard]] std::size_t count(page_fate fate, std::size_t first, std::size_t count) const {
        const auto begin = records_.begin() + static_cast<std::ptrdiff_t>(first);
        return static_cast<std::size_t>(std::count_if(begin, begin + static_cast<std::ptrdiff_t>(count),
                                                      [&](const page_record& r) { return r.fate == fate; }));
    }

    /// The first page with that fate from page `first` on, for a message: its source and where it lies in it. Empty when
    /// there is none.
    [[nodiscard]] std::string first_with(page_fate fate, std::size_t first = 0) const {
        const auto found = std::find_if(records_.begin() + static_cast<std::ptrdiff_t>(first), records_.end(),
                                        [&](const page_record& r) { return r.fate == fate; });
        if (found == records_.end()) {
            return {};
        }
        const auto i = static_cast<std::size_t>(found - records_.begin());
        const page_input& input = *pages_.sources()[sources_[i]].input;
        return input.name() + ": " + input.describe(pages_.origin(i));
    }

    /// Of the puts and gets that succeeded among pages [first, first + count).
    void summarize(std::size_t first, std::size_t count, report_row& row) const {
        std::vector<std::uint32_t> puts;
        std::vector<std::uint32_t> gets;
        for (std::size_t i = first; i < first + count; ++i) {
            if (records_[i].fate != page_fate::refused) {
                puts.push_back(records_[i].put_ns);
            }
            if (records_[i].was_read) {
                gets.push_back(records_[i].get_ns);
            }
        }
        row.put = {percentile(puts, 50), percentile(puts, 99)};
        row.get = {percentile(gets, 50), percentile(gets, 99)};
    }

private:
    static constexpr std::size_t turn = 64;

    [[nodiscard]] std::uint64_t index_of(std::size_t i) const noexcept {
        return i - pages_.sources()[sources_[i]].first;
    }

    [[nodiscard]] std::uint32_t passed_since(std::uint64_t before) const noexcept {
        const std::uint64_t passed = pagefold::support::now_ns() - before;
        return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(passed, clock_ns_, UINT32_MAX) - clock_ns_);
    }

    void tell(unsigned thread, const char* what, std::size_t done) {
        if (thread == 0 && done % turn == 0) { // the others are about as far
            shown_.report(what, std::min(done * threads_, pages_.size()), pages_.size());
        }
    }

    template <class Work>
    void each_thread(Work work) {
        std::vector<std::vector<std::uint32_t>> shares(threads_);
        for (std::size_t i = 0; i < pages_.size(); ++i) {
            shares[i / turn % threads_].push_back(static_cast<std::uint32_t>(i));
        }
        std::vector<std::jthread> others;
        for (unsigned thread = 1; thread < threads_; ++thread) {
            try {
                others.emplace_back([&, thread] { work(thread, shares[thread]); });
            } catch (const std::system_error& why) {
                throw failure("no thread " + std::to_string(thread + 1) + ": " + why.code().message() +
                              " (--threads takes fewer)");
            }
        }
        work(0u, shares[0]);
    }

    /// The same order in every run.
    static void shuffle(std::vector<std::uint32_t>& order) {
        std::uint64_t state = 0x9e3779b97f4a7c15u;
        for (std::size_t left = order.size(); left > 1; --left) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            std::swap(order[left - 1], order[state % left]);
        }
    }

    [[nodiscard]] static double percentile(std::vector<std::uint32_t>& ns, std::size_t percent) {
        if (ns.empty()) {
            return 0;
        }
        const auto at = ns.begin() + static_cast<std::ptrdiff_t>((ns.size() - 1) * percent / 100);
        std::nth_element(ns.begin(), at, ns.end());
        return *at / 1000.0;
    }

    const page_set& pages_;
    std::vector<page_record> records_;
    std::vector<std::uint32_t> sources_; // of each page
    unsigned threads_;
    progress& shown_;
    std::uint64_t clock_ns_;
};

} // namespace page_report
