// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a sample has where its source could not tell: a file that vanished, a counter that the kernel lacks.
inline constexpr std::uint64_t no_sample = ~std::uint64_t{0};

/// How much a counter that only rises rose between one look and the next. Where that can't be known it says so, instead of a
/// number that some rate would be made of: at the first look, after a look without a sample (the rise would be that of a longer
/// time), and where the counter began anew. Not thread-safe.
class sampled_counter {
public:
    /// The rise since the last look, or no_sample.
    [[nodiscard]] std::uint64_t rise(std::uint64_t total) noexcept {
        const std::uint64_t last = last_;
        last_ = total;
        return last == no_sample || total == no_sample || total < last ? no_sample : total - last;
    }
    /// The next look is the first one.
    void forget() noexcept { last_ = no_sample; }

private:
    std::uint64_t last_ = no_sample;
};

} // namespace pagefold
