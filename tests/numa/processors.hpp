// SPDX-License-Identifier: MIT
#pragma once

#include "verdict.hpp"

#include <sched.h>

namespace pagefold::testing::numa {

/// The processors that this thread may run on, and on which it runs again in the end.
class processors {
public:
    processors() { expect(sched_getaffinity(0, sizeof all_, &all_) == 0, "sched_getaffinity"); }
    ~processors() { expect(sched_setaffinity(0, sizeof all_, &all_) == 0, "sched_setaffinity"); }
    processors(const processors&) = delete;
    processors& operator=(const processors&) = delete;

    /// Calls `f(number)` on each in turn.
    template <class F>
    void on_each(F f) const {
        for (std::size_t number = 0; number < CPU_SETSIZE; ++number) {
            if (CPU_ISSET(number, &all_)) {
                cpu_set_t one;
                CPU_ZERO(&one);
                CPU_SET(number, &one);
                expect(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
                f(number);
            }
        }
    }

private:
    cpu_set_t all_;
};

} // namespace pagefold::testing::numa
