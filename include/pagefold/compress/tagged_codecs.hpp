// SPDX-License-Identifier: MIT
#pragma once

// Who wrote a stream is told apart without a header:
//
//   - exactly min_stream_size bytes: same_filled. Any longer: a codec. A codec's stream that would come out that short
//     is passed over, so the two never meet.
//   - with one codec, its stream as it is. With several, one byte behind the stream holds the codec's position; behind,
//     because a codec is then handed the front of `out`, aligned as the caller had it.
//
// The positions are the format. What was kept stays readable where codecs are added at the end of a list of several, and
// after no other change of it. There are two ways to choose, and each reads what the other wrote: chain takes the first codec
// whose stream is shorter than the page, routed the one that the page's pool has.
//
// Scratch of several: a table of where each codec's region ends, then the regions side by side. They cannot
// share, since a codec may keep state in its own between calls. The table is written by prepare, which is told the size
// of the scratch but not that of the pages: it takes the largest power of two whose scratch_size still fits, and notes it
// so that larger pages are `invalid`. As sizes grow with the page, every region is then at least as large as its codec
// asked for. One codec alone is handed the scratch as it is.

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/same_filled.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/stream_format.hpp>
#include <pagefold/ds/value_list.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What chain and routed share: same-filled pages, the codecs with their regions of the scratch, and reading. Page sizes:
/// from 9, those that every codec takes; up to 16 MiB if there are several. No codec's scratch_size may shrink
/// as pages grow. A same-filled page needs no scratch.
template <compressor... Codec>
requires(sizeof...(Codec) >= 1 && sizeof...(Codec) <= 255) class tagged_codecs {
public:
    static constexpr bool is_single = sizeof...(Codec) == 1;
    static constexpr std::size_t tag_size = is_single ? 0 : 1;

    constexpr tagged_codecs() noexcept = default;
    constexpr explicit tagged_codecs(const Codec&... codec) noexcept : codecs_{codec...} {}

    /// Of its streams; 0 where one of its codecs has none.
    [[nodiscard]] constexpr std::uint64_t stream_format() const noexcept {
        std::uint64_t all = stream_formats::list;
        bool is_known = true;
        for_each([&](const auto& codec, std::size_t) {
            const std::uint64_t one = stream_format_of(codec);
            is_known = is_known && one != 0;
            all = mix(all, one);
            return true;
        });
        return is_known ? all : 0;
    }

    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept {
        std::size_t size = is_single ? 0 : table_size;
        for_each([&](const auto& codec, std::size_t) {
            size += is_single ? codec.scratch_size(n) : region_size(codec, next_power_of_two(n));
            return true;
        });
        return size;
    }

    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        if constexpr (!is_single) {
            std::size_t page = largest_page;
            while (page != 0 && scratch_size(page) > scratch.size()) {
                page /= 2;
            }
            if (page == 0) {
                return status::invalid;
            }
            store_native(scratch.data(), layout_for(page));
        }
        status answer = status::ok;
        for_each([&](const auto& codec, std::size_t position) {
            answer = codec.prepare(region(scratch, position));
            return answer == status::ok;
        });
        return answer;
    }

    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept {
        std::size_t most = same_filled{}.bound(n);
        for_each([&](const auto& codec, std::size_t) {
            const std::size_t own = codec.bound(n) + tag_size;
            most = own > most ? own : most;
            return true;
        });
        return most;
    }

    /// A same-filled page's stream; for any other page incompressible, or invalid where a codec is not to be asked.
    [[nodiscard]] result<std::size_t> compress_same_filled(byte_view in, byte_span out,
                                                           byte_span scratch) const noexcept {
        if (out.size() < bound(in.size()) || !suffices(scratch, in.size())) {
            return status::invalid;
        }
        return same_filled{}.compress(in, out, {});
    }
    /// The stream of one codec with its tag; incompressible where that is not shorter than the page. After
    /// compress_same_filled has said that a codec may be asked.
    [[nodiscard]] result<std::size_t> compress_with(const auto& codec, std::size_t position, byte_view in,
                                                    byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> packed =
            codec.compress(in, out.first(out.size() - tag_size), region(scratch, position));
        if (!packed) {
            return packed;
        }
        const std::size_t size = *packed + tag_size;
        if (size <= min_stream_size || size >= in.size()) {
            return status::incompressible;
        }
        if constexpr (!is_single) {
            out[size - 1] = static_cast<std::byte>(position);
        }
        return size;
    }

    /// By whichever codec the stream says.
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (in.size() == min_stream_size) {
            return same_filled{}.decompress(in, out, {});
        }
        if (!suffices(scratch, out.size())) {
            return status::invalid;
        }
        if (in.size() < min_stream_size || in.size() >= out.size()) {
            return status::corrupt;
        }
        const byte_view stream = in.first(in.size() - tag_size);
        const std::size_t tag = is_single ? 0 : static_cast<std::size_t>(in[in.size() - 1]);
        status answer = status::corrupt;
        for_each([&](const auto& codec, std::size_t position) {
            if (position == tag) {
                answer = codec.decompress(stream, out, region(scratch, position));
            }
            return position != tag;
        });
        return answer;
    }

    /// Two streams of one codec by its decompress_pair, if it has one; others by two calls of decompress.
    [[nodiscard]] status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                              byte_span scratch) const noexcept
        requires((pair_decompressor<Codec> || ...)) {
        const std::size_t position = position_of(first, scratch);
        if (position == sizeof...(Codec) || position_of(second, scratch) != position) {
            const status answer = decompress(first.in, first.out, scratch);
            return {answer, decompress(second.in, second.out, scratch)};
        }
        status_pair answers{status::corrupt, status::corrupt};
        for_each([&](const auto& codec, std::size_t own) {
            if (own == position) {
                answers = pagefold::decompress_pair(codec, without_tag(first), without_tag(second),
                                                    region(scratch, position));
            }
            return own != position;
        });
        return answers;
    }

    /// `call(codec, position)` for each codec, until it says false.
    template <class Call>
    void for_each(Call call) const noexcept {
        codecs_.for_each_while(call);
    }

private:
    static constexpr std::size_t largest_page = std::size_t{1} << 24;

    struct layout {
        std::size_t max_page;
        std::size_t end[sizeof...(Codec)]; // where the regions end; the first begins behind the table
    };
    static constexpr std::size_t table_size = round_up(sizeof(layout), scratch_alignment);

    static page_to_read without_tag(const page_to_read& page) noexcept {
        return {page.in.first(page.in.size() - tag_size), page.out};
    }
    /// The codec that decompress hands the page on to; how many there are where it goes to none.
    [[nodiscard]] static std::size_t position_of(const page_to_read& page, byte_span scratch) noexcept {
        if (page.in.size() <= min_stream_size || !suffices(scratch, page.out.size()) ||
            page.in.size() >= page.out.size()) {
            return sizeof...(Codec);
        }
        const std::size_t tag = is_single ? 0 : static_cast<std::size_t>(page.in[page.in.size() - 1]);
        return tag < sizeof...(Codec) ? tag : sizeof...(Codec);
    }

    static std::size_t region_size(const auto& codec, std::size_t page) noexcept {
        return round_up(codec.scratch_size(page), scratch_alignment);
    }

    [[nodiscard]] layout layout_for(std::size_t page) const noexcept {
        layout table{page, {}};
        std::size_t end = table_size;
        for_each([&](const auto& codec, std::size_t position) {
            end += region_size(codec, page);
            table.end[position] = end;
            return true;
        });
        return table;
    }

    static bool suffices(byte_span scratch, std::size_t page) noexcept {
        if constexpr (is_single) {
            return true; // the codec will say
        } else {
            if (scratch.size() < table_size) {
                return false;
            }
            const auto table = load_native<layout>(scratch.data());
            return page <= table.max_page && table.end[sizeof...(Codec) - 1] <= scratch.size();
        }
    }

    static byte_span region(byte_span scratch, std::size_t position) noexcept {
        if constexpr (is_single) {
            return scratch;
        } else {
            const auto table = load_native<layout>(scratch.data());
            const std::size_t begin = position == 0 ? table_size : table.end[position - 1];
            return scratch.subview(begin, table.end[position] - begin);
        }
    }

    value_list<Codec...> codecs_{};
};

} // namespace pagefold
