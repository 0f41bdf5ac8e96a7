// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <poll.h>
#include <sys/select.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// Waits until one of two descriptors can be read. By poll; where that can't be, by select: a filter of system calls may
/// allow only one of them, and poll refuses (EINVAL) more descriptors than RLIMIT_NOFILE, which a process may lower to 0 when
/// it has all that it needs. Safe from many threads.
class readable_wait {
public:
    struct outcome {
        bool first = false, second = false; ///< can be read, or is broken
        int error = 0;                      ///< errno's value, where the system has no way to wait
    };

    [[nodiscard]] static outcome on(int first, int second) noexcept {
        pollfd wanted[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
        for (;;) {
            if (::poll(wanted, 2, -1) >= 0) {
                return {wanted[0].revents != 0, wanted[1].revents != 0, 0};
            }
            if (errno != EINTR) {
                return by_select(first, second);
            }
        }
    }

private:
    // The kernel takes sets of any size; fd_set and its macros end at 1,024.
    static constexpr int most = 8192;
    using word = unsigned long;
    static constexpr int word_bits = static_cast<int>(sizeof(word) * CHAR_BIT);

    [[nodiscard]] static outcome by_select(int first, int second) noexcept {
        if (first < 0 || first >= most || second < 0 || second >= most) {
            return {false, false, EINVAL};
        }
        for (;;) {
            alignas(fd_set) word set[most / word_bits] = {};
            set[first / word_bits] |= mask_of(first);
            set[second / word_bits] |= mask_of(second);
            if (::select((first > second ? first : second) + 1, reinterpret_cast<fd_set*>(set), nullptr, nullptr,
                         nullptr) >= 0) {
                return {(set[first / word_bits] & mask_of(first)) != 0,
                        (set[second / word_bits] & mask_of(second)) != 0, 0};
            }
            if (errno != EINTR) {
                return {false, false, errno};
            }
        }
    }
    [[nodiscard]] static word mask_of(int fd) noexcept { return word{1} << fd % word_bits; }
};

} // namespace pagefold
