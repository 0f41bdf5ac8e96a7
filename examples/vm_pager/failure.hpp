// SPDX-License-Identifier: MIT
#pragma once

#include <support/failure.hpp>

#include <stdexcept>

namespace vm_pager {

using examples::failure;
using examples::unavailable;

/// A client that is not served, and why. The others are.
struct refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace vm_pager
