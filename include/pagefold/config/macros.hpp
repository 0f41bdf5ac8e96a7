// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

// Compiler facts and attributes; the only file, with abi.hpp, that asks which compiler or target this is.

#if !defined(__GNUC__) && !defined(__clang__)
#error "pagefold needs GCC or Clang (or a compiler that speaks their builtins)"
#elif __cplusplus < 202002L
#error "pagefold needs C++20 (-std=c++20)"
#elif defined(__clang__) ? __clang_major__ < 14 : __GNUC__ < 11
#error "pagefold needs GCC 11 or Clang 14, or later ones"
#endif

// Attributes in the spelling that no host's macro changes: kernels define noinline, cold and others.
#define PAGEFOLD_ALWAYS_INLINE inline __attribute__((__always_inline__))
#define PAGEFOLD_NOINLINE __attribute__((__noinline__))
#define PAGEFOLD_COLD __attribute__((__cold__, __noinline__))

// What was written to memory by now stays written, though nothing here reads it and the memory is given away next.
#define PAGEFOLD_KEEP_STORES() __asm__ __volatile__("" ::: "memory")

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

// Vector code needs the compiler's leave (-mgeneral-regs-only takes it) and the host's: PAGEFOLD_NO_VECTORS forbids it. What
// the processor has is asked in core/cpu.hpp.
#if (defined(__x86_64__) || defined(__i386__)) && defined(__SSE2__) && !defined(PAGEFOLD_NO_VECTORS)
#define PAGEFOLD_HAS_SSE2 1
#else
#define PAGEFOLD_HAS_SSE2 0
#endif
// GCC's <immintrin.h> wants a C library's <stdlib.h>, which a freestanding build may lack.
#if PAGEFOLD_HAS_SSE2 && defined(__x86_64__)
#if __STDC_HOSTED__ || defined(__clang__) || __has_include(<stdlib.h>)
#define PAGEFOLD_HAS_X86_VECTORS 1
#endif
#endif
#ifndef PAGEFOLD_HAS_X86_VECTORS
#define PAGEFOLD_HAS_X86_VECTORS 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON) && PAGEFOLD_LITTLE_ENDIAN && !defined(PAGEFOLD_NO_VECTORS)
#define PAGEFOLD_HAS_NEON 1
#else
#define PAGEFOLD_HAS_NEON 0
#endif

// Has a word (an lvalue) in a general register where vectors are forbidden: a compiler that was not forbidden them makes
// vectors of plain loops by itself.
#if defined(PAGEFOLD_NO_VECTORS)
#define PAGEFOLD_KEEP_SCALAR(word) __asm__ __volatile__("" : "+r"(word))
#else
#define PAGEFOLD_KEEP_SCALAR(word) static_cast<void>(word)
#endif

// In front of a function: it may use instructions that the rest of the program may not. V16 is for code in vectors of 16
// bytes, whatever they are here. A function can be inlined into one of a higher set, never the other way round.
#if PAGEFOLD_HAS_X86_VECTORS
#define PAGEFOLD_TARGET_V16 __attribute__((__target__("sse4.2,popcnt")))
#define PAGEFOLD_TARGET_AVX2 __attribute__((__target__("avx2,bmi,bmi2,sse4.2,popcnt")))
#define PAGEFOLD_TARGET_AVX512                                                                                         \
    __attribute__((__target__("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,sse4.2,popcnt")))
#define PAGEFOLD_AVX2 PAGEFOLD_TARGET_AVX2 PAGEFOLD_ALWAYS_INLINE
#define PAGEFOLD_AVX512 PAGEFOLD_TARGET_AVX512 PAGEFOLD_ALWAYS_INLINE
#else
#define PAGEFOLD_TARGET_V16
#endif
#define PAGEFOLD_V16 PAGEFOLD_TARGET_V16 PAGEFOLD_ALWAYS_INLINE

#if defined(__x86_64__) || defined(__i386__)
#define PAGEFOLD_CPU_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAGEFOLD_CPU_RELAX() __asm__ __volatile__("yield" ::: "memory")
#else
#define PAGEFOLD_CPU_RELAX() __asm__ __volatile__("" ::: "memory")
#endif
