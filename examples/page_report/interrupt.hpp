// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace page_report {

/// While one lives, SIGHUP, SIGINT and SIGTERM only raise a flag, so that loops end and destructors run; afterwards the
/// signal does what it would have done. One at a time.
class delayed_interrupt {
    static constexpr std::array signals{SIGHUP, SIGINT, SIGTERM};

public:
    delayed_interrupt() {
        struct sigaction action {};
        action.sa_handler = [](int number) { pending.store(number, std::memory_order_relaxed); };
        action.sa_flags = SA_RESTART;
        for (std::size_t i = 0; i < signals.size(); ++i) {
            sigaction(signals[i], nullptr, &before_[i]);
            if (before_[i].sa_handler != SIG_IGN) { // nohup stays nohup
                sigaction(signals[i], &action, nullptr);
            }
        }
    }
    delayed_interrupt(const delayed_interrupt&) = delete;
    delayed_interrupt& operator=(const delayed_interrupt&) = delete;
    ~delayed_interrupt() {
        for (std::size_t i = 0; i < signals.size(); ++i) {
            sigaction(signals[i], &before_[i], nullptr);
        }
        if (const int number = pending.load(std::memory_order_relaxed); number != 0) {
            std::raise(number);
        }
    }

    [[nodiscard]] static bool is_pending() noexcept { return pending.load(std::memory_order_relaxed) != 0; }

private:
    inline static std::atomic<int> pending{0};
    static_assert(std::atomic<int>::is_always_lock_free);

    std::array<struct sigaction, signals.size()> before_{};
};

} // namespace page_report
