// SPDX-License-Identifier: MIT
#pragma once

#include "base_memory.hpp"
#include "page_file.hpp"
#include "store.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace vm_pager {

/// The file that holds a guest's memory as it was. All guests that start from it share its pages, compressed in an
/// ephemeral pool of the store: a page is read from the disk once, and the store drops such pages before it refuses one
/// that is in no file.
class snapshot final : public base_memory {
public:
    /// Throws failure where the file can't be read or is no whole number of pages.
    snapshot(store_type& store, const std::string& path);
    ~snapshot() override;

    [[nodiscard]] std::uint64_t bytes() const noexcept override { return file_.bytes(); }
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept override;
    [[nodiscard]] std::uint64_t file_pages() const noexcept override { return file_.pages_read(); }
    [[nodiscard]] std::uint64_t identity() const noexcept override { return file_.identity(); }

private:
    store_type& store_;
    page_file file_;
    pagefold::pool_id pool_{}; // none where the store had no room for one: then all is read from the file
};

} // namespace vm_pager
