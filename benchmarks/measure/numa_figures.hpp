// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

namespace pagefold::measure {

/// `numa.strict_put_over_plain` and `numa.wrong_node_pages`, on this machine's nodes: what it costs to keep to one, and how many
/// pages of strict pools are elsewhere.
void measure_numa(const support::corpus& pages, unsigned rounds, figures& out);

} // namespace pagefold::measure
