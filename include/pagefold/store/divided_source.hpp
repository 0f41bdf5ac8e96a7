// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/store/limited_source.hpp>

#include <cstddef>
#include <cstdint>

// Small pages out of large ones. A kernel's pages may have 16 or 64 KiB where the pages of a store have 4: a source's page
// is what memory is taken in, not what is stored. Everything above takes memory in units of the store's page, so this
// stands between it and such a source.
//
//     group            one acquisition of the source: the fewest large pages that hold the run that was asked for
//     free ──►         a bit for each small page that nobody has; at most 64 a group
//
// A run of small pages is taken from the group whose longest free run fits it best; from a new one where there is none. A
// group goes back whole when its last small page does. A run of more than 64 small pages has a group for itself, and what
// is left over at its end stays idle.
//
// Invariant: every group is in the tree, by its address, and in the list of its longest free run if it has one. The tree
// (Tarjan, Levy, Timmel: "Zip trees", 2019, with hashes of the addresses for ranks) finds whose a released run is.
//
// The books of a group take 56 bytes, a thousandth of 64 KiB. A store whose pages are as large as its source's, or larger,
// never comes here. Nor may a signal handler use a store that its thread was using when it came (store.md says what else it
// may) where the source is divided: it would wait for this lock.
//
// The budget is charged for whole large pages: for the small ones by who takes them, for the idle rest here. So a store keeps
// to its limit to the byte. (Of what others have reserved, the idle rest may take less than a large page for each thread that
// takes one at the same time.) What it costs: a large page comes back only when all its small ones are free, so scattered
// survivors can keep more than they would of small pages.

namespace pagefold::inline PAGEFOLD_ABI {

/// A page source of pages of `page_size` over one whose pages are larger. Safe from many threads where `Lock` is; a call
/// under its lock calls the source behind it. Takes and releases in O(log groups).
template <lockable Lock>
class divided_source {
public:
    /// Takes no memory. Where the source's pages are not larger than `page_size`, or more than 64 times as large, nothing must
    /// be acquired.
    divided_source(page_source_ref source, std::size_t page_size, byte_budget& budget) noexcept
        : books_source_{source, budget}, source_{source}, budget_{budget}, page_size_{page_size} {}
    /// All that was acquired must have been released.
    ~divided_source() = default;
    divided_source(const divided_source&) = delete;
    divided_source& operator=(const divided_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }
    /// Whether the source's pages are small enough.
    [[nodiscard]] bool can_divide() const noexcept { return source_.page_size() / page_size_ <= most_small; }

    /// The caller has charged the pages to the budget; of a new group the rest is charged here. limit: that has no room.
    result<void*> acquire(std::size_t pages, node_id node, acquire_context context = {}) noexcept {
        if (pages == 0) {
            return status::invalid;
        }
        const lock_guard guard{lock_};
        if (const std::uint32_t id = find_room(pages, node); id != none) {
            void* const taken = take(id, static_cast<unsigned>(pages));
            budget_.give_back(pages * page_size_); // it was charged while it was idle
            return taken;
        }
        return open_group(pages, node, context);
    }
    /// The caller returns the pages to the budget afterwards.
    void release(void* p, std::size_t pages) noexcept {
        const lock_guard guard{lock_};
        const std::uint32_t id = group_at(static_cast<std::byte*>(p));
        const bool is_ours = id != none && is_taken(groups_[id], static_cast<std::byte*>(p), pages);
        PAGEFOLD_CHECK(is_ours);
        if (!is_ours) {
            return;
        }
        group& g = groups_[id];
        if (g.small > most_small) {
            close_group(id, 0);
            return;
        }
        const unsigned at =
            static_cast<unsigned>(static_cast<std::size_t>(static_cast<std::byte*>(p) - g.base) / page_size_);
        const std::uint64_t free = g.free | bits_of(at, static_cast<unsigned>(pages));
        if (free == low_bits(static_cast<unsigned>(g.small))) {
            close_group(id, g.small - pages);
            return;
        }
        budget_.add(pages * page_size_); // idle from now on
        relist(id, free);
    }

    /// Small pages that nobody has, of large ones that are held; in bytes. Looks at every group.
    [[nodiscard]] std::size_t idle_bytes() const noexcept {
        const lock_guard guard{lock_};
        std::size_t idle = 0;
        for (std::uint32_t id = groups_.next_live(0); id < groups_.bound(); id = groups_.next_live(id + 1)) {
            idle += idle_of(groups_[id]) * page_size_;
        }
        return idle;
    }
    /// Bytes of the books.
    [[nodiscard]] std::size_t table_bytes() const noexcept {
        const lock_guard guard{lock_};
        return groups_.bytes();
    }
    /// Walks everything; false when it contradicts itself.
    [[nodiscard]] bool check() const noexcept {
        const lock_guard guard{lock_};
        std::size_t listed = 0, open = 0;
        for (unsigned run = 1; run <= most_small; ++run) {
            std::uint32_t before = none;
            for (std::uint32_t id = heads_[run]; id != none; before = id, id = groups_[id].next) {
                if (!groups_.contains(id) || longest_run(groups_[id].free) != run || groups_[id].previous != before ||
                    ++listed > groups_.size()) {
                    return false;
                }
            }
            if ((heads_[run] != none) != ((filled_ >> (run - 1) & 1) != 0)) {
                return false;
            }
        }
        for (std::uint32_t id = groups_.next_live(0); id < groups_.bound(); id = groups_.next_live(id + 1)) {
            const group& g = groups_[id];
            open += g.free != 0 ? 1u : 0u;
            if (group_at(g.base) != id || group_at(g.base + g.large * source_.page_size() - 1) != id ||
                (g.small <= most_small && (g.free & ~low_bits(static_cast<unsigned>(g.small))) != 0)) {
                return false;
            }
        }
        return listed == open && groups_.check();
    }

private:
    static constexpr std::uint32_t none = 0xffffffffu;
    static constexpr unsigned most_small = 64;
    static constexpr unsigned most_looked_at = 4; // groups of other nodes that are passed over

    struct group {
        std::byte* base;
        std::uint64_t free; // 0 of a group for one long run
        std::size_t large;  // pages of the source
        std::size_t small;  // pages of ours that there are, or that the long run has
        std::uint32_t rank;
        std::uint32_t lower, upper; // below it in the tree
        std::uint32_t next, previous;
        node_id node;

        [[nodiscard]] bool live() const noexcept { return base != nullptr; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return next; }
    };
    [[nodiscard]] static std::uint64_t bits_of(unsigned at, unsigned count) noexcept { return low_bits(count) << at; }
    [[nodiscard]] static unsigned longest_run(std::uint64_t bits) noexcept {
        unsigned run = 0;
        for (; bits != 0; bits &= bits >> 1) {
            ++run;
        }
        return run;
    }
    /// Where the first run of so many set bits begins; there is one.
    [[nodiscard]] static unsigned first_run(std::uint64_t bits, unsigned count) noexcept {
        for (unsigned length = 1; length < count; ++length) {
            bits &= bits >> 1;
        }
        return trailing_zeros(bits);
    }
    /// Small pages of a group that nobody has. Those at its end that have no bit belong to nobody either.
    [[nodiscard]] std::size_t idle_of(const group& g) const noexcept {
        return g.large * (source_.page_size() / page_size_) - g.small + count_ones(g.free);
    }
    [[nodiscard]] bool is_taken(const group& g, const std::byte* p, std::size_t pages) const noexcept {
        const std::size_t offset = static_cast<std::size_t>(p - g.base), at = offset / page_size_;
        if (offset % page_size_ != 0 || pages == 0 || at >= g.small || pages > g.small - at) {
            return false;
        }
        return g.small > most_small ? pages == g.small
                                    : (g.free & bits_of(static_cast<unsigned>(at), static_cast<unsigned>(pages))) == 0;
    }

    // Groups that come and go.

    /// The group whose longest free run fits best, or none.
    [[nodiscard]] std::uint32_t find_room(std::size_t pages, node_id node) const noexcept {
        if (pages > most_small) {
            return none;
        }
        unsigned looks = 0;
        for (std::uint64_t runs = filled_ & ~low_bits(static_cast<unsigned>(pages) - 1); runs != 0; runs &= runs - 1) {
            const unsigned run = trailing_zeros(runs) + 1;
            for (std::uint32_t id = heads_[run]; id != none; id = groups_[id].next) {
                if (groups_[id].node == node) {
                    return id;
                }
                if (++looks == most_looked_at) {
                    return none;
                }
            }
        }
        return none;
    }
    void* take(std::uint32_t id, unsigned pages) noexcept {
        group& g = groups_[id];
        const unsigned at = first_run(g.free, pages);
        relist(id, g.free & ~bits_of(at, pages));
        return g.base + at * page_size_;
    }
    result<void*> open_group(std::size_t pages, node_id node, acquire_context context) noexcept {
        const std::size_t a_large = source_.page_size() / page_size_;
        if (pages > ~std::size_t{0} / source_.page_size()) {
            return status::no_memory;
        }
        const std::size_t large = ceil_div(pages, a_large), rest = (large * a_large - pages) * page_size_;
        if (!budget_.charge(rest, 0)) {
            return status::limit;
        }
        const result<std::uint32_t> id = groups_.insert_lowest();
        if (!id) {
            budget_.give_back(rest);
            return id.error();
        }
        const result<void*> memory = source_.acquire(large, node, context);
        if (!memory) {
            groups_[*id].base = reinterpret_cast<std::byte*>(this); // live, as erase wants it
            groups_.erase(*id);
            budget_.give_back(rest);
            return memory;
        }
        group& g = groups_[*id];
        g.base = static_cast<std::byte*>(*memory);
        g.large = large;
        g.small = large * a_large <= most_small ? large * a_large : pages > most_small ? pages : most_small;
        g.rank = static_cast<std::uint32_t>(mix(reinterpret_cast<std::uintptr_t>(g.base), 0));
        g.node = node;
        plant(*id);
        if (g.small <= most_small) {
            relist(*id, low_bits(static_cast<unsigned>(g.small)));
            return take(*id, static_cast<unsigned>(pages));
        }
        return *memory;
    }
    /// `idle`: small pages of it that were charged here.
    void close_group(std::uint32_t id, std::size_t idle) noexcept {
        group& g = groups_[id];
        const std::size_t behind = g.large * (source_.page_size() / page_size_) - g.small;
        uproot(id);
        relist(id, 0);
        source_.release(g.base, g.large);
        budget_.give_back((idle + behind) * page_size_);
        groups_.erase(id);
    }
    /// Sets the free pages of a group, and puts it into the list that it belongs to then.
    void relist(std::uint32_t id, std::uint64_t free) noexcept {
        group& g = groups_[id];
        const unsigned before = longest_run(g.free), after = longest_run(free);
        g.free = free;
        if (before == after) {
            return;
        }
        if (before != 0) {
            (g.previous != none ? groups_[g.previous].next : heads_[before]) = g.next;
            if (g.next != none) {
                groups_[g.next].previous = g.previous;
            }
            filled_ &= ~(std::uint64_t{heads_[before] == none} << (before - 1));
        }
        if (after != 0) {
            g.previous = none;
            g.next = heads_[after];
            if (g.next != none) {
                groups_[g.next].previous = id;
            }
            heads_[after] = id;
            filled_ |= std::uint64_t{1} << (after - 1);
        }
    }

    // The tree. A group stands above those of lower rank, and of the same rank above those at higher addresses.

    [[nodiscard]] bool is_above(const group& a, const group& b) const noexcept {
        return a.rank != b.rank ? a.rank > b.rank : a.base < b.base;
    }
    /// The group that the address lies in, or none.
    [[nodiscard]] std::uint32_t group_at(const std::byte* p) const noexcept {
        std::uint32_t found = none;
        for (std::uint32_t id = root_; id != none;) {
            const bool is_higher = groups_[id].base <= p;
            found = is_higher ? id : found;
            id = is_higher ? groups_[id].upper : groups_[id].lower;
        }
        const bool is_in = found != none && static_cast<std::size_t>(p - groups_[found].base) <
                                                groups_[found].large * source_.page_size();
        return is_in ? found : none;
    }
    void plant(std::uint32_t id) noexcept {
        group& g = groups_[id];
        std::uint32_t* link = &root_;
        while (*link != none && is_above(groups_[*link], g)) {
            link = g.base < groups_[*link].base ? &groups_[*link].lower : &groups_[*link].upper;
        }
        std::uint32_t rest = *link;
        *link = id;
        // What was here is cut in two along the address.
        std::uint32_t *lower = &g.lower, *upper = &g.upper;
        while (rest != none) {
            if (groups_[rest].base < g.base) {
                *lower = rest;
                lower = &groups_[rest].upper;
                rest = *lower;
            } else {
                *upper = rest;
                upper = &groups_[rest].lower;
                rest = *upper;
            }
        }
        *lower = none;
        *upper = none;
    }
    void uproot(std::uint32_t id) noexcept {
        std::uint32_t* link = &root_;
        while (*link != id) {
            link = groups_[id].base < groups_[*link].base ? &groups_[*link].lower : &groups_[*link].upper;
        }
        std::uint32_t lower = groups_[id].lower, upper = groups_[id].upper;
        while (lower != none && upper != none) {
            if (is_above(groups_[lower], groups_[upper])) {
                *link = lower;
                link = &groups_[lower].upper;
                lower = *link;
            } else {
                *link = upper;
                link = &groups_[upper].lower;
                upper = *link;
            }
        }
        *link = lower != none ? lower : upper;
    }

    struct list_heads {
        list_heads() noexcept {
            for (std::uint32_t& one : head) {
                one = none;
            }
        }
        [[nodiscard]] std::uint32_t& operator[](unsigned run) noexcept { return head[run]; }
        [[nodiscard]] std::uint32_t operator[](unsigned run) const noexcept { return head[run]; }
        std::uint32_t head[most_small + 1];
    };

    mutable Lock lock_{};
    limited_source books_source_; // large pages for the books, under the same budget
    page_source_ref source_;
    byte_budget& budget_;
    std::size_t page_size_;
    slot_pool<group, limited_source> groups_{books_source_, any_node};
    list_heads heads_{};       // by the longest free run
    std::uint64_t filled_ = 0; // bit n: the list of runs of n + 1 has a group
    std::uint32_t root_ = none;
};

} // namespace pagefold
