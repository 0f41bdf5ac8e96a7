// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/config/assert.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Keeps a stream only where the memory that it saves is worth the time that every read spends on decoding it; else the page is
/// kept raw, or refused. A doubt that Alexander Graf raised about compressing a page cache at all: what is read often pays for
/// its decoding again and again, and what is hardly shorter saves hardly anything.
///
/// Times are in nanoseconds of one processor, memory in bytes of page and stream (allocators round up, and don't count here):
///
///     cost of a read  = decode_ns + page KiB · decode_ns_a_page_kib + stream KiB · decode_ns_a_stream_kib
///     worth of a read = saved KiB · worth_ns_a_kib
///
/// The stream is kept while the cost is not above the worth. What a KiB is worth is the user's to say: where one KiB more of
/// cache spares p misses a second of t ns each, and a page is read r times a second, it is p · t / r. A stream of 8 bytes
/// has no payload, is written and not decoded, and always kept. The default's costs are about those of the page codec with
/// vectors; measure your own. One sum of integers a page.
class cost_aware {
public:
    struct options {
        std::uint32_t decode_ns = 100;             ///< of each read of a stream, whatever its length
        std::uint32_t decode_ns_a_page_kib = 100;  ///< and for each KiB of the page
        std::uint32_t decode_ns_a_stream_kib = 50; ///< and for each KiB of the stream
        std::uint32_t worth_ns_a_kib = 500;        ///< what a read may cost for each KiB that is saved
        admission otherwise = admission::raw;      ///< for a stream that costs more: raw or reject
    };

    constexpr cost_aware() noexcept = default;
    constexpr explicit cost_aware(const options& chosen) noexcept : options_{chosen} {
        PAGEFOLD_CHECK(chosen.otherwise != admission::packed);
    }

    [[nodiscard]] constexpr admission admit(const admission_query& query) const noexcept {
        if (query.packed_bytes <= without_payload) {
            return query.mildest();
        }
        const bool pays = query.packed_bytes < query.page_bytes && cost(query) <= worth(query);
        return pays ? admission::packed : options_.otherwise;
    }

private:
    static constexpr std::size_t without_payload = 8;
    static constexpr std::uint64_t kib = 1024;

    // Both in 1024ths of a nanosecond, and exact for pages below 1 GiB.
    [[nodiscard]] constexpr std::uint64_t cost(const admission_query& query) const noexcept {
        return options_.decode_ns * kib + std::uint64_t{query.page_bytes} * options_.decode_ns_a_page_kib +
               std::uint64_t{query.packed_bytes} * options_.decode_ns_a_stream_kib;
    }
    [[nodiscard]] constexpr std::uint64_t worth(const admission_query& query) const noexcept {
        return std::uint64_t{query.page_bytes - query.packed_bytes} * options_.worth_ns_a_kib;
    }

    options options_{};
};

} // namespace pagefold
