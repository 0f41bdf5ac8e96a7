// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/status.hpp>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// A value, or the status that says why there is none. `T` is trivially copyable, so a result travels in registers.
template <class T>
requires std::is_trivially_copyable_v<T>
class [[nodiscard]] result {
public:
    constexpr result(T value) noexcept : value_{value}, error_{status::ok} {}
    /// `error` must not be `ok`.
    constexpr result(status error) noexcept : value_{}, error_{error} { PAGEFOLD_CHECK(error != status::ok); }

    [[nodiscard]] constexpr bool has_value() const noexcept { return error_ == status::ok; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }
    /// `ok` where there is a value.
    constexpr status error() const noexcept { return error_; }

    [[nodiscard]] constexpr T value() const noexcept {
        PAGEFOLD_CHECK(has_value());
        return value_;
    }
    [[nodiscard]] constexpr T operator*() const noexcept { return value(); }
    [[nodiscard]] constexpr T value_or(T other) const noexcept { return has_value() ? value_ : other; }

private:
    T value_;
    status error_;
};

} // namespace pagefold
