// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// An array whose length is known once and stays, in whole pages of a source. Its elements don't move. Not thread-safe.
template <class T, class Source>
class fixed_array {
public:
    /// Takes no memory. The source outlives the array.
    explicit fixed_array(Source& source) noexcept : source_{source} {}
    ~fixed_array() {
        for (std::size_t i = 0; i < size_; ++i) {
            data_[i].~T();
        }
        if (data_ != nullptr) {
            source_.release(data_, pages(size_));
        }
    }
    fixed_array(const fixed_array&) = delete;
    fixed_array& operator=(const fixed_array&) = delete;

    /// Makes `count` elements, each by `construct(place, number)`, which constructs it there; once. Fails with what the source
    /// answered.
    template <class Construct>
    status create(std::size_t count, Construct construct) noexcept {
        PAGEFOLD_ASSERT(data_ == nullptr && count != 0);
        const result<void*> memory = source_.acquire(pages(count), any_node);
        if (!memory) {
            return memory.error();
        }
        for (std::size_t i = 0; i < count; ++i) {
            construct(static_cast<void*>(static_cast<T*>(*memory) + i), i);
        }
        data_ = static_cast<T*>(*memory);
        size_ = count;
        return status::ok;
    }

    [[nodiscard]] T* data() const noexcept { return data_; }
    /// 0 before it is created.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T& operator[](std::size_t i) const noexcept {
        PAGEFOLD_ASSERT(i < size_);
        return data_[i];
    }
    /// Taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return pages(size_) * source_.page_size(); }

private:
    [[nodiscard]] std::size_t pages(std::size_t count) const noexcept {
        return ceil_div(count * sizeof(T), source_.page_size());
    }

    Source& source_;
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace pagefold
