// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

/// A store's partitions, each in memory of its own node: those of one node lie side by side in one run of pages, and a table
/// of their addresses, in front of the first, leads to them. Made once; they don't move. Not thread-safe.
template <class T, class Source>
class partition_set {
public:
    /// Takes no memory. The source outlives the set.
    explicit partition_set(Source& source) noexcept : source_{source} {}
    ~partition_set() {
        for (std::size_t i = size_; i > 0; --i) {
            table_[i - 1].at->~T();
        }
        release_runs();
    }
    partition_set(const partition_set&) = delete;
    partition_set& operator=(const partition_set&) = delete;

    /// Makes `count`, number i by construct(place, i) in memory of node_of(i); once. Fails with what the source answered, and
    /// holds nothing then. Cost: the square of `count`, a comparison each.
    template <class NodeOf, class Construct>
    status create(std::size_t count, NodeOf node_of, Construct construct) noexcept {
        PAGEFOLD_ASSERT(size_ == 0 && count != 0);
        count_ = count;
        for (std::size_t first = 0; first < count; ++first) {
            const status s = first == 0 || table_[first].at == nullptr ? place(first, node_of) : status::ok;
            if (s != status::ok) {
                release_runs();
                return s;
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            construct(static_cast<void*>(table_[i].at), i);
        }
        size_ = count;
        return status::ok;
    }

    /// 0 before they are made.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T& operator[](std::size_t i) const noexcept {
        PAGEFOLD_ASSERT(i < size_);
        return *table_[i].at;
    }
    /// Taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept {
        std::size_t pages = 0;
        for (std::size_t i = 0; i < size_; ++i) {
            pages += table_[i].pages;
        }
        return pages * source_.page_size();
    }

private:
    struct entry {
        T* at = nullptr;
        void* run = nullptr; // of pages that begins with this partition, and ends with the last one of its node
        std::size_t pages = 0;
    };

    /// Memory for all partitions of the node of `first`, which is the lowest of them.
    template <class NodeOf>
    status place(std::size_t first, NodeOf node_of) noexcept {
        const node_id node = node_of(first);
        std::size_t number = 0;
        for (std::size_t i = first; i < count_; ++i) {
            number += node_of(i) == node ? 1u : 0u;
        }
        const std::size_t front = first == 0 ? round_up(count_ * sizeof(entry), alignof(T)) : 0;
        const std::size_t pages = ceil_div(front + number * sizeof(T), source_.page_size());
        const result<void*> memory = source_.acquire(pages, node);
        if (!memory) {
            return memory.error();
        }
        if (first == 0) {
            table_ = static_cast<entry*>(*memory);
            for (std::size_t i = 0; i < count_; ++i) {
                ::new (static_cast<void*>(table_ + i)) entry{};
            }
        }
        table_[first].run = *memory;
        table_[first].pages = pages;
        std::byte* at = static_cast<std::byte*>(*memory) + front;
        for (std::size_t i = first; i < count_; ++i) {
            if (node_of(i) == node) {
                table_[i].at = static_cast<T*>(static_cast<void*>(at));
                at += sizeof(T);
            }
        }
        return status::ok;
    }
    void release_runs() noexcept {
        for (std::size_t i = count_; table_ != nullptr && i > 0; --i) {
            const entry e = table_[i - 1]; // the last one has the table with it
            if (e.run != nullptr) {
                source_.release(e.run, e.pages);
            }
        }
        table_ = nullptr;
        size_ = 0;
    }

    Source& source_;
    entry* table_ = nullptr;
    std::size_t count_ = 0; // of the table
    std::size_t size_ = 0;  // of those that are made
};

} // namespace pagefold
