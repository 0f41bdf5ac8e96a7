// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/located_key.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Where a page's stream was when somebody looked: for the processor alone, and never read through.
struct stream_hint {
    object_handle object{};
    const std::byte* place = nullptr;
    std::uint32_t size = 0; ///< 0: nobody knows

    /// Inlined, because gcc leaves out calls of a function that only prefetches.
    PAGEFOLD_ALWAYS_INLINE void prefetch() const noexcept {
        for (std::size_t line = 0; line < size; line += 64) {
            __builtin_prefetch(place + line);
        }
    }
};

/// Pages of a batch that are worked on together, by their number in it. What is only a hint is so in all of it: where a page was when
/// somebody looked.
struct batch_window {
    static constexpr unsigned max_pages = 32;   ///< some 4 KiB of stack
    static constexpr unsigned pages_a_hold = 8; ///< of those that are copied, or erased

    located_key keys[max_pages];
    slot_id slots[max_pages]; ///< set by the first who looks
    stream_hint streams[max_pages]{};
};

/// The pages of a window by the partition that they are at home in, in the order in which the partitions come first.
class batch_groups {
public:
    struct group {
        std::size_t home;
        std::uint64_t pages; ///< a bit each
    };

    void add(std::size_t home, unsigned page) noexcept {
        unsigned at = count_;
        while (at != 0 && groups_[at - 1].home != home) {
            --at;
        }
        if (at == 0) {
            groups_[count_++] = {home, std::uint64_t{1} << page};
        } else {
            groups_[at - 1].pages |= std::uint64_t{1} << page;
        }
    }
    [[nodiscard]] const group* begin() const noexcept { return groups_; }
    [[nodiscard]] const group* end() const noexcept { return groups_ + count_; }

private:
    group groups_[batch_window::max_pages];
    unsigned count_ = 0;
};
static_assert(batch_window::max_pages <= 64, "a bit each");

} // namespace pagefold
