// SPDX-License-Identifier: MIT
#include "interrupts.hpp"

#include "console.hpp"
#include "machine.hpp"

namespace kernel {
namespace {

constexpr unsigned vectors = 48;
constexpr unsigned page_fault = 14;
constexpr unsigned first_irq = 32; // of the two interrupt controllers, behind the exceptions
constexpr std::uint16_t master = 0x20, slave = 0xa0;

struct gate {
    std::uint16_t low, selector, kind, middle;
    std::uint32_t high, reserved;
};
static_assert(sizeof(gate) == 16);

struct [[gnu::packed]] table_pointer {
    std::uint16_t limit;
    std::uint64_t address;
};

constinit gate gates[vectors]{};
constinit fault_handler serve_fault = nullptr;
constinit void* fault_context = nullptr;
constinit tick_handler serve_tick = nullptr;
constinit void* tick_context = nullptr;
constinit volatile std::uint64_t tick_count = 0;

void open_controllers() noexcept {
    constexpr std::uint8_t start = 0x11, mode = 1;
    machine::write_port(master, start);
    machine::write_port(slave, start);
    machine::write_port(master + 1, first_irq);
    machine::write_port(slave + 1, first_irq + 8);
    machine::write_port(master + 1, 4);
    machine::write_port(slave + 1, 2);
    machine::write_port(master + 1, mode);
    machine::write_port(slave + 1, mode);
    machine::write_port(master + 1, 0xfe); // the timer alone
    machine::write_port(slave + 1, 0xff);
}

void open_timer() noexcept {
    constexpr unsigned divisor = 1193182 / interrupts::ticks_a_second;
    machine::write_port(0x43, 0x34); // channel 0, rate generator
    machine::write_port(0x40, divisor & 0xff);
    machine::write_port(0x40, divisor >> 8);
}

void on_tick() noexcept {
    constexpr std::uint8_t done = 0x20;
    tick_count = tick_count + 1;
    if (serve_tick != nullptr) {
        serve_tick(tick_context);
    }
    machine::write_port(master, done);
}

void on_page_fault(const interrupt_frame& frame) noexcept {
    const std::uintptr_t address = machine::fault_address(); // before another fault overwrites it
    if ((frame.flags & machine::interrupts_on) != 0) {
        machine::enable_interrupts(); // a page is compressed and another decompressed: that is long
    }
    if (serve_fault != nullptr && serve_fault(fault_context, address, frame.code)) {
        machine::disable_interrupts();
        return;
    }
    console::print("kernel: page fault at ");
    console::print_hex(address);
    console::print(", rip ");
    console::print_hex(frame.rip);
    console::print("\n");
    panic("a page fault that nobody serves");
}

} // namespace

extern "C" {
extern const std::uint64_t interrupt_stubs[vectors];

void on_interrupt(const interrupt_frame& frame) noexcept {
    if (frame.vector == page_fault) {
        on_page_fault(frame);
    } else if (frame.vector == first_irq) {
        on_tick();
    } else {
        console::print("kernel: rip ");
        console::print_hex(frame.rip);
        console::print("\n");
        panic("exception ", frame.vector, ", code ", frame.code);
    }
}
}

void interrupts::open() noexcept {
    constexpr std::uint16_t code_selector = 0x08, interrupt_gate = 0x8e00;
    for (unsigned i = 0; i < vectors; ++i) {
        const std::uint64_t stub = interrupt_stubs[i];
        gates[i] = {static_cast<std::uint16_t>(stub),
                    code_selector,
                    interrupt_gate,
                    static_cast<std::uint16_t>(stub >> 16),
                    static_cast<std::uint32_t>(stub >> 32),
                    0};
    }
    const table_pointer pointer{sizeof gates - 1, reinterpret_cast<std::uintptr_t>(gates)};
    __asm__ __volatile__("lidt %0" : : "m"(pointer));
    open_controllers();
    open_timer();
    machine::enable_interrupts();
}

void interrupts::set_fault_handler(fault_handler handler, void* context) noexcept {
    fault_context = context;
    serve_fault = handler;
}

void interrupts::set_tick_handler(tick_handler handler, void* context) noexcept {
    const bool were_on = machine::take_interrupts();
    tick_context = context;
    serve_tick = handler;
    if (were_on) {
        machine::enable_interrupts();
    }
}

std::uint64_t interrupts::ticks() noexcept { return tick_count; }

} // namespace kernel
