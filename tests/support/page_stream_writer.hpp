// SPDX-License-Identifier: MIT
#pragma once

// Writes streams of the page codec from their parts, and says what they decode to: docs/page_codec.md in the plainest
// words, sharing nothing with the codec. So streams can be made that no encoder would write, valid or wrong in one place.

#include <support/rng.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

namespace pagefold::testing {

/// What a unit's stream says.
struct unit_parts {
    static constexpr std::size_t size = 4096;
    static constexpr std::size_t blocks = 256;
    static constexpr std::size_t groups = 512;

    std::array<bool, blocks> takes_lag{};
    std::array<bool, blocks> is_zeros{};
    std::vector<unsigned> lags;
    std::array<std::uint8_t, groups> masks{};
    std::vector<std::uint8_t> literals;
};

/// How it says it, and what is wrong about it.
struct stream_style {
    bool literals_packed = false;
    unsigned alphabet = 0; ///< of packed literals
    bool masks_packed = false;
    bool masks_inverted = false;
    bool marks_sparse = false;
    bool choices_sparse = false;
    bool lag_tops_sparse = false;
    unsigned needless = 0; ///< lists one byte in so many that need not be; escapes one that has a code; 0: none

    bool literal_padding = false; ///< padding that is not zero, where there is padding
    bool mask_padding = false;
    bool lag_padding = false;
    bool bitmap_padding = false;
    std::uint8_t unknown_flags = 0;
    int more_literals = 0; ///< bytes in front, or missing there; only where literals are not packed, since planes and
                           ///< escapes that were shifted may fit by chance
};

class page_stream_writer {
public:
    using bytes = std::vector<std::uint8_t>;

    explicit page_stream_writer(std::uint64_t seed) noexcept : random_{seed} {}

    /// The stream of one unit. `is_wrong` is set when the style made it so.
    [[nodiscard]] bytes write(const unit_parts& parts, const stream_style& style, bool is_wide, bool& is_wrong) {
        is_wrong_ = style.unknown_flags != 0 && !style.literals_packed; // with them it names another alphabet
        const unsigned alphabet = (style.literals_packed ? style.alphabet : 0) << 6 ^ style.unknown_flags;
        bytes stream = literal_section(parts.literals, style, alphabet >> 6);
        if (!style.literals_packed) {
            change_front(stream, style.more_literals);
        }
        append(stream, lag_sections(parts.lags, style, is_wide));
        append(stream, mask_sections(parts.masks, style)); // leaves marks_
        append(stream, maybe_sparse(choices(parts), style.choices_sparse, style));
        append(stream, maybe_sparse(marks_, style.marks_sparse, style));
        stream.push_back(static_cast<std::uint8_t>(
            alphabet | (style.literals_packed ? 1 : 0) | (style.masks_packed ? 2 : 0) | (style.masks_inverted ? 4 : 0) |
            (style.marks_sparse ? 8 : 0) | (style.choices_sparse ? 16 : 0) | (style.lag_tops_sparse ? 32 : 0)));
        is_wrong = is_wrong_;
        return stream;
    }

    /// What a decoder writes to page[base, base + 4096) of a page whose front is there; false if it has to refuse.
    [[nodiscard]] static bool read(const unit_parts& parts, std::uint8_t* page, std::size_t base) {
        std::size_t lag = 64;
        auto next_lag = parts.lags.begin();
        auto next_literal = parts.literals.begin();
        for (std::size_t block = 0; block < unit_parts::blocks; ++block) {
            lag = parts.takes_lag[block] ? *next_lag++ : lag;
            const std::size_t at = base + block * 16;
            if (!parts.is_zeros[block] && (lag < 16 || lag > at)) {
                return false;
            }
            for (std::size_t i = 0; i < 16; ++i) {
                const bool is_literal = (parts.masks[(block * 16 + i) / 8] >> i % 8 & 1) != 0;
                const std::uint8_t guess = parts.is_zeros[block] ? std::uint8_t{0} : page[at + i - lag];
                page[at + i] = is_literal ? *next_literal++ : guess;
            }
        }
        return true;
    }

private:
    static constexpr std::uint8_t mask_alphabet[15] = {0x03, 0x01, 0xff, 0x07, 0x0f, 0x3f, 0x02, 0xc0,
                                                       0x80, 0x7f, 0xe0, 0xf0, 0xfe, 0x60, 0x10};
    static constexpr std::uint8_t literal_alphabet[4][63] = {
        {0x00, 0x0a, 0x20, 0x22, 0x28, 0x29, 0x2a, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34,
         0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x49, 0x4c, 0x4d,
         0x4e, 0x4f, 0x50, 0x52, 0x53, 0x54, 0x55, 0x5f, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
         0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79},
        {0x09, 0x0a, 0x20, 0x22, 0x23, 0x24, 0x27, 0x28, 0x29, 0x2a, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31,
         0x32, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x41, 0x43, 0x44, 0x45, 0x49, 0x4c, 0x4e, 0x4f, 0x50, 0x52,
         0x53, 0x54, 0x5b, 0x5c, 0x5d, 0x5f, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6b,
         0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7b, 0x7d},
        {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x1f, 0x20, 0x21, 0x22, 0x23,
         0x27, 0x28, 0x29, 0x2d, 0x2e, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3d,
         0x40, 0x51, 0x55, 0x5b, 0x5c, 0x5d, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6b,
         0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a},
        {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
         0x15, 0x17, 0x1d, 0x1f, 0x20, 0x21, 0x22, 0x2c, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37,
         0x38, 0x39, 0x3a, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x5f, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
         0x67, 0x68, 0x69, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x7d},
    };

    static void append(bytes& to, const bytes& from) { to.insert(to.end(), from.begin(), from.end()); }

    void change_front(bytes& section, int more) {
        const std::ptrdiff_t missing = std::min<std::ptrdiff_t>(std::max(-more, 0), std::ssize(section));
        section.erase(section.begin(), section.begin() + missing);
        section.insert(section.begin(), static_cast<std::size_t>(std::max(more, 0)), 7);
        is_wrong_ = is_wrong_ || more > 0 || missing > 0;
    }

    bool needless(const stream_style& style) { return style.needless != 0 && random_.one_in(style.needless); }

    /// The position in the alphabet from 1, or 0 for an escape, which goes to the escapes.
    template <std::size_t Count>
    unsigned code_of(const std::uint8_t (&alphabet)[Count], std::uint8_t byte, bytes& escapes,
                     const stream_style& style) {
        const auto* const found = std::find(std::begin(alphabet), std::end(alphabet), byte);
        if (found == std::end(alphabet) || needless(style)) {
            escapes.push_back(byte);
            return 0;
        }
        return static_cast<unsigned>(found - std::begin(alphabet)) + 1;
    }

    bytes maybe_sparse(const bytes& section, bool is_sparse, const stream_style& style) {
        if (!is_sparse) {
            return section;
        }
        bytes listed;
        bytes bitmap((section.size() + 7) / 8);
        for (std::size_t i = 0; i < section.size(); ++i) {
            if (section[i] != 0 || needless(style)) {
                listed.push_back(section[i]);
                bitmap[i / 8] = static_cast<std::uint8_t>(bitmap[i / 8] | 1u << i % 8);
            }
        }
        if (style.bitmap_padding && section.size() % 8 != 0) {
            const std::size_t bit = section.size() % 8 + random_.below(8 - section.size() % 8);
            bitmap.back() = static_cast<std::uint8_t>(bitmap.back() | 1u << bit);
            listed.push_back(9); // or the lengths would tell
            is_wrong_ = true;
        }
        append(listed, bitmap);
        return listed;
    }

    bytes literal_section(const bytes& literals, const stream_style& style, unsigned alphabet) {
        if (!style.literals_packed) {
            return literals;
        }
        is_wrong_ = is_wrong_ || literals.size() < 256;
        const std::size_t plane = (literals.size() + 3) / 4;
        bytes escapes;
        std::vector<unsigned> codes;
        for (const std::uint8_t one : literals) {
            codes.push_back(code_of(literal_alphabet[alphabet], one, escapes, style));
        }
        codes.resize(4 * plane);
        if (style.literal_padding && literals.size() % 4 != 0) {
            codes[literals.size() + random_.below(4 * plane - literals.size())] =
                static_cast<unsigned>(1 + random_.below(63));
            is_wrong_ = true;
        }
        bytes section;
        for (std::size_t k = 0; k < 3; ++k) {
            for (std::size_t i = 0; i < plane; ++i) {
                section.push_back(
                    static_cast<std::uint8_t>(codes[k * plane + i] | (codes[3 * plane + i] >> 2 * k & 3) << 6));
            }
        }
        append(section, escapes);
        return section;
    }

    bytes lag_sections(const std::vector<unsigned>& lags, const stream_style& style, bool is_wide) {
        bytes section;
        bytes tops;
        for (const unsigned lag : lags) {
            const unsigned code = lag >> 3 | (lag & 7) << (is_wide ? 13 : 9);
            section.push_back(static_cast<std::uint8_t>(code));
            tops.push_back(static_cast<std::uint8_t>(code >> 8));
        }
        append(section, maybe_sparse(is_wide ? tops : pairs_of(tops, style.lag_padding), style.lag_tops_sparse, style));
        return section;
    }

    /// Two to a byte, the first in the low half.
    bytes pairs_of(bytes halves, bool has_padding) {
        if (halves.size() % 2 != 0) {
            halves.push_back(static_cast<std::uint8_t>(has_padding ? 1 + random_.below(15) : 0));
            is_wrong_ = is_wrong_ || has_padding;
        }
        bytes pairs;
        for (std::size_t i = 0; i < halves.size(); i += 2) {
            pairs.push_back(static_cast<std::uint8_t>(halves[i] | halves[i + 1] << 4));
        }
        return pairs;
    }

    bytes mask_sections(const std::array<std::uint8_t, unit_parts::groups>& masks, const stream_style& style) {
        marks_.assign(unit_parts::groups / 8, 0);
        bytes listed;
        for (std::size_t i = 0; i < masks.size(); ++i) {
            const auto mask = static_cast<std::uint8_t>(style.masks_inverted ? ~masks[i] : masks[i]);
            if (mask != 0 || needless(style)) {
                marks_[i / 8] = static_cast<std::uint8_t>(marks_[i / 8] | 1u << i % 8);
                listed.push_back(mask);
            }
        }
        if (!style.masks_packed) {
            return listed;
        }
        bytes section;
        bytes codes;
        for (const std::uint8_t one : listed) {
            codes.push_back(static_cast<std::uint8_t>(code_of(mask_alphabet, one, section, style)));
        }
        append(section, pairs_of(codes, style.mask_padding));
        return section;
    }

    static bytes choices(const unit_parts& parts) {
        bytes section(2 * unit_parts::blocks / 8);
        for (std::size_t i = 0; i < unit_parts::blocks; ++i) {
            section[i / 8] = static_cast<std::uint8_t>(section[i / 8] | (parts.takes_lag[i] ? 1u : 0u) << i % 8);
            section[32 + i / 8] =
                static_cast<std::uint8_t>(section[32 + i / 8] | (parts.is_zeros[i] ? 1u : 0u) << i % 8);
        }
        return section;
    }

    rng random_;
    bytes marks_;
    bool is_wrong_ = false;
};

/// Parts that hang together: as many lags and literals as are asked for. Lags are mostly valid, at the limits often, and
/// now and then just beyond one.
[[nodiscard]] inline unit_parts random_parts(rng& random, std::size_t base) {
    unit_parts parts;
    const std::uint64_t zeros = 1 + random.below(8);
    const std::uint64_t news = 1 + random.below(8);
    const std::uint64_t daring = random.one_in(3) ? 20 : 1'000'000; // one lag in so many is wrong
    std::size_t lag = 64;
    for (std::size_t i = 0; i < unit_parts::blocks; ++i) {
        const std::size_t at = base + i * 16;
        parts.is_zeros[i] = at < 16 || random.one_in(zeros);
        parts.takes_lag[i] = random.one_in(news) || (!parts.is_zeros[i] && lag > at);
        if (!parts.takes_lag[i]) {
            continue;
        }
        const std::size_t most = std::max<std::size_t>(at, 16);
        switch (random.below(4)) {
        case 0: lag = 16; break;
        case 1: lag = most; break;
        case 2: lag = 16 + random.below(most - 15); break;
        default: lag = std::min<std::size_t>(most, 16 + 8 * random.below(20));
        }
        if (random.one_in(daring)) {
            lag = random.one_in(2) ? random.below(16) : most + 1 + random.below(20);
        }
        // No lag has more bits than its code.
        lag &= base == 0 ? 0xfffu : 0xffffu;
        parts.lags.push_back(static_cast<unsigned>(lag));
    }
    const std::uint64_t density = std::uint64_t{1} << random.below(6);
    const bool has_any_mask = random.one_in(2);
    for (std::uint8_t& mask : parts.masks) {
        constexpr std::uint8_t usual[] = {0x03, 0x01, 0xff, 0x07, 0x0f, 0x80, 0x7f, 0x10};
        if (random.one_in(density)) {
            mask = has_any_mask ? static_cast<std::uint8_t>(random()) : usual[random.below(std::size(usual))];
        }
        for (unsigned i = 0; i < 8; ++i) {
            if ((mask >> i & 1) != 0) {
                parts.literals.push_back(
                    static_cast<std::uint8_t>(random.one_in(5) ? random() : 'a' + random.below(20)));
            }
        }
    }
    return parts;
}

/// Any style; half of them with one thing that may be wrong.
[[nodiscard]] inline stream_style random_style(rng& random) {
    stream_style style;
    for (bool* one : {&style.literals_packed, &style.masks_packed, &style.masks_inverted, &style.marks_sparse,
                      &style.choices_sparse, &style.lag_tops_sparse}) {
        *one = random.one_in(2);
    }
    style.alphabet = static_cast<unsigned>(random.below(4));
    style.needless = random.one_in(3) ? static_cast<unsigned>(2 + random.below(50)) : 0;
    switch (random.below(12)) {
    case 0: style.literal_padding = true; break;
    case 1: style.mask_padding = true; break;
    case 2: style.lag_padding = true; break;
    case 3: style.bitmap_padding = true; break;
    case 4: style.unknown_flags = random.one_in(2) ? 64 : 128; break;
    case 5: style.more_literals = static_cast<int>(random.below(5)) - 2; break;
    default: break;
    }
    return style;
}

} // namespace pagefold::testing
