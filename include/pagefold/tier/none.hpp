// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/tier/concept.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// No tier: it takes nothing, and has nothing. A store over it has none of the code and memory of demotion.
struct no_tier {
    static constexpr bool takes_nothing = true;

    [[nodiscard]] constexpr result<tier_place> offer(const page_key&, byte_view) const noexcept {
        return status::limit;
    }
    constexpr status fetch(const page_key&, tier_place, byte_span) const noexcept { return status::not_found; }
    constexpr status forget(const page_key&, tier_place) const noexcept { return status::ok; }
};

} // namespace pagefold
