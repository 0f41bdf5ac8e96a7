// SPDX-License-Identifier: MIT
#pragma once

// Which vector instructions may be used here. The one place that asks the processor: checksum and page codec ask this.
//
// Two can forbid them, and config/macros.hpp hears both: the compiler's target, and the host by PAGEFOLD_NO_VECTORS. Where
// it says that there is no vector code, no feature is reported, whatever the processor has.

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Instructions beyond a target's plain ones, as far as code here uses them.
enum class cpu_feature : std::uint8_t {
    sse42,  ///< SSE4.2 and POPCNT
    avx2,   ///< AVX2
    bmi,    ///< BMI1 and BMI2
    avx512, ///< AVX-512 F, BW, VL, VBMI and VBMI2 (Ice Lake, Zen 4)
    neon,   ///< AArch64's
};

/// A set of features.
class cpu_features {
public:
    constexpr cpu_features() noexcept = default;
    constexpr void insert(cpu_feature feature) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(feature)); }
    [[nodiscard]] constexpr bool contains(cpu_feature feature) const noexcept { return (bits_ & bit(feature)) != 0; }

    // As an integer below 128, to be kept in an atomic.
    [[nodiscard]] constexpr std::uint8_t bits() const noexcept { return bits_; }
    [[nodiscard]] static constexpr cpu_features from_bits(std::uint8_t bits) noexcept {
        cpu_features set;
        set.bits_ = bits;
        return set;
    }

private:
    static constexpr std::uint8_t bit(cpu_feature feature) noexcept {
        return static_cast<std::uint8_t>(1u << static_cast<unsigned>(feature));
    }
    std::uint8_t bits_ = 0;
};

/// What the compiler's own target has: all that freestanding code may take unasked.
[[nodiscard]] constexpr cpu_features compiled_features() noexcept {
    cpu_features set;
#if PAGEFOLD_HAS_SSE2
#if defined(__SSE4_2__) && defined(__POPCNT__)
    set.insert(cpu_feature::sse42);
#endif
#if defined(__AVX2__)
    set.insert(cpu_feature::avx2);
#endif
#if defined(__BMI__) && defined(__BMI2__)
    set.insert(cpu_feature::bmi);
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VBMI__) &&               \
    defined(__AVX512VBMI2__)
    set.insert(cpu_feature::avx512);
#endif
#elif PAGEFOLD_HAS_NEON
    set.insert(cpu_feature::neon);
#endif
    return set;
}

namespace cpu_detail {

#if PAGEFOLD_HAS_SSE2

struct cpuid_leaf {
    std::uint32_t eax, ebx, ecx, edx;
};
[[nodiscard]] inline cpuid_leaf cpuid(std::uint32_t leaf) noexcept {
    cpuid_leaf found{leaf, 0, 0, 0};
    __asm__ __volatile__("cpuid" : "+a"(found.eax), "=b"(found.ebx), "+c"(found.ecx), "=d"(found.edx));
    return found;
}
/// The register states that the operating system saves.
[[nodiscard]] inline std::uint32_t saved_states() noexcept {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/// Asks the processor; a trap into the hypervisor on virtual machines, so not for every page.
[[nodiscard]] inline cpu_features ask_processor() noexcept {
    constexpr std::uint32_t sse42_popcnt = 1u << 20 | 1u << 23;              // leaf 1, ecx
    constexpr std::uint32_t saves_states = 1u << 27;                         // leaf 1, ecx
    constexpr std::uint32_t avx2 = 1u << 5;                                  // leaf 7, ebx
    constexpr std::uint32_t bmi1_bmi2 = 1u << 3 | 1u << 8;                   // leaf 7, ebx
    constexpr std::uint32_t avx512_f_bw_vl = 1u << 16 | 1u << 30 | 1u << 31; // leaf 7, ebx
    constexpr std::uint32_t vbmi_vbmi2 = 1u << 1 | 1u << 6;                  // leaf 7, ecx
    constexpr std::uint32_t ymm = 0x6;
    constexpr std::uint32_t zmm = 0xe6;
    const auto has = [](std::uint32_t bits, std::uint32_t wanted) { return (bits & wanted) == wanted; };

    cpu_features set = compiled_features();
    const cpuid_leaf basic = cpuid(1);
    if (has(basic.ecx, sse42_popcnt)) {
        set.insert(cpu_feature::sse42);
    }
    if (!has(basic.ecx, saves_states) || cpuid(0).eax < 7 || !has(saved_states(), ymm)) {
        return set;
    }
    const cpuid_leaf extended = cpuid(7);
    if (has(extended.ebx, avx2)) {
        set.insert(cpu_feature::avx2);
    }
    if (has(extended.ebx, bmi1_bmi2)) {
        set.insert(cpu_feature::bmi);
    }
    if (has(extended.ebx, avx512_f_bw_vl) && has(extended.ecx, vbmi_vbmi2) && has(saved_states(), zmm)) {
        set.insert(cpu_feature::avx512);
    }
    return set;
}

#else

[[nodiscard]] inline cpu_features ask_processor() noexcept { return compiled_features(); }

#endif

inline constexpr std::uint8_t is_asked = 0x80;

/// What ask_processor said and is_asked, or 0 while nobody asked. Whoever stores it stores the same, and it guards
/// nothing: relaxed.
inline constinit atomic<std::uint8_t> asked{0};

PAGEFOLD_COLD inline std::uint8_t ask_and_remember() noexcept {
    const auto bits = static_cast<std::uint8_t>(ask_processor().bits() | is_asked);
    asked.store(bits, memory_order::relaxed);
    return bits;
}

} // namespace cpu_detail

/// The features that the processor has and the operating system saves the registers of, as far as this build has code for
/// them. The first call asks the processor; any other is a load and a branch. Any thread may call it.
[[nodiscard]] inline cpu_features available_features() noexcept {
    std::uint8_t bits = cpu_detail::asked.load(memory_order::relaxed);
    if (bits == 0) [[unlikely]] {
        bits = cpu_detail::ask_and_remember();
    }
    return cpu_features::from_bits(static_cast<std::uint8_t>(bits & ~unsigned{cpu_detail::is_asked}));
}

/// The features that code takes unless told: all that are available. In a freestanding build those of the compiler's
/// target, since only the host knows when vector registers may be touched.
[[nodiscard]] inline cpu_features default_features() noexcept {
#if __STDC_HOSTED__
    return available_features();
#else
    return compiled_features();
#endif
}

} // namespace pagefold
