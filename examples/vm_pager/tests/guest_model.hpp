// SPDX-License-Identifier: MIT
#pragma once

#include "monitor.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace vm_pager::testing {

class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : state_{seed} {}
    [[nodiscard]] std::size_t below(std::size_t bound) {
        state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
        return static_cast<std::size_t>(state_ >> 33) % bound;
    }

private:
    std::uint64_t state_;
};

/// Runs the work in threads 0 … count − 1, and hands on the first mistake.
inline void in_threads(unsigned count, const std::function<void(unsigned)>& work) {
    std::vector<std::thread> threads;
    std::vector<std::string> mistakes(count);
    for (unsigned t = 0; t < count; ++t) {
        threads.emplace_back([&, t] {
            try {
                work(t);
            } catch (const mistake& what) {
                mistakes[t] = what.what();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const std::string& what : mistakes) {
        expect(what.empty(), what);
    }
}

/// A model of a guest's memory: the version that each page has; 0 is its state before the first write.
class guest_model {
public:
    explicit guest_model(monitor& vm, std::function<bool(const std::byte*, std::size_t)> is_untouched = {},
                         bool is_noise = false)
        : vm_{vm}, versions_(vm.pages()), is_untouched_{std::move(is_untouched)}, is_noise_{is_noise} {}

    void write(std::size_t i) { write_page(vm_.at(i), i, ++versions_[i], is_noise_); }
    void check(std::size_t i) const {
        const std::byte* const bytes = vm_.at(i);
        const bool is_right = versions_[i] != 0 ? is_page(bytes, i, versions_[i], is_noise_)
                              : is_untouched_   ? is_untouched_(bytes, i)
                                                : is_zeros(bytes);
        expect(is_right, "page " + std::to_string(i) + " is not at version " + std::to_string(versions_[i]));
    }
    void check_all() const {
        for (std::size_t i = 0; i < versions_.size(); ++i) {
            check(i);
        }
    }
    /// Threads that read and write pages of their own at random, neighbours of the others' among them.
    void work(unsigned threads, std::size_t steps, std::size_t pages) {
        in_threads(threads, [&](unsigned t) {
            random_numbers random{t + 7u};
            for (std::size_t step = 0; step < steps; ++step) {
                const std::size_t i = random.below(pages / threads) * threads + t;
                check(i);
                if (random.below(3) == 0) {
                    write(i);
                }
            }
        });
    }
    /// Gives a page back to the host.
    void remove(std::size_t i, int advice) {
        expect(madvise(vm_.at(i), page, advice) == 0, "madvise failed");
        versions_[i] = 0;
    }

private:
    monitor& vm_;
    std::vector<unsigned> versions_;
    std::function<bool(const std::byte*, std::size_t)> is_untouched_;
    bool is_noise_;
};

} // namespace vm_pager::testing
