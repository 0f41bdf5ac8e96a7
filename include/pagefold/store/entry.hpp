// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/tier/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// What the index keeps of one page: where its stream is, how long it is, its checksum, and up to three bits for the
/// eviction policy. A stream of eight bytes (a same-filled page) stands in the entry itself. 12 bytes with a checksum of
/// 28 bits, 16 with one of 60.
///
///     word   payload: handle in bits 17..63, parity 16, length − 1 in bits 0..15      inline: the stream
///            away: place in the tier 33..63, length − 1 17..32, parity 16, none in bits 0..15
///     meta   checksum from bit 4 on, policy in bits 1..3, bit 0 set when inline
///
/// A stream that is away, in a backing tier, leaves its entry here, with its length and checksum. What tells it from others is
/// a length of 1, which no stream has: only stores with a tier make such entries, and ask for them.
///
/// `HasClones` (clone.hpp; lengths are up to 4096 then): bit 12 of the word says that the stream is a delta, bit 13 that there is
/// none, as the page is another one, whose stream's length − 1 is in bits 0..11. That is the one of the same key; or with bit 14
/// the one whose ordinal in the parent's content_index is in bits 17..48. What is left of bits 12 to 63 is 0.
///
/// The parity bit makes the number of ones even, those of the policy left out: a flipped bit shows before the handle is
/// followed, by an overwrite or an erasure too, which look at no checksum.
template <unsigned ChecksumBits, bool HasClones = false>
requires(ChecksumBits == 28 || ChecksumBits == 60) class basic_entry {
public:
    using meta_type = std::conditional_t<ChecksumBits == 28, std::uint32_t, std::uint64_t>;
    static constexpr unsigned checksum_bits = ChecksumBits;
    static constexpr std::size_t bytes = 8 + sizeof(meta_type);
    static constexpr std::size_t max_size = HasClones ? 4096 : 65536;

    constexpr basic_entry() noexcept = default;
    constexpr basic_entry(std::uint64_t word, meta_type meta) noexcept : word_{word}, meta_{meta} {}

    [[nodiscard]] static constexpr basic_entry with_payload(object_handle h, std::size_t size,
                                                            std::uint64_t sum) noexcept {
        PAGEFOLD_CHECK((static_cast<std::uint64_t>(h) >> handle_bits) == 0 && size - 1 < max_size);
        return sealed(static_cast<std::uint64_t>(h) << handle_at | (size - 1), kept(sum));
    }
    [[nodiscard]] static constexpr basic_entry with_stream(std::uint64_t stream, std::uint64_t sum) noexcept {
        return {stream, static_cast<meta_type>(kept(sum) | 1u)};
    }

    /// A page that equals another, whose stream is `size` bytes long.
    [[nodiscard]] static constexpr basic_entry with_reference(std::size_t size,
                                                              std::uint64_t check) noexcept requires HasClones {
        PAGEFOLD_CHECK(size - 1 < max_size);
        return sealed(reference_bit | (size - 1), kept(check));
    }
    /// The same of one with another key, by its ordinal (content_index).
    [[nodiscard]] static constexpr basic_entry with_reference(std::size_t size, std::uint32_t ordinal,
                                                              std::uint64_t check) noexcept requires HasClones {
        PAGEFOLD_CHECK(size - 1 < max_size);
        return sealed(std::uint64_t{ordinal} << handle_at | reference_bit | ordinal_bit | (size - 1), kept(check));
    }
    /// The same payload, as a delta.
    [[nodiscard]] constexpr basic_entry as_delta() const noexcept requires HasClones {
        return sealed((word_ & ~parity_bit) | delta_bit, meta_);
    }
    [[nodiscard]] constexpr bool is_reference() const noexcept {
        return HasClones && !is_inline() && (word_ & reference_bit) != 0;
    }
    [[nodiscard]] constexpr bool is_delta() const noexcept {
        return HasClones && !is_inline() && (word_ & delta_bit) != 0;
    }
    /// Whether a reference is to another key's page, and says which by ordinal().
    [[nodiscard]] constexpr bool has_ordinal() const noexcept { return is_reference() && (word_ & ordinal_bit) != 0; }
    [[nodiscard]] constexpr std::uint32_t ordinal() const noexcept {
        return static_cast<std::uint32_t>(word_ >> handle_at);
    }
    /// Whether it can't be read without another page.
    [[nodiscard]] constexpr bool has_base() const noexcept {
        return HasClones && !is_inline() && (word_ & (reference_bit | delta_bit)) != 0;
    }
    /// Whether it is the same, but for what the policy notes.
    [[nodiscard]] constexpr bool is_same(const basic_entry& other) const noexcept {
        return word_ == other.word_ && ((meta_ ^ other.meta_) & ~policy_bits) == 0;
    }
    /// What it keeps of a checksum.
    [[nodiscard]] constexpr std::uint64_t sum() const noexcept { return meta_ & ~meta_type{0xf}; }

    /// The same stream, with no payload here.
    [[nodiscard]] constexpr basic_entry moved_away(tier_place place) const noexcept {
        PAGEFOLD_CHECK(fits_entry(place) && !is_inline() && !is_away());
        return sealed(std::uint64_t{static_cast<std::uint32_t>(place)} << place_at | (word_ & 0xffff) << handle_at,
                      meta_ & ~policy_bits);
    }
    /// And back. `is_away()`.
    [[nodiscard]] constexpr basic_entry brought_back(object_handle h) const noexcept {
        PAGEFOLD_CHECK(is_away() && (static_cast<std::uint64_t>(h) >> handle_bits) == 0);
        return sealed(static_cast<std::uint64_t>(h) << handle_at | (away_size() - 1), meta_ & ~policy_bits);
    }

    [[nodiscard]] constexpr std::uint64_t word() const noexcept { return word_; }
    [[nodiscard]] constexpr meta_type meta() const noexcept { return meta_; }

    [[nodiscard]] constexpr bool is_inline() const noexcept { return (meta_ & 1u) != 0; }
    /// In a store without a tier, that of a stream of length 1.
    [[nodiscard]] constexpr bool is_away() const noexcept { return !is_inline() && (word_ & 0xffff) == 0; }
    /// Where the tier has it; only while it is away, as is its length.
    [[nodiscard]] constexpr tier_place place() const noexcept { return static_cast<tier_place>(word_ >> place_at); }
    [[nodiscard]] constexpr std::size_t away_size() const noexcept { return to_size(word_ >> handle_at & 0xffff) + 1; }
    /// Not for an inline entry.
    [[nodiscard]] constexpr object_handle handle() const noexcept {
        return static_cast<object_handle>(word_ >> handle_at);
    }
    /// Not for an inline entry; of a reference, what it was given.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return to_size(word_ & (max_size - 1)) + 1; }
    /// Whether the other has a stream of the same length and checksum. Of both, the payload is here.
    [[nodiscard]] constexpr bool is_like(const basic_entry& other) const noexcept {
        return !is_inline() && !other.is_inline() && (word_ & 0xffff) == (other.word_ & 0xffff) &&
               ((meta_ ^ other.meta_) & ~policy_bits) == 0;
    }
    [[nodiscard]] constexpr bool matches(std::uint64_t sum) const noexcept {
        return (meta_ & ~meta_type{0xf}) == kept(sum);
    }
    /// The same page in another place.
    constexpr void set_handle(object_handle h) noexcept {
        *this = sealed(static_cast<std::uint64_t>(h) << handle_at | (word_ & 0xffff), meta_);
    }
    /// False where a bit of handle, length or checksum is flipped. Not for an inline entry.
    [[nodiscard]] constexpr bool is_whole() const noexcept {
        if constexpr (HasClones) {
            const std::uint64_t forms = word_ & 0xf000;
            const bool is_by_ordinal = forms == (reference_bit | ordinal_bit) && word_ >> handle_at >> 32 == 0;
            const bool is_by_key = forms == reference_bit && word_ >> handle_at == 0;
            if (forms != 0 && forms != delta_bit && !is_by_key && !is_by_ordinal) {
                return false;
            }
        }
        return !is_odd(word_ ^ (meta_ & ~policy_bits));
    }

    [[nodiscard]] constexpr std::uint8_t hook() const noexcept { return static_cast<std::uint8_t>(meta_ >> 1 & 7u); }
    constexpr void set_hook(std::uint8_t bits) noexcept {
        meta_ = static_cast<meta_type>((meta_ & ~policy_bits) | (bits & 7u) << 1);
    }

private:
    static constexpr unsigned handle_at = 64 - handle_bits;
    static constexpr unsigned place_at = 64 - tier_place_bits;
    static constexpr meta_type policy_bits = 0xe;
    static constexpr std::uint64_t delta_bit = 0x1000, reference_bit = 0x2000, ordinal_bit = 0x4000,
                                   parity_bit = 0x10000;
    static_assert(handle_at == 17 && place_at == handle_at + 16);

    [[nodiscard]] static constexpr basic_entry sealed(std::uint64_t word, meta_type meta) noexcept {
        return {word | std::uint64_t{is_odd(word ^ (meta & ~policy_bits))} << 16, meta};
    }
    [[nodiscard]] static constexpr meta_type kept(std::uint64_t sum) noexcept {
        return static_cast<meta_type>(sum >> (60 - ChecksumBits)) & ~meta_type{0xf};
    }

    std::uint64_t word_ = 0;
    meta_type meta_ = 0;
};
static_assert(packed_hook_bits == 3);

using entry = basic_entry<28>;

} // namespace pagefold
