// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/hosted/numa_calls.hpp>
#include <pagefold/platform/host_locality.hpp>

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// The memory nodes of this machine that the process may use, as they were when it was asked: those that have memory, less
/// what a cpuset forbids. Processors or not: memory alone makes a node one of these (CXL, persistent memory). Without NUMA in
/// the kernel there is node 0.
///
/// Distances are the firmware's (ACPI's SLIT, from sysfs): 10 for a node itself; where nobody says, 20 for all others.
class numa_topology {
public:
    static constexpr std::size_t max_nodes = 64; ///< of those that are counted here; more are left out

    numa_topology() noexcept { refresh(); }

    /// Asks again: nodes come and go.
    void refresh() noexcept {
        node_mask allowed;
        is_numa_ = numa_calls::allowed_nodes(allowed);
        if (!is_numa_) {
            allowed = node_mask{node_id{0}};
        }
        const node_mask online = is_numa_ ? read_list("/sys/devices/system/node/online") : allowed;
        const node_mask computing = is_numa_ ? read_list("/sys/devices/system/node/has_cpu") : allowed;
        count_ = 0;
        processors_ = 0;
        for (unsigned node = 0; node < node_mask::max_nodes && count_ < max_nodes; ++node) {
            if (allowed.contains(node)) {
                processors_ |= std::uint64_t{computing.contains(node)} << count_;
                nodes_[count_++] = static_cast<node_id>(node);
            }
        }
        for (unsigned node = 0; node < node_mask::max_nodes; ++node) {
            const std::size_t own = place_of(static_cast<node_id>(node));
            if (own != count_) {
                read_distances(node, own, online, distances_[own]);
                nearest_[node] = static_cast<std::uint8_t>(own);
            } else if (online.contains(node)) {
                std::uint8_t row[max_nodes];
                read_distances(node, own, online, row);
                nearest_[node] = nearest_of(row);
            } else {
                nearest_[node] = 0;
            }
        }
    }

    /// Whether the kernel knows nodes at all.
    [[nodiscard]] bool is_numa() const noexcept { return is_numa_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// By ascending number; `i` below count().
    [[nodiscard]] node_id node(std::size_t i) const noexcept { return nodes_[i]; }
    [[nodiscard]] const node_id* begin() const noexcept { return nodes_; }
    [[nodiscard]] const node_id* end() const noexcept { return nodes_ + count_; }
    /// The place of a node among them, or count().
    [[nodiscard]] std::size_t place_of(node_id node) const noexcept {
        std::size_t i = 0;
        while (i < count_ && nodes_[i] != node) {
            ++i;
        }
        return i;
    }
    [[nodiscard]] bool contains(node_id node) const noexcept { return place_of(node) != count_; }
    /// Whether the node at a place has processors.
    [[nodiscard]] bool has_processors(std::size_t place) const noexcept { return (processors_ >> place & 1) != 0; }
    /// From one place to another.
    [[nodiscard]] unsigned distance(std::size_t from, std::size_t to) const noexcept { return distances_[from][to]; }

    /// The node to have memory of for who works where this thread runs now: one of these, the nearest. Some ten nanoseconds.
    [[nodiscard]] node_id current() const noexcept { return nearest_with_memory(current_processor_node()); }
    /// Of these the nearest to any node, itself if it is one of them: of those as near the lowest, and the first one where
    /// nobody knows the node.
    [[nodiscard]] node_id nearest_with_memory(node_id node) const noexcept {
        const auto number = static_cast<unsigned>(node);
        return nodes_[number < node_mask::max_nodes ? nearest_[number] : 0];
    }
    /// The node of the processor that this thread runs on, which may be another by now, and may have no memory, or none for
    /// this process. Node 0 where nobody says.
    [[nodiscard]] static node_id current_processor_node() noexcept {
        const node_id node = host_locality::current();
        return node != any_node ? node : node_id{0};
    }

    /// Whether the process may have memory of the node now. One system call; the rest of a topology is read from files.
    [[nodiscard]] static bool may_use(node_id node) noexcept {
        node_mask allowed;
        return numa_calls::allowed_nodes(allowed) ? allowed.contains(static_cast<unsigned>(node)) : node == node_id{0};
    }

private:
    /// A file of sysfs, as far as it fits; ends with a zero.
    template <std::size_t Size>
    static std::size_t read_file(const char* path, char (&text)[Size]) noexcept {
        const int file = ::open(path, O_RDONLY | O_CLOEXEC);
        std::size_t length = 0;
        if (file >= 0) {
            while (length < Size - 1) {
                const ssize_t got = ::read(file, text + length, Size - 1 - length);
                if (got <= 0) {
                    break;
                }
                length += static_cast<std::size_t>(got);
            }
            ::close(file);
        }
        text[length] = '\0';
        return length;
    }
    static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    static unsigned read_number(const char*& at) noexcept {
        unsigned number = 0;
        for (; is_digit(*at); ++at) {
            number = number < 100'000 ? number * 10 + static_cast<unsigned>(*at - '0') : number;
        }
        return number;
    }
    /// A list as sysfs writes it: "0-2,5".
    static node_mask read_list(const char* path) noexcept {
        char text[4096];
        read_file(path, text);
        node_mask nodes;
        for (const char* at = text; is_digit(*at);) {
            const unsigned first = read_number(at);
            unsigned last = first;
            if (*at == '-') {
                last = read_number(++at);
            }
            for (unsigned node = first; node <= last && node < node_mask::max_nodes; ++node) {
                nodes.insert(node);
            }
            at += *at == ',' ? 1u : 0u;
        }
        return nodes;
    }
    [[nodiscard]] std::uint8_t nearest_of(const std::uint8_t (&row)[max_nodes]) const noexcept {
        std::uint8_t nearest = 0;
        for (std::uint8_t to = 1; to < count_; ++to) {
            nearest = row[to] < row[nearest] ? to : nearest;
        }
        return nearest;
    }
    /// The distances from a node to all places; `own` is its own, if it has memory. sysfs has a number for each that is online.
    void read_distances(unsigned from, std::size_t own, const node_mask& online,
                        std::uint8_t (&row)[max_nodes]) const noexcept {
        for (std::size_t to = 0; to < count_; ++to) {
            row[to] = to == own ? 10 : 20;
        }
        char path[] = "/sys/devices/system/node/node0000/distance";
        constexpr std::size_t number_at = sizeof "/sys/devices/system/node/node" - 1;
        char digits[8];
        std::size_t count = 0;
        for (unsigned rest = from; count == 0 || rest != 0; rest /= 10) {
            digits[count++] = static_cast<char>('0' + rest % 10);
        }
        for (std::size_t i = 0; i < count; ++i) {
            path[number_at + i] = digits[count - 1 - i];
        }
        constexpr char rest[] = "/distance";
        for (std::size_t i = 0; i < sizeof rest; ++i) {
            path[number_at + count + i] = rest[i];
        }
        char text[4096];
        read_file(path, text);
        const char* at = text;
        for (unsigned node = 0; node < node_mask::max_nodes && is_digit(*at); ++node) {
            if (!online.contains(node)) {
                continue;
            }
            const unsigned distance = read_number(at);
            at += *at == ' ' ? 1u : 0u;
            const std::size_t to = place_of(static_cast<node_id>(node));
            if (to != count_ && distance != 0) {
                row[to] = static_cast<std::uint8_t>(distance < 255 ? distance : 255);
            }
        }
    }

    node_id nodes_[max_nodes] = {};
    std::size_t count_ = 0;
    std::uint64_t processors_ = 0; // bit i: the node at place i has some
    bool is_numa_ = false;
    std::uint8_t nearest_[node_mask::max_nodes] = {}; // for each node of the machine a place
    std::uint8_t distances_[max_nodes][max_nodes] = {};
};

} // namespace pagefold
