// SPDX-License-Identifier: MIT
#pragma once

#include "policies.hpp"
#include "trace.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace pagefold::replay {

/// What a store did with a trace.
struct admission_outcome {
    std::size_t misses = 0;
    std::size_t stored = 0; ///< puts that were kept
    double seconds = 0;     ///< of processor time
};

/// An admission policy and an eviction policy that a trace can be replayed with in a store.
struct admission_contender {
    std::string name;
    /// A get for each request, and a put after each miss. The store's limit has room for about so many objects, whose streams are
    /// of all lengths: of ten one is same-filled, one is raw, the others have 300 to 3,500 bytes.
    std::function<admission_outcome(const trace&, std::size_t size, const progress&)> run;
};

[[nodiscard]] const std::vector<admission_contender>& admission_contenders();

} // namespace pagefold::replay
