// SPDX-License-Identifier: MIT
#pragma once

// Which instruction sets the page codec can use here.

#include <pagefold/config/macros.hpp>
#include <pagefold/core/cpu.hpp>

#include <cstdint>
#include <initializer_list>

namespace pagefold::inline PAGEFOLD_ABI {

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
    default: return "unknown";
    }
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

    [[nodiscard]] constexpr bool operator==(const page_path_set&) const noexcept = default;

private:
    static constexpr std::uint8_t bit(page_path path) noexcept {
        return static_cast<std::uint8_t>(1u << static_cast<unsigned>(path));
    }
    std::uint8_t bits_ = 0;
};

namespace page_coding {

/// The paths that this build has code for and a processor of these features can run.
[[nodiscard]] constexpr page_path_set paths_with(cpu_features features) noexcept {
    page_path_set set;
    set.insert(page_path::scalar);
#if PAGEFOLD_HAS_X86_VECTORS
    if (features.contains(cpu_feature::sse42)) {
        set.insert(page_path::sse42);
        if (features.contains(cpu_feature::avx2) && features.contains(cpu_feature::bmi)) {
            set.insert(page_path::avx2);
            if (features.contains(cpu_feature::avx512)) {
                set.insert(page_path::avx512);
            }
        }
    }
#elif PAGEFOLD_HAS_NEON
    if (features.contains(cpu_feature::neon)) {
        set.insert(page_path::neon);
    }
#else
    static_cast<void>(features);
#endif
    return set;
}

} // namespace page_coding

/// The paths that can run here: those that this build has code for, and the processor and operating system allow
/// (available_features()).
[[nodiscard]] inline page_path_set available_page_paths() noexcept {
    return page_coding::paths_with(available_features());
}

/// The path that a codec takes unless told: the best that can run here. In a freestanding build the best of the
/// compiler's target, since only the host knows when vector registers may be touched.
[[nodiscard]] inline page_path default_page_path() noexcept {
    return page_coding::paths_with(default_features()).best();
}

} // namespace pagefold
