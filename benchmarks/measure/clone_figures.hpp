// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <string>

namespace pagefold::measure {

/// The `clones.*` figures: what clones of one template take, what a put into one and reading a delta cost. Bytes are of one run,
/// times of so many rounds. The clones are of a program that is run for it, over the pages, or of guests whose dumps are in the
/// folder, if it has a name (clone_images.hpp).
void measure_clones(const support::corpus& pages, const std::string& dumps, unsigned rounds, figures& out);

} // namespace pagefold::measure
