// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
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

/// Keeps the calling thread on these processors; without effect where that is not allowed.
inline void pin_to(std::initializer_list<int> processors) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int one : processors) {
        CPU_SET(one, &set);
    }
    static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}
inline void pin_to(int processor) { pin_to({processor}); }

} // namespace pagefold::measure
