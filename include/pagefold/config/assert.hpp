// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>

// Assertions of three costs. They report a bug of the caller or of the library, never an expected outcome (those are
// `status` values). A failed one calls PAGEFOLD_ASSERT_HOOK(expression, file, line), which the host may define before
// the first include (the same in every translation unit); it traps by default. If the hook returns, execution goes on.
// The host's other hook is PAGEFOLD_SEED_HOOK(), a random number: platform/host_seed.hpp.
//
//   PAGEFOLD_CHECK   a compare of values at hand; on unless PAGEFOLD_ASSERT_LEVEL is 0
//   PAGEFOLD_ASSERT  may touch another cache line; on from level 2 (checked builds)
//   PAGEFOLD_AUDIT   may walk a structure; on at level 3 (tests)

#ifndef PAGEFOLD_ASSERT_LEVEL
#define PAGEFOLD_ASSERT_LEVEL 1
#endif
// The preprocessor takes a name for 0: ON would turn all of them off.
static_assert(PAGEFOLD_ASSERT_LEVEL >= 0, "PAGEFOLD_ASSERT_LEVEL is a number, 0 to 3");

#ifndef PAGEFOLD_ASSERT_HOOK
#define PAGEFOLD_ASSERT_HOOK(expression, file, line) __builtin_trap()
#endif

#define PAGEFOLD_ASSERT_ON(...)                                                                                        \
    do {                                                                                                               \
        if (!(__VA_ARGS__)) [[unlikely]] {                                                                             \
            PAGEFOLD_ASSERT_HOOK(#__VA_ARGS__, __FILE__, __LINE__);                                                    \
        }                                                                                                              \
    } while (false)
#define PAGEFOLD_ASSERT_OFF(...) static_cast<void>(sizeof(!(__VA_ARGS__)))

#if PAGEFOLD_ASSERT_LEVEL >= 1
#define PAGEFOLD_CHECK(...) PAGEFOLD_ASSERT_ON(__VA_ARGS__)
#else
#define PAGEFOLD_CHECK(...) PAGEFOLD_ASSERT_OFF(__VA_ARGS__)
#endif

#if PAGEFOLD_ASSERT_LEVEL >= 2
#define PAGEFOLD_ASSERT(...) PAGEFOLD_ASSERT_ON(__VA_ARGS__)
#else
#define PAGEFOLD_ASSERT(...) PAGEFOLD_ASSERT_OFF(__VA_ARGS__)
#endif

#if PAGEFOLD_ASSERT_LEVEL >= 3
#define PAGEFOLD_AUDIT(...) PAGEFOLD_ASSERT_ON(__VA_ARGS__)
#else
#define PAGEFOLD_AUDIT(...) PAGEFOLD_ASSERT_OFF(__VA_ARGS__)
#endif
