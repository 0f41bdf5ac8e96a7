// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/config/assert.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// Keeps the stream of a page that shrinks to at most so many thousandths of its size. A longer stream saves little
/// memory and costs a decompression on every read: such a page is kept raw, or refused. Seven eighths, the default, is
/// the limit of Linux's zcache (zv_max_zsize in drivers/staging/zcache/zcache-main.c), which refused.
class ratio {
public:
    /// `most_permille` at most 1000; `otherwise` is the answer for a page that shrinks less, raw or reject.
    constexpr explicit ratio(unsigned most_permille = 875, admission otherwise = admission::raw) noexcept
        : most_permille_{most_permille}, otherwise_{otherwise} {
        PAGEFOLD_CHECK(most_permille <= 1000 && otherwise != admission::packed);
    }

    [[nodiscard]] constexpr admission admit(const admission_query& query) const noexcept {
        const bool pays = query.packed_bytes < query.page_bytes &&
                          query.packed_bytes * std::size_t{1000} <= query.page_bytes * std::size_t{most_permille_};
        return pays ? admission::packed : otherwise_;
    }

private:
    unsigned most_permille_;
    admission otherwise_;
};

} // namespace pagefold
