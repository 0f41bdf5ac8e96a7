// SPDX-License-Identifier: MIT
#include "turns.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>

// Three pagefolds of one process open and close regions with faults by signal by turns, in every order that chance finds:
// linked to this program, or from the libraries that are its arguments.

#if defined(TURNS_LINKED)
extern "C" const turns_unit first, second, third;
#else
#include <dlfcn.h>
#endif

namespace {

constexpr int units = 3, steps = 3000;

int take_turns(const turns_unit* const (&all)[units]) {
    bool is_open[units] = {};
    unsigned chance = 1;
    for (int step = 0; step < steps; ++step) {
        chance = chance * 1664525u + 1013904223u;
        const unsigned which = (chance >> 16) % units;
        if (is_open[which]) {
            all[which]->close();
        } else if (const int error = all[which]->open(); error != 0) {
            std::printf("step %d: unit %u does not open: %s\n", step, which, std::strerror(error));
            return 1;
        }
        is_open[which] = !is_open[which];
        for (int i = 0; i < units; ++i) {
            if (is_open[i] && all[i]->works() == 0) {
                std::printf("step %d: unit %d is open and not served\n", step, i);
                return 1;
            }
        }
    }
    return 0;
}

} // namespace

int main([[maybe_unused]] int count, [[maybe_unused]] char** arguments) {
    std::signal(SIGBUS, SIG_IGN); // ends the process by a fault that nobody serves, all the same
#if defined(TURNS_LINKED)
    return take_turns({&first, &second, &third});
#else
    const turns_unit* all[units] = {};
    const char* const names[units] = {"first", "second", "third"};
    for (int i = 0; i < units; ++i) {
        void* const library = count == units + 1 ? dlopen(arguments[i + 1], RTLD_NOW | RTLD_LOCAL) : nullptr;
        all[i] = library != nullptr ? static_cast<const turns_unit*>(dlsym(library, names[i])) : nullptr;
        if (all[i] == nullptr) {
            std::printf("%s is not there\n", names[i]);
            return 2;
        }
    }
    return take_turns({all[0], all[1], all[2]});
#endif
}
