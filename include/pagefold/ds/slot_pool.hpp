// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/number_sets.hpp>
#include <pagefold/ds/page_directory.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

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
/// Elements never move. Numbers are given lowest chunk first among the chunks at hand, so that a pool that shrank empties
/// its tail; a chunk without a live element goes back to the source at once, wherever it is, and tables that only absent
/// chunks at the end needed go with the last of them. Where elements stay spread over chunks that fewer could hold,
/// is_sparse says so, and the owner moves the last ones down:
///
///     while (pool.is_sparse()) {
///         const std::uint32_t from = pool.last_live();
///         const result<std::uint32_t> to = pool.insert_lower();
///         if (!to) { break; }
///         pool[*to] = pool[from]; // and what refers to `from` by number
///         pool.erase(from);
///     }
///
/// Access by number is two or three loads. insert and erase look at a few words, and at one for each 4096 chunks; an
/// erase of the last element of the last chunk looks at one more for each 64 absent chunks before it, which are forgotten
/// then. `Meter`: void, or a type whose `step` is called for each of these words. Not thread-safe.
template <slot_pool_element T, class Source, class Meter = void>
class slot_pool {
public:
    slot_pool(Source& source, node_id node) noexcept
        : source_{source}, chunks_{source, node}, sets_{source, node}, node_{node}, shift_{chunk_shift(
                                                                                        source.page_size())} {}
    ~slot_pool() {
        for (std::uint32_t c = 0; c < chunk_bound_; ++c) {
            if (chunks_[c].elements != nullptr) {
                source_.release(chunks_[c].elements, chunk_page_count());
            }
        }
    }
    slot_pool(const slot_pool&) = delete;
    slot_pool& operator=(const slot_pool&) = delete;

    /// A number for a new element of all-zero bytes, which the caller makes live before the next call: in the lowest chunk
    /// at hand that has a free element, and in a new chunk only where there is none. Fails with what the source answered;
    /// the pool is then unchanged.
    result<std::uint32_t> insert() noexcept {
        const std::uint32_t number = sets_.lowest(open);
        return number != sets::none ? take(number) : insert_into_new(sets_.lowest(absent));
    }
    /// insert, but in the lowest chunk that is not full, at hand or not: the number is below size() + chunk_elements().
    result<std::uint32_t> insert_lowest() noexcept {
        const std::uint32_t number = sets_.lowest(open), missing = sets_.lowest(absent);
        return number < missing ? take(number) : insert_into_new(missing);
    }
    /// insert for an element that moves down, while is_sparse(): the number is in a chunk before that of last_live(). Takes
    /// a new chunk only where those at hand hold no two chunks of free elements; it replaces the last one then.
    result<std::uint32_t> insert_lower() noexcept {
        PAGEFOLD_ASSERT(is_sparse());
        return has_two_free_chunks() ? insert() : insert_lowest();
    }

    /// `id` must be live.
    void erase(std::uint32_t id) noexcept {
        const std::uint32_t number = id >> shift_;
        chunk& c = chunks_[number];
        PAGEFOLD_ASSERT(c.elements != nullptr && c.used > 0);
        --size_;
        if (--c.used == 0) {
            free_count_ -= chunk_elements() - 1;
            drop_chunk(number);
            return;
        }
        if (c.free_head == 0) {
            sets_.insert(open, number);
        }
        T& element = c.elements[id & low_bits(shift_)];
        fill_bytes(static_cast<void*>(&element), 0, sizeof(T));
        element.free_link() = c.free_head;
        c.free_head = static_cast<std::uint16_t>((id & low_bits(shift_)) + 1);
        ++free_count_;
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
            if constexpr (64 % sizeof(T) != 0) { // it may end in the next line
                __builtin_prefetch(bytes + sizeof(T) - 1, 1);
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

    /// The greatest live number, or bound() where there is none. Looks at the elements of the last chunk, from its end.
    [[nodiscard]] std::uint32_t last_live() const noexcept {
        if (chunk_bound_ == 0) {
            return bound();
        }
        const chunk& last = chunks_[chunk_bound_ - 1];
        std::uint32_t at = chunk_elements() - 1;
        while (at != 0 && !last.elements[at].live()) {
            --at;
        }
        return ((chunk_bound_ - 1) << shift_) + at;
    }
    /// Whether moving the last elements down gives memory back: the free elements would make two chunks, or the numbers of
    /// the chunks are far above their count, which costs tables.
    [[nodiscard]] bool is_sparse() const noexcept {
        return has_two_free_chunks() || chunk_bound_ > chunk_count_ + chunk_count_ / 4 + tolerated_gap;
    }

    /// Live elements.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    /// Free elements in the chunks at hand.
    [[nodiscard]] std::uint32_t free_count() const noexcept { return free_count_; }
    /// Elements that a chunk has room for.
    [[nodiscard]] std::uint32_t chunk_elements() const noexcept { return std::uint32_t{1} << shift_; }
    /// Every live number is below it; it falls as the last chunks go.
    [[nodiscard]] std::uint32_t bound() const noexcept { return chunk_bound_ << shift_; }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return chunks_.bytes() + sets_.bytes() + chunk_count_ * chunk_page_count() * source_.page_size();
    }

    /// Walks all elements and free lists; false when they disagree with the counts.
    [[nodiscard]] bool check() const noexcept {
        std::uint32_t live = 0, free = 0, present = 0;
        for (std::uint32_t number = 0; number < chunk_bound_; ++number) {
            const chunk& c = chunks_[number];
            if (sets_.contains(absent, number) != (c.elements == nullptr) ||
                sets_.contains(open, number) != (c.elements != nullptr && c.free_head != 0)) {
                return false;
            }
            if (c.elements == nullptr) {
                continue;
            }
            ++present;
            std::uint32_t here = 0, listed = 0;
            for (std::uint32_t i = 0; i < chunk_elements(); ++i) {
                here += c.elements[i].live() ? 1u : 0u;
            }
            for (std::uint32_t at = c.free_head; at != 0; at = c.elements[at - 1].free_link()) {
                if (at > chunk_elements() || c.elements[at - 1].live() || ++listed > chunk_elements()) {
                    return false;
                }
            }
            if (here != c.used || here + listed != chunk_elements()) {
                return false;
            }
            live += here;
            free += listed;
        }
        return live == size_ && free == free_count_ && present == chunk_count_ && sets_.check() &&
               (chunk_bound_ == 0 || chunks_[chunk_bound_ - 1].elements != nullptr);
    }

private:
    using sets = number_sets<2, Source, Meter>;
    static constexpr unsigned open = 0;   // the set of the chunks that have a free element
    static constexpr unsigned absent = 1; // the set of the chunks below the bound that are not here

    /// Numbers of chunks above their count and a quarter, at which is_sparse speaks: tables begin to need pages there.
    static constexpr std::uint32_t tolerated_gap = 8;
    /// Tables stay for so many chunks past the bound: those that come and go at the edge of a table don't take it along.
    static constexpr std::uint32_t kept_chunks = 4;

    struct chunk {
        T* elements;
        std::uint16_t used;
        std::uint16_t free_head; // number in the chunk plus one; 0 ends the list
    };
    static_assert(is_power_of_two(sizeof(chunk)), "a table of chunks has no rest");

    /// Few pages, and little of them left over.
    [[nodiscard]] static constexpr unsigned chunk_shift(std::size_t page_size) noexcept {
        unsigned shift = 6;
        while (shift < 15 && ((sizeof(T) << (shift + 1)) <= page_size ||
                              round_up(sizeof(T) << shift, page_size) - (sizeof(T) << shift) > page_size / 8)) {
            ++shift;
        }
        return shift;
    }
    [[nodiscard]] std::size_t chunk_page_count() const noexcept {
        return ceil_div(sizeof(T) << shift_, source_.page_size());
    }

    [[nodiscard]] bool has_two_free_chunks() const noexcept { return free_count_ >= 2 * chunk_elements(); }

    /// A free element of the chunk, which has one.
    std::uint32_t take(std::uint32_t number) noexcept {
        chunk& c = chunks_[number];
        const std::uint32_t at = c.free_head - 1u;
        T& element = c.elements[at];
        c.free_head = static_cast<std::uint16_t>(element.free_link());
        if (c.free_head == 0) {
            sets_.erase(open, number);
        }
        ++c.used;
        --free_count_;
        ++size_;
        fill_bytes(static_cast<void*>(&element), 0, sizeof(T));
        return (number << shift_) + at;
    }
    /// An element of an absent chunk, or of one past the last where none is absent.
    result<std::uint32_t> insert_into_new(std::uint32_t missing) noexcept {
        const std::uint32_t number = missing != sets::none ? missing : chunk_bound_;
        if (const status s = add_chunk(number); s != status::ok) {
            trim_tables();
            return s;
        }
        return take(number);
    }
    status add_chunk(std::uint32_t number) noexcept {
        if (number >= (std::uint64_t{1} << (32 - shift_)) - 1) {
            return status::limit;
        }
        if (const status s = chunks_.reserve(number); s != status::ok) {
            return s;
        }
        if (const status s = sets_.reserve(number + 1); s != status::ok) {
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
        chunks_[number] = chunk{elements, 0, 1};
        if (number < chunk_bound_) {
            sets_.erase(absent, number);
        } else {
            chunk_bound_ = number + 1;
        }
        sets_.insert(open, number);
        ++chunk_count_;
        free_count_ += chunk_elements();
        return status::ok;
    }
    /// Gives a chunk without live elements back.
    void drop_chunk(std::uint32_t number) noexcept {
        chunk& c = chunks_[number];
        source_.release(c.elements, chunk_page_count());
        c = chunk{};
        --chunk_count_;
        sets_.erase(open, number);
        if (number + 1 != chunk_bound_) {
            sets_.insert(absent, number);
            return;
        }
        chunk_bound_ = sets_.erase_run_below(absent, number);
        trim_tables();
    }
    void trim_tables() noexcept {
        chunks_.trim(chunk_bound_ + kept_chunks);
        sets_.trim(chunk_bound_, chunk_bound_ + kept_chunks);
    }

    Source& source_;
    page_directory<chunk, Source> chunks_;
    sets sets_;
    node_id node_;
    unsigned shift_;                // log2 of the elements in a chunk
    std::uint32_t chunk_bound_ = 0; // the last chunk below it is here
    std::uint32_t chunk_count_ = 0;
    std::uint32_t free_count_ = 0;
    std::uint32_t size_ = 0;
};

} // namespace pagefold
