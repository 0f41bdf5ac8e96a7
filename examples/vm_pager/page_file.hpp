// SPDX-License-Identifier: MIT
#pragma once

#include "unique_fd.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vm_pager {

/// A file of whole pages that is read and not written. The kernel is told to keep no copy of its own. Many
/// threads may read.
class page_file {
public:
    /// Throws failure where the file can't be read or is no whole number of pages.
    explicit page_file(const std::string& path);

    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    /// How many of the pages from `offset` on it could read, the first ones. Where that is fewer, errno says why; 0 there means
    /// that the file has become shorter.
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept;
    /// Of which file this is, and when it was written last.
    [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }
    /// Pages that were read.
    [[nodiscard]] std::uint64_t pages_read() const noexcept { return pages_read_; }

private:
    unique_fd fd_;
    std::uint64_t bytes_ = 0;
    std::uint64_t identity_ = 0;
    std::atomic<std::uint64_t> pages_read_{0};
};

} // namespace vm_pager
