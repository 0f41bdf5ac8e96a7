// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>
#include <pagefold/hosted/uffd.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

enum class uffd_backing : std::uint8_t { anonymous, shared };
/// Who resolves a fault. thread: the one in run(). signal: the thread that faulted, in a SIGBUS handler: less than half the
/// time, but a system call that meets a missing page answers EFAULT.
enum class fault_delivery : std::uint8_t { thread, signal };
enum class eviction_method : std::uint8_t { automatic, move, protect };
enum class clean_tracking : std::uint8_t { automatic, none, protect, scan };
/// What a child has of the region after fork. Never more than a copy: its memory is ordinary, and no pager serves it.
///
///   none     nothing: the first access is SIGSEGV
///   zeros    zeros, whatever the region held (MADV_WIPEONFORK, Linux 4.14). Private anonymous memory
///   inherit  a copy of the whole region where all of it that was ever written fits into the budget, with an eighth to spare
///            for the queue: what is not in memory is brought before the fork. Else nothing, as with none: half a region
///            would read as zeros where pages were stored. Private anonymous memory, and a fork_guard on the pager, without
///            which it is none. Pages that a child shared the kernel does not move (EBUSY): `move` evicts them only after the
///            parent wrote to them
///
/// The kernel can hand a pager the child's region as well (UFFD_FEATURE_EVENT_FORK). Not offered: the child's pages would be
/// served from the parent's store, by a second set of books for each child, fork would wait for the thread in run(), and
/// neither eviction by MOVE nor faults by signal work on another process's memory.
enum class fork_policy : std::uint8_t { none, zeros, inherit };
struct uffd_memory_options {
    std::size_t pages = 0;
    std::size_t frames = 0; ///< beside the region, for eviction by move
    uffd_backing backing = uffd_backing::anonymous;
    fault_delivery delivery = fault_delivery::thread;
    eviction_method eviction = eviction_method::automatic;
    clean_tracking tracking = clean_tracking::automatic;
    uffd_rights rights = uffd_rights::any;
    std::uint64_t may_use = ~std::uint64_t{0}; ///< of the kernel's features: as if it had no others
    fork_policy on_fork = fork_policy::none;
};

} // namespace pagefold
