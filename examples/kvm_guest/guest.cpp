// SPDX-License-Identifier: MIT
//
// The guest: writes every page, steps through them at random, checks each, rewrites one in four and counts on a few, checks
// all in the end.
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
    for (std::uint64_t i = 0; i < content_words; ++i) {
        words_of(page)[i] = word_of(box.seed, page, version, i);
    }
    box.written = box.written + 1;
}
void check(volatile mailbox& box, std::uint64_t page) noexcept {
    for (std::uint64_t i = 0; i < content_words; ++i) {
        if (words_of(page)[i] != word_of(box.seed, page, version_of(page), i)) {
            tell(port_wrong, static_cast<std::uint32_t>(page));
        }
    }
    box.checked = box.checked + 1;
}
/// Counts on a few pages in turns, as fast as it can: a page that is read for the store, written, and then dropped has lost
/// a count.
void hammer(volatile mailbox& box, std::uint64_t& random, std::uint64_t pages) noexcept {
    constexpr unsigned few = 8, rounds = 64;
    std::uint64_t chosen[few];
    for (std::uint64_t& page : chosen) {
        page = next_random(random) % pages | 1; // pages of one value stay so
    }
    for (unsigned round = 0; round < rounds; ++round) {
        for (const std::uint64_t page : chosen) {
            words_of(page)[content_words] = words_of(page)[content_words] + 1;
        }
    }
    box.counts = box.counts + std::uint64_t{few} * rounds;
}
/// Tells whether the counts of some pages are all there.
void compare(volatile mailbox& box, std::uint64_t pages) noexcept {
    std::uint64_t counts = 0;
    for (std::uint64_t page = 0; page < pages; ++page) {
        counts += words_of(page)[content_words];
    }
    if (counts != box.counts) {
        tell(port_lost, static_cast<std::uint32_t>(box.counts - counts));
    }
    for (;;) {
        tell(port_done, 0);
    }
}

void hammer_only(volatile mailbox& box) noexcept {
    const std::uint64_t times = box.hammers;
    for (std::uint64_t i = 0; i < times; ++i) {
        for (std::uint64_t page = 0; page < hammered_pages; ++page) {
            words_of(page)[content_words] = words_of(page)[content_words] + 1;
        }
    }
    box.counts = times * hammered_pages;
    compare(box, hammered_pages);
}

/// Step after step: says which, checks its page, and writes it, the number of the step last.
void stamp(volatile mailbox& box) noexcept {
    const std::uint64_t pages = box.pages, seed = box.seed;
    for (std::uint64_t step = 1; step <= box.steps; ++step) {
        const std::uint64_t page = stamped_page(step, pages);
        volatile std::uint64_t* const words = words_of(page);
        const std::uint64_t before = words[content_words];
        for (std::uint64_t i = 0; i < content_words; ++i) {
            if (words[i] != (before == 0 ? 0 : word_of(seed, page, before, i))) {
                tell(port_wrong, static_cast<std::uint32_t>(page));
            }
        }
        box.now = step;
        for (std::uint64_t i = 0; i < content_words; ++i) {
            words[i] = word_of(seed, page, step, i);
        }
        words[content_words] = step;
    }
    for (;;) {
        tell(port_done, 0);
    }
}

} // namespace

extern "C" [[noreturn, gnu::section(".text.start")]] void guest_main() {
    auto& box = *reinterpret_cast<volatile mailbox*>(mailbox_address);
    const std::uint64_t pages = box.pages;
    if (box.hammers != 0) {
        hammer_only(box);
    }
    if (box.stamps != 0) {
        stamp(box);
    }
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
        hammer(box, random, pages / 4);
        if (step == box.dies_at) {
            __asm__ __volatile__("ud2");
        }
    }
    for (std::uint64_t page = 0; page < pages; ++page) {
        check(box, page);
    }
    compare(box, pages);
    __builtin_unreachable();
}
