// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"

namespace qemu_guest {

/// One guest in plain memory and paged; prints both. False where one found its memory wrong.
[[nodiscard]] bool run_one(const arguments& given);
/// More and more guests under one budget, each number in plain memory and over the store; prints a table, until they no
/// longer fit. False where one found its memory wrong.
[[nodiscard]] bool consolidate(const arguments& given);

} // namespace qemu_guest
