// SPDX-License-Identifier: MIT
#pragma once

#include "failure.hpp"

#include <pagefold/core/status.hpp>

#include <cstring>
#include <string>

namespace examples {

/// Why a pager did not open, or stopped to serve, in one line.
template <class Pager>
[[nodiscard]] std::string reason_of(const Pager& pager) {
    return std::string(pager.reason()) + (pager.error() != 0 ? std::string(": ") + std::strerror(pager.error()) : "");
}
/// Throws: unavailable where this machine lacks something, failure where something is used up.
template <class Pager>
[[noreturn]] void give_up(const std::string& what, const Pager& pager, pagefold::status s) {
    if (s == pagefold::status::invalid) {
        throw unavailable(what + ": " + reason_of(pager));
    }
    throw failure(what + ": " + reason_of(pager));
}

} // namespace examples
