// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A test-and-test-and-set lock of four bytes (Rudolph, Segall: "Dynamic decentralized cache schemes for MIMD parallel
/// processors", ISCA 1984). Not fair. Uncontended, lock costs one atomic exchange and unlock a plain store.
///
/// It fits sections of well under a microsecond whose holder is rarely descheduled: it can't sleep, so where threads
/// outnumber processors a lock whose waiters sleep serves better (parking_lock).
class spin_lock {
public:
    void lock() noexcept {
        // acquire: what the last holder wrote before its unlock is visible from here on, and nothing of the section is
        // done before the lock is held.
        while (held_.exchange(1, memory_order::acquire) != 0) {
            // relaxed: only a reason to try again; the exchange decides. Reading leaves the cache line shared, where an
            // exchange would take it from the holder on every turn.
            while (held_.load(memory_order::relaxed) != 0) {
                PAGEFOLD_CPU_RELAX();
            }
        }
    }
    void unlock() noexcept {
        // release: everything done in the section is visible to whoever acquires next.
        held_.store(0, memory_order::release);
    }

private:
    atomic<std::uint32_t> held_{0};
};

static_assert(sizeof(spin_lock) == 4);

} // namespace pagefold
