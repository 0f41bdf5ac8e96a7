// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace pagefold::testing {

/// splitmix64: a small deterministic generator, so that a failing seed can be run again anywhere.
class rng {
public:
    explicit constexpr rng(std::uint64_t seed) noexcept : state_{seed} {}

    constexpr std::uint64_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// Uniform in [0, bound); bound ≥ 1.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept { return (*this)() % bound; }
    /// True once in `n` times on average.
    constexpr bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

private:
    std::uint64_t state_;
};

} // namespace pagefold::testing
