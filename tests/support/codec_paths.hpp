// SPDX-License-Identifier: MIT
#pragma once

// Whether two paths of the page codec agree. Needs no doctest, so that it can be built for another machine.

#include "support/codec_pages.hpp"
#include "support/rng.hpp"

#include <pagefold/compress/page.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace pagefold::testing {

/// A page codec with its scratch. Streams and pages go in and out of buffers of their exact size, so that a sanitizer
/// sees what touches more.
template <page_level Level>
class codec_on_path {
public:
    explicit codec_on_path(page_path path) : codec_{basic_page_codec<Level>::with_path(path)} {}

    [[nodiscard]] std::optional<std::vector<std::byte>> compress(const std::vector<std::byte>& page) {
        std::vector<std::byte> out(codec_.bound(page.size()));
        const result<std::size_t> size = codec_.compress(page, out, scratch());
        if (!size) {
            return std::nullopt;
        }
        return std::vector<std::byte>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*size));
    }
    /// The page, or nothing when the stream is said to be corrupt.
    [[nodiscard]] std::optional<std::vector<std::byte>> decompress(const std::vector<std::byte>& stream,
                                                                   std::size_t page_size) {
        const std::vector<std::byte> exact(stream);
        std::vector<std::byte> page(page_size, std::byte{0x5a});
        if (codec_.decompress(exact, page, scratch()) != status::ok) {
            return std::nullopt;
        }
        return page;
    }

    /// Both pages of a pair, each as by decompress.
    [[nodiscard]] std::pair<std::optional<std::vector<std::byte>>, std::optional<std::vector<std::byte>>>
    decompress_pair(const std::vector<std::byte>& first, const std::vector<std::byte>& second, std::size_t page_size) {
        const std::vector<std::byte> in(first), other_in(second);
        std::vector<std::byte> page(page_size, std::byte{0x5a}), other(page_size, std::byte{0x5a});
        const status_pair answers = codec_.decompress_pair({in, page}, {other_in, other}, scratch());
        return {answers.first == status::ok ? std::optional{page} : std::nullopt,
                answers.second == status::ok ? std::optional{other} : std::nullopt};
    }

private:
    struct alignas(scratch_alignment) scratch_memory {
        std::byte bytes[sizeof(page_coding::workspace)];
    };
    [[nodiscard]] byte_span scratch() noexcept { return {scratch_->bytes, sizeof scratch_->bytes}; }

    basic_page_codec<Level> codec_;
    std::unique_ptr<scratch_memory> scratch_ = std::make_unique<scratch_memory>();
};

/// Changes a stream a little: bits, bytes, its length. The end, where flags and bitmaps are, is hit more often.
inline void damage(std::vector<std::byte>& stream, rng& random) {
    for (std::uint64_t changes = 1 + random.below(4); changes > 0 && !stream.empty(); --changes) {
        const std::size_t near = stream.size() < 160 ? stream.size() : 160;
        const std::size_t at = random.one_in(2) ? stream.size() - 1 - random.below(near) : random.below(stream.size());
        switch (random.below(8)) {
        case 0: stream[at] = static_cast<std::byte>(random()); break;
        case 1: stream[at] = std::byte{0}; break;
        case 2: stream.erase(stream.begin() + static_cast<std::ptrdiff_t>(at)); break;
        case 3:
            stream.insert(stream.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(random()));
            break;
        case 4: stream.resize(at); break;
        default: stream[at] ^= static_cast<std::byte>(1u << random.below(8)); break;
        }
    }
}

/// The number of the first page, of `pages` from `seed` on, on which `path` and the scalar path differ in its stream, in
/// what they make of it, or in what they make, alone and in a pair, of `damages` streams that come of it; -1 if none.
template <page_level Level>
[[nodiscard]] std::int64_t first_disagreement(page_path path, std::size_t page_size, std::uint64_t seed, unsigned pages,
                                              unsigned damages) {
    codec_on_path<Level> truth{page_path::scalar};
    codec_on_path<Level> other{path};
    rng random{seed};
    for (std::uint64_t i = seed; i != seed + pages; ++i) {
        const std::vector<std::byte> page = codec_page(page_size, i);
        const auto stream = truth.compress(page);
        if (other.compress(page) != stream) {
            return static_cast<std::int64_t>(i);
        }
        if (!stream) {
            continue;
        }
        if (other.decompress(*stream, page_size) != page || truth.decompress(*stream, page_size) != page) {
            return static_cast<std::int64_t>(i);
        }
        for (unsigned k = 0; k != damages; ++k) {
            std::vector<std::byte> bad = *stream;
            damage(bad, random);
            const auto wanted = truth.decompress(bad, page_size);
            if (other.decompress(bad, page_size) != wanted ||
                other.decompress_pair(bad, *stream, page_size) != std::pair{wanted, std::optional{page}} ||
                other.decompress_pair(*stream, bad, page_size) != std::pair{std::optional{page}, wanted}) {
                return static_cast<std::int64_t>(i);
            }
        }
    }
    return -1;
}

/// The same for the streams of `pages` pages, of each of which every bit is flipped alone: that reaches all paddings.
[[nodiscard]] inline std::int64_t first_disagreement_on_flips(page_path path, std::size_t page_size, std::uint64_t seed,
                                                              unsigned pages) {
    codec_on_path<page_level::balanced> truth{page_path::scalar};
    codec_on_path<page_level::balanced> other{path};
    for (std::uint64_t i = seed; i != seed + pages; ++i) {
        const auto stream = truth.compress(codec_page(page_size, i));
        for (std::size_t bit = 0; stream && bit != 8 * stream->size() && stream->size() < 1500; ++bit) {
            std::vector<std::byte> bad = *stream;
            bad[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
            if (other.decompress(bad, page_size) != truth.decompress(bad, page_size)) {
                return static_cast<std::int64_t>(i);
            }
        }
    }
    return -1;
}

/// The same for streams that nobody compressed: noise whose last byte, at least, may be a stream's.
[[nodiscard]] inline std::int64_t first_disagreement_on_noise(page_path path, std::uint64_t seed, unsigned streams) {
    codec_on_path<page_level::balanced> truth{page_path::scalar};
    codec_on_path<page_level::balanced> other{path};
    for (std::uint64_t i = seed; i != seed + streams; ++i) {
        rng random{i};
        std::vector<std::byte> noise(random.below(random.one_in(2) ? 200 : 4096));
        const std::uint64_t density = 1 + random.below(16); // sparse noise passes more checks
        for (std::byte& b : noise) {
            b = random.one_in(density) ? static_cast<std::byte>(random()) : std::byte{0};
        }
        if (!noise.empty() && !random.one_in(8)) {
            noise.back() = static_cast<std::byte>(random.below(64));
        }
        if (other.decompress(noise, 4096) != truth.decompress(noise, 4096)) {
            return static_cast<std::int64_t>(i);
        }
    }
    return -1;
}

} // namespace pagefold::testing
