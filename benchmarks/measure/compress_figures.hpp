// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <filesystem>

namespace pagefold::measure {

/// All `compress.*` figures and those of the other codecs. With a folder, codecs.dat in it gets a row for each codec,
/// level and path: what benchmarks/plots/codecs.gp draws.
void measure_compress(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out,
                      const std::filesystem::path& plots);

} // namespace pagefold::measure
