// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Tells sequential faults from random ones: keeps the next expected page of a few streams, and doubles the window of a
/// stream each time it is met. A fault that continues no stream begins one in the place of the oldest, and gets one page.
class read_ahead {
public:
    static constexpr unsigned streams = 4;

    /// `most`: pages that a fault may bring, itself included; 1 turns it off.
    explicit read_ahead(unsigned most = 1) noexcept : most_{most < 1 ? 1 : most} {}

    /// How many pages from `page` on to bring. Tell `brought` how many it became.
    [[nodiscard]] unsigned window(std::uint64_t page) noexcept {
        for (unsigned i = 0; i < streams; ++i) {
            if (streams_[i].window != 0 && streams_[i].next == page) {
                current_ = i;
                streams_[i].window = (std::min)(streams_[i].window * 2, most_);
                return streams_[i].window;
            }
        }
        current_ = oldest_;
        oldest_ = (oldest_ + 1) % streams;
        streams_[current_].window = 1;
        return 1;
    }
    void brought(std::uint64_t page, unsigned count) noexcept { streams_[current_].next = page + count; }

private:
    struct stream {
        std::uint64_t next = 0;
        unsigned window = 0;
    };
    stream streams_[streams];
    unsigned most_;
    unsigned current_ = 0;
    unsigned oldest_ = 0;
};

} // namespace pagefold
