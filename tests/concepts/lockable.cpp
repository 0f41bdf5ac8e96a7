// SPDX-License-Identifier: MIT
//
// The smallest lock and clock, and one wrong one for each clause of their signatures.

#include <pagefold/platform/concept.hpp>

#include <doctest/doctest.h>

#include <mutex>

namespace pagefold::testing::concepts_lockable {
namespace {

struct smallest_lock {
    void lock() noexcept {}
    void unlock() noexcept {}
};
static_assert(lockable<smallest_lock>);

struct without_lock {
    void unlock() noexcept {}
};
struct without_unlock {
    void lock() noexcept {}
};
struct lock_may_throw : smallest_lock {
    void lock() {}
};
struct unlock_may_throw : smallest_lock {
    void unlock() {}
};
struct lock_that_may_fail : smallest_lock {
    bool lock() noexcept { return true; }
};
struct unlock_of_bool : smallest_lock {
    bool unlock() noexcept { return true; }
};
static_assert(!lockable<without_lock>);
static_assert(!lockable<without_unlock>);
static_assert(!lockable<lock_may_throw>);
static_assert(!lockable<unlock_may_throw>);
static_assert(!lockable<lock_that_may_fail>);
static_assert(!lockable<unlock_of_bool>);
static_assert(!lockable<std::mutex>, "its lock may throw; std_mutex is the adapter");

struct smallest_clock {
    std::uint64_t now() noexcept { return 0; }
};
static_assert(monotonic_clock<smallest_clock>);

struct without_now {};
struct now_of_int {
    int now() noexcept { return 0; }
};
struct now_may_throw {
    std::uint64_t now() { return 0; }
};
static_assert(!monotonic_clock<without_now>);
static_assert(!monotonic_clock<now_of_int>);
static_assert(!monotonic_clock<now_may_throw>);

TEST_CASE("a lock of two functions is enough for a guard") {
    smallest_lock lock;
    const lock_guard guard{lock};
    CHECK(smallest_clock{}.now() == 0);
}

TEST_CASE("lockable: a lock is renewed in its place") {
    struct knows_waiters : smallest_lock {
        int waiters = 0;
    } lock;
    lock.waiters = 3;
    renew(lock);
    CHECK(lock.waiters == 0);
}

} // namespace
} // namespace pagefold::testing::concepts_lockable
