// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/block_map.hpp>
#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/high_numbers.hpp>
#include <pagefold/alloc/no_meter.hpp>
#include <pagefold/alloc/pending_frees.hpp>
#include <pagefold/alloc/tlsf_span.hpp>
#include <pagefold/alloc/whole_units.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/page_directory.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/ds/two_level_bitmap.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstddef>
#include <cstdint>

// Two-level segregated fit (Masmano, Ripoll, Crespo, Real, "TLSF: a new dynamic memory allocator for real-time systems",
// ECRTS 2004), with all that it knows of a block beside the blocks rather than in them.
//
// What is TLSF's: free blocks are in lists by size, every power of two divided into 16 or 32; a bitmap of two levels finds
// the first list from a size on that has a block, in at most three words; a block is cut, the rest stays free; a freed
// block becomes one with its free neighbours at once; everything is O(1). The fit is good, not best: the lists are searched
// from the first on that has no blocks too small, so that any block found there fits. Before that a fixed few are looked
// at in the list of the size itself, where some may be too small.
//
// What is not: boundary tags. A tag lies in the block, and the neighbours' tags in theirs: cold lines all of them, in memory
// that nothing else of the operation touches, which is what textbook TLSF spends its time on (four times jemalloc's). Here
// a span of up to three units has a record of its own, of two cache lines (tlsf_span):
//
//     block_map      a bit for each of 384 granules (a unit is 128): where blocks start, and which are free, in 48 bytes
//     three records  start, size and list links of three free blocks
//     where          the address, used granules, units; reserved blocks; free blocks without a record
//
// A block carries nothing, so an object may fill it, and freeing reads nothing of it. What a record costs is
// 128 bytes of 12 KiB where units are 4 KiB, and an object is rounded up to 1/128 of a unit, to two granules at the least.
//
// Invariants, all of which check() walks: no two free blocks lie side by side; a span has an object, or a place kept for
// one; a block is in a list just where it has a record, and in that of its size; a free block is without a record only
// where three others of its span, none of them smaller, have them all. A larger block takes the record of the smallest;
// when a record comes free, or its block becomes smaller than one without a record, the largest without has it. Until then
// allocate does not see that block: that a span is two lines costs some memory where it is in many small pieces.
//
// The bound. allocate: `looks` at the list of the size, a search, a block out of a list and the rest into another.
// deallocate: two scans of the map, at most two records out of lists and one into one. Either may bring a record free, and
// then all free blocks of that span are looked at once: there are at most 96, as used ones lie between. max_steps adds that
// up, 280 steps for any number of objects and spans, sizes and second levels; with a Meter every step is counted, and the
// tests compare: a comb of the smallest blocks comes to 112. Left out are the source, the table of spans where one is opened
// or closed, and an allocate that drops a plan.
//
// Objects of more than a unit less a granule are whole units of their own (whole_units): pages of the source's that need no
// cutting, and a handle with a flag.
//
// Compaction. A plan takes the sparsest spans out of service and keeps, for every object in them, a place of its size
// elsewhere: a used block to the map, marked as reserved, in a list by size whose links lie in the reserved memory. So
// relocate takes one and cannot fail, whatever is allocated meanwhile, and the promised pages do come free. A place has
// eight granules at the least, so that a bit for every eight tells it, 48 bits a span and not 384; a smaller object grows
// when it is moved. Freeing an object that is to be moved drops a place of its size.
//
// Measured, 200000 objects of the sizes that LZ4 leaves of the corpus, live bytes over footprint: filled 0.974; after ten
// times as many frees and allocations 0.971; half freed and compacted 0.961. A free and an allocate take 1.0 to 1.1 times
// jemalloc's mean, because frees wait for their records (pending_frees.hpp); 2.2 to 2.5 times, when none did. What other
// layouts took then, in one run over jemalloc's, and after the churn:
//
//     spans of one cache line with tags of their own in bits, lists as bitmaps of spans      4.3    0.974
//     records of blocks in lists beside them                                                 2.4    0.974
//     records in lanes of a word, searched at once                                           2.4    0.974
//     links that are addresses                                                               1.7    0.972
//     three records a span, in its second line                                               1.8    0.972
//     the same, with what lies beside a freed block found in the map, as here                2.1    0.972

namespace pagefold::inline PAGEFOLD_ABI {

/// A compacting_allocator by two-level segregated fit. `Unit` is the greatest object, a store's page size; the source's
/// page size must divide it, or allocate answers `invalid`. `SecondLevels`, 16 or 32, is how many lists there are from a
/// power of two to the next: fewer leave a little more of the memory idle. Deterministic. Not thread-safe.
///
/// allocate and deallocate take at most max_steps steps, besides what the source and a table of spans take where a span
/// is opened or closed. A step is a word, a record or a list's head that is looked at; `Meter::step` is called for each.
/// Where the source refuses a span and a plan is under way, the plan is dropped for the room it keeps, which takes a step
/// or a few for each object that it was to move. Where it refuses, all of the list of the size is looked at before allocate
/// does: a step for each block in it, where lists are of more than one size. So it refuses nothing for which there is a
/// free block.
///
/// deallocate ignores a handle that is not live, where checked builds assert; other calls with one are undefined without
/// them.
template <page_source Source, std::size_t Unit = 4096, unsigned SecondLevels = 32, class Meter = no_meter>
class tlsf {
    static_assert(is_power_of_two(Unit) && Unit >= 4096 && Unit <= 65536);
    static_assert(SecondLevels == 16 || SecondLevels == 32 || SecondLevels == 64);

    using span = tlsf_span<Unit, Meter>;
    using record_ref = typename span::record_ref;
    using block_map = typename span::block_map;

    static constexpr unsigned unit_granules = span::unit_granules;
    static constexpr unsigned span_granules = span::max_units * unit_granules;
    static constexpr std::size_t granule = span::granule;
    static constexpr unsigned record_count = span::record_count;
    static constexpr unsigned no_record = span::no_record;
    static constexpr unsigned few_looks = 4; // at blocks in the list of a size, where some are smaller

public:
    /// The same over pages of another source, for decorators (over_source).
    template <page_source Other>
    using over = tlsf<Other, Unit, SecondLevels, Meter>;

    static constexpr std::size_t max_size = Unit;
    static constexpr unsigned spans_a_plan = 64; ///< that a plan looks at, at most
    /// Steps of an allocate or deallocate, at most: the list of the size and the search for another; out of a list and
    /// into one, with the neighbours there; the same with the span and its list by fullness; a span's free blocks, for one
    /// to take a record that came free. Twice, because
    /// to free an object that was to be moved frees the place that was kept for it, and one that is freed when there are
    /// few spans takes along one that waited.
    static constexpr unsigned max_steps =
        2 * (few_looks + 1 + 3 * 5 + 5 + block_map::max_steps + 2 * block_map::max_scan_steps);
    /// Steps of a next_misplaced, at most: the span that the last call ended in, and the next, which has an object.
    static constexpr unsigned max_steps_to_next = 2 * (1 + block_map::max_next_steps);

    tlsf(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, spans_{source, node}, links_{source, node}, whole_{source, node} {
        for (std::uint32_t& head : groups_) {
            head = no_span;
        }
    }
    ~tlsf() {
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            source_.release(spans_[id].base(), spans_[id].bytes() / source_.page_size());
        }
    }
    tlsf(const tlsf&) = delete;
    tlsf& operator=(const tlsf&) = delete;

    /// `invalid` for 0, for more than max_size, and where the source's pages don't divide a unit; else what the source
    /// answered for a span of three units, of two and of one. Nothing but a plan has changed then.
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> made = try_allocate(n);
        if (!made && !waiting_.empty()) [[unlikely]] { // what was freed is as good as free
            free_waiting();
            return try_allocate(n);
        }
        return made;
    }

    /// The same as allocate: what is more than was asked for is cut off, but for a granule that would be left alone. So it
    /// drops a plan, too, where the source refuses.
    result<object_handle> allocate_snug(std::size_t n) noexcept { return allocate(n); }

    /// Where there are many spans, it is carried out pending_frees::depth such calls later, or with the next plan. A span,
    /// or a whole unit, goes back to the source with its last object.
    void deallocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        if (is_whole(h)) {
            deallocate_whole(h);
            return;
        }
        const bool waits = may_wait();
        if (waits) [[likely]] {
            spans_.prefetch(id_of(h));
        }
        waiting_.add(h, waits, [this](object_handle one) { free_object(one); });
    }

    [[nodiscard]] std::size_t capacity(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        return is_whole(h) ? Unit : granules_of(h) * granule;
    }
    /// A granule more is used where one would be left.
    [[nodiscard]] std::size_t rounded(std::size_t n) const noexcept {
        PAGEFOLD_CHECK(n != 0 && n <= Unit);
        return n > max_cut ? Unit : granules_for(n) * granule;
    }
    void write(object_handle h, byte_view bytes) noexcept {
        PAGEFOLD_CHECK(bytes.size() <= capacity(h));
        copy_bytes(address_of(h), bytes);
    }
    [[nodiscard]] byte_view read(object_handle h, std::size_t n, byte_span) const noexcept {
        PAGEFOLD_CHECK(n <= capacity(h));
        return {address_of(h), n};
    }
    /// Asks for what read and place of the object look at first, without waiting for it; any handle may be given.
    PAGEFOLD_ALWAYS_INLINE void prefetch(object_handle h) const noexcept {
        if (!is_whole(h)) {
            spans_.prefetch(id_of(h));
        }
    }

    [[nodiscard]] bool contains(object_handle h) const noexcept { return is_live(h); }
    [[nodiscard]] byte_span place(object_handle h) const noexcept { return {address_of(h), capacity(h)}; }

    /// Places that are kept for objects to be moved count as live.
    [[nodiscard]] unsigned fullness(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        if (is_whole(h) || comes_free(h)) {
            return 0;
        }
        const span& s = spans_[id_of(h)];
        const unsigned share = s.used() * max_fullness / s.end();
        return share == 0 ? 1 : share;
    }

    [[nodiscard]] std::size_t allocated_bytes() const noexcept { return allocated_ - bytes_waiting(); }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return held_ + whole_.bytes_held(); }
    [[nodiscard]] std::size_t table_bytes() const noexcept {
        return spans_.bytes() + links_.bytes() + whole_.table_bytes();
    }

    /// Sparsest spans first, as long as the budget lasts and a place can be kept for each of their objects in the others;
    /// one span even where the budget is smaller than it, but none for 0, and of spans_a_plan at most. Whatever is allocated
    /// afterwards, no relocate fails. Called again before finish_compaction, it keeps its victims and adds to them; answers
    /// and budget are for all that are left. Spans for whose objects there was no place come last in the next calls. Where
    /// there are no sparse ones, those whose records keep much of a table, for which it may open others: then what is held
    /// grows first. Cost, in any store: some steps for each object of the spans looked at, and a look at
    /// high_numbers::looks_a_plan numbers.
    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept {
        if (max_bytes_to_move == 0) {
            return victim_bytes_;
        }
        free_waiting();
        const std::size_t before = victim_bytes_;
        if (before == 0) {
            high_.restart();
        }
        span* sparse = pick_candidates(max_bytes_to_move);
        if (sparse == nullptr) {
            side_ ^= other_side;
            sparse = pick_candidates(max_bytes_to_move);
        }
        make_victims(sparse, false);
        if (victim_bytes_ == before) {
            make_victims(pick_high(max_bytes_to_move), true);
        }
        return victim_bytes_;
    }

    [[nodiscard]] bool misplaced(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        return !is_whole(h) && spans_[id_of(h)].is_victim();
    }

    /// Goes to a place that the plan has kept for an object of its size. Never fails.
    result<object_handle> relocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h) && misplaced(h));
        const unsigned size = granules_of(h);
        const object_handle moved = take_reserved(size);
        copy_bytes(address_of(moved), address_of(h), size * granule);
        allocated_ += (granules_of(moved) - size) * granule;
        free_in_victim(spans_[id_of(h)], start_of(h), start_of(h) + size);
        return moved;
    }

    /// Looks at one span or two. Whole units are never misplaced.
    byte_span next_misplaced() noexcept {
        while (walked_ != nullptr) {
            Meter::step();
            const span& s = *walked_;
            const auto block = s.map.next_used(next_granule_, s.end());
            if (block.start != s.end()) {
                next_granule_ = block.stop;
                return {s.base() + block.start * granule, (block.stop - block.start) * granule};
            }
            walk_on(s);
        }
        return {};
    }

    /// Cost: some steps for each object and victim left.
    void finish_compaction() noexcept { static_cast<void>(drop_plan(false)); }

    [[nodiscard]] bool check() const noexcept {
        return spans_.check() && whole_.check() && check_lists() && check_groups() && check_spans() &&
               check_reserved() && waiting_.check() && (waiting_.empty() || victims_ == nullptr);
    }

private:
    static constexpr std::size_t max_cut = Unit - granule; // greater objects are whole units
    static constexpr std::uint64_t whole_flag = std::uint64_t{1} << (handle_bits - 1);
    static constexpr std::uint32_t max_id = max_span_number;
    static constexpr std::uint32_t no_span = 0xffffffffu;
    static constexpr unsigned other_side = 8; // of the groups
    static constexpr unsigned group_count = 16;
    static constexpr unsigned least_eighths = 2; // free of a span, for a plan to look at it

    /// A span's neighbours in its list by fullness.
    struct group_links {
        std::uint32_t previous;
        std::uint32_t next;
    };

    // Handles: a span's number (31 bits) and the granule (16), or the number of a whole unit under a flag.

    [[nodiscard]] static unsigned granules_for(std::size_t n) noexcept {
        const unsigned size = static_cast<unsigned>((n + granule - 1) / granule);
        return size < block_map::min_block ? block_map::min_block : size;
    }
    [[nodiscard]] static object_handle make_handle(std::uint32_t id, unsigned start) noexcept {
        return object_handle{std::uint64_t{id} << 16 | start};
    }
    [[nodiscard]] static std::uint32_t id_of(object_handle h) noexcept {
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>(h) >> 16) & max_id;
    }
    [[nodiscard]] static unsigned start_of(object_handle h) noexcept {
        return static_cast<unsigned>(static_cast<std::uint64_t>(h) & 0xffffu);
    }
    [[nodiscard]] static bool is_whole(object_handle h) noexcept {
        return (static_cast<std::uint64_t>(h) & whole_flag) != 0;
    }
    [[nodiscard]] std::byte* address_of(object_handle h) const noexcept {
        return is_whole(h) ? whole_.address(id_of(h)) : spans_[id_of(h)].base() + start_of(h) * granule;
    }
    [[nodiscard]] unsigned granules_of(object_handle h) const noexcept {
        return spans_[id_of(h)].map.end_of_used(start_of(h)) - start_of(h);
    }
    /// The span in which the object would be, or null.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE span* find_span(object_handle h) const noexcept {
        Meter::step();
        return static_cast<std::uint64_t>(h) >> handle_bits == 0 ? spans_.find(id_of(h)) : nullptr;
    }
    [[nodiscard]] bool is_live(object_handle h) const noexcept {
        if (is_whole(h)) {
            return static_cast<std::uint64_t>(h) >> handle_bits == 0 && start_of(h) == 0 && whole_.contains(id_of(h));
        }
        const span* const s = find_span(h);
        return s != nullptr && s->end_of_object(start_of(h)) != 0 && !waiting_.contains(h);
    }
    /// Whether a span is closed when the object is freed: its own, or that of the place kept for it.
    [[nodiscard]] bool comes_free(object_handle h) const noexcept {
        const span& s = spans_[id_of(h)];
        const unsigned size = granules_of(h);
        if (s.used() == size) {
            return true;
        }
        if (!s.is_victim()) {
            return false;
        }
        const object_handle kept{reserved_[reserved_for(size)] - 1};
        return spans_[id_of(kept)].used() == granules_of(kept);
    }

    result<object_handle> try_allocate(std::size_t n) noexcept {
        if (n == 0 || n > Unit) {
            return status::invalid;
        }
        if (n > max_cut) {
            return allocate_whole();
        }
        const unsigned size = granules_for(n);
        if (const record_ref found = find(size)) {
            return use(found, size);
        }
        const result<object_handle> fresh = open_span(size);
        if (!fresh && victims_ != nullptr) {
            if (span* const kept = drop_plan(true)) {
                return use_first(*kept, size);
            }
        }
        if (!fresh) {
            if (const record_ref found = find(size, false, ~std::size_t{0})) {
                return use(found, size);
            }
        }
        return fresh;
    }
    result<object_handle> allocate_whole() noexcept {
        if (Unit % source_.page_size() != 0) {
            return status::invalid;
        }
        const result<std::uint32_t> id = whole_.allocate(max_id);
        if (!id) {
            return id.error();
        }
        allocated_ += Unit;
        return object_handle{whole_flag | std::uint64_t{*id} << 16};
    }
    void deallocate_whole(object_handle h) noexcept {
        if (is_live(h)) {
            whole_.deallocate(id_of(h));
            allocated_ -= Unit;
        }
    }

    // Lists of free blocks by size: as many granules as there are second levels have a list each, then every power of two
    // is divided into second levels, and from a unit on, where any block fits any object, there is one for 64 granules.

    struct size_map {
        std::uint8_t list_of[span_granules + 1];   // the list of blocks of that size
        std::uint8_t first_fit[unit_granules + 3]; // the first that has no smaller ones
    };
    [[nodiscard]] static constexpr unsigned log2(unsigned x) noexcept { return bit_length(x) - 1; }
    static constexpr unsigned unit_list = (log2(unit_granules) - log2(SecondLevels) + 1) * SecondLevels;
    static constexpr unsigned list_count = unit_list + (span_granules - unit_granules) / 64 + 1;

    [[nodiscard]] static constexpr size_map map_sizes() noexcept {
        size_map out{};
        for (unsigned size = 1; size <= span_granules; ++size) {
            const unsigned first = log2(size);
            const unsigned shift = first > log2(SecondLevels) ? first - log2(SecondLevels) : 0;
            const unsigned number =
                size < unit_granules ? shift * SecondLevels + (size >> shift) : unit_list + (size - unit_granules) / 64;
            out.list_of[size] = static_cast<std::uint8_t>(number);
            if (size < sizeof out.first_fit) {
                const bool is_least = out.list_of[size - 1] != number;
                out.first_fit[size] = static_cast<std::uint8_t>(is_least ? number : number + 1);
            }
        }
        return out;
    }
    static constexpr size_map sizes_ = map_sizes();
    [[nodiscard]] static unsigned list_of(unsigned size) noexcept { return sizes_.list_of[size]; }

    /// Into the list of its size, as its first.
    PAGEFOLD_ALWAYS_INLINE void link(span& s, unsigned at, unsigned size) noexcept {
        const unsigned number = list_of(size);
        const record_ref head = heads_[number];
        s.previous[at] = record_ref{};
        s.next[at] = head;
        heads_[number] = record_ref{s, at};
        Meter::step();
        if (head) {
            Meter::step();
            head.owner()->previous[head.at()] = record_ref{s, at};
        } else {
            lists_.set(number);
        }
    }
    PAGEFOLD_ALWAYS_INLINE void unlink(const span& s, unsigned at) noexcept {
        const record_ref previous = s.previous[at], next = s.next[at];
        Meter::step();
        if (next) {
            Meter::step();
            next.owner()->previous[next.at()] = previous;
        }
        if (previous) {
            Meter::step();
            previous.owner()->next[previous.at()] = next;
            return;
        }
        const unsigned number = list_of(s.sizes.of[at]);
        heads_[number] = next;
        if (!next) {
            lists_.clear(number);
        }
    }
    /// A block with a record is another one now.
    PAGEFOLD_ALWAYS_INLINE void change_record(span& s, unsigned at, unsigned start, unsigned size) noexcept {
        const bool stays = list_of(s.sizes.of[at]) == list_of(size);
        if (!stays) {
            unlink(s, at);
        }
        s.set_record(at, start, size);
        if (!stays) {
            link(s, at, size);
        }
    }

    /// A free block of at least `size` granules, but not of one more where that is `exact`: the first of the first list
    /// that has no smaller ones; before that, one of a few in the list of that size.
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE record_ref find(unsigned size, bool exact = false,
                                                         std::size_t looks = few_looks) const noexcept {
        const unsigned more = exact ? size + block_map::min_block : size;
        const unsigned own = list_of(size), fits = sizes_.first_fit[more];
        if (own != fits) {
            record_ref at = heads_[own];
            for (std::size_t i = 0; at && i < looks; ++i) {
                Meter::step();
                const unsigned available = at.owner()->sizes.of[at.at()];
                if (available == size || available >= more) {
                    return at;
                }
                at = at.owner()->next[at.at()];
            }
        }
        Meter::step();
        const unsigned number = lists_.find_from(fits);
        return number == lists_.npos ? record_ref{} : heads_[number];
    }

    // Blocks

    /// Uses the first `size` granules of a free block, or one more; returns how many. There is a record for the rest.
    PAGEFOLD_ALWAYS_INLINE unsigned take(span& s, unsigned at, unsigned size) noexcept {
        const unsigned start = s.starts.of[at], available = s.sizes.of[at];
        const unsigned taken = s.map.take(start, available, size);
        s.add_used(taken);
        if (s.group() != 0) [[unlikely]] {
            regroup(s);
        }
        if (taken != available) {
            piece left{start + taken, available - taken};
            if (s.unlisted() != 0) [[unlikely]] {
                left = largest_of(s, left);
            }
            change_record(s, at, left.start, left.size);
            return taken;
        }
        unlink(s, at);
        s.clear_record(at);
        if (s.unlisted() != 0) [[unlikely]] {
            list_another(s, at);
        }
        return taken;
    }
    PAGEFOLD_ALWAYS_INLINE object_handle use(record_ref found, unsigned size) noexcept {
        span& s = *found.owner();
        const object_handle h = make_handle(s.id(), s.starts.of[found.at()]);
        allocated_ += take(s, found.at(), size) * granule;
        waiting_.forget(h);
        return h;
    }

    /// Frees a used block, which becomes one with the free blocks on both sides; a span that is all free is closed.
    PAGEFOLD_ALWAYS_INLINE void free_block(span& s, unsigned start, unsigned stop) noexcept {
        const auto merged = s.map.give_back(start, stop, s.end());
        if (merged.stop - merged.start == s.end()) {
            close_span_with_records(s);
            return;
        }
        s.subtract_used(stop - start);
        if (s.used() * 4 <= s.end() * 3) [[unlikely]] {
            regroup(s);
        }
        if (merged.start == start && merged.stop == stop) {
            add_record(s, start, stop - start);
        } else {
            merge_records(s, start, stop, merged);
        }
    }
    /// One record for a free block, instead of those of the blocks around the granules from `start` to `stop`.
    void merge_records(span& s, unsigned start, unsigned stop, typename block_map::extent merged) noexcept {
        const unsigned before = merged.start != start ? s.record_that_ends(start) : no_record;
        const unsigned after = merged.stop != stop ? s.record_that_starts(stop) : no_record;
        if (merged.start != start && before == no_record) {
            s.decrease_unlisted();
        }
        if (merged.stop != stop && after == no_record) {
            s.decrease_unlisted();
        }
        if (before == no_record && after == no_record) {
            add_record(s, merged.start, merged.stop - merged.start);
            return;
        }
        change_record(s, before != no_record ? before : after, merged.start, merged.stop - merged.start);
        if (before != no_record && after != no_record) {
            unlink(s, after);
            s.clear_record(after);
            if (s.unlisted() != 0) [[unlikely]] {
                list_another(s, after);
            }
        }
    }

    /// A record for a free block that has none, unless larger ones have them all.
    PAGEFOLD_ALWAYS_INLINE void add_record(span& s, unsigned start, unsigned size) noexcept {
        unsigned at = s.vacant_record();
        if (at == no_record) [[unlikely]] {
            at = displace(s, size);
            if (at == no_record) {
                return;
            }
        }
        s.use_record(at);
        s.set_record(at, start, size);
        link(s, at, size);
    }
    /// The record of the smallest free block that has one, which loses it; no_record where that is of `size` or more.
    PAGEFOLD_COLD unsigned displace(span& s, unsigned size) noexcept {
        unsigned least = 0;
        for (unsigned i = 1; i < record_count; ++i) {
            least = s.sizes.of[i] < s.sizes.of[least] ? i : least;
        }
        s.increase_unlisted();
        if (s.sizes.of[least] >= size) {
            return no_record;
        }
        unlink(s, least);
        return least;
    }
    /// A record came free in a span with more free blocks than records: the largest of the others has it.
    PAGEFOLD_COLD void list_another(span& s, unsigned record) noexcept {
        const piece largest = largest_of(s, {0, 0});
        s.decrease_unlisted();
        s.use_record(record);
        s.set_record(record, largest.start, largest.size);
        link(s, record, largest.size);
    }
    struct piece {
        unsigned start, size;
    };
    /// The largest of the free blocks without a record and of `one`, which is what is left of one that had a record.
    [[nodiscard]] PAGEFOLD_COLD piece largest_of(const span& s, piece one) const noexcept {
        s.map.for_each_free([&](unsigned start, unsigned size) {
            if (size > one.size && start != s.starts.of[0] && start != s.starts.of[1] && start != s.starts.of[2]) {
                one = {start, size};
            }
        });
        return one;
    }

    // Frees. A record comes from far away; so with many spans a free waits until it is there. A plan moves objects out of
    // some, which must then be just those that live: none waits while there are victims.

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool may_wait() const noexcept {
        return spans_.size() >= pending_frees::few_spans && victims_ == nullptr;
    }
    /// Nothing where no such object lives.
    PAGEFOLD_NOINLINE void free_object(object_handle h) noexcept {
        span* const from = find_span(h);
        const unsigned start = start_of(h);
        const unsigned stop = from != nullptr ? from->end_of_object(start) : 0;
        if (stop == 0) [[unlikely]] {
            return;
        }
        allocated_ -= (stop - start) * granule;
        if (from->is_victim()) [[unlikely]] {
            drop_reserved(stop - start);
            free_in_victim(*from, start, stop);
        } else {
            free_block(*from, start, stop);
        }
    }
    PAGEFOLD_COLD void free_waiting() noexcept {
        waiting_.free_all([this](object_handle one) { free_object(one); });
    }
    [[nodiscard]] std::size_t bytes_waiting() const noexcept {
        return waiting_.sum([this](object_handle h) {
            const span* const s = find_span(h);
            const unsigned stop = s != nullptr ? s->end_of_object(start_of(h)) : 0;
            return stop != 0 ? (stop - start_of(h)) * granule : 0;
        });
    }

    // Spans

    /// A new span with one object.
    PAGEFOLD_NOINLINE result<object_handle> open_span(unsigned size) noexcept {
        const result<span*> fresh = open_empty(false);
        if (!fresh) {
            return fresh.error();
        }
        return use_first(**fresh, size);
    }
    /// Of a span that is all free.
    object_handle use_first(span& s, unsigned size) noexcept {
        const object_handle h = use(record_ref{s, 0}, size);
        regroup(s);
        return h;
    }
    /// A new span, in which something is to be used next. Of fewer units where the source has no more, or has none left for
    /// the record then; with a low number for that, whatever table it takes, or one that takes none.
    result<span*> open_empty(bool low) noexcept {
        if (Unit % source_.page_size() != 0) {
            return status::invalid;
        }
        result<span*> fresh = status::no_memory;
        unsigned units = span::max_units;
        do {
            fresh = open_empty(units, low);
        } while (!fresh && --units != 0);
        return fresh;
    }
    result<span*> open_empty(unsigned units, bool low) noexcept {
        const result<void*> memory = source_.acquire(units * Unit / source_.page_size(), node_);
        if (!memory) {
            return memory.error();
        }
        const result<std::uint32_t> id = low ? spans_.insert_lowest() : spans_.insert();
        const status why = !id ? id.error() : *id > max_id ? status::limit : links_.reserve(*id);
        if (why != status::ok) {
            if (id) {
                spans_.erase(*id);
            }
            source_.release(*memory, units * Unit / source_.page_size());
            return why;
        }
        span& s = spans_[*id];
        s.open(*memory, units, *id);
        held_ += s.bytes();
        add_record(s, 0, s.end());
        return &s;
    }
    PAGEFOLD_COLD void close_span_with_records(span& s) noexcept {
        unlink_all(s);
        close_span(s);
    }
    void unlink_all(const span& s) noexcept {
        for (unsigned i = 0; i < record_count; ++i) {
            if (s.sizes.of[i] != 0) {
                unlink(s, i);
            }
        }
    }
    /// Gives a span that is all free back to the source; its records are in no list.
    PAGEFOLD_COLD void close_span(span& s) noexcept {
        set_group(s, 0);
        source_.release(s.base(), s.bytes() / source_.page_size());
        held_ -= s.bytes();
        spans_.erase(s.id());
        links_.trim(spans_.size() != 0 ? spans_.bound() + spans_.chunk_elements() : 0);
    }

    // Lists of spans by the eighths that are free of them: those of which less than a quarter is free, or that can't be emptied
    // now, are in none. (In steady churn hardly a span is in one, so that most frees and allocations only see that. With spans
    // of which an eighth is free they took 20 % longer, and plans came no further.) There are two sides: a plan picks from
    // one, and leaves on the other what it finds no places for, until there is no more on this one.

    [[nodiscard]] static unsigned emptiness(const span& s) noexcept {
        const unsigned eighths = s.is_victim() || s.has_reserved() ? 0 : s.free_eighths();
        return eighths < least_eighths ? 0 : eighths;
    }
    PAGEFOLD_NOINLINE void regroup(span& s) noexcept {
        const unsigned eighths = emptiness(s);
        if (eighths != (s.group() & (other_side - 1))) {
            set_group(s, eighths == 0 ? 0 : eighths | side_);
        }
    }
    void set_group(span& s, unsigned group) noexcept {
        const std::uint32_t id = s.id();
        Meter::step();
        group_links& links = links_[id];
        if (s.group() != 0) {
            Meter::step();
            (links.previous == no_span ? groups_[s.group()] : links_[links.previous].next) = links.next;
            if (links.next != no_span) {
                Meter::step();
                links_[links.next].previous = links.previous;
            }
        }
        s.set_group(group);
        if (group != 0) {
            Meter::step();
            links = {no_span, groups_[group]};
            groups_[group] = id;
            if (links.next != no_span) {
                Meter::step();
                links_[links.next].previous = id;
            }
        }
    }

    // Compaction. A victim's free blocks are in no list and have no records; its first record links it to other victims.
    // For every object of a victim there is a reserved block of its size elsewhere, which links to the next in its bytes.

    /// How much a plan may take on yet.
    struct allowance {
        std::size_t to_move;  // bytes of objects in victims and candidates
        std::size_t to_place; // of those in candidates
        std::size_t room;     // free bytes of all other spans
        std::size_t max_to_move;

        [[nodiscard]] bool covers(std::size_t used, std::size_t free) const noexcept {
            return (to_move + used <= max_to_move) && to_place + used + free <= room;
        }
        void spend(std::size_t used, std::size_t free) noexcept {
            to_move += used;
            to_place += used;
            room -= free;
        }
    };

    /// Takes up to spans_a_plan spans out of service that could be emptied, if all free bytes elsewhere were of use. They are
    /// in a list, the sparsest first, linked as victims are.
    span* pick_candidates(std::size_t max_bytes_to_move) noexcept {
        const std::size_t room = held_ - victim_bytes_ - (allocated_ - whole_.bytes_held());
        allowance left{pending_bytes_, 0, room, max_bytes_to_move};
        span *first = nullptr, *last = nullptr;
        unsigned looks_left = spans_a_plan;
        for (unsigned eighths = 7; eighths >= least_eighths; --eighths) {
            for (std::uint32_t id = groups_[eighths | side_]; id != no_span && looks_left != 0; --looks_left) {
                Meter::step();
                span& s = spans_[id];
                id = links_[id].next;
                const std::size_t bytes = s.used_bytes();
                if (left.to_move == 0) {
                    left.max_to_move = max_bytes_to_move < bytes ? bytes : max_bytes_to_move;
                }
                if (!left.covers(bytes, s.bytes() - bytes)) {
                    continue;
                }
                left.spend(bytes, s.bytes() - bytes);
                take_out_of_service(s);
                s.next[0] = record_ref{};
                if (last != nullptr) {
                    last->next[0] = record_ref{s, 0};
                } else {
                    first = &s;
                }
                last = &s;
            }
        }
        return first;
    }
    /// The same with spans of high numbers.
    span* pick_high(std::size_t max_bytes_to_move) noexcept {
        span* first = nullptr;
        std::size_t to_move = pending_bytes_;
        unsigned left = spans_a_plan, looks_left = high_numbers::looks_a_plan;
        for (std::uint32_t id = high_.next(spans_, looks_left); id != high_numbers::none && left != 0;
             id = high_.next(spans_, looks_left)) {
            Meter::step();
            span& s = spans_[id];
            if (s.is_victim() || s.has_reserved()) {
                continue;
            }
            if (to_move + s.used_bytes() > max_bytes_to_move) {
                break;
            }
            to_move += s.used_bytes();
            take_out_of_service(s);
            s.next[0] = first != nullptr ? record_ref{*first, 0} : record_ref{};
            first = &s;
            --left;
        }
        return first;
    }
    void make_victims(span* candidates, bool may_open) noexcept {
        while (candidates != nullptr) {
            span& s = *candidates;
            candidates = s.next[0].owner();
            if (!make_victim(s, may_open)) {
                return_to_service(s);
                set_group(s, s.group() != 0 ? s.group() ^ other_side : 0);
            }
        }
    }
    void take_out_of_service(span& s) noexcept {
        unlink_all(s);
        s.clear_records();
        s.set_victim(true);
        set_group(s, 0);
    }
    void return_to_service(span& s) noexcept {
        s.set_victim(false);
        s.clear_records();
        s.map.for_each_free([&](unsigned start, unsigned size) { add_record(s, start, size); });
        regroup(s);
    }
    /// Keeps a place for every object of a candidate; where there is none for one of them, nothing has changed.
    [[nodiscard]] bool make_victim(span& s, bool may_open) noexcept {
        unsigned placed_below = s.end();
        s.map.for_each_used(s.end(), [&](unsigned start, unsigned size) {
            if (!reserve(size, may_open)) {
                placed_below = start;
                return false;
            }
            return true;
        });
        if (placed_below != s.end()) {
            s.map.for_each_used(placed_below, [&](unsigned, unsigned size) {
                drop_reserved(size);
                return true;
            });
            return false;
        }
        s.previous[0] = record_ref{};
        s.next[0] = record_ref{};
        if (victims_ != nullptr) {
            s.next[0] = record_ref{*victims_, 0};
            victims_->previous[0] = record_ref{s, 0};
        }
        victims_ = &s;
        if (walked_ == nullptr) {
            walked_ = &s;
            next_granule_ = 0;
        }
        victim_bytes_ += s.bytes();
        pending_bytes_ += s.used_bytes();
        return true;
    }
    /// Frees a block of a victim, of which no place is kept any more.
    void free_in_victim(span& s, unsigned start, unsigned stop) noexcept {
        const auto merged = s.map.give_back(start, stop, s.end());
        pending_bytes_ -= (stop - start) * granule;
        if (merged.stop - merged.start != s.end()) {
            s.subtract_used(stop - start);
            return;
        }
        if (walked_ == &s) {
            walk_on(s);
        }
        span* const previous = s.previous[0].owner();
        span* const next = s.next[0].owner();
        if (previous != nullptr) {
            previous->next[0] = s.next[0];
        } else {
            victims_ = next;
        }
        if (next != nullptr) {
            next->previous[0] = s.previous[0];
        }
        victim_bytes_ -= s.bytes();
        close_span(s);
    }

    /// From one victim to the one that became one after it.
    void walk_on(const span& s) noexcept {
        walked_ = s.previous[0].owner();
        next_granule_ = 0;
    }

    /// The granules that are kept for an object of `size`.
    [[nodiscard]] static unsigned reserved_for(unsigned size) noexcept {
        return size < span::min_reserved ? span::min_reserved : size;
    }
    /// Exactly so many, lest an object grow by a granule whenever it is moved.
    [[nodiscard]] bool reserve(unsigned object_size, bool may_open) noexcept {
        const unsigned size = reserved_for(object_size);
        record_ref found = find(size, true);
        if (!found && may_open) {
            found = find_in_new_span(size);
        }
        if (!found) {
            return false;
        }
        span& s = *found.owner();
        const unsigned start = s.starts.of[found.at()];
        static_cast<void>(take(s, found.at(), size));
        s.flip_reserved(start);
        regroup(s);
        store_native(s.base() + start * granule, reserved_[size]);
        reserved_[size] = static_cast<std::uint64_t>(make_handle(s.id(), start)) + 1;
        return true;
    }
    record_ref find_in_new_span(unsigned size) noexcept {
        const result<span*> fresh = open_empty(true);
        const record_ref found = fresh ? find(size, true) : record_ref{};
        if (fresh && !found) {
            close_span_with_records(**fresh);
        }
        return found;
    }
    /// What was kept for an object of `size` is one now.
    object_handle take_reserved(unsigned object_size) noexcept {
        std::uint64_t& head = reserved_[reserved_for(object_size)];
        PAGEFOLD_CHECK(head != 0);
        const object_handle h{head - 1};
        head = load_native<std::uint64_t>(address_of(h));
        span& s = spans_[id_of(h)];
        s.flip_reserved(start_of(h));
        regroup(s);
        return h;
    }
    /// Forgets what was to be moved. Where only places were kept in a span, it goes back; but one of these, if asked for,
    /// stays and is returned, for the caller to use at once: so a refused allocation never gives memory back.
    span* drop_plan(bool keep_one) noexcept {
        if (victims_ == nullptr) {
            return nullptr;
        }
        span* kept = nullptr;
        for (unsigned size = span::min_reserved; size <= unit_granules; ++size) {
            while (reserved_[size] != 0) {
                if (keep_one && kept == nullptr && place_is_last(size)) {
                    kept = &spans_[id_of(take_reserved(size))];
                    make_all_free(*kept);
                } else {
                    drop_reserved(size);
                }
            }
        }
        walked_ = nullptr;
        while (victims_ != nullptr) {
            span& s = *victims_;
            victims_ = s.next[0].owner();
            return_to_service(s);
        }
        victim_bytes_ = 0;
        pending_bytes_ = 0;
        return kept;
    }
    /// Whether the next place of the size that would be given back is all there is in its span.
    [[nodiscard]] bool place_is_last(unsigned size) const noexcept {
        const object_handle h{reserved_[size] - 1};
        return spans_[id_of(h)].used() == granules_of(h);
    }
    void make_all_free(span& s) noexcept {
        unlink_all(s);
        set_group(s, 0);
        s.open(s.base(), s.units(), s.id());
        add_record(s, 0, s.end());
    }
    void drop_reserved(unsigned object_size) noexcept {
        const object_handle h = take_reserved(object_size);
        span& s = spans_[id_of(h)];
        free_block(s, start_of(h), s.map.end_of_used(start_of(h)));
    }

    // Checks

    /// Lists against the bitmap, records against their lists and links.
    [[nodiscard]] bool check_lists() const noexcept {
        std::size_t listed = 0, recorded = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            for (unsigned i = 0; i < record_count; ++i) {
                recorded += spans_[id].sizes.of[i] != 0 ? 1u : 0u;
            }
        }
        for (unsigned number = 0; number < list_count; ++number) {
            if (lists_.test(number) != static_cast<bool>(heads_[number])) {
                return false;
            }
            record_ref previous;
            for (record_ref at = heads_[number]; at; at = at.owner()->next[at.at()]) {
                const span& s = *at.owner();
                const unsigned size = s.sizes.of[at.at()];
                if (++listed > recorded || s.is_victim() || s.previous[at.at()] != previous || size == 0 ||
                    size > span_granules || list_of(size) != number) {
                    return false;
                }
                previous = at;
            }
        }
        return listed == recorded && lists_.check();
    }
    /// Spans against their lists by fullness.
    [[nodiscard]] bool check_groups() const noexcept {
        std::size_t grouped = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            if ((spans_[id].group() & (other_side - 1)) != emptiness(spans_[id])) {
                return false;
            }
            grouped += spans_[id].group() != 0 ? 1u : 0u;
        }
        for (unsigned group = 1; group < group_count; ++group) {
            for (std::uint32_t id = groups_[group], before = no_span; id != no_span;
                 before = id, id = links_[id].next) {
                if (!spans_.contains(id) || spans_[id].group() != group || links_[id].previous != before ||
                    grouped-- == 0) {
                    return false;
                }
            }
        }
        return grouped == 0;
    }
    /// Records against the blocks of their span.
    [[nodiscard]] static bool check_records(const span& s) noexcept {
        unsigned with_record = 0, blocks = 0, least = span_granules, most = 0;
        bool right = true;
        s.map.for_each_free([&](unsigned start, unsigned size) {
            ++blocks;
            const unsigned at = s.record_that_starts(start);
            with_record += at != no_record ? 1u : 0u;
            right = right && (at == no_record || s.sizes.of[at] == size);
            least = at != no_record && size < least ? size : least;
            most = at == no_record && size > most ? size : most;
        });
        unsigned recorded = 0;
        for (unsigned i = 0; i < record_count; ++i) {
            recorded += s.sizes.of[i] != 0 ? 1u : 0u;
        }
        if (s.is_victim()) {
            return recorded == 0 && s.unlisted() == 0 && !s.has_reserved();
        }
        return right && most <= least && recorded == with_record && s.unlisted() == blocks - with_record &&
               (s.unlisted() == 0 || recorded == record_count);
    }
    /// Spans against their maps, and the sums.
    [[nodiscard]] bool check_spans() const noexcept {
        std::size_t held = 0, allocated = whole_.bytes_held(), victims = 0, pending = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            const span& s = spans_[id];
            if (s.id() != id || !s.map.check(s.end()) || !check_records(s)) {
                return false;
            }
            unsigned used = 0, objects = 0;
            s.map.for_each_used(s.end(), [&](unsigned start, unsigned size) {
                used += size;
                objects += s.is_reserved(start) ? 0 : size;
                return true;
            });
            if (used != s.used()) {
                return false;
            }
            held += s.bytes();
            allocated += objects * granule;
            victims += s.is_victim() ? s.bytes() : 0;
            pending += s.is_victim() ? s.used_bytes() : 0;
        }
        return held == held_ && allocated == allocated_ && victims == victim_bytes_ && pending == pending_bytes_;
    }
    /// Reserved blocks against the objects of victims, and those against their list.
    [[nodiscard]] bool check_reserved() const noexcept {
        std::size_t wanted[unit_granules + 1]{};
        std::size_t in_list = 0, victims = 0, flagged = 0, kept = 0;
        const span* previous = nullptr;
        for (const span* s = victims_; s != nullptr; previous = s, s = s->next[0].owner()) {
            if (++in_list > spans_.size() || !s->is_victim() || s->previous[0].owner() != previous) {
                return false;
            }
            s->map.for_each_used(s->end(), [&](unsigned, unsigned size) {
                ++wanted[reserved_for(size)];
                return true;
            });
        }
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            victims += spans_[id].is_victim() ? 1u : 0u;
            flagged += spans_[id].reserved_count();
        }
        for (unsigned size = 0; size <= unit_granules; ++size) {
            std::size_t here = 0;
            for (std::uint64_t at = reserved_[size]; at != 0; ++here) {
                const object_handle h{at - 1};
                const span* const s = find_span(h);
                if (here == wanted[size] || s == nullptr || start_of(h) >= s->end() || !s->is_reserved(start_of(h)) ||
                    granules_of(h) != size) {
                    return false;
                }
                at = load_native<std::uint64_t>(address_of(h));
            }
            if (here != wanted[size]) {
                return false;
            }
            kept += here;
        }
        return in_list == victims && flagged == kept;
    }

    Source& source_;
    node_id node_;
    slot_pool<span, Source> spans_;
    page_directory<group_links, Source> links_;
    whole_units<Source, Unit> whole_;
    two_level_bitmap<list_count> lists_{}; // bit set: the list has a block
    record_ref heads_[list_count]{};       // the lists
    std::uint32_t groups_[group_count];    // lists of spans by the eighths that are free
    high_numbers high_{};
    unsigned side_ = 0; // of these, the one that the next plan picks from: 0 or other_side
    pending_frees waiting_{};
    std::uint64_t reserved_[unit_granules + 1]{}; // by size, the first reserved block's handle plus one; 0 for none
    span* victims_ = nullptr;                     // list of spans to be emptied, the last one first
    span* walked_ = nullptr;                      // the one of them whose objects next_misplaced names
    unsigned next_granule_ = 0;                   // of that one, the first it has not looked at
    std::size_t victim_bytes_ = 0;                // their bytes
    std::size_t pending_bytes_ = 0;               // bytes of the objects in them
    std::size_t allocated_ = 0;                   // waiting frees' too
    std::size_t held_ = 0;                        // whole units left out
};

} // namespace pagefold
