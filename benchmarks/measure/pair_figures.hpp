// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

namespace pagefold::measure {

/// `compress.page.pair_*`: two pages in one call of the page codec against two calls.
void measure_pairs(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out);

} // namespace pagefold::measure
