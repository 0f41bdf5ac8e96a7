// SPDX-License-Identifier: MIT
#pragma once

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

namespace pagefold::testing {

/// A mapping that reaches beyond the end of its file: touching it is SIGBUS on every kernel.
struct hollow_mapping {
    static constexpr std::size_t bytes = 4096;

    hollow_mapping() {
        file = memfd_create("hollow", MFD_CLOEXEC);
        at = static_cast<std::byte*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
        REQUIRE(at != MAP_FAILED);
    }
    ~hollow_mapping() {
        munmap(at, bytes);
        close(file);
    }
    hollow_mapping(const hollow_mapping&) = delete;
    hollow_mapping& operator=(const hollow_mapping&) = delete;
    [[nodiscard]] std::uintptr_t address() const { return reinterpret_cast<std::uintptr_t>(at); }
    void touch() const { *static_cast<volatile std::byte*>(at) = std::byte{1}; }

    /// Serves the router: makes the page.
    static bool grow(void* context, std::uintptr_t address, bool is_write) noexcept {
        auto* const one = static_cast<hollow_mapping*>(context);
        if (address < one->address() || address >= one->address() + bytes) {
            return false;
        }
        ++one->served;
        one->was_write = is_write;
        errno = EDOM; // must not be seen
        return ftruncate(one->file, bytes) == 0;
    }

    int file = -1;
    std::byte* at = nullptr;
    int served = 0;
    bool was_write = false;
};

} // namespace pagefold::testing
