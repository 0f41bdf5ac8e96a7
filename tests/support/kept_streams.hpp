// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/page.hpp>
#include <pagefold/core/checksum.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace pagefold::testing {

/// compress.operator()<level>() for a level that is known at run time only.
template <class Compress>
std::optional<std::vector<std::byte>> at_level(page_level level, const Compress& compress) {
    switch (level) {
    case page_level::fast: return compress.template operator()<page_level::fast>();
    case page_level::balanced: return compress.template operator()<page_level::balanced>();
    case page_level::high: return compress.template operator()<page_level::high>();
    }
    return std::nullopt;
}

/// Checks that compress(one, path) gives the stream of the size and checksum that are written down of each, or none where the
/// size is 0: by the scalar path and by the machine's best.
template <class Kept, class Compress>
void check_kept_streams(const Kept& kept, const Compress& compress) {
    for (const page_path path : {page_path::scalar, default_page_path()}) {
        std::size_t number = 0;
        for (const auto& one : kept) {
            CAPTURE(std::string{to_string(path)});
            CAPTURE(number++);
            CAPTURE(one.seed);
            const std::optional<std::vector<std::byte>> stream = compress(one, path);
            REQUIRE(stream.has_value() == (one.size != 0));
            if (stream) {
                CHECK(stream->size() == one.size);
                CHECK(checksum(*stream, 0) == one.checksum);
            }
        }
    }
}

} // namespace pagefold::testing
