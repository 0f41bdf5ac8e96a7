// SPDX-License-Identifier: MIT
#pragma once

// How a fuzz target says that something is wrong: a line on the standard error and abort(). A failed assertion of the
// library does the same, unless the target misuses it on purpose at that moment. Comes before all of the library.

#if defined(PAGEFOLD_ASSERT_HOOK)
#error "fuzz/support/require.hpp comes before all of the library"
#endif
#define PAGEFOLD_ASSERT_HOOK(expression, file, line) ::pagefold::fuzz::failed_assertion(expression, file, line)
#define PAGEFOLD_FUZZ_REQUIRE(...)                                                                                     \
    ((__VA_ARGS__) ? static_cast<void>(0) : ::pagefold::fuzz::fail(#__VA_ARGS__, __FILE__, __LINE__))

#include <cstdio>
#include <cstdlib>

namespace pagefold::fuzz {

[[noreturn]] inline void fail(const char* what, const char* file, int line) noexcept {
    std::fprintf(stderr, "%s:%d: wrong: %s\n", file, line, what);
    std::abort();
}

/// While one lives, assertions may fail: the library must go on as it documents.
class misuse {
public:
    misuse() noexcept { ++under_way; }
    ~misuse() { --under_way; }
    misuse(const misuse&) = delete;
    misuse& operator=(const misuse&) = delete;

    static inline unsigned under_way = 0;
};

inline void failed_assertion(const char* what, const char* file, int line) noexcept {
    if (misuse::under_way == 0) {
        fail(what, file, line);
    }
}

} // namespace pagefold::fuzz
