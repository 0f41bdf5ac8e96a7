// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// A table of small entries that grows a page at a time and never asks its source for more than one page at once, so
/// that it works where memory is fragmented: a radix tree of one to three levels of pages. The first few entries stand in
/// the directory itself, so that a small table takes no page.
///
/// Entries start as all zero bytes. Tables are kept until trim says that they are not needed, or the directory is
/// destroyed. `Source` models page_source (ds/ stands beside platform/ and doesn't include its concept). A look-up is
/// one to three dependent loads. Not thread-safe.
// clang-format off
template <class Entry, class Source>
    requires(std::is_trivially_copyable_v<Entry> && is_power_of_two(sizeof(Entry)))
class page_directory {
    // clang-format on
public:
    page_directory(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, leaf_shift_{trailing_zeros(source.page_size() / sizeof(Entry))},
          table_shift_{trailing_zeros(source.page_size() / sizeof(void*))} {}
    ~page_directory() {
        if (has_tables()) {
            release_tree(root_, depth_, root_bound());
        }
    }
    page_directory(const page_directory&) = delete;
    page_directory& operator=(const page_directory&) = delete;

    /// Makes the entry usable. Fails with no_memory or limit (also where three levels can't hold the index); then nothing
    /// has changed but for tables that stay for the next try, or until the next trim.
    status reserve(std::uint32_t index) noexcept {
        if (index >= covered(max_depth)) {
            return status::limit;
        }
        bound_ = index < bound_ ? bound_ : std::uint64_t{index} + 1; // before the first table: trim finds them by it
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
        while (index >= covered(depth_)) {
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

    /// Entries from `count` on are not needed any more: they must be reserved anew, and read as zeros then. Tables in which
    /// there are only such entries go back to the source; at 8 entries or fewer that is all of them. Never fails and takes
    /// no memory. Costs one comparison where nothing was reserved from `count` on. Otherwise it clears what was in one
    /// table, and looks once at each place of a table that lies between `count` and the greatest index reserved.
    void trim(std::uint32_t count) noexcept {
        if (count >= bound_) {
            return;
        }
        if (has_tables() && count <= first_count) {
            void* leaf = root_;
            for (unsigned level = depth_; level > 1; --level) {
                leaf = child(leaf, level, 0);
            }
            copy_bytes(first_, leaf, sizeof first_);
            release_tree(root_, depth_, root_bound());
            root_ = first_;
            depth_ = 1;
        } else if (has_tables()) {
            cut(root_, depth_, count, root_bound());
            while (depth_ > 1 && count <= covered(depth_ - 1)) {
                void* const below = child(root_, depth_, 0);
                release_table(root_);
                root_ = below;
                --depth_;
            }
        }
        if (count < first_count) {
            fill_bytes(first_ + count, 0, (first_count - count) * sizeof(Entry));
        }
        bound_ = count;
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

    [[nodiscard]] bool has_tables() const noexcept { return root_ != nullptr && root_ != first_; }
    /// Entries below a table of the level.
    [[nodiscard]] std::uint64_t covered(unsigned level) const noexcept {
        return std::uint64_t{1} << (leaf_shift_ + (level - 1) * table_shift_);
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
    void release_table(void* table) noexcept {
        source_.release(table, 1);
        --table_count_;
    }
    /// What is reserved below the root: a reserve that failed may have noted more.
    [[nodiscard]] std::uint64_t root_bound() const noexcept {
        return bound_ < covered(depth_) ? bound_ : covered(depth_);
    }
    /// Gives back the tables below this one that lie wholly from `count` on, and clears the rest of the leaf in which it
    /// lies. Entries are numbered from the first of the table; none is reserved from `bound` on.
    void cut(void* table, unsigned level, std::uint64_t count, std::uint64_t bound) noexcept {
        if (count >= bound) {
            return;
        }
        if (level == 1) {
            fill_bytes(static_cast<Entry*>(table) + count, 0, to_size(bound - count) * sizeof(Entry));
            return;
        }
        const std::uint64_t each = covered(level - 1);
        for (std::uint64_t at = count / each, from = at * each; from < bound; ++at, from += each) {
            void*& below = static_cast<void**>(table)[at];
            const std::uint64_t end = bound - from < each ? bound - from : each;
            if (below != nullptr && from < count) {
                cut(below, level - 1, count - from, end);
            } else if (below != nullptr) {
                release_tree(below, level - 1, end);
                below = nullptr;
            }
        }
    }
    void release_tree(void* table, unsigned level, std::uint64_t bound) noexcept {
        const std::uint64_t each = level > 1 ? covered(level - 1) : bound;
        for (std::uint64_t at = 0, from = 0; level > 1 && from < bound; ++at, from += each) {
            if (void* const below = static_cast<void**>(table)[at]; below != nullptr) {
                release_tree(below, level - 1, bound - from < each ? bound - from : each);
            }
        }
        release_table(table);
    }

    Source& source_;
    node_id node_;
    unsigned leaf_shift_;  // log2 of the entries in a leaf
    unsigned table_shift_; // log2 of the pointers in a table
    unsigned depth_ = 1;
    std::uint32_t table_count_ = 0;
    std::uint64_t bound_ = 0; // nothing was reserved from here on since the last trim
    void* root_ = nullptr;
    Entry first_[first_count] = {};
};

} // namespace pagefold
