// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold {

/// A table of small entries that grows a page at a time and never asks its source for more than one page at once, so
/// that it works where memory is fragmented: a radix tree of one to three levels of pages. The first few entries stand in
/// the directory itself, so that a small table takes no page.
///
/// Entries start as all zero bytes. Tables are kept until the directory is destroyed. `Source` models page_source (ds/
/// stands beside platform/ and doesn't include its concept). A look-up is one to three dependent loads. Not thread-safe.
// clang-format off
template <class Entry, class Source>
    requires(std::is_trivially_copyable_v<Entry> && std::has_single_bit(sizeof(Entry)))
class page_directory {
    // clang-format on
public:
    page_directory(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, leaf_shift_{static_cast<unsigned>(
                                            std::countr_zero(source.page_size() / sizeof(Entry)))},
          table_shift_{static_cast<unsigned>(std::countr_zero(source.page_size() / sizeof(void*)))} {}
    ~page_directory() {
        if (root_ != nullptr && root_ != first_) {
            release_tables(root_, depth_);
        }
    }
    page_directory(const page_directory&) = delete;
    page_directory& operator=(const page_directory&) = delete;

    /// Makes the entry usable. Fails with no_memory or limit (also where three levels can't hold the index); then nothing
    /// has changed but for tables that stay for the next try.
    status reserve(std::uint32_t index) noexcept {
        if (root_ == nullptr) {
            root_ = first_;
        }
        if (root_ == first_) {
            if (index < first_count) {
                return status::ok;
            }
            void* leaf = nullptr;
            if (const status s = new_table(leaf); s != status::ok) {
                return s;
            }
            copy_bytes(leaf, first_, sizeof first_);
            root_ = leaf;
        }
        while (index >= capacity()) {
            if (depth_ == max_depth) {
                return status::limit;
            }
            void* above = nullptr;
            if (const status s = new_table(above); s != status::ok) {
                return s;
            }
            static_cast<void**>(above)[0] = root_;
            root_ = above;
            ++depth_;
        }
        void* table = root_;
        for (unsigned level = depth_; level > 1; --level) {
            void*& below = child(table, level, index);
            if (below == nullptr) {
                if (const status s = new_table(below); s != status::ok) {
                    return s;
                }
            }
            table = below;
        }
        return status::ok;
    }

    /// `index` must have been reserved.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE Entry& operator[](std::uint32_t index) const noexcept {
        void* table = root_;
        if (depth_ == 2) {
            table = static_cast<void**>(table)[index >> leaf_shift_];
        } else if (depth_ > 2) {
            table = child(child(table, 3, index), 2, index);
        }
        return static_cast<Entry*>(table)[index & ((std::uint32_t{1} << leaf_shift_) - 1)];
    }

    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return table_count_ * source_.page_size(); }

private:
    static constexpr unsigned max_depth = 3;
    static constexpr std::uint32_t first_count = 8;

    [[nodiscard]] std::uint64_t capacity() const noexcept {
        return std::uint64_t{1} << (leaf_shift_ + (depth_ - 1) * table_shift_);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE void*& child(void* table, unsigned level, std::uint32_t index) const noexcept {
        const std::size_t at = index >> (leaf_shift_ + (level - 2) * table_shift_);
        return static_cast<void**>(table)[at & ((std::size_t{1} << table_shift_) - 1)];
    }

    status new_table(void*& table) noexcept {
        const result<void*> page = source_.acquire(1, node_);
        if (!page) {
            return page.error();
        }
        table = *page;
        fill_bytes(table, 0, source_.page_size());
        ++table_count_;
        return status::ok;
    }
    void release_tables(void* table, unsigned level) noexcept {
        for (std::size_t i = 0; level > 1 && i < (std::size_t{1} << table_shift_); ++i) {
            if (void* const below = static_cast<void**>(table)[i]; below != nullptr) {
                release_tables(below, level - 1);
            }
        }
        source_.release(table, 1);
    }

    Source& source_;
    node_id node_;
    unsigned leaf_shift_;  // log2 of the entries in a leaf
    unsigned table_shift_; // log2 of the pointers in a table
    unsigned depth_ = 1;
    std::uint32_t table_count_ = 0;
    void* root_ = nullptr;
    Entry first_[first_count] = {};
};

} // namespace pagefold
