// SPDX-License-Identifier: MIT
#pragma once

// A chain tells apart who wrote a stream without a header:
//
//   - exactly min_stream_size bytes: same_filled. Any longer: a codec. A codec's stream that would come out that short
//     is passed over, so the two never meet.
//   - with one codec, its stream as it is. With several, one byte behind the stream holds the codec's position; behind,
//     because a codec is then handed the front of `out`, aligned as the caller had it.
//
// Scratch of a chain of several: a table of where each codec's region ends, then the regions side by side. They cannot
// share, since a codec may keep state in its own between calls. The table is written by prepare, which is told the size
// of the scratch but not that of the pages: it takes the largest power of two whose scratch_size still fits, and notes it
// so that larger pages are `invalid`. As sizes grow with the page, every region is then at least as large as its codec
// asked for. A chain of one codec hands the scratch through.

#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/same_filled.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

template <std::size_t Position, compressor Codec>
struct chain_member {
    // Not no_unique_address: clang 16 gives such a member another place where it imports the class than in the module.
    Codec codec{};
};

template <class Positions, compressor... Codec>
struct chain_members;

template <std::size_t... Position, compressor... Codec>
struct chain_members<std::index_sequence<Position...>, Codec...> : chain_member<Position, Codec>... {};

} // namespace detail

/// Same-filled pages first, then the codecs in order: the first whose stream (its tag included) is shorter than the page
/// wins. Page sizes: multiples of 8, from 16, that every codec takes; up to 16 MiB if there are several. No codec's
/// scratch_size may shrink as pages grow. A same-filled page needs no scratch.
template <compressor... Codec>
requires(sizeof...(Codec) >= 1 && sizeof...(Codec) <= 255) class chain {
public:
    constexpr chain() noexcept = default;
    constexpr explicit chain(const Codec&... codec) noexcept : members_{{codec}...} {}

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

    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (out.size() < bound(in.size()) || !suffices(scratch, in.size())) {
            return status::invalid;
        }
        result<std::size_t> answer = same_filled{}.compress(in, out, {});
        if (answer.error() != status::incompressible) {
            return answer;
        }
        for_each([&](const auto& codec, std::size_t position) {
            answer = codec.compress(in, out.first(out.size() - tag_size), region(scratch, position));
            if (!answer) {
                return answer.error() == status::incompressible;
            }
            const std::size_t size = *answer + tag_size;
            if (size <= min_stream_size || size >= in.size()) {
                answer = status::incompressible;
                return true;
            }
            if constexpr (!is_single) {
                out[size - 1] = static_cast<std::byte>(position);
                answer = size;
            }
            return false;
        });
        return answer;
    }

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

private:
    static constexpr bool is_single = sizeof...(Codec) == 1;
    static constexpr std::size_t tag_size = is_single ? 0 : 1;
    static constexpr std::size_t largest_page = std::size_t{1} << 24;

    struct layout {
        std::size_t max_page;
        std::size_t end[sizeof...(Codec)]; // where the regions end; the first begins behind the table
    };
    static constexpr std::size_t table_size = round_up(sizeof(layout), scratch_alignment);

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

    /// `call(codec, position)` for each codec, until it says false.
    template <class Call>
    void for_each(Call call) const noexcept {
        for_positions(std::make_index_sequence<sizeof...(Codec)>{}, call);
    }
    template <std::size_t... Position, class Call>
    void for_positions(std::index_sequence<Position...>, Call& call) const noexcept {
        static_cast<void>(
            (call(static_cast<const detail::chain_member<Position, Codec>&>(members_).codec, Position) && ...));
    }

    detail::chain_members<std::make_index_sequence<sizeof...(Codec)>, Codec...> members_{};
};

} // namespace pagefold
