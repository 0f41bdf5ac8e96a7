// SPDX-License-Identifier: MIT
#pragma once

// Needs liblz4 (BSD 2-Clause).

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/stream_format.hpp>

#include <lz4.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// LZ4 (Yann Collet), its block format without any header, through the liblz4 of the host; no memory is allocated.
///
/// `Acceleration` from 1 up trades ratio for speed. Scratch: LZ4's hash table, 16 KiB, cleared by every compress, so
/// nothing is kept between calls; decompress uses none. Page sizes: up to LZ4_MAX_INPUT_SIZE.
template <int Acceleration = 1>
requires(Acceleration >= 1) class basic_lz4 {
public:
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::lz4_block; }
    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return sizeof(LZ4_stream_t); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        return scratch.size() < sizeof(LZ4_stream_t) ? status::invalid : status::ok;
    }
    /// More than the page: with that room LZ4 skips a check at every literal run.
    [[nodiscard]] constexpr std::size_t bound(std::size_t n) const noexcept { return n + n / 255 + 16; }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (in.empty() || in.size() > LZ4_MAX_INPUT_SIZE || out.size() < bound(in.size()) ||
            scratch.size() < sizeof(LZ4_stream_t)) {
            return status::invalid;
        }
        const int length =
            LZ4_compress_fast_extState(scratch.data(), chars(in.data()), chars(out.data()), static_cast<int>(in.size()),
                                       static_cast<int>(bound(in.size())), Acceleration);
        const auto size = static_cast<std::size_t>(length);
        // A page takes LZ4 at least a token, a literal, an offset, another token and five literals: shorter streams come
        // from inputs of some 12 bytes only, not worth padding.
        if (length <= 0 || size < min_stream_size || size >= in.size()) {
            return status::incompressible;
        }
        return size;
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (out.empty() || out.size() > LZ4_MAX_INPUT_SIZE) {
            return status::invalid;
        }
        if (in.size() < min_stream_size || in.size() >= out.size()) {
            return status::corrupt;
        }
        const int length = LZ4_decompress_safe(chars(in.data()), chars(out.data()), static_cast<int>(in.size()),
                                               static_cast<int>(out.size()));
        return length >= 0 && static_cast<std::size_t>(length) == out.size() ? status::ok : status::corrupt;
    }

private:
    static const char* chars(const std::byte* bytes) noexcept { return reinterpret_cast<const char*>(bytes); }
    static char* chars(std::byte* bytes) noexcept { return reinterpret_cast<char*>(bytes); }
};

/// LZ4 at its usual setting.
using lz4 = basic_lz4<>;

} // namespace pagefold
