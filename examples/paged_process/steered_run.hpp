// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"

namespace paged_process {

/// Runs the program with a working set that halves and doubles: with budgets that stay, and with one that follows. Prints what
/// each came to. False where a row was wrong. Throws unavailable where the kernel has no userfaultfd.
[[nodiscard]] bool run_steered(const arguments& given);

} // namespace paged_process
