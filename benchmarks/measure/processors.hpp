// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>
#include <vector>

namespace pagefold::measure {

/// The processors that this program may use, as it was started.
[[nodiscard]] inline std::vector<int> usable_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> usable;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (int i = 0; i < CPU_SETSIZE; ++i) {
            if (CPU_ISSET(i, &set)) {
                usable.push_back(i);
            }
        }
    }
    return usable;
}

/// Keeps the calling thread on one processor; without effect where that is not allowed.
inline void pin_to(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}

} // namespace pagefold::measure
