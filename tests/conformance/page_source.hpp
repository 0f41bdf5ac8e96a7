// SPDX-License-Identifier: MIT
#pragma once

// The contract of a page source (the table in platform/concept.hpp) as a function that names the clause a source
// breaks: nothing for a good one. The first breach ends the run: memory that two own must not be written to. What
// several threads do to a source is in tests/stress/page_source.cpp.

#include <pagefold/platform/concept.hpp>

#include <support/rng.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <string>

namespace pagefold::testing {

enum class page_source_clause {
    page_size_is_sound, ///< a power of two, at least 4096, always the same
    refuses_no_pages,   ///< zero pages are `invalid`
    refuses_too_many,   ///< more pages than there can be are `no_memory`
    refuses_strangers,  ///< a strict wish for a node that there isn't is `invalid`
    serves,             ///< a fresh source has a page
    says_no_memory,     ///< an exhausted one answers `no_memory`
    aligned,            ///< pages lie on page boundaries
    apart,              ///< no page is handed out twice
    keeps_contents,     ///< what was written stays until release
    serves_again,       ///< released pages can be had again
    trims_all,          ///< a trim leaves nothing to the next one (of a trimmable source)
};

[[nodiscard]] inline const char* to_string(page_source_clause clause) noexcept {
    switch (clause) {
    case page_source_clause::page_size_is_sound: return "page_size_is_sound";
    case page_source_clause::refuses_no_pages: return "refuses_no_pages";
    case page_source_clause::refuses_too_many: return "refuses_too_many";
    case page_source_clause::refuses_strangers: return "refuses_strangers";
    case page_source_clause::serves: return "serves";
    case page_source_clause::says_no_memory: return "says_no_memory";
    case page_source_clause::aligned: return "aligned";
    case page_source_clause::apart: return "apart";
    case page_source_clause::keeps_contents: return "keeps_contents";
    case page_source_clause::serves_again: return "serves_again";
    case page_source_clause::trims_all: return "trims_all";
    }
    return "unknown";
}

/// Marks in a run of pages that say whose it is.
class page_marks {
public:
    page_marks(void* start, std::size_t bytes, std::uint64_t owner) noexcept
        : start_{static_cast<std::byte*>(start)}, bytes_{bytes}, owner_{owner} {}

    void write() const noexcept {
        for (std::size_t at = 0; at < bytes_; at += stride) {
            const std::uint64_t mark = owner_ + at;
            std::memcpy(start_ + at, &mark, sizeof mark);
        }
    }
    [[nodiscard]] bool are_intact() const noexcept {
        for (std::size_t at = 0; at < bytes_; at += stride) {
            const std::uint64_t mark = owner_ + at;
            if (std::memcmp(start_ + at, &mark, sizeof mark) != 0) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr std::size_t stride = 512;
    std::byte* start_;
    std::size_t bytes_;
    std::uint64_t owner_;
};

namespace detail {

template <page_source Source>
class page_source_checks {
public:
    page_source_checks(Source& source, std::size_t most_pages) : source_{source}, most_pages_{most_pages} {}

    std::optional<page_source_clause> run() {
        page_size_ = source_.page_size();
        if (!std::has_single_bit(page_size_) || page_size_ < 4096) {
            return clause::page_size_is_sound;
        }
        check_refusals();
        const std::size_t count = drain();
        expect(count > 0, clause::serves);
        check_refusals();
        trim();
        release_all();
        trim();
        expect(drain() == count, clause::serves_again);
        release_all();
        random_runs();
        release_all();
        trim();
        expect(drain() == count, clause::serves_again);
        release_all();
        return broken_;
    }

private:
    using clause = page_source_clause;
    struct holding {
        void* memory;
        std::size_t pages;
        std::uint64_t owner;
        [[nodiscard]] page_marks marks(std::size_t page_size) const noexcept {
            return {memory, pages * page_size, owner};
        }
    };

    void expect(bool holds, clause which) {
        if (!holds && !broken_) {
            broken_ = which;
        }
    }

    void check_refusals() {
        expect(source_.acquire(0, any_node).error() == status::invalid, clause::refuses_no_pages);
        expect(source_.acquire(1, strictly(node_id{0x7ffe})).error() == status::invalid, clause::refuses_strangers);
        const std::size_t all = ~std::size_t{0};
        for (const std::size_t pages :
             {all, all / 2 + 1, all / page_size_, all / page_size_ + 1, all / page_size_ + 2}) {
            expect(source_.acquire(pages, any_node).error() == status::no_memory, clause::refuses_too_many);
        }
    }

    bool acquire(std::size_t pages) {
        const result<void*> memory = source_.acquire(pages, any_node);
        expect(source_.page_size() == page_size_, clause::page_size_is_sound);
        if (!memory) {
            expect(memory.error() == status::no_memory, clause::says_no_memory);
            return false;
        }
        const std::uintptr_t start = reinterpret_cast<std::uintptr_t>(*memory);
        expect(start % page_size_ == 0, clause::aligned);
        const auto above = held_.lower_bound(start);
        expect(above == held_.end() || above->first >= start + pages * page_size_, clause::apart);
        expect(above == held_.begin() || end_of(*std::prev(above)) <= start, clause::apart);
        if (broken_) {
            return false;
        }
        const holding& mine = held_[start] = {*memory, pages, random_()};
        mine.marks(page_size_).write();
        pages_held_ += pages;
        return true;
    }
    [[nodiscard]] std::uintptr_t end_of(const std::pair<const std::uintptr_t, holding>& h) const {
        return h.first + h.second.pages * page_size_;
    }
    void release(typename std::map<std::uintptr_t, holding>::iterator h) {
        expect(h->second.marks(page_size_).are_intact(), clause::keeps_contents);
        source_.release(h->second.memory, h->second.pages);
        pages_held_ -= h->second.pages;
        held_.erase(h);
    }
    void release_some() {
        const auto at =
            held_.lower_bound(held_.begin()->first + random_.below(held_.rbegin()->first - held_.begin()->first + 1));
        release(at);
    }
    void release_all() {
        while (!held_.empty() && !broken_) {
            release_some();
        }
    }
    /// Pages that can be had one by one.
    std::size_t drain() {
        while (!broken_ && pages_held_ < most_pages_ && acquire(1)) {
        }
        return pages_held_;
    }
    void trim() {
        if constexpr (trimmable_page_source<Source>) {
            const std::size_t bytes = source_.trim();
            expect(bytes % page_size_ == 0 && source_.trim() == 0, clause::trims_all);
        }
    }
    void random_runs() {
        for (int i = 0; i < 3000 && !broken_; ++i) {
            const bool growing = i / 500 % 2 == 0;
            if (held_.empty() || random_.below(10) < (growing ? 7u : 3u)) {
                const std::size_t pages =
                    random_.one_in(20) ? 1 + random_.below(most_pages_ / 4) : 1 + random_.below(5);
                if (pages_held_ + pages <= most_pages_) {
                    acquire(pages);
                }
            } else {
                release_some();
            }
            if (random_.one_in(100)) {
                trim();
            }
        }
    }

    Source& source_;
    std::size_t most_pages_;
    std::size_t page_size_ = 0;
    std::map<std::uintptr_t, holding> held_;
    std::size_t pages_held_ = 0;
    rng random_{42};
    std::optional<clause> broken_;
};

} // namespace detail

/// The first clause that the source, of which nothing is acquired, is seen to break, by name; empty for a good one. At
/// most `most_pages` of its pages are acquired at a time.
template <page_source Source>
[[nodiscard]] std::string page_source_violation(Source& source, std::size_t most_pages) {
    const auto clause = detail::page_source_checks<Source>{source, most_pages}.run();
    return clause ? to_string(*clause) : "";
}

} // namespace pagefold::testing
