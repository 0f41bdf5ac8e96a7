// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/page_directory.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold {

/// An element of a slot_pool: it says whether it is in use, and lends four bytes for a list while it is not. All-zero
/// bytes must read as not live, and setting the free link must keep it so.
// clang-format off
template <class T>
concept slot_pool_element = std::is_trivially_copyable_v<T> && requires(T& t, const T& c) {
    { c.live() } noexcept -> std::same_as<bool>;
    { t.free_link() } noexcept -> std::same_as<std::uint32_t&>;
};
// clang-format on

/// Elements of one type under small numbers, in chunks of a few pages that come from a page source.
///
/// Elements never move. Numbers are given lowest first among the chunks at hand, so that a pool that shrank empties its
/// tail; a chunk without a live element goes back to the source at once, wherever it is. Access by number is two or
/// three loads. insert is O(1), but for a scan of chunk descriptors after an erase; erase is O(1). Not thread-safe.
template <slot_pool_element T, class Source>
class slot_pool {
public:
    slot_pool(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, chunks_{source, node}, shift_{chunk_shift(source.page_size())} {}
    ~slot_pool() {
        for (std::uint32_t c = 0; c < chunk_bound_; ++c) {
            if (chunks_[c].elements != nullptr) {
                source_.release(chunks_[c].elements, chunk_page_count());
            }
        }
    }
    slot_pool(const slot_pool&) = delete;
    slot_pool& operator=(const slot_pool&) = delete;

    /// A number for a new element of all-zero bytes, which the caller makes live before the next call. Fails with what
    /// the source answered; the pool is then unchanged.
    result<std::uint32_t> insert() noexcept {
        if (free_count_ == 0) {
            if (const status s = add_chunk(); s != status::ok) {
                return s;
            }
        }
        while (chunks_[first_free_].elements == nullptr || chunks_[first_free_].free_head == 0) {
            ++first_free_;
        }
        chunk& c = chunks_[first_free_];
        const std::uint32_t at = c.free_head - 1u;
        T& element = c.elements[at];
        c.free_head = static_cast<std::uint16_t>(element.free_link());
        ++c.used;
        --free_count_;
        ++size_;
        fill_bytes(static_cast<void*>(&element), 0, sizeof(T));
        return (first_free_ << shift_) + at;
    }

    /// `id` must be live.
    void erase(std::uint32_t id) noexcept {
        const std::uint32_t number = id >> shift_;
        chunk& c = chunks_[number];
        PAGEFOLD_ASSERT(c.elements != nullptr && c.used > 0);
        --size_;
        if (--c.used == 0) {
            free_count_ -= chunk_elements() - 1;
            source_.release(c.elements, chunk_page_count());
            c = chunk{};
            --chunk_count_;
            return;
        }
        T& element = c.elements[id & low_bits(shift_)];
        fill_bytes(static_cast<void*>(&element), 0, sizeof(T));
        element.free_link() = c.free_head;
        c.free_head = static_cast<std::uint16_t>((id & low_bits(shift_)) + 1);
        ++free_count_;
        first_free_ = number < first_free_ ? number : first_free_;
    }

    /// `id` must be live, or in a chunk that has a live element.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE T& operator[](std::uint32_t id) const noexcept {
        return chunks_[id >> shift_].elements[id & (chunk_elements() - 1)];
    }

    /// The element that `id` names, or null where none is live; any number may be asked.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE T* find(std::uint32_t id) const noexcept {
        const std::uint32_t number = id >> shift_;
        T* const elements = number < chunk_bound_ ? chunks_[number].elements : nullptr;
        if (elements == nullptr) {
            return nullptr;
        }
        T* const element = elements + (id & (chunk_elements() - 1));
        return element->live() ? element : nullptr;
    }
    /// Fetches an element into the cache without waiting for it; any number may be given. Inlined, because gcc leaves out
    /// calls of a function that only prefetches.
    PAGEFOLD_ALWAYS_INLINE void prefetch(std::uint32_t id) const noexcept {
        const std::uint32_t number = id >> shift_;
        const T* const elements = number < chunk_bound_ ? chunks_[number].elements : nullptr;
        if (elements != nullptr) {
            const auto* const bytes = reinterpret_cast<const std::byte*>(elements + (id & (chunk_elements() - 1)));
            for (std::size_t line = 0; line < sizeof(T); line += 64) {
                __builtin_prefetch(bytes + line, 1);
            }
        }
    }
    /// Whether `id` names a live element; any number may be asked.
    [[nodiscard]] bool contains(std::uint32_t id) const noexcept { return find(id) != nullptr; }

    /// The first live number ≥ `from`, or bound(). Walks the elements between.
    [[nodiscard]] std::uint32_t next_live(std::uint32_t from) const noexcept {
        while (from < bound()) {
            const chunk& c = chunks_[from >> shift_];
            if (c.elements == nullptr || c.used == 0) {
                from = ((from >> shift_) + 1) << shift_;
            } else if (c.elements[from & low_bits(shift_)].live()) {
                return from;
            } else {
                ++from;
            }
        }
        return bound();
    }

    /// Live elements.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    /// Every live number is below it.
    [[nodiscard]] std::uint32_t bound() const noexcept { return chunk_bound_ << shift_; }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return chunks_.bytes() + chunk_count_ * chunk_page_count() * source_.page_size();
    }

    /// Walks all elements and free lists; false when they disagree with the counts.
    [[nodiscard]] bool check() const noexcept {
        std::uint32_t live = 0, free = 0, present = 0;
        for (std::uint32_t number = 0; number < chunk_bound_; ++number) {
            const chunk& c = chunks_[number];
            if (c.elements == nullptr) {
                continue;
            }
            ++present;
            std::uint32_t here = 0, listed = 0;
            for (std::uint32_t i = 0; i < chunk_elements(); ++i) {
                here += c.elements[i].live() ? 1 : 0;
            }
            for (std::uint32_t at = c.free_head; at != 0; at = c.elements[at - 1].free_link()) {
                if (at > chunk_elements() || c.elements[at - 1].live() || ++listed > chunk_elements()) {
                    return false;
                }
            }
            if (here != c.used || here + listed != chunk_elements() || (listed != 0 && number < first_free_)) {
                return false;
            }
            live += here;
            free += listed;
        }
        return live == size_ && free == free_count_ && present == chunk_count_;
    }

private:
    struct chunk {
        T* elements;
        std::uint16_t used;
        std::uint16_t free_head; // number in the chunk plus one; 0 ends the list
        std::uint32_t unused;
    };

    /// Few pages, and little of them left over.
    [[nodiscard]] static constexpr unsigned chunk_shift(std::size_t page_size) noexcept {
        unsigned shift = 6;
        while (shift < 15 && ((sizeof(T) << (shift + 1)) <= page_size ||
                              round_up(sizeof(T) << shift, page_size) - (sizeof(T) << shift) > page_size / 8)) {
            ++shift;
        }
        return shift;
    }
    [[nodiscard]] std::uint32_t chunk_elements() const noexcept { return std::uint32_t{1} << shift_; }
    [[nodiscard]] std::size_t chunk_page_count() const noexcept {
        return ceil_div(sizeof(T) << shift_, source_.page_size());
    }

    status add_chunk() noexcept {
        std::uint32_t number = 0;
        while (number < chunk_bound_ && chunks_[number].elements != nullptr) {
            ++number;
        }
        if (number >= (std::uint64_t{1} << (32 - shift_)) - 1) {
            return status::limit;
        }
        if (const status s = chunks_.reserve(number); s != status::ok) {
            return s;
        }
        const result<void*> pages = source_.acquire(chunk_page_count(), node_);
        if (!pages) {
            return pages.error();
        }
        T* const elements = static_cast<T*>(*pages);
        fill_bytes(*pages, 0, sizeof(T) << shift_);
        for (std::uint32_t i = 0; i + 1 < chunk_elements(); ++i) {
            elements[i].free_link() = i + 2;
        }
        chunks_[number] = chunk{elements, 0, 1, 0};
        chunk_bound_ = number < chunk_bound_ ? chunk_bound_ : number + 1;
        ++chunk_count_;
        free_count_ += chunk_elements();
        first_free_ = number < first_free_ ? number : first_free_;
        return status::ok;
    }

    Source& source_;
    node_id node_;
    page_directory<chunk, Source> chunks_;
    unsigned shift_; // log2 of the elements in a chunk
    std::uint32_t chunk_bound_ = 0;
    std::uint32_t chunk_count_ = 0;
    std::uint32_t first_free_ = 0; // no chunk below it has a free element
    std::uint32_t free_count_ = 0;
    std::uint32_t size_ = 0;
};

} // namespace pagefold
