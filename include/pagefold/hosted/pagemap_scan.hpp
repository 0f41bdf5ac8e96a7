// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>
#include <pagefold/hosted/io_control.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pagefold::inline PAGEFOLD_ABI {

/// PAGEMAP_SCAN (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst): which pages of this process were written. Ranges in
/// a userfaultfd's WP mode only, where `written` means that the page lost its write protection. Owns /proc/self/pagemap.
class pagemap_scan {
public:
    struct region {
        std::uint64_t start, end;
        std::uint64_t categories;
    };

    pagemap_scan() noexcept = default;
    pagemap_scan(const pagemap_scan&) = delete;
    pagemap_scan& operator=(const pagemap_scan&) = delete;
    ~pagemap_scan() { close(); }

    /// False, with errno, where there is no such file; whether the kernel knows the call shows in the first one.
    [[nodiscard]] bool open() noexcept {
        close();
        fd_ = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        return fd_ >= 0;
    }
    void close() noexcept {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

    /// Finds runs of written pages from `start` on; at most `capacity` of them. Says how many, or −1 with errno. `start`
    /// moves on to where the next call begins: `end` when all is seen.
    [[nodiscard]] int written(std::uint64_t& start, std::uint64_t end, region* out, std::size_t capacity) noexcept {
        request r{};
        r.size = sizeof r;
        r.flags = check_wp_async;
        r.start = start;
        r.end = end;
        r.vec = reinterpret_cast<std::uintptr_t>(out);
        r.vec_len = capacity;
        r.category_mask = is_written;
        r.return_mask = is_written;
        int found = 0;
        do {
            found = io_control(fd_, ioctl_scan, &r);
        } while (found < 0 && errno == EINTR);
        if (found >= 0) {
            start = r.walk_end;
        }
        return found;
    }

private:
    struct request {
        std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
        std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
    };
    static constexpr std::uint64_t is_written = 1u << 1;
    static constexpr std::uint64_t check_wp_async = 1u << 1;
    static constexpr std::uint32_t ioctl_scan = _IOWR('f', 16, request);

    int fd_ = -1;
};

} // namespace pagefold
