// SPDX-License-Identifier: MIT
#pragma once

#include "library.hpp"
#include "machine.hpp"

#include <cstdint>

namespace kernel {

/// The kernel's own lock, as pagefold::lockable asks: a ticket lock, first come first served, held with interrupts off.
///
/// Off, because an interrupt handler may ask the store for its statistics, which takes the same lock: on the processor
/// that holds it, it would wait for itself.
class irq_lock {
public:
    void lock() noexcept {
        const bool were_on = machine::take_interrupts();
        // relaxed: the ticket is a number; the acquire below is what orders the section.
        const std::uint32_t ticket = next_.fetch_add(1, pagefold::memory_order::relaxed);
        // acquire: what the last holder wrote before its unlock is visible from here on.
        while (serving_.load(pagefold::memory_order::acquire) != ticket) {
            PAGEFOLD_CPU_RELAX();
        }
        were_on_ = were_on;
    }
    void unlock() noexcept {
        const bool were_on = were_on_; // the next holder writes its own
        // relaxed load: only the holder writes. release: everything done in the section is visible to the next holder.
        serving_.store(serving_.load(pagefold::memory_order::relaxed) + 1, pagefold::memory_order::release);
        if (were_on) {
            machine::enable_interrupts();
        }
    }

private:
    pagefold::atomic<std::uint32_t> next_{0};
    pagefold::atomic<std::uint32_t> serving_{0};
    bool were_on_ = false; // guarded by the lock
};

static_assert(pagefold::lockable<irq_lock>);

} // namespace kernel
