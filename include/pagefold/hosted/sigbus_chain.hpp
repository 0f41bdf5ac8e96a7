// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/sigbus_links.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

// How one handler of SIGBUS lives with the others of a process. It comes first, and what it does not serve ends as if it were
// not there:
//
//   the action before it   | a fault                          | a signal that was sent (kill, sigqueue, pthread_kill)
//   SIG_DFL                | ends the process                 | ends the process
//   SIG_IGN                | ends it: the kernel ignores none | nothing happens
//   a handler              | is called                        | is called
//   one with SA_RESETHAND  | is called once, then SIG_DFL     | is called once, then SIG_DFL
//
// Faults are what the kernel raises with si_code above 0, but for BUS_MCEERR_AO (a memory error elsewhere), which can be
// ignored. sa_mask, SA_NODEFER, SA_SIGINFO and SA_RESTART of the earlier handler hold. To end the process the same signal is
// queued again under the default action. After a fault it comes when the context is restored, so that a core shows the
// instruction.
//
// Each time that the action is another one than before, hook takes an entry of its own: level 0 stands over the default, level 1
// over SIG_IGN, and each other over one handler. So a handler that was set later and calls what it found (level 2, say) may be
// hooked over in its turn (level 3): who calls whom is fixed for each level, and no circle can come of it.
//
// What can't be had from here:
//
//   A handler that is set later is the first, until hook is called again. If it does not call what it found, no fault is served.
//   Nor is one while the default is set, but for this: where an earlier handler sets the default (or SIG_IGN) and returns, the
//   entry hooks in again over that one.
//   SA_ONSTACK: the earlier handler runs on the thread's own stack. Serving needs that one anyway.
//   A sent signal that is ignored interrupts the calls that SA_RESTART does not restart (poll, nanosleep: EINTR).
//   sigaction shows the entry, not what it stands over.
//   Two of these in a process (another name of pagefold's: config/abi.hpp) are two handlers. Where the one in front leads down
//   to an entry of ours through entries of the other alone, nothing is hooked, so that both may come and go by turns for ever.
//   That takes that they know of each other, which the linker can hinder: sigbus_links.hpp says when. Then each turn takes a
//   level, and after some six it is ENOSPC. Where one comes and goes while the other stays, there is no end in any case.
//   An entry that unhook finds under another handler is called by that one for ever. So a library with faults by signal stays
//   loaded: sigbus_router sees to it (keep_loaded.hpp), and who hooks without it has to.

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

/// What an entry stands over.
struct sigbus_level {
    struct sigaction before {};        // written before the level is first used
    atomic<std::uint32_t> is_spent{0}; // with SA_RESETHAND: it was called
    bool is_used = false;
};

} // namespace detail

/// hook and unhook: one thread at a time, and not from a signal handler. A few system calls each.
class sigbus_chain {
public:
    /// Serves a signal in the thread that got it; false: it is somebody else's. errno is kept around it.
    using server = bool (*)(siginfo_t& info, void* machine) noexcept;
    /// The default, SIG_IGN, and so many less two different handlers in a process's life.
    static constexpr unsigned max_levels = 8;

    /// Puts the entry in front of the action there is, if none of the entries is in front, or is called by the one in front as
    /// far as entries of other pagefolds go. False where the system refuses, with its errno, or where there were too many
    /// different handlers: ENOSPC. One server in a process.
    [[nodiscard]] static bool hook(server first) noexcept {
        chained_server.store(first, memory_order::release);
        struct sigaction top {};
        for (unsigned tries = 0; tries < most_tries; ++tries) {
            if (sigaction(SIGBUS, nullptr, &top) != 0) {
                return false;
            }
            const bool is_called = is_ours_below(address_of(top));
            const int level = is_called ? 0 : level_for(top);
            if (level < 0) {
                errno = ENOSPC;
                return false;
            }
            is_wanted.store(1, memory_order::relaxed);
            if (is_called || install(static_cast<unsigned>(level), top)) {
                return true;
            }
        }
        return false;
    }
    /// Puts back what the entry in front stands over. A handler that was set later stays, and may go on to call an entry.
    static void unhook() noexcept {
        is_wanted.store(0, memory_order::relaxed);
        struct sigaction top {
        }, replaced{};
        const int level = sigaction(SIGBUS, nullptr, &top) == 0 ? level_of(address_of(top)) : -1;
        if (level >= 0) {
            const struct sigaction before = before_of(static_cast<unsigned>(level));
            // Another pagefold's thread may have hooked meanwhile: it stays.
            if (sigaction(SIGBUS, &before, &replaced) == 0 && address_of(replaced) != address_of(top)) {
                static_cast<void>(sigaction(SIGBUS, &replaced, nullptr));
            }
        }
    }
    /// Whether faults come to an entry first, but for entries of other pagefolds: what a program may ask that does not know what
    /// its libraries set.
    [[nodiscard]] static bool is_in_front() noexcept {
        struct sigaction top {};
        return sigaction(SIGBUS, nullptr, &top) == 0 && is_ours_below(address_of(top));
    }

private:
    static constexpr unsigned over_default = 0, over_ignore = 1, over_handlers = 2;
    static constexpr unsigned most_tries = 16;

    // The entries.

    template <unsigned Level>
    static void enter(int signal, siginfo_t* info, void* machine) {
        const int kept = errno;
        const server first = chained_server.load(memory_order::acquire); // what the server reads was written before
        const bool is_served = first != nullptr && first(*info, machine);
        errno = kept;
        if (!is_served) {
            pass_on(Level, signal, info, machine);
        }
    }
    using entry = void (*)(int, siginfo_t*, void*);
    static constexpr entry entries[max_levels] = {enter<0>, enter<1>, enter<2>, enter<3>,
                                                  enter<4>, enter<5>, enter<6>, enter<7>};

    /// The kernel goes by the address alone, whatever the flags say of its type.
    [[nodiscard]] static std::uintptr_t address_of(const struct sigaction& action) noexcept {
        return reinterpret_cast<std::uintptr_t>(action.sa_handler);
    }
    [[nodiscard]] static bool is_one_of(const struct sigaction& action, void (*special)(int)) noexcept {
        return address_of(action) == reinterpret_cast<std::uintptr_t>(special);
    }
    /// Which entry a handler is, or −1.
    [[nodiscard]] static int level_of(std::uintptr_t handler) noexcept {
        for (unsigned i = 0; i < max_levels; ++i) {
            if (handler == reinterpret_cast<std::uintptr_t>(entries[i])) {
                return static_cast<int>(i);
            }
        }
        return -1;
    }
    /// Whether a handler is an entry of ours, or is one of another pagefold's that comes to call ours.
    [[nodiscard]] static bool is_ours_below(std::uintptr_t handler) noexcept {
        for (std::size_t steps = 0; handler != 0 && steps <= detail::max_sigbus_links; ++steps) {
            if (level_of(handler) >= 0) {
                return true;
            }
            handler = detail::sigbus_links::below(handler);
        }
        return false;
    }
    [[nodiscard]] static bool is_same(const struct sigaction& a, const struct sigaction& b) noexcept {
        bool same = a.sa_handler == b.sa_handler && a.sa_flags == b.sa_flags;
        for (int signal = 1; same && signal < NSIG; ++signal) {
            same = sigismember(&a.sa_mask, signal) == sigismember(&b.sa_mask, signal);
        }
        return same;
    }
    /// The level for an action that is no entry, or −1 where all are taken.
    [[nodiscard]] static int level_for(const struct sigaction& action) noexcept {
        if (is_one_of(action, SIG_DFL) || is_one_of(action, SIG_IGN)) {
            return static_cast<int>(is_one_of(action, SIG_DFL) ? over_default : over_ignore);
        }
        for (unsigned i = over_handlers; i < max_levels; ++i) { // used ones come first
            detail::sigbus_level& one = levels[i];
            if (!one.is_used) {
                one.before = action;
                one.is_used = true;
                detail::sigbus_links::note(reinterpret_cast<std::uintptr_t>(entries[i]), address_of(action));
            } else if (!is_same(one.before, action)) {
                continue;
            }
            one.is_spent.store(0, memory_order::relaxed); // it was set anew
            return static_cast<int>(i);
        }
        return -1;
    }
    [[nodiscard]] static struct sigaction before_of(unsigned level) noexcept {
        struct sigaction before = levels[level].before; // of the first two it is the default
        if (level == over_ignore) {
            before.sa_handler = SIG_IGN;
        } else if (levels[level].is_spent.load(memory_order::relaxed) != 0) {
            before.sa_handler = SIG_DFL;
        }
        return before;
    }
    /// Replaces `top`; false, and nothing happened, where another thread was faster and set something else.
    [[nodiscard]] static bool install(unsigned level, const struct sigaction& top) noexcept {
        struct sigaction wanted {
        }, replaced{};
        wanted.sa_sigaction = entries[level];
        // SA_NODEFER: a fault inside an earlier handler reaches us again. Not SA_ONSTACK: serving takes some 8 KiB, and a
        // thread's second stack may be as small as that.
        wanted.sa_flags = SA_SIGINFO | SA_NODEFER;
        wanted.sa_flags |= level < over_handlers ? SA_RESTART : levels[level].before.sa_flags & SA_RESTART;
        wanted.sa_mask = asynchronous_signals();
        if (sigaction(SIGBUS, &wanted, &replaced) != 0) {
            return false;
        }
        if (replaced.sa_handler == top.sa_handler) {
            return true;
        }
        static_cast<void>(sigaction(SIGBUS, &replaced, nullptr));
        return false;
    }

    // Passing on.

    static void pass_on(unsigned level, int signal, siginfo_t* info, void* machine) {
        const bool is_fault = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
        if (level == over_ignore && !is_fault) {
            return;
        }
        detail::sigbus_level& one = levels[level];
        // relaxed: of many threads one finds 0, and reads nothing that another wrote.
        if (level < over_handlers || ((one.before.sa_flags & static_cast<int>(SA_RESETHAND)) != 0 &&
                                      one.is_spent.exchange(1, memory_order::relaxed) != 0)) {
            end(info, machine, is_fault);
            return;
        }
        block_as(one.before, static_cast<ucontext_t*>(machine)->uc_sigmask);
        if ((one.before.sa_flags & SA_SIGINFO) != 0) {
            one.before.sa_sigaction(signal, info, machine);
        } else {
            one.before.sa_handler(signal);
        }
        hook_again();
    }
    /// Signals are blocked as if the kernel had called that handler.
    static void block_as(const struct sigaction& action, sigset_t interrupted) noexcept {
        for (int signal = 1; signal < NSIG; ++signal) {
            if (sigismember(&action.sa_mask, signal) == 1) {
                sigaddset(&interrupted, signal);
            }
        }
        if ((action.sa_flags & SA_NODEFER) == 0) {
            sigaddset(&interrupted, SIGBUS);
        }
        pthread_sigmask(SIG_SETMASK, &interrupted, nullptr);
    }
    /// An earlier handler may have set the default, to be the last one called. It is, and the regions go on.
    static void hook_again() noexcept {
        const int kept = errno;
        struct sigaction top {};
        if (is_wanted.load(memory_order::relaxed) != 0 && sigaction(SIGBUS, nullptr, &top) == 0 &&
            (is_one_of(top, SIG_DFL) || is_one_of(top, SIG_IGN))) {
            static_cast<void>(install(is_one_of(top, SIG_DFL) ? over_default : over_ignore, top));
        }
        errno = kept;
    }
    /// The process ends by this signal.
    static void end(siginfo_t* info, void* machine, bool is_fault) noexcept {
        struct sigaction standard {
        }, entered{};
        static_cast<void>(sigaction(SIGBUS, &standard, &entered));
        sigset_t only;
        sigemptyset(&only);
        sigaddset(&only, SIGBUS);
        pthread_sigmask(SIG_BLOCK, &only, nullptr);
        if (::syscall(SYS_rt_tgsigqueueinfo, getpid(), ::syscall(SYS_gettid), SIGBUS, info) != 0) {
            static_cast<void>(std::raise(SIGBUS)); // a filter of system calls
        }
        sigdelset(&static_cast<ucontext_t*>(machine)->uc_sigmask, SIGBUS);
        if (is_fault) {
            return; // it comes before the access is tried again
        }
        pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
        // Here is only process 1, whom the default action of a sent signal does not end.
        static_cast<void>(sigaction(SIGBUS, &entered, nullptr));
    }

    inline static detail::sigbus_level levels[max_levels];
    inline static atomic<server> chained_server{nullptr};
    inline static atomic<std::uint32_t> is_wanted{0}; // relaxed: at worst an entry stays in front and serves nothing
};

} // namespace pagefold
