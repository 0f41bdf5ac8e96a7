// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/core/little_endian.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <cstdint>

// Which pages of a region were touched, in the order of their first touch: recorded while a guest runs after it was
// restored, replayed in batches at the next restore of the same image, before the guest asks for them one by one.
// (Ustiugov and others: "Benchmarking, analysis, and optimization of serverless function snapshots", ASPLOS 2021,
// measure that the same pages are touched from start to start, and that reading them at once saves most of the faults.)
//
// Kept are runs: pages that were touched one behind the other, by address as by time, take one entry of eight bytes. A
// page is noted once, by a bit. Where the entries are used up the record is full: what was noted stays, later pages are
// counted and not noted. It is the first touches that are worth the most.
//
// The host notes pages, in its fault handler or after prefetch; the recorder touches none. In a replay it says which
// pages are next, and the host brings as many as it likes: region_pager::prefetch, which stops at its limit.
//
// The saved form has fixed widths, the low byte first, and a checksum. What is read is believed only where all of it
// holds: another region's size, pages beyond the end, a page twice or a flipped bit are corrupt, and leave an empty
// record.

namespace pagefold::inline PAGEFOLD_ABI {

/// Pages side by side.
struct page_run {
    slot_id first = 0;
    std::uint32_t count = 0;

    friend constexpr bool operator==(const page_run&, const page_run&) noexcept = default;
};

/// Not thread-safe; note and next are O(1).
class working_set_recorder {
public:
    static constexpr std::size_t header_bytes = 32; ///< of the saved form

    /// For a region of `pages` and up to `runs` runs: a bit a page and eight bytes a run.
    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t pages, std::size_t runs) noexcept {
        return (pages / 64 + 1) * sizeof(std::uint64_t) + runs * sizeof(page_run);
    }
    /// An empty record. `memory` is the host's, aligned for 64-bit words, and outlives it or the next open. invalid: it
    /// has less than bytes_for(pages, runs), or there are 2^32 − 1 pages or more; then nothing can be noted.
    status open(byte_span memory, std::size_t pages, std::size_t runs) noexcept {
        *this = working_set_recorder{};
        if (pages >= no_slot || runs > memory.size() / sizeof(page_run) || memory.size() < bytes_for(pages, runs) ||
            reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(std::uint64_t) != 0) {
            return status::invalid;
        }
        bits_ = static_cast<std::uint64_t*>(static_cast<void*>(memory.data()));
        runs_ = static_cast<page_run*>(static_cast<void*>(bits_ + pages / 64 + 1));
        pages_ = pages;
        most_runs_ = runs;
        clear();
        return status::ok;
    }
    /// Notes nothing any more of what it had.
    void clear() noexcept {
        if (bits_ != nullptr) {
            fill_bytes(bits_, 0, (pages_ / 64 + 1) * sizeof(std::uint64_t));
        }
        used_runs_ = 0;
        noted_ = 0;
        missed_ = 0;
        rewind();
    }

    /// The page was touched. True where that is noted now: it is the first time, there is room, and the region has the
    /// page.
    bool note(slot_id page) noexcept {
        if (page >= pages_ || has(page)) {
            return false;
        }
        page_run* const last = used_runs_ != 0 ? runs_ + (used_runs_ - 1) : nullptr;
        if (last != nullptr && page == last->first + last->count) {
            ++last->count;
        } else if (used_runs_ == most_runs_) {
            ++missed_;
            return false;
        } else {
            runs_[used_runs_++] = {page, 1};
        }
        bits_[page / 64] |= std::uint64_t{1} << page % 64;
        ++noted_;
        return true;
    }
    [[nodiscard]] bool has(slot_id page) const noexcept {
        return page < pages_ && (bits_[page / 64] >> page % 64 & 1) != 0;
    }
    [[nodiscard]] std::size_t noted() const noexcept { return noted_; }
    [[nodiscard]] std::size_t runs() const noexcept { return used_runs_; }
    /// Touches that found no room; a page may be among them several times.
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }

    // Replaying: from the first touch to the last. What is noted meanwhile comes in its turn.

    void rewind() noexcept {
        at_run_ = 0;
        at_page_ = 0;
    }
    /// The next pages, at most `most` of them and of one run; count 0 where all have been.
    [[nodiscard]] page_run next(std::size_t most) noexcept {
        if (at_run_ < used_runs_ && at_page_ == runs_[at_run_].count) {
            if (at_run_ + 1 == used_runs_) { // which may grow
                return {};
            }
            ++at_run_;
            at_page_ = 0;
        }
        if (at_run_ >= used_runs_ || most == 0) {
            return {};
        }
        const std::uint32_t left = runs_[at_run_].count - at_page_;
        const page_run batch{runs_[at_run_].first + at_page_, most < left ? static_cast<std::uint32_t>(most) : left};
        at_page_ += batch.count;
        return batch;
    }
    /// Goes on until all have been, `prefetch` stops, or `most` pages were handed to it. `prefetch(first, count)`
    /// answers pages_done, as region_pager's does; one that is lost is passed by. How many pages came or were there;
    /// what stopped is left for the next call. Costs what prefetch does.
    template <class Prefetch>
    [[nodiscard]] std::size_t replay(std::size_t most, std::size_t batch, Prefetch&& prefetch) noexcept {
        std::size_t brought = 0;
        for (std::size_t handed = 0; handed < most;) {
            const page_run run = next(batch < most - handed ? batch : most - handed);
            if (run.count == 0) {
                break;
            }
            const auto done = prefetch(run.first, std::size_t{run.count});
            const std::size_t past = done.why == status::corrupt && done.done < run.count ? done.done + 1 : done.done;
            brought += done.done;
            handed += past;
            at_page_ -= run.count - static_cast<std::uint32_t>(past < run.count ? past : run.count);
            if ((done.why != status::ok && done.why != status::corrupt) || past == 0) {
                break;
            }
        }
        return brought;
    }

    // Saving.

    [[nodiscard]] std::size_t saved_bytes() const noexcept { return header_bytes + used_runs_ * run_bytes; }
    /// Writes the record; how many bytes. too_short: `out` has less than saved_bytes().
    result<std::size_t> save(byte_span out) const noexcept {
        const std::size_t bytes = saved_bytes();
        if (out.size() < bytes) {
            return status::too_short;
        }
        little_endian::store(out.data(), magic);
        little_endian::store(out.data() + 8, std::uint64_t{pages_});
        little_endian::store(out.data() + 16, std::uint64_t{used_runs_});
        for (std::size_t i = 0; i < used_runs_; ++i) {
            std::byte* const at = out.data() + header_bytes + i * run_bytes;
            little_endian::store(at, runs_[i].first);
            little_endian::store(at + 4, runs_[i].count);
        }
        little_endian::store(out.data() + 24, sum_of(out.first(bytes)));
        return bytes;
    }
    /// Takes a saved record in the place of what it has. corrupt: it is none, not whole, or not of a region of this
    /// size. limit: it has more runs than there is room for. After a refusal it is empty. Cost: that of noting each
    /// run.
    status load(byte_view in) noexcept {
        clear();
        if (in.size() < header_bytes || little_endian::load<std::uint64_t>(in.data()) != magic ||
            little_endian::load<std::uint64_t>(in.data() + 8) != pages_) {
            return status::corrupt;
        }
        const std::uint64_t count = little_endian::load<std::uint64_t>(in.data() + 16);
        if (count != (in.size() - header_bytes) / run_bytes || (in.size() - header_bytes) % run_bytes != 0 ||
            little_endian::load<std::uint64_t>(in.data() + 24) != sum_of(in)) {
            return status::corrupt;
        }
        if (count > most_runs_) {
            return status::limit;
        }
        for (std::size_t i = 0; i < count; ++i) {
            const std::byte* const at = in.data() + header_bytes + i * run_bytes;
            if (!take({little_endian::load<std::uint32_t>(at), little_endian::load<std::uint32_t>(at + 4)})) {
                clear();
                return status::corrupt;
            }
        }
        return status::ok;
    }

    /// Walks everything.
    [[nodiscard]] bool check() const noexcept {
        std::size_t in_runs = 0, in_bits = 0;
        for (std::size_t i = 0; i < used_runs_; ++i) {
            if (runs_[i].count == 0 || runs_[i].first >= pages_ || runs_[i].count > pages_ - runs_[i].first) {
                return false;
            }
            for (std::uint32_t j = 0; j < runs_[i].count; ++j) {
                if (!has(runs_[i].first + j)) {
                    return false;
                }
            }
            in_runs += runs_[i].count;
        }
        for (std::size_t word = 0; bits_ != nullptr && word <= pages_ / 64; ++word) {
            in_bits += count_ones(bits_[word]);
        }
        return in_runs == noted_ && in_bits == noted_ && used_runs_ <= most_runs_;
    }

private:
    static constexpr std::uint64_t magic = 0x31305357'444c4650u; // "PFLDWS01"
    static constexpr std::size_t run_bytes = 8;

    /// Of all but the sum itself.
    [[nodiscard]] static std::uint64_t sum_of(byte_view saved) noexcept {
        const std::uint64_t runs = checksum(saved.subview(header_bytes), magic);
        return checksum(saved.first(24), runs);
    }
    /// A run of a saved record, of pages that it has had none of.
    [[nodiscard]] bool take(const page_run& run) noexcept {
        if (run.count == 0 || run.first >= pages_ || run.count > pages_ - run.first) {
            return false;
        }
        for (std::uint32_t i = 0; i < run.count; ++i) {
            const slot_id page = run.first + i;
            if (has(page)) {
                return false;
            }
            bits_[page / 64] |= std::uint64_t{1} << page % 64;
        }
        runs_[used_runs_++] = run;
        noted_ += run.count;
        return true;
    }

    std::uint64_t* bits_ = nullptr;
    page_run* runs_ = nullptr;
    std::size_t pages_ = 0;
    std::size_t most_runs_ = 0;
    std::size_t used_runs_ = 0;
    std::size_t noted_ = 0;
    std::uint64_t missed_ = 0;
    std::size_t at_run_ = 0; // of the replay
    std::uint32_t at_page_ = 0;
};

} // namespace pagefold
