// SPDX-License-Identifier: MIT
#pragma once

// Failed assertions are noted, and the library goes on; seeds are what the test says. Every source of an executable includes this, before anything of
// the library, or none does: inline functions would have two definitions.

#if defined(PAGEFOLD_ASSERT_HOOK)
#error "support/returning_hook.hpp comes before all of the library"
#endif
#define PAGEFOLD_ASSERT_HOOK(expression, file, line) ::pagefold::testing::note_failed_assertion(expression)
#define PAGEFOLD_SEED_HOOK() ::pagefold::testing::seed_of_host

namespace pagefold::testing {

struct failed_assertions {
    unsigned count = 0;
    const char* last = "";
};
inline failed_assertions noted_assertions;
inline unsigned long long seed_of_host = 1;

inline void note_failed_assertion(const char* expression) noexcept {
    ++noted_assertions.count;
    noted_assertions.last = expression;
}

} // namespace pagefold::testing
