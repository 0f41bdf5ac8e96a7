// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Keeps a page of an ephemeral pool by a toss that is the harder the longer its stream: one of `half_bytes` wins every second
/// time, one of twice as many every fourth. A page that is asked for often wins soon whatever its size, and of those that
/// come once the short ones stay, which cost least. It is the rule of AdaptSize (Berger, Sitaraman, Harchol-Balter: NSDI
/// 2017), exp(−size/c), with c = half_bytes / ln 2; half_bytes is given, and not tuned while it runs.
///
/// A page of a persistent pool is kept. So is a stream of 8 bytes, which takes no memory but its entry. Tosses follow from the
/// seed, the key and how many there were before, so that one thread gets the same answers in every run. Cost: an atomic
/// increment, in a cache line of its own, and a multiplication. Integers only.
class size_aware {
public:
    struct options {
        std::uint32_t half_bytes = 2048; ///< a stream of so many bytes is kept every second time; not 0
        std::uint64_t seed = 0;
    };

    constexpr explicit size_aware(std::uint32_t half_bytes = 2048) noexcept : size_aware{options{half_bytes, 0}} {}
    constexpr explicit size_aware(const options& chosen) noexcept : options_{chosen} {
        PAGEFOLD_CHECK(chosen.half_bytes != 0);
    }
    /// With as many tosses behind it.
    size_aware(const size_aware& other) noexcept
        : options_{other.options_}, tosses_{other.tosses_.load(memory_order::relaxed)} {}
    size_aware& operator=(const size_aware&) = delete;

    [[nodiscard]] admission admit(const admission_query& query) noexcept {
        if (query.kind == pool_kind::persistent || query.packed_bytes <= without_payload) {
            return query.mildest();
        }
        const std::uint64_t number = tosses_.fetch_add(1, memory_order::relaxed); // any number that nobody else has
        const std::uint64_t toss = mix(query.key_hash ^ options_.seed, number) >> 32;
        return toss < chance(query.packed_bytes, options_.half_bytes) ? query.mildest() : admission::reject;
    }

    /// Of 2^32 tosses for a stream of so many bytes, how many win: 2^32 · 2^(−bytes / half), to within one in 1,000.
    [[nodiscard]] static constexpr std::uint64_t chance(std::size_t bytes, std::uint32_t half) noexcept {
        // 2^(−i/16) in 2^−32, and in between a straight line.
        constexpr std::uint64_t powers[] = {0x100000000, 0xf5257d15, 0xeac0c6e8, 0xe0ccdeec, 0xd744fccb, 0xce248c15,
                                            0xc5672a11,  0xbd08a39f, 0xb504f334, 0xad583eea, 0xa5fed6aa, 0x9ef53261,
                                            0x9837f052,  0x91c3d374, 0x8b95c1e4, 0x85aac368, 0x80000000};
        const std::size_t halvings = bytes / half;
        if (halvings >= 33) {
            return 0;
        }
        const std::uint64_t rest = std::uint64_t{bytes % half} << 16; // below 2^48
        const std::uint64_t at = rest / half;                         // in 65536ths of a halving
        const std::uint64_t from = powers[at >> 12], to = powers[(at >> 12) + 1];
        return (from - ((from - to) * (at & 0xfff) >> 12)) >> halvings;
    }

private:
    static constexpr std::size_t without_payload = 8;

    options options_;
    alignas(64) atomic<std::size_t> tosses_{0};
};

} // namespace pagefold
