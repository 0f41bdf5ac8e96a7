// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/platform/parking.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A lock of four bytes whose waiters turn on the spot for a short while and then sleep by `P`'s means (Drepper:
/// "Futexes are tricky", 2011, third lock). Uncontended, lock and unlock cost one atomic operation each and call nothing
/// of P. An unlock calls P only where a thread may sleep, and then wakes one.
///
/// Not first come, first served: a passer-by may take the lock before the thread that was just woken for it. That keeps
/// the lock in use while the other one starts to run. But a thread that lost `patience` times in that way is owed the
/// lock: the next unlock leaves it to those who have slept, and newcomers have to sleep first. So nobody starves, not
/// even on one processor, and the costly hand-over is rare.
template <parking P>
class parking_lock {
public:
    static constexpr bool holder_may_sleep = true;

    static constexpr unsigned patience = 1;
    /// For so many PAGEFOLD_CPU_RELAX a lock must be free until a waiter that does not sleep yet has surely looked at it.
    static constexpr unsigned pauses_to_be_seen = 16;

    void lock() noexcept {
        std::uint32_t found = free;
        // acquire: what the last holder wrote before its unlock is visible from here on, and nothing of the section is
        // done before the lock is held.
        if (!word_.compare_exchange(found, held, memory_order::acquire)) [[unlikely]] {
            lock_contended();
        }
    }

    void unlock() noexcept {
        std::uint32_t found = held;
        // release: everything done in the section is visible to whoever acquires next.
        if (!word_.compare_exchange(found, free, memory_order::release)) [[unlikely]] {
            unlock_contended(found);
        }
    }

private:
    // What the word says. From `contended` on a thread may sleep on it; none does below.
    static constexpr std::uint32_t free = 0;
    static constexpr std::uint32_t held = 1;
    static constexpr std::uint32_t contended = 2; // held
    static constexpr std::uint32_t starved = 3;   // held, and to be left as owed
    static constexpr std::uint32_t owed = 4;      // not held; for a thread that has waited by P

    static constexpr unsigned longest_turn = 96; // pauses; 2.5 µs where one takes 26 ns

    PAGEFOLD_COLD void lock_contended() noexcept {
        if (turn()) {
            return;
        }
        std::uint32_t wanted = contended; // what the word must say at least while this thread sleeps
        for (unsigned waits = 0;;) {
            // relaxed: only says which exchange to try; that one decides.
            std::uint32_t found = word_.load(memory_order::relaxed);
            if (found == free || (found == owed && waits != 0)) {
                // As contended, since others may sleep: only the unlock that wakes nobody would find out, and that one
                // would be missing where some do. acquire: as in lock().
                if (word_.compare_exchange(found, contended, memory_order::acquire)) {
                    return;
                }
                continue;
            }
            if (found < wanted) {
                // relaxed: says that there is a sleeper, and publishes nothing else. The kernel (or whoever) compares
                // again before the thread sleeps, and the unlock takes the word by an exchange, which sees the latest.
                if (!word_.compare_exchange(found, wanted, memory_order::relaxed)) {
                    continue;
                }
                found = wanted;
            }
            P::wait(word_, found);
            waits += waits < patience ? 1u : 0u;
            wanted = waits < patience ? contended : starved;
        }
    }

    /// Waits without P, twice as long as a section should take; to sleep and be woken costs twenty times that. False if
    /// it wasn't enough, or if others sleep already: then there are more threads than the lock can serve, and one that
    /// turns takes a processor from them. Looks often: who works through many short sections leaves the lock free for
    /// `pauses_to_be_seen` between two of them.
    bool turn() noexcept {
        for (unsigned turned = 0, length = 1; turned < longest_turn; turned += length) {
            for (unsigned i = 0; i < length; ++i) {
                PAGEFOLD_CPU_RELAX();
            }
            length = length < pauses_to_be_seen / 2 ? 2 * length : length;
            // relaxed: as above.
            std::uint32_t found = word_.load(memory_order::relaxed);
            if (found >= contended) {
                return false;
            }
            // acquire: as in lock().
            if (found == free && word_.compare_exchange(found, held, memory_order::acquire)) {
                return true;
            }
        }
        return false;
    }

    /// Nothing of the lock is read once it is free: who gets it may destroy it.
    PAGEFOLD_COLD void unlock_contended(std::uint32_t found) noexcept {
        PAGEFOLD_CHECK(found == contended || found == starved);
        // release: as in unlock(). Other threads can only raise the word from contended to starved meanwhile.
        while (!word_.compare_exchange(found, found == starved ? owed : free, memory_order::release)) {
        }
        P::wake_one(word_);
    }

    atomic<std::uint32_t> word_{free};
};

static_assert(sizeof(parking_lock<spin_parking>) == 4);

} // namespace pagefold
