// SPDX-License-Identifier: MIT
#pragma once

// A page as what it differs in from another, its base: the page codec with history.
//
// Idea: a guest that was started from a snapshot changes a few words of a page and leaves the rest. The page codec predicts a
// block by what lies a lag before it, and in a page of several units a lag may lead into the unit before. So base and page
// are taken as a wide page of two units, of which the second alone is kept: a block that has not changed has the lag 4096.
// There is no new format and no new decoder.
//
// Invariant: a stream is read back with the base that it was made with, and with no other. Another base, or damage, gives
// another page or `corrupt`, never an access outside; a checksum that the base is part of is the caller's to keep.
//
// The encoder is canonical, as the codec's: all paths give the same stream, which docs/page_codec.md specifies. It tries the
// base on each line first. Only where that fails is the table of words made, of the base and of what came before, so that
// what has moved within the page is found as well.
//
// Cost: that of the page codec on a page of two units, of which one is coded. Whether a delta is worth its base is told before:
// is_near() counts the lines that keep what is there but for 10 bytes; below 8 of 64 the base costs a read and gains little.
//
// Why not XOR: what it leaves of lines that moved or are new is noise, worse than what they were. Why not a general codec with
// the base as a prefix: it has to search for what lies a page before it, where here that is tried first.

#include <pagefold/compress/page.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/stream_format.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

/// Deltas of pages of 4096 bytes. An object holds settings only; calls are safe from many threads, each with its scratch.
///
/// Base and page are a `pair` of 8192 bytes, the base first: that is how the codec reads them, and who has them apart copies one.
template <page_level Level = page_level::balanced>
class basic_page_delta {
public:
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::page_delta; }
    static constexpr std::size_t page_size = page_coding::unit_size;
    static constexpr std::size_t pair_size = 2 * page_size;
    /// Lines, of 64, that must be kept for a page to be near its base.
    static constexpr unsigned least_kept_lines = 8;

    /// Takes default_page_path().
    basic_page_delta() noexcept = default;
    /// Takes `path`, which must be one of available_page_paths().
    [[nodiscard]] static basic_page_delta with_path(page_path path) noexcept { return basic_page_delta{path}; }
    [[nodiscard]] page_path path() const noexcept { return path_; }

    /// Bytes of scratch, aligned to scratch_alignment. Nothing is kept in it.
    [[nodiscard]] static constexpr std::size_t scratch_size() noexcept { return sizeof(page_coding::workspace); }
    /// Room that a stream needs while it is made.
    [[nodiscard]] static constexpr std::size_t bound() noexcept { return page_coding::max_unit_stream + 64; }

    /// Whether a delta is likely shorter than the page alone, by enough to be worth reading the base for. `pair` must be
    /// pair_size bytes. Costs a look at both.
    [[nodiscard]] bool is_near(byte_view pair) const noexcept {
        PAGEFOLD_CHECK(pair.size() == pair_size);
        return kept_lines(reinterpret_cast<const std::uint8_t*>(pair.data())) >= least_kept_lines;
    }

    /// The length of the stream: shorter than the page, and at least page_coding::min_unit_stream. incompressible: there is
    /// none. invalid: a size is wrong.
    [[nodiscard]] result<std::size_t> compress(byte_view pair, byte_span out, byte_span scratch) const noexcept {
        if (pair.size() != pair_size || out.size() < bound() || scratch.size() < scratch_size()) {
            return status::invalid;
        }
        page_coding::workspace& state = *::new (static_cast<void*>(scratch.data())) page_coding::workspace;
        const page_coding::unit_view unit{reinterpret_cast<const std::uint8_t*>(pair.data()), page_size, pair_size};
        const std::size_t size = compress(unit, reinterpret_cast<std::uint8_t*>(out.data()), state);
        return size == 0 ? result<std::size_t>{status::incompressible} : result<std::size_t>{size};
    }

    /// Fills the pair's second half, whose first is the base; corrupt where the stream is none, and the half is undefined then.
    /// Any bytes are safe: nothing outside of the stream and the pair is read, and nothing but the half written.
    [[nodiscard]] status decompress(byte_view in, byte_span pair, byte_span scratch) const noexcept {
        if (pair.size() != pair_size || scratch.size() < scratch_size()) {
            return status::invalid;
        }
        page_coding::workspace& state = *::new (static_cast<void*>(scratch.data())) page_coding::workspace;
        return decompress(reinterpret_cast<const std::uint8_t*>(in.data()), in.size(),
                          reinterpret_cast<std::uint8_t*>(pair.data()), state)
                   ? status::ok
                   : status::corrupt;
    }

private:
    explicit basic_page_delta(page_path path) noexcept : path_{path} {
        PAGEFOLD_CHECK(available_page_paths().contains(path));
    }

    [[nodiscard]] unsigned kept_lines(const std::uint8_t* pair) const noexcept {
#if PAGEFOLD_HAS_X86_VECTORS
        switch (path_) {
        case page_path::avx512: return page_coding::avx512::kept_lines(pair);
        case page_path::avx2: return page_coding::avx2::kept_lines(pair);
        case page_path::sse42: return page_coding::v16::kept_lines(pair);
        default: break;
        }
#elif PAGEFOLD_HAS_NEON
        if (path_ == page_path::neon) {
            return page_coding::v16::kept_lines(pair);
        }
#endif
        return page_coding::scalar::kept_lines(pair);
    }
    std::size_t compress(const page_coding::unit_view& unit, std::uint8_t* out,
                         page_coding::workspace& state) const noexcept {
#if PAGEFOLD_HAS_X86_VECTORS
        switch (path_) {
        case page_path::avx512: return page_coding::avx512::compress<Level, true>(unit, out, state);
        case page_path::avx2: return page_coding::avx2::compress<Level, true>(unit, out, state);
        case page_path::sse42: return page_coding::v16::compress<Level, true>(unit, out, state);
        default: break;
        }
#elif PAGEFOLD_HAS_NEON
        if (path_ == page_path::neon) {
            return page_coding::v16::compress<Level, true>(unit, out, state);
        }
#endif
        return page_coding::scalar::compress<true>(unit, page_coding::settings_of(Level), out, state);
    }
    bool decompress(const std::uint8_t* stream, std::size_t size, std::uint8_t* pair,
                    page_coding::workspace& state) const noexcept {
#if PAGEFOLD_HAS_X86_VECTORS
        switch (path_) {
        case page_path::avx512: return page_coding::avx512::decompress(stream, size, pair, page_size, true, state);
        case page_path::avx2: return page_coding::avx2::decompress(stream, size, pair, page_size, true, state);
        case page_path::sse42: return page_coding::v16::decompress(stream, size, pair, page_size, true, state);
        default: break;
        }
#elif PAGEFOLD_HAS_NEON
        if (path_ == page_path::neon) {
            return page_coding::v16::decompress(stream, size, pair, page_size, true, state);
        }
#endif
        return page_coding::scalar::decompress(stream, size, pair, page_size, true, state);
    }

    page_path path_ = default_page_path();
};

/// Deltas at the usual level.
using page_delta = basic_page_delta<>;

} // namespace pagefold
