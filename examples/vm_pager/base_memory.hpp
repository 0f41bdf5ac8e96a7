// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

namespace vm_pager {

/// What guests begin as: where a page is read that a guest has not changed.
class base_memory {
public:
    base_memory() noexcept = default;
    virtual ~base_memory() = default;
    base_memory(const base_memory&) = delete;
    base_memory& operator=(const base_memory&) = delete;

    [[nodiscard]] virtual std::uint64_t bytes() const noexcept = 0;
    /// How many of the pages from `offset` on it could read, the first ones. From many threads.
    [[nodiscard]] virtual std::size_t read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept = 0;
    /// Pages that were read from a file.
    [[nodiscard]] virtual std::uint64_t file_pages() const noexcept = 0;
    /// Tells one file from another; 0 where the pages are in a pool.
    [[nodiscard]] virtual std::uint64_t identity() const noexcept { return 0; }
    /// The sealed pool that has it all, by offset in pages, for the guests' pools to be clones of; or none.
    [[nodiscard]] virtual pagefold::pool_id parent() const noexcept { return {}; }
};

} // namespace vm_pager
