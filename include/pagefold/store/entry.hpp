// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/evict/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold {

/// What the index keeps of one page, in 12 bytes: where its stream is, how long it is, its checksum, and up to three bits
/// for the eviction policy. A stream of eight bytes (a same-filled page) stands in the entry itself.
///
///     word   payload: handle in bits 16..63, length − 1 in bits 0..15      inline: the stream
///     meta   checksum in bits 4..31, policy in bits 1..3, bit 0 set when inline
class entry {
public:
    static constexpr unsigned checksum_bits = 28;
    static constexpr std::size_t max_size = 65536;

    constexpr entry() noexcept = default;
    constexpr entry(std::uint64_t word, std::uint32_t meta) noexcept : word_{word}, meta_{meta} {}

    [[nodiscard]] static constexpr entry with_payload(object_handle h, std::size_t size, std::uint64_t sum) noexcept {
        PAGEFOLD_CHECK((static_cast<std::uint64_t>(h) >> handle_bits) == 0 && size - 1 < max_size);
        return {static_cast<std::uint64_t>(h) << 16 | (size - 1), kept(sum)};
    }
    [[nodiscard]] static constexpr entry with_stream(std::uint64_t stream, std::uint64_t sum) noexcept {
        return {stream, kept(sum) | 1u};
    }

    [[nodiscard]] constexpr std::uint64_t word() const noexcept { return word_; }
    [[nodiscard]] constexpr std::uint32_t meta() const noexcept { return meta_; }

    [[nodiscard]] constexpr bool is_inline() const noexcept { return (meta_ & 1u) != 0; }
    /// Not for an inline entry.
    [[nodiscard]] constexpr object_handle handle() const noexcept { return static_cast<object_handle>(word_ >> 16); }
    /// Not for an inline entry.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return static_cast<std::size_t>(word_ & 0xffff) + 1; }
    [[nodiscard]] constexpr bool matches(std::uint64_t sum) const noexcept { return (meta_ & ~0xfu) == kept(sum); }

    [[nodiscard]] constexpr std::uint8_t hook() const noexcept { return static_cast<std::uint8_t>(meta_ >> 1 & 7u); }
    constexpr void set_hook(std::uint8_t bits) noexcept { meta_ = (meta_ & ~0xeu) | (bits & 7u) << 1; }

private:
    [[nodiscard]] static constexpr std::uint32_t kept(std::uint64_t sum) noexcept {
        return static_cast<std::uint32_t>(sum >> 32) & ~0xfu;
    }

    std::uint64_t word_ = 0;
    std::uint32_t meta_ = 0;
};
static_assert(packed_hook_bits == 3);

} // namespace pagefold
