// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a guard has found.
enum class guard_breach : std::uint8_t {
    none,
    unknown_handle,   ///< a handle that was never given, or whose object has been freed or moved long ago
    double_free,      ///< deallocate of an object in quarantine
    use_after_free,   ///< any other call with one
    too_long,         ///< write or read of more bytes than were asked for
    underrun,         ///< bytes before an object were written to
    overrun,          ///< bytes behind an object were written to
    stray_write,      ///< an object's own bytes changed without write()
    write_after_free, ///< a freed object's bytes changed
};
inline constexpr unsigned guard_breach_kinds = 9;

[[nodiscard]] constexpr const char* to_string(guard_breach breach) noexcept {
    switch (breach) {
    case guard_breach::none: return "none";
    case guard_breach::unknown_handle: return "guarded: unknown handle";
    case guard_breach::double_free: return "guarded: double free";
    case guard_breach::use_after_free: return "guarded: use after free";
    case guard_breach::too_long: return "guarded: more bytes than the object has";
    case guard_breach::underrun: return "guarded: write before an object";
    case guard_breach::overrun: return "guarded: write behind an object";
    case guard_breach::stray_write: return "guarded: write into an object without its handle";
    case guard_breach::write_after_free: return "guarded: write after free";
    default: return "unknown";
    }
}

/// What was found so far.
struct guard_report {
    std::uint64_t count[guard_breach_kinds]; ///< by kind
    guard_breach last;
    object_handle last_handle; ///< as the caller knew the object
};

} // namespace pagefold
