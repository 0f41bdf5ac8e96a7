// SPDX-License-Identifier: MIT
#pragma once

// Which codec a page goes to is asked of the machine, not of its content: where the page codec has a vector path it is better
// than LZ4 in ratio and twice as fast both ways; without one it is slower, and lz_block is what measures best. A
// chain of both, which tries lz_block on what the page codec gives up, takes 3.6% more time for 0.02% fewer bytes on 28,666
// pages of nine classes, and on as many of others 0.6% more time for 0.06% more bytes: the mark of a chain's codec costs what
// it gains.
//
// What is shorter than a page, or no multiple of one, the page codec doesn't take: lz_block does, on every machine.
//
// Reading must not depend on the machine, since streams may be saved by one and read by another. A stream of the page codec
// ends with a byte below 0x80 (its flags; of a page of several units, the high half of a length up to 4096), so a last byte
// of 0x80 marks one of lz_block, and a stream of the page codec costs nothing.

#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/stream_format.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The page codec where the machine has vectors for it, lz_block elsewhere; each reads the other's streams. Page sizes: 1 to
/// 65536; what is no multiple of 4096 always goes to lz_block. Freestanding.
template <page_level Level = page_level::balanced>
class basic_page_or_lz {
public:
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::page_or_lz; }
    /// Takes default_page_path().
    basic_page_or_lz() noexcept = default;
    /// Takes the codec that suits `path`, one of available_page_paths().
    [[nodiscard]] static basic_page_or_lz with_path(page_path path) noexcept {
        basic_page_or_lz codec;
        codec.page_ = basic_page_codec<Level>::with_path(path);
        return codec;
    }

    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return lz_offset() + lz_.scratch_size(n); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        // lz_block keeps its table from page to page, behind what the page codec overwrites.
        return scratch.size() < lz_offset() ? status::invalid : lz_.prepare(scratch.subview(lz_offset()));
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept {
        const std::size_t page = page_.bound(n), lz = lz_.bound(n) + 1;
        return page > lz ? page : lz;
    }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (!takes(in.size()) || out.size() < bound(in.size()) || scratch.size() < scratch_size(in.size())) {
            return status::invalid;
        }
        if (page_.path() != page_path::scalar && in.size() % unit == 0) {
            return page_.compress(in, out, scratch);
        }
        const result<std::size_t> size = lz_.compress(in, out.first(out.size() - 1), scratch.subview(lz_offset()));
        if (!size) {
            return size;
        }
        if (*size + 1 >= in.size()) {
            return status::incompressible;
        }
        out[*size] = lz_mark;
        return *size + 1;
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (!takes(out.size()) || scratch.size() < scratch_size(out.size())) {
            return status::invalid;
        }
        if (in.empty() || in[in.size() - 1] != lz_mark) {
            return out.size() % unit == 0 ? page_.decompress(in, out, scratch) : status::corrupt;
        }
        if (in.size() >= out.size()) {
            return status::corrupt;
        }
        return lz_.decompress(in.first(in.size() - 1), out, scratch.subview(lz_offset()));
    }

    /// Two streams of the page codec by its decompress_pair, others by two calls of decompress.
    [[nodiscard]] status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                              byte_span scratch) const noexcept {
        if (is_for_page_codec(first, scratch) && is_for_page_codec(second, scratch)) {
            return page_.decompress_pair(first, second, scratch);
        }
        const status answer = decompress(first.in, first.out, scratch);
        return {answer, decompress(second.in, second.out, scratch)};
    }

private:
    static constexpr std::byte lz_mark{0x80};
    static constexpr std::size_t unit = 4096;
    static constexpr std::size_t largest = 65536;

    static constexpr bool takes(std::size_t size) noexcept { return size != 0 && size <= largest; }
    /// Where decompress hands all on to the page codec.
    [[nodiscard]] bool is_for_page_codec(const page_to_read& page, byte_span scratch) const noexcept {
        return takes(page.out.size()) && page.out.size() % unit == 0 &&
               scratch.size() >= scratch_size(page.out.size()) && !page.in.empty() &&
               page.in[page.in.size() - 1] != lz_mark;
    }
    /// Where lz_block's part of the scratch begins, for pages of all sizes.
    [[nodiscard]] std::size_t lz_offset() const noexcept {
        return round_up(page_.scratch_size(unit), scratch_alignment);
    }

    basic_page_codec<Level> page_{};
    lz_block lz_{};
};

using page_or_lz = basic_page_or_lz<>;

} // namespace pagefold
