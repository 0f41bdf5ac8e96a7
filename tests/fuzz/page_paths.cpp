// SPDX-License-Identifier: MIT
//
// Any bytes as a page: every path at every level gives the same stream, and every path reads it back.
//
// Input: a byte that chooses the size of the page and how it is filled, then what it is filled with.

#include "fuzz/support/require.hpp" // first

#include <support/page_paths.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace pagefold;

/// The bytes over and over; with `growth` a little more is added to every word in each turn, as in tables and lists.
std::vector<std::byte> fill_page(std::size_t page_size, const std::uint8_t* data, std::size_t size, bool is_repeated,
                                 unsigned growth) {
    std::vector<std::byte> page(page_size);
    for (std::size_t i = 0; i < page_size && size != 0 && (is_repeated || i < size); ++i) {
        const std::size_t turn = i / size;
        page[i] = static_cast<std::byte>(data[i % size] + (i % 8 == 0 ? turn * growth : 0));
    }
    return page;
}

template <page_level Level>
void check(testing::path_comparison& paths, byte_view page) {
    std::vector<std::byte> stream;
    const std::string complaint = paths.round_trip<Level>(page, stream);
    if (!complaint.empty()) {
        fuzz::fail(complaint.c_str(), __FILE__, __LINE__);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static testing::path_comparison paths;
    if (size == 0) {
        return 0;
    }
    const unsigned choice = data[0];
    const std::size_t page_size = (choice & 3) == 3 ? 8192 : 4096;
    const std::vector<std::byte> page = fill_page(page_size, data + 1, size - 1, (choice & 4) != 0, choice >> 3);
    check<page_level::fast>(paths, page);
    check<page_level::balanced>(paths, page);
    check<page_level::high>(paths, page);
    return 0;
}
