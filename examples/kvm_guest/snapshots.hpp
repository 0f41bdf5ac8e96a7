// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"

namespace kvm_guest {

/// Snapshots of a guest that runs, checked and measured; 0 when all was right, 1 when not. Throws unavailable.
[[nodiscard]] int snapshot_while_running(const arguments& given);

} // namespace kvm_guest
