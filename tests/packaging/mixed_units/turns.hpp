// SPDX-License-Identifier: MIT
#pragma once

/// What a unit with a pagefold of its own does with its one region of faults by signal.
struct turns_unit {
    int (*open)(); // 0, or errno
    void (*close)();
    int (*works)(); // whether a fault of the region is served
};
