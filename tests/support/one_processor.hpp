// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing {

/// Threads on one processor that takes none away from them: only one runs at a time, the next one when it sleeps, yields or
/// ends. So what happens between threads is the same in every run. It is a parking policy too; where all sleep, the test ends
/// the process. One set of threads at a time.
class one_processor {
public:
    static void run(std::vector<std::function<void()>> bodies) {
        sleeps_on_.assign(bodies.size(), nullptr);
        has_ended_.assign(bodies.size(), false);
        waits_ = wakes_ = 0;
        running_ = 0;
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            threads.emplace_back([i, body = std::move(bodies[i])] {
                me_ = i;
                wait_for_turn();
                body();
                has_ended_[i] = true;
                pass_on();
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    /// Lets all others that can run have a turn.
    static void yield() {
        pass_on();
        wait_for_turn();
    }
    static std::size_t me() noexcept { return me_; }
    static unsigned waits() noexcept { return waits_; }
    static unsigned wakes() noexcept { return wakes_; }

    // The parking policy.

    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        ++waits_;
        if (word.load(memory_order::relaxed) == value) {
            sleeps_on_[me_] = &word;
            yield();
        }
    }
    static void wake_one(atomic<std::uint32_t>& word) noexcept {
        ++wakes_;
        for (std::size_t n = 1; n <= sleeps_on_.size(); ++n) {
            const void*& sleeper = sleeps_on_[(me_ + n) % sleeps_on_.size()];
            if (sleeper == &word) {
                sleeper = nullptr;
                return;
            }
        }
    }
    static void wake_all(atomic<std::uint32_t>& word) noexcept {
        ++wakes_;
        for (const void*& sleeper : sleeps_on_) {
            sleeper = sleeper == &word ? nullptr : sleeper;
        }
    }
    [[nodiscard]] static std::uintptr_t self() noexcept { return me_ + 1; }

private:
    static void pass_on() {
        const std::lock_guard guard{mutex_};
        bool has_all_ended = true;
        for (std::size_t n = 1; n <= has_ended_.size(); ++n) {
            const std::size_t next = (me_ + n) % has_ended_.size();
            has_all_ended = has_all_ended && has_ended_[next];
            if (!has_ended_[next] && sleeps_on_[next] == nullptr) {
                running_ = next;
                turn_.notify_all();
                return;
            }
        }
        if (!has_all_ended) {
            std::fputs("every thread sleeps\n", stderr);
            std::abort();
        }
    }
    static void wait_for_turn() {
        std::unique_lock guard{mutex_};
        turn_.wait(guard, [] { return running_ == me_; });
    }

    static inline thread_local std::size_t me_ = 0;
    static inline std::mutex mutex_;
    static inline std::condition_variable turn_;
    static inline std::vector<const void*> sleeps_on_; // the word; null where it can run
    static inline std::vector<char> has_ended_;
    static inline std::size_t running_ = 0;
    static inline unsigned waits_ = 0, wakes_ = 0;
};

} // namespace pagefold::testing
