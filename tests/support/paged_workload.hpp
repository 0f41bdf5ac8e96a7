// SPDX-License-Identifier: MIT
#pragma once

#include <support/rng.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

// Programs and their memory, simulated: who accesses which pages when, and a host that has them in memory or not.

namespace pagefold::testing {

/// A host that sees no accessed bits, only faults, and is made as uffd_pager is: pages leave in the order in which they came,
/// one that was wanted back soon is passed over once, and an eighth of the budget is a queue of those that go next. Every fault
/// stalls the program.
class fault_host {
public:
    fault_host(std::size_t pages, std::uint64_t fault_us)
        : where_(pages, place::nowhere), left_at_(pages), is_wanted_(pages), fault_us_{fault_us} {}

    /// In pages. What is beyond it leaves at once.
    void set_budget(std::size_t pages) {
        budget_ = pages == 0 ? 1 : pages;
        evict();
    }
    /// Whether it had to wait.
    bool access(std::size_t page) {
        const place from = where_[page];
        if (from == place::resident) {
            return false;
        }
        if (from == place::stored) {
            ++promoted;
            is_wanted_[page] = left - left_at_[page] <= order_.size();
            refaulted += is_wanted_[page] ? 1u : 0u;
        } else if (from == place::queued) {
            is_wanted_[page] = true; // its frame stays used until its turn comes
        }
        where_[page] = place::resident;
        order_.push_back(page);
        evict();
        stalled_us += from != place::nowhere ? fault_us_ : 0;
        return from != place::nowhere;
    }
    [[nodiscard]] std::size_t in_memory() const { return order_.size() + queue_.size(); }

    std::uint64_t stalled_us = 0, left = 0, refaulted = 0, promoted = 0;

private:
    enum class place : std::uint8_t { nowhere, resident, queued, stored };

    void evict() {
        while (in_memory() > budget_) {
            while (!order_.empty() && queue_.size() <= budget_ / 8) {
                const std::size_t page = order_.front();
                order_.pop_front();
                if (is_wanted_[page]) {
                    is_wanted_[page] = false;
                    order_.push_back(page);
                    continue;
                }
                where_[page] = place::queued;
                queue_.push_back(page);
            }
            const std::size_t page = queue_.front();
            queue_.pop_front();
            if (where_[page] == place::queued) {
                where_[page] = place::stored;
                left_at_[page] = left++;
            }
        }
    }

    std::vector<place> where_;
    std::vector<std::uint64_t> left_at_;
    std::vector<bool> is_wanted_;
    std::deque<std::size_t> order_, queue_;
    std::uint64_t fault_us_;
    std::size_t budget_ = ~std::size_t{0};
};

/// A host with accessed bits, which looks at all pages once a minute. Pages leave by their age.
class aging_host {
public:
    explicit aging_host(std::size_t pages) : is_accessed(pages), is_there(pages), is_stored(pages) {}

    void access(std::size_t page) {
        promoted += is_stored[page] ? 1u : 0u;
        resident += is_stored[page] || !is_there[page] ? 1u : 0u;
        is_there[page] = is_accessed[page] = true;
        is_stored[page] = false;
    }
    /// Pages leave until `budget` are there: the oldest first, and none that is younger than `least_age`.
    template <class Age>
    void evict(std::size_t budget, unsigned least_age, Age age) {
        if (resident <= budget) {
            return;
        }
        std::vector<std::vector<std::size_t>> by_age(256);
        for (std::size_t page = 0; page < is_there.size(); ++page) {
            if (is_there[page] && !is_stored[page]) {
                by_age[age(page)].push_back(page);
            }
        }
        for (unsigned a = 254; a + 1 > least_age && resident > budget; --a) {
            for (std::size_t i = 0; i < by_age[a].size() && resident > budget; ++i) {
                is_stored[by_age[a][i]] = true;
                --resident;
                ++left;
            }
            if (a == 0) {
                break;
            }
        }
    }

    std::vector<bool> is_accessed, is_there, is_stored;
    std::size_t resident = 0;
    std::uint64_t left = 0, promoted = 0;
};

/// How often a series of numbers turned, each time by more than `ppm` of itself: what swings turns often, what settles doesn't.
class turns {
public:
    explicit turns(std::uint64_t ppm) : ppm_{ppm} {}

    void note(std::uint64_t value) {
        if (count_ == 0 && low_ > high_) {
            low_ = high_ = value;
        }
        low_ = value < low_ ? value : low_;
        high_ = value > high_ ? value : high_;
        if (direction_ <= 0 && value > low_ + low_ * ppm_ / 1'000'000) {
            turn(1, value);
        } else if (direction_ >= 0 && value < high_ - high_ * ppm_ / 1'000'000) {
            turn(-1, value);
        }
    }
    [[nodiscard]] unsigned count() const { return count_; }

private:
    void turn(int to, std::uint64_t value) {
        count_ += direction_ == 0 ? 0u : 1u;
        direction_ = to;
        low_ = high_ = value;
    }

    std::uint64_t ppm_;
    std::uint64_t low_ = 1, high_ = 0;
    int direction_ = 0;
    unsigned count_ = 0;
};

} // namespace pagefold::testing
