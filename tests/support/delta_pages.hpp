// SPDX-License-Identifier: MIT
#pragma once

// Pairs of a base and a page that changed, and deltas on a path. Needs no doctest, so that it can be built for another machine.

#include "support/codec_pages.hpp"
#include "support/rng.hpp"

#include <pagefold/compress/page_delta.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

namespace pagefold::testing {

inline constexpr unsigned delta_pair_kinds = 6;

/// A base and a page, one behind the other; how the page came of the base is `seed % delta_pair_kinds`, what the base is the
/// rest of the seed.
[[nodiscard]] inline std::vector<std::byte> delta_pair(std::uint64_t seed) {
    constexpr std::size_t size = 4096;
    rng random{seed ^ 0x5eed};
    const std::vector<std::byte> base = codec_page(size, seed / delta_pair_kinds);
    std::vector<std::byte> page = base;
    switch (seed % delta_pair_kinds) {
    case 0: // some words
        for (std::uint64_t k = random.below(60); k > 0; --k) {
            const std::uint64_t word = random() >> random.below(64);
            const std::size_t at = 8 * random.below(size / 8);
            for (unsigned i = 0; i != 8; ++i) {
                page[at + i] = static_cast<std::byte>(word >> (8 * i));
            }
        }
        break;
    case 1: // some lines are new
        for (std::uint64_t k = random.below(40); k > 0; --k) {
            const std::vector<std::byte> other = codec_page(size, random());
            const std::size_t at = 64 * random.below(size / 64);
            std::memcpy(&page[at], &other[at], 64);
        }
        break;
    case 2: // a part has moved
    {
        const std::size_t length = random.below(size / 2), from = random.below(size / 2), to = random.below(size / 2);
        std::memmove(&page[to], &base[from], length);
        break;
    }
    case 3: page = codec_page(size, random()); break; // another
    case 4:                                           // lines of zeros, on both sides
        for (std::uint64_t k = random.below(40); k > 0; --k) {
            std::memset(&page[64 * random.below(size / 64)], 0, 64);
        }
        break;
    default: break; // the same
    }
    std::vector<std::byte> pair = base;
    pair.insert(pair.end(), page.begin(), page.end());
    return pair;
}

/// Deltas with their scratch. Streams and pairs go in and out of buffers of their exact size.
template <page_level Level>
class delta_on_path {
public:
    explicit delta_on_path(page_path path) : codec_{basic_page_delta<Level>::with_path(path)} {}

    [[nodiscard]] bool is_near(const std::vector<std::byte>& pair) const { return codec_.is_near(pair); }
    [[nodiscard]] std::optional<std::vector<std::byte>> compress(const std::vector<std::byte>& pair) {
        const std::vector<std::byte> exact(pair);
        std::vector<std::byte> out(codec_.bound());
        const result<std::size_t> size = codec_.compress(exact, out, scratch());
        if (!size) {
            return std::nullopt;
        }
        return std::vector<std::byte>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*size));
    }
    /// The pair, or nothing when the stream is said to be corrupt, or the base was written to.
    [[nodiscard]] std::optional<std::vector<std::byte>> decompress(const std::vector<std::byte>& stream,
                                                                   const std::vector<std::byte>& base) {
        constexpr std::size_t size = page_delta::page_size;
        const std::vector<std::byte> exact(stream);
        std::vector<std::byte> pair(page_delta::pair_size, std::byte{0x5a});
        std::memcpy(pair.data(), base.data(), size);
        if (codec_.decompress(exact, pair, scratch()) != status::ok ||
            std::memcmp(pair.data(), base.data(), size) != 0) {
            return std::nullopt;
        }
        return pair;
    }

private:
    struct alignas(scratch_alignment) scratch_memory {
        std::byte bytes[page_delta::scratch_size()];
    };
    [[nodiscard]] byte_span scratch() noexcept { return {scratch_->bytes, sizeof scratch_->bytes}; }

    basic_page_delta<Level> codec_;
    std::unique_ptr<scratch_memory> scratch_ = std::make_unique<scratch_memory>();
};

/// The number of the first pair, of `pairs` from `seed` on, on which `path` and the scalar path differ in what they make of it;
/// -1 if none.
[[nodiscard]] inline std::int64_t first_delta_disagreement(page_path path, std::uint64_t seed, unsigned pairs) {
    delta_on_path<page_level::balanced> truth{page_path::scalar}, other{path};
    for (std::uint64_t i = seed; i != seed + pairs; ++i) {
        const std::vector<std::byte> pair = delta_pair(i);
        const auto stream = truth.compress(pair);
        if (other.is_near(pair) != truth.is_near(pair) || other.compress(pair) != stream ||
            (stream && other.decompress(*stream, pair) != pair)) {
            return static_cast<std::int64_t>(i);
        }
    }
    return -1;
}

} // namespace pagefold::testing
