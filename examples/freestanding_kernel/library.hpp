// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// How this kernel takes the library: every file of it through this header, so that all of them agree.

namespace kernel {

/// Prints and ends the machine with a failure.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

} // namespace kernel

#define PAGEFOLD_NO_VECTORS // nobody saves vector registers here
#define PAGEFOLD_ASSERT_LEVEL 2
#define PAGEFOLD_ASSERT_HOOK(expression, file, line) ::kernel::assertion_failed(expression, file, line)
#include <pagefold/freestanding.hpp>
