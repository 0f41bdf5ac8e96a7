// SPDX-License-Identifier: MIT
#pragma once

#include <support/failure.hpp>

namespace kvm_guest {

using examples::failure;
using examples::unavailable;

} // namespace kvm_guest
