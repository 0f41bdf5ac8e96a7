// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// admission_policy: says whether a page is worth keeping, and in which form. Called with no lock held, from many threads.
//
//   a.admit(query) | admission | packed: keep the stream; raw: keep the page as it is; reject: do not keep it

namespace pagefold::inline PAGEFOLD_ABI {

enum class admission : std::uint8_t { packed, raw, reject };

/// What an admission policy is told about a page.
struct admission_query {
    std::size_t page_bytes;   ///< size of the page
    std::size_t packed_bytes; ///< length of its stream; equal to page_bytes when it is incompressible
    pool_kind kind;           ///< of its pool
    std::uint64_t key_hash;   ///< equal keys have equal hashes
};

// clang-format off
template <class T>
concept admission_policy = requires(T& a, const admission_query& query) {
    { a.admit(query) } noexcept -> std::same_as<admission>;
};
// clang-format on

} // namespace pagefold
