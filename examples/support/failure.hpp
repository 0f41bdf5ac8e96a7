// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>

namespace examples {

/// Ends the program with status 2 and one line.
struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// This machine lacks something: status 77 and one line.
struct unavailable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace examples
