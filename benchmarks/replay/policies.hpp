// SPDX-License-Identifier: MIT
#pragma once

#include "trace.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pagefold::replay {

/// What a run says of itself, in thousandths; called now and then.
using progress = std::function<void(unsigned)>;

/// What a cache that is so many bytes long missed.
struct missed {
    std::size_t requests = 0;
    std::uint64_t bytes = 0; ///< of the objects that those were for
};

/// A policy that traces can be replayed with.
struct contender {
    std::string name;
    /// Misses of a cache of so many objects in the ring of a store.
    std::function<std::size_t(const trace&, std::size_t size, const progress&)> misses;
    /// The same of a cache of so many bytes, in which each object takes its own.
    std::function<missed(const trace&, std::uint64_t bytes, const progress&)> missed_of_bytes;
    /// Seconds of processor time for all requests but the first `warm`, with slots side by side.
    std::function<double(const trace&, std::size_t size, std::size_t warm)> seconds;
};

[[nodiscard]] const std::vector<contender>& contenders();

} // namespace pagefold::replay
