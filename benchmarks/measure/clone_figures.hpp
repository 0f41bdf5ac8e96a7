// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

namespace pagefold::measure {

/// The `clones.*` figures: what clones of one template take, what a put into one and reading a delta cost. Bytes are of one run,
/// times of so many rounds.
void measure_clones(const support::corpus& pages, unsigned rounds, figures& out);

} // namespace pagefold::measure
