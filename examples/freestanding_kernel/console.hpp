// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>

#include <cstdint>

namespace kernel {

/// The first serial line.
class console {
public:
    static void open() noexcept;

    static void print(const char* text) noexcept;
    static void print(std::uint64_t number) noexcept;
    static void print(pagefold::status s) noexcept { print(pagefold::to_string(s)); }
    static void print_hex(std::uint64_t number) noexcept;
    /// Thousandths, with two decimals.
    static void print_permille(std::uint64_t number) noexcept;

    /// A line of texts and numbers.
    template <class... Part>
    static void line(Part... parts) noexcept {
        (print(parts), ...);
        print("\n");
    }

private:
    static void put(char c) noexcept;
};

/// Prints why and ends the machine with a failure.
template <class... Part>
[[noreturn]] void panic(Part... parts) noexcept;

} // namespace kernel

#include "machine.hpp"

template <class... Part>
[[noreturn]] void kernel::panic(Part... parts) noexcept {
    machine::disable_interrupts();
    console::print("kernel: panic: ");
    console::line(parts...);
    machine::end(machine::outcome::failure);
}
