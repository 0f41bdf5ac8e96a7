// SPDX-License-Identifier: MIT
//
// The first byte's lowest bit says what the bytes are. A stream: our decoder does what the format's description says, and
// what liblz4's does where that accepts. A page: our encoder's stream gives it back in all decoders and keeps the rules
// that liblz4's counts on, and so does liblz4's in ours.

#include "fuzz/support/require.hpp" // first

#include <support/lz_block_reference.hpp>

#include <pagefold/compress/lz_block.hpp>

#include <lz4.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace pagefold::fuzz {
namespace {

using bytes = std::vector<std::byte>;
namespace reference = testing::lz_reference;

constexpr lz_block codec{};

const char* chars(const std::byte* from) { return reinterpret_cast<const char*>(from); }
char* chars(std::byte* to) { return reinterpret_cast<char*>(to); }

/// In memory of exactly the sizes, behind the checks of size that the codec adds.
std::optional<bytes> decode(byte_view stream, std::size_t size) {
    const auto in = std::make_unique<std::byte[]>(stream.size());
    std::copy_n(stream.data(), stream.size(), in.get());
    const auto out = std::make_unique<std::byte[]>(size);
    const bool is_good = detail::lz_block::decoder{{in.get(), stream.size()}, {out.get(), size}}.run();
    return is_good ? std::optional{bytes(out.get(), out.get() + size)} : std::nullopt;
}

std::optional<bytes> decode_by_liblz4(byte_view stream, std::size_t size) {
    bytes out(size);
    const int length = LZ4_decompress_safe(chars(stream.data()), chars(out.data()), static_cast<int>(stream.size()),
                                           static_cast<int>(size));
    return length == static_cast<int>(size) ? std::optional{out} : std::nullopt;
}

bool has_offset_of_0(byte_view stream, std::size_t size) {
    const auto sequences = reference::parse(stream, size, 0);
    return sequences && std::any_of(sequences->begin(), sequences->end(),
                                    [](const auto& each) { return each.length != 0 && each.offset == 0; });
}

void check_stream(byte_view stream, std::size_t size) {
    const std::optional<bytes> ours = decode(stream, size);
    PAGEFOLD_FUZZ_REQUIRE(ours == reference::decode(stream, size));
    if (const std::optional<bytes> theirs = decode_by_liblz4(stream, size)) {
        PAGEFOLD_FUZZ_REQUIRE(ours == theirs || has_offset_of_0(stream, size));
    }
}

template <int Acceleration>
void check_encoder(const bytes& page) {
    // One scratch for every page of the run: what is left of those before must not matter.
    alignas(scratch_alignment) static std::byte scratch[64 + 32768];
    static const status prepared = basic_lz_block<Acceleration>{}.prepare({scratch, sizeof scratch});
    PAGEFOLD_FUZZ_REQUIRE(prepared == status::ok);
    constexpr basic_lz_block<Acceleration> encoder{};

    const std::size_t room = encoder.bound(page.size());
    const auto out = std::make_unique<std::byte[]>(room);
    const result<std::size_t> length = encoder.compress(page, {out.get(), room}, {scratch, sizeof scratch});
    if (!length) {
        PAGEFOLD_FUZZ_REQUIRE(length.error() == status::incompressible);
        return;
    }
    const byte_view stream{out.get(), *length};
    PAGEFOLD_FUZZ_REQUIRE(*length >= min_stream_size && *length < page.size());
    PAGEFOLD_FUZZ_REQUIRE(decode(stream, page.size()) == page);
    PAGEFOLD_FUZZ_REQUIRE(decode_by_liblz4(stream, page.size()) == page);
    const auto sequences = reference::parse(stream, page.size());
    PAGEFOLD_FUZZ_REQUIRE(sequences && reference::expand(*sequences) == page);
    const std::size_t count = sequences->size(), last_literals = sequences->back().literals.size();
    PAGEFOLD_FUZZ_REQUIRE(count == 1 || (last_literals >= 5 && last_literals + (*sequences)[count - 2].length >= 12));
}

void check_page(const bytes& page) {
    check_encoder<1>(page);
    check_encoder<16>(page);
    bytes theirs(codec.bound(page.size()));
    const int length = LZ4_compress_default(chars(page.data()), chars(theirs.data()), static_cast<int>(page.size()),
                                            static_cast<int>(theirs.size()));
    PAGEFOLD_FUZZ_REQUIRE(length > 0);
    PAGEFOLD_FUZZ_REQUIRE(decode(byte_view{theirs}.first(static_cast<std::size_t>(length)), page.size()) == page);
}

/// The bytes again and again, a few of them changed each time: pages larger than what a fuzzer hands over.
bytes repeat(byte_view data, std::size_t size) {
    bytes page(size);
    for (std::size_t i = 0; i < size; ++i) {
        const std::size_t round = i / data.size(), at = i % data.size();
        page[i] = data.data()[at] ^ static_cast<std::byte>(at % 31 == round % 31 ? round : 0);
    }
    return page;
}

} // namespace
} // namespace pagefold::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pagefold;
    if (size < 4) {
        return 0;
    }
    const std::size_t chosen = data[1] | std::size_t{data[2]} << 8;
    const byte_view rest{reinterpret_cast<const std::byte*>(data) + 3, size - 3};
    if (data[0] % 2 == 0) {
        fuzz::check_stream(rest, chosen % 8192);
        // The size that the stream has if it is good, which a fuzzer would be long to guess.
        if (const auto sequences = testing::lz_reference::parse(rest, 65536)) {
            fuzz::check_stream(rest, testing::lz_reference::expand(*sequences).size());
        }
    } else {
        fuzz::check_page(fuzz::bytes(rest.data(), rest.data() + rest.size()));
        if (data[0] % 16 == 1) {
            fuzz::check_page(fuzz::repeat(rest, 1 + (chosen * 3)));
        }
    }
    return 0;
}
