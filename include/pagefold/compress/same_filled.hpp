// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/stream_format.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The compressor of pages that repeat one 8-byte word (zeros above all): the stream is that word, as it lies in memory.
/// Any other page is `incompressible`. zram and zswap single out the same pages. Where the length is no multiple of 8, the
/// last bytes are the word's first.
///
/// Page sizes: from 9; others are `invalid`. Scratch: none. Cost: three loads for most other pages, one
/// read of the page for a same-filled one. Decompression: one write of the page.
class same_filled {
public:
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::same_filled; }
    [[nodiscard]] constexpr std::size_t scratch_size(std::size_t) const noexcept { return 0; }
    [[nodiscard]] constexpr status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] constexpr std::size_t bound(std::size_t) const noexcept { return word_size; }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        if (!takes(in.size()) || out.size() < word_size) {
            return status::invalid;
        }
        if (!repeats_one_word(in)) {
            return status::incompressible;
        }
        copy_bytes(out.data(), in.data(), word_size);
        return word_size;
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (!takes(out.size())) {
            return status::invalid;
        }
        if (in.size() != word_size) {
            return status::corrupt;
        }
        const auto word = load_native<std::uint64_t>(in.data());
        std::byte* const to = out.data();
        const std::size_t words = out.size() / word_size * word_size;
        for (std::size_t at = 0; at != words; at += word_size) {
            store_native(to + at, word);
        }
        copy_bytes(to + words, in.data(), out.size() - words);
        return status::ok;
    }

private:
    static constexpr std::size_t word_size = sizeof(std::uint64_t);
    static_assert(word_size == min_stream_size);

    static constexpr bool takes(std::size_t size) noexcept { return size > word_size; }

    static bool repeats_one_word(byte_view page) noexcept {
        const std::byte* const from = page.data();
        const std::size_t size = page.size() / word_size * word_size;
        const auto first = load_native<std::uint64_t>(from);
        const auto differs = [=](std::size_t at) { return load_native<std::uint64_t>(from + at) ^ first; };
        // Most pages that are not same-filled show it in their last word or halfway, where the zeros behind a short
        // text or at the head of a sparse page have ended.
        if ((differs(size - word_size) | differs(size / 2 / word_size * word_size)) != 0) {
            return false;
        }
        constexpr std::size_t step = 8 * word_size;
        std::size_t at = 0;
        for (; size - at >= step; at += step) {
            const std::uint64_t low = differs(at) | differs(at + 8) | differs(at + 16) | differs(at + 24);
            const std::uint64_t high = differs(at + 32) | differs(at + 40) | differs(at + 48) | differs(at + 56);
            if ((low | high) != 0) {
                return false;
            }
        }
        for (; at != size; at += word_size) {
            if (differs(at) != 0) {
                return false;
            }
        }
        return equal_bytes(from + size, from, page.size() - size);
    }
};

} // namespace pagefold
