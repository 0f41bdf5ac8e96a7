// SPDX-License-Identifier: MIT

#include "support/pages.hpp"
#include "support/store_fixture.hpp"
#include "support/tsan_ordered.hpp"
#include "support/values.hpp"

#include <pagefold/admit/always.hpp>
#include <pagefold/admit/concept.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/page_or_lz.hpp>
#include <pagefold/compress/routed.hpp>
#include <pagefold/compress/same_filled.hpp>
#include <pagefold/compress/zstd.hpp>
#include <pagefold/store/codec_stage.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_store_codec_stage {
namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t no_most = page_size;

/// What a played codec answers, and what is done while it works.
struct codec_part {
    result<std::size_t> packed = status::incompressible; ///< so many bytes of the page
    status unpacked = status::ok;
    std::function<void()> meanwhile;
    std::vector<std::byte> seen_first, seen_last; ///< the page as it was before and after
};
/// Does what its part says; a stream is the beginning of the page.
struct played_codec {
    codec_part* part = nullptr;

    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 64; }
    [[nodiscard]] status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n + 16; }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        part->seen_first.assign(in.data(), in.data() + in.size());
        const std::size_t half = in.size() / 2;
        std::memcpy(out.data(), in.data(), half);
        if (part->meanwhile) {
            part->meanwhile();
        }
        std::memcpy(out.data() + half, in.data() + half, in.size() - half);
        part->seen_last.assign(in.data(), in.data() + in.size());
        return part->packed;
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        std::memset(out.data(), 0, out.size());
        std::memcpy(out.data(), in.data(), in.size());
        return part->unpacked;
    }
};

/// Notes what it is asked, and answers what it is told.
struct played_admission {
    admission answer = admission::packed;
    admission_query* asked = nullptr;

    [[nodiscard]] admission admit(const admission_query& query) const noexcept {
        if (asked != nullptr) {
            *asked = query;
        }
        return answer;
    }
};

struct scene {
    explicit scene(admission answer = admission::packed) : stage{played_codec{&part}, {answer, &asked}} {
        make_page(page, page_kind::random, 3);
    }
    result<byte_view> pack(std::size_t most = no_most) {
        return stage.pack(page, copy, buffer, scratch, most, {{static_cast<pool_id>(5), pool_kind::ephemeral}, 99},
                          has_failed);
    }
    [[nodiscard]] bool is_raw(const result<byte_view>& stream) const {
        return stream && (*stream).size() == page_size && (*stream).data() == copy.data() &&
               std::memcmp((*stream).data(), page.data(), page_size) == 0;
    }
    [[nodiscard]] bool is_packed(const result<byte_view>& stream, std::size_t size) const {
        return stream && (*stream).size() == size && (*stream).data() == buffer.data();
    }

    codec_part part;
    admission_query asked{};
    bool has_failed = true;
    codec_stage<played_codec, played_admission> stage;
    std::vector<std::byte> page = std::vector<std::byte>(page_size), copy = page,
                           buffer = std::vector<std::byte>(page_size + 16), scratch = std::vector<std::byte>(64);
};

struct played_config : default_config {
    using compressor_type = played_codec;
    using admission_type = played_admission;
};
using played_store = store_fixture<page_store<played_config>>;

} // namespace

TEST_CASE("codec_stage: a stream is kept if it is shorter than the page, by one byte or by all but eight") {
    scene s;
    for (const std::size_t size : {min_stream_size, min_stream_size + 1, page_size / 2, page_size - 1}) {
        s.part.packed = size;
        CHECK(s.is_packed(s.pack(), size));
        CHECK(s.asked.packed_bytes == size);
        CHECK(s.asked.page_bytes == page_size);
        CHECK(s.asked.kind == pool_kind::ephemeral);
    }
    for (const std::size_t size : {page_size, page_size + 16}) {
        s.part.packed = size;
        CHECK(s.is_raw(s.pack()));
        CHECK(s.asked.packed_bytes == page_size);
    }
    s.part.packed = status::incompressible;
    CHECK(s.is_raw(s.pack()));
    CHECK(s.asked.packed_bytes == page_size);
    CHECK(!s.has_failed);
}

TEST_CASE("codec_stage: a compressor that fails is counted, and its page kept raw") {
    scene s;
    for (const status why : {status::invalid, status::corrupt, status::no_memory, status::limit, status::busy}) {
        s.part.packed = why;
        CHECK(s.is_raw(s.pack()));
        CHECK(s.asked.packed_bytes == page_size);
        CHECK(s.has_failed);
    }
}

TEST_CASE("codec_stage: admission keeps, keeps raw, or refuses") {
    scene raw{admission::raw};
    raw.part.packed = 100;
    CHECK(raw.is_raw(raw.pack()));
    CHECK(raw.asked.packed_bytes == 100);
    scene rejecting{admission::reject};
    rejecting.part.packed = 100;
    CHECK(rejecting.pack().error() == status::incompressible);
    rejecting.part.packed = status::invalid;
    CHECK(rejecting.pack().error() == status::incompressible);
    CHECK(rejecting.has_failed);
    rejecting.part.packed = 100;
    CHECK(rejecting.pack().error() == status::incompressible);
    CHECK(!rejecting.has_failed);
}

TEST_CASE("codec_stage: a stream that would take a whole page is kept raw") {
    scene s;
    s.part.packed = 3000;
    CHECK(s.is_packed(s.pack(3000), 3000));
    CHECK(s.is_raw(s.pack(2999)));
    CHECK(s.asked.packed_bytes == 3000);
}

TEST_CASE("codec_stage: a page that changes while it is packed was copied before") {
    scene s;
    s.part.packed = page_size / 2 + 100;
    const std::vector<std::byte> before = s.page;
    s.part.meanwhile = [&] { std::memset(s.page.data(), 0xee, s.page.size()); };
    const result<byte_view> stream = s.pack();
    REQUIRE(s.is_packed(stream, page_size / 2 + 100));
    CHECK(s.part.seen_first == before);
    CHECK(s.part.seen_last == before);
    CHECK(std::memcmp((*stream).data(), before.data(), (*stream).size()) == 0);
}

namespace {

/// Screens by the past, and remembers.
struct played_screen : played_admission {
    unsigned* screened = nullptr;
    admission_query* before = nullptr;

    [[nodiscard]] bool screen(const admission_query& query) const noexcept {
        ++*screened;
        *before = query;
        return query.past != key_past::unseen;
    }
    [[nodiscard]] unsigned ghost_percent() const noexcept { return 40; }
};

/// Tells what page it was handed, and has a number of its own.
struct played_pool_codec : played_codec {
    static constexpr unsigned codec_count = 5;
    page_context* packed_of = nullptr;
    page_context* unpacked_of = nullptr;

    using played_codec::compress;
    using played_codec::decompress;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const noexcept {
        *packed_of = page;
        return compress(in, out, scratch);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch,
                                    const page_context& page) const noexcept {
        *unpacked_of = page;
        return decompress(in, out, scratch);
    }
};
static_assert(pool_compressor<played_pool_codec>);

} // namespace

TEST_CASE("codec_stage: a page that is screened out is neither copied nor compressed") {
    scene s;
    s.part.packed = 100;
    unsigned screened = 0;
    admission_query before{}, asked{};
    played_screen policy;
    policy.asked = &asked;
    policy.screened = &screened;
    policy.before = &before;
    codec_stage<played_codec, played_screen> stage{played_codec{&s.part}, policy};
    page_facts facts{{static_cast<pool_id>(5), pool_kind::ephemeral}, 99, key_past::unseen, 3};
    s.copy.assign(page_size, std::byte{1});
    CHECK(stage.pack(s.page, s.copy, s.buffer, s.scratch, no_most, facts, s.has_failed).error() ==
          status::incompressible);
    CHECK(screened == 1);
    CHECK(before.page_bytes == page_size);
    CHECK(before.packed_bytes == page_size);
    CHECK(before.past == key_past::unseen);
    CHECK(asked.page_bytes == 0); // not asked
    CHECK(s.part.seen_first.empty());
    CHECK(s.copy == std::vector<std::byte>(page_size, std::byte{1}));

    facts.past = key_past::left;
    CHECK(s.is_packed(stage.pack(s.page, s.copy, s.buffer, s.scratch, no_most, facts, s.has_failed), 100));
    CHECK(screened == 2);
    CHECK(asked.packed_bytes == 100);
    CHECK(asked.kind == pool_kind::ephemeral);
    CHECK(asked.key_hash == 99);
    CHECK(asked.pool == static_cast<pool_id>(5));
    CHECK(asked.past == key_past::left);
    CHECK(asked.choice == 3);
    CHECK(stage.ghost_percent() == 40);
    CHECK(s.stage.ghost_percent() == 0);
}

TEST_CASE("codec_stage: a codec that chooses is told whose page it is") {
    scene s;
    s.part.packed = 100;
    page_context packed, unpacked;
    played_pool_codec codec;
    codec.part = &s.part;
    codec.packed_of = &packed;
    codec.unpacked_of = &unpacked;
    codec_stage<played_pool_codec, always> stage{codec, always{}};
    static_assert(decltype(stage)::codec_count() == 5);
    static_assert(decltype(stage)::admission_count() == 1);
    static_assert(decltype(s.stage)::codec_count() == 1);
    const page_facts facts{{static_cast<pool_id>(5), pool_kind::ephemeral, 2}, 99};
    REQUIRE(s.is_packed(stage.pack(s.page, s.copy, s.buffer, s.scratch, no_most, facts, s.has_failed), 100));
    CHECK(packed.pool == static_cast<pool_id>(5));
    CHECK(packed.kind == pool_kind::ephemeral);
    CHECK(packed.codec == 2);
    std::vector<std::byte> out(page_size);
    CHECK(stage.unpack(byte_view{s.buffer.data(), 100}, out, s.scratch,
                       {static_cast<pool_id>(6), pool_kind::persistent, 4}) == status::ok);
    CHECK(unpacked.pool == static_cast<pool_id>(6));
    CHECK(unpacked.kind == pool_kind::persistent);
    CHECK(unpacked.codec == 4);
}

TEST_CASE("codec_stage: unpacking") {
    scene s;
    std::vector<std::byte> out(page_size);
    CHECK(s.stage.unpack(s.page, out, s.scratch) == status::ok); // raw, from elsewhere
    CHECK(out == s.page);
    CHECK(s.stage.unpack(out, out, s.scratch) == status::ok); // raw, in place
    CHECK(out == s.page);
    CHECK(s.stage.unpack(byte_view{s.page.data(), 100}, out, s.scratch) == status::ok);
    CHECK(std::memcmp(out.data(), s.page.data(), 100) == 0);
    CHECK(out[100] == std::byte{0});
    for (const status why : {status::corrupt, status::invalid}) {
        s.part.unpacked = why;
        CHECK(s.stage.unpack(byte_view{s.page.data(), 100}, out, s.scratch) == status::corrupt);
    }
}

/// Counts the pairs that it is asked for.
struct counting_pairs : page_or_lz {
    [[nodiscard]] status_pair decompress_pair(const page_to_read& a, const page_to_read& b,
                                              byte_span scratch) const noexcept {
        ++pairs;
        return page_or_lz::decompress_pair(a, b, scratch);
    }
    static inline unsigned pairs = 0;
};

TEST_CASE("codec_stage: two pages are unpacked as each alone, in one call where both are streams") {
    codec_stage<counting_pairs, always, true> stage{counting_pairs{}, always{}};
    const auto bytes = [](std::size_t n) { return std::vector<std::byte>(n); };
    std::vector<std::byte> page = bytes(4096), scratch = bytes(stage.compressor().scratch_size(4096) + 64);
    std::byte* const aligned = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) % 64;
    const byte_span work{aligned, stage.compressor().scratch_size(4096)};
    REQUIRE(stage.compressor().prepare(work) == status::ok);
    make_page(page, page_kind::text, 1);
    std::vector<std::byte> buffer = bytes(stage.compressor().bound(4096));
    const result<std::size_t> size = stage.compressor().compress(page, buffer, work);
    REQUIRE(size);
    const byte_view good{buffer.data(), *size}, raw{page}, small{page.data(), 8}, bad{buffer.data(), *size - 1};
    counting_pairs::pairs = 0;
    for (const byte_view first : {good, raw, small, bad}) {
        for (const byte_view second : {good, raw, small, bad}) {
            const std::size_t sizes[] = {first.size() == 8 ? 5u : 4096u, second.size() == 8 ? 5u : 4096u};
            std::vector<std::byte> a = bytes(sizes[0]), b = bytes(sizes[1]), c = a, d = b;
            const status_pair answers = stage.unpack_pair({first, a}, {second, b}, work);
            CHECK(answers == status_pair{stage.unpack(first, c, work), stage.unpack(second, d, work)});
            CHECK((answers.first != status::ok || a == c));
            CHECK((answers.second != status::ok || b == d));
            CHECK((answers.first == status::ok) == (first.size() != bad.size()));
        }
    }
    CHECK(counting_pairs::pairs == 4); // good and bad, in either place
}

// The same, as a store's user sees it.

TEST_CASE("codec_stage: a store counts what its compressor failed on, and gives it back") {
    codec_part part;
    played_store f{store_options{}, played_codec{&part}};
    const pool_id pool = f.make_pool();
    std::uint64_t count = 0;
    for (const status why : {status::invalid, status::corrupt, status::no_memory}) {
        part.packed = why;
        REQUIRE(f.put({pool, 1, count}, page_kind::text, count) == status::ok);
        ++count;
        CHECK(f.store.stats().reject_compress_fail == count);
        CHECK(f.store.stats().huge_pages == count);
    }
    part.packed = status::incompressible;
    REQUIRE(f.put({pool, 1, count}, page_kind::text, count) == status::ok);
    CHECK(f.store.stats().reject_compress_fail == count);
    CHECK(f.store.stats().huge_pages == count + 1);
    for (std::uint64_t i = 0; i <= count; ++i) {
        CHECK(f.has({pool, 1, i}, page_kind::text, i));
    }
    CHECK(f.store.stats().decompress_fail == 0);
    CHECK(f.store.check());
}

TEST_CASE("codec_stage: a page that admission refuses leaves no version behind") {
    codec_part part;
    part.packed = status::incompressible;
    for (const admission answer : {admission::packed, admission::raw, admission::reject}) {
        played_store f{store_options{}, played_codec{&part}, played_admission{answer}};
        const pool_id pool = f.make_pool();
        const status s = f.put({pool, 1, 1}, page_kind::random, 1);
        CHECK(s == (answer == admission::reject ? status::incompressible : status::ok));
        CHECK(f.store.stats().reject_compress_poor == (answer == admission::reject ? 1 : 0));
        CHECK(f.store.stats().stored_pages == (answer == admission::reject ? 0 : 1));
        CHECK(f.store.check());
    }
}

TEST_CASE("codec_stage: a store keeps what it read first of a page that changes under its compressor") {
    codec_part part;
    part.packed = 3000;
    played_store f{store_options{}, played_codec{&part}};
    const pool_id pool = f.make_pool();
    for (const bool is_raw : {false, true}) {
        std::vector<std::byte> page(page_size), before, out(page_size);
        make_page(byte_span{page.data(), 3000 / 128 * 128}, page_kind::random, 7);
        before = page;
        part.packed = is_raw ? result<std::size_t>{status::incompressible} : result<std::size_t>{3000u};
        part.meanwhile = [&] { std::memset(page.data(), 0xcc, page.size()); };
        REQUIRE(f.store.put({pool, 1, is_raw ? 1u : 0u}, page) == status::ok);
        part.meanwhile = nullptr;
        REQUIRE(f.store.get({pool, 1, is_raw ? 1u : 0u}, out) == status::ok);
        CHECK(out == before);
        CHECK(f.store.stats().huge_pages == (is_raw ? 1 : 0));
    }
}

// A guest that is not stopped while its page is put.

namespace {

constexpr std::uint64_t versions = 16;

/// The word that a version of the page has there.
std::uint64_t word_of(std::size_t at, std::uint64_t version, bool is_noise) {
    rng random{at * versions + version + 1};
    return is_noise ? random() : 0x7f0000000000u + at / 64 * 4096 + version * 8;
}
bool had_word(std::size_t at, std::uint64_t word, bool is_noise) {
    bool had = false;
    for (std::uint64_t version = 0; version < versions; ++version) {
        had = had || word == word_of(at, version, is_noise);
    }
    return had;
}

} // namespace

TEST_CASE("codec_stage: each word of a page that changes while it is put is one that the page had") {
    for (const bool is_noise : {true, false}) {
        CAPTURE(is_noise);
        test_source source;
        tsan_ordered<page_store<default_config>> store{source};
        const pool_id pool = store.create_pool().value();
        alignas(64) std::array<std::uint64_t, page_size / 8> guest;
        for (std::size_t i = 0; i < guest.size(); ++i) {
            guest[i] = word_of(i, 0, is_noise);
        }
        std::atomic<bool> done{false};
        std::thread writer{[&] {
            for (std::uint64_t n = 1; !done; ++n) {
                const std::size_t at = n * 37 % guest.size();
                __atomic_store_n(&guest[at], word_of(at, n / 512 % versions, is_noise), __ATOMIC_RELAXED);
            }
        }};
        const byte_view page{reinterpret_cast<const std::byte*>(guest.data()), page_size};
        std::array<std::uint64_t, page_size / 8> out;
        const byte_span out_bytes{reinterpret_cast<std::byte*>(out.data()), page_size};
        unsigned corrupt = 0, foreign = 0;
        for (std::uint64_t i = 0; i < 20000; ++i) {
            const page_key key{pool, 1, i % 100};
            REQUIRE(store.put(key, page) == status::ok);
            const status s = i % 3 == 0 ? store.take(key, out_bytes) : store.get(key, out_bytes);
            corrupt += s != status::ok ? 1 : 0;
            for (std::size_t at = 0; at < out.size(); at += i % 16 == 0 ? 1 : 61) {
                foreign += had_word(at, out[at], is_noise) ? 0 : 1;
            }
        }
        done = true;
        writer.join();
        CHECK(corrupt == 0);
        CHECK(foreign == 0);
        const store_stats s = store.stats();
        CHECK(s.decompress_fail == 0);
        CHECK((is_noise ? s.huge_pages_since == 20000 : s.huge_pages_since == 0));
        CHECK(store.check());
    }
}

// Values of any length.

namespace {

/// Values of many lengths through a codec and back; how many of those that are no whole page it shrank.
template <class Codec>
unsigned shrinks_short_values(const Codec& codec, std::size_t most) {
    codec_stage<Codec, always, true> stage{codec, always{}};
    std::vector<std::byte> copy(most), buffer(codec.bound(most)), out(most);
    struct alignas(scratch_alignment) line {
        std::byte of[scratch_alignment];
    };
    std::vector<line> lines(codec.scratch_size(most) / sizeof(line) + 1);
    const byte_span scratch{lines.data()->of, codec.scratch_size(most)};
    REQUIRE(codec.prepare(scratch) == status::ok);
    unsigned shrunk = 0, wrong = 0, failures = 0;
    bool has_failed = false;
    const auto check = [&](std::size_t length, page_kind kind, std::uint64_t seed) {
        const std::vector<std::byte> value = value_of(length, kind, seed);
        const result<byte_view> stream = stage.pack(value, copy, buffer, scratch, most, {}, has_failed);
        failures += has_failed ? 1u : 0u;
        const bool has_size = stream && (*stream).size() >= min_stream_size &&
                              (*stream).size() <= (length < min_stream_size ? min_stream_size : length);
        out.assign(most, std::byte{0x77});
        const byte_span room = byte_span{out}.first(length);
        const bool is_back = has_size && stage.unpack(*stream, room, scratch) == status::ok &&
                             std::memcmp(out.data(), value.data(), length) == 0 &&
                             (length == most || out[length] == std::byte{0x77});
        wrong += is_back ? 0u : 1u;
        shrunk += has_size && length < most && (*stream).size() < length ? 1u : 0u;
    };
    for (std::size_t length = 0; length < 300; ++length) {
        check(length, kind_of(length), length);
        check(length, page_kind::word, length);
        check(length, page_kind::zeros, length);
    }
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        check(testing::length_of(seed, most), kind_of(seed), seed);
    }
    CHECK(wrong == 0);
    CHECK(failures == 0);
    return shrunk;
}

} // namespace

TEST_CASE("codec_stage: a value of any length comes back from every codec, and those that take its length shrink it") {
    for (const std::size_t most : {std::size_t{4096}, std::size_t{65536}}) {
        CAPTURE(most);
        CHECK(shrinks_short_values(chain<page_or_lz>{}, most) > 500);
        CHECK(shrinks_short_values(lz_block{}, most) > 500);
        CHECK(shrinks_short_values(lz4{}, most) > 500);
        CHECK(shrinks_short_values(zstd{1}, most) > 500);
        CHECK(shrinks_short_values(same_filled{}, most) > 500);
        CHECK(shrinks_short_values(routed<lz4, zstd>{lz4{}, zstd{1}}, most) > 500);
        CHECK(shrinks_short_values(page_codec{}, 4096) == 0); // pages alone: the others are kept raw
    }
}

TEST_CASE("codec_stage: what its caller says not to shrink goes past the codec, and not past admission") {
    scene s;
    s.part.packed = 100;
    const page_facts facts{{static_cast<pool_id>(5), pool_kind::ephemeral}, 99};
    CHECK(s.is_raw(s.stage.pack(s.page, s.copy, s.buffer, s.scratch, no_most, facts, s.has_failed, false)));
    CHECK(s.part.seen_first.empty());
    CHECK(s.asked.packed_bytes == page_size);
    CHECK(!s.has_failed);
    scene rejecting{admission::reject};
    CHECK(rejecting.stage
              .pack(rejecting.page, rejecting.copy, rejecting.buffer, rejecting.scratch, no_most, facts,
                    rejecting.has_failed, false)
              .error() == status::incompressible);
}

TEST_CASE("codec_stage: admission hears of a value's own length") {
    codec_part part;
    admission_query asked{};
    codec_stage<played_codec, played_admission, true> stage{played_codec{&part}, {admission::packed, &asked}};
    std::vector<std::byte> copy(page_size), buffer(page_size + 16), scratch(64);
    bool has_failed = true;
    part.packed = 100;
    REQUIRE(stage.pack(value_of(1000, page_kind::text, 1), copy, buffer, scratch, no_most, {}, has_failed));
    CHECK(asked.page_bytes == 1000);
    CHECK(asked.packed_bytes == 100);
    for (const std::size_t length : {std::size_t{0}, std::size_t{8}}) {
        part.seen_first.clear();
        REQUIRE(stage.pack(value_of(length, page_kind::text, 1), copy, buffer, scratch, no_most, {}, has_failed));
        CHECK(asked.page_bytes == length);
        CHECK(asked.packed_bytes == length);
        CHECK(part.seen_first.empty());
    }
    // A codec that does not take the length has not failed; one that fails has.
    part.packed = status::invalid;
    REQUIRE(stage.pack(value_of(1000, page_kind::text, 1), copy, buffer, scratch, no_most, {}, has_failed));
    CHECK(asked.packed_bytes == 1000);
    CHECK(!has_failed);
    REQUIRE(stage.pack(value_of(page_size, page_kind::text, 1), copy, buffer, scratch, no_most, {}, has_failed));
    CHECK(has_failed);
    has_failed = false;
    part.packed = status::corrupt;
    REQUIRE(stage.pack(value_of(1000, page_kind::text, 1), copy, buffer, scratch, no_most, {}, has_failed));
    CHECK(has_failed);
}

TEST_CASE("codec_stage: a written page is asked for where nobody refuses it before, straight into the copy") {
    scene s;
    s.part.packed = 100;
    unsigned screened = 0, written = 0;
    admission_query before{};
    played_screen policy;
    policy.screened = &screened;
    policy.before = &before;
    codec_stage<played_codec, played_screen, true> stage{played_codec{&s.part}, policy};
    page_facts facts{{static_cast<pool_id>(5), pool_kind::ephemeral}, 99, key_past::unseen, 3};
    bool can_write = true;
    byte_span place{};
    auto write = [&](byte_span to) noexcept {
        ++written;
        place = to;
        copy_bytes(to.data(), s.page.data(), to.size());
        return can_write;
    };
    const auto pack = [&](std::size_t length) {
        return stage.pack_page(written_page{length, write}, s.copy, s.buffer, s.scratch, no_most, facts, s.has_failed,
                               true);
    };
    CHECK(pack(1000).error() == status::incompressible);
    CHECK(before.page_bytes == 1000);
    CHECK(written == 0);

    facts.past = key_past::left;
    CHECK(s.is_packed(pack(1000), 100));
    CHECK(written == 1);
    CHECK(place.data() == s.copy.data());
    CHECK(place.size() == 1000);
    CHECK(s.part.seen_first == std::vector<std::byte>(s.page.begin(), s.page.begin() + 1000));

    const result<byte_view> small = pack(5); // its own stream
    REQUIRE(small);
    CHECK((*small).size() == min_stream_size);
    CHECK(std::memcmp((*small).data(), s.page.data(), 5) == 0);
    CHECK(place.size() == 5);
    CHECK(pack(0));
    CHECK(place.empty());

    can_write = false;
    s.part.seen_first.clear();
    for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{1000}, page_size}) {
        CHECK(pack(length).error() == status::invalid);
    }
    CHECK(s.part.seen_first.empty());
    CHECK(written == 7);
}

} // namespace pagefold::testing::unit_store_codec_stage
