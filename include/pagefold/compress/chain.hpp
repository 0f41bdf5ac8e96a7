// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/tagged_codecs.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Same-filled pages first, then the codecs in order: the first whose stream (its tag included) is shorter than the page
/// wins. How streams are told apart, page sizes and scratch: tagged_codecs.hpp.
template <compressor... Codec>
requires(sizeof...(Codec) >= 1 && sizeof...(Codec) <= 255) class chain {
public:
    constexpr chain() noexcept = default;
    constexpr explicit chain(const Codec&... codec) noexcept : codecs_{codec...} {}

    /// Of its streams (stream_format.hpp); 0 where one of its codecs has none.
    [[nodiscard]] constexpr std::uint64_t stream_format() const noexcept { return codecs_.stream_format(); }
    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codecs_.scratch_size(n); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept { return codecs_.prepare(scratch); }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codecs_.bound(n); }

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        result<std::size_t> answer = codecs_.compress_same_filled(in, out, scratch);
        if (answer.error() == status::incompressible) {
            codecs_.for_each([&](const auto& codec, std::size_t position) {
                answer = codecs_.compress_with(codec, position, in, out, scratch);
                return answer.error() == status::incompressible;
            });
        }
        return answer;
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
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
