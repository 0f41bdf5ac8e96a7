// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>

namespace pagefold::inline PAGEFOLD_ABI {

/// Keeps every page: its stream where that is shorter than the page, the page itself where not.
struct always {
    [[nodiscard]] constexpr admission admit(const admission_query& query) const noexcept { return query.mildest(); }
};

} // namespace pagefold
