// SPDX-License-Identifier: MIT
#pragma once

#include "measurement.hpp"
#include "text.hpp"

#include <string>

namespace page_report {

/// Lines of bars, as wide as the display.
[[nodiscard]] std::string histogram_text(const size_histogram& sizes, const display& shown);

/// Columns, as an SVG of 960 by 480. `subtitle` says what was measured.
[[nodiscard]] std::string histogram_svg(const size_histogram& sizes, const std::string& subtitle);

} // namespace page_report
