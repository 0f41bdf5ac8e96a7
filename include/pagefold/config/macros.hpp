// SPDX-License-Identifier: MIT
#pragma once

// Compiler facts and attributes; the only file that asks which compiler or target this is.

#if !defined(__GNUC__) && !defined(__clang__)
#error "pagefold needs GCC or Clang (or a compiler that speaks their builtins)"
#endif

#define PAGEFOLD_ALWAYS_INLINE inline __attribute__((always_inline))
#define PAGEFOLD_NOINLINE __attribute__((noinline))
#define PAGEFOLD_COLD __attribute__((cold, noinline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PAGEFOLD_LITTLE_ENDIAN 1
#else
#define PAGEFOLD_LITTLE_ENDIAN 0
#endif

#if defined(__SIZEOF_INT128__)
#define PAGEFOLD_HAS_INT128 1
#else
#define PAGEFOLD_HAS_INT128 0
#endif

#if defined(__x86_64__) || defined(__i386__)
#define PAGEFOLD_CPU_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAGEFOLD_CPU_RELAX() __asm__ __volatile__("yield" ::: "memory")
#else
#define PAGEFOLD_CPU_RELAX() __asm__ __volatile__("" ::: "memory")
#endif
