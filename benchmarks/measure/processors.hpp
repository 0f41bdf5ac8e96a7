// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>
#include <vector>

namespace pagefold::measure {

/// The processors that this program may use, as they were at the first call: before any part keeps itself to one.
[[nodiscard]] inline const std::vector<int>& usable_processors() {
    static const std::vector<int> usable = [] {
        cpu_set_t set;
        CPU_ZERO(&set);
        std::vector<int> found;
        if (sched_getaffinity(0, sizeof set, &set) == 0) {
            for (int i = 0; i < CPU_SETSIZE; ++i) {
                if (CPU_ISSET(i, &set)) {
                    found.push_back(i);
                }
            }
        }
        return found;
    }();
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
