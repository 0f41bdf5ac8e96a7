// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>

namespace page_report {

/// What ends the program with status 2 and this one line on stderr: an argument, a source or a limit that will not do.
class failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace page_report
