// SPDX-License-Identifier: MIT
#pragma once

#include "support/test_source.hpp"

#include <array>
#include <cstddef>
#include <map>
#include <mutex>

namespace pagefold::testing {

/// A machine with nodes 0 to Nodes − 1 in a row, as a page source: each has so many pages, the next nearer ones serve where one
/// has none left, unless the wish is strict. It knows of each page where it is and what was wished for.
template <std::size_t Nodes>
class node_test_source {
public:
    explicit node_test_source(std::size_t pages_a_node) noexcept { free_.fill(pages_a_node); }

    // What a place policy asks of a topology.
    [[nodiscard]] std::size_t count() const noexcept { return Nodes; }
    [[nodiscard]] node_id node(std::size_t i) const noexcept { return static_cast<node_id>(i); }
    [[nodiscard]] unsigned distance(std::size_t from, std::size_t to) const noexcept {
        return 10 + 10 * static_cast<unsigned>(from < to ? to - from : from - to);
    }

    [[nodiscard]] std::size_t page_size() const noexcept { return memory_.page_size(); }
    [[nodiscard]] status node_status(node_id node) const noexcept {
        const std::lock_guard guard{mutex_};
        const auto number = static_cast<std::size_t>(node);
        return node == any_node || (number < Nodes && !gone_[number]) ? status::ok : status::invalid;
    }
    result<void*> acquire(std::size_t pages, node_id wish) noexcept {
        if (node_status(node_of(wish)) != status::ok) {
            return status::invalid;
        }
        const std::lock_guard guard{mutex_};
        ++tries_;
        const std::size_t first = wish == any_node ? 0 : static_cast<std::size_t>(node_of(wish));
        for (std::size_t away = 0; away < Nodes; ++away) {
            for (const std::size_t at : {first - away, first + away}) {
                if (at >= Nodes || free_[at] < pages || (away != 0 && is_strict(wish))) {
                    continue;
                }
                const result<void*> found = memory_.acquire(pages);
                if (found) {
                    free_[at] -= pages;
                    fallbacks_ += away != 0 && wish != any_node ? pages : 0;
                    runs_.emplace(*found, run{pages, at, wish});
                }
                return found;
            }
        }
        return pages == 0 ? status::invalid : status::no_memory;
    }
    void release(void* p, std::size_t pages) noexcept {
        const std::lock_guard guard{mutex_};
        if (const auto found = runs_.find(p); found != runs_.end()) {
            free_[found->second.at] += found->second.pages;
            runs_.erase(found);
        }
        memory_.release(p, pages); // it notes what is wrong
    }

    void take_away(node_id node) noexcept {
        const std::lock_guard guard{mutex_};
        gone_[static_cast<std::size_t>(node)] = true;
    }
    void give(node_id node, std::size_t pages) noexcept {
        const std::lock_guard guard{mutex_};
        free_[static_cast<std::size_t>(node)] += pages;
    }

    /// Pages that were acquired with just this wish, are still out, and lie on the node.
    [[nodiscard]] std::size_t pages_for(node_id wish, std::size_t node) const noexcept {
        const std::lock_guard guard{mutex_};
        std::size_t pages = 0;
        for (const auto& [p, r] : runs_) {
            pages += r.wish == wish && r.at == node ? r.pages : 0;
        }
        return pages;
    }
    /// The node of a page, or Nodes.
    [[nodiscard]] std::size_t node_at(const void* p) const noexcept {
        const std::lock_guard guard{mutex_};
        auto above = runs_.upper_bound(const_cast<void*>(p));
        return above == runs_.begin() ? Nodes : std::prev(above)->second.at;
    }
    [[nodiscard]] std::size_t free_pages(std::size_t node) const noexcept {
        const std::lock_guard guard{mutex_};
        return free_[node];
    }
    /// Acquisitions, refused ones too.
    [[nodiscard]] std::size_t tries() const noexcept {
        const std::lock_guard guard{mutex_};
        return tries_;
    }
    [[nodiscard]] std::size_t fallbacks() const noexcept {
        const std::lock_guard guard{mutex_};
        return fallbacks_;
    }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return memory_.bytes_held(); }
    void refuse_nth(std::uint64_t n) noexcept { memory_.refuse_nth(n); }

private:
    struct run {
        std::size_t pages;
        std::size_t at;
        node_id wish;
    };
    mutable std::mutex mutex_;
    test_source memory_;
    std::array<std::size_t, Nodes> free_{};
    std::array<bool, Nodes> gone_{};
    std::map<void*, run> runs_;
    std::size_t fallbacks_ = 0;
    std::size_t tries_ = 0;
};

} // namespace pagefold::testing
