// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace kernel {

/// What boot.S leaves on the stack.
struct interrupt_frame {
    std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    std::uint64_t vector, code;
    std::uint64_t rip, cs, flags, rsp, ss;
};

/// Serves a page fault; false where it can't be. Runs with interrupts as they were at the access.
using fault_handler = bool (*)(void* context, std::uintptr_t address, std::uint64_t code) noexcept;
/// Runs with interrupts off.
using tick_handler = void (*)(void* context) noexcept;

class interrupts {
public:
    static constexpr unsigned ticks_a_second = 1000;

    /// Takes all exceptions, starts the timer and enables interrupts.
    static void open() noexcept;
    /// Whoever is served from now on; null: nobody.
    static void set_fault_handler(fault_handler handler, void* context) noexcept;
    static void set_tick_handler(tick_handler handler, void* context) noexcept;
    [[nodiscard]] static std::uint64_t ticks() noexcept;
};

} // namespace kernel
