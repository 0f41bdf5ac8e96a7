// SPDX-License-Identifier: MIT
#pragma once

// Other allocators beside the one of this program. Each is loaded with symbols that nothing else sees, so that it gets
// the calls that are meant for it and no others: what the program and its libraries allocate stays with the C library.
// All three are called through a pointer, as calls into a shared library are.

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace pagefold::support {

/// malloc and free of one library.
struct foreign_malloc {
    std::string name;
    void* (*allocate)(std::size_t);
    void (*deallocate)(void*);
    /// Gives back to the system what the library can at once.
    void (*trim)();
};

namespace detail {

template <class Function>
Function* function_of(void* library, const char* symbol) {
    return reinterpret_cast<Function*>(dlsym(library, symbol));
}

inline int (*jemalloc_control)(const char*, void*, std::size_t*, void*, std::size_t) = nullptr;
inline void (*mimalloc_collect)(bool) = nullptr;

} // namespace detail

[[nodiscard]] inline foreign_malloc load_glibc() {
    return {"glibc", [](std::size_t n) { return std::malloc(n); }, [](void* p) { std::free(p); },
            [] { static_cast<void>(malloc_trim(0)); }};
}

/// Nothing where it is not installed.
[[nodiscard]] inline std::optional<foreign_malloc> load_jemalloc() {
    void* const library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return std::nullopt;
    }
    detail::jemalloc_control =
        detail::function_of<int(const char*, void*, std::size_t*, void*, std::size_t)>(library, "mallctl");
    const foreign_malloc loaded{"jemalloc", detail::function_of<void*(std::size_t)>(library, "malloc"),
                                detail::function_of<void(void*)>(library, "free"), [] {
                                    // 4096 stands for all arenas.
                                    detail::jemalloc_control("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
                                    detail::jemalloc_control("arena.4096.purge", nullptr, nullptr, nullptr, 0);
                                }};
    const bool is_whole = loaded.allocate != nullptr && loaded.deallocate != nullptr && detail::jemalloc_control;
    return is_whole ? std::optional{loaded} : std::nullopt;
}

/// Nothing where it is not installed.
[[nodiscard]] inline std::optional<foreign_malloc> load_mimalloc() {
    void* library = nullptr;
    for (const char* const file : {"libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so"}) {
        library = library != nullptr ? library : dlopen(file, RTLD_NOW | RTLD_LOCAL);
    }
    if (library == nullptr) {
        return std::nullopt;
    }
    detail::mimalloc_collect = detail::function_of<void(bool)>(library, "mi_collect");
    const foreign_malloc loaded{"mimalloc", detail::function_of<void*(std::size_t)>(library, "mi_malloc"),
                                detail::function_of<void(void*)>(library, "mi_free"),
                                [] { detail::mimalloc_collect(true); }};
    const bool is_whole = loaded.allocate != nullptr && loaded.deallocate != nullptr && detail::mimalloc_collect;
    return is_whole ? std::optional{loaded} : std::nullopt;
}

/// glibc's, and those of the others that are installed.
[[nodiscard]] inline std::vector<foreign_malloc> load_foreign_mallocs() {
    std::vector<foreign_malloc> loaded{load_glibc()};
    for (const std::optional<foreign_malloc>& one : {load_jemalloc(), load_mimalloc()}) {
        if (one) {
            loaded.push_back(*one);
        }
    }
    return loaded;
}

/// jemalloc has more thread-local memory than glibc keeps for libraries that are loaded late. How much that is can only
/// be said before a program starts: starts this one again where nobody has said it. To be called first in main.
inline void make_room_for_foreign_mallocs(char** arguments) {
    constexpr const char* variable = "GLIBC_TUNABLES";
    constexpr const char* tunable = "glibc.rtld.optional_static_tls";
    const char* const present = std::getenv(variable);
    if (present != nullptr && std::strstr(present, tunable) != nullptr) {
        return;
    }
    const std::string wanted = (present != nullptr ? std::string(present) + ":" : "") + tunable + "=16384";
    if (setenv(variable, wanted.c_str(), 1) == 0) {
        execv("/proc/self/exe", arguments); // returns only where that is not possible: then jemalloc is left out
    }
}

} // namespace pagefold::support
