// SPDX-License-Identifier: MIT
#pragma once

// A codec made for pages of memory.
//
// Idea: memory is made of structures and of text, and a page holds many of a kind. A page is cut into blocks of 16 bytes;
// each is predicted by zeros or by the 16 bytes a lag before it, and a bit a byte says where that is wrong; those bytes are
// literals. What a structure's neighbour differs in costs a literal or two, where LZ has to end a match and begin another.
// Masks, lags and literals are packed by static codes that vectors do 16 to 64 at a time.
//
// Invariant: no block depends on how another was coded, only on its bytes, and nothing branches on data. So encoder and
// decoder run at the speed of vectors whatever the page holds, and a damaged stream can only decode to a wrong page.
//
// The encoder is canonical: every path (page/scalar.hpp is the truth) gives the same stream, or what is stored on one
// machine would differ on the next. It looks, line by line of 64 bytes, at 24 sources that may predict the line: the
// running lag, zeros, five usual lags, and where a table saw the line's sixteen words last. Each block takes what leaves
// least to be stored. A line that the last lag but one predicts but for a few bytes is taken without a search.
//
// Cost: with AVX-512 2.2 times LZ4's speed in, 2.9 times out; AVX2 1.8 and 2.0, SSE4.2 1.4 and 2.0; without vectors 0.31
// and 0.75, where LZ4 is the better choice (Zen 5; docs/page_codec.md has the classes and how this was measured). Streams
// are 1.17 times shorter than LZ4's, 1.34 times for process memory. Scratch 23 KiB, of which 8 are the table, filled anew
// for each page by 128 stores.
//
// Two pages in one call (decompress_pair) take 0.85 to 0.95 of the time of two calls: decoding is bound by instructions, so
// there is little to overlap but the waits for memory and for a page's own blocks. Encoding gains nothing that way.
//
// Why not LZ: its parse is serial in both directions, a mispredicted branch or two a match. Why not word patterns (WKdm,
// LBE): they see only what repeats within 16 words or so. Files: page/format.hpp the stream, workspace.hpp the rules of
// the search, scalar.hpp 64-bit words, vectors16.hpp over sse42.hpp or neon.hpp, avx2.hpp, avx512.hpp, path.hpp the choice.

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/page/avx2.hpp>
#include <pagefold/compress/page/avx512.hpp>
#include <pagefold/compress/page/format.hpp>
#include <pagefold/compress/page/path.hpp>
#include <pagefold/compress/page/scalar.hpp>
#include <pagefold/compress/page/vectors16.hpp>
#include <pagefold/compress/page/workspace.hpp>
#include <pagefold/core/stream_format.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

/// The page codec: blocks of 16 bytes predicted by zeros or by what lies a lag before them.
///
/// Page sizes: multiples of 4096 up to 65536; others are `invalid`. Scratch: the same for all, nothing is kept in it.
/// Pages that it can't shorten are `incompressible`, many of them after an eighth of the work. Streams are of version 0,
/// which is frozen (docs/page_codec.md), and the same for every path.
template <page_level Level = page_level::balanced>
class basic_page_codec {
public:
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::page; }
    /// Takes default_page_path().
    basic_page_codec() noexcept = default;

    /// A codec that takes `path`, which must be one of available_page_paths().
    [[nodiscard]] static basic_page_codec with_path(page_path path) noexcept { return basic_page_codec{path}; }
    [[nodiscard]] page_path path() const noexcept { return path_; }

    [[nodiscard]] constexpr std::size_t scratch_size(std::size_t) const noexcept { return sizeof(workspace); }
    [[nodiscard]] constexpr status prepare(byte_span scratch) const noexcept {
        return scratch.size() < sizeof(workspace) ? status::invalid : status::ok;
    }
    /// The sections of the last unit may come out longer than the unit before it is given up.
    [[nodiscard]] constexpr std::size_t bound(std::size_t n) const noexcept {
        return n + (page_coding::max_unit_stream - page_coding::unit_size) + vector_slack;
    }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (!takes(in.size()) || out.size() < bound(in.size()) || scratch.size() < sizeof(workspace)) {
            return status::invalid;
        }
        workspace& state = *::new (static_cast<void*>(scratch.data())) workspace;
        const auto* const page = reinterpret_cast<const std::uint8_t*>(in.data());
        auto* const to = reinterpret_cast<std::uint8_t*>(out.data());
        const std::size_t size = in.size() == page_coding::unit_size ? compress_unit({page, 0, in.size()}, to, state)
                                                                     : compress_units({page, 0, in.size()}, to, state);
        return size == 0 ? result<std::size_t>{status::incompressible} : result<std::size_t>{size};
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (!takes(out.size()) || scratch.size() < sizeof(workspace)) {
            return status::invalid;
        }
        workspace& state = *::new (static_cast<void*>(scratch.data())) workspace;
        const auto* const stream = reinterpret_cast<const std::uint8_t*>(in.data());
        auto* const page = reinterpret_cast<std::uint8_t*>(out.data());
        const bool is_good = out.size() == page_coding::unit_size
                                 ? decompress_unit(stream, in.size(), page, 0, false, state)
                                 : decompress_units(stream, in.size(), page, out.size(), state);
        return is_good ? status::ok : status::corrupt;
    }

    /// As two calls of decompress. Both streams are asked for before the first is read, and with AVX2, SSE4.2 or NEON two pages
    /// of 4096 bytes are put together in turns, block by block. docs/page_codec.md has what it gains.
    [[nodiscard]] status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                              byte_span scratch) const noexcept {
        if (first.out.size() != unit_size || second.out.size() != unit_size || scratch.size() < sizeof(workspace)) {
            return {decompress(first.in, first.out, scratch), decompress(second.in, second.out, scratch)};
        }
        page_coding::unit_to_read units[2] = {unit_of(first), unit_of(second)};
        ask_for(units[0].stream, units[0].size);
        ask_for(units[1].stream, units[1].size);
        decompress_two_units(units, *::new (static_cast<void*>(scratch.data())) workspace);
        return {units[0].is_good ? status::ok : status::corrupt, units[1].is_good ? status::ok : status::corrupt};
    }

private:
    using workspace = page_coding::workspace;
    using unit_view = page_coding::unit_view;
    static constexpr std::size_t unit_size = page_coding::unit_size;
    static constexpr std::size_t vector_slack = 64;
    static constexpr std::size_t cache_line = 64;

    explicit basic_page_codec(page_path path) noexcept : path_{path} {
        PAGEFOLD_CHECK(available_page_paths().contains(path));
    }

    static constexpr bool takes(std::size_t size) noexcept {
        return size % unit_size == 0 && size != 0 && size <= page_coding::max_page_size;
    }

    /// A unit's stream is read from its end, section by section, which no processor foresees: so all of its cache lines are
    /// asked for at once.
    static void ask_for(const std::uint8_t* stream, std::size_t size) noexcept {
        for (std::size_t at = 0; at < size && at < unit_size; at += cache_line) {
            __builtin_prefetch(stream + at);
        }
    }
    static page_coding::unit_to_read unit_of(const page_to_read& page) noexcept {
        return {reinterpret_cast<const std::uint8_t*>(page.in.data()), page.in.size(),
                reinterpret_cast<std::uint8_t*>(page.out.data()), false};
    }

    std::size_t compress_unit(const unit_view& unit, std::uint8_t* out, workspace& state) const noexcept {
#if PAGEFOLD_HAS_X86_VECTORS
        if (path_ == page_path::avx512) {
            return page_coding::avx512::compress<Level>(unit, out, state);
        }
        if (path_ == page_path::avx2) {
            return page_coding::avx2::compress<Level>(unit, out, state);
        }
        if (path_ == page_path::sse42) {
            return page_coding::v16::compress<Level>(unit, out, state);
        }
#elif PAGEFOLD_HAS_NEON
        if (path_ == page_path::neon) {
            return page_coding::v16::compress<Level>(unit, out, state);
        }
#endif
        return page_coding::scalar::compress(unit, page_coding::settings_of(Level), out, state);
    }
    bool decompress_unit(const std::uint8_t* stream, std::size_t size, std::uint8_t* page, std::size_t base,
                         bool is_wide, workspace& state) const noexcept {
        ask_for(stream, size);
#if PAGEFOLD_HAS_X86_VECTORS
        if (path_ == page_path::avx512) {
            return page_coding::avx512::decompress(stream, size, page, base, is_wide, state);
        }
        if (path_ == page_path::avx2) {
            return page_coding::avx2::decompress(stream, size, page, base, is_wide, state);
        }
        if (path_ == page_path::sse42) {
            return page_coding::v16::decompress(stream, size, page, base, is_wide, state);
        }
#elif PAGEFOLD_HAS_NEON
        if (path_ == page_path::neon) {
            return page_coding::v16::decompress(stream, size, page, base, is_wide, state);
        }
#endif
        return page_coding::scalar::decompress(stream, size, page, base, is_wide, state);
    }

    void decompress_two_units(page_coding::unit_to_read (&units)[2], workspace& state) const noexcept {
#if PAGEFOLD_HAS_X86_VECTORS
        if (path_ == page_path::avx2) {
            return page_coding::avx2::decompress_pair(units, state);
        }
        if (path_ == page_path::sse42) {
            return page_coding::v16::decompress_pair(units, state);
        }
#elif PAGEFOLD_HAS_NEON
        if (path_ == page_path::neon) {
            return page_coding::v16::decompress_pair(units, state);
        }
#endif
        for (page_coding::unit_to_read& unit : units) {
            unit.is_good = decompress_unit(unit.stream, unit.size, unit.page, 0, false, state);
        }
    }

    // A page of several units: their streams, then the length of each as 16 bits, little-endian. A unit as long as it was
    // stands as it is.

    std::size_t compress_units(const unit_view& page, std::uint8_t* out, workspace& state) const noexcept {
        const std::size_t table_size = page.size / unit_size * 2;
        std::uint8_t table[page_coding::max_page_size / unit_size * 2];
        std::size_t end = 0;
        for (std::size_t base = 0; base != page.size; base += unit_size) {
            std::size_t size = compress_unit({page.page, base, page.size}, out + end, state);
            if (size == 0) {
                copy_bytes(out + end, page.page + base, unit_size);
                size = unit_size;
            }
            table[base / unit_size * 2] = static_cast<std::uint8_t>(size);
            table[base / unit_size * 2 + 1] = static_cast<std::uint8_t>(size >> 8);
            end += size;
        }
        copy_bytes(out + end, table, table_size);
        return end + table_size < page.size ? end + table_size : 0;
    }

    bool decompress_units(const std::uint8_t* stream, std::size_t size, std::uint8_t* page, std::size_t page_size,
                          workspace& state) const noexcept {
        const std::size_t table_size = page_size / unit_size * 2;
        if (size < table_size) {
            return false;
        }
        const std::uint8_t* length = stream + size - table_size;
        std::size_t left = size - table_size;
        for (std::size_t base = 0; base != page_size; base += unit_size, length += 2) {
            const std::size_t own = length[0] | std::size_t{length[1]} << 8;
            if (own > left || own > unit_size) {
                return false;
            }
            if (own == unit_size) {
                copy_bytes(page + base, stream, unit_size);
            } else if (!decompress_unit(stream, own, page, base, true, state)) {
                return false;
            }
            stream += own;
            left -= own;
        }
        return left == 0;
    }

    page_path path_ = default_page_path();
};

/// The page codec at its usual level.
using page_codec = basic_page_codec<>;

} // namespace pagefold
