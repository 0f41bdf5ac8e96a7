// SPDX-License-Identifier: MIT
#pragma once

// Free + allocate, timed, of allocators that take turns. The objects and sizes of a turn are drawn before it, the same
// for all, and the handles are put together in an array in the cache and out of it again, outside the timing: what is
// measured is the allocator, and none of the owner's misses.

#include "contender.hpp"
#include "interruption.hpp"

#include "../support/heaps.hpp"
#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::measure {

/// An object to be freed, and the size of the one that takes its place.
struct replacement {
    std::uint32_t object;
    std::uint16_t size;
};

enum class alloc_timing {
    whole,   ///< all of a turn at once
    written, ///< the same, with each object written behind its allocation
    each,    ///< each free + allocate on its own
};

/// What a pass took, in nanoseconds a free + allocate.
struct alloc_times {
    double mean = 0;
    double written_mean = 0;
    double p50 = 0;
    double p99 = 0;
    double worst = 0;
};

/// A heap that takes its turns.
class alloc_contender {
public:
    alloc_contender(std::string name, bool is_peer) : name_{std::move(name)}, is_peer_{is_peer} {}
    virtual ~alloc_contender() = default;
    alloc_contender(const alloc_contender&) = delete;
    alloc_contender& operator=(const alloc_contender&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Not one of this library's.
    [[nodiscard]] bool is_peer() const noexcept { return is_peer_; }

    virtual void fill(const std::vector<std::uint16_t>& sizes) = 0;
    virtual void replace(const std::vector<replacement>& turn, alloc_timing how) = 0;
    /// Of all turns since the last call.
    [[nodiscard]] virtual alloc_times finish() = 0;
    virtual void verify() = 0;

private:
    std::string name_;
    bool is_peer_;
};

template <class Heap>
class alloc_contender_of final : public alloc_contender {
public:
    template <class... Arguments>
    alloc_contender_of(std::string name, bool is_peer, Arguments&&... heap)
        : alloc_contender(std::move(name), is_peer), heap_(std::forward<Arguments>(heap)...) {}

    void fill(const std::vector<std::uint16_t>& sizes) override {
        handles_.clear();
        for (const std::uint16_t size : sizes) {
            handles_.push_back(heap_.allocate(size));
        }
    }

    void replace(const std::vector<replacement>& turn, alloc_timing how) override {
        turn_handles_.clear();
        for (const replacement& one : turn) {
            turn_handles_.push_back(handles_[one.object]);
        }
        switch (how) {
        case alloc_timing::whole: time_whole(turn, whole_, [](handle, std::size_t) {}); break;
        case alloc_timing::written:
            time_whole(turn, written_, [this](handle h, std::size_t size) { heap_.write(h, content_, size); });
            break;
        case alloc_timing::each: time_each(turn); break;
        }
        for (std::size_t i = 0; i < turn.size(); ++i) {
            handles_[turn[i].object] = turn_handles_[i];
        }
    }

    alloc_times finish() override {
        const alloc_times times{whole_.mean(), written_.mean(), each_.percentile(50), each_.percentile(99),
                                static_cast<double>(each_.max())};
        whole_ = {};
        written_ = {};
        each_ = {};
        return times;
    }

    void verify() override { heap_.expect_intact(); }

private:
    using handle = typename Heap::handle;

    struct sum {
        std::uint64_t ns = 0;
        std::size_t count = 0;
        [[nodiscard]] double mean() const {
            return count == 0 ? 0.0 : static_cast<double>(ns) / static_cast<double>(count);
        }
    };

    template <class Write>
    void time_whole(const std::vector<replacement>& turn, sum& into, Write write) {
        const std::uint64_t start = thread_ns();
        for (std::size_t i = 0; i < turn.size(); ++i) {
            heap_.deallocate(turn_handles_[i]);
            turn_handles_[i] = heap_.allocate(turn[i].size);
            write(turn_handles_[i], turn[i].size);
        }
        into.ns += thread_ns() - start;
        into.count += turn.size();
    }
    void time_each(const std::vector<replacement>& turn) {
        for (std::size_t i = 0; i < turn.size(); ++i) {
            const std::uint64_t before = support::now_ns();
            heap_.deallocate(turn_handles_[i]);
            turn_handles_[i] = heap_.allocate(turn[i].size);
            each_.record(support::now_ns() - before);
        }
    }

    Heap heap_;
    std::vector<handle> handles_;
    std::vector<handle> turn_handles_;
    sum whole_;
    sum written_;
    support::latency_histogram each_;
    std::byte content_[page_bytes]{};
};

/// Contenders with the same objects, replaced in the same random order by others of the same sizes.
class alloc_contest {
public:
    alloc_contest(const std::vector<std::uint16_t>& sizes, std::size_t count, std::uint64_t seed)
        : random_{seed}, drawn_{sizes}, count_{count} {}

    void add(std::unique_ptr<alloc_contender> one) { contenders_.push_back(std::move(one)); }
    [[nodiscard]] const std::vector<std::unique_ptr<alloc_contender>>& contenders() const noexcept {
        return contenders_;
    }

    void fill() {
        std::vector<std::uint16_t> sizes(count_);
        for (std::uint16_t& size : sizes) {
            size = draw();
        }
        for (const auto& one : contenders_) {
            one->fill(sizes);
        }
    }

    /// Turns as long as those of the store's contenders: each finds the caches as others left them, as it does where pages
    /// are compressed in between.
    static constexpr std::size_t short_turn = 1024;
    /// The whole pass: each has the caches to itself.
    static constexpr std::size_t long_turn = ~std::size_t{0};

    /// Replaces every object once.
    void pass(alloc_timing how, std::size_t turn_length = short_turn) {
        const std::vector<std::uint32_t> order = random_.permutation(count_);
        std::vector<replacement> turn;
        const std::size_t length = std::min(turn_length, count_);
        for (std::size_t first = 0; first < count_; first += length, ++turns_) {
            turn.clear();
            for (std::size_t i = first; i < std::min(first + length, count_); ++i) {
                turn.push_back({order[i], draw()});
            }
            end_if_interrupted();
            for (std::size_t i = 0; i < contenders_.size(); ++i) {
                contenders_[(i + turns_) % contenders_.size()]->replace(turn, how);
            }
        }
    }

    /// What each took since the last call, by name.
    [[nodiscard]] std::map<std::string, alloc_times> finish() {
        std::map<std::string, alloc_times> times;
        for (const auto& one : contenders_) {
            times[one->name()] = one->finish();
        }
        return times;
    }

private:
    [[nodiscard]] std::uint16_t draw() { return drawn_[random_.below(drawn_.size())]; }

    support::random_stream random_;
    const std::vector<std::uint16_t>& drawn_;
    std::size_t count_;
    std::size_t turns_ = 0;
    std::vector<std::unique_ptr<alloc_contender>> contenders_;
};

} // namespace pagefold::measure
