// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/stable_array.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The extents of a pool in a demotion_order, from the newest to the oldest.
struct extent_list {
    static constexpr std::uint32_t none = 0xffffffffu;

    std::uint32_t newest = none;
    std::uint32_t oldest = none;
    std::uint32_t size = 0;
};

/// Which pages of a partition can be demoted: those that an eviction policy has in its care, in the pools that demote. Not
/// those that are away, on their way, or have no payload.
///
/// A policy goes round by asking for the next page. In the pool's ring that would be a walk over all pages that are away, and
/// there may be many times more of those than others. So each extent has 16 bytes here: a bit for each page that can go, and
/// links of a list, the pool's, of the extents that have any. The next page is found in two looks. For a dense extent that
/// is a quarter of a byte a page, for a page alone in its extent 16 bytes. Stores with a tier pay it, for extents of all pools,
/// so that the array grows with their numbers.
///
/// Links are numbers in memory, and looked at before they are followed; what contradicts itself makes the list forget all,
/// and whoever wants a page next builds it anew (partition_demotion.hpp). The partition's lock is held around every call.
template <class Source>
class demotion_order {
    static constexpr std::uint32_t none = extent_list::none;

    struct mark {
        std::uint64_t pages = 0;    ///< bit set: the page is in order
        std::uint32_t newer = none; ///< of the extents with any
        std::uint32_t older = none;
    };
    static_assert(sizeof(mark) == 16);

public:
    demotion_order(Source& source, node_id node) noexcept
        : marks_{source, node}, marks_a_page_{std::uint32_t{1} << (bit_length(source.page_size() / sizeof(mark)) - 1)} {
    }

    /// Makes room for an extent, of whatever pool: a page of memory at most, if that is done for each new extent. Fails with
    /// what the source answered.
    status reserve(std::uint32_t id) noexcept { return marks_.reserve(id); }
    [[nodiscard]] bool has(slot_id s) const noexcept {
        return (pages_of(s / extent_pages) >> s % extent_pages & 1) != 0;
    }
    /// The pages of an extent that are in order, as bits.
    [[nodiscard]] std::uint64_t pages_of(std::uint32_t id) const noexcept {
        return id < marks_.size() ? marks_[id].pages : 0;
    }

    // `list`: the pool's. There is room for the extent.

    /// The page is not in order, and is from now on.
    void add(extent_list& list, slot_id s) noexcept {
        const std::uint32_t id = s / extent_pages;
        mark& m = marks_[id];
        if (m.pages == 0) {
            m.newer = none;
            m.older = list.newest;
            if (list.newest < marks_.size()) {
                marks_[list.newest].newer = id;
            } else {
                list.oldest = id;
            }
            list.newest = id;
            ++list.size;
        }
        m.pages |= std::uint64_t{1} << s % extent_pages;
    }
    /// The page is in order, and leaves. False where the list turns out to be damaged, and has forgotten all.
    [[nodiscard]] bool remove(extent_list& list, slot_id s) noexcept {
        return keep(list, s / extent_pages, pages_of(s / extent_pages) & ~(std::uint64_t{1} << s % extent_pages));
    }
    /// All pages of an extent leave.
    [[nodiscard]] bool remove_all(extent_list& list, std::uint32_t id) noexcept { return keep(list, id, 0); }
    /// The extent is in nobody's list, whatever it was before; says how many pages it had in order.
    unsigned reset(std::uint32_t id) noexcept {
        const unsigned pages = count_ones(pages_of(id));
        if (id < marks_.size()) {
            marks_[id] = mark{};
        }
        return pages;
    }
    /// The extent has another number, for which there is room, and which had no pages.
    [[nodiscard]] bool move(extent_list& list, std::uint32_t from, std::uint32_t to) noexcept {
        if (pages_of(from) == 0) {
            return true;
        }
        const mark here = marks_[from];
        const bool was_sound = list.size == 0 || is_linked(list, from);
        marks_[from] = mark{};
        marks_[to] = here;
        if (!was_sound) {
            list = extent_list{};
        }
        if (list.size != 0) {
            link_around(list, here, to, to);
        }
        return was_sound;
    }
    /// The next page in order, round and round; no_slot is followed by the first. no_slot where there is none, and where the
    /// list is damaged.
    [[nodiscard]] slot_id next(const extent_list& list, slot_id s) const noexcept {
        std::uint32_t id = none;
        if (s != no_slot && s / extent_pages < marks_.size()) {
            const mark& m = marks_[s / extent_pages];
            if (const std::uint64_t rest = m.pages & ~low_bits(s % extent_pages + 1); rest != 0) {
                return s / extent_pages * extent_pages + trailing_zeros(rest);
            }
            id = m.newer;
        }
        id = id != none ? id : list.oldest;
        const std::uint64_t pages = pages_of(id);
        return pages != 0 ? id * extent_pages + trailing_zeros(pages) : no_slot;
    }

    /// No extent has a number at or above `bound`: gives back what is beyond it, up to `most` pages of memory; whether that
    /// is all. One page more than is needed stays, for extents that come and go.
    bool trim(std::uint32_t bound, unsigned most) noexcept {
        while (bound == 0 ? marks_.size() != 0
                          : marks_.size() >= std::uint64_t{bound} + 2 * std::uint64_t{marks_a_page_}) {
            if (most-- == 0) {
                return false;
            }
            marks_.trim(marks_.size() - marks_a_page_);
        }
        return true;
    }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return marks_.bytes(); }

private:
    /// Whether both neighbours lead to the extent.
    [[nodiscard]] bool is_linked(const extent_list& list, std::uint32_t id) const noexcept {
        const mark& m = marks_[id];
        return (m.newer == none ? list.newest == id : m.newer < marks_.size() && marks_[m.newer].older == id) &&
               (m.older == none ? list.oldest == id : m.older < marks_.size() && marks_[m.older].newer == id);
    }
    /// Its neighbours lead to these, in place of an extent that was linked as `m` says.
    void link_around(extent_list& list, const mark& m, std::uint32_t from_newer, std::uint32_t from_older) noexcept {
        (m.newer == none ? list.newest : marks_[m.newer].older) = from_newer;
        (m.older == none ? list.oldest : marks_[m.older].newer) = from_older;
    }
    /// The extent has these pages of those that it had.
    [[nodiscard]] bool keep(extent_list& list, std::uint32_t id, std::uint64_t pages) noexcept {
        if (pages_of(id) == 0) {
            return true;
        }
        mark& m = marks_[id];
        m.pages = pages;
        if (pages != 0 || list.size == 0) { // the list forgot all, and said so then
            return true;
        }
        const bool was_sound = is_linked(list, id);
        if (was_sound) {
            link_around(list, m, m.older, m.newer);
            --list.size;
        } else {
            list = extent_list{};
        }
        m = mark{};
        return was_sound;
    }

    stable_array<mark, Source> marks_;
    std::uint32_t marks_a_page_;
};

} // namespace pagefold
