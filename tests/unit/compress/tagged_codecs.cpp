// SPDX-License-Identifier: MIT
//
// The parts; chain.cpp and routed.cpp have what is made of them.
#include <pagefold/compress/tagged_codecs.hpp>

#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_compress_tagged_codecs {
namespace {

constexpr std::size_t page_size = 4096;
using two = tagged_codecs<lz_block, page_codec>;
using one = tagged_codecs<lz_block>;
static_assert(one::is_single && one::tag_size == 0);
static_assert(!two::is_single && two::tag_size == 1);

TEST_CASE("tagged_codecs: calls come in order, with positions, until one says that it is enough") {
    std::size_t seen = 0, calls = 0;
    two{}.for_each([&](const auto&, std::size_t position) {
        seen = seen * 10 + position + 1;
        return true;
    });
    CHECK(seen == 12);
    two{}.for_each([&](const auto&, std::size_t) {
        ++calls;
        return false;
    });
    CHECK(calls == 1);
}

TEST_CASE("tagged_codecs: what may be asked of a codec, and what is a page of one word") {
    const two codecs;
    const scratch_memory scratch{codecs.scratch_size(page_size)};
    REQUIRE(codecs.prepare(scratch.span()) == status::ok);
    byte_string out(codecs.bound(page_size));
    const byte_string zeros(page_size), noise = sample_pages(page_size).back();
    CHECK(codecs.compress_same_filled(zeros, out, scratch.span()).value() == min_stream_size);
    CHECK(codecs.compress_same_filled(noise, out, scratch.span()).error() == status::incompressible);
    CHECK(codecs.compress_same_filled(noise, byte_span{out}.first(out.size() - 1), scratch.span()).error() ==
          status::invalid);
    CHECK(codecs.compress_same_filled(noise, out, scratch.span().first(0)).error() == status::invalid);
    CHECK(codecs.prepare(scratch.span().first(63)) == status::invalid);
}

TEST_CASE("tagged_codecs: each position's stream has its mark, and a codec alone has none") {
    const byte_string page = sample_pages(page_size)[16];
    const two codecs;
    const scratch_memory scratch{codecs.scratch_size(page_size)};
    REQUIRE(codecs.prepare(scratch.span()) == status::ok);
    byte_string out(codecs.bound(page_size)), back(page_size);
    codecs.for_each([&](const auto& codec, std::size_t position) {
        const result<std::size_t> size = codecs.compress_with(codec, position, page, out, scratch.span());
        REQUIRE(size);
        CHECK(out[*size - 1] == static_cast<std::byte>(position));
        CHECK(codecs.decompress(byte_view{out}.first(*size), back, scratch.span()) == status::ok);
        CHECK(back == page);
        out[*size - 1] = std::byte{2}; // nobody's
        CHECK(codecs.decompress(byte_view{out}.first(*size), back, scratch.span()) == status::corrupt);
        return true;
    });
    const one alone;
    const scratch_memory own{alone.scratch_size(page_size)};
    CHECK(own.span().size() == lz_block{}.scratch_size(page_size));
    REQUIRE(alone.prepare(own.span()) == status::ok);
    byte_string bare(lz_block{}.bound(page_size));
    const result<std::size_t> size = alone.compress_with(lz_block{}, 0, page, out, own.span());
    REQUIRE(size);
    CHECK(*size == lz_block{}.compress(page, bare, own.span()).value());
    CHECK(equal_bytes(out.data(), bare.data(), *size));
}

/// Reads as page_codec does, and counts the pairs.
struct counting : page_codec {
    unsigned* pairs = nullptr;
    [[nodiscard]] status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                              byte_span scratch) const noexcept {
        ++*pairs;
        return page_codec::decompress_pair(first, second, scratch);
    }
};

TEST_CASE("tagged_codecs: a pair goes to its codec in one call if both streams are that codec's, else page by page") {
    unsigned pairs = 0;
    counting counted;
    counted.pairs = &pairs;
    const tagged_codecs<lz_block, counting> codecs{lz_block{}, counted};
    const scratch_memory scratch{codecs.scratch_size(page_size)};
    REQUIRE(codecs.prepare(scratch.span()) == status::ok);
    const byte_string page = sample_pages(page_size)[16], other = sample_pages(page_size)[17];
    const auto stream_of = [&](const auto& codec, std::size_t position, const byte_string& from) {
        byte_string out(codecs.bound(page_size));
        const result<std::size_t> size = codecs.compress_with(codec, position, from, out, scratch.span());
        REQUIRE(size);
        out.resize(*size);
        return out;
    };
    const byte_string by_lz = stream_of(lz_block{}, 0, page), by_page = stream_of(counted, 1, page),
                      other_by_page = stream_of(counted, 1, other);
    const byte_string word(min_stream_size, std::byte{3});
    byte_string back(page_size), second(page_size);
    const auto read = [&](const byte_string& a, const byte_string& b, byte_span room) {
        pairs = 0;
        back.assign(page_size, std::byte{1});
        second.assign(page_size, std::byte{1});
        return codecs.decompress_pair({a, back}, {b, second}, room);
    };
    constexpr status_pair both{status::ok, status::ok};
    CHECK(read(by_page, other_by_page, scratch.span()) == both);
    CHECK((pairs == 1 && back == page && second == other));
    CHECK(read(by_lz, other_by_page, scratch.span()) == both);
    CHECK((pairs == 0 && back == page && second == other));
    CHECK(read(other_by_page, word, scratch.span()) == both);
    CHECK((pairs == 0 && back == other && second == byte_string(page_size, std::byte{3})));
    CHECK(read(by_lz, by_lz, scratch.span()) == both);
    CHECK((pairs == 0 && back == page && second == page));
    byte_string unmarked = by_page;
    unmarked.back() = std::byte{2}; // nobody's
    CHECK(read(unmarked, by_page, scratch.span()) == status_pair{status::corrupt, status::ok});
    CHECK((pairs == 0 && second == page));
    CHECK(read(unmarked, unmarked, scratch.span()) == status_pair{status::corrupt, status::corrupt});
    CHECK(read(by_page, byte_string(page_size, std::byte{1}), scratch.span()) ==
          status_pair{status::ok, status::corrupt});
    CHECK((pairs == 0 && back == page));
    CHECK(read(by_page, by_page, scratch.span().first(8)) == status_pair{status::invalid, status::invalid});
    CHECK(pairs == 0);
}

} // namespace
} // namespace pagefold::testing::unit_compress_tagged_codecs
