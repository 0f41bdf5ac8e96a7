// SPDX-License-Identifier: MIT
#pragma once

#include "library.hpp"
#include "machine.hpp"

#include <cstddef>
#include <cstdint>

extern "C" std::byte stack_bottom[];

namespace kernel {

/// Calls work() and says how many bytes of stack it took: the stack is painted first, with interrupts off, since theirs
/// would be counted as well. The painting calls nothing, not to lie in its own way.
template <class Work>
[[gnu::noinline]] std::size_t stack_of(Work work) noexcept {
    constexpr std::byte paint{0xa5};
    constexpr std::size_t gap = 64;
    const bool were_on = machine::take_interrupts();
    const auto room =
        static_cast<std::size_t>(machine::stack_pointer() - reinterpret_cast<std::uintptr_t>(stack_bottom));
    volatile std::byte* const stack = stack_bottom;
    for (std::size_t i = 0; i < room - gap; ++i) {
        stack[i] = paint;
    }
    work();
    std::size_t untouched = 0;
    while (untouched < room - gap && stack[untouched] == paint) {
        ++untouched;
    }
    if (were_on) {
        machine::enable_interrupts();
    }
    return room - untouched;
}

} // namespace kernel
