// SPDX-License-Identifier: MIT
#pragma once

// The one home of the version: CMake reads these three lines.
#define PAGEFOLD_VERSION_MAJOR 0
#define PAGEFOLD_VERSION_MINOR 1
#define PAGEFOLD_VERSION_PATCH 0
