// SPDX-License-Identifier: MIT
//
// The guest: writes every page, steps through them at random, checks each and rewrites one in four, checks all in the end.
// It has no kernel, no library and no interrupts; a mistake of its own is a triple fault. It runs in ring 3 with the right
// to use ports: paravirtual KVM runs that on the processor, and emulates ring 0.
#include "guest_protocol.hpp"

namespace {

using namespace kvm_guest;

void tell(std::uint16_t port, std::uint32_t value) noexcept {
    __asm__ __volatile__("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

volatile std::uint64_t* words_of(std::uint64_t page) noexcept {
    return reinterpret_cast<volatile std::uint64_t*>(first_page + page * page_size);
}
volatile std::uint8_t& version_of(std::uint64_t page) noexcept {
    return *reinterpret_cast<volatile std::uint8_t*>(versions_address + page);
}

void write(volatile mailbox& box, std::uint64_t page) noexcept {
    const auto version = static_cast<std::uint8_t>(version_of(page) + 1);
    version_of(page) = version;
    for (std::uint64_t i = 0; i < page_size / 8; ++i) {
        words_of(page)[i] = word_of(box.seed, page, version, i);
    }
    box.written = box.written + 1;
}
void check(volatile mailbox& box, std::uint64_t page) noexcept {
    for (std::uint64_t i = 0; i < page_size / 8; ++i) {
        if (words_of(page)[i] != word_of(box.seed, page, version_of(page), i)) {
            tell(port_wrong, static_cast<std::uint32_t>(page));
        }
    }
    box.checked = box.checked + 1;
}

} // namespace

extern "C" [[noreturn, gnu::section(".text.start")]] void guest_main() {
    auto& box = *reinterpret_cast<volatile mailbox*>(mailbox_address);
    const std::uint64_t pages = box.pages;
    for (std::uint64_t page = 0; page < pages; ++page) {
        write(box, page);
    }
    std::uint64_t random = box.seed * 2 + 1;
    for (std::uint64_t step = 1; step <= box.steps; ++step) {
        const std::uint64_t among = next_random(random) % 4 == 0 ? pages : pages / 4; // most often the same quarter
        const std::uint64_t page = next_random(random) % among;
        check(box, page);
        if (next_random(random) % 4 == 0) {
            write(box, page);
        }
        if (step == box.dies_at) {
            __asm__ __volatile__("ud2");
        }
    }
    for (std::uint64_t page = 0; page < pages; ++page) {
        check(box, page);
    }
    for (;;) {
        tell(port_done, 0);
    }
}
