// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>
#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/platform/concept.hpp>

#include <concepts>
#include <csignal>
#include <new>
#include <pthread.h>

// fork() copies one thread and all private memory. What another thread was in the midst of stays as it was: a lock that nobody
// holds, a scratch that nobody gives back, a bitmap half changed. So without a guard the child of a process with threads may use
// no store, no source and no pager; what POSIX allows it anyway is exec and _exit.
//
// With a guard for each of them the child has a copy that it may use, destroy and let be:
//
//     pagefold::mmap_source<> source;          pagefold::fork_guard source_guard{source};
//     pagefold::page_store<config> store{source};    pagefold::fork_guard store_guard{store};
//
// Before the fork (pthread_atfork) all guarded objects come to a standstill, those first that use others: pagers, then stores,
// the latest first, then sources. An operation under way is waited for, a long one till it stands between two of its steps; none
// begins. After it the parent's go on. In the child the locks are made new, because who slept on them does not exist there, and
// the pools that were being destroyed are destroyed.
//
// The orders of locks: the list of guards; then of each pager its lock; of each store the registry's, all scratches, the
// partitions'; of each source its lock. The library takes them in that order everywhere, so that a fork waits and never for
// ever. It waits for the codec of a page, or the release of a batch of pages; and others wait as long as fork takes.
//
// What is promised. In the child every page that was stored reads as it did, whatever other threads were doing: those
// operations happened or not. An erase_range may have come halfway. The byte budget and the counters are the parent's.
// Memory must be private (mmap_source's is): a child that shares a static_source's range with its parent would destroy it.
//
// What can't be had: a fork from within an operation of the same thread (a page source that forks, a handler of a signal that
// interrupted one). That thread can't wait for itself, so the object is left as it is and the child's copy is not usable, as
// its guard says. vfork, posix_spawn and clone call no handlers, and need none where exec follows.
//
// A userfaultfd region needs more than a standstill: see fork_policy (hosted/uffd_memory.hpp).

namespace pagefold::inline PAGEFOLD_ABI {

/// What can stand still for a fork. quiesce: busy where it can't, and nothing happened; else one of the two others follows, in
/// the same thread, or its copy in the child.
template <class T>
concept forkable = requires(T& object) {
    { object.quiesce() }
    noexcept->std::same_as<status>;
    { object.resume() }
    noexcept->std::same_as<void>;
    { object.resume_alone() }
    noexcept->std::same_as<void>;
};

/// The guarded objects of the process, in the order in which they stop. A fork_guard is the way to it.
class fork_list {
public:
    struct entry {
        void* object;
        status (*quiesce)(void*) noexcept;
        void (*resume)(void*) noexcept;
        void (*resume_alone)(void*) noexcept;
        unsigned rank; // lower ones stop first
        bool is_quiet = false;
        bool is_usable = true;
        entry* next = nullptr;
        entry* previous = nullptr;
    };

    /// False where the object is there already, or the system refuses the handlers.
    [[nodiscard]] static bool add(entry& one) noexcept {
        const lock_guard guard{mutex};
        is_ready = is_ready || pthread_atfork(before, in_parent, in_child) == 0;
        entry** place = &first;
        entry* previous = nullptr;
        for (const entry* e = first; e != nullptr; e = e->next) {
            if (e->object == one.object) {
                return false;
            }
        }
        while (*place != nullptr && (*place)->rank < one.rank) {
            previous = *place;
            place = &previous->next;
        }
        if (!is_ready) {
            return false;
        }
        one.next = *place;
        one.previous = previous;
        (one.next != nullptr ? one.next->previous : last) = &one;
        *place = &one;
        return true;
    }
    static void remove(entry& one) noexcept {
        const lock_guard guard{mutex};
        (one.previous != nullptr ? one.previous->next : first) = one.next;
        (one.next != nullptr ? one.next->previous : last) = one.previous;
    }

private:
    static void before() {
        // A handler that came in between would find its own thread at every lock.
        const sigset_t blocked = asynchronous_signals();
        sigset_t signals;
        const bool has_blocked = pthread_sigmask(SIG_BLOCK, &blocked, &signals) == 0;
        mutex.lock();
        kept_signals = signals;
        keeps_signals = has_blocked;
        for (entry* e = first; e != nullptr; e = e->next) {
            e->is_quiet = e->is_usable && e->quiesce(e->object) == status::ok;
        }
    }
    static void in_parent() {
        for (entry* e = last; e != nullptr; e = e->previous) {
            if (e->is_quiet) {
                e->resume(e->object);
            }
        }
        const sigset_t signals = kept_signals;
        const bool keeps = keeps_signals;
        mutex.unlock();
        restore(signals, keeps);
    }
    static void in_child() {
        for (entry* e = last; e != nullptr; e = e->previous) {
            e->is_usable = e->is_quiet;
            if (e->is_quiet) {
                e->resume_alone(e->object);
            }
        }
        const sigset_t signals = kept_signals;
        const bool keeps = keeps_signals;
        mutex.unlock();
        renew(mutex);
        restore(signals, keeps);
    }
    static void restore(const sigset_t& signals, bool keeps) noexcept {
        if (keeps) { // else the system did not say what was before
            pthread_sigmask(SIG_SETMASK, &signals, nullptr);
        }
    }

    inline static std_mutex mutex; // guards all below, and is held from before the fork until after it
    inline static entry* first = nullptr;
    inline static entry* last = nullptr;
    inline static sigset_t kept_signals{};
    inline static bool keeps_signals = false;
    inline static bool is_ready = false;
};

/// Keeps one store, source or pager usable in the children of the process, as long as it lives. Declare it after the object, so
/// that it ends first. Making and ending it takes a lock, and waits for a fork that is under way.
///
/// Cost: none but at a fork.
template <forkable T>
class fork_guard {
public:
    explicit fork_guard(T& object) noexcept
        : entry_{&object, [](void* o) noexcept { return static_cast<T*>(o)->quiesce(); },
                 [](void* o) noexcept { static_cast<T*>(o)->resume(); },
                 [](void* o) noexcept { static_cast<T*>(o)->resume_alone(); }, rank()},
          is_added_{fork_list::add(entry_)} {}
    ~fork_guard() {
        if (is_added_) {
            fork_list::remove(entry_);
        }
    }
    fork_guard(const fork_guard&) = delete;
    fork_guard& operator=(const fork_guard&) = delete;

    /// Whether the object is guarded by this one; false where another one does, or the system has no room for handlers.
    [[nodiscard]] bool is_active() const noexcept { return is_added_; }
    /// Whether this process may use the object: false in a child whose fork came from within an operation of the same thread.
    [[nodiscard]] bool is_usable() const noexcept { return entry_.is_usable; }

private:
    /// Sources stop last; what says so (a pager), first.
    [[nodiscard]] static constexpr unsigned rank() noexcept {
        if constexpr (page_source<T>) {
            return 2;
        } else if constexpr (requires { T::stops_before_stores; }) {
            return 0;
        } else {
            return 1;
        }
    }

    fork_list::entry entry_;
    bool is_added_;
};
template <forkable T>
fork_guard(T&) -> fork_guard<T>;

} // namespace pagefold
