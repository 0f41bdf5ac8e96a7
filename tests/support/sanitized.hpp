// SPDX-License-Identifier: MIT
#pragma once

#include "tsan_ordered.hpp"

namespace pagefold::testing {

/// Whether a sanitizer watches this program: it has terabytes of addresses, and makes system calls of its own.
#if defined(__SANITIZE_ADDRESS__) || PAGEFOLD_TEST_TSAN
inline constexpr bool is_sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif
#else
inline constexpr bool is_sanitized = false;
#endif

/// ThreadSanitizer ends a child that starts threads when its parent had some.
inline constexpr bool may_start_threads_in_child = !PAGEFOLD_TEST_TSAN;

} // namespace pagefold::testing
