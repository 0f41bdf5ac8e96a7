// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// The instructions that C++ has no words for.

namespace kernel::machine {

inline void write_port(std::uint16_t port, std::uint8_t value) noexcept {
    __asm__ __volatile__("outb %0, %1" : : "a"(value), "Nd"(port));
}
[[nodiscard]] inline std::uint8_t read_port(std::uint16_t port) noexcept {
    std::uint8_t value = 0;
    __asm__ __volatile__("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

inline constexpr std::uint64_t interrupts_on = 1u << 9; // in the flags

inline void enable_interrupts() noexcept { __asm__ __volatile__("sti" ::: "memory"); }
inline void disable_interrupts() noexcept { __asm__ __volatile__("cli" ::: "memory"); }
/// Disables interrupts; says how it was.
[[nodiscard]] inline bool take_interrupts() noexcept {
    std::uint64_t flags = 0;
    __asm__ __volatile__("pushfq\n\tpop %0\n\tcli" : "=r"(flags) : : "memory");
    return (flags & interrupts_on) != 0;
}

/// The address that the last page fault was about.
[[nodiscard]] inline std::uintptr_t fault_address() noexcept {
    std::uintptr_t address = 0;
    __asm__ __volatile__("mov %%cr2, %0" : "=r"(address));
    return address;
}
inline void forget_translation(std::uintptr_t address) noexcept {
    __asm__ __volatile__("invlpg (%0)" : : "r"(address) : "memory");
}
[[nodiscard]] inline std::uintptr_t stack_pointer() noexcept {
    std::uintptr_t address = 0;
    __asm__ __volatile__("mov %%rsp, %0" : "=r"(address));
    return address;
}
[[nodiscard]] inline std::uint64_t cycles() noexcept {
    std::uint32_t low = 0, high = 0;
    __asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high));
    return std::uint64_t{high} << 32 | low;
}

/// What isa-debug-exit makes an exit status of QEMU's: 2 * value + 1.
enum class outcome : std::uint8_t { success = 0x10, failure = 0x11 };
[[noreturn]] inline void end(outcome how) noexcept {
    write_port(0xf4, static_cast<std::uint8_t>(how));
    for (;;) {
        __asm__ __volatile__("cli\n\thlt");
    }
}

} // namespace kernel::machine
