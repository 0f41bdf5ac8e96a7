// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// How much depends on memory that is asked for.
enum class urgency : std::uint8_t {
    background, ///< it only saves time or memory later; nothing fails without it
    normal,     ///< an operation is refused without it
    reclaim, ///< the host puts a page because it needs that page's memory: more comes free than is taken (Linux: PF_MEMALLOC)
};

/// Who asks a page source for memory. A kernel's source makes its allocation flags of it: without may_sleep none that enters
/// reclaim or waits, with `reclaim` those that may use reserves.
struct acquire_context {
    /// Whether the caller may be put to sleep. The host's word for an operation, where no lock is held whose waiters spin.
    bool may_sleep = false;
    urgency how_urgent = urgency::normal;

    friend constexpr bool operator==(const acquire_context&, const acquire_context&) noexcept = default;
};

} // namespace pagefold
