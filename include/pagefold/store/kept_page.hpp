// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/store/change_log.hpp>
#include <pagefold/store/pool_cursor.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A page as a store keeps it, out of the store: its key in its pool, what it is kept as, and how long its stream is. The
/// stream is beside it.
struct kept_page {
    std::uint64_t object = 0;
    std::uint64_t index = 0;
    std::uint32_t length = 0; ///< of the page or value, in bytes
    std::uint32_t stream = 0; ///< bytes of its stream; 0 of a reference, 8 of one that is in_entry
    /// own, in_entry, raw, reference or delta; damaged: there is nothing to be had of it.
    page_content content = page_content::own;
    std::uint32_t at = 0; ///< where its stream is in the bytes that it was copied to
    // Of a reference and a delta:
    std::uint64_t base_object = 0; ///< the parent's page that it is read with
    std::uint64_t base_index = 0;
    std::uint64_t base_print = 0; ///< what tells that page's stream from others, in every store

    [[nodiscard]] constexpr bool has_base() const noexcept {
        return content == page_content::reference || content == page_content::delta;
    }
};

/// Which pages of a pool are copied out: of a range of objects and of page numbers, and where `marks` are given, those that
/// may have changed. All are inclusive; a new one takes every page.
struct kept_filter {
    std::uint64_t first_object = 0;
    std::uint64_t last_object = ~std::uint64_t{0};
    std::uint64_t first_index = 0;
    std::uint64_t last_index = max_page_index - 1;
    change_marks marks{};
    std::uint32_t tag = 0; ///< the pool's, for the marks

    [[nodiscard]] bool takes(std::uint64_t object, std::uint64_t index) const noexcept {
        return object >= first_object && object <= last_object && index >= first_index && index <= last_index &&
               (marks.is_empty() || marks.has(tag, object, index));
    }
};

/// What a pool is to others.
struct pool_family {
    pool_kind kind = pool_kind::persistent;
    pool_id parent{}; ///< or none
    bool is_sealed = false;
};

} // namespace pagefold
