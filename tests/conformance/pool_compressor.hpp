// SPDX-License-Identifier: MIT
#pragma once

// What a pool_compressor promises beyond a compressor (the second table in compress/concept.hpp), as a function that says
// which of its clauses a codec breaks.

#include <conformance/compressor.hpp>

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/page_context.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pagefold::testing {

enum class pool_compressor_clause {
    each_is_a_compressor, ///< with any number it keeps a compressor's contract
    first_by_default,     ///< without a page it does what number 0 does
    refuses_no_number,    ///< a number at or above codec_count is `invalid`
    reads_every_number,   ///< a stream reads back whatever number the page's pool has by then
    heeds_the_number, ///< where codecs differ in what they write, the page's number decides (where the caller says so)
};

[[nodiscard]] inline const char* to_string(pool_compressor_clause clause) noexcept {
    switch (clause) {
    case pool_compressor_clause::each_is_a_compressor: return "each_is_a_compressor";
    case pool_compressor_clause::first_by_default: return "first_by_default";
    case pool_compressor_clause::refuses_no_number: return "refuses_no_number";
    case pool_compressor_clause::reads_every_number: return "reads_every_number";
    case pool_compressor_clause::heeds_the_number: return "heeds_the_number";
    }
    return "unknown";
}

/// The page of a pool that has this codec.
[[nodiscard]] inline page_context page_with_codec(unsigned codec) noexcept {
    return {static_cast<pool_id>(7), pool_kind::ephemeral, static_cast<std::uint8_t>(codec)};
}

/// A pool_compressor as the compressor that it is for the pools of one number.
template <pool_compressor Codec>
struct numbered_codec {
    const Codec& codec;
    unsigned number;

    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codec.scratch_size(n); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept { return codec.prepare(scratch); }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codec.bound(n); }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.compress(in, out, scratch, page_with_codec(number));
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.decompress(in, out, scratch, page_with_codec(number));
    }
};

/// `differ`: whether some page has another stream from each two of its codecs.
template <pool_compressor Codec>
[[nodiscard]] std::set<pool_compressor_clause> pool_violations(const Codec& codec, std::size_t page_size, bool differ) {
    using clause = pool_compressor_clause;
    std::set<clause> broken;
    const auto expect = [&](bool holds, clause which) {
        if (!holds) {
            broken.insert(which);
        }
    };
    for (unsigned number = 0; number < Codec::codec_count; ++number) {
        expect(violations(numbered_codec<Codec>{codec, number}, page_size).empty(), clause::each_is_a_compressor);
    }
    if (!broken.empty()) {
        return broken;
    }
    const scratch_memory scratch{codec.scratch_size(page_size)};
    expect(codec.prepare(scratch.span()) == status::ok, clause::each_is_a_compressor);
    byte_string out(codec.bound(page_size)), back(page_size);
    std::set<unsigned> heard; // numbers that wrote something of their own
    for (const byte_string& page : sample_pages(page_size)) {
        std::vector<std::optional<byte_string>> streams;
        for (unsigned number = 0; number < Codec::codec_count; ++number) {
            const result<std::size_t> size = codec.compress(page, out, scratch.span(), page_with_codec(number));
            std::optional<byte_string> stream;
            if (size) {
                stream = byte_string(out.data(), out.data() + *size);
            }
            for (unsigned other = 0; stream && other < number; ++other) {
                if (streams[other] && *streams[other] != *stream) {
                    heard.insert(number);
                    heard.insert(other);
                }
            }
            streams.push_back(stream);
        }
        const result<std::size_t> plain = codec.compress(page, out, scratch.span());
        expect(plain ? streams[0] && streams[0]->size() == *plain && same(*streams[0], byte_view{out}.first(*plain))
                     : !streams[0],
               clause::first_by_default);
        for (const unsigned none : {unsigned{Codec::codec_count}, 254u, 255u}) {
            if (none >= Codec::codec_count && none < 256) {
                expect(codec.compress(page, out, scratch.span(), page_with_codec(none)).error() == status::invalid,
                       clause::refuses_no_number);
            }
        }
        for (const std::optional<byte_string>& stream : streams) {
            for (unsigned now = 0; stream && now < Codec::codec_count; ++now) {
                const status s = codec.decompress(*stream, back, scratch.span(), page_with_codec(now));
                expect(s == status::ok && back == page, clause::reads_every_number);
            }
            if (stream) {
                expect(codec.decompress(*stream, back, scratch.span()) == status::ok && back == page,
                       clause::reads_every_number);
            }
        }
    }
    expect(!differ || heard.size() == Codec::codec_count, clause::heeds_the_number);
    return broken;
}

[[nodiscard]] inline std::string describe(const std::set<pool_compressor_clause>& broken) {
    std::string names;
    for (const pool_compressor_clause clause : broken) {
        names += names.empty() ? "" : ", ";
        names += to_string(clause);
    }
    return names;
}

} // namespace pagefold::testing
