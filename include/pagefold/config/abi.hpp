// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/version.hpp>

// The name of the inline namespace that all of pagefold lies in, so that code which must not be mixed has different names.
//
// All functions here are inline. Where two units of a program have one each, the linker keeps either, by the order in which
// it sees them. That is wrong where they differ: a function of a unit that was compiled with -mavx2 dies of an illegal
// instruction on an older processor, though that unit is never called there; a unit with PAGEFOLD_NO_VECTORS gets vector
// code from its neighbour, one with assertions loses them; and two libraries in one program may each bring a pagefold of
// another version. So the name says everything that a unit's code depends on: the version, the instructions that the
// compiler may use unasked, and the switches. `pagefold::page_store<C>` stays how it is written, by the inline namespace.
//
// What it costs: a function with a parameter of pagefold's can be called only by units that agree, or the linker says that
// it is undefined. Who declares a class of ours without its header opens the same namespace, after including this one:
// `namespace pagefold::inline PAGEFOLD_ABI { struct page_key; }`; in `pagefold` alone it would be another class.
//
// A host that knows all its units may run on all its processors defines PAGEFOLD_ABI itself, the same in each of them. What
// a process has once (the router of faults, what the processor has) it then has once a name; that works, as routers chain
// each other (hosted/sigbus_links.hpp).
//
// PAGEFOLD_ASSERT_HOOK and PAGEFOLD_SEED_HOOK can't be in the name: they must be the same in all units.
//
// The trick is the one of Linux's IS_ENABLED: a macro that is 1 (or a version, as RISC-V's) makes the name of a macro that is
// there and adds an argument, another name is one argument of no interest.

#ifndef PAGEFOLD_ABI

#define PAGEFOLD_ABI_IS_1 0,
#define PAGEFOLD_ABI_SECOND(first, second, ...) second
#define PAGEFOLD_ABI_CHOOSE(...) PAGEFOLD_ABI_SECOND(__VA_ARGS__)
#define PAGEFOLD_ABI_NAME_OF(value) PAGEFOLD_ABI_IS_##value
/// The piece where the macro is 1, nothing otherwise.
#define PAGEFOLD_ABI_IF(macro, piece) PAGEFOLD_ABI_CHOOSE(PAGEFOLD_ABI_NAME_OF(macro) piece, , )

/// Eight pieces, each expanded before, as one name. A macro is not expanded within itself, so the last join is another.
#define PAGEFOLD_ABI_PASTE(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h
#define PAGEFOLD_ABI_JOIN(...) PAGEFOLD_ABI_PASTE(__VA_ARGS__)
#define PAGEFOLD_ABI_PASTE_ALL(a, b, c, d, e) a##b##c##d##e
#define PAGEFOLD_ABI_JOIN_ALL(...) PAGEFOLD_ABI_PASTE_ALL(__VA_ARGS__)

#if defined(__x86_64__) || defined(__i386__)
#if !defined(__x86_64__)
#define PAGEFOLD_ABI_SSE2 PAGEFOLD_ABI_IF(__SSE2__, _sse2)
#elif defined(__SSE2__)
#define PAGEFOLD_ABI_SSE2 // every one has it
#else
#define PAGEFOLD_ABI_SSE2 _general // kernels: vector registers are the user's
#endif
// Sets that go together have one piece for all: -march=x86-64-v2 is `_nehalem`, v3 is that and `_haswell`, v4 those and `_skx`.
#if defined(__SSE3__) && defined(__SSSE3__) && defined(__SSE4_1__) && defined(__SSE4_2__) && defined(__POPCNT__)
#define PAGEFOLD_ABI_SSE _nehalem
#else
#define PAGEFOLD_ABI_SSE                                                                                               \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__SSE3__, _sse3), PAGEFOLD_ABI_IF(__SSSE3__, _ssse3),                            \
                      PAGEFOLD_ABI_IF(__SSE4_1__, _sse41), PAGEFOLD_ABI_IF(__SSE4_2__, _sse42),                        \
                      PAGEFOLD_ABI_IF(__POPCNT__, _popcnt), , , )
#endif
#if defined(__AVX2__) && defined(__BMI__) && defined(__BMI2__) && defined(__LZCNT__) && defined(__MOVBE__)
#define PAGEFOLD_ABI_AVX _haswell
#else
#define PAGEFOLD_ABI_AVX                                                                                               \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__AVX__, _avx), PAGEFOLD_ABI_IF(__AVX2__, _avx2),                                \
                      PAGEFOLD_ABI_IF(__BMI__, _bmi), PAGEFOLD_ABI_IF(__BMI2__, _bmi2),                                \
                      PAGEFOLD_ABI_IF(__LZCNT__, _lzcnt), PAGEFOLD_ABI_IF(__MOVBE__, _movbe), , )
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512CD__) && defined(__AVX512DQ__) &&                 \
    defined(__AVX512VL__)
#define PAGEFOLD_ABI_AVX512 _skx
#else
#define PAGEFOLD_ABI_AVX512                                                                                            \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__AVX512F__, _avx512f), PAGEFOLD_ABI_IF(__AVX512BW__, _bw),                      \
                      PAGEFOLD_ABI_IF(__AVX512CD__, _cd), PAGEFOLD_ABI_IF(__AVX512DQ__, _dq),                          \
                      PAGEFOLD_ABI_IF(__AVX512VL__, _vl), , , )
#endif
#if defined(__AVX512VBMI__) && defined(__AVX512VBMI2__) && defined(__AVX512IFMA__) && defined(__AVX512VNNI__) &&       \
    defined(__AVX512BITALG__) && defined(__AVX512VPOPCNTDQ__) && defined(__GFNI__)
#define PAGEFOLD_ABI_LATER _icelake
#else
#define PAGEFOLD_ABI_LATER                                                                                             \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__AVX512VBMI__, _vbmi), PAGEFOLD_ABI_IF(__AVX512VBMI2__, _vbmi2),                \
                      PAGEFOLD_ABI_IF(__AVX512IFMA__, _ifma), PAGEFOLD_ABI_IF(__AVX512VNNI__, _vnni),                  \
                      PAGEFOLD_ABI_IF(__AVX512BITALG__, _bitalg), PAGEFOLD_ABI_IF(__AVX512VPOPCNTDQ__, _vpopcnt),      \
                      PAGEFOLD_ABI_IF(__GFNI__, _gfni), )
#endif
#define PAGEFOLD_ABI_LATEST                                                                                            \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__AVXVNNI__, _avxvnni), PAGEFOLD_ABI_IF(__AVXVNNIINT8__, _vnniint8),             \
                      PAGEFOLD_ABI_IF(__AVXVNNIINT16__, _vnniint16), PAGEFOLD_ABI_IF(__AVX512FP16__, _fp16),           \
                      PAGEFOLD_ABI_IF(__CMPCCXADD__, _cmpccxadd), PAGEFOLD_ABI_IF(__AVX10_1__, _avx10),                \
                      PAGEFOLD_ABI_IF(__AVX10_2__, _avx10_2), PAGEFOLD_ABI_IF(__APX_F__, _apx))
// What processors of one maker alone have beside those sets: a Zen is no Haswell for who compiles a shuffle.
#define PAGEFOLD_ABI_MAKER                                                                                             \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__SSE4A__, _sse4a), PAGEFOLD_ABI_IF(__XOP__, _xop),                              \
                      PAGEFOLD_ABI_IF(__TBM__, _tbm), PAGEFOLD_ABI_IF(__AVXIFMA__, _avxifma), , , , )
#define PAGEFOLD_ABI_PROCESSOR                                                                                         \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_SSE2, PAGEFOLD_ABI_SSE, PAGEFOLD_ABI_AVX, PAGEFOLD_ABI_AVX512, PAGEFOLD_ABI_LATER,  \
                      PAGEFOLD_ABI_LATEST, PAGEFOLD_ABI_MAKER, )
#elif defined(__aarch64__)
#define PAGEFOLD_ABI_PROCESSOR                                                                                         \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_ARM, PAGEFOLD_ABI_IF(__ARM_FEATURE_SHA3, _sha3),                                    \
                      PAGEFOLD_ABI_IF(__ARM_FEATURE_MATMUL_INT8, _i8mm), PAGEFOLD_ABI_IF(__ARM_FEATURE_CSSC, _cssc),   \
                      PAGEFOLD_ABI_IF(__ARM_FEATURE_SVE2p1, _sve2p1), , , )
#define PAGEFOLD_ABI_ARM                                                                                               \
    PAGEFOLD_ABI_JOIN(_v, __ARM_ARCH, PAGEFOLD_ABI_IF(__ARM_FEATURE_ATOMICS, _lse),                                    \
                      PAGEFOLD_ABI_IF(__ARM_FEATURE_RCPC, _rcpc), PAGEFOLD_ABI_IF(__ARM_FEATURE_DOTPROD, _dotprod),    \
                      PAGEFOLD_ABI_IF(__ARM_FEATURE_SVE, _sve), PAGEFOLD_ABI_IF(__ARM_FEATURE_SVE2, _sve2),            \
                      PAGEFOLD_ABI_IF(__ARM_FEATURE_MOPS, _mops))
#elif defined(__arm__)
#define PAGEFOLD_ABI_PROCESSOR                                                                                         \
    PAGEFOLD_ABI_JOIN(_v, __ARM_ARCH, PAGEFOLD_ABI_IF(__ARM_NEON, _neon), PAGEFOLD_ABI_IF(__ARM_FEATURE_IDIV, _idiv),  \
                      PAGEFOLD_ABI_IF(__ARM_FEATURE_UNALIGNED, _unaligned), PAGEFOLD_ABI_IF(__thumb__, _thumb), , )
#elif defined(__riscv)
#define PAGEFOLD_ABI_IS_1000000 0, // their version, 1.0
#define PAGEFOLD_ABI_PROCESSOR                                                                                         \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_RISCV, PAGEFOLD_ABI_IF(__riscv_zbkb, _zbkb), PAGEFOLD_ABI_IF(__riscv_zcb, _zcb),    \
                      PAGEFOLD_ABI_IF(__riscv_zvbb, _zvbb), PAGEFOLD_ABI_IF(__riscv_zvkb, _zvkb), , , )
#define PAGEFOLD_ABI_RISCV                                                                                             \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__riscv_compressed, _c), PAGEFOLD_ABI_IF(__riscv_vector, _v),                    \
                      PAGEFOLD_ABI_IF(__riscv_zba, _zba), PAGEFOLD_ABI_IF(__riscv_zbb, _zbb),                          \
                      PAGEFOLD_ABI_IF(__riscv_zbs, _zbs), PAGEFOLD_ABI_IF(__riscv_zicond, _zicond),                    \
                      PAGEFOLD_ABI_IF(__riscv_zabha, _zabha), PAGEFOLD_ABI_IF(__riscv_zacas, _zacas))
#elif defined(__s390x__) && defined(__ARCH__)
#define PAGEFOLD_ABI_PROCESSOR PAGEFOLD_ABI_JOIN(_arch, __ARCH__, PAGEFOLD_ABI_IF(__VX__, _vx), , , , , )
#elif defined(__powerpc__)
#define PAGEFOLD_ABI_PROCESSOR                                                                                         \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(_ARCH_PWR7, _pwr7), PAGEFOLD_ABI_IF(_ARCH_PWR8, _pwr8),                          \
                      PAGEFOLD_ABI_IF(_ARCH_PWR9, _pwr9), PAGEFOLD_ABI_IF(_ARCH_PWR10, _pwr10),                        \
                      PAGEFOLD_ABI_IF(__ALTIVEC__, _altivec), PAGEFOLD_ABI_IF(__VSX__, _vsx), , )
#elif defined(__loongarch__)
#define PAGEFOLD_ABI_PROCESSOR                                                                                         \
    PAGEFOLD_ABI_JOIN(PAGEFOLD_ABI_IF(__loongarch_sx, _lsx), PAGEFOLD_ABI_IF(__loongarch_asx, _lasx), , , , , , )
#else
#define PAGEFOLD_ABI_PROCESSOR
#endif

#if defined(PAGEFOLD_NO_VECTORS)
#define PAGEFOLD_ABI_VECTORS _no_vectors
#else
#define PAGEFOLD_ABI_VECTORS
#endif

#if !defined(PAGEFOLD_ASSERT_LEVEL) || PAGEFOLD_ASSERT_LEVEL == 1
#define PAGEFOLD_ABI_ASSERTS
#elif PAGEFOLD_ASSERT_LEVEL <= 0
#define PAGEFOLD_ABI_ASSERTS _unchecked
#elif PAGEFOLD_ASSERT_LEVEL == 2
#define PAGEFOLD_ABI_ASSERTS _checked
#else
#define PAGEFOLD_ABI_ASSERTS _audited
#endif

#if __STDC_HOSTED__
#define PAGEFOLD_ABI_HOST
#else
#define PAGEFOLD_ABI_HOST _freestanding
#endif

#define PAGEFOLD_ABI_VERSION                                                                                           \
    PAGEFOLD_ABI_JOIN(v, PAGEFOLD_VERSION_MAJOR, _, PAGEFOLD_VERSION_MINOR, _, PAGEFOLD_VERSION_PATCH, , )
#define PAGEFOLD_ABI                                                                                                   \
    PAGEFOLD_ABI_JOIN_ALL(PAGEFOLD_ABI_VERSION, PAGEFOLD_ABI_PROCESSOR, PAGEFOLD_ABI_VECTORS, PAGEFOLD_ABI_ASSERTS,    \
                          PAGEFOLD_ABI_HOST)

#endif
