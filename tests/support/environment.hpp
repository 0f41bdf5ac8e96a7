// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdlib>

namespace pagefold::testing {

/// What an environment variable says, by which tests are made longer or shorter; `otherwise` where it isn't set.
[[nodiscard]] inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// `count` turns of something random and long, or the part of them that PAGEFOLD_TEST_PART asks for (8: an eighth), at least
/// one. For builds that are many times slower, beside one that does all; never for what must be met exactly.
template <class Count>
[[nodiscard]] Count in_part(Count count) {
    const auto part = static_cast<Count>(number_from("PAGEFOLD_TEST_PART", 1));
    return part > 1 && count > part ? count / part : part > 1 ? Count{1} : count;
}

} // namespace pagefold::testing
