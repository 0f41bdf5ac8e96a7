// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "run_result.hpp"

namespace paged_process {

/// The table in a region of a uffd_pager. Throws unavailable where the kernel has no such thing.
[[nodiscard]] run_result run_paged(const arguments& given);

} // namespace paged_process
