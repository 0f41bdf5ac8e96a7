// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/size_classes.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/platform/concept.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

// A zsmalloc for user space and kernels alike: objects of one size class share a span, which is a run of one to MaxChain
// consecutive units cut into equal slots; the chain is the one that wastes least (size_classes.hpp).
//
//     span_header[id]   where ──►  | slot 0 | slot 1 | slot 2 | ...   | slot n-1 |tail|     n slots of the class's size
//                       free        bit per slot
//
// A handle is the span's number (31 bits) and the slot's (16), and finding an object's bytes is one table look-up. The
// class of whole units is apart: one object a unit, a record of 8 bytes each, marked by the top bit of the handle.
//
// Invariant: a span that has both used and free slots is in exactly one list, by its class and the eighth of it that is
// free, or in that of the victims; a full span is in none; an empty one is given back at once (the source may keep it).
// An object never moves but by relocate().
//
// Why so:
// - Spans are consecutive, where zsmalloc chains single pages: an object is read in place, without copying what lies
//   across a page's end, and a span is one pointer. It costs the source runs of up to MaxChain units.
// - Nothing of ours stands in spans. Free slots are bits in the header, not a list through the slots: allocating and
//   freeing touch no line of any object. (To touch one, as links in the slots would, made free + allocate twice as slow
//   with 200k objects.) The price is 120 slots a span at most, and 32 bytes a span, some 2 an object with 200k objects,
//   because a class with many spans takes longer ones.
// - Objects carry no reference to their owner, which zsmalloc pays for with 8 bytes of handle in each. Instead the owner
//   walks its index once a plan and asks misplaced() of every handle, a look at a header.
// - A class out of slots borrows one of the next larger class that has some. Every class on its own would keep free slots
//   for its own fluctuation; together they need less. How much larger a slot may be is fed back from how much of the
//   memory is idle. Likewise a span of many units is only opened by a store that can fill it.
//
// Measured with LZ4 sizes of 4 KiB pages of programs and libraries (means 2.3 KB; whole units where the class is), what
// was asked for over what is held, tables included; means of five seeds:
//                                                           2000    20k    200k objects
//     filled                                               0.881  0.947   0.978
//     after 10 random free + allocate an object            0.890  0.947   0.971
//     a random half freed, then one plan                   0.831  0.937   0.976
// The slots alone would allow 0.987: what chains of up to 8 leave between their classes. A plan moves 0.37 bytes for each
// that it gives back. Chains of 12 gain 0.002 with 200k objects after the churn, and lose 0.03 with 2000 after the plan;
// steps of Unit/256 between sizes, with fewer classes, lose 0.0015 and gain 0.014. Earlier rules of borrowing were tried
// with classes at least 1 to 2 % apart and with nearly empty spans held back from allocation: no gain from either.

namespace pagefold {

/// A compacting_allocator of chained spans. Every call is O(1), but for the plan (below) and for opening a span, which
/// acquires memory and looks at up to all classes. `Unit` is the greatest object, a store's page size; the source's
/// page size must divide it, or allocate answers `invalid`. Deterministic. Not thread-safe.
///
/// Where the source refuses a span, any larger free slot is taken, and when there is none, a plan under way is dropped
/// for its victims' slots. deallocate ignores a handle that is not live, where checked builds assert; other calls with
/// one are undefined without them.
template <page_source Source, std::size_t Unit = 4096, unsigned MaxChain = 8>
class zs {
    using classes = size_classes<Unit, MaxChain>;

public:
    static constexpr std::size_t max_size = Unit;

    zs(Source& source, node_id node) noexcept : source_{source}, node_{node}, spans_{source, node}, raw_{source, node} {
        for (auto& heads : heads_) {
            for (std::uint32_t& head : heads) {
                head = no_span;
            }
        }
    }
    ~zs() {
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            source_.release(spans_[id].base(), spans_[id].bytes() / source_.page_size());
        }
        for (std::uint32_t id = raw_.next_live(0); id != raw_.bound(); id = raw_.next_live(id + 1)) {
            source_.release(raw_[id].address(), Unit / source_.page_size());
        }
    }
    zs(const zs&) = delete;
    zs& operator=(const zs&) = delete;

    result<object_handle> allocate(std::size_t n) noexcept {
        if (n == 0 || n > Unit) {
            return status::invalid;
        }
        const unsigned wanted = classes::of(n);
        if (wanted == raw_class) {
            return allocate_raw();
        }
        if (groups_[wanted] != 0) {
            return take_slot(wanted);
        }
        if (const unsigned number = lender(wanted); number != no_class) {
            return take_slot(number);
        }
        const result<object_handle> fresh = open_span(class_to_open(wanted));
        if (fresh) {
            return fresh;
        }
        const unsigned number = last_resort(wanted);
        return number != no_class ? take_slot(number) : fresh;
    }

    void deallocate(object_handle h) noexcept {
        const bool live = is_live(h);
        PAGEFOLD_ASSERT(live);
        if (!live) {
            return;
        }
        if (is_raw(h)) {
            free_raw(id_of(h));
        } else {
            free_slot(h);
        }
    }

    [[nodiscard]] std::size_t capacity(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        return is_raw(h) ? Unit : span_of(h).shape().bytes;
    }
    /// In its own class, where it goes if neither borrowing nor a small store makes another better.
    [[nodiscard]] std::size_t rounded(std::size_t n) const noexcept {
        PAGEFOLD_CHECK(n != 0 && n <= Unit);
        return classes::at(classes::of(n)).bytes;
    }
    void write(object_handle h, byte_view bytes) noexcept {
        PAGEFOLD_CHECK(bytes.size() <= capacity(h));
        copy_bytes(address_of(h), bytes.data(), bytes.size());
    }
    [[nodiscard]] byte_view read(object_handle h, std::size_t n, byte_span) const noexcept {
        PAGEFOLD_CHECK(n <= capacity(h));
        return {address_of(h), n};
    }

    [[nodiscard]] std::size_t allocated_bytes() const noexcept { return allocated_; }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return held_; }
    [[nodiscard]] std::size_t table_bytes() const noexcept { return spans_.bytes() + raw_.bytes(); }

    /// Emptiest spans first, of all classes, while the objects of a class's victims fit into the free slots of its other
    /// spans; one span even where the budget is smaller than it, but none for 0. Victims take no new objects. Called again
    /// before finish_compaction, it keeps its victims and adds to them; answers and budget are for all that are left.
    /// Cost: a glance at every class and eighth, and O(1) a victim.
    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept {
        for (unsigned group = group_count; group-- > 0 && max_bytes_to_move != 0;) {
            for (unsigned number = next_partial(0); number != no_class; number = next_partial(number + 1)) {
                pick_victims(number, group, max_bytes_to_move);
            }
        }
        return victim_bytes_;
    }

    [[nodiscard]] bool misplaced(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        return !is_raw(h) && span_of(h).is_victim();
    }

    /// Goes to the same class, or where allocations since the plan have taken its slots, to a slightly larger one.
    result<object_handle> relocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h) && misplaced(h));
        const span_header& from = span_of(h);
        const unsigned number = from.class_number();
        const unsigned target = groups_[number] != 0 ? number : lender(number);
        if (target == no_class) {
            return status::no_memory;
        }
        const object_handle moved = take_slot(target);
        copy_bytes(address_of(moved), address_of(h), from.shape().bytes);
        free_slot(h);
        return moved;
    }

    /// Cost: O(1) a victim left.
    void finish_compaction() noexcept {
        while (victims_ != no_span) {
            const std::uint32_t id = victims_;
            span_header& span = spans_[id];
            const unsigned number = span.class_number();
            unlink(victims_, span);
            span.set_victim(false);
            pending_[number] -= span.used();
            free_[number] += span.free_count();
            link_partial(id, span);
        }
        victim_bytes_ = 0;
        pending_bytes_ = 0;
    }

    [[nodiscard]] bool check() const noexcept {
        std::uint32_t listed = 0;
        for (unsigned number = 0; number < raw_class; ++number) {
            for (unsigned group = 0; group < group_count; ++group) {
                const std::uint32_t head = heads_[number][group];
                if ((head != no_span) != ((groups_[number] >> group & 1u) != 0) ||
                    !check_list(head, number, group, listed)) {
                    return false;
                }
            }
            if ((groups_[number] != 0) != ((partial_[number / 64] >> (number % 64) & 1u) != 0)) {
                return false;
            }
        }
        return check_list(victims_, no_class, 0, listed) && check_spans(listed) && spans_.check() && raw_.check();
    }

private:
    static constexpr unsigned raw_class = classes::count() - 1;
    static constexpr unsigned no_class = raw_class; // what a search among the classes that are cut into slots answers
    static constexpr unsigned bitmap_words = (raw_class + 63) / 64;
    static constexpr std::uint64_t raw_flag = std::uint64_t{1} << (handle_bits - 1);
    static constexpr std::uint32_t max_id = low_bits(31);
    static constexpr std::uint32_t no_span = 0xffffffffu;
    static constexpr unsigned group_count = 8;
    static constexpr std::uint32_t chains_a_doubling = 64; // a doubled span is then 1/32 of its class
    static constexpr std::uint64_t one_free = std::uint64_t{1} << 56;

    /// All that is known of a span. A span that is partial or a victim is in one list.
    struct span_header {
        std::uintptr_t where; // address of the span; its low 12 bits: class 0..7, victim 8, doublings 9..10
        std::uint64_t low;    // bit set: slots 0 to 63 that are free
        std::uint64_t high;   // the same for slots 64 to 119; above them the number of free slots
        std::uint32_t previous;
        std::uint32_t next;

        [[nodiscard]] bool live() const noexcept { return where != 0; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return next; }

        [[nodiscard]] unsigned class_number() const noexcept { return where & 0xffu; }
        [[nodiscard]] const size_class& shape() const noexcept { return classes::at(class_number()); }
        [[nodiscard]] std::byte* base() const noexcept {
            return reinterpret_cast<std::byte*>(where & ~std::uintptr_t{0xfff});
        }
        [[nodiscard]] std::byte* slot(std::size_t at) const noexcept { return base() + at * shape().bytes; }

        /// How often the class's chain was doubled for this span.
        [[nodiscard]] unsigned doublings() const noexcept { return where >> 9 & 3u; }
        [[nodiscard]] unsigned slots() const noexcept { return unsigned{shape().slots} << doublings(); }
        [[nodiscard]] std::size_t bytes() const noexcept { return (std::size_t{shape().units} << doublings()) * Unit; }
        /// The eighth of the span, 0 to 7, in which `free` of its slots lies; free < slots().
        [[nodiscard]] unsigned eighth(unsigned free) const noexcept { return shape().eighth(free) >> doublings(); }

        [[nodiscard]] bool is_victim() const noexcept { return (where & 0x100u) != 0; }
        void set_victim(bool value) noexcept {
            where = (where & ~std::uintptr_t{0x100}) | (value ? std::uintptr_t{0x100} : 0);
        }

        [[nodiscard]] unsigned free_count() const noexcept { return static_cast<unsigned>(high >> 56); }
        [[nodiscard]] unsigned used() const noexcept { return slots() - free_count(); }
        [[nodiscard]] bool is_free(unsigned at) const noexcept {
            return ((at < 64 ? low >> at : high >> (at - 64)) & 1u) != 0;
        }
        /// Takes the lowest free slot; there must be one.
        unsigned take() noexcept {
            high -= one_free;
            std::uint64_t& word = low != 0 ? low : high;
            const unsigned at = static_cast<unsigned>(std::countr_zero(word)) + (low != 0 ? 0u : 64u);
            word &= word - 1;
            return at;
        }
        void put_back(unsigned at) noexcept {
            (at < 64 ? low : high) |= std::uint64_t{1} << (at % 64);
            high += one_free;
        }
    };

    /// An object of a whole unit.
    struct raw_unit {
        std::uint32_t low;  // of the page number, or the free link
        std::uint32_t high; // the rest of the page number; the top bit says that it is in use

        [[nodiscard]] bool live() const noexcept { return (high >> 31) != 0; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return low; }
        [[nodiscard]] std::byte* address() const noexcept {
            const std::uint64_t page = (std::uint64_t{high} << 32 | low) << 12;
            return reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(page));
        }
        void set_address(void* at) noexcept {
            const std::uint64_t page = std::uint64_t{reinterpret_cast<std::uintptr_t>(at)} >> 12;
            low = static_cast<std::uint32_t>(page);
            high = static_cast<std::uint32_t>(page >> 32) | 0x80000000u;
        }
    };

    [[nodiscard]] static object_handle make_handle(std::uint32_t id, unsigned slot) noexcept {
        return object_handle{std::uint64_t{id} << 16 | slot};
    }
    [[nodiscard]] static std::uint32_t id_of(object_handle h) noexcept {
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>(h) >> 16) & max_id;
    }
    [[nodiscard]] static bool is_raw(object_handle h) noexcept {
        return (static_cast<std::uint64_t>(h) & raw_flag) != 0;
    }
    [[nodiscard]] static unsigned slot_of(object_handle h) noexcept {
        return static_cast<unsigned>(static_cast<std::uint64_t>(h) & 0xffffu);
    }
    [[nodiscard]] span_header& span_of(object_handle h) const noexcept { return spans_[id_of(h)]; }
    [[nodiscard]] std::byte* address_of(object_handle h) const noexcept {
        return is_raw(h) ? raw_[id_of(h)].address() : span_of(h).slot(slot_of(h));
    }
    [[nodiscard]] bool is_live(object_handle h) const noexcept {
        if (static_cast<std::uint64_t>(h) >> handle_bits != 0) {
            return false;
        }
        if (is_raw(h)) {
            return slot_of(h) == 0 && raw_.contains(id_of(h));
        }
        return spans_.contains(id_of(h)) && slot_of(h) < span_of(h).slots() && !span_of(h).is_free(slot_of(h));
    }
    /// The first class from `number` on that has a span with a free slot, or no_class.
    [[nodiscard]] unsigned next_partial(unsigned number) const noexcept {
        unsigned word = number / 64;
        if (word == bitmap_words) {
            return no_class;
        }
        std::uint64_t bits = partial_[word] & ~low_bits(number % 64);
        while (bits == 0) {
            if (++word == bitmap_words) {
                return no_class;
            }
            bits = partial_[word];
        }
        return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
    }

    /// The largest slot that an object of a class without a free slot may take from a larger class: wasteful while the
    /// class has few spans of its own or much of what is held lies idle, strict otherwise.
    [[nodiscard]] std::size_t most_bytes(unsigned wanted) const noexcept {
        const std::uint64_t own = classes::at(wanted).bytes;
        const std::uint64_t idle = held_ == 0 ? 0 : 3 * own * (held_ - allocated_) / held_;
        return static_cast<std::size_t>(own + own / (4 + 4 * std::uint64_t{chain_count_[wanted]}) + idle);
    }

    /// A larger class with a free slot that an object of a class without one takes rather than open a span, or no_class.
    [[nodiscard]] unsigned lender(unsigned wanted) const noexcept {
        const unsigned number = next_partial(wanted + 1);
        return number != no_class && classes::at(number).bytes <= most_bytes(wanted) ? number : no_class;
    }

    /// The class that opens a span for an object. While little is held, spans of many units would stay half empty: a
    /// slightly larger class with a shorter chain is taken instead, which more sizes share.
    [[nodiscard]] unsigned class_to_open(unsigned wanted) const noexcept {
        const std::size_t most_units = 1 + held_ / (256 * Unit);
        const std::size_t most = most_bytes(wanted);
        unsigned best = wanted;
        for (unsigned number = wanted + 1; classes::at(best).units > most_units && number < raw_class; ++number) {
            if (classes::at(number).bytes > most) {
                break;
            }
            if (classes::at(number).units < classes::at(best).units) {
                best = number;
            }
        }
        return best;
    }

    /// Where an object goes when the source has no span to give: any larger slot, after that a span that was to be
    /// emptied.
    [[nodiscard]] PAGEFOLD_COLD unsigned last_resort(unsigned wanted) noexcept {
        const unsigned number = next_partial(wanted);
        if (number != no_class || victims_ == no_span) {
            return number;
        }
        finish_compaction();
        return next_partial(wanted);
    }

    /// A record in a pool and a run of memory for it; the record is the caller's to fill.
    template <class Pool>
    result<std::uint32_t> open(Pool& pool, std::size_t units, void*& memory) noexcept {
        if (Unit % source_.page_size() != 0) {
            return status::invalid;
        }
        const result<std::uint32_t> id = pool.insert();
        if (!id) {
            return id;
        }
        const result<void*> run =
            *id <= max_id ? source_.acquire(units * Unit / source_.page_size(), node_) : status::limit;
        if (!run) {
            pool.erase(*id);
            return run.error();
        }
        memory = *run;
        held_ += units * Unit;
        return id;
    }

    result<object_handle> allocate_raw() noexcept {
        void* memory = nullptr;
        const result<std::uint32_t> id = open(raw_, 1, memory);
        if (!id) {
            return id.error();
        }
        raw_[*id].set_address(memory);
        allocated_ += Unit;
        return object_handle{raw_flag | std::uint64_t{*id} << 16};
    }
    void free_raw(std::uint32_t id) noexcept {
        source_.release(raw_[id].address(), Unit / source_.page_size());
        raw_.erase(id);
        held_ -= Unit;
        allocated_ -= Unit;
    }

    /// A new span of a class, its first slot taken. A class with many spans takes longer ones, whose idle slots are few for
    /// it and which need fewer headers; where the source has none, shorter ones.
    result<object_handle> open_span(unsigned number) noexcept {
        const size_class& shape = classes::at(number);
        unsigned doublings = 0;
        while (unsigned{shape.units} << (doublings + 1) <= MaxChain &&
               unsigned{shape.slots} << (doublings + 1) <= classes::max_slots &&
               chain_count_[number] >= chains_a_doubling << doublings) {
            ++doublings;
        }
        result<std::uint32_t> id{0};
        void* memory = nullptr;
        do {
            id = open(spans_, std::size_t{shape.units} << doublings, memory);
        } while (!id && doublings-- > 0);
        if (!id) {
            return id.error();
        }
        span_header& span = spans_[*id];
        span.where = reinterpret_cast<std::uintptr_t>(memory) | doublings << 9 | number;
        const unsigned slots = span.slots();
        span.low = low_bits(slots);
        span.high = low_bits(slots < 64 ? 0 : slots - 64u) | slots * one_free;
        const unsigned slot = span.take();
        link_partial(*id, span);
        allocated_ += shape.bytes;
        free_[number] += slots - 1u;
        chain_count_[number] += 1u << doublings;
        return make_handle(*id, slot);
    }

    /// Gives an empty span, which is in no list, back to the source.
    void close_span(std::uint32_t id, span_header& span) noexcept {
        source_.release(span.base(), span.bytes() / source_.page_size());
        held_ -= span.bytes();
        chain_count_[span.class_number()] -= 1u << span.doublings();
        spans_.erase(id);
    }

    /// A slot of the fullest span of a class that has a free one.
    object_handle take_slot(unsigned number) noexcept {
        const size_class& shape = classes::at(number);
        const unsigned group = static_cast<unsigned>(std::countr_zero(unsigned{groups_[number]}));
        const std::uint32_t id = heads_[number][group];
        span_header& span = spans_[id];
        const unsigned slot = span.take();
        const unsigned free = span.free_count();
        if (free == 0) {
            unlink_partial(span, number, group);
        } else if (span.eighth(free) != group) {
            unlink_partial(span, number, group);
            link_partial(id, span);
        }
        --free_[number];
        allocated_ += shape.bytes;
        return make_handle(id, slot);
    }

    void free_slot(object_handle h) noexcept {
        const std::uint32_t id = id_of(h);
        span_header& span = spans_[id];
        const unsigned number = span.class_number();
        const size_class& shape = classes::at(number);
        const unsigned before = span.free_count();
        const bool emptied = before + 1 == span.slots();
        span.put_back(slot_of(h));
        allocated_ -= shape.bytes;
        if (span.is_victim()) {
            --pending_[number];
            pending_bytes_ -= shape.bytes;
            if (emptied) {
                unlink(victims_, span);
                victim_bytes_ -= span.bytes();
                close_span(id, span);
            }
            return;
        }
        ++free_[number];
        if (before == 0) {
            link_partial(id, span);
        } else if (emptied || span.eighth(before) != span.eighth(before + 1)) {
            unlink_partial(span, number, span.eighth(before));
            if (emptied) {
                free_[number] -= span.slots();
                close_span(id, span);
            } else {
                link_partial(id, span);
            }
        }
    }

    void link(std::uint32_t& head, std::uint32_t id, span_header& span) noexcept {
        span.previous = no_span;
        span.next = head;
        if (head != no_span) {
            spans_[head].previous = id;
        }
        head = id;
    }
    void unlink(std::uint32_t& head, const span_header& span) noexcept {
        (span.previous == no_span ? head : spans_[span.previous].next) = span.next;
        if (span.next != no_span) {
            spans_[span.next].previous = span.previous;
        }
    }
    void link_partial(std::uint32_t id, span_header& span) noexcept {
        const unsigned number = span.class_number();
        const unsigned group = span.eighth(span.free_count());
        link(heads_[number][group], id, span);
        groups_[number] = static_cast<std::uint8_t>(groups_[number] | 1u << group);
        partial_[number / 64] |= std::uint64_t{1} << (number % 64);
    }
    void unlink_partial(const span_header& span, unsigned number, unsigned group) noexcept {
        unlink(heads_[number][group], span);
        if (heads_[number][group] == no_span) {
            groups_[number] = static_cast<std::uint8_t>(groups_[number] & ~(1u << group));
            if (groups_[number] == 0) {
                partial_[number / 64] &= ~(std::uint64_t{1} << (number % 64));
            }
        }
    }

    /// Marks spans of one class and fullness for emptying, as long as the objects of all victims fit into the slots
    /// that stay, and the budget lasts.
    void pick_victims(unsigned number, unsigned group, std::size_t max_bytes_to_move) noexcept {
        while ((groups_[number] >> group & 1u) != 0) {
            const std::uint32_t id = heads_[number][group];
            span_header& span = spans_[id];
            const std::size_t bytes = std::size_t{span.used()} * span.shape().bytes;
            if (free_[number] < pending_[number] + span.slots()) {
                return;
            }
            if (victims_ != no_span && pending_bytes_ + bytes > max_bytes_to_move) {
                return;
            }
            unlink_partial(span, number, group);
            span.set_victim(true);
            link(victims_, id, span);
            free_[number] -= span.free_count();
            pending_[number] += span.used();
            pending_bytes_ += bytes;
            victim_bytes_ += span.bytes();
        }
    }

    [[nodiscard]] static unsigned count_bits(std::uint64_t bits) noexcept {
        unsigned count = 0;
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
        return count;
    }
    /// A header's own fields agree with each other.
    [[nodiscard]] static bool consistent(const span_header& span) noexcept {
        if (span.class_number() >= raw_class || (span.where & 0x800u) != 0) {
            return false;
        }
        const unsigned slots = span.slots();
        const std::uint64_t high = span.high & low_bits(56);
        return slots <= classes::max_slots && (span.low & ~low_bits(slots)) == 0 &&
               (high & ~low_bits(slots < 64 ? 0 : slots - 64u)) == 0 &&
               count_bits(span.low) + count_bits(high) == span.free_count() && span.free_count() < slots;
    }
    /// Walks the list of a class and fullness group, or of the victims (`number` is no_class).
    [[nodiscard]] bool check_list(std::uint32_t head, unsigned number, unsigned group,
                                  std::uint32_t& listed) const noexcept {
        std::uint32_t previous = no_span;
        for (std::uint32_t id = head; id != no_span; id = spans_[id].next) {
            if (!spans_.contains(id) || ++listed > spans_.size()) {
                return false;
            }
            const span_header& span = spans_[id];
            if (!consistent(span) || span.previous != previous || span.free_count() == 0 ||
                span.is_victim() != (number == no_class)) {
                return false;
            }
            if (number != no_class && (span.class_number() != number || span.eighth(span.free_count()) != group)) {
                return false;
            }
            previous = id;
        }
        return true;
    }
    /// Walks all spans: each with a free slot is in a list, and the sums are right.
    [[nodiscard]] bool check_spans(std::uint32_t listed) const noexcept {
        std::uint32_t spans[raw_class]{}, free[raw_class]{}, pending[raw_class]{};
        std::size_t held = raw_.size() * Unit, allocated = held, victim_bytes = 0, pending_bytes = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            const span_header& span = spans_[id];
            if (!consistent(span)) {
                return false;
            }
            const unsigned number = span.class_number();
            const std::size_t used_bytes = std::size_t{span.used()} * span.shape().bytes;
            spans[number] += 1u << span.doublings();
            held += span.bytes();
            allocated += used_bytes;
            if (span.is_victim()) {
                pending[number] += span.used();
                pending_bytes += used_bytes;
                victim_bytes += span.bytes();
            } else {
                free[number] += span.free_count();
            }
            listed -= span.free_count() != 0 ? 1 : 0;
        }
        for (unsigned number = 0; number < raw_class; ++number) {
            if (spans[number] != chain_count_[number] || free[number] != free_[number] ||
                pending[number] != pending_[number]) {
                return false;
            }
        }
        return listed == 0 && held == held_ && allocated == allocated_ && victim_bytes == victim_bytes_ &&
               pending_bytes == pending_bytes_;
    }

    Source& source_;
    node_id node_;
    slot_pool<span_header, Source> spans_;
    slot_pool<raw_unit, Source> raw_;
    std::uint64_t partial_[bitmap_words]{};       // bit set: the class has a span with a free slot
    std::uint8_t groups_[raw_class]{};            // bit set: the class has such a span of that fullness
    std::uint32_t heads_[raw_class][group_count]; // their lists
    std::uint32_t chain_count_[raw_class]{};      // spans, a doubled one for two, and so on
    std::uint32_t free_[raw_class]{};             // free slots, victims left out
    std::uint32_t pending_[raw_class]{};          // objects in victims
    std::uint32_t victims_ = no_span;             // list of spans to be emptied
    std::size_t victim_bytes_ = 0;                // bytes of pages of victims
    std::size_t pending_bytes_ = 0;               // bytes of slots of objects in victims
    std::size_t allocated_ = 0;
    std::size_t held_ = 0;
};

} // namespace pagefold
