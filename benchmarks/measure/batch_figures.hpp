// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

namespace pagefold::measure {

/// The `batch.*` figures: a page of a batch of 64 over a single operation, in a store of 50,000 pages and, with `is_full`, in one of 3
/// million.
void measure_batch(const support::corpus& pages, unsigned rounds, bool is_quick, bool is_full, figures& out);

} // namespace pagefold::measure
