// SPDX-License-Identifier: MIT
#pragma once

#include "interruption.hpp"

#include "../support/heaps.hpp"
#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace pagefold::measure {

/// Objects of random sizes, in a heap of their own: what they ask for beside what the heap holds for it. Each begins and
/// ends with its number, which is looked at before it is freed, so that an allocator which mixes objects up is found.
template <class Heap>
class object_population {
public:
    using size_list = std::vector<std::uint16_t>;

    /// Room for `count` objects. All memory that this takes is taken before the heap is made.
    template <class MakeHeap>
    object_population(std::size_t count, std::uint64_t seed, MakeHeap make_heap)
        : random_{seed}, sizes_(count), handles_(count), order_{random_.permutation(count)}, heap_{make_heap()} {}

    /// Allocates an object for every number up to `last` − 1 that has none.
    void fill(std::size_t last, const size_list& sizes) {
        for (std::size_t i = 0; i < last; ++i) {
            if (sizes_[i] == 0) {
                allocate(i, sizes);
            }
        }
    }

    /// Frees random objects, of which there must be some, and allocates another in the place of each.
    void churn(std::size_t times, const size_list& sizes) {
        for (std::size_t i = 0; i < times;) {
            const std::size_t number = random_.below(sizes_.size());
            if (sizes_[number] != 0) {
                free(number);
                allocate(number, sizes);
                ++i;
            }
        }
    }

    /// Frees some of all objects, each object's turn coming in a random order: all that are in it from `first` to
    /// `last` − 1. They must not have been freed before.
    void free_some(std::size_t first, std::size_t last) {
        for (std::size_t i = first; i < last; ++i) {
            free(order_[i]);
        }
    }

    /// Lets the heap compact until that gains nothing more.
    void compact() {
        std::vector<typename Heap::handle> live;
        std::vector<std::uint32_t> numbers;
        if constexpr (Heap::compacts) {
            for (std::size_t i = 0; i < sizes_.size(); ++i) {
                if (sizes_[i] != 0) {
                    live.push_back(handles_[i]);
                    numbers.push_back(static_cast<std::uint32_t>(i));
                }
            }
        }
        while (heap_.compact(live)) {
            end_if_interrupted();
        }
        for (std::size_t i = 0; i < live.size(); ++i) {
            handles_[numbers[i]] = live[i];
        }
    }

    /// Throws where an object is not what was written, or a structure of the heap is damaged.
    void verify() {
        for (std::size_t i = 0; i < sizes_.size(); ++i) {
            expect_content(i);
        }
        heap_.expect_intact();
    }

    [[nodiscard]] std::size_t requested() const noexcept { return requested_; }
    [[nodiscard]] std::size_t held() const { return heap_.held(); }

private:
    static constexpr std::size_t mark_bytes = sizeof(std::uint32_t);

    void allocate(std::size_t number, const size_list& sizes) {
        const std::uint16_t size = sizes[random_.below(sizes.size())];
        sizes_[number] = size;
        handles_[number] = heap_.allocate(size);
        // All of it: what is not touched is not resident, and would not count where a process is asked for its growth.
        const auto mark = static_cast<std::uint32_t>(number);
        std::memcpy(content_, &mark, mark_bytes);
        std::memcpy(content_ + size - mark_bytes, &mark, mark_bytes);
        heap_.write(handles_[number], content_, size);
        requested_ += size;
        end_sometimes();
    }
    void free(std::size_t number) {
        expect_content(number);
        heap_.deallocate(handles_[number]);
        requested_ -= std::exchange(sizes_[number], std::uint16_t{0});
    }
    void expect_content(std::size_t number) {
        if (sizes_[number] == 0) {
            return;
        }
        const std::byte* const found = heap_.read(handles_[number], sizes_[number], content_);
        const auto mark = static_cast<std::uint32_t>(number);
        if (std::memcmp(found, &mark, mark_bytes) != 0 ||
            std::memcmp(found + sizes_[number] - mark_bytes, &mark, mark_bytes) != 0) {
            throw std::logic_error("an object is not what was written");
        }
    }
    void end_sometimes() {
        if (++allocations_ % 4096 == 0) {
            end_if_interrupted();
        }
    }

    support::random_stream random_;
    std::vector<std::uint16_t> sizes_; // 0: no object
    std::vector<typename Heap::handle> handles_;
    std::vector<std::uint32_t> order_;
    std::size_t requested_ = 0;
    std::size_t allocations_ = 0;
    std::byte content_[4096]{};
    Heap heap_;
};

} // namespace pagefold::measure
