// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

namespace pagefold::measure {

/// The `deferred.*` figures: what a put costs its caller where others compress, what comes through with so many of them, and what
/// reading a page costs that is in the queue still.
void measure_deferred(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out);

} // namespace pagefold::measure
