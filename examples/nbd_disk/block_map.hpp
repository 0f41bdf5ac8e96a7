// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace nbd_disk {

/// A set of block numbers, a bit each, whose memory the system gives where it is first written.
///
/// Safe from many threads. Whoever changes a block's bit holds that block's lock; blocks of several locks share a word, so
/// only the words' updates are atomic. They order nothing (relaxed): what a bit says of a block is ordered by the block's lock.
class block_map {
public:
    /// False: this machine has no address space for it.
    [[nodiscard]] bool open(std::uint64_t blocks) noexcept {
        words_.reset(static_cast<std::uint64_t*>(std::calloc(blocks / 64 + 1, sizeof(std::uint64_t))));
        return words_ != nullptr;
    }

    [[nodiscard]] bool has(std::uint64_t block) const noexcept {
        return (word(block / 64).load(std::memory_order_relaxed) & bit_of(block)) != 0;
    }
    void add(std::uint64_t block) noexcept {
        if (!has(block)) {
            word(block / 64).fetch_or(bit_of(block), std::memory_order_relaxed);
        }
    }
    void remove(std::uint64_t block) noexcept { word(block / 64).fetch_and(~bit_of(block), std::memory_order_relaxed); }

    /// The first block of `from` to `end` − 1 that is in the set, or that is not, as `wanted` says; `end` if there is none.
    /// Cost: a load for 64 blocks, so 16 Ki for the 4 GiB that a request of the protocol can cover.
    [[nodiscard]] std::uint64_t find(std::uint64_t from, std::uint64_t end, bool wanted) const noexcept {
        while (from < end) {
            const std::uint64_t all = word(from / 64).load(std::memory_order_relaxed);
            const std::uint64_t left = (wanted ? all : ~all) & ~std::uint64_t{0} << from % 64;
            if (left != 0) {
                return std::min(end, from / 64 * 64 + static_cast<unsigned>(std::countr_zero(left)));
            }
            from = (from / 64 + 1) * 64;
        }
        return end;
    }

private:
    [[nodiscard]] std::atomic_ref<std::uint64_t> word(std::uint64_t at) const noexcept {
        return std::atomic_ref<std::uint64_t>{words_.get()[at]};
    }
    [[nodiscard]] static std::uint64_t bit_of(std::uint64_t block) noexcept { return std::uint64_t{1} << block % 64; }

    struct with_free {
        void operator()(std::uint64_t* words) const noexcept { std::free(words); }
    };
    std::unique_ptr<std::uint64_t, with_free> words_;
};

} // namespace nbd_disk
