// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <cstddef>

namespace pagefold::measure {

/// The `shrink.*` figures: a store whose limit is halved while another thread reads from it.
void measure_shrink(const support::corpus& pages, unsigned rounds, std::size_t stored_pages, figures& out);

} // namespace pagefold::measure
