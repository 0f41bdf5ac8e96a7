// SPDX-License-Identifier: MIT
#include <pagefold/compress/lz_block.hpp>

#include <conformance/compressor.hpp>
#include <support/lz_block_reference.hpp>
#include <support/pages.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace pagefold::testing::unit_compress_lz_block_encoder {
namespace {

constexpr lz_block codec{};

/// Out of memory of exactly the page's size.
std::optional<byte_string> compress(const byte_string& page, byte_span scratch) {
    const auto in = std::make_unique<std::byte[]>(page.size());
    std::copy(page.begin(), page.end(), in.get());
    byte_string out(codec.bound(page.size()));
    const result<std::size_t> length = codec.compress({in.get(), page.size()}, out, scratch);
    if (!length) {
        CHECK(length.error() == status::incompressible);
        return std::nullopt;
    }
    out.resize(*length);
    return out;
}
std::optional<byte_string> compress(const byte_string& page) {
    const scratch_memory scratch{codec.scratch_size(page.size())};
    REQUIRE(codec.prepare(scratch.span()) == status::ok);
    return compress(page, scratch.span());
}

/// Whether the stream gives the page, and keeps the rules that liblz4's decoder counts on.
bool is_block_of(const byte_string& stream, const byte_string& page) {
    const auto sequences = lz_reference::parse(stream, page.size());
    if (!sequences || lz_reference::expand(*sequences) != page) {
        return false;
    }
    const lz_reference::sequence& last = sequences->back();
    if (sequences->size() == 1) {
        return true;
    }
    const lz_reference::sequence& last_match = (*sequences)[sequences->size() - 2];
    return last.literals.size() >= 5 && last.literals.size() + last_match.length >= 12;
}

byte_string periodic(std::size_t size, std::size_t period, std::uint64_t seed) {
    byte_string page = page_of((size + 7) / 8 * 8, page_kind::random, seed);
    page.resize(size);
    for (std::size_t i = period; i < size; ++i) {
        page[i] = page[i - period];
    }
    return page;
}

TEST_CASE("lz_block encoder: pages of every small size") {
    int made = 0;
    for (std::size_t size = 1; size <= 320; ++size) {
        CAPTURE(size);
        for (const std::size_t period : {1u, 2u, 7u, 8u, 12u, 40u}) {
            const byte_string page = periodic(size, period, size);
            const std::optional<byte_string> stream = compress(page);
            if (stream) {
                CHECK(is_block_of(*stream, page));
                ++made;
            }
            CHECK((stream || size < 32 + period)); // what there is to find is found
        }
    }
    CHECK(made > 1500);
}

TEST_CASE("lz_block encoder: every distance is found, up to the longest") {
    for (const std::size_t distance : {1u, 2u, 3u, 4u, 5u, 8u, 15u, 16u, 17u, 255u, 256u, 1000u, 4000u}) {
        CAPTURE(distance);
        const byte_string page = periodic(4096, distance, 1);
        const std::optional<byte_string> stream = compress(page);
        REQUIRE(stream);
        CHECK(is_block_of(*stream, page));
        CHECK(stream->size() < distance + 60);
    }
    for (const std::size_t distance : {1u, 4000u, 32768u, 65000u}) {
        CAPTURE(distance);
        const byte_string page = periodic(65536, distance, 1);
        const std::optional<byte_string> stream = compress(page);
        REQUIRE(stream);
        CHECK(is_block_of(*stream, page));
        CHECK(stream->size() < distance + distance / 200 + 300);
    }
}

TEST_CASE("lz_block encoder: what is longer than a piece") {
    for (const std::size_t size : {65535u, 65536u, 65537u, 65544u, 65558u, 65559u, 65560u, 131072u, 131080u, 300000u}) {
        for (const std::size_t period : {1u, 100u, 30000u, 65536u}) {
            CAPTURE(size);
            CAPTURE(period);
            const byte_string page = periodic(size, period, size);
            const std::optional<byte_string> stream = compress(page);
            CHECK((stream || period > 65000));
            if (stream) {
                CHECK(is_block_of(*stream, page));
            }
        }
    }
    // Pieces of another kind each; and one where only the second has anything to find.
    byte_string page;
    for (std::uint64_t kind = 0; kind < page_kinds; ++kind) {
        const byte_string piece = page_of(65536, kind);
        page.insert(page.end(), piece.begin(), piece.end());
    }
    const std::optional<byte_string> stream = compress(page);
    REQUIRE(stream);
    CHECK(is_block_of(*stream, page));
}

TEST_CASE("lz_block encoder: no step leads past the end, nor past a piece") {
    // Noise, where steps grow, with something to find behind it.
    for (const std::size_t size : {24u, 25u, 60u, 200u, 4096u, 65539u, 65560u, 65700u, 131072u, 140000u}) {
        CAPTURE(size);
        byte_string page = page_of(std::max<std::size_t>(128, (size + 7) / 8 * 8), page_kind::random, size);
        page.resize(size);
        std::fill_n(page.end() - static_cast<std::ptrdiff_t>(size / 3), size / 3, std::byte{7});
        const auto check = [&](const auto& accelerated) {
            const auto in = std::make_unique<std::byte[]>(size);
            std::copy(page.begin(), page.end(), in.get());
            const scratch_memory scratch{accelerated.scratch_size(size)};
            REQUIRE(accelerated.prepare(scratch.span()) == status::ok);
            byte_string out(accelerated.bound(size));
            const result<std::size_t> length = accelerated.compress({in.get(), size}, out, scratch.span());
            if (length) {
                out.resize(*length);
                CHECK(is_block_of(out, page));
            }
            return length.value_or(size);
        };
        const std::size_t usual = check(lz_block{});
        CHECK((usual < size || size < 60));
        CHECK(check(basic_lz_block<16>{}) <= size);
        CHECK(check(basic_lz_block<65536>{}) <= size);
    }
}

TEST_CASE("lz_block encoder: noise does not pass the bound, whatever the size") {
    for (const std::size_t size : {1u, 11u, 12u, 13u, 23u, 24u, 254u, 270u, 271u, 4096u, 4097u, 65536u, 200000u}) {
        byte_string page = page_of((size + 7) / 8 * 8, page_kind::random, size);
        page.resize(size);
        const byte_string noise = page;
        const auto out = std::make_unique<std::byte[]>(codec.bound(size)); // a sanitizer sees what passes it
        const scratch_memory scratch{codec.scratch_size(size)};
        REQUIRE(codec.prepare(scratch.span()) == status::ok);
        CHECK(codec.compress(noise, {out.get(), codec.bound(size)}, scratch.span()).error() == status::incompressible);
    }
}

TEST_CASE("lz_block encoder: short literal runs and short matches do not pass the bound either") {
    // Fresh words, each followed by five bytes that were there before: the most sequences that a page can have.
    rng random{1};
    for (const std::size_t fresh : {1u, 2u, 3u, 14u, 15u, 16u, 17u}) {
        CAPTURE(fresh);
        byte_string page(16);
        for (std::size_t i = 0; i < page.size(); ++i) {
            page[i] = static_cast<std::byte>(random());
        }
        while (page.size() < 4096) {
            for (std::size_t i = 0; i < fresh; ++i) {
                page.push_back(static_cast<std::byte>(random()));
            }
            const std::size_t from = random.below(page.size() - 5);
            for (std::size_t i = 0; i < 5; ++i) {
                page.push_back(page[from + i]);
            }
        }
        page.resize(4096);
        const auto out = std::make_unique<std::byte[]>(codec.bound(4096));
        const scratch_memory scratch{codec.scratch_size(4096)};
        REQUIRE(codec.prepare(scratch.span()) == status::ok);
        const result<std::size_t> length = codec.compress(page, {out.get(), codec.bound(4096)}, scratch.span());
        REQUIRE(length);
        CHECK(is_block_of(byte_string(out.get(), out.get() + *length), page));
    }
}

TEST_CASE("lz_block encoder: streams are the same on every machine, and change only on purpose") {
    std::uint64_t sum = 0;
    for (const std::size_t size : {4096u, 16384u, 65536u, 200000u}) {
        for (unsigned kind = 0; kind < 20; ++kind) {
            rng random{kind};
            byte_string page(size); // byte by byte, so that no order of bytes matters
            for (std::size_t i = 0; i < size; ++i) {
                page[i] = i < 64 || random.one_in(6 + kind) ? static_cast<std::byte>(random.below(1 + kind * 9))
                                                            : page[i - 1 - random.below(1 + kind * 3)];
            }
            const std::optional<byte_string> stream = compress(page);
            REQUIRE(stream);
            for (const std::byte each : *stream) {
                sum = (sum ^ std::to_integer<std::uint64_t>(each)) * 0x100000001b3u; // FNV-1a
            }
        }
    }
    CHECK(sum == 6252756437274499821u);
}

TEST_CASE("lz_block encoder: a stream does not depend on the pages before") {
    const scratch_memory shared{codec.scratch_size(65536)};
    fill_bytes(shared.span().data(), 0x5a, shared.span().size()); // prepare must not count on zeros
    REQUIRE(codec.prepare(shared.span()) == status::ok);
    int made = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        CAPTURE(seed);
        // Runs of one size, to use the numbers up, then others in between. Pages come again and again, so that the
        // table is full of what would match.
        const std::size_t size = seed < 100 || seed % 3 != 0 ? 4096 : seed % 2 == 0 ? 16384 : 65536;
        const byte_string page = page_of(size, seed % 12);
        const std::optional<byte_string> stream = compress(page, shared.span());
        CHECK(stream == compress(page));
        if (stream) {
            CHECK(is_block_of(*stream, page));
            ++made;
        }
    }
    CHECK(made > 250);
}

TEST_CASE("lz_block encoder: a scratch that is prepared again starts over") {
    const scratch_memory scratch{codec.scratch_size(4096)};
    REQUIRE(codec.prepare(scratch.span()) == status::ok);
    const byte_string page = page_of(4096, page_kind::text, 1);
    const std::optional<byte_string> stream = compress(page, scratch.span());
    // Somebody else had the memory in between, but for what looks like the head of a table.
    const byte_span table = scratch.span().subview(pagefold::detail::lz_block::table_offset);
    fill_bytes(table.data(), 0x5a, table.size());
    REQUIRE(codec.prepare(scratch.span()) == status::ok);
    CHECK(compress(page, scratch.span()) == stream);
    CHECK(std::count(table.data(), table.data() + table.size(), std::byte{0x5a}) < 1000);
}

} // namespace
} // namespace pagefold::testing::unit_compress_lz_block_encoder
