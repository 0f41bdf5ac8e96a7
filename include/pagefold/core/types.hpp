// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A tenant's pool, as `create_pool` returned it. No id is ever used again: 2^51 pools can have each slot, one after another.
enum class pool_id : std::uint64_t {};

/// A memory node of the host (a NUMA node), numbered below 2^15 − 1; `any_node` leaves the choice to the page source. As a wish
/// to a page source it may be strict: then no other node's memory will do.
enum class node_id : std::uint16_t {};
inline constexpr node_id any_node{0xffff};

inline constexpr std::uint16_t strict_bit = 0x8000;
/// The node, strictly. any_node stays what it is.
[[nodiscard]] constexpr node_id strictly(node_id node) noexcept {
    return static_cast<node_id>(static_cast<std::uint16_t>(node) | strict_bit);
}
[[nodiscard]] constexpr bool is_strict(node_id wish) noexcept {
    return wish != any_node && (static_cast<std::uint16_t>(wish) & strict_bit) != 0;
}
/// The node of a wish, strict or not.
[[nodiscard]] constexpr node_id node_of(node_id wish) noexcept {
    return wish == any_node ? wish : static_cast<node_id>(static_cast<std::uint16_t>(wish) & ~strict_bit);
}

/// The name of one page: pool (a swap area or a file system of one tenant), object (a swap file, inode or memory slot)
/// and page number in the object. The number must be below `max_page_index`; greater ones answer `invalid`.
struct page_key {
    pool_id pool{};
    std::uint64_t object = 0;
    std::uint64_t index = 0;

    friend constexpr bool operator==(const page_key&, const page_key&) noexcept = default;
};

/// Consecutive page numbers share one extent of the index: this many.
inline constexpr unsigned extent_pages = 64;
inline constexpr std::uint64_t max_page_index = std::uint64_t{1} << 50;

/// A place in a partition that may hold a page; what an eviction policy sees of a page. Stable while the page is
/// stored.
using slot_id = std::uint32_t;
inline constexpr slot_id no_slot = 0xffffffffu;

/// Persistent pages stay until they are erased; ephemeral ones may be dropped to make room.
enum class pool_kind : std::uint8_t { persistent, ephemeral };

/// What becomes of a pool's pages when memory is short. A persistent pool keeps them or demotes them, an ephemeral one drops
/// them; as_kind is `keep` and `drop`. A page that was demoted is in the backing tier, and still the pool's: every operation
/// finds it there.
enum class pressure_action : std::uint8_t { as_kind, keep, drop, demote };

} // namespace pagefold
