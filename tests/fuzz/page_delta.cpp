// SPDX-License-Identifier: MIT
//
// Deltas of a page against a base, on every path. Any bytes as a stream: every path's decoder accepts them with the same page,
// or none does; the base stays as it is, and nothing outside is touched. Any bytes as what changed: every path gives the
// same stream, and reads it back.
//
// Input: a byte that chooses which, a byte that chooses the base, then a stream, or triples of two bytes that say where and
// one that says what.

#include "fuzz/support/require.hpp" // first

#include <support/delta_pages.hpp>
#include <support/page_paths.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace {

using namespace pagefold;
using bytes = std::vector<std::byte>;

void require(bool holds, const char* what, int line) {
    if (!holds) {
        fuzz::fail(what, __FILE__, line);
    }
}

void decode(std::vector<testing::delta_on_path<page_level::balanced>>& paths, const bytes& base, const bytes& stream) {
    const std::optional<bytes> expected = paths.front().decompress(stream, base);
    for (auto& path : paths) {
        require(path.decompress(stream, base) == expected, "paths read a stream differently", __LINE__);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static std::vector<testing::delta_on_path<page_level::balanced>> paths = [] {
        std::vector<testing::delta_on_path<page_level::balanced>> all;
        for (const page_path path : testing::paths_here()) {
            all.emplace_back(path);
        }
        return all;
    }();
    if (size < 2) {
        return 0;
    }
    const bytes base = testing::codec_page(page_delta::page_size, data[1]);
    if (data[0] % 2 == 0) {
        const auto* const from = reinterpret_cast<const std::byte*>(data);
        decode(paths, base, bytes(from + 2, from + size));
        return 0;
    }
    bytes pair = base;
    pair.insert(pair.end(), base.begin(), base.end());
    for (std::size_t i = 2; i + 3 <= size; i += 3) {
        pair[page_delta::page_size + (data[i] | std::size_t{data[i + 1]} << 8) % page_delta::page_size] =
            static_cast<std::byte>(data[i + 2]);
    }
    const std::optional<bytes> stream = paths.front().compress(pair);
    for (auto& path : paths) {
        require(path.compress(pair) == stream, "paths make different streams", __LINE__);
        require(!stream || path.decompress(*stream, pair) == pair, "the page is not read back", __LINE__);
    }
    return 0;
}
