// SPDX-License-Identifier: MIT
#pragma once

#include "corpus.hpp"

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/same_filled.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::support {

/// What a codec makes of pages, as the sizes of objects that an allocator is asked for. Pages that do not shrink count
/// whole; same-filled ones are left out, as a store keeps them in their entries.
template <compressor Codec>
[[nodiscard]] std::vector<std::uint16_t> object_sizes(const Codec& codec, const std::vector<const std::byte*>& pages) {
    constexpr std::size_t page_bytes = corpus::page_bytes;
    constexpr same_filled repeated;
    std::vector<std::byte> scratch_memory(codec.scratch_size(page_bytes) + scratch_alignment);
    const std::size_t past = reinterpret_cast<std::uintptr_t>(scratch_memory.data()) % scratch_alignment;
    const byte_span scratch{scratch_memory.data() + (past == 0 ? 0 : scratch_alignment - past),
                            codec.scratch_size(page_bytes)};
    std::vector<std::byte> out(codec.bound(page_bytes));
    std::vector<std::uint16_t> sizes;
    if (codec.prepare(scratch) != status::ok) {
        return sizes;
    }
    for (const std::byte* page : pages) {
        const byte_view in{page, page_bytes};
        if (!repeated.compress(in, out, {})) {
            sizes.push_back(static_cast<std::uint16_t>(codec.compress(in, out, scratch).value_or(page_bytes)));
        }
    }
    return sizes;
}

} // namespace pagefold::support
