// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <pthread.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// The mutex that std::mutex is on POSIX systems, as a lockable; waiting threads sleep. Not std::mutex itself, whose inline
/// constructor has one name for all units, whatever instructions they use (config/abi.hpp).
class std_mutex {
public:
    static constexpr bool holder_may_sleep = true;

    constexpr std_mutex() noexcept = default;
    std_mutex(const std_mutex&) = delete;
    std_mutex& operator=(const std_mutex&) = delete;

    // A mutex of the plain kind fails at neither.
    void lock() noexcept { static_cast<void>(pthread_mutex_lock(&mutex_)); }
    void unlock() noexcept { static_cast<void>(pthread_mutex_unlock(&mutex_)); }

private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

} // namespace pagefold
