// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"

namespace clone_farm {

/// Makes the snapshot, runs the guests in each of the ways, and prints the table. False where a guest found a page wrong, or a
/// clone was more than it may be. Throws interrupted, failure, and unavailable.
[[nodiscard]] bool run_farm(const arguments& given);

} // namespace clone_farm
