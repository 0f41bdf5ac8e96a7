// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// The C++ memory orders, under our own names because `<atomic>` is not a freestanding header in every compiler.
enum class memory_order : int {
    relaxed = __ATOMIC_RELAXED,
    acquire = __ATOMIC_ACQUIRE,
    release = __ATOMIC_RELEASE,
    acq_rel = __ATOMIC_ACQ_REL,
    seq_cst = __ATOMIC_SEQ_CST,
};

/// A lock-free atomic over the compiler's `__atomic_*` builtins. The order is always named: there is no default.
template <class T>
requires(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*)) class atomic {
public:
    constexpr atomic() noexcept = default;
    constexpr explicit atomic(T value) noexcept : value_{value} {}
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;

    [[nodiscard]] T load(memory_order order) const noexcept {
        T out;
        __atomic_load(&value_, &out, static_cast<int>(order));
        return out;
    }
    void store(T value, memory_order order) noexcept { __atomic_store(&value_, &value, static_cast<int>(order)); }
    [[nodiscard]] T exchange(T value, memory_order order) noexcept {
        T out;
        __atomic_exchange(&value_, &value, &out, static_cast<int>(order));
        return out;
    }
    T fetch_add(T delta, memory_order order) noexcept requires std::is_integral_v<T> {
        return __atomic_fetch_add(&value_, delta, static_cast<int>(order));
    }
    T fetch_sub(T delta, memory_order order) noexcept requires std::is_integral_v<T> {
        return __atomic_fetch_sub(&value_, delta, static_cast<int>(order));
    }
    T fetch_or(T bits, memory_order order) noexcept requires std::is_integral_v<T> {
        return __atomic_fetch_or(&value_, bits, static_cast<int>(order));
    }
    T fetch_and(T bits, memory_order order) noexcept requires std::is_integral_v<T> {
        return __atomic_fetch_and(&value_, bits, static_cast<int>(order));
    }
    /// On failure `expected` receives the value found, loaded relaxed.
    [[nodiscard]] bool compare_exchange(T& expected, T desired, memory_order success) noexcept {
        return __atomic_compare_exchange(&value_, &expected, &desired, false, static_cast<int>(success),
                                         __ATOMIC_RELAXED);
    }

private:
    T value_{};
};

} // namespace pagefold
