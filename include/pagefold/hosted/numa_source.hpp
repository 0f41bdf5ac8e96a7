// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/node_placement.hpp>
#include <pagefold/hosted/numa_topology.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/null_lock.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <sys/mman.h>

// The page source of a hosted program on a machine with memory nodes: for each node an mmap_source that keeps to it and one that
// prefers it, and one for whoever doesn't care. Each has a range of addresses of its own, bound to its node before anything is
// in it, so a page's address says whose it is, and a release needs no table.
//
// Memory of a node is brought in before it is handed out, and is seen to be there (node_placement.hpp). Where the node has no
// more, a strict wish is refused, and any other is met by the nearest node that has some, as the kernel does it, and counted.
// Two sources a node, because a page that came from elsewhere must not be handed to somebody who forbids it.
//
// What the kernel does with memory afterwards, it does by its own rules: it may swap a page out and bring it back elsewhere
// (lock the memory, or have no swap), move pages when the process's cpuset changes or a node is taken away, or when somebody
// asks for it (move_pages, migratepages). pages_elsewhere() asks where they all are.
//
// Costs: nothing where the machine has one node. Else some 65 us for each 2 MiB that come in, besides bringing them in,
// and two ranges and books for each node (addresses; memory only where they are used).

namespace pagefold::inline PAGEFOLD_ABI {

/// Memory of stated nodes, Linux. Safe from many threads. `acquire(pages, node)` answers memory of that node, of the nearest
/// to it where it has none left and is not asked for strictly, whatever the process's policy gives with any_node, and `invalid`
/// for a node that there isn't or that the process may not use.
///
/// The constructor can't fail: what can't be had answers no_memory. Costs and everything else are mmap_source's.
template <lockable Lock = std_mutex>
class numa_source {
    using node_source = mmap_source<Lock, node_placement>;

public:
    /// The options are each source's. capacity_bytes is each one's; automatic: what an mmap_source would have (64 GiB, or less
    /// where the process may not have so many addresses), divided among all.
    explicit numa_source(const mmap_options& options = {}) noexcept
        : anywhere_{share_of(options, 1 + 2 * topology_.count())} {
        const std::size_t count = 2 * topology_.count();
        void* const memory =
            mmap(nullptr, count * sizeof(node_source), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return;
        }
        nodes_ = static_cast<node_source*>(memory);
        mmap_options each = options;
        if (options.capacity_bytes == mmap_options::automatic) {
            each.capacity_bytes = anywhere_.capacity_bytes(); // asked again, the process would have fewer addresses
        }
        for (; count_ < count; ++count_) {
            const node_placement placement{topology_.node(count_ / 2),
                                           count_ % 2 == 0 ? node_exhausted::nearest : node_exhausted::refuse,
                                           topology_.count() == 1};
            ::new (static_cast<void*>(nodes_ + count_)) node_source{each, placement};
        }
    }
    ~numa_source() {
        for (std::size_t i = 0; i < count_; ++i) {
            nodes_[i].~node_source();
        }
        if (nodes_ != nullptr) {
            munmap(nodes_, count_ * sizeof(node_source));
        }
    }
    numa_source(const numa_source&) = delete;
    numa_source& operator=(const numa_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return anywhere_.page_size(); }

    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (node == any_node) {
            return anywhere_.acquire(pages, node);
        }
        node_source* const source = source_of(node);
        return source != nullptr ? source->acquire(pages, node) : result<void*>{status::invalid};
    }
    void release(void* p, std::size_t pages) noexcept {
        if (anywhere_.owns(p)) {
            anywhere_.release(p, pages);
            return;
        }
        for (std::size_t i = 0; i < count_; ++i) {
            if (nodes_[i].owns(p)) {
                nodes_[i].release(p, pages);
                return;
            }
        }
        PAGEFOLD_CHECK(p == nullptr); // nobody's
    }
    std::size_t trim() noexcept {
        std::size_t bytes = anywhere_.trim();
        for (std::size_t i = 0; i < count_; ++i) {
            bytes += nodes_[i].trim();
        }
        return bytes;
    }

    /// The nodes, as they were when the source was made.
    [[nodiscard]] const numa_topology& topology() const noexcept { return topology_; }

    /// ok: memory of the node can be asked for, now. invalid: the machine has no such node, or had none when the source was
    /// made, or the process may not use it, or it is offline.
    [[nodiscard]] status node_status(node_id node) const noexcept {
        if (node == any_node) {
            return status::ok;
        }
        const node_source* const source = source_of(strictly(node));
        if (source == nullptr) {
            return status::invalid;
        }
        bool is_bound = false;
        source->look_at_placement([&](const node_placement& p) noexcept { is_bound = p.is_bound(); });
        return is_bound && numa_topology::may_use(node) ? status::ok : status::invalid;
    }

    /// Bytes acquired with a wish for the node, strictly or not as it says, and not released; any_node: with no wish.
    [[nodiscard]] std::size_t acquired_bytes(node_id node) const noexcept {
        if (node == any_node) {
            return anywhere_.acquired_bytes();
        }
        const node_source* const source = source_of(node);
        return source != nullptr ? source->acquired_bytes() : 0;
    }
    /// Pages that were asked of a node, not strictly, and came from another, in all.
    [[nodiscard]] std::size_t fallbacks(node_id node) const noexcept {
        std::size_t pages = 0;
        if (const node_source* const source = source_of(node_of(node)); source != nullptr) {
            source->look_at_placement([&](const node_placement& p) noexcept { pages = p.fallbacks(); });
        }
        return pages;
    }
    /// Pages acquired with a wish for the node, strictly or not as it says, that are in memory and on another. Asks the kernel
    /// for each page: some 150 ns.
    [[nodiscard]] std::size_t pages_elsewhere(node_id wish) const noexcept {
        std::size_t pages = 0;
        const node_source* const source = source_of(wish);
        if (source != nullptr && topology_.is_numa()) {
            const node_placement asking{node_of(wish), node_exhausted::refuse, false};
            source->for_each_acquired([&](void* start, std::size_t bytes) noexcept {
                pages += asking.pages_elsewhere(start, bytes, page_size());
            });
        }
        return pages;
    }

    /// For when a node was away (offline, or forbidden by a cpuset) and is back: what the kernel moved elsewhere meanwhile is
    /// moved back, with what is in it, and what nobody has acquired is given up. Of a wish for the node, strictly or not as it
    /// says; answers how many pages still are elsewhere. Who uses such a page waits for its copy. Costs a microsecond or two
    /// for each.
    std::size_t bring_home(node_id wish) noexcept {
        std::size_t pages = 0;
        node_source* const source = source_of(wish);
        if (source != nullptr && topology_.is_numa()) {
            static_cast<void>(source->trim());
            const node_placement moving{node_of(wish), node_exhausted::refuse, false};
            source->for_each_acquired([&](void* start, std::size_t bytes) noexcept {
                pages += moving.bring_home(start, bytes, page_size());
            });
        }
        return pages;
    }

    // Standstill, as of an mmap_source.

    status quiesce() noexcept {
        static_cast<void>(anywhere_.quiesce());
        for (std::size_t i = 0; i < count_; ++i) {
            static_cast<void>(nodes_[i].quiesce());
        }
        return status::ok;
    }
    void resume() noexcept {
        anywhere_.resume();
        for (std::size_t i = 0; i < count_; ++i) {
            nodes_[i].resume();
        }
    }
    void resume_alone() noexcept {
        anywhere_.resume_alone();
        for (std::size_t i = 0; i < count_; ++i) {
            nodes_[i].resume_alone();
        }
    }

    /// Walks everything; false when it is damaged.
    [[nodiscard]] bool check() const noexcept {
        bool good = anywhere_.check();
        for (std::size_t i = 0; i < count_; ++i) {
            good = good && nodes_[i].check();
        }
        return good;
    }

private:
    /// The range of one of `parts` sources, where the host leaves it to us.
    [[nodiscard]] static mmap_options share_of(mmap_options options, std::size_t parts) noexcept {
        if (options.capacity_bytes == mmap_options::automatic) {
            const mmap_source<null_lock> alone{options};
            options.capacity_bytes = alone.capacity_bytes() / parts;
        }
        return options;
    }
    [[nodiscard]] node_source* source_of(node_id wish) const noexcept {
        const std::size_t number = 2 * topology_.place_of(node_of(wish)) + (is_strict(wish) ? 1 : 0);
        return number < count_ ? nodes_ + number : nullptr;
    }

    numa_topology topology_{};
    mmap_source<Lock> anywhere_;
    node_source* nodes_ = nullptr; // for each node one that prefers it, one that keeps to it
    std::size_t count_ = 0;        // of nodes_
};

} // namespace pagefold
