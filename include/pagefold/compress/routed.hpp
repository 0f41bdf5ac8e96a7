// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/tagged_codecs.hpp>
#include <pagefold/core/page_context.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Same-filled pages first, then the codec that the page's pool has: `page_context::codec` is its position in the list.
/// Without a context it is the first. A page that this one can't shrink is incompressible; for a pool that should try several,
/// give a chain a position.
///
/// The stream tells who wrote it, by the same mark as a chain's (tagged_codecs.hpp): a pool's codec may change at any time,
/// and what was kept before stays readable; a chain of the same codecs reads it too. The mark takes a byte of each
/// stream. Cost: a comparison for each position before the codec's.
template <compressor... Codec>
requires(sizeof...(Codec) >= 1 && sizeof...(Codec) <= 255) class routed {
public:
    static constexpr unsigned codec_count = sizeof...(Codec);

    constexpr routed() noexcept = default;
    constexpr explicit routed(const Codec&... codec) noexcept : codecs_{codec...} {}

    /// Of its streams (stream_format.hpp); 0 where one of its codecs has none.
    [[nodiscard]] constexpr std::uint64_t stream_format() const noexcept { return codecs_.stream_format(); }
    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codecs_.scratch_size(n); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept { return codecs_.prepare(scratch); }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codecs_.bound(n); }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page = {}) const noexcept {
        if (page.codec >= codec_count) {
            return status::invalid;
        }
        result<std::size_t> answer = codecs_.compress_same_filled(in, out, scratch);
        if (answer.error() == status::incompressible) {
            codecs_.for_each([&](const auto& codec, std::size_t position) {
                if (position != page.codec) {
                    return true;
                }
                answer = codecs_.compress_with(codec, position, in, out, scratch);
                return false;
            });
        }
        return answer;
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch,
                                    const page_context& = {}) const noexcept {
        return codecs_.decompress(in, out, scratch);
    }
    /// Two streams of one codec by its decompress_pair, if it has one; others by two calls of decompress.
    [[nodiscard]] status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                              byte_span scratch) const noexcept
        requires((pair_decompressor<Codec> || ...)) {
        return codecs_.decompress_pair(first, second, scratch);
    }

private:
    tagged_codecs<Codec...> codecs_{};
};

} // namespace pagefold
