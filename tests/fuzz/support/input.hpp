// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace pagefold::fuzz {

/// The fuzzer's bytes as a stream of decisions; zeros behind the end.
class input {
public:
    input(const std::uint8_t* data, std::size_t size) noexcept : at_{data}, end_{data + size} {}

    [[nodiscard]] bool empty() const noexcept { return at_ == end_; }
    std::uint8_t byte() noexcept { return empty() ? std::uint8_t{0} : *at_++; }
    std::uint16_t word() noexcept {
        const unsigned low = byte(), high = byte();
        return static_cast<std::uint16_t>(low | high << 8);
    }
    /// Of `count` things, one; count from 1 to 65536.
    std::size_t choose(std::size_t count) noexcept { return word() % count; }

private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

} // namespace pagefold::fuzz
