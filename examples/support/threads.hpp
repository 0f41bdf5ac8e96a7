// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"

#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace examples {

/// Starts a thread. Throws failure, which says what it was for and what the system lacks.
template <class Work>
[[nodiscard]] std::thread start_thread(const std::string& purpose, Work work) {
    try {
        return std::thread(std::move(work));
    } catch (const std::system_error& why) {
        throw failure("no thread " + purpose + ": " + why.code().message() +
                      " (RLIMIT_NPROC, the cgroup's limit of processes, or memory for its stack)");
    }
}

} // namespace examples
