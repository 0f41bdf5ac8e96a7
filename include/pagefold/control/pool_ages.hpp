// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/control/age_histogram.hpp>
#include <pagefold/control/page_ages.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/concept.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

/// How old the pages of a pool in a store are: in sweeps since each was put or read last. For a host that numbers a pool's pages, as a
/// swap area's slots are, and wants the histogram that promotion_rate takes and that the statistics' writers show.
///
/// The store knows nothing of it and pays nothing for it: whoever puts and gets notes that here, without a lock and from any
/// thread, in a byte of the page; one thread at a time scans, as many pages as it has time for, and has the histograms. So
/// they are behind by up to a sweep. Two bytes a page, of the host's page source, and 4 KiB.
///
/// What the store drops by itself, of an ephemeral pool, nobody notes: a scan may ask store.contains() of a page, or the next
/// get that finds nothing says note_gone().
template <page_source Source>
class pool_ages {
public:
    /// Takes no memory. The source outlives this.
    explicit pool_ages(Source& source, node_id node = any_node) noexcept : source_{source}, node_{node} {}
    pool_ages(const pool_ages&) = delete;
    pool_ages& operator=(const pool_ages&) = delete;
    ~pool_ages() {
        if (memory_ != nullptr) {
            source_.release(memory_, held_pages_);
        }
    }

    /// Takes memory for pages 0 to `pages` − 1, none of which is there yet; once. limit: so many have no room in the address
    /// space. Fails with what the source answered. A step a page.
    status open(std::size_t pages) noexcept {
        PAGEFOLD_CHECK(memory_ == nullptr && ages_.pages() == 0);
        if (pages > most_pages) {
            return status::limit;
        }
        if (pages == 0) {
            return status::ok;
        }
        held_pages_ = ceil_div(2 * pages, source_.page_size());
        const result<void*> run = source_.acquire(held_pages_, node_);
        if (!run) {
            return run.error();
        }
        memory_ = *run;
        marks_ = static_cast<mark*>(memory_);
        for (std::size_t page = 0; page < pages; ++page) {
            new (marks_ + page) mark{nothing};
        }
        ages_.grow(static_cast<std::uint8_t*>(memory_) + pages, pages);
        return status::ok;
    }

    /// The page was put, or a get found it. Any thread; O(1), and no write where it is noted already.
    void note_access(std::size_t page) noexcept { note(page, accessed); }
    /// It was erased or taken, or a get did not find it. Any thread; of an access at the same time either may win.
    void note_gone(std::size_t page) noexcept { note(page, gone); }

    /// Looks at up to `most` pages, from where the last scan ended, and at none behind the last one; how many. One thread at a
    /// time, for all that is below as well.
    std::size_t scan(std::size_t most) noexcept {
        return scan(most, [](std::size_t) noexcept { return true; });
    }
    /// The same; of a page of which nothing was noted `is_there(page)` says whether it is still there.
    template <std::predicate<std::size_t> IsThere>
    std::size_t scan(std::size_t most, IsThere&& is_there) noexcept {
        return ages_.scan(most, [&](std::size_t page) noexcept {
            const std::uint8_t noted = take(page);
            const bool stays = ages_.age(page) != no_age && noted == nothing && is_there(page);
            return noted == accessed ? page_sight::accessed : stays ? page_sight::idle : page_sight::absent;
        });
    }
    [[nodiscard]] const page_ages& ages() const noexcept { return ages_; }
    /// A period is over: accesses are counted anew.
    void forget_accesses() noexcept { ages_.forget_accesses(); }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return memory_ != nullptr ? held_pages_ * source_.page_size() : 0;
    }
    /// Walks everything.
    [[nodiscard]] bool check() const noexcept {
        for (std::size_t page = 0; page < ages_.pages(); ++page) {
            if (marks_[page].load(memory_order::relaxed) > gone) {
                return false;
            }
        }
        return ages_.check();
    }

private:
    using mark = atomic<std::uint8_t>;
    static_assert(sizeof(mark) == 1);
    static constexpr std::uint8_t nothing = 0, accessed = 1, gone = 2;
    static constexpr std::size_t most_pages = ~std::size_t{0} / 4;

    // relaxed: a mark says nothing of other memory, and one that a scan misses it finds in the next sweep.
    void note(std::size_t page, std::uint8_t what) noexcept {
        PAGEFOLD_CHECK(page < ages_.pages());
        if (marks_[page].load(memory_order::relaxed) != what) {
            marks_[page].store(what, memory_order::relaxed);
        }
    }
    /// An exchange, and no store: it loses none of two marks.
    [[nodiscard]] std::uint8_t take(std::size_t page) noexcept {
        return marks_[page].load(memory_order::relaxed) != nothing
                   ? marks_[page].exchange(nothing, memory_order::relaxed)
                   : nothing;
    }

    Source& source_;
    node_id node_;
    void* memory_ = nullptr;
    std::size_t held_pages_ = 0;
    mark* marks_ = nullptr;
    page_ages ages_{nullptr, 0};
};

} // namespace pagefold
