// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/acquire_context.hpp>
#include <pagefold/platform/concept.hpp>

#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// A page source by reference, its type forgotten, so that a store's type doesn't depend on where its memory comes from.
/// Pages are acquired for many objects at a time: the indirect call is not measurable. The source must outlive it.
class page_source_ref {
public:
    // clang-format off
    template <page_source Source>
        requires(!std::same_as<std::remove_cvref_t<Source>, page_source_ref>)
    page_source_ref(Source& source) noexcept
        : source_{&source}, page_size_{source.page_size()},
          acquire_{[](void* self, std::size_t pages, node_id node, [[maybe_unused]] acquire_context context) noexcept {
              if constexpr (contextual_page_source<Source>) {
                  return static_cast<Source*>(self)->acquire(pages, node, context);
              } else {
                  return static_cast<Source*>(self)->acquire(pages, node);
              }
          }},
          release_{[](void* self, void* p, std::size_t pages) noexcept {
              static_cast<Source*>(self)->release(p, pages);
          }} {
        if constexpr (trimmable_page_source<Source>) {
            trim_ = [](void* self) noexcept { return static_cast<Source*>(self)->trim(); };
        }
        if constexpr (node_page_source<Source>) {
            node_status_ = [](const void* self, node_id node) noexcept {
                return static_cast<const Source*>(self)->node_status(node);
            };
        }
    }
    // clang-format on

    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }
    /// A source that doesn't ask for the context isn't told it.
    result<void*> acquire(std::size_t pages, node_id node, acquire_context context = {}) noexcept {
        return acquire_(source_, pages, node, context);
    }
    void release(void* p, std::size_t pages) noexcept { release_(source_, p, pages); }
    /// What a trimmable source does; 0 where the source is none.
    std::size_t trim() noexcept { return trim_ != nullptr ? trim_(source_) : 0; }
    /// What a source that knows nodes says of one; ok where it knows none: its acquire will tell.
    [[nodiscard]] status node_status(node_id node) const noexcept {
        return node_status_ != nullptr ? node_status_(source_, node) : status::ok;
    }

private:
    void* source_;
    std::size_t page_size_;
    result<void*> (*acquire_)(void*, std::size_t, node_id, acquire_context) noexcept;
    void (*release_)(void*, void*, std::size_t) noexcept;
    std::size_t (*trim_)(void*) noexcept = nullptr;
    status (*node_status_)(const void*, node_id) noexcept = nullptr;
};

} // namespace pagefold
