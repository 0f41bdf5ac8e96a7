// SPDX-License-Identifier: MIT
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/zstd.hpp>

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_compress_chain {
namespace {

static_assert(compressor<chain<lz4>>);
static_assert(compressor<chain<lz4, zstd>>);
static_assert(!pair_decompressor<chain<lz4, zstd>>, "none of its codecs reads pairs");
static_assert(compressor<chain<chain<lz4>, lz4>>);
static_assert(sizeof(chain<lz4>) == 1, "settings that are none take no room");

/// What the codecs of a test were asked, in order.
struct journal {
    std::vector<std::pair<char, byte_span>> prepared;
    std::vector<std::pair<char, byte_span>> compressed;
    std::vector<std::pair<char, byte_span>> decompressed;
};

/// Answers as it is told: a stream of `length` bytes that are all its name, or a status.
struct scripted {
    char name = '?';
    journal* log = nullptr;
    result<std::size_t> answer{status::incompressible};
    std::size_t scratch_per_page = 0;
    status prepare_answer = status::ok;

    std::size_t scratch_size(std::size_t n) const noexcept { return scratch_per_page == 0 ? 0 : n / scratch_per_page; }
    status prepare(byte_span scratch) const noexcept {
        log->prepared.emplace_back(name, scratch);
        return prepare_answer;
    }
    std::size_t bound(std::size_t n) const noexcept { return n; }
    result<std::size_t> compress(byte_view, byte_span out, byte_span scratch) const noexcept {
        log->compressed.emplace_back(name, scratch);
        if (answer) {
            std::fill_n(out.data(), *answer, static_cast<std::byte>(name));
        }
        return answer;
    }
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        log->decompressed.emplace_back(name, scratch);
        std::fill_n(out.data(), out.size(), in[0]);
        return status::ok;
    }
};

constexpr std::size_t page_size = 4096;

byte_string noise() { return sample_pages(page_size).back(); }

/// Two codecs and what becomes of a page of noise in their chain.
struct outcome_of_two {
    journal log;
    byte_string out = byte_string(2 * page_size);
    result<std::size_t> length{status::incompressible};
    chain<scripted, scripted> codec;
    scratch_memory scratch;

    outcome_of_two(result<std::size_t> first, result<std::size_t> second)
        : codec{scripted{'a', &log, first}, scripted{'b', &log, second}}, scratch{codec.scratch_size(page_size)} {
        CHECK(codec.prepare(scratch.span()) == status::ok);
        length = codec.compress(noise(), out, scratch.span());
    }
    [[nodiscard]] std::string asked() const {
        std::string names;
        for (const auto& [name, region] : log.compressed) {
            names += name;
        }
        return names;
    }
};

TEST_CASE("chain: same-filled pages are eight bytes, and no codec is asked") {
    journal log;
    const chain<scripted> codec{scripted{'a', &log, std::size_t{100}}};
    const byte_string page = sample_pages(page_size)[2];
    byte_string out(page_size);
    CHECK(*codec.compress(page, out, {}) == 8);
    CHECK(equal_bytes(out.data(), "swapfold", 8));
    byte_string back(page_size);
    CHECK(codec.decompress(byte_view{out}.first(8), back, {}) == status::ok);
    CHECK(back == page);
    CHECK(log.compressed.empty());
    CHECK(log.decompressed.empty());
}

TEST_CASE("chain: one codec's stream is kept as it is") {
    const scratch_memory scratch{chain<lz4>{}.scratch_size(page_size)};
    CHECK(scratch.span().size() == lz4{}.scratch_size(page_size));
    CHECK(chain<lz4>{}.bound(page_size) == lz4{}.bound(page_size));
    REQUIRE(chain<lz4>{}.prepare(scratch.span()) == status::ok);
    int compressed = 0;
    for (const byte_string& page : sample_pages(page_size)) {
        byte_string chained(lz4{}.bound(page_size));
        byte_string bare(lz4{}.bound(page_size));
        const result<std::size_t> length = chain<lz4>{}.compress(page, chained, scratch.span());
        const result<std::size_t> bare_length = lz4{}.compress(page, bare, scratch.span());
        if (length && *length > min_stream_size) {
            CHECK(*length == *bare_length);
            CHECK(chained == bare);
            ++compressed;
        }
    }
    CHECK(compressed > 10);
}

TEST_CASE("chain: the first codec whose stream is shorter than the page wins, and its position stands behind it") {
    const outcome_of_two first{std::size_t{100}, std::size_t{50}};
    CHECK(*first.length == 101);
    CHECK(first.out[99] == std::byte{'a'});
    CHECK(first.out[100] == std::byte{0});
    CHECK(first.asked() == "a");

    const outcome_of_two second{status::incompressible, std::size_t{50}};
    CHECK(*second.length == 51);
    CHECK(second.out[49] == std::byte{'b'});
    CHECK(second.out[50] == std::byte{1});
    CHECK(second.asked() == "ab");

    const outcome_of_two none{status::incompressible, status::incompressible};
    CHECK(none.length.error() == status::incompressible);
    CHECK(none.asked() == "ab");

    const outcome_of_two failed{status::invalid, std::size_t{50}};
    CHECK(failed.length.error() == status::invalid);
    CHECK(failed.asked() == "a");
}

TEST_CASE("chain: with its tag, too, a stream is shorter than the page") {
    CHECK(*outcome_of_two{page_size - 2, std::size_t{50}}.length == page_size - 1);
    CHECK(*outcome_of_two{page_size - 1, std::size_t{50}}.length == 51);
    CHECK(outcome_of_two{page_size - 1, page_size - 1}.length.error() == status::incompressible);
}

TEST_CASE("chain: a codec's stream is never as short as a same-filled page's") {
    CHECK(*outcome_of_two{std::size_t{8}, std::size_t{50}}.length == 9); // its tag makes it longer

    journal log;
    const chain<scripted> single{scripted{'a', &log, std::size_t{8}}};
    byte_string out(page_size);
    CHECK(single.compress(noise(), out, {}).error() == status::incompressible);
    const chain<scripted> longer{scripted{'a', &log, std::size_t{9}}};
    CHECK(*longer.compress(noise(), out, {}) == 9);
}

TEST_CASE("chain: a stream goes to the codec that wrote it") {
    outcome_of_two two{std::size_t{100}, std::size_t{100}};
    byte_string stream(20, std::byte{'x'});
    byte_string back(page_size);
    stream.back() = std::byte{1};
    CHECK(two.codec.decompress(stream, back, two.scratch.span()) == status::ok);
    REQUIRE(two.log.decompressed.size() == 1);
    CHECK(two.log.decompressed[0].first == 'b');
    stream.back() = std::byte{0};
    CHECK(two.codec.decompress(stream, back, two.scratch.span()) == status::ok);
    REQUIRE(two.log.decompressed.size() == 2);
    CHECK(two.log.decompressed[1].first == 'a');
    for (const unsigned unknown : {2u, 3u, 255u}) {
        stream.back() = static_cast<std::byte>(unknown);
        CHECK(two.codec.decompress(stream, back, two.scratch.span()) == status::corrupt);
    }
    CHECK(two.codec.decompress(byte_view{stream}.first(7), back, two.scratch.span()) == status::corrupt);
    CHECK(two.codec.decompress({}, back, two.scratch.span()) == status::corrupt);
    CHECK(two.log.decompressed.size() == 2);
}

TEST_CASE("chain: every codec has a region of its own, aligned, prepared, and the same at each call") {
    for (const std::size_t size : {std::size_t{4096}, std::size_t{12288}, std::size_t{65536}}) {
        CAPTURE(size);
        journal log;
        const chain<scripted, scripted, scripted> codec{scripted{'a', &log, status::incompressible, 100},
                                                        scripted{'b', &log, status::incompressible, 0},
                                                        scripted{'c', &log, status::incompressible, 7}};
        const scratch_memory scratch{codec.scratch_size(size)};
        REQUIRE(codec.prepare(scratch.span()) == status::ok);
        REQUIRE(log.prepared.size() == 3);
        const std::byte* free_from = scratch.span().data();
        for (const auto& [name, region] : log.prepared) {
            CHECK(static_cast<std::size_t>(region.data() - scratch.span().data()) % scratch_alignment == 0);
            CHECK(region.data() >= free_from);
            free_from = region.data() + region.size();
        }
        CHECK(free_from <= scratch.span().data() + scratch.span().size());
        CHECK(log.prepared[0].second.size() >= size / 100);
        CHECK(log.prepared[2].second.size() >= size / 7);

        byte_string page(size);
        page[0] = std::byte{1};
        byte_string out(codec.bound(size));
        CHECK(codec.compress(page, out, scratch.span()).error() == status::incompressible);
        REQUIRE(log.compressed.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(log.compressed[i].second.data() == log.prepared[i].second.data());
            CHECK(log.compressed[i].second.size() == log.prepared[i].second.size());
        }
        byte_string twice(2 * std::bit_ceil(size));
        twice[0] = std::byte{1};
        out.resize(codec.bound(twice.size()));
        CHECK(codec.compress(twice, out, scratch.span()).error() == status::invalid);
    }
}

TEST_CASE("chain: a codec that cannot be prepared") {
    journal log;
    const chain<scripted, scripted> codec{scripted{'a', &log, status::incompressible, 8, status::invalid},
                                          scripted{'b', &log, status::incompressible}};
    const scratch_memory scratch{codec.scratch_size(page_size)};
    CHECK(codec.prepare(scratch.span()) == status::invalid);
    CHECK(codec.prepare({}) == status::invalid);
}

TEST_CASE("chain: a dense codec takes what a fast one leaves") {
    const chain<lz4, zstd> codec{lz4{}, zstd{9}};
    // Bytes of four bits each, with no repeats to speak of: nothing for LZ4, half for an entropy coder.
    byte_string page = noise();
    for (std::byte& b : page) {
        b &= std::byte{0x0f};
    }
    const scratch_memory scratch{codec.scratch_size(page_size)};
    REQUIRE(codec.prepare(scratch.span()) == status::ok);
    byte_string out(codec.bound(page_size));
    const result<std::size_t> length = codec.compress(page, out, scratch.span());
    REQUIRE(length);
    CHECK(out[*length - 1] == std::byte{1});
    CHECK(*length < page_size * 6 / 10);
    byte_string back(page_size);
    CHECK(codec.decompress(byte_view{out}.first(*length), back, scratch.span()) == status::ok);
    CHECK(back == page);
}

} // namespace
} // namespace pagefold::testing::unit_compress_chain
