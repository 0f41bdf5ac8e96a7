// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/high_numbers.hpp>
#include <pagefold/alloc/no_meter.hpp>
#include <pagefold/alloc/pending_frees.hpp>
#include <pagefold/alloc/whole_units.hpp>
#include <pagefold/alloc/xv_span.hpp>
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

// The allocator of xvmalloc (Nitin Gupta, of compcache and the first zram), with its headers beside the pages and spans
// of several pages. Of xvmalloc it keeps the blocks cut to size, with no classes; the exact free lists, looked up in a
// two-level bitmap; the last that came free first; and that a freed block joins the free ones on both sides at once.
//
//     record, 128 bytes           span: 1 to MaxUnits units, 512 granules each
//     | base, 4 largest holes |   |  hole  | object |   hole   | object | object |
//     | table: a start and a  |   ^        ^        ^          ^        ^        ^
//     | state for each block  |   0, free  s1,used  s2,free    s3,used  s4,used  end
//
// A granule is 8 bytes of a 4 KiB unit (Unit / 512 in general); the smallest block is 8 of them. A handle is the span's
// number (31 bits) and the block's first granule (16). Objects of a whole unit are apart (whole_units.hpp).
//
// Invariant: the blocks of a span fill it, and no two holes lie side by side, but in a span that is to be emptied. A span
// is in just one list, by the largest hole that its record lists: exact sizes below a unit, quarters of a unit above. A
// span without objects and reserved places is given back at once. An object never moves but by relocate().
//
// Why so:
// - A block's header is two bytes in its span's table, not four in front of it: freeing touches the record, and no line
//   of any object or of a neighbour. Up to 31 blocks the table is in the record and is searched without a branch; a longer
//   one lies in a block of the span itself, and so a block's cost grows with its span's number of blocks (moving entries).
// - A table that grows takes its new block from the span's largest hole, so that what is free can be used whatever the
//   source says. Where that hole is too small for both, an object gets the smallest hole that fits whole: the table needs no
//   entry for a rest then, and what is wasted is less than the table would have taken. (In cells of a cell_arena, tables
//   needed pages of the source: four for the first one. A source of a few pages held half the objects, and one that had none
//   left refused objects for which there were holes.) The block is kept when the table is back in the record.
// - Lists are of spans, by their largest hole, rather than of holes: a span is in one list, without links in the holes.
//   The price is that a span's smaller holes are reached only when they have become its largest. No hole is larger than the
//   one that a span is listed by, so that nothing is refused for which any span has a hole.
// - xvmalloc's blocks end with their page, so that an object of more than half a page takes one alone. Spans of up to
//   MaxUnits units leave a rest per span instead of one per page. A span of more units comes free less often, and a small
//   store would not fill it; so a span is opened with a 64th of the units held, and fewer if the source refuses.
//
// Compaction takes the emptiest eighths first and reserves a place elsewhere for every object before it is told to move,
// the largest first, so that relocate cannot fail; where no place is left, the fullest of the spans picked is kept. The
// places are linked through their own first bytes, one list a size. Where the source refuses, the plan is given up.
//
// Cost: allocate and deallocate look at one record, its table, and the bitmap's three words; neither walks a list. A plan
// looks at the tables of the spans it picks once for each of 16 bands of size.
//
// Measured with LZ4 sizes of pages of programs and of page cache, 200k objects: bytes asked for over bytes held, tables
// included, 0.993 filled, 0.982 after 10 random free + allocate an object, 0.979 when a random half is freed and one plan
// carried out. A free + allocate takes 1.1 times the mean of jemalloc's, because frees wait for their records
// (pending_frees.hpp), and 1.7 to 2.2 times, when none did. xvmalloc as published, built to be measured (4-byte headers and
// links in the blocks, pages apart): 3.5 times; 0.965, 0.978, and 0.649 after the half was freed, as it moves nothing.

namespace pagefold::inline PAGEFOLD_ABI {

/// A compacting_allocator, snug and span-aware, of blocks cut to size. `Unit` is the greatest object, a store's page size;
/// the source's page size must divide it, or allocate answers `invalid`. A span has up to `MaxUnits` units. Deterministic.
/// Not thread-safe.
///
/// Where the source refuses a span, a plan under way is dropped for the room in the spans that were to be emptied.
/// deallocate ignores a handle that is not live, where checked builds assert; other calls with one are undefined without
/// them.
template <page_source Source, std::size_t Unit = 4096, unsigned MaxUnits = 8, class Meter = no_meter>
class xv {
public:
    /// The same over pages of another source, for decorators (over_source).
    template <page_source Other>
    using over = xv<Other, Unit, MaxUnits, Meter>;

    static_assert(is_power_of_two(Unit) && Unit >= 4096 && Unit <= 65536);
    static_assert(MaxUnits >= 1 && MaxUnits <= xv_span::max_units);

    static constexpr std::size_t max_size = Unit;
    static constexpr unsigned spans_a_plan = 64; ///< that a plan looks at, at most

    xv(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, spans_{source, node}, links_{source, node}, whole_(source, node) {
        for (xv_links& head : heads_) {
            head = {&head, &head};
        }
        lists_.set(no_list);
        for (std::uint32_t& head : groups_) {
            head = no_span;
        }
        for (block_ref& head : reserved_) {
            head = no_block;
        }
    }
    ~xv() {
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            source_.release(spans_[id].base, spans_[id].units * unit_pages());
        }
    }
    xv(const xv&) = delete;
    xv& operator=(const xv&) = delete;

    /// O(1), but for a walk over one span's table. At most 7 granules more than rounded(n), or where the span's table is full
    /// and can't grow, as many more as a longer table would take. Refuses only where no span has a hole that is large enough
    /// and the source has no unit, or no page for the record of one.
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> made = try_allocate(n);
        if (!made && !waiting_.empty()) [[unlikely]] { // what was freed is as good as free
            free_waiting();
            return try_allocate(n);
        }
        return made;
    }

    /// As allocate, which takes no place that is much too large.
    result<object_handle> allocate_snug(std::size_t n) noexcept { return allocate(n); }

    /// O(1), but for a walk over one span's table. Where there are many spans, it is carried out pending_frees::depth such
    /// calls later, or with the next plan. The span goes back when nothing else is in it.
    void deallocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        if (is_whole(h)) {
            if (is_live(h)) {
                whole_.deallocate(id_of(h));
            }
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
        if (is_whole(h)) {
            return Unit;
        }
        const xv_span& span = spans_[id_of(h)];
        return room(span, span.find(granule_of(h))) * granule_bytes;
    }
    /// Whole granules, at least 8 of them.
    [[nodiscard]] std::size_t rounded(std::size_t n) const noexcept {
        PAGEFOLD_CHECK(n != 0 && n <= Unit);
        return granules_of(n) * granule_bytes;
    }
    void write(object_handle h, byte_view bytes) noexcept {
        PAGEFOLD_ASSERT(bytes.size() <= capacity(h));
        copy_bytes(address_of(h), bytes);
    }
    [[nodiscard]] byte_view read(object_handle h, std::size_t n, byte_span) const noexcept {
        PAGEFOLD_ASSERT(n <= capacity(h));
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

    [[nodiscard]] std::size_t allocated_bytes() const noexcept {
        return (allocated_ - granules_waiting()) * granule_bytes + whole_.bytes_held();
    }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return held_units_ * Unit + whole_.bytes_held(); }
    [[nodiscard]] std::size_t table_bytes() const noexcept {
        return spans_.bytes() + links_.bytes() + whole_.table_bytes();
    }

    /// 0 also where the place reserved for a misplaced object is all that is in its span. A place that is reserved counts
    /// as live.
    [[nodiscard]] unsigned fullness(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        if (is_whole(h)) {
            return 0;
        }
        const xv_span& span = spans_[id_of(h)];
        const unsigned at = span.find(granule_of(h));
        if (is_last(span, at) || (span.group == victim_group && place_is_last(room(span, at)))) {
            return 0;
        }
        const unsigned full = span.used_granules() * max_fullness / span.granules();
        return full != 0 ? full : 1;
    }

    /// Emptiest spans first, as long as their objects find places in the others, which are reserved at once; one span even
    /// where the budget is smaller than it, but none for 0, and of spans_a_plan at most. Called again before
    /// finish_compaction, it adds to its victims; answers and budget are for all that are left. Spans for whose objects there
    /// was no place come last in the next calls. Where there are no sparse ones, those whose records keep much of a table, for
    /// which it may open others: then what is held grows first. May take memory for tables, too. Cost, in any store: a walk
    /// over the tables of the spans looked at for each of 16 bands of size, and a look at high_numbers::looks_a_plan numbers.
    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept {
        free_waiting();
        const std::size_t units_before = victim_units_, most_to_move = max_bytes_to_move / granule_bytes;
        const bool any = max_bytes_to_move != 0;
        if (units_before == 0) {
            high_.restart();
        }
        if (const std::uint32_t first = pick_victims(most_to_move, any); first != no_span) {
            reserve_places(first, false);
        }
        if (any && victim_units_ == units_before) {
            if (const std::uint32_t first = pick_high(most_to_move); first != no_span) {
                reserve_places(first, true);
            }
        }
        return victim_units_ * Unit;
    }

    [[nodiscard]] bool misplaced(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        return !is_whole(h) && spans_[id_of(h)].group == victim_group;
    }

    /// To the place that has been reserved; never fails.
    result<object_handle> relocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h) && misplaced(h));
        xv_span& from = spans_[id_of(h)];
        const unsigned at = from.find(granule_of(h)), size = room(from, at);
        const block_ref moved = pop_reserved(size);
        const std::uint32_t id = id_of(moved);
        xv_span& to = spans_[id];
        const unsigned place = to.find(granule_of(moved));
        to.set_state(place, xv_span::used);
        --to.reserved_blocks;
        regroup(to);
        allocated_ += room(to, place);
        allocated_ -= size;
        copy_bytes(address_of(moved), address_of(h), size * granule_bytes);
        leave_victim(from, at);
        return object_handle{moved};
    }

    /// Looks at each entry of a victim's table once a plan: at up to those of two tables a call, and on the average at two or
    /// so. Objects of a whole unit are never misplaced.
    byte_span next_misplaced() noexcept {
        while (walked_ != no_span) {
            Meter::step();
            const xv_span& span = spans_[walked_];
            unsigned at = span.blocks;
            if (next_granule_ < span.granules()) {
                at = span.next_used(span.find(next_granule_), [] { Meter::step(); });
            }
            if (at != span.blocks) {
                next_granule_ = span.start(at + 1);
                return {span.base + span.start(at) * granule_bytes, room(span, at) * granule_bytes};
            }
            walk_on();
        }
        return {};
    }

    void finish_compaction() noexcept { drop_plan(false); }

    /// Walks every span, list and place. O(all blocks).
    [[nodiscard]] bool check() const noexcept {
        return check_spans() && check_lists() && check_reserved() && lists_.check() && reserved_lists_.check() &&
               spans_.check() && whole_.check() && waiting_.check() && (waiting_.empty() || victim_units_ == 0);
    }

private:
    /// A block: its span's number and its first granule, as in a handle.
    using block_ref = std::uint64_t;
    static constexpr block_ref no_block = ~block_ref{0};
    static constexpr std::uint32_t no_span = 0xffffffffu;
    static constexpr std::uint64_t whole_flag = std::uint64_t{1} << (handle_bits - 1);
    static constexpr std::uint32_t max_id = max_span_number;
    static constexpr std::size_t granule_bytes = Unit / xv_span::unit_granules;
    using table_sizes = xv_table_sizes<granule_bytes>;

    static constexpr unsigned unit_list = xv_span::unit_granules; // the first of those whose holes have a unit or more
    static constexpr unsigned long_step = xv_span::unit_granules / 4;
    static constexpr unsigned list_count = unit_list + (MaxUnits - 1) * (xv_span::unit_granules / long_step) + 1;
    static constexpr unsigned no_list = list_count;
    static constexpr unsigned victim_group = 8; // after the eighths that a span may be empty by
    static constexpr unsigned other_side = 8;   // added to these: the same for spans that a plan found no places for
    static constexpr unsigned group_count = 16;
    static constexpr unsigned band_granules = xv_span::unit_granules / 16;

    /// A span's neighbours in its group.
    struct group_links {
        std::uint32_t previous;
        std::uint32_t next;
    };

    [[nodiscard]] std::size_t unit_pages() const noexcept { return Unit / source_.page_size(); }
    [[nodiscard]] static constexpr unsigned granules_of(std::size_t n) noexcept {
        const unsigned granules = static_cast<unsigned>(ceil_div(n, granule_bytes));
        return granules < xv_span::min_granules ? xv_span::min_granules : granules;
    }
    /// The list of spans whose largest hole has so many granules.
    [[nodiscard]] static constexpr unsigned list_of(unsigned granules) noexcept {
        return granules < xv_span::unit_granules ? granules
                                                 : unit_list + (granules - xv_span::unit_granules) / long_step;
    }
    /// What of a block counts as its object's: one that was not worth splitting may be a little longer than a unit.
    [[nodiscard]] static constexpr unsigned room(unsigned granules) noexcept {
        return granules < xv_span::unit_granules ? granules : xv_span::unit_granules;
    }
    [[nodiscard]] static unsigned room(const xv_span& span, unsigned at) noexcept { return room(span.size(at)); }

    [[nodiscard]] static block_ref make_ref(std::uint32_t id, unsigned granule) noexcept {
        return block_ref{id} << 16 | granule;
    }
    [[nodiscard]] static std::uint32_t id_of(block_ref ref) noexcept {
        return static_cast<std::uint32_t>(ref >> 16) & max_id;
    }
    [[nodiscard]] static unsigned granule_of(block_ref ref) noexcept { return static_cast<unsigned>(ref & 0xffffu); }
    [[nodiscard]] std::byte* address_of(block_ref ref) const noexcept {
        return spans_[id_of(ref)].base + granule_of(ref) * granule_bytes;
    }
    [[nodiscard]] static std::uint32_t id_of(object_handle h) noexcept { return id_of(static_cast<block_ref>(h)); }
    [[nodiscard]] static unsigned granule_of(object_handle h) noexcept { return granule_of(static_cast<block_ref>(h)); }
    [[nodiscard]] static bool is_whole(object_handle h) noexcept {
        return (static_cast<std::uint64_t>(h) & whole_flag) != 0;
    }
    [[nodiscard]] std::byte* address_of(object_handle h) const noexcept {
        return is_whole(h) ? whole_.address(id_of(h)) : address_of(static_cast<block_ref>(h));
    }
    [[nodiscard]] bool is_live(object_handle h) const noexcept {
        if (static_cast<std::uint64_t>(h) >> handle_bits != 0) {
            return false;
        }
        return is_whole(h)
                   ? granule_of(h) == 0 && whole_.contains(id_of(h))
                   : spans_.contains(id_of(h)) && spans_[id_of(h)].starts_used(granule_of(h)) && !waiting_.contains(h);
    }

    result<object_handle> try_allocate(std::size_t n) noexcept {
        if (n == 0 || n > Unit) {
            return status::invalid;
        }
        if (n == Unit) {
            return allocate_whole();
        }
        const unsigned granules = granules_of(n);
        const unsigned list = lists_.find_from(granules);
        const result<xv_span*> span = list != no_list ? &head_of(list) : make_room(granules);
        if (!span) [[unlikely]] {
            return span.error();
        }
        const object_handle h{take(**span, granules, xv_span::used)};
        waiting_.forget(h);
        return h;
    }
    result<object_handle> allocate_whole() noexcept {
        if (Unit % source_.page_size() != 0) {
            return status::invalid;
        }
        const result<std::uint32_t> id = whole_.allocate(max_id);
        if (!id) {
            return id.error();
        }
        return object_handle{whole_flag | make_ref(*id, 0)};
    }

    // Frees. A record comes from far away; so with many spans a free waits until it is there. A plan moves objects out of
    // some, which must then be just those that live: none waits while there are victims.

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool may_wait() const noexcept {
        return spans_.size() >= pending_frees::few_spans && victim_units_ == 0;
    }
    /// Nothing where no such object lives.
    PAGEFOLD_NOINLINE void free_object(object_handle h) noexcept {
        xv_span* const found = static_cast<block_ref>(h) >> handle_bits == 0 ? spans_.find(id_of(h)) : nullptr;
        const unsigned granule = granule_of(h);
        if (found == nullptr || granule >= found->granules()) [[unlikely]] {
            return;
        }
        xv_span& span = *found;
        const unsigned at = span.find(granule);
        if (span.table()[at] != xv_span::entry(granule, xv_span::used)) [[unlikely]] {
            return;
        }
        allocated_ -= room(span, at);
        if (span.group == victim_group) [[unlikely]] {
            give_back_reserved(pop_reserved(room(span, at)));
            leave_victim(span, at);
        } else {
            free_block(span, at);
        }
    }
    PAGEFOLD_COLD void free_waiting() noexcept {
        waiting_.free_all([this](object_handle one) { free_object(one); });
    }
    [[nodiscard]] std::size_t granules_waiting() const noexcept {
        return waiting_.sum([this](object_handle h) {
            const xv_span* const span = static_cast<block_ref>(h) >> handle_bits == 0 ? spans_.find(id_of(h)) : nullptr;
            return span != nullptr && span->starts_used(granule_of(h)) ? room(*span, span->find(granule_of(h))) : 0;
        });
    }

    // Spans.

    [[nodiscard]] unsigned units_to_open() const noexcept {
        const std::size_t fitting = held_units_ / 64;
        return fitting < 1 ? 1 : fitting < MaxUnits ? static_cast<unsigned>(fitting) : MaxUnits;
    }
    /// The span that serves an object of so many granules, when the source has given one more or, if it has none, those
    /// that were to be emptied serve again. Otherwise what the source answered.
    PAGEFOLD_NOINLINE result<xv_span*> make_room(unsigned granules) noexcept {
        const status s = open_span();
        xv_span* const emptied = s != status::ok ? drop_plan(true) : nullptr;
        if (emptied != nullptr) {
            return emptied;
        }
        const unsigned list = lists_.find_from(granules);
        if (list == no_list) {
            return s;
        }
        return &head_of(list);
    }
    /// Of fewer units where the source has no more, or has none left for the record then.
    status open_span(bool lowest = false) noexcept {
        if (Unit % source_.page_size() != 0) {
            return status::invalid;
        }
        status answer = status::ok;
        unsigned units = units_to_open();
        do {
            answer = open_span(units, lowest);
        } while (answer != status::ok && (units /= 2) != 0);
        return answer;
    }
    /// The memory first: what needs a run of pages takes one before single pages are taken out of it.
    status open_span(unsigned units, bool lowest) noexcept {
        const result<void*> memory = source_.acquire(units * unit_pages(), node_);
        if (!memory) {
            return memory.error();
        }
        const result<std::uint32_t> id = lowest ? spans_.insert_lowest() : spans_.insert();
        const status answer = !id ? id.error() : *id <= max_id ? links_.reserve(*id) : status::limit;
        if (answer != status::ok) {
            if (id) {
                spans_.erase(*id);
            }
            source_.release(*memory, units * unit_pages());
            return answer;
        }
        xv_span& span = spans_[*id];
        span.open(*id, static_cast<std::byte*>(*memory), units);
        link(span, no_list);
        held_units_ += units;
        idle_ += span.granules();
        relist(span);
        regroup(span);
        return status::ok;
    }
    /// Gives a span that holds nothing and is in no list by its holes back to the source.
    void close_span(xv_span& span) noexcept {
        set_group(span, 0);
        unlink(span);
        source_.release(span.base, span.units * unit_pages());
        held_units_ -= span.units;
        spans_.erase(span.id);
        links_.trim(spans_.size() != 0 ? spans_.bound() + spans_.chunk_elements() : 0);
    }

    // Tables that are not in the record. They lie in their span, at the upper end of what was its largest hole, so that the
    // source is asked for nothing. The block stays when the table moves home, until the span goes back: by the time when it
    // is needed again there may be no hole that has room for it, though there is for the objects.

    /// Whether there is room for a longer table, and for so many granules besides.
    PAGEFOLD_NOINLINE bool grow_table(xv_span& span, unsigned granules) noexcept {
        if (span.has_own_table() && span.table_granules != 0) {
            use_table_block(span);
            return true;
        }
        const xv_span::hole_key hole = span.holes[0];
        const unsigned size = table_sizes::next(span.table_size), first = xv_span::hole_start(hole);
        if (xv_span::hole_size(hole) < granules + size) {
            return false;
        }
        const unsigned rest = xv_span::hole_size(hole) - size, at = span.find(first);
        const unsigned old_start = span.table_start, old_size = span.table_granules;
        span.table_start = static_cast<std::uint16_t>(first + rest);
        span.table_granules = static_cast<std::uint16_t>(size);
        use_table_block(span);
        span.split(at, rest, xv_span::reserved);
        span.shrink_largest(xv_span::key(first, rest));
        if (old_size != 0) {
            span.free_granules = static_cast<std::uint16_t>(span.free_granules - old_size); // it counted as free
            idle_ -= old_size;
            free_block(span, span.find(old_start), true);
        }
        return true;
    }
    void use_table_block(xv_span& span) noexcept {
        span.move_table(table_in(span), table_sizes::entries(span.table_granules));
    }
    [[nodiscard]] static std::uint16_t* table_in(const xv_span& span) noexcept {
        return static_cast<std::uint16_t*>(static_cast<void*>(span.base + span.table_start * granule_bytes));
    }

    // Lists of spans by their largest hole.

    void relist(xv_span& span) noexcept {
        const unsigned granules = xv_span::hole_size(span.holes[0]);
        set_list(span, granules == 0 ? no_list : list_of(granules));
    }
    void set_list(xv_span& span, unsigned list) noexcept {
        if (span.list != list) {
            unlink(span);
            link(span, list);
        }
    }
    void unlink(xv_span& span) noexcept {
        xv_links* const previous = span.links.previous;
        xv_links* const next = span.links.next;
        previous->next = next;
        next->previous = previous;
        lists_.assign(span.list, previous != next || span.list == no_list);
    }
    void link(xv_span& span, unsigned list) noexcept {
        xv_links& head = heads_[list];
        span.links = {&head, head.next};
        head.next->previous = &span.links;
        head.next = &span.links;
        lists_.set(list);
        span.list = static_cast<std::uint16_t>(list);
    }
    [[nodiscard]] xv_span& head_of(unsigned list) const noexcept {
        return *static_cast<xv_span*>(static_cast<void*>(heads_[list].next));
    }

    /// Uses the upper end of a span's largest hole, or where the table has no entry for what is left, and no room to grow,
    /// all of the smallest hole that fits.
    block_ref take(xv_span& span, unsigned granules, xv_span::block_state state) noexcept {
        if (span.table_is_full() && xv_span::hole_size(span.holes[0]) >= granules + xv_span::min_granules)
            [[unlikely]] {
            if (!grow_table(span, granules)) {
                return take_hole(span, granules, state);
            }
        }
        const xv_span::hole_key hole = span.holes[0];
        const unsigned rest = xv_span::hole_size(hole) - granules;
        unsigned start = xv_span::hole_start(hole), at = span.find(start);
        if (rest >= xv_span::min_granules) {
            span.split(at, rest, state);
            span.shrink_largest(xv_span::key(start, rest));
            start += rest;
            ++at;
        } else {
            granules += rest;
            span.set_state(at, state);
            span.shrink_largest(0);
        }
        return note_taken(span, start, granules, state);
    }
    PAGEFOLD_NOINLINE block_ref take_hole(xv_span& span, unsigned granules, xv_span::block_state state) noexcept {
        const xv_span::hole_key hole = span.least_hole(granules);
        span.set_state(span.find(xv_span::hole_start(hole)), state);
        span.use_hole(hole);
        return note_taken(span, xv_span::hole_start(hole), xv_span::hole_size(hole), state);
    }
    PAGEFOLD_ALWAYS_INLINE block_ref note_taken(xv_span& span, unsigned start, unsigned granules,
                                                xv_span::block_state state) noexcept {
        span.free_granules = static_cast<std::uint16_t>(span.free_granules - granules);
        idle_ -= granules;
        if (state == xv_span::used) {
            allocated_ += room(granules);
        } else {
            ++span.reserved_blocks;
        }
        relist(span);
        regroup(span);
        return make_ref(span.id, start);
    }

    /// Joins a block that is not in use any more with the holes beside it.
    void free_block(xv_span& span, unsigned at, bool keep_span = false) noexcept {
        const std::uint16_t* const entries = span.table();
        const unsigned next = entries[at + 1], previous = entries[at - (at != 0 ? 1 : 0)];
        const unsigned start = entries[at] >> 2, size = (next >> 2) - start;
        idle_ += size;
        span.free_granules = static_cast<std::uint16_t>(span.free_granules + size);
        if (span.is_empty() && !keep_span) [[unlikely]] {
            idle_ -= span.granules();
            close_span(span);
            return;
        }
        unsigned first = at, last = at, begin = start, end = start + size;
        if ((next & xv_span::free) != 0) {
            last = at + 1;
            end = entries[at + 2] >> 2;
            span.remove_hole(xv_span::key(start + size, end - start - size));
        }
        if ((previous & xv_span::free) != 0) {
            first = at - 1;
            begin = previous >> 2;
            span.grow_hole(xv_span::key(begin, start - begin), xv_span::key(begin, end - begin));
        } else {
            span.set_state(at, xv_span::free);
            span.add_hole(xv_span::key(begin, end - begin));
        }
        if (first != last) {
            span.merge(first, last);
            if (!span.has_own_table() && span.blocks < xv_span::own_entries / 2) [[unlikely]] {
                span.move_table_home();
            }
        }
        relist(span);
        regroup(span);
    }
    // Groups of spans by how empty they are; those that cannot be emptied now are in none. There are two sides: a plan picks
    // from one, and leaves what it finds no places for on the other, until there is no more on this one.

    [[nodiscard]] static unsigned emptiness(const xv_span& span) noexcept {
        const unsigned eighth = span.units * (xv_span::unit_granules / 8);
        return span.free_granules < eighth || span.reserved_blocks != 0 ? 0 : span.free_granules / eighth;
    }
    void regroup(xv_span& span) noexcept {
        const unsigned group = emptiness(span);
        if (group != (span.group & (other_side - 1)) || span.group == victim_group) {
            set_group(span, group == 0 ? 0 : group | side_);
        }
    }
    void set_group(xv_span& span, unsigned group) noexcept {
        group_links& links = links_[span.id];
        if (walked_ == span.id) {
            walk_on();
        }
        if (span.group != 0) {
            (links.previous == no_span ? groups_[span.group] : links_[links.previous].next) = links.next;
            if (links.next != no_span) {
                links_[links.next].previous = links.previous;
            }
        }
        span.group = static_cast<std::uint8_t>(group);
        if (group != 0) {
            links = {no_span, groups_[group]};
            if (links.next != no_span) {
                links_[links.next].previous = span.id;
            }
            groups_[group] = span.id;
        }
        if (group == victim_group && walked_ == no_span) {
            walked_ = span.id;
            next_granule_ = 0;
        }
    }
    /// From one victim to the one that became one after it, which is its predecessor in their group.
    void walk_on() noexcept {
        walked_ = links_[walked_].previous;
        next_granule_ = 0;
    }

    // Compaction.

    /// Takes the emptiest spans out of the lists, as long as their objects might find room in the others and may be moved.
    /// Returns the first of them; each one's predecessor in the group is the next.
    std::uint32_t pick_victims(std::size_t most_to_move, bool any) noexcept {
        const std::uint32_t first = any ? pick_from_side(most_to_move) : no_span;
        if (first != no_span || !any) {
            return first;
        }
        side_ ^= other_side;
        return pick_from_side(most_to_move);
    }
    std::uint32_t pick_from_side(std::size_t most_to_move) noexcept {
        std::uint32_t first = no_span;
        std::size_t picked = 0;
        unsigned left = spans_a_plan;
        for (unsigned eighths = 7; eighths > 0; --eighths) {
            const unsigned group = eighths | side_;
            for (; groups_[group] != no_span && left != 0; --left) {
                Meter::step();
                const std::uint32_t id = groups_[group];
                xv_span& span = spans_[id];
                const std::size_t to_move = span.used_granules();
                if ((victim_units_ != 0 && pending_ + to_move > most_to_move) ||
                    picked + to_move > idle_ - span.free_granules) {
                    return first;
                }
                picked += to_move;
                make_victim(span);
                first = first == no_span ? id : first;
            }
        }
        return first;
    }
    /// The same with spans of high numbers.
    std::uint32_t pick_high(std::size_t most_to_move) noexcept {
        std::uint32_t first = no_span;
        unsigned left = spans_a_plan, looks = high_numbers::looks_a_plan;
        for (std::uint32_t id = high_.next(spans_, looks); id != high_numbers::none && left != 0;
             id = high_.next(spans_, looks)) {
            Meter::step();
            xv_span& span = spans_[id];
            if (span.group == victim_group || span.reserved_blocks != 0) {
                continue;
            }
            if (pending_ + span.used_granules() > most_to_move) {
                break;
            }
            make_victim(span);
            first = first == no_span ? id : first;
            --left;
        }
        return first;
    }
    void make_victim(xv_span& span) noexcept {
        pending_ += span.used_granules();
        victim_units_ += span.units;
        idle_ -= span.free_granules;
        set_list(span, no_list);
        set_group(span, victim_group);
    }
    /// Reserves a block elsewhere for every object in the spans that were just picked, `first` and the fuller ones, the
    /// large objects before the small ones; if it `may_open` spans, also in new ones. Where there is no block for one, the
    /// fullest of these spans is kept after all.
    void reserve_places(std::uint32_t first, bool may_open) noexcept {
        for (unsigned most = xv_span::unit_granules; most > 0; most -= band_granules) {
            for (std::uint32_t id = first, fuller = no_span; id != no_span; id = fuller) {
                xv_span& span = spans_[id];
                for (unsigned at = 0; at < span.blocks && span.group == victim_group; ++at) {
                    const unsigned granules = room(span, at);
                    if (span.state(at) != xv_span::used || !is_in_band(granules, most)) {
                        continue;
                    }
                    while (span.group == victim_group && !reserve(granules, may_open)) {
                        keep_fullest(span, at, most);
                    }
                }
                if (span.group != victim_group && id == first) {
                    return;
                }
                fuller = span.group == victim_group ? links_[id].previous : no_span;
            }
        }
    }
    [[nodiscard]] static bool is_in_band(unsigned granules, unsigned most) noexcept {
        return granules <= most && granules + band_granules > most;
    }
    /// `reached` and `at` are where the band of objects of up to `most` granules has been reserved for to.
    void keep_fullest(const xv_span& reached, unsigned at, unsigned most) noexcept {
        xv_span& span = spans_[groups_[victim_group]];
        for (unsigned i = 0; i < span.blocks; ++i) {
            const unsigned granules = room(span, i);
            if (span.state(i) == xv_span::used &&
                (granules > most || (&span == &reached && i < at && is_in_band(granules, most)))) {
                give_back_reserved(pop_reserved(granules));
            }
        }
        restore(span);
        if (span.group != 0) {
            set_group(span, span.group ^ other_side);
        }
    }
    /// The block serves any object of the same list, so that it doesn't matter which is moved first.
    bool reserve(unsigned granules, bool may_open) noexcept {
        const unsigned list = granules;
        unsigned found = lists_.find_from(list);
        if (found == no_list && may_open && open_span(true) == status::ok) {
            found = lists_.find_from(list);
        }
        if (found == no_list) {
            return false;
        }
        const block_ref taken = take(head_of(found), list, xv_span::reserved);
        store_native(address_of(taken), reserved_[list]);
        reserved_[list] = taken;
        reserved_lists_.set(list);
        return true;
    }
    block_ref pop_reserved(unsigned list) noexcept {
        const block_ref ref = reserved_[list];
        reserved_[list] = load_native<block_ref>(address_of(ref));
        if (reserved_[list] == no_block) {
            reserved_lists_.clear(list);
        }
        return ref;
    }
    void give_back_reserved(block_ref ref, bool keep_span = false) noexcept {
        xv_span& span = spans_[id_of(ref)];
        --span.reserved_blocks;
        free_block(span, span.find(granule_of(ref)), keep_span);
    }
    /// Forgets what was to be moved. Where only reserved places are in a span, it goes back; but one of these, if asked
    /// for, stays and is returned, for the caller to use at once: so a refused allocation never gives memory back.
    xv_span* drop_plan(bool keep_one) noexcept {
        while (groups_[victim_group] != no_span) {
            restore(spans_[groups_[victim_group]]);
        }
        xv_span* kept = nullptr;
        for (unsigned list = reserved_lists_.find_from(0); list != reserved_lists_.npos;
             list = reserved_lists_.find_from(list)) {
            const bool keep = keep_one && kept == nullptr && place_is_last(list);
            const block_ref ref = pop_reserved(list);
            kept = keep ? &spans_[id_of(ref)] : kept;
            give_back_reserved(ref, keep);
        }
        return kept;
    }
    /// An object of a span that is to be emptied is gone.
    void leave_victim(xv_span& span, unsigned at) noexcept {
        const unsigned size = span.size(at);
        span.set_state(at, xv_span::free);
        span.free_granules = static_cast<std::uint16_t>(span.free_granules + size);
        pending_ -= size;
        if (span.is_empty()) {
            victim_units_ -= span.units;
            close_span(span);
        }
    }
    /// A span is not to be emptied any more.
    void restore(xv_span& span) noexcept {
        pending_ -= span.used_granules();
        victim_units_ -= span.units;
        idle_ += span.free_granules;
        for (unsigned at = 0; at < span.blocks; ++at) {
            unsigned last = at;
            while (span.state(at) == xv_span::free && last + 1 < span.blocks && span.state(last + 1) == xv_span::free) {
                ++last;
            }
            span.merge(at, last);
        }
        span.list_holes();
        set_group(span, 0);
        relist(span);
        regroup(span);
    }

    /// Whether nothing else is in the span.
    [[nodiscard]] static bool is_last(const xv_span& span, unsigned at) noexcept {
        return span.used_granules() == span.size(at);
    }
    /// Whether the next place that would be given back is all there is in its span.
    [[nodiscard]] bool place_is_last(unsigned list) const noexcept {
        const xv_span& span = spans_[id_of(reserved_[list])];
        return is_last(span, span.find(granule_of(reserved_[list])));
    }

    // Checks.

    [[nodiscard]] bool check_spans() const noexcept {
        std::size_t held = 0, allocated = 0, idle = 0, pending = 0, victim_units = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            const xv_span& span = spans_[id];
            const bool is_victim = span.group == victim_group;
            if (!span.check(is_victim) || (!span.has_own_table() && span.elsewhere != table_in(span))) {
                return false;
            }
            held += span.units;
            for (unsigned at = 0; at < span.blocks; ++at) {
                allocated += span.state(at) == xv_span::used ? room(span, at) : 0;
            }
            idle += is_victim ? 0 : span.free_granules;
            pending += is_victim ? span.used_granules() : 0;
            victim_units += is_victim ? span.units : 0;
        }
        return held == held_units_ && allocated == allocated_ && idle == idle_ && pending == pending_ &&
               victim_units == victim_units_;
    }
    [[nodiscard]] bool check_lists() const noexcept {
        std::uint32_t listed = 0, grouped = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            const xv_span& span = spans_[id];
            const unsigned largest = xv_span::hole_size(span.holes[0]);
            const unsigned list = span.group == victim_group || largest == 0 ? no_list : list_of(largest);
            const bool in_group = span.group == victim_group || emptiness(span) == (span.group & (other_side - 1));
            if (span.list != list || !in_group) {
                return false;
            }
            ++listed;
            grouped += span.group != 0 ? 1u : 0u;
        }
        for (unsigned list = 0; list <= no_list; ++list) {
            if (lists_.test(list) != (heads_[list].next != &heads_[list] || list == no_list)) {
                return false;
            }
            for (const xv_links *at = heads_[list].next, *before = &heads_[list]; at != &heads_[list];
                 before = at, at = at->next) {
                const xv_span& span = *static_cast<const xv_span*>(static_cast<const void*>(at));
                if (!span.live() || span.list != list || at->previous != before || listed-- == 0) {
                    return false;
                }
            }
        }
        for (unsigned group = 1; group < group_count; ++group) {
            for (std::uint32_t id = groups_[group], before = no_span; id != no_span;
                 before = id, id = links_[id].next) {
                if (!spans_.contains(id) || spans_[id].group != group || links_[id].previous != before ||
                    grouped-- == 0) {
                    return false;
                }
            }
        }
        return listed == 0 && grouped == 0;
    }
    /// Every object that is to be moved has its place.
    [[nodiscard]] bool check_reserved() const noexcept {
        std::uint32_t wanted[unit_list + 1] = {};
        std::size_t reserved = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            const xv_span& span = spans_[id];
            reserved += span.reserved_blocks;
            for (unsigned at = 0; at < span.blocks; ++at) {
                if (span.group == victim_group && span.state(at) == xv_span::used) {
                    ++wanted[room(span, at)];
                }
            }
        }
        for (unsigned list = 0; list <= unit_list; ++list) {
            if (reserved_lists_.test(list) != (reserved_[list] != no_block)) {
                return false;
            }
            for (block_ref ref = reserved_[list]; ref != no_block; ref = load_native<block_ref>(address_of(ref))) {
                if (reserved-- == 0 || wanted[list]-- == 0 || !spans_.contains(id_of(ref))) {
                    return false;
                }
                const xv_span& span = spans_[id_of(ref)];
                const unsigned at = span.find(granule_of(ref));
                if (span.table()[at] != xv_span::entry(granule_of(ref), xv_span::reserved) || span.size(at) < list) {
                    return false;
                }
            }
            if (wanted[list] != 0) {
                return false;
            }
        }
        return reserved == 0;
    }

    Source& source_;
    node_id node_;
    slot_pool<xv_span, Source> spans_;
    page_directory<group_links, Source> links_;
    whole_units<Source, Unit> whole_;
    std::size_t held_units_ = 0;   // of spans
    std::size_t victim_units_ = 0; // of those that are to be emptied
    pending_frees waiting_{};
    std::size_t allocated_ = 0; // granules of objects in spans, those of waiting frees too
    std::size_t idle_ = 0;      // granules of holes and tables in spans that are not to be emptied
    std::size_t pending_ = 0;   // granules of blocks in spans that are
    two_level_bitmap<list_count + 1> lists_{};
    two_level_bitmap<unit_list + 1> reserved_lists_{};
    xv_links heads_[list_count + 1]; // the last: spans without a hole, and those to be emptied
    std::uint32_t groups_[group_count];
    high_numbers high_{};
    unsigned side_ = 0;                 // of the groups that the next plan picks from: 0 or other_side
    std::uint32_t walked_ = no_span;    // the victim whose objects next_misplaced names
    unsigned next_granule_ = 0;         // of that one, the first it has not looked at
    block_ref reserved_[unit_list + 1]; // linked through the first bytes of the blocks
};

} // namespace pagefold
