// SPDX-License-Identifier: MIT
#pragma once

#include <sys/resource.h>

namespace pagefold::testing {

/// Sets the soft limit of something (RLIMIT_*), as far as the hard one allows; it can be raised again. For children.
[[nodiscard]] inline bool set_limit(decltype(RLIMIT_AS) what, rlim_t most) {
    rlimit limit{};
    if (getrlimit(what, &limit) != 0) {
        return false;
    }
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    return setrlimit(what, &limit) == 0;
}
[[nodiscard]] inline bool lift_limit(decltype(RLIMIT_AS) what) { return set_limit(what, RLIM_INFINITY); }

} // namespace pagefold::testing
