// SPDX-License-Identifier: MIT
//
// A name that another unit has for itself: as one unit they must not compile.
namespace {
int stream = 0;
}
int clashing() { return stream; }
