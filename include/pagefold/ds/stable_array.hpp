// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/page_directory.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// An array that grows and shrinks by pages, and whose elements never move. Not thread-safe.
// clang-format off
template <class T, class Source>
    requires(std::is_nothrow_default_constructible_v<T> && std::is_trivially_destructible_v<T>)
class stable_array {
    // clang-format on
public:
    stable_array(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, pages_{source, node}, shift_{element_shift(source.page_size())} {}
    ~stable_array() {
        for (std::uint32_t i = 0; i < page_count_; ++i) {
            source_.release(pages_[i], 1);
        }
    }
    stable_array(const stable_array&) = delete;
    stable_array& operator=(const stable_array&) = delete;

    /// Makes elements 0 to `index` exist. Fails with what the source answered; elements made by then stay.
    status reserve(std::uint32_t index) noexcept {
        while (index >= size()) {
            if (const status s = pages_.reserve(page_count_); s != status::ok) {
                return s;
            }
            const result<void*> page = source_.acquire(1, node_);
            if (!page) {
                return page.error();
            }
            for (std::uint32_t i = 0; i < page_elements(); ++i) {
                ::new (static_cast<void*>(static_cast<std::byte*>(*page) + i * sizeof(T))) T{};
            }
            pages_[page_count_++] = *page;
        }
        return status::ok;
    }

    /// Gives back the pages in which all elements are numbered `count` or above; those elements are gone, and made anew by
    /// the next reserve. Never fails. One comparison where there is no such page.
    void trim(std::uint32_t count) noexcept {
        const std::uint32_t before = page_count_;
        while (page_count_ != 0 && (page_count_ - 1) * page_elements() >= count) {
            source_.release(pages_[--page_count_], 1);
        }
        if (page_count_ != before) {
            pages_.trim(page_count_);
        }
    }

    /// `index` must be below size().
    [[nodiscard]] T& operator[](std::uint32_t index) const noexcept {
        T* const page = static_cast<T*>(pages_[index >> shift_]);
        return *std::launder(page + (index & (page_elements() - 1)));
    }
    /// Elements that exist.
    [[nodiscard]] std::uint32_t size() const noexcept { return page_count_ * page_elements(); }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return pages_.bytes() + page_count_ * source_.page_size(); }

private:
    [[nodiscard]] static constexpr unsigned element_shift(std::size_t page_size) noexcept {
        return bit_length(page_size / sizeof(T)) - 1;
    }
    [[nodiscard]] std::uint32_t page_elements() const noexcept { return std::uint32_t{1} << shift_; }

    Source& source_;
    node_id node_;
    page_directory<void*, Source> pages_;
    unsigned shift_; // log2 of the elements in a page
    std::uint32_t page_count_ = 0;
};

} // namespace pagefold
