// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>

#include <concepts>
#include <cstdint>

// How a thread waits for another by the host's means: what a lock needs that lets its waiters sleep. A policy of static
// functions without state; a host names its own type where a lock takes one (parking_lock<my_parking>).
//
//   expression             | returns   | meaning
//   P::wait(word, value)   | –         | may put the thread to sleep while word == value; if it isn't when wait is
//                          |           | called, it doesn't sleep. May return at any time, for no reason
//   P::wake_one(word)      | –         | wakes one thread that sleeps on the word, or more; none if none does
//   P::wake_all(word)      | –         | wakes every thread that sleeps on the word
//   P::self()              | uintptr_t | a token of the calling thread: not zero, and no other living thread's; 0 where
//                          |           | the host can't tell. Cheap: a few instructions
//
// No wake is lost: a thread whose wait finds word == value is woken by every wake_all, and by enough of wake_one, that
// is called after the word was changed. So the compare and the falling asleep are one step to the wakers.
//
// A wake goes by the word's address alone and doesn't read it: whoever was let in by the change of the word may have
// destroyed it since. Nor does it harm when the address belongs to something else by then, which is why wait may return
// for no reason. Safe from every thread; none of them calls back into the library. They order no memory: that is the
// caller's, by the orders of its own accesses to the word.

namespace pagefold::inline PAGEFOLD_ABI {

// clang-format off
template <class P>
concept parking = requires(atomic<std::uint32_t>& word, std::uint32_t value) {
    { P::wait(word, value) } noexcept -> std::same_as<void>;
    { P::wake_one(word) } noexcept -> std::same_as<void>;
    { P::wake_all(word) } noexcept -> std::same_as<void>;
    { P::self() } noexcept -> std::same_as<std::uintptr_t>;
};
// clang-format on

/// Never sleeps: wait lets the processor breathe once and returns. For hosts without a scheduler to call.
struct spin_parking {
    static void wait(atomic<std::uint32_t>&, std::uint32_t) noexcept { PAGEFOLD_CPU_RELAX(); }
    static void wake_one(atomic<std::uint32_t>&) noexcept {}
    static void wake_all(atomic<std::uint32_t>&) noexcept {}
    [[nodiscard]] static std::uintptr_t self() noexcept { return 0; }
};

} // namespace pagefold
