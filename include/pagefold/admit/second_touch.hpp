// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// Refuses a page of an ephemeral pool the first time, before it is compressed, and keeps it the second: most pages of a page
/// cache are read once, and each would drop one that is read again. A key counts as known while it is in the ghost, or its
/// page is stored. It is the ghost queue of 2Q (Johnson and Shasha, VLDB 1994) with no queue for newcomers in front, and
/// what flash caches call reject-first (CacheLib, OSDI 2020).
///
/// It costs a popular page one miss more. Where there is no memory for a ghost, every page is kept. Pages that come in a row longer
/// than the ghost before they come again are refused each time.
class second_touch {
public:
    /// For how many other keys a key is known, in percent of the pages that there is room for. 0 refuses nothing.
    constexpr explicit second_touch(unsigned ghost_percent = 100) noexcept : ghost_percent_{ghost_percent} {}

    [[nodiscard]] constexpr bool screen(const admission_query& query) const noexcept {
        return ghost_percent_ == 0 || !query.is_first_touch();
    }
    [[nodiscard]] constexpr admission admit(const admission_query& query) const noexcept {
        return screen(query) ? query.mildest() : admission::reject;
    }
    [[nodiscard]] constexpr unsigned ghost_percent() const noexcept { return ghost_percent_; }

private:
    unsigned ghost_percent_;
};

} // namespace pagefold
