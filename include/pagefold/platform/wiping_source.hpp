// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/page_source_ref.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// A page source over another that gives pages back full of zeros, whatever their user left in them. Cost: a memset of
/// what is released. As safe from many threads as the source below.
class wiping_source {
public:
    /// `wipes` false passes pages on as they are, until wipe_from_now().
    explicit wiping_source(page_source_ref source, bool wipes = true) noexcept : source_{source}, wipes_{wipes} {}

    [[nodiscard]] std::size_t page_size() const noexcept { return source_.page_size(); }
    result<void*> acquire(std::size_t pages, node_id node, acquire_context context = {}) noexcept {
        return source_.acquire(pages, node, context);
    }
    void release(void* p, std::size_t pages) noexcept {
        if (wipes_) {
            fill_bytes(p, 0, pages * page_size());
            PAGEFOLD_KEEP_STORES();
        }
        source_.release(p, pages);
    }
    [[nodiscard]] status node_status(node_id node) const noexcept { return source_.node_status(node); }
    /// What the source below does, if it is a trimmable one; else 0.
    std::size_t trim() noexcept { return source_.trim(); }

    /// For a user that wipes by itself until its end. Not while another thread releases.
    void wipe_from_now() noexcept { wipes_ = true; }

private:
    page_source_ref source_;
    bool wipes_;
};

} // namespace pagefold
