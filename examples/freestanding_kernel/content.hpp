// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernel {

/// A sequence of numbers that is the same in every run (Marsaglia: "Xorshift RNGs", 2003).
class random_stream {
public:
    explicit random_stream(std::uint64_t seed) noexcept : state_{(seed + 1) * 0x9e37'79b9'7f4a'7c15u} {}

    std::uint64_t next() noexcept {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }
    [[nodiscard]] std::size_t below(std::size_t end) noexcept { return static_cast<std::size_t>(next() % end); }

private:
    std::uint64_t state_;
};

/// What is on a page, by its number and how often it was written: pages of one value, text, records with pointers as
/// kernels keep them, and one in sixteen of noise.
void make_content(std::byte* page, std::size_t number, std::uint32_t version) noexcept;

/// Whether a page has that content.
[[nodiscard]] bool has_content(const std::byte* page, std::size_t number, std::uint32_t version) noexcept;

} // namespace kernel
