// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/uffd.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace pagefold::testing {

/// Whether this machine lacks features of userfaultfd; says so in the test's output. Such a case ends without a check, and
/// is to be seen as skipped.
[[nodiscard]] inline bool lacks_uffd(std::uint64_t features = 0) {
    uffd probe;
    if (probe.open(features) == status::ok) {
        return false;
    }
    MESSAGE("skipped: this machine has no userfaultfd with ",
            (features == 0 ? "any features" : uffd_abi::name_of(features)), ": ", probe.reason());
    return true;
}

} // namespace pagefold::testing
