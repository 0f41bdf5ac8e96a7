// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <dlfcn.h>

// What the system keeps the address of must stay where it is. A handler of a signal that lies in a shared object is gone after
// its last dlclose, while others may hold its address for ever: a handler that was set later, and calls what it found. So who
// hands out such an address keeps its object loaded first.
//
// Why for good, and not until the address is taken back: nobody can know who has a copy of it; and an object that ends its own
// last hold unmaps the code that it is running. It costs the memory of the object's code and data, once; and its destructors
// run at the end of the process.
//
// dladdr and dlsym are weak, and dlopen is looked up, since the linker warns of a static program that names it: a program without
// them (static, or with a C library before glibc 2.34 and no -ldl) has no objects that could be unloaded, and pulls in nothing.

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

extern "C" {
int pagefold_weak_dladdr(const void* address, Dl_info* about) noexcept __asm__("dladdr") __attribute__((weak));
void* pagefold_weak_dlsym(void* where, const char* name) noexcept __asm__("dlsym") __attribute__((weak));
}

} // namespace detail

/// From now on dlclose leaves the shared object loaded in which `address` is, of code or static data. False where nothing is to be
/// kept: the address is in the program itself, or in nothing that the loader knows. Takes the loader's lock: not for signal
/// handlers, nor with a lock held that an object's initialisation may want. Thread-safe; some microseconds.
inline bool keep_loaded(const void* address) noexcept {
    using open_function = void* (*)(const char*, int);
    Dl_info about{};
    if (detail::pagefold_weak_dladdr == nullptr || detail::pagefold_weak_dlsym == nullptr ||
        detail::pagefold_weak_dladdr(address, &about) == 0 || about.dli_fname == nullptr) {
        return false;
    }
    const auto open = reinterpret_cast<open_function>(detail::pagefold_weak_dlsym(RTLD_DEFAULT, "dlopen"));
    // The handle is never closed: there is nothing that it could end.
    return open != nullptr && open(about.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
}

} // namespace pagefold
