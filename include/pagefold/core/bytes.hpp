// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// A pointer and a length (std::span drags hosted headers in): `Byte` is `std::byte` or `const std::byte`.
template <class Byte>
class basic_byte_view {
public:
    constexpr basic_byte_view() noexcept = default;
    constexpr basic_byte_view(Byte* data, std::size_t size) noexcept : data_{data}, size_{size} {}
    /// From any contiguous container of bytes, a writable view among them.
    // clang-format off
    template <class Container>
        requires(!std::same_as<std::remove_cvref_t<Container>, basic_byte_view> && requires(Container& c) {
            { c.data() } -> std::convertible_to<Byte*>;
            { c.size() } -> std::convertible_to<std::size_t>;
        })
    constexpr basic_byte_view(Container&& c) noexcept : data_{c.data()}, size_{c.size()} {}
    // clang-format on

    [[nodiscard]] constexpr Byte* data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr Byte& operator[](std::size_t i) const noexcept {
        PAGEFOLD_CHECK(i < size_);
        return data_[i];
    }
    [[nodiscard]] constexpr basic_byte_view first(std::size_t count) const noexcept {
        PAGEFOLD_CHECK(count <= size_);
        return {data_, count};
    }
    [[nodiscard]] constexpr basic_byte_view subview(std::size_t offset) const noexcept {
        PAGEFOLD_CHECK(offset <= size_);
        return {data_ + offset, size_ - offset};
    }
    [[nodiscard]] constexpr basic_byte_view subview(std::size_t offset, std::size_t count) const noexcept {
        PAGEFOLD_CHECK(offset <= size_ && count <= size_ - offset);
        return {data_ + offset, count};
    }

private:
    Byte* data_ = nullptr;
    std::size_t size_ = 0;
};

using byte_view = basic_byte_view<const std::byte>; ///< bytes to read
using byte_span = basic_byte_view<std::byte>;       ///< bytes to write

// The four functions of the C library that a freestanding host supplies, reached without declaring them.

/// The ranges must not overlap.
PAGEFOLD_ALWAYS_INLINE void copy_bytes(void* to, const void* from, std::size_t count) noexcept {
    __builtin_memcpy(to, from, count);
}
/// An empty view may be null, which the C library's function must not be given.
PAGEFOLD_ALWAYS_INLINE void copy_bytes(void* to, byte_view from) noexcept {
    if (!from.empty()) {
        copy_bytes(to, from.data(), from.size());
    }
}
/// The ranges may overlap.
PAGEFOLD_ALWAYS_INLINE void move_bytes(void* to, const void* from, std::size_t count) noexcept {
    __builtin_memmove(to, from, count);
}
PAGEFOLD_ALWAYS_INLINE void fill_bytes(void* to, unsigned char value, std::size_t count) noexcept {
    __builtin_memset(to, value, count);
}
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool equal_bytes(const void* a, const void* b, std::size_t count) noexcept {
    return __builtin_memcmp(a, b, count) == 0;
}

/// Unaligned load of a trivially copyable value, in the machine's byte order.
template <class T>
requires std::is_trivially_copyable_v<T>
[[nodiscard]] PAGEFOLD_ALWAYS_INLINE T load_native(const std::byte* from) noexcept {
    T value;
    copy_bytes(&value, from, sizeof value);
    return value;
}

/// Unaligned store in the machine's byte order.
template <class T>
requires std::is_trivially_copyable_v<T> PAGEFOLD_ALWAYS_INLINE void store_native(std::byte* to, T value) noexcept {
    copy_bytes(to, &value, sizeof value);
}

} // namespace pagefold
