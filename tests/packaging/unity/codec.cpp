// SPDX-License-Identifier: MIT
//
// Codecs alone, and zstd's own header before ours, which asks it for more.
#include "units.hpp"

#if defined(PAGEFOLD_WITH_ZSTD)
#include <zstd.h>
#endif

#include <pagefold/compress/page_or_lz.hpp>

#include <vector>

namespace {
std::vector<std::byte> stream;
}

bool codec_keeps(pagefold::byte_view page) {
    const pagefold::page_or_lz codec;
    std::vector<std::byte> scratch(codec.scratch_size(page.size()) + 64), back(page.size());
    const std::size_t skipped = 64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64;
    const pagefold::byte_span aligned{scratch.data() + skipped, scratch.size() - 64};
    stream.resize(codec.bound(page.size()));
    const auto size = codec.prepare(aligned) == pagefold::status::ok
                          ? codec.compress(page, stream, aligned)
                          : pagefold::result<std::size_t>{pagefold::status::invalid};
    return size && codec.decompress({stream.data(), *size}, back, aligned) == pagefold::status::ok &&
           pagefold::equal_bytes(back.data(), page.data(), page.size());
}
