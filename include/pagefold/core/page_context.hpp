// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Whose page it is that is worked on: what a codec may choose by.
struct page_context {
    pool_id pool{};
    pool_kind kind = pool_kind::persistent;
    std::uint8_t codec = 0; ///< the pool's codec for new pages, by its number (pool_options::codec)
};

} // namespace pagefold
