// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/age_histogram.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a host sees of a page when it looks: its accessed bit, which it clears.
enum class page_sight : std::uint8_t {
    absent,  ///< there is no such page
    idle,    ///< not accessed since the last look
    accessed ///< accessed since
};

/// The ages of a host's pages, those in memory and those in a store: for each the sweeps since it was last seen accessed, in one
/// byte (kstaled of "Software-defined far memory in warehouse-scale computers", ASPLOS 2019, section 5.1). The host says how
/// fast: it calls scan() with as many pages as it has time for, and a sweep is over when all were looked at. With a sweep every
/// two minutes, as there, 254 is eight and a half hours.
///
/// The bytes are the host's. Besides them: two histograms, which always agree with the bytes. O(1) a page. Not thread-safe.
class page_ages {
public:
    /// `ages` has room for `pages` bytes, lives as long as this, and is only written through it. No page is there yet.
    page_ages(std::uint8_t* ages, std::size_t pages) noexcept : ages_{ages}, pages_{pages} {
        for (std::size_t page = 0; page < pages; ++page) {
            ages_[page] = no_age;
        }
    }
    page_ages(const page_ages&) = delete;
    page_ages& operator=(const page_ages&) = delete;

    /// Looks at up to `most` pages, from where the last scan ended, and at none behind the last one; `look(page)` answers a
    /// page_sight. How many: with none left, 0.
    template <class Look>
    requires std::is_invocable_r_v<page_sight, Look&, std::size_t> std::size_t scan(std::size_t most, Look&& look)
    noexcept {
        std::size_t seen = 0;
        for (; seen < most && hand_ < pages_; ++seen, ++hand_) {
            note(hand_, look(hand_));
        }
        if (hand_ == pages_) {
            hand_ = 0;
            sweeps_ += seen != 0 ? 1u : 0u;
        }
        return seen;
    }
    /// The host has more pages: goes on in `ages`, with room for `pages` bytes, as many as before or more. No new page is there
    /// yet. A step a page.
    void grow(std::uint8_t* ages, std::size_t pages) noexcept {
        PAGEFOLD_CHECK(pages >= pages_);
        for (std::size_t page = 0; page < pages; ++page) {
            ages[page] = page < pages_ ? ages_[page] : no_age;
        }
        ages_ = ages;
        pages_ = pages;
    }
    /// The page was accessed, and the host did not have to look for that: a fault brought it. It is as if a scan had seen it
    /// now. Whether it is new.
    bool touch(std::size_t page) noexcept {
        PAGEFOLD_CHECK(page < pages_);
        const bool is_new = ages_[page] == no_age;
        note(page, page_sight::accessed);
        return is_new;
    }
    /// The page is there no more.
    void drop(std::size_t page) noexcept {
        PAGEFOLD_CHECK(page < pages_);
        note(page, page_sight::absent);
    }

    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    /// no_age where there is no page.
    [[nodiscard]] std::uint8_t age(std::size_t page) const noexcept {
        PAGEFOLD_CHECK(page < pages_);
        return ages_[page];
    }
    /// How often all pages were looked at.
    [[nodiscard]] std::uint64_t sweeps() const noexcept { return sweeps_; }
    /// Pages accessed in the last sweep: the working set.
    [[nodiscard]] std::uint64_t working_set() const noexcept { return now_.at(0); }
    /// Pages by the age that they have now.
    [[nodiscard]] const age_histogram& now() const noexcept { return now_; }
    /// Pages by the age that they had when they were accessed, since the histogram was last taken.
    [[nodiscard]] const age_histogram& accesses() const noexcept { return accesses_; }
    /// A period is over: accesses are counted anew.
    void forget_accesses() noexcept { accesses_.reset(); }

    /// Walks everything.
    [[nodiscard]] bool check() const noexcept {
        age_histogram counted;
        for (std::size_t page = 0; page < pages_; ++page) {
            if (ages_[page] != no_age) {
                counted.add(ages_[page]);
            }
        }
        return counted == now_ && hand_ <= pages_;
    }

private:
    void note(std::size_t page, page_sight sight) noexcept {
        const std::uint8_t was = ages_[page];
        std::uint8_t is = no_age;
        if (sight == page_sight::accessed || (sight == page_sight::idle && was == no_age)) {
            is = 0;
        } else if (sight == page_sight::idle) {
            is = was < oldest_age ? static_cast<std::uint8_t>(was + 1) : oldest_age;
        }
        if (was != no_age) {
            now_.remove(was);
            if (sight == page_sight::accessed) {
                accesses_.add(was);
            }
        }
        if (is != no_age) {
            now_.add(is);
        }
        ages_[page] = is;
    }

    std::uint8_t* ages_;
    std::size_t pages_;
    std::size_t hand_ = 0;
    std::uint64_t sweeps_ = 0;
    age_histogram now_{};
    age_histogram accesses_{};
};

} // namespace pagefold
