// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>

// What the host hands in: memory, mutual exclusion and time.
//
// page_source: where all memory of a store comes from. Safe to call from every thread that uses the store (a source
// behind one single-threaded store need not lock).
//
//   expression            | returns         | fails               | meaning
//   s.page_size()         | size_t          | –                   | power of two, ≥ 4096, the same on every call
//   s.acquire(n, node)    | result<void*>   | no_memory, invalid  | n ≥ 1 consecutive pages, aligned to page_size, of
//                         |                 |                     | any content; n == 0 is invalid. `node` is a wish; a
//                         |                 |                     | strict one (core/types.hpp) is kept to, or invalid where
//                         |                 |                     | the source can't keep to that node, ever
//   s.release(p, n)       | –               | –                   | gives back exactly what one acquire gave
//
// A store calls acquire and release with its own locks held. So neither calls back into a store, its own or one that
// waits for it: the thread would wait for a lock that it holds. A source that needs others to give up memory first
// answers no_memory and lets its caller do that.
//
// trimmable_page_source: a page source that keeps released pages for a while (hosted/mmap_source.hpp: up to a limit), and
// can be told not to.
//
//   s.trim()              | size_t          | –                   | gives all that nobody has acquired to where it came
//                         |                 |                     | from; the bytes. Right after it there is nothing
//                         |                 |                     | left to trim. As safe from many threads as release
//
// node_page_source: a page source that knows the host's nodes (hosted/numa_source.hpp).
//
//   s.node_status(node)     | status          | invalid             | whether memory of the node can be asked for now: ok, or
//                           |                 |                     | invalid where there is no such node, or it is not for
//                           |                 |                     | this process. As safe from many threads as acquire
//
// contextual_page_source: a page source that wants to know who asks (core/acquire_context.hpp), as a kernel's does.
//
//   s.acquire(n, node, context) | result<void*> | as acquire      | the same, for this context. A source that has it is asked
//                               |               |                 | by a store in no other way
//
// lockable: lock() and unlock(). Never called by a thread that holds the same lock. (Threads that wait by the host's
// means: platform/parking.hpp. On which node they run: platform/locality.hpp.)
//
// sleepable_lock: a lockable whose holder may sleep, as who waits for it sleeps as well: L::holder_may_sleep is true. A store
// with other locks tells its page source that it may not sleep, whatever the host allows.
//
// monotonic_clock: now() in a unit of the host's choice; never goes back.

namespace pagefold::inline PAGEFOLD_ABI {

// clang-format off
template <class T>
concept page_source = requires(T& s, const T& c, std::size_t n, node_id node, void* p) {
    { c.page_size() } noexcept -> std::same_as<std::size_t>;
    { s.acquire(n, node) } noexcept -> std::same_as<result<void*>>;
    { s.release(p, n) } noexcept -> std::same_as<void>;
};

template <class T>
concept trimmable_page_source = page_source<T> && requires(T& s) {
    { s.trim() } noexcept -> std::same_as<std::size_t>;
};

template <class T>
concept node_page_source = page_source<T> && requires(const T& c, node_id node) {
    { c.node_status(node) } noexcept -> std::same_as<status>;
};

template <class T>
concept contextual_page_source = page_source<T> && requires(T& s, std::size_t n, node_id node, acquire_context context) {
    { s.acquire(n, node, context) } noexcept -> std::same_as<result<void*>>;
};

template <class T>
concept lockable = requires(T& l) {
    { l.lock() } noexcept -> std::same_as<void>;
    { l.unlock() } noexcept -> std::same_as<void>;
};

template <class T>
concept sleepable_lock = lockable<T> && requires { requires T::holder_may_sleep; };

template <class T>
concept monotonic_clock = requires(T& c) {
    { c.now() } noexcept -> std::same_as<std::uint64_t>;
};
// clang-format on

/// Makes a lock that nobody holds new: what it knows of threads that are gone, it forgets.
template <lockable Lock>
void renew(Lock& lock) noexcept {
    lock.~Lock();
    ::new (static_cast<void*>(&lock)) Lock{};
}

/// Holds a lock for a scope.
template <lockable Lock>
class [[nodiscard]] lock_guard {
public:
    explicit lock_guard(Lock& lock) noexcept : lock_{lock} { lock_.lock(); }
    ~lock_guard() { lock_.unlock(); }
    lock_guard(const lock_guard&) = delete;
    lock_guard& operator=(const lock_guard&) = delete;

private:
    Lock& lock_;
};
template <lockable Lock>
lock_guard(Lock&) -> lock_guard<Lock>;

} // namespace pagefold
