// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"

#include <string>

namespace page_report {

/// Watches a process until it ends, given.sweeps are over or a signal comes, and shows what it sees after each sweep.
/// Empty, or which page came back wrong from the store. Throws `failure`.
[[nodiscard]] std::string follow(const arguments& given);

} // namespace page_report
