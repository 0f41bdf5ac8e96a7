// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <cstddef>

namespace pagefold::measure {

/// The `pager.*` figures: a region paged through the store, against the kernel's swap on zram with the same memory. Needs
/// userfaultfd and, for the ratios, root. To be called while there is one thread.
void measure_pager(const support::corpus& pages, unsigned rounds, bool quick, figures& out);

} // namespace pagefold::measure
