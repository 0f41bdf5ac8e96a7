// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <cstddef>

namespace pagefold::measure {

/// The `packing.*` context: how much of its memory a store has for streams, by allocator, number of pages and limit, and
/// what choosing victims by the pages that they free gains. One run, deterministic.
void measure_packing(const support::corpus& pages, std::size_t stored_pages, figures& out);

} // namespace pagefold::measure
