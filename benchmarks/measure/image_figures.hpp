// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <cstddef>

namespace pagefold::measure {

/// The `image.*` figures: a pool of so many pages saved to memory, and restored from there into another store, in bytes of pages
/// a second.
void measure_image(const support::corpus& pages, unsigned rounds, std::size_t stored_pages, figures& out);

} // namespace pagefold::measure
