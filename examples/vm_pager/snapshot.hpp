// SPDX-License-Identifier: MIT
#pragma once

#include "store.hpp"
#include "unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace vm_pager {

/// The file that holds a guest's memory as it was. All guests that start from it share its pages, compressed in an
/// ephemeral pool of the store: a page is read from the disk once, and the store drops such pages before it refuses one
/// that is in no file. The kernel is told to keep no copy of its own.
class snapshot {
public:
    /// Throws failure where the file can't be read or is no whole number of pages.
    snapshot(store_type& store, const std::string& path);
    ~snapshot();
    snapshot(const snapshot&) = delete;
    snapshot& operator=(const snapshot&) = delete;

    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    /// How many of the pages from `offset` on it could read, the first ones.
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept;

    /// Pages that were read from the file.
    [[nodiscard]] std::uint64_t file_pages() const noexcept { return file_pages_; }

private:
    [[nodiscard]] std::size_t read_file(std::uint64_t offset, std::byte* to, std::size_t count) noexcept;

    store_type& store_;
    unique_fd fd_;
    std::uint64_t bytes_ = 0;
    std::uint64_t file_pages_ = 0;
    pagefold::pool_id pool_{}; // none where the store had no room for one: then all is read from the file
};

} // namespace vm_pager
