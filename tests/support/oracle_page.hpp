// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pagefold::testing {

using oracle_page = std::array<std::byte, 4096>;

/// Names a content of a page: the key that it belongs to, and a version that no other put of that key has. Both are in the
/// page's first word, and every other word follows from it. Never 0.
struct page_tag {
    std::uint32_t key = 0;     ///< below 2^20
    std::uint64_t version = 0; ///< below 2^44, not 0

    friend bool operator==(const page_tag&, const page_tag&) = default;
};

namespace oracle_pages {

inline constexpr unsigned version_bits = 44;

// Most pages are cheap to write and to look through, and few take much memory; yet together they fill a store.
enum class shape : unsigned { filled, one_differs, sparse, half_noise, noise };

[[nodiscard]] inline shape shape_of(std::uint64_t word) noexcept {
    const std::uint64_t draw = rng{word}.below(20);
    return draw < 8    ? shape::filled
           : draw < 12 ? shape::one_differs
           : draw < 14 ? shape::sparse
           : draw < 17 ? shape::half_noise
                       : shape::noise;
}
/// The words from `from` on are noise.
[[nodiscard]] inline std::size_t noise_from(shape s) noexcept {
    return s == shape::noise ? 8 : s == shape::half_noise ? 2048 : oracle_page{}.size();
}
[[nodiscard]] inline std::uint64_t noise(std::uint64_t word, std::size_t at) noexcept {
    std::uint64_t z = word ^ at * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return (z ^ z >> 27) * 0x94d049bb133111ebu;
}
/// Calls visit(place, word) for the places before the noise whose word is not the first one.
template <class Visit>
void exceptions(std::uint64_t word, shape s, Visit visit) {
    const unsigned count = s == shape::one_differs ? 1 : s == shape::sparse ? 8 : 0;
    rng random{~word};
    for (unsigned i = 0; i < count; ++i) {
        // One to each stretch of 504 bytes, in order.
        visit(8 * (1 + i * 63 + random.below(63)), word ^ (random() | 1));
    }
}

} // namespace oracle_pages

inline void write_oracle_page(oracle_page& page, const page_tag& tag) noexcept {
    namespace op = oracle_pages;
    const std::uint64_t word = std::uint64_t{tag.key} << op::version_bits | tag.version;
    const op::shape shape = op::shape_of(word);
    const std::size_t from = op::noise_from(shape);
    const auto put = [&page](std::size_t at, std::uint64_t w) { std::memcpy(page.data() + at, &w, sizeof w); };
    put(0, word);
    for (std::size_t done = 8; done < from; done *= 2) { // doubling leaves the work to memcpy
        std::memcpy(page.data() + done, page.data(), done < from - done ? done : from - done);
    }
    op::exceptions(word, shape, put);
    for (std::size_t at = from; at < page.size(); at += 8) {
        put(at, op::noise(word, at));
    }
}

/// What the page says it is, if it is so to the last byte; else a tag of version 0.
[[nodiscard]] inline page_tag read_oracle_page(const oracle_page& page) noexcept {
    namespace op = oracle_pages;
    std::uint64_t word = 0;
    std::memcpy(&word, page.data(), sizeof word);
    const page_tag tag{static_cast<std::uint32_t>(word >> op::version_bits),
                       word & ((std::uint64_t{1} << op::version_bits) - 1)};
    const op::shape shape = op::shape_of(word);
    const std::size_t from = op::noise_from(shape);
    bool whole = true;
    const auto expect = [&](std::size_t at, std::uint64_t w) {
        whole = whole && std::memcmp(page.data() + at, &w, sizeof w) == 0;
    };
    // Between two exceptions every word equals the one before it.
    std::size_t begin = 0;
    const auto expect_filled = [&](std::size_t end) {
        if (begin < end) {
            expect(begin, word);
            whole = whole && std::memcmp(page.data() + begin, page.data() + begin + 8, end - begin - 8) == 0;
        }
    };
    op::exceptions(word, shape, [&](std::size_t at, std::uint64_t w) {
        expect_filled(at);
        expect(at, w);
        begin = at + 8;
    });
    expect_filled(from);
    std::uint64_t wrong = 0;
    for (std::size_t at = from; at < page.size(); at += 8) {
        std::uint64_t w = 0;
        std::memcpy(&w, page.data() + at, sizeof w);
        wrong |= w ^ op::noise(word, at);
    }
    return whole && wrong == 0 ? tag : page_tag{};
}

} // namespace pagefold::testing
