// SPDX-License-Identifier: MIT
#pragma once

#include "base_memory.hpp"
#include "message.hpp"
#include "page_file.hpp"
#include "store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace vm_pager {

/// A guest's memory as it was, read whole into a persistent pool before the first guest comes, and sealed. The guests' pools
/// are its clones: what one has changed is kept as what differs from the page here, and what it has changed back takes no
/// memory. The file is not needed any more after that.
///
/// Beside snapshot: that one reads a page when the first guest touches it, begins at once, and may drop what it has read;
/// so nothing can be kept as what differs from it. This one takes the time and the memory for all of it first.
class template_memory final : public base_memory {
public:
    /// Throws failure where the file can't be read or is no whole number of pages, or the store has no room for a pool.
    template_memory(store_type& store, const std::string& path);
    /// One that was read, by an earlier vm_pager: its sealed pool.
    template_memory(store_type& store, pagefold::pool_id pool, std::uint64_t bytes) noexcept
        : store_{store}, bytes_{bytes}, pages_{bytes / page_bytes}, pool_{pool} {}
    ~template_memory() override;

    /// Reads the next piece, of up to 64 pages; true once all is read and sealed. Throws failure where the file or the store
    /// has no more.
    [[nodiscard]] bool read_piece();

    [[nodiscard]] std::uint64_t bytes() const noexcept override { return bytes_; }
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept override;
    [[nodiscard]] std::uint64_t file_pages() const noexcept override { return pages_; }
    [[nodiscard]] pagefold::pool_id parent() const noexcept override { return pool_; }

private:
    static constexpr std::size_t most_piece = 64;

    store_type& store_;
    std::string path_;
    std::optional<page_file> file_; ///< until all is read
    std::unique_ptr<std::byte[]> piece_;
    std::uint64_t bytes_ = 0;
    std::uint64_t pages_ = 0; ///< read so far
    pagefold::pool_id pool_{};
};

} // namespace vm_pager
