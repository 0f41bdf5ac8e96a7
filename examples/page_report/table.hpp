// SPDX-License-Identifier: MIT
#pragma once

#include "measurement.hpp"
#include "text.hpp"

#include <optional>
#include <string>

namespace page_report {

/// One line a row, TOTAL, and the peer's, numbers to the right; fits in 80 columns as long as the numbers let it.
[[nodiscard]] std::string table_text(const measurement& made, const std::optional<peer_measurement>& peer,
                                     const display& shown);

} // namespace page_report
