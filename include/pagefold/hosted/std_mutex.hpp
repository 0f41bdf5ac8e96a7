// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>

namespace pagefold {

/// std::mutex as a lockable; waiting threads sleep.
class std_mutex {
public:
    void lock() noexcept { mutex_.lock(); }
    void unlock() noexcept { mutex_.unlock(); }

private:
    std::mutex mutex_;
};

} // namespace pagefold
