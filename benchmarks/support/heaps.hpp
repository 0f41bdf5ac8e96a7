// SPDX-License-Identifier: MIT
#pragma once

// Allocators under one roof: allocate, deallocate, write, read, held, settle. What they answer wrongly ends the program.

#include "foreign_malloc.hpp"

#include <pagefold/alloc/concept.hpp>
#include <pagefold/hosted/mmap_source.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace pagefold::support {

/// An allocator of this library on memory of the system.
template <class Allocator>
class library_heap {
public:
    using handle = object_handle;
    static constexpr bool compacts = compacting_allocator<Allocator>;

    handle allocate(std::size_t size) {
        const result<object_handle> made = allocator_.allocate(size);
        if (!made) [[unlikely]] {
            throw std::bad_alloc();
        }
        return *made;
    }
    void deallocate(handle h) noexcept { allocator_.deallocate(h); }
    void write(handle h, const std::byte* from, std::size_t size) noexcept { allocator_.write(h, {from, size}); }
    const std::byte* read(handle h, std::size_t size, std::byte* scratch) noexcept {
        return allocator_.read(h, size, {scratch, size}).data();
    }

    /// Bytes taken from the page source, tables included.
    [[nodiscard]] std::size_t held() const {
        const std::size_t bytes = allocator_.bytes_held() + allocator_.table_bytes();
        if (bytes != source_.acquired_bytes()) {
            throw std::logic_error("an allocator does not know what it holds");
        }
        return bytes;
    }

    /// One pass of compaction over all of the owner's handles. False when there was nothing worth moving.
    bool compact(std::vector<handle>& live) {
        if constexpr (compacts) {
            if (allocator_.plan_compaction(~std::size_t{0}) == 0) {
                return false;
            }
            const std::size_t before = held();
            for (handle& h : live) {
                if (allocator_.misplaced(h)) {
                    const result<object_handle> moved = allocator_.relocate(h);
                    h = moved ? *moved : h;
                }
            }
            allocator_.finish_compaction();
            return held() != before;
        }
        return false;
    }

    void expect_intact() const {
        if (!allocator_.check()) {
            throw std::logic_error("the allocator's structures are damaged");
        }
    }

private:
    mmap_source<> source_;
    Allocator allocator_{source_, any_node};
};

/// Resident private memory of this process that no file is behind; 0 where the system does not tell. Allocates nothing.
[[nodiscard]] inline std::size_t anonymous_bytes() noexcept {
    char text[4096];
    const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    const ssize_t length = file < 0 ? -1 : ::read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    text[length < 0 ? 0 : length] = '\0';
    const char* const line = std::strstr(text, "\nAnonymous:");
    unsigned long kib = 0;
    return line != nullptr && std::sscanf(line, "\nAnonymous: %lu kB", &kib) == 1 ? std::size_t{kib} << 10 : 0;
}

/// malloc of another library. What it holds is what this process has grown by since the heap was made, so that only one
/// at a time can be asked, and nothing else may allocate.
class foreign_heap {
public:
    using handle = void*;
    static constexpr bool compacts = false;

    explicit foreign_heap(foreign_malloc library) : library_{std::move(library)} {}

    handle allocate(std::size_t size) {
        void* const made = library_.allocate(size);
        if (made == nullptr) [[unlikely]] {
            throw std::bad_alloc();
        }
        return made;
    }
    void deallocate(handle h) noexcept { library_.deallocate(h); }
    void write(handle h, const std::byte* from, std::size_t size) noexcept { std::memcpy(h, from, size); }
    const std::byte* read(handle h, std::size_t, std::byte*) noexcept { return static_cast<const std::byte*>(h); }

    [[nodiscard]] std::size_t held() const {
        const std::size_t now = anonymous_bytes();
        if (now <= before_) {
            throw std::runtime_error("this system does not tell what a process holds");
        }
        return now - before_;
    }
    /// What malloc has instead: it gives back pages that nothing lies on.
    bool compact(std::vector<handle>&) noexcept {
        library_.trim();
        return false;
    }
    void expect_intact() const noexcept {}

private:
    foreign_malloc library_;
    std::size_t before_ = anonymous_bytes();
};

} // namespace pagefold::support
