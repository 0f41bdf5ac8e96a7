// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

namespace pagefold::measure {

/// All `store.*` figures and those of the store's peers.
void measure_store(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out);

} // namespace pagefold::measure
