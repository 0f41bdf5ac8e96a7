// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/probation_queue.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023): a tenth of the
/// pages is on probation in a small queue; those that were read there go on to the main queue, the others to the ghost.
///
/// With two bits, as published, a page needs two hits on probation, and its hits are counted up to 3. With one bit the first hit
/// will do. A hook of 12 bytes; a hit writes it at most.
class s3_fifo : public probation_queue {
public:
    struct options {
        unsigned small_percent = 10;
        unsigned bits = 2; ///< for hits; 1 or 2
        unsigned ghost_percent = 90;
    };

    constexpr s3_fifo() noexcept : s3_fifo{options{}} {}
    constexpr explicit s3_fifo(const options& numbers) noexcept
        : probation_queue{
              {numbers.small_percent, numbers.bits, numbers.bits == 1 ? 1u : 3u, 0, numbers.ghost_percent}} {
        PAGEFOLD_CHECK(numbers.bits == 1 || numbers.bits == 2);
    }
};

} // namespace pagefold
