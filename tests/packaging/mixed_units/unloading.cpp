// SPDX-License-Identifier: MIT
#include "turns.hpp"

#include <csignal>
#include <cstdio>
#include <dlfcn.h>

// A library with regions of faults by signal is closed while a handler that was set later goes on calling its handler. It
// has to be there still; and one without regions goes.
//
//   unloading LIBRARY

namespace {

struct sigaction found;
volatile std::sig_atomic_t calls = 0;

/// As a runtime's handler does: what isn't its own goes to the one that was there before.
void pass_on(int signal, siginfo_t* info, void* machine) {
    calls = calls + 1;
    if ((found.sa_flags & SA_SIGINFO) != 0) {
        found.sa_sigaction(signal, info, machine);
    }
}

int fail(const char* what) {
    std::puts(what);
    return 1;
}

} // namespace

int main(int count, char** arguments) {
    const char* const path = count == 2 ? arguments[1] : "";
    std::signal(SIGBUS, SIG_IGN);
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr || dlsym(library, "unit") == nullptr) {
        return fail("the library is not there");
    }
    dlclose(library);
    if (dlopen(path, RTLD_NOW | RTLD_NOLOAD) != nullptr) {
        return fail("it stays loaded without a region: this test shows nothing");
    }
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const auto* const unit = static_cast<const turns_unit*>(dlsym(library, "unit"));
    if (unit == nullptr || unit->open() != 0 || unit->works() == 0) {
        return fail("a region is not served");
    }
    struct sigaction later {};
    later.sa_sigaction = pass_on;
    later.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &later, &found);
    if (unit->works() == 0) {
        return fail("a region is not served under a handler that passes on");
    }
    unit->close();
    dlclose(library);
    calls = 0;
    std::raise(SIGBUS); // comes to the library's handler, which finds that it was ignored
    if (calls != 1) {
        return fail("the later handler is not there any more");
    }
    library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) {
        return fail("the library is gone");
    }
    if (unit->open() != 0 || unit->works() == 0) {
        return fail("it does not go on where it was");
    }
    unit->close();
    return 0;
}
