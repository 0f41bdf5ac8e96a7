// SPDX-License-Identifier: MIT
//
// An allocator over memory of the system's.
#include "units.hpp"

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/hosted/mmap_source.hpp>

#include <vector>

bool allocator_keeps(pagefold::byte_view page) {
    pagefold::mmap_source<> memory;
    pagefold::tlsf<pagefold::mmap_source<>> objects{memory, pagefold::any_node};
    const auto object = objects.allocate(1000);
    if (!object) {
        return false;
    }
    objects.write(*object, page.first(1000));
    std::vector<std::byte> room(1000);
    const pagefold::byte_view back = objects.read(*object, 1000, room);
    const bool kept = pagefold::equal_bytes(back.data(), page.data(), 1000);
    objects.deallocate(*object);
    return kept;
}
