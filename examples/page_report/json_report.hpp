// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "measurement.hpp"

#include <optional>
#include <string>

namespace page_report {

/// Everything that the table and the histogram show, in bytes and microseconds.
[[nodiscard]] std::string json_report(const arguments& given, const measurement& made,
                                      const std::optional<peer_measurement>& peer);

} // namespace page_report
