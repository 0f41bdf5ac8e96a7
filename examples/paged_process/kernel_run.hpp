// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "run_result.hpp"

namespace paged_process {

/// The table in plain memory, in a child whose cgroup allows half of it, over the kernel's swap on zram or, where there is
/// a path, on a file. Everything is undone when it returns or throws. Throws unavailable.
[[nodiscard]] run_result run_swapped(const arguments& given, const std::string& swapfile);

} // namespace paged_process
