// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/reboot.h>
#include <unistd.h>

namespace pagefold::testing::numa {

/// Ends the guest, or the program where it is none.
[[noreturn]] inline void end(const std::string& verdict) {
    std::printf("numa: %s\n", verdict.c_str());
    std::fflush(stdout);
    if (getpid() == 1) {
        reboot(RB_POWER_OFF);
    }
    std::exit(verdict == "ok" ? 0 : 1);
}
inline void expect(bool holds, const std::string& what) {
    if (!holds) {
        end("FAILED: " + what);
    }
}

} // namespace pagefold::testing::numa
