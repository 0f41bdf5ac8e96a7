// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/probation_queue.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// Clock2Q+ (Zhai, Marthen, Balivada, Bojji, Knauft, Rohilla, Zuo, Liu, Austruy, Wang, Yang: "Clock2Q+: A simple and efficient
/// replacement algorithm for metadata cache in VMware vSAN", VLDB 2026, arXiv 2511.21958): a small queue of a tenth of the
/// pages, a clock for the others, a ghost half as long as the cache, and one bit a page.
///
/// Hits in the newer half of the small queue, the correlation window, don't set the bit: a page that is read again right after it
/// came was read once, for two callers. The window is measured by arrivals since. A hook of 12 bytes; a hit writes it at most.
class clock2q_plus : public probation_queue {
public:
    struct options {
        unsigned small_percent = 10;
        unsigned window_percent = 50; ///< of the small queue
        unsigned ghost_percent = 50;
    };

    constexpr clock2q_plus() noexcept : clock2q_plus{options{}} {}
    constexpr explicit clock2q_plus(const options& numbers) noexcept
        : probation_queue{{numbers.small_percent, 1, 1, numbers.window_percent, numbers.ghost_percent}} {}
};

} // namespace pagefold
