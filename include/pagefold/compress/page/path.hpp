// SPDX-License-Identifier: MIT
#pragma once

// Which instruction sets the page codec can use here.

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>

#include <cstdint>
#include <initializer_list>

namespace pagefold {

/// An instruction set that the page codec has code for; all of them give the same streams and the same answers.
enum class page_path : std::uint8_t {
    scalar, ///< 64-bit words; everywhere
    sse42,  ///< SSE4.2 and POPCNT
    avx2,   ///< AVX2, BMI1 and BMI2
    avx512, ///< AVX-512 F, BW, VL, VBMI and VBMI2 (Ice Lake, Zen 4)
    neon,   ///< AArch64's
};
inline constexpr unsigned page_paths = 5;

[[nodiscard]] constexpr const char* to_string(page_path path) noexcept {
    switch (path) {
    case page_path::scalar: return "scalar";
    case page_path::sse42: return "sse42";
    case page_path::avx2: return "avx2";
    case page_path::avx512: return "avx512";
    case page_path::neon: return "neon";
    }
    return "unknown";
}

/// A set of paths.
class page_path_set {
public:
    constexpr page_path_set() noexcept = default;
    constexpr void insert(page_path path) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(path)); }
    [[nodiscard]] constexpr bool contains(page_path path) const noexcept { return (bits_ & bit(path)) != 0; }
    /// The fastest one; scalar if there is no other.
    [[nodiscard]] constexpr page_path best() const noexcept {
        for (const page_path path : {page_path::avx512, page_path::avx2, page_path::sse42, page_path::neon}) {
            if (contains(path)) {
                return path;
            }
        }
        return page_path::scalar;
    }

    // As an integer, to be kept in an atomic.
    [[nodiscard]] constexpr std::uint8_t bits() const noexcept { return bits_; }
    [[nodiscard]] static constexpr page_path_set from_bits(std::uint8_t bits) noexcept {
        page_path_set set;
        set.bits_ = bits;
        return set;
    }

private:
    static constexpr std::uint8_t bit(page_path path) noexcept {
        return static_cast<std::uint8_t>(1u << static_cast<unsigned>(path));
    }
    std::uint8_t bits_ = 0;
};

namespace page_coding {

/// What the compiler's own target has: the only paths that freestanding code may take unasked.
[[nodiscard]] constexpr page_path_set compiled_paths() noexcept {
    page_path_set set;
    set.insert(page_path::scalar);
#if PAGEFOLD_HAS_X86_VECTORS
#if defined(__SSE4_2__) && defined(__POPCNT__)
    set.insert(page_path::sse42);
#endif
#if defined(__AVX2__) && defined(__BMI__) && defined(__BMI2__)
    set.insert(page_path::avx2);
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VBMI__) &&               \
    defined(__AVX512VBMI2__) && defined(__BMI2__)
    set.insert(page_path::avx512);
#endif
#elif PAGEFOLD_HAS_NEON
    set.insert(page_path::neon);
#endif
    return set;
}

#if PAGEFOLD_HAS_X86_VECTORS

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
[[nodiscard]] inline page_path_set ask_processor() noexcept {
    constexpr std::uint32_t sse42_popcnt = 1u << 20 | 1u << 23;              // leaf 1, ecx
    constexpr std::uint32_t saves_states = 1u << 27;                         // leaf 1, ecx
    constexpr std::uint32_t bmi_avx2 = 1u << 3 | 1u << 5 | 1u << 8;          // leaf 7, ebx
    constexpr std::uint32_t avx512_f_bw_vl = 1u << 16 | 1u << 30 | 1u << 31; // leaf 7, ebx
    constexpr std::uint32_t vbmi_vbmi2 = 1u << 1 | 1u << 6;                  // leaf 7, ecx
    constexpr std::uint32_t ymm = 0x6;
    constexpr std::uint32_t zmm = 0xe6;
    const auto has = [](std::uint32_t bits, std::uint32_t wanted) { return (bits & wanted) == wanted; };

    page_path_set set = compiled_paths();
    const cpuid_leaf basic = cpuid(1);
    if (!has(basic.ecx, sse42_popcnt)) {
        return set;
    }
    set.insert(page_path::sse42);
    if (!has(basic.ecx, saves_states) || cpuid(0).eax < 7 || !has(saved_states(), ymm)) {
        return set;
    }
    const cpuid_leaf extended = cpuid(7);
    if (has(extended.ebx, bmi_avx2)) {
        set.insert(page_path::avx2);
        if (has(extended.ebx, avx512_f_bw_vl) && has(extended.ecx, vbmi_vbmi2) && has(saved_states(), zmm)) {
            set.insert(page_path::avx512);
        }
    }
    return set;
}

#else

[[nodiscard]] inline page_path_set ask_processor() noexcept { return compiled_paths(); }

#endif

/// What ask_processor said, or 0 while nobody asked. Whoever stores it stores the same, and it guards nothing: relaxed.
inline constinit atomic<std::uint8_t> asked_paths{0};

} // namespace page_coding

/// The paths that can run here: those that this build has code for, and the processor and operating system allow. The
/// first call asks the processor, the others remember.
[[nodiscard]] inline page_path_set available_page_paths() noexcept {
    std::uint8_t bits = page_coding::asked_paths.load(memory_order::relaxed);
    if (bits == 0) {
        bits = page_coding::ask_processor().bits();
        page_coding::asked_paths.store(bits, memory_order::relaxed);
    }
    return page_path_set::from_bits(bits);
}

/// The path that a codec takes unless told: the best that can run here. In a freestanding build the best of the
/// compiler's target, since only the host knows when vector registers may be touched.
[[nodiscard]] inline page_path default_page_path() noexcept {
#if __STDC_HOSTED__
    return available_page_paths().best();
#else
    return page_coding::compiled_paths().best();
#endif
}

} // namespace pagefold
