// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

namespace pagefold::corpus {

inline constexpr std::size_t page_bytes = 4096;

/// Pages, one after another.
struct page_sample {
    std::vector<char> bytes;

    [[nodiscard]] std::size_t pages() const noexcept { return bytes.size() / page_bytes; }
    /// Adds one page of zeros and returns where it is.
    [[nodiscard]] char* add_page() {
        bytes.resize(bytes.size() + page_bytes);
        return bytes.data() + bytes.size() - page_bytes;
    }
    void drop_last_page() { bytes.resize(bytes.size() - page_bytes); }
};

/// The i-th of `wanted` numbers spread evenly below `available`.
[[nodiscard]] constexpr std::size_t spread(std::size_t i, std::size_t wanted, std::size_t available) noexcept {
    return wanted >= available ? i : i * available / wanted;
}

} // namespace pagefold::corpus
