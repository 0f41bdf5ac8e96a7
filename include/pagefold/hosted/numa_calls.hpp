// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux's calls about memory nodes, by their numbers: no libnuma is needed, to build or to run. A kernel without NUMA lacks
// all but getcpu; then there is node 0 and nothing to bind. (mm/mempolicy.c, mm/migrate.c; set_mempolicy(2) and its relatives.)

namespace pagefold::inline PAGEFOLD_ABI {

/// A set of nodes as the kernel takes it.
class node_mask {
public:
    static constexpr unsigned max_nodes = 1024; // the most that a kernel can be built for

    constexpr node_mask() noexcept = default;
    constexpr explicit node_mask(node_id node) noexcept { insert(static_cast<unsigned>(node)); }

    /// Not if `node` is beyond what a kernel can have.
    constexpr void insert(unsigned node) noexcept {
        if (node < max_nodes) {
            words_[node / bits] |= 1ul << node % bits;
        }
    }
    [[nodiscard]] constexpr bool contains(unsigned node) const noexcept {
        return node < max_nodes && (words_[node / bits] >> node % bits & 1) != 0;
    }
    [[nodiscard]] unsigned long* words() noexcept { return words_; }
    [[nodiscard]] const unsigned long* words() const noexcept { return words_; }

private:
    static constexpr unsigned bits = 8 * sizeof(unsigned long);
    unsigned long words_[max_nodes / bits] = {};
};

namespace numa_calls {

inline constexpr int preferred = 1;                    // MPOL_PREFERRED
inline constexpr unsigned long mems_allowed = 1u << 2; // MPOL_F_MEMS_ALLOWED

/// The nodes that this thread may have memory of: those that have some, less what its cpuset forbids. False where the kernel
/// has no such call, or a filter takes it (errno).
[[nodiscard]] inline bool allowed_nodes(node_mask& nodes) noexcept {
    nodes = {};
    return syscall(SYS_get_mempolicy, nullptr, nodes.words(), node_mask::max_nodes, nullptr, mems_allowed) == 0;
}

/// Says where pages of the range shall come from that are not there yet: from `node`, or where that has none left, from the
/// nearest that has. False: no such node, or it is forbidden, or no such call (errno).
[[nodiscard]] inline bool prefer_node(void* start, std::size_t bytes, node_id node) noexcept {
    if (static_cast<unsigned>(node) >= node_mask::max_nodes) {
        errno = EINVAL; // as a mask without nodes it would mean any
        return false;
    }
    const node_mask only{node};
    return syscall(SYS_mbind, start, bytes, preferred, only.words(), node_mask::max_nodes + 1, 0u) == 0;
}

/// The nodes of pages, in `nodes`: a number, or a negative errno (−ENOENT: no memory is there). False: no such call.
[[nodiscard]] inline bool nodes_of(void** pages, std::size_t count, int* nodes) noexcept {
    return syscall(SYS_move_pages, 0, count, pages, nullptr, nodes, 0) == 0;
}

/// Moves pages, with what is in them, to the nodes that `nodes` says. False: no such call, or not one page could be looked
/// at; true doesn't say that they are there: ask for their nodes.
inline bool move_pages(void** pages, std::size_t count, const int* nodes, int* answers) noexcept {
    constexpr int only_ours = 1 << 1; // MPOL_MF_MOVE
    return syscall(SYS_move_pages, 0, count, pages, nodes, answers, only_ours) >= 0;
}

/// Brings all pages of the range, which can be written to, in as writes would. False where there is no memory for all of them: those that came stay.
/// Linux 5.14 has a call for it; before, each is touched, and where memory is short the kernel ends somebody.
[[nodiscard]] inline bool populate(void* start, std::size_t bytes, std::size_t page_size) noexcept {
    constexpr int populate_write = 23; // MADV_POPULATE_WRITE, which older C libraries don't know
    int done = -1;
    do {
        done = madvise(start, bytes, populate_write);
    } while (done != 0 && errno == EINTR);
    if (done == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    for (std::size_t at = 0; at < bytes; at += page_size) {
        // A write that changes nothing: the page may be there already.
        auto* const byte = static_cast<volatile unsigned char*>(start) + at;
        *byte = *byte;
    }
    return true;
}

} // namespace numa_calls

} // namespace pagefold
