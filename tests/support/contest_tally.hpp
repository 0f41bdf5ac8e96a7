// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace pagefold::testing {

/// How often each call of a store had each answer.
class contest_tally {
public:
    enum call : unsigned { put, get, take, erase, erase_many, create_pool, destroy_pool, resize, set_node };

    void note(call c, status s) noexcept { ++counts_[c][static_cast<unsigned>(s)]; }
    [[nodiscard]] std::uint64_t of(call c, status s) const noexcept { return counts_[c][static_cast<unsigned>(s)]; }

    contest_tally& operator+=(const contest_tally& other) noexcept {
        for (unsigned c = 0; c < calls; ++c) {
            for (unsigned s = 0; s < answers; ++s) {
                counts_[c][s] += other.counts_[c][s];
            }
        }
        overlaps += other.overlaps;
        pages_erased_in_ranges += other.pages_erased_in_ranges;
        bytes_shrunk += other.bytes_shrunk;
        bytes_compacted += other.bytes_compacted;
        pages_migrated += other.pages_migrated;
        pages_evicted += other.pages_evicted;
        pages_demoted += other.pages_demoted;
        pages_promoted += other.pages_promoted;
        source_refusals += other.source_refusals;
        return *this;
    }

    /// On pages: what a contest was told to do.
    [[nodiscard]] std::uint64_t operations() const noexcept {
        std::uint64_t sum = 0;
        for (unsigned c = put; c <= erase_many; ++c) {
            for (const std::uint64_t count : counts_[c]) {
                sum += count;
            }
        }
        return sum;
    }

    [[nodiscard]] std::string text() const {
        static constexpr const char* names[calls] = {"put",         "get",          "take",   "erase",   "erase_many",
                                                     "create_pool", "destroy_pool", "resize", "set_node"};
        std::string all = std::to_string(operations()) + " operations, " + std::to_string(overlaps) +
                          " of them while another was at the same page";
        for (unsigned c = 0; c < calls; ++c) {
            all += std::string{"\n  "} + names[c] + ":";
            for (unsigned s = 0; s < answers; ++s) {
                if (counts_[c][s] != 0) {
                    all += std::string{" "} + to_string(static_cast<status>(s)) + " " + std::to_string(counts_[c][s]);
                }
            }
        }
        return all + "\n  pages erased in ranges " + std::to_string(pages_erased_in_ranges) + ", evicted " +
               std::to_string(pages_evicted) + "; bytes shrunk " + std::to_string(bytes_shrunk) + ", compacted " +
               std::to_string(bytes_compacted) + "; pages migrated " + std::to_string(pages_migrated) + ", demoted " +
               std::to_string(pages_demoted) + ", brought back " + std::to_string(pages_promoted) +
               "; refusals of the source " + std::to_string(source_refusals);
    }

    std::uint64_t overlaps = 0;
    std::uint64_t pages_erased_in_ranges = 0, pages_evicted = 0;
    std::uint64_t bytes_shrunk = 0, bytes_compacted = 0, pages_migrated = 0;
    std::uint64_t pages_demoted = 0, pages_promoted = 0;
    std::uint64_t source_refusals = 0;

private:
    static constexpr unsigned calls = 9, answers = 9;

    std::array<std::array<std::uint64_t, answers>, calls> counts_{};
};

} // namespace pagefold::testing
