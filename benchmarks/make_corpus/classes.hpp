// SPDX-License-Identifier: MIT
#pragma once

#include "page_sample.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <vector>

namespace pagefold::corpus {

/// A class of pages and how it is made: `make` takes a folder to work in and how many pages are wanted; it may throw, and
/// then the class is left out.
struct page_class {
    const char* name;
    std::size_t permille; ///< of the corpus
    std::function<page_sample(const std::filesystem::path& scratch, std::size_t wanted)> make;
};

/// What codecs are tuned on and figures are stated for.
[[nodiscard]] std::vector<page_class> usual_classes();

/// Other programs, other data and other kinds of files: what a codec tuned on the usual classes has never seen.
[[nodiscard]] std::vector<page_class> held_out_classes();

} // namespace pagefold::corpus
