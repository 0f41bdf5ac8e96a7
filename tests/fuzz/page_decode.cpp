// SPDX-License-Identifier: MIT
//
// Any bytes as a stream of the page codec: every path's decoder accepts them with the same page, or none does, and none
// reads or writes outside the exact buffers. In a pair, with itself and with a good stream before or behind it, the answers
// are the same.
//
// Input: a byte that chooses the size of the page, then the stream.

#include "fuzz/support/require.hpp" // first

#include <support/page_paths.hpp>

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pagefold;
    static testing::path_comparison paths;
    if (size == 0) {
        return 0;
    }
    constexpr std::size_t page_sizes[] = {4096, 4096, 8192, 16384};
    bool is_accepted = false;
    const std::string complaint =
        paths.decode({reinterpret_cast<const std::byte*>(data) + 1, size - 1}, page_sizes[data[0] % 4], is_accepted);
    if (!complaint.empty()) {
        fuzz::fail(complaint.c_str(), __FILE__, __LINE__);
    }
    return 0;
}
