// SPDX-License-Identifier: MIT
#pragma once

#include "page_sample.hpp"

#include <cstddef>
#include <sys/types.h>

namespace pagefold::corpus {

/// At most `wanted` pages of the private anonymous memory that a stopped process has resident, taken evenly over its
/// addresses: heap, stacks, anonymous mappings and the written pages of its data segments. Pages of files and shared
/// memory are not among them.
[[nodiscard]] page_sample sample_process(pid_t id, std::size_t wanted);

} // namespace pagefold::corpus
