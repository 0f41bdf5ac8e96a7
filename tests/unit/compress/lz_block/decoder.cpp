// SPDX-License-Identifier: MIT
#include <pagefold/compress/lz_block/decoder.hpp>

#include <support/lz_block_reference.hpp>
#include <support/rng.hpp>

#include <doctest/doctest.h>
#include <lz4.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pagefold::testing::unit_compress_lz_block_decoder {
namespace {

using byte_string = std::vector<std::byte>;
using lz_reference::sequence;

/// In memory of exactly the stream's and the page's size, so that a sanitizer sees a byte too many.
std::optional<byte_string> decode(byte_view stream, std::size_t size) {
    const auto in = std::make_unique<std::byte[]>(stream.size());
    std::copy_n(stream.data(), stream.size(), in.get());
    const auto out = std::make_unique<std::byte[]>(size);
    const bool is_good = pagefold::detail::lz_block::decoder{{in.get(), stream.size()}, {out.get(), size}}.run();
    return is_good ? std::optional{byte_string(out.get(), out.get() + size)} : std::nullopt;
}

/// The same by liblz4.
std::optional<byte_string> decode_by_liblz4(byte_view stream, std::size_t size) {
    byte_string out(size);
    const int length =
        LZ4_decompress_safe(reinterpret_cast<const char*>(stream.data()), reinterpret_cast<char*>(out.data()),
                            static_cast<int>(stream.size()), static_cast<int>(size));
    return length == static_cast<int>(size) ? std::optional{out} : std::nullopt;
}

byte_string stream_of(std::initializer_list<int> values) {
    byte_string stream;
    for (const int value : values) {
        stream.push_back(static_cast<std::byte>(value));
    }
    return stream;
}
byte_string text(const std::string& characters) {
    byte_string made(characters.size());
    std::memcpy(made.data(), characters.data(), characters.size());
    return made;
}
byte_string some_bytes(std::size_t count, unsigned seed) {
    byte_string made(count);
    for (std::size_t i = 0; i < count; ++i) {
        made[i] = static_cast<std::byte>((seed + i) * 151 + (i >> 3));
    }
    return made;
}

TEST_CASE("lz_block decoder: streams made by hand") {
    CHECK(decode(stream_of({0x00}), 0) == byte_string{});
    CHECK(decode(stream_of({0x50, 'h', 'e', 'l', 'l', 'o'}), 5) == text("hello"));
    // A match that repeats its own last byte; two; three.
    CHECK(decode(stream_of({0x10, 'a', 1, 0, 0x00}), 5) == text("aaaaa"));
    CHECK(decode(stream_of({0x24, 'a', 'b', 2, 0, 0x10, '!'}), 11) == text("ababababab!"));
    CHECK(decode(stream_of({0x31, 'a', 'b', 'c', 3, 0, 0x10, '!'}), 9) == text("abcabcab!"));
    // Two matches in a row; a match from before the last one.
    CHECK(decode(stream_of({0x40, 'a', 'b', 'c', 'd', 4, 0, 0x00, 8, 0, 0x10, '!'}), 13) == text("abcdabcdabcd!"));
    CHECK(decode(stream_of({0x50, 'a', 'b', 'c', 'd', 'e', 4, 0, 0x10, '-', 10, 0, 0x00}), 14) ==
          text("abcdebcde-abcd"));
    // 15 literals need a byte more, which may be 0; so do matches of 19.
    CHECK(decode(stream_of({0xf0, 0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o'}), 15) ==
          text("abcdefghijklmno"));
    CHECK(decode(stream_of({0x1f, 'a', 1, 0, 0, 0x10, '!'}), 21) == text(std::string(20, 'a') + "!"));
    CHECK(decode(stream_of({0x1f, 'a', 1, 0, 254, 0x10, '!'}), 275) == text(std::string(274, 'a') + "!"));
    CHECK(decode(stream_of({0x1f, 'a', 1, 0, 255, 0, 0x10, '!'}), 276) == text(std::string(275, 'a') + "!"));
    CHECK(decode(stream_of({0x1f, 'a', 1, 0, 255, 255, 1, 0x10, '!'}), 532) == text(std::string(531, 'a') + "!"));
    // The low nibble of the last token means nothing.
    CHECK(decode(stream_of({0x5f, 'h', 'e', 'l', 'l', 'o'}), 5) == text("hello"));
}

TEST_CASE("lz_block decoder: literals of every length") {
    for (std::size_t count = 0; count < 1100; ++count) {
        CAPTURE(count);
        const byte_string literals = some_bytes(count, 3);
        CHECK(decode(lz_reference::write({{literals, 0, 0}}), count) == literals);
    }
}

TEST_CASE("lz_block decoder: every offset and length, at every distance from the end") {
    std::vector<std::size_t> offsets, lengths, tails;
    for (std::size_t i = 1; i <= 20; ++i) {
        offsets.push_back(i);
    }
    offsets.insert(offsets.end(), {24, 31, 32, 33, 48, 64});
    for (std::size_t i = 4; i <= 42; ++i) {
        lengths.push_back(i);
    }
    lengths.insert(lengths.end(), {63, 64, 65, 66, 67, 96, 272, 273, 274, 275, 529});
    for (std::size_t i = 0; i <= 50; ++i) {
        tails.push_back(i);
    }
    int wrong = 0;
    for (const std::size_t offset : offsets) {
        for (const std::size_t length : lengths) {
            for (const std::size_t tail : tails) {
                const std::vector<sequence> sequences = {{some_bytes(64, 1), offset, length},
                                                         {some_bytes(tail, 9), 0, 0}};
                const byte_string page = lz_reference::expand(sequences);
                wrong += decode(lz_reference::write(sequences), page.size()) != page;
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("lz_block decoder: every short sequence, at every distance from both ends") {
    int wrong = 0;
    for (std::size_t literals = 0; literals <= 17; ++literals) {
        for (const std::size_t offset : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 15u, 16u, 40u}) {
            for (const std::size_t length : {4u, 7u, 8u, 9u, 16u, 17u, 18u, 19u}) {
                for (std::size_t tail = 0; tail <= 42; ++tail) {
                    const std::vector<sequence> sequences = {{some_bytes(40, 1), 20, 5},
                                                             {some_bytes(literals, 2), offset, length},
                                                             {some_bytes(tail, 9), 0, 0}};
                    const byte_string page = lz_reference::expand(sequences);
                    wrong += decode(lz_reference::write(sequences), page.size()) != page;
                }
            }
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("lz_block decoder: offsets of 0, or from before the page") {
    const auto with_offset = [](std::size_t offset) {
        return lz_reference::write({{some_bytes(30, 1), offset, 20}, {some_bytes(100, 2), 0, 0}});
    };
    const auto with_offset_at_end = [](std::size_t offset) {
        return lz_reference::write({{some_bytes(30, 1), offset, 4}, {some_bytes(1, 2), 0, 0}});
    };
    CHECK(decode(with_offset(30), 150));
    CHECK(!decode(with_offset(31), 150));
    CHECK(!decode(with_offset(65535), 150));
    CHECK(!decode(with_offset(0), 150));
    CHECK(decode(with_offset_at_end(30), 35));
    CHECK(!decode(with_offset_at_end(31), 35));
    CHECK(!decode(with_offset_at_end(0), 35));
    CHECK(!decode(stream_of({0x00, 1, 0, 0x50, 'h', 'e', 'l', 'l', 'o'}), 9)); // nothing written yet
}

TEST_CASE("lz_block decoder: the page must be filled exactly") {
    for (const std::size_t tail : {0u, 1u, 5u, 20u, 60u}) {
        CAPTURE(tail);
        const byte_string stream = lz_reference::write({{some_bytes(40, 1), 9, 100}, {some_bytes(tail, 2), 0, 0}});
        CHECK(decode(stream, 140 + tail));
        for (const std::size_t size :
             {std::size_t{0}, std::size_t{1}, std::size_t{40}, 139 + tail, 141 + tail, 300 + tail}) {
            CHECK(!decode(stream, size));
        }
    }
}

TEST_CASE("lz_block decoder: nothing that was cut short") {
    const byte_string stream = lz_reference::write({{some_bytes(3, 1), 2, 30},
                                                    {some_bytes(20, 2), 17, 300},
                                                    {{}, 40, 5},
                                                    {some_bytes(300, 3), 300, 18},
                                                    {some_bytes(7, 4), 0, 0}});
    const std::size_t size = 3 + 30 + 20 + 300 + 5 + 300 + 18 + 7;
    CHECK(decode(stream, size));
    for (std::size_t length = 0; length < stream.size(); ++length) {
        CAPTURE(length);
        CHECK(!decode(byte_view{stream}.first(length), size));
        // It may well be the whole of a smaller page.
        for (const std::size_t smaller : {size - 7, size - 325, std::size_t{33}}) {
            CHECK(decode(byte_view{stream}.first(length), smaller) ==
                  lz_reference::decode(byte_view{stream}.first(length), smaller));
        }
    }
}

/// Sequences such as pages have, and others; those of one page are of about one kind.
std::vector<sequence> random_sequences(rng& random) {
    std::vector<sequence> sequences;
    const std::size_t most_literals = std::size_t{1} << random.below(10), longest = std::size_t{1} << random.below(10);
    std::size_t written = 0;
    for (std::uint64_t left = 1 + random.below(40); left != 0; --left) {
        sequence next{some_bytes((written == 0 ? 1 : 0) + random.below(most_literals), static_cast<unsigned>(random())),
                      0, 0};
        written += next.literals.size();
        next.offset = 1 + random.below(random.one_in(3) ? std::min<std::size_t>(written, 20) : written);
        next.length = 4 + random.below(longest);
        written += next.length;
        sequences.push_back(next);
    }
    sequences.push_back({some_bytes(random.below(random.one_in(2) ? 6 : 40), 5), 0, 0});
    return sequences;
}

TEST_CASE("lz_block decoder: as the description has it, with good streams and damaged ones") {
    int wrong = 0, damaged_but_good = 0;
    for (std::uint64_t round = 0; round < 4000; ++round) {
        rng random{round};
        const std::vector<sequence> sequences = random_sequences(random);
        const byte_string page = lz_reference::expand(sequences);
        byte_string stream = lz_reference::write(sequences);
        wrong += decode(stream, page.size()) != page;
        for (int i = 0; i < 8; ++i) {
            byte_string damaged = stream;
            for (std::uint64_t flips = 1 + random.below(3); flips != 0; --flips) {
                damaged[random.below(damaged.size())] = static_cast<std::byte>(random());
            }
            const std::optional<byte_string> expected = lz_reference::decode(damaged, page.size());
            wrong += decode(damaged, page.size()) != expected;
            damaged_but_good += expected.has_value();
        }
    }
    CHECK(wrong == 0);
    CHECK(damaged_but_good > 1000);
}

TEST_CASE("lz_block decoder: what liblz4 refuses and the format's description allows") {
    // liblz4 counts on the last match beginning 12 bytes and ending 5 bytes before the end of the page.
    const std::vector<sequence> ends_in_match = {{some_bytes(64, 1), 10, 40}, {{}, 0, 0}};
    const byte_string page = lz_reference::expand(ends_in_match);
    CHECK(decode(lz_reference::write(ends_in_match), page.size()) == page);
    CHECK(!decode_by_liblz4(lz_reference::write(ends_in_match), page.size()));
}

TEST_CASE("lz_block decoder: what liblz4 takes and we refuse are offsets of 0") {
    const byte_string stream = lz_reference::write({{some_bytes(64, 1), 0, 18}, {some_bytes(100, 1), 0, 0}});
    CHECK(!decode(stream, 182));
    // Version 1.9.4 makes up the bytes of the match; the description has called such offsets invalid all along.
    if (LZ4_versionNumber() == 10904) {
        CHECK(decode_by_liblz4(stream, 182));
    }
}

} // namespace
} // namespace pagefold::testing::unit_compress_lz_block_decoder
