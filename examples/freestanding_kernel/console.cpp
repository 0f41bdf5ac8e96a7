// SPDX-License-Identifier: MIT
#include "console.hpp"

namespace kernel {
namespace {

constexpr std::uint16_t serial = 0x3f8;

} // namespace

void console::open() noexcept {
    machine::write_port(serial + 1, 0);    // no interrupts
    machine::write_port(serial + 3, 0x80); // the divisor's turn
    machine::write_port(serial + 0, 1);    // 115200 baud
    machine::write_port(serial + 1, 0);
    machine::write_port(serial + 3, 3); // 8 bits, no parity, one stop bit
    machine::write_port(serial + 2, 7); // queues on and empty
}

void console::put(char c) noexcept {
    constexpr unsigned can_send = 0x20;
    while ((machine::read_port(serial + 5) & can_send) == 0) {
    }
    machine::write_port(serial, static_cast<std::uint8_t>(c));
}

void console::print(const char* text) noexcept {
    for (; *text != '\0'; ++text) {
        put(*text);
    }
}

void console::print(std::uint64_t number) noexcept {
    if (number >= 10) {
        print(number / 10);
    }
    put(static_cast<char>('0' + number % 10));
}

void console::print_hex(std::uint64_t number) noexcept {
    print("0x");
    for (unsigned shift = 64; shift != 0;) {
        shift -= 4;
        if (const std::uint64_t rest = number >> shift; rest != 0 || shift == 0) {
            put("0123456789abcdef"[rest & 15]);
        }
    }
}

void console::print_permille(std::uint64_t number) noexcept {
    print(number / 1000);
    put('.');
    put(static_cast<char>('0' + number / 100 % 10));
    put(static_cast<char>('0' + number / 10 % 10));
}

} // namespace kernel
