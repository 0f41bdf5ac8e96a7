// SPDX-License-Identifier: MIT
#include "turns.hpp"

#include <pagefold/hosted/sigbus_router.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

// TURNS_UNIT is the unit's name.

namespace {

constexpr std::size_t bytes = 65536; // a page, or some

/// Pages beyond the end of their file, which a fault makes longer.
struct region {
    int file = memfd_create("turns", 0);
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int number = -1;
    int served = 0;
};
region& one() {
    static region it;
    return it;
}
bool serve(void*, std::uintptr_t, bool) noexcept {
    ++one().served;
    return ftruncate(one().file, bytes) == 0;
}

int open() {
    one().number = pagefold::sigbus_router::add(reinterpret_cast<std::uintptr_t>(one().at), bytes, serve, nullptr);
    return one().number >= 0 ? 0 : errno;
}
void close() { pagefold::sigbus_router::remove(one().number); }
int works() {
    const int before = one().served;
    if (ftruncate(one().file, 0) != 0) {
        return 0;
    }
    *static_cast<volatile char*>(one().at) = 1;
    return one().served == before + 1;
}

} // namespace

extern "C" {
[[gnu::visibility("default")]] extern const turns_unit TURNS_UNIT;
const turns_unit TURNS_UNIT = {open, close, works};
}
