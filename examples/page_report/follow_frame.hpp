// SPDX-License-Identifier: MIT
#pragma once

#include "text.hpp"

#include <pagefold/control/age_histogram.hpp>

#include <cstdint>
#include <string>

namespace page_report {

/// What a sweep over a process came to.
struct follow_frame {
    std::string process;
    std::string seen_by;
    std::string blind_to;
    std::uint64_t sweep = 0;
    std::uint64_t sweep_ms = 0;
    std::uint64_t pages = 0; ///< in memory
    std::uint64_t hot_pages = 0;
    std::uint64_t promoted_pages = 0; ///< accessed in this sweep, and cold before
    std::uint8_t threshold = pagefold::no_age;
    std::uint64_t cold_pages = 0;
    pagefold::age_histogram ages;
    std::uint64_t sampled_pages = 0; ///< cold ones that were compressed, of late
    std::uint64_t sampled_bytes = 0; ///< what they took in the store
    std::string codec;
    std::uint64_t budget_bytes = 0;
    std::uint64_t stalled_ppm = 0;
    std::string no_pressure; ///< empty, or why the kernel tells of no stalls

    /// What the cold pages would take in a store; not known before some were compressed.
    [[nodiscard]] std::uint64_t compressed_bytes() const noexcept;
    [[nodiscard]] std::uint64_t saved_bytes() const noexcept;
};

/// For people; ends in a newline, at most screen.columns wide.
[[nodiscard]] std::string frame_text(const follow_frame& frame, const display& screen);
/// What it is seen by, and what is not known; lines as long as they are.
[[nodiscard]] std::string frame_notes(const follow_frame& frame);
/// An object in one line, which it ends.
[[nodiscard]] std::string frame_json(const follow_frame& frame);

} // namespace page_report
