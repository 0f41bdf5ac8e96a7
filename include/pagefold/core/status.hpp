// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The outcome of an operation. An expected outcome is a value, never an exception; a caller's bug is an assertion.
enum class [[nodiscard]] status : std::uint8_t{
    ok,             ///< done
    not_found,      ///< no such page or pool
    no_memory,      ///< the page source has no more
    limit,          ///< the byte limit (of the store or of a pool) does not allow it
    incompressible, ///< the page does not shrink; an answer of codecs and of an admission policy that refuses
    corrupt,        ///< stored bytes failed their check; nothing was handed out
    busy,           ///< bounded work was done and more remains: call again
    invalid,        ///< an argument is outside the contract (size, id, range)
    unavailable,    ///< the page is in the backing tier, which can't be read now: try again later
    too_short,      ///< the caller's buffer is shorter than the value; nothing was handed out, and nothing has changed
};

/// The name of a status, for messages. Never null.
[[nodiscard]] constexpr const char* to_string(status s) noexcept {
    switch (s) {
    case status::ok: return "ok";
    case status::not_found: return "not_found";
    case status::no_memory: return "no_memory";
    case status::limit: return "limit";
    case status::incompressible: return "incompressible";
    case status::corrupt: return "corrupt";
    case status::busy: return "busy";
    case status::invalid: return "invalid";
    case status::unavailable: return "unavailable";
    case status::too_short: return "too_short";
    default: return "unknown";
    }
}

} // namespace pagefold
