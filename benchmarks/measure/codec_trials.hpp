// SPDX-License-Identifier: MIT
#pragma once

#include "codec_trial.hpp"
#include "figures.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace pagefold::measure {

using codec_trials = std::vector<std::unique_ptr<codec_trial>>;

/// Every codec, level and path that this machine has; liblz4, the base of the ratios, is the first. What is missing is
/// noted.
[[nodiscard]] codec_trials all_codecs(figures& out);

/// Those that are compared on larger pages; liblz4 is the first.
[[nodiscard]] codec_trials codecs_of_larger_pages(std::size_t page_size);

} // namespace pagefold::measure
