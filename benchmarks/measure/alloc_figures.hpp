// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <cstddef>
#include <string>

namespace pagefold::measure {

struct alloc_options {
    std::size_t objects = 200'000; ///< live ones
    unsigned rounds = 15;          ///< of timing
    unsigned seeds = 5;            ///< of footprints
    std::string plots;             ///< a folder for the data of the plots, or none
};

/// All `alloc.*` figures and those of the allocators' peers. The footprints are told by how much a process grows, so
/// that the heap of this one should hardly have been used.
void measure_alloc(const support::corpus& pages, const alloc_options& options, figures& out);

} // namespace pagefold::measure
