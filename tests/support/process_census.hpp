// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace pagefold::testing {

/// Counts what the process has of the system. It opens what it reads when it is made, and takes nothing later, so that it counts
/// as well where the process may have no more.
class process_census {
public:
    process_census() : statm_{open("/proc/self/statm", O_RDONLY | O_CLOEXEC)} {}
    ~process_census() { close(statm_); }
    process_census(const process_census&) = delete;
    process_census& operator=(const process_census&) = delete;

    [[nodiscard]] static std::size_t descriptors() {
        std::size_t count = 0;
        for (int fd = 0; fd < 1024; ++fd) {
            count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
        }
        return count;
    }
    /// The lowest number that no descriptor has.
    [[nodiscard]] static int free_number() {
        int fd = 0;
        while (fcntl(fd, F_GETFD) >= 0) {
            ++fd;
        }
        return fd;
    }
    /// Bytes of addresses that are mapped.
    [[nodiscard]] std::size_t mapped_bytes() const {
        char text[32] = {};
        return pread(statm_, text, sizeof text - 1, 0) > 0 ? std::strtoull(text, nullptr, 10) * 4096 : 0;
    }

private:
    int statm_;
};

} // namespace pagefold::testing
