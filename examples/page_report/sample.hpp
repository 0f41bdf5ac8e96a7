// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "page_set.hpp"
#include "progress.hpp"

namespace page_report {

/// Copies the pages that the arguments name, or a sample of this machine's: at most arguments.sample_bytes, evenly from
/// all over each source, and from each in proportion to its size. Throws `failure`.
[[nodiscard]] page_set take_pages(const arguments& given, progress& shown);

} // namespace page_report
