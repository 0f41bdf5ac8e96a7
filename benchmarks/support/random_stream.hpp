// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pagefold::support {

/// Numbers that look random and are the same in every run (xorshift64*; Vigna, "An experimental exploration of
/// Marsaglia's xorshift generators, scrambled", 2016).
class random_stream {
public:
    explicit random_stream(std::uint64_t seed) noexcept : state_{(seed + 1) * 0x9e37'79b9'7f4a'7c15u} {}

    /// 32 random bits.
    std::uint64_t next() noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'f491'4f6c'dd1du >> 32;
    }
    /// From 0 to `bound` − 1; bound is at most 2^32.
    std::size_t below(std::size_t bound) noexcept { return next() * bound >> 32; }

    /// The numbers from 0 to count − 1 in random order.
    [[nodiscard]] std::vector<std::uint32_t> permutation(std::size_t count) {
        std::vector<std::uint32_t> order(count);
        for (std::size_t i = 0; i < count; ++i) {
            order[i] = static_cast<std::uint32_t>(i);
        }
        for (std::size_t i = count; i > 1; --i) {
            std::swap(order[i - 1], order[below(i)]);
        }
        return order;
    }

private:
    std::uint64_t state_;
};

} // namespace pagefold::support
