// SPDX-License-Identifier: MIT
//
// Streams of operations on every allocator. The first byte says on which (255: on all, one after the other), the rest is
// what fuzz/support/allocator_driver.hpp does with it.

#include "fuzz/support/require.hpp" // first

#include "fuzz/support/allocator_driver.hpp"

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/wiped.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace pagefold::fuzz {
namespace {

template <class Allocator, dead_handles Dead = dead_handles::undefined, std::uint64_t Hints = 0>
void drive(const std::uint8_t* data, std::size_t size) {
    input in{data, size};
    const std::size_t page_size = in.byte() % 2 == 0 ? 4096 : Allocator::max_size;
    allocator_driver<Allocator, Dead, Hints>{in, page_size}.run();
}

using source = heap_source;
constexpr dead_handles ignored_by_deallocate = dead_handles::ignored_by_deallocate, ignored = dead_handles::ignored;

constexpr std::uint64_t size_class = 0xff80; // in a handle of zs: the class that was asked for

// A new allocator is a line here: bare, and under a guard, which sees what it does to its objects.
constexpr void (*drivers[])(const std::uint8_t*, std::size_t) = {
    drive<zs<source>, ignored_by_deallocate, size_class>,
    drive<zs<source, 4096, 1>, ignored_by_deallocate, size_class>,
    drive<zs<source, 16384, 4>, ignored_by_deallocate, size_class>,
    drive<zs<source, 65536, 8>, ignored_by_deallocate, size_class>,
    drive<guarded<zs<source>>, ignored>,
    drive<guarded<zs<source, 65536, 4>, 64, 3>, ignored>,
    drive<counted<zs<source>>, ignored_by_deallocate, size_class>,
    drive<wiped<zs<source>>, dead_handles::undefined, size_class>,
    drive<guarded<counted<wiped<zs<source>>>>, ignored>,
    drive<wiped<counted<guarded<zs<source>>>>>,
    drive<xv<source>, ignored_by_deallocate>,
    drive<xv<source, 65536, 2>, ignored_by_deallocate>,
    drive<guarded<xv<source>>, ignored>,
    drive<tlsf<source>, ignored_by_deallocate>,
    drive<tlsf<source, 65536, 16>, ignored_by_deallocate>,
    drive<guarded<tlsf<source>>, ignored>,
};

} // namespace
} // namespace pagefold::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace pagefold::fuzz;
    if (size == 0) {
        return 0;
    }
    for (std::size_t i = 0; i < std::size(drivers); ++i) {
        if (data[0] == 255 || data[0] % std::size(drivers) == i) {
            drivers[i](data + 1, size - 1);
        }
    }
    return 0;
}
