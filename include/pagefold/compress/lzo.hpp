// SPDX-License-Identifier: MIT
#pragma once

// Needs liblzo2, which is under the GNU General Public License 2 or later: a program that links it is bound by those
// terms. That is why nothing else in the library includes this header; who includes it opts in.

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/stream_format.hpp>

#include <lzo/lzo1x.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// LZO1X-1 (Markus Oberhumer), the compressor that Linux calls lzo, through the liblzo2 of the host; no memory is
/// allocated.
///
/// Scratch: LZO's dictionary, 128 KiB on 64-bit machines, cleared by every compress, so nothing is kept between calls;
/// decompress uses none. lzo_init is not called: in liblzo2 it sets up no state, it compares the sizes of the types that
/// header and library were compiled with. A host that loads an unknown library may call it once itself.
class lzo {
public:
    /// Of its streams, whatever wrote them (stream_format.hpp).
    [[nodiscard]] static constexpr std::uint64_t stream_format() noexcept { return stream_formats::lzo; }
    [[nodiscard]] constexpr std::size_t scratch_size(std::size_t) const noexcept { return LZO1X_1_MEM_COMPRESS; }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        return scratch.size() < LZO1X_1_MEM_COMPRESS ? status::invalid : status::ok;
    }
    /// LZO writes without looking at the room, so this is its worst case.
    [[nodiscard]] constexpr std::size_t bound(std::size_t n) const noexcept { return n + n / 16 + 64 + 3; }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (in.empty() || out.size() < bound(in.size()) || scratch.size() < LZO1X_1_MEM_COMPRESS) {
            return status::invalid;
        }
        lzo_uint length = out.size();
        if (lzo1x_1_compress(bytes(in.data()), in.size(), bytes(out.data()), &length, scratch.data()) != LZO_E_OK ||
            length < min_stream_size || length >= in.size()) {
            return status::incompressible;
        }
        return std::size_t{length};
    }

    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (out.empty()) {
            return status::invalid;
        }
        if (in.size() < min_stream_size || in.size() >= out.size()) {
            return status::corrupt;
        }
        lzo_uint length = out.size();
        const int outcome = lzo1x_decompress_safe(bytes(in.data()), in.size(), bytes(out.data()), &length, nullptr);
        return outcome == LZO_E_OK && length == out.size() ? status::ok : status::corrupt;
    }

private:
    static const unsigned char* bytes(const std::byte* from) noexcept {
        return reinterpret_cast<const unsigned char*>(from);
    }
    static unsigned char* bytes(std::byte* to) noexcept { return reinterpret_cast<unsigned char*>(to); }
};

} // namespace pagefold
