// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/numa_source.hpp>
#include <pagefold/hosted/uffd_pager_options.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/page_source_ref.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>

namespace examples {

/// Where a store has its memory: on stated nodes, for a program that was told --numa, or wherever it comes from. On a machine
/// with one node the two are alike, and report() says so.
class memory_nodes {
public:
    explicit memory_nodes(bool wanted) {
        if (wanted) {
            nodes_.emplace();
        } else {
            anywhere_.emplace();
        }
    }

    [[nodiscard]] pagefold::page_source_ref source() noexcept {
        return nodes_ ? pagefold::page_source_ref{*nodes_} : pagefold::page_source_ref{*anywhere_};
    }
    [[nodiscard]] pagefold::by_node place() const noexcept {
        return nodes_ ? pagefold::by_node{nodes_->topology()} : pagefold::by_node{};
    }
    /// Partitions for a store: at least so many, and as many that prefer each node as keep to it.
    [[nodiscard]] std::size_t partitions(std::size_t least) const noexcept {
        const std::size_t row = nodes_ ? 2 * nodes_->topology().count() : 1;
        return (least + row - 1) / row * row;
    }
    /// A region's memory and its pool on the node of this thread's processor (or the nearest with memory), by turns from there:
    /// of numbers that follow one another each takes the next node that has processors.
    void settle(pagefold::uffd_pager_options& options, std::size_t number) const noexcept {
        if (!nodes_) {
            return;
        }
        const pagefold::numa_topology& all = nodes_->topology();
        const std::size_t here = all.place_of(all.current());
        std::size_t place = here;
        for (std::size_t left = number; left > 0; --left) {
            do {
                place = (place + 1) % all.count();
            } while (!all.has_processors(place) && place != here);
        }
        options.memory_node = all.node(place);
        options.pool.node = all.node(place);
        options.pool.strict_node = true;
    }
    /// What is on each node, a line for each.
    template <class Store>
    [[nodiscard]] std::string report(const Store& store) const {
        std::string lines;
        if (!nodes_) {
            return lines;
        }
        const pagefold::numa_topology& all = nodes_->topology();
        for (const pagefold::node_id node : all) {
            if (const auto there = store.stats(node)) {
                char line[160];
                std::snprintf(line, sizeof line,
                              "Node %u: %llu pages in %.1f MiB; %zu pages of them are on another node.\n",
                              static_cast<unsigned>(node), static_cast<unsigned long long>(there.value().stored_pages),
                              static_cast<double>(there.value().total_bytes) / 1048576.0,
                              nodes_->pages_elsewhere(pagefold::strictly(node)));
                lines += line;
            }
        }
        return lines + (all.count() == 1 ? "This machine has one memory node: --numa changes nothing.\n" : "");
    }

private:
    std::optional<pagefold::mmap_source<>> anywhere_;
    std::optional<pagefold::numa_source<>> nodes_;
};

} // namespace examples
