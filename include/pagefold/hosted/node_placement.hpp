// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/hosted/numa_calls.hpp>

#include <cstddef>

// Where an mmap_source's memory comes from: its second parameter.
//
//   P::places                      | bool | whether the source brings memory in before it hands it out, or leaves that to the
//                                  |      | first touch; the rest is asked of those that do
//   p.adopt(start, bytes)          | –    | the range, once, before anything is in it
//   p.bring_in(start, bytes, page) | bool | brings in pages of the range that are not there. False: not all of them could be
//                                  |      | had where they must be; what came, the source gives back
//
// A node can be kept to with the kernel's preference alone. MPOL_BIND would do it without another look, but where the node has
// no memory left, its first touch ends a process (the out-of-memory killer, with the policy as its constraint); a preference
// takes another node's, and says nothing. So the pages are brought in at once, under the preference, and asked where they
// are: those of another node are given back, and the source says no_memory. To ask takes 63 us for a chunk
// of 2 MiB that is one huge page (to bring that in, 40), and 78 for one of small pages (490). It is skipped on a machine with
// one node.

namespace pagefold::inline PAGEFOLD_ABI {

/// Memory comes at the first touch, as the process's policy wants it.
struct any_placement {
    static constexpr bool places = false;
};

/// What happens where a node has no memory left.
enum class node_exhausted : std::uint8_t {
    refuse,  ///< the source answers no_memory
    nearest, ///< another node's memory is taken, the nearest one that has some, and counted
};

/// Memory of one node.
class node_placement {
public:
    static constexpr bool places = true;

    /// `is_alone`: the machine has no other node, and nothing is asked.
    constexpr node_placement(node_id node, node_exhausted then, bool is_alone) noexcept
        : node_{node}, then_{then}, is_alone_{is_alone} {}

    void adopt(void* start, std::size_t bytes) noexcept {
        is_bound_ = is_alone_ || numa_calls::prefer_node(start, bytes, node_);
    }
    [[nodiscard]] bool bring_in(void* start, std::size_t bytes, std::size_t page_size) noexcept {
        if (!is_bound_) {
            return false;
        }
        if (is_alone_) {
            return true; // the first touch brings in what there is
        }
        if (!numa_calls::populate(start, bytes, page_size)) {
            return false;
        }
        const std::size_t elsewhere = pages_elsewhere(start, bytes, page_size);
        if (elsewhere != 0 && then_ == node_exhausted::refuse) {
            return false;
        }
        fallbacks_ += elsewhere;
        return true;
    }

    [[nodiscard]] node_id node() const noexcept { return node_; }
    /// Whether the kernel took the node. False: it has no such node, or the process may not use it.
    [[nodiscard]] bool is_bound() const noexcept { return is_bound_; }
    /// Pages that came from other nodes, in all.
    [[nodiscard]] std::size_t fallbacks() const noexcept { return fallbacks_; }

    /// Pages of the range that are in memory, and on another node. All of them where the kernel doesn't say.
    [[nodiscard]] std::size_t pages_elsewhere(void* start, std::size_t bytes, std::size_t page_size) const noexcept {
        constexpr std::size_t batch = 256;
        void* pages[batch];
        int nodes[batch];
        std::size_t elsewhere = 0;
        for (std::size_t at = 0; at < bytes;) {
            std::size_t count = 0;
            for (; count < batch && at < bytes; ++count, at += page_size) {
                pages[count] = static_cast<std::byte*>(start) + at;
            }
            if (!numa_calls::nodes_of(pages, count, nodes)) {
                elsewhere += count;
                continue;
            }
            for (std::size_t i = 0; i < count; ++i) {
                elsewhere += nodes[i] >= 0 && nodes[i] != static_cast<int>(node_) ? 1u : 0u;
            }
        }
        return elsewhere;
    }

    /// Moves pages of the range that are on another node to this one; says how many couldn't be.
    std::size_t bring_home(void* start, std::size_t bytes, std::size_t page_size) const noexcept {
        constexpr std::size_t batch = 256;
        void* pages[batch];
        int nodes[batch];
        int answers[batch];
        for (std::size_t at = 0; at < bytes;) {
            std::size_t count = 0;
            for (; count < batch && at < bytes; ++count, at += page_size) {
                pages[count] = static_cast<std::byte*>(start) + at;
                nodes[count] = static_cast<int>(node_); // a page that is there is left alone
            }
            static_cast<void>(numa_calls::move_pages(pages, count, nodes, answers));
        }
        return pages_elsewhere(start, bytes, page_size);
    }

private:
    node_id node_;
    node_exhausted then_;
    bool is_alone_;
    bool is_bound_ = false;
    std::size_t fallbacks_ = 0;
};

} // namespace pagefold
