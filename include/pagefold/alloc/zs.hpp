// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/high_numbers.hpp>
#include <pagefold/alloc/no_meter.hpp>
#include <pagefold/alloc/pending_frees.hpp>
#include <pagefold/alloc/size_classes.hpp>
#include <pagefold/alloc/whole_units.hpp>
#include <pagefold/alloc/zs_span.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

// A zsmalloc for user space and kernels alike: objects of one size class share a span, which is a run of one to MaxChain
// consecutive units cut into equal slots; the chain is the one that wastes least (size_classes.hpp).
//
//     span_header[id]   where ──►  | slot 0 | slot 1 | slot 2 | ...   | slot n-1 |tail|     n slots of the class's size
//                       free        bit per slot
//
// A handle is the span's number (31 bits), the class that the object's size asked for (9) and the slot's number (7), and
// finding an object's bytes is one table look-up. The class of whole units is apart: one object a unit, a record of 8 bytes
// each, marked by the top bit of the handle.
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
// - Objects carry no reference to their owner, which zsmalloc pays for with 8 bytes of handle in each. An owner keeps four
//   bytes in the last of an object's slot, where it wants to be led from there to its handle (next_misplaced); or it walks
//   its handles once a plan and asks misplaced() of every one, a look at a header.
// - A class out of slots borrows one of the next larger class that has some. How many objects want a class fluctuates by
//   the root of their number, and each class on its own would keep slots for that; next to each other they lend, and
//   together need far fewer. For that, spans must follow what is wanted, not what fluctuates. The handle says what was
//   wanted, so that the objects that want a class are counted exactly; a class opens a span when those that its own slots
//   don't hold waste two spans in larger ones. While a store grows, every slot will be needed soon, and what is borrowed
//   is what lies elsewhere by now: an eighth of a span is enough. (The first rule alone let the lower classes fill the
//   higher ones while the store grew: 8 % of the slots were in the wrong class then, and 2.5 % idle after the next churn.)
// - While little is held, a span of many units would stay half empty, and a class with a shorter chain opens one instead.
// - A plan first fits objects into their own class, then the last spans of classes into slightly larger slots.
//
// Measured with the sizes of 28,600 pages of programs, libraries, texts and databases under LZ4 (mean 1858 bytes; whole
// units where it does not shrink them), what was asked for over what is held, tables included; means of five seeds, by
// number of objects: filled / after 10 random free + allocate an object / after a random half was freed, and one plan.
//
//     MaxChain          2000                    20k                    200k
//      4       0.878  0.886  0.897     0.940  0.930  0.940     0.951  0.946  0.949
//      8       0.871  0.878  0.890     0.948  0.947  0.956     0.976  0.972  0.977
//     12       0.875  0.869  0.876     0.939  0.949  0.952     0.977  0.977  0.981
//     16       0.862  0.869  0.873     0.934  0.950  0.942     0.976  0.980  0.982
//
// 12 is the default: it gains 0.006 over 8 in a large store, and 16 gains 0.002 more for runs of 16 units that a source
// must find. Under zstd (mean 1398) 12 has 0.974 0.977 0.981 with 200k objects. What is lost there after the churn with
// LZ4's sizes: 0.011 by rounding to slots (0.009 of it between classes), 0.011 in idle slots and the ends of spans, 0.001
// for tables. A plan moves 0.41 bytes for each that it gives back.
//
// Tried, and worse: classes at least 1 to 5 % apart (no gain at any chain, with borrowing or without); a debt of each class
// that grows with each loan and buys a span (0.959 to 0.965 with chains of 8 after the churn, where borrowing by what lies
// idle had 0.964, and 0.93 filled); tables of classes that grow finer with the store (0.86 and less with 2000 objects).

namespace pagefold::inline PAGEFOLD_ABI {

/// A compacting_allocator of chained spans. Every call is O(1), but for the plan (below) and for opening a span, which
/// acquires memory and looks at up to all classes. `Unit` is the greatest object, a store's page size; the source's
/// page size must divide it, or allocate answers `invalid`. Deterministic. Not thread-safe.
///
/// Where the source refuses a span, any larger free slot is taken; when there is none, a larger class's span of fewer units
/// or a whole unit; and when there is no unit, a plan under way is dropped for its victims' slots. deallocate ignores a
/// handle that is not live, where checked builds assert; other calls with one are undefined without them.
template <page_source Source, std::size_t Unit = 4096, unsigned MaxChain = 12, class Meter = no_meter>
class zs {
    using classes = size_classes<Unit, MaxChain>;
    using span_header = zs_span<Unit, MaxChain>;

public:
    /// The same over pages of another source, for decorators (over_source).
    template <page_source Other>
    using over = zs<Other, Unit, MaxChain, Meter>;

    static constexpr std::size_t max_size = Unit;
    /// Steps of a next_misplaced, at most: the span that the last call ended in, and the next, and the bits of both.
    static constexpr unsigned max_steps_to_next = 4;
    static constexpr unsigned spans_a_plan = 64; ///< that a plan adds to its victims, at most
    /// Steps of a plan_compaction, at most: spans that it looks at.
    static constexpr unsigned max_steps_to_plan = 2 * spans_a_plan + 2 * (classes::count() - 1);

    zs(Source& source, node_id node) noexcept : source_{source}, node_{node}, spans_{source, node}, raw_{source, node} {
        for (class_state& c : classes_) {
            for (std::uint32_t& head : c.heads) {
                head = no_span;
            }
            c.spare = no_span;
        }
    }
    ~zs() {
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            source_.release(spans_[id].base(), spans_[id].bytes() / source_.page_size());
        }
    }
    zs(const zs&) = delete;
    zs& operator=(const zs&) = delete;

    result<object_handle> allocate(std::size_t n) noexcept { return allocate_within(n, Unit); }
    /// Where the source refuses a span, a slot a sixteenth larger than its own at most, of whatever span.
    result<object_handle> allocate_snug(std::size_t n) noexcept {
        return allocate_within(n, n == 0 || n > Unit ? n : rounded(n) + rounded(n) / 16);
    }

    /// Where there are many spans, it is carried out pending_frees::depth such calls later, or with the next plan.
    void deallocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        if (is_raw(h)) {
            if (is_live_raw(h)) {
                free_raw(id_of(h));
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
        return is_raw(h) ? Unit : span_of(h).shape().bytes;
    }
    /// In its own class, where it goes if neither borrowing nor a small store makes another better.
    [[nodiscard]] std::size_t rounded(std::size_t n) const noexcept {
        PAGEFOLD_CHECK(n != 0 && n <= Unit);
        return classes::at(classes::of(n)).bytes;
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
        if (!is_raw(h)) {
            spans_.prefetch(id_of(h));
        }
    }

    /// A handle that differs from a live one in the class that was asked for alone passes for it.
    [[nodiscard]] bool contains(object_handle h) const noexcept { return is_live(h); }
    [[nodiscard]] byte_span place(object_handle h) const noexcept { return {address_of(h), capacity(h)}; }

    [[nodiscard]] std::size_t allocated_bytes() const noexcept { return allocated_ - bytes_waiting(); }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return held_; }
    [[nodiscard]] std::size_t table_bytes() const noexcept { return spans_.bytes() + raw_.table_bytes(); }

    /// Emptiest spans first, of all classes, while the objects of a class's victims fit into the free slots of its other
    /// spans; then also while they fit into slots up to a quarter larger. One span even where the budget is smaller than
    /// it, but none for 0, and at most spans_a_plan more than there are. Victims take no new objects. Called again before
    /// finish_compaction, it keeps its victims and adds to them; answers and budget are for all that are left. Where there
    /// are no sparse ones, those whose records keep much of the table, for which it may open others: then what is held grows
    /// first.
    ///
    /// Cost, in any store: a look at each victim added and at up to two more of each class, and for each of them one at
    /// the classes up to a quarter larger; and one at high_numbers::looks_a_plan numbers.
    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept {
        free_waiting();
        renew_claims();
        unsigned left = max_bytes_to_move != 0 ? spans_a_plan : 0;
        if (victims_ == no_span) {
            high_.restart();
        }
        for (const bool into_others : {false, true}) {
            class_set
                open[group_count]{}; // of the classes that have spans so empty; less those whose emptiest finds no room
            for (unsigned number = next_partial(0); number != no_class; number = next_partial(number + 1)) {
                for (std::uint32_t groups = classes_[number].groups; groups != 0; groups &= groups - 1) {
                    open[trailing_zeros(groups)].add(number);
                }
            }
            class_set hopeless{};
            for (unsigned group = group_count; group-- > 0;) {
                for (unsigned number = open[group].next(0); number != no_class && left != 0;
                     number = open[group].next(number + 1)) {
                    if (!hopeless.has(number) && !pick_victims(number, group, into_others, max_bytes_to_move, left)) {
                        hopeless.add(number);
                    }
                }
            }
        }
        if (left == spans_a_plan) {
            pick_high(max_bytes_to_move);
        }
        return victim_bytes_;
    }

    [[nodiscard]] bool misplaced(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        return !is_raw(h) && span_of(h).is_victim();
    }

    /// A slot is free or used: the free bytes behind the last slot count as used.
    [[nodiscard]] unsigned fullness(object_handle h) const noexcept {
        PAGEFOLD_ASSERT(is_live(h));
        if (is_raw(h) || span_of(h).used() == 1) {
            return 0;
        }
        return span_of(h).used() * max_fullness / span_of(h).slots();
    }

    /// Goes to the same class, or where that has no slot free, to a larger one. While nothing is allocated the room that was
    /// found for the plan is enough, whatever the order: an object that finds a slot set aside for it taken takes that of
    /// the one which took it. Twice its own slot is the most that an object is given.
    result<object_handle> relocate(object_handle h) noexcept {
        PAGEFOLD_ASSERT(is_live(h) && misplaced(h));
        span_header& from = span_of(h);
        const unsigned number = from.class_number();
        const unsigned target = classes_[number].spare != no_span ? number : next_partial(number);
        if (target == no_class || classes::at(target).bytes > 2 * from.shape().bytes) {
            return status::no_memory;
        }
        const object_handle moved = take_any_slot(target, wanted_of(h));
        copy_bytes(address_of(moved), address_of(h), from.shape().bytes);
        free_slot(h, from);
        return moved;
    }

    /// Looks at one span or two: where the one ends that the last call ended in, the next has an object. Whole units are
    /// never misplaced.
    byte_span next_misplaced() noexcept {
        while (walked_ != no_span) {
            Meter::step();
            const span_header& span = spans_[walked_];
            const unsigned slot = span.next_used(next_slot_);
            Meter::step();
            if (slot != span.slots()) {
                next_slot_ = slot + 1;
                return {span.slot(slot), span.shape().bytes};
            }
            walk_on(span);
        }
        return {};
    }

    /// Cost: O(1) a victim left.
    void finish_compaction() noexcept {
        drop_plan();
        for (unsigned number = spares_.next(0); number != no_class; number = spares_.next(number)) {
            const std::uint32_t id = classes_[number].spare;
            span_header& span = spans_[id];
            remove_spare(number, span);
            close_span(id, span);
        }
    }

    [[nodiscard]] bool check() const noexcept {
        std::uint32_t listed = 0;
        for (unsigned number = 0; number < raw_class; ++number) {
            for (unsigned group = 0; group < group_count; ++group) {
                const std::uint32_t head = classes_[number].heads[group];
                if ((head != no_span) != ((classes_[number].groups >> group & 1u) != 0) ||
                    !check_list(head, number, group, listed)) {
                    return false;
                }
            }
            const class_state& c = classes_[number];
            if ((c.groups != 0) != partial_.has(number) || (c.pending != 0 && !pending_.has(number)) ||
                (c.claimed != 0 && !claimed_.has(number)) || (c.spare != no_span) != spares_.has(number)) {
                return false;
            }
        }
        return check_list(victims_, no_class, 0, listed) && check_spares() && check_spans(listed) && spans_.check() &&
               raw_.check() && waiting_.check() && (waiting_.empty() || victims_ == no_span);
    }

private:
    static constexpr unsigned raw_class = classes::count() - 1;
    static constexpr unsigned no_class = raw_class; // what a search among the classes that are cut into slots answers
    static constexpr unsigned bitmap_words = (raw_class + 63) / 64;
    static constexpr std::uint64_t raw_flag = std::uint64_t{1} << (handle_bits - 1);
    static constexpr std::uint32_t max_id = max_span_number;
    static constexpr std::uint32_t no_span = 0xffffffffu;
    static constexpr unsigned group_count = 8;
    static constexpr std::uint32_t chains_a_doubling = 64; // a doubled span is then 1/32 of its class

    /// A set of classes that are cut into slots.
    struct class_set {
        std::uint64_t words[bitmap_words];

        void add(unsigned number) noexcept { words[number / 64] |= std::uint64_t{1} << (number % 64); }
        void remove(unsigned number) noexcept { words[number / 64] &= ~(std::uint64_t{1} << (number % 64)); }
        [[nodiscard]] bool has(unsigned number) const noexcept {
            return (words[number / 64] >> (number % 64) & 1u) != 0;
        }
        /// The first from `number` on, or no_class.
        [[nodiscard]] unsigned next(unsigned number) const noexcept {
            unsigned word = number / 64;
            if (word == bitmap_words) {
                return no_class;
            }
            std::uint64_t bits = words[word] & ~low_bits(number % 64);
            while (bits == 0) {
                if (++word == bitmap_words) {
                    return no_class;
                }
                bits = words[word];
            }
            return word * 64 + trailing_zeros(bits);
        }
    };

    /// What is known of a size class; a cache line.
    struct alignas(64) class_state {
        std::uint32_t heads[group_count]; // lists of its spans with free slots, by the eighth that is free
        std::uint32_t groups;             // bit set: that list has a span
        std::uint32_t chains;             // spans, a doubled one for two, and so on
        std::uint32_t free;               // free slots, victims left out
        std::uint32_t wanted;             // objects of a size of this class
        std::uint32_t elsewhere;          // those of them that lie in larger slots
        std::uint32_t pending;            // objects in victims
        std::uint32_t claimed;            // free slots set aside for objects in victims
        std::uint32_t spare;              // list of its empty spans, which a plan opened
    };

    [[nodiscard]] static object_handle make_handle(std::uint32_t id, unsigned slot, unsigned wanted) noexcept {
        return object_handle{std::uint64_t{id} << 16 | wanted << 7 | slot};
    }
    [[nodiscard]] static std::uint32_t id_of(object_handle h) noexcept {
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>(h) >> 16) & max_id;
    }
    [[nodiscard]] static bool is_raw(object_handle h) noexcept {
        return (static_cast<std::uint64_t>(h) & raw_flag) != 0;
    }
    [[nodiscard]] static unsigned slot_of(object_handle h) noexcept {
        return static_cast<unsigned>(static_cast<std::uint64_t>(h) & 0x7fu);
    }
    [[nodiscard]] static unsigned wanted_of(object_handle h) noexcept {
        return static_cast<unsigned>(static_cast<std::uint64_t>(h) >> 7 & 0x1ffu);
    }
    [[nodiscard]] span_header& span_of(object_handle h) const noexcept { return spans_[id_of(h)]; }
    [[nodiscard]] std::byte* address_of(object_handle h) const noexcept {
        return is_raw(h) ? raw_.address(id_of(h)) : span_of(h).slot(slot_of(h));
    }
    /// The span of a handle that is live and not raw, or null.
    [[nodiscard]] span_header* find_live(object_handle h) const noexcept {
        if (static_cast<std::uint64_t>(h) >> (handle_bits - 1) != 0) {
            return nullptr;
        }
        span_header* const span = spans_.find(id_of(h));
        const bool live = span != nullptr && slot_of(h) < span->slots() && !span->is_free(slot_of(h)) &&
                          wanted_of(h) <= span->class_number();
        return live ? span : nullptr;
    }
    [[nodiscard]] bool is_live_raw(object_handle h) const noexcept {
        return static_cast<std::uint64_t>(h) >> handle_bits == 0 && (static_cast<std::uint64_t>(h) & 0xffffu) == 0 &&
               raw_.contains(id_of(h));
    }
    [[nodiscard]] bool is_live(object_handle h) const noexcept {
        return is_raw(h) ? is_live_raw(h) : find_live(h) != nullptr && !is_waiting(h);
    }
    /// Whether the object there is freed, whatever class the handle says.
    [[nodiscard]] bool is_waiting(object_handle h) const noexcept {
        return waiting_.sum([h](object_handle one) {
            return id_of(one) == id_of(h) && slot_of(one) == slot_of(h) ? 1u : 0u;
        }) != 0;
    }

    // Frees. A header comes from far away; so with many spans a free waits until it is there. A plan moves objects out of
    // some, which must then be just those that live: none waits while there are victims.

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE bool may_wait() const noexcept {
        return spans_.size() >= pending_frees::few_spans && victims_ == no_span;
    }
    /// Nothing where no such object lives.
    PAGEFOLD_NOINLINE void free_object(object_handle h) noexcept {
        if (span_header* const span = find_live(h)) {
            free_slot(h, *span);
        }
    }
    PAGEFOLD_COLD void free_waiting() noexcept {
        waiting_.free_all([this](object_handle one) { free_object(one); });
    }
    [[nodiscard]] std::size_t bytes_waiting() const noexcept {
        return waiting_.sum([this](object_handle h) {
            const span_header* const span = find_live(h);
            return span != nullptr ? span->shape().bytes : 0u;
        });
    }

    /// The first class from `number` on that has a span with a free slot, or no_class.
    [[nodiscard]] unsigned next_partial(unsigned number) const noexcept { return partial_.next(number); }

    /// The largest slot that an object may take from another class: a quarter more than its own, and the more of what is
    /// held lies idle, the more.
    [[nodiscard]] std::size_t most_bytes(unsigned wanted) const noexcept {
        const std::uint64_t own = classes::at(wanted).bytes;
        const std::uint64_t idle = held_ == 0 ? 0 : 6 * own * (held_ - allocated_) / held_;
        return to_size(own + own / 4 + idle);
    }
    /// The class that lends a slot to an object of a class without one: the next larger that has one, or no_class.
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

    /// Whether class `opens` should open a span for an object of class `wanted`, rather than have `lends` lend it a slot.
    /// What is saved is the difference of their slots, for each object that the span takes back from larger ones.
    [[nodiscard]] bool is_worth_a_span(unsigned wanted, unsigned opens, unsigned lends, bool growing) const noexcept {
        const class_state& c = classes_[wanted];
        const std::uint64_t saved = classes::at(lends).bytes - classes::at(opens).bytes;
        const std::uint64_t span = std::uint64_t{classes::at(opens).units} * Unit;
        if (growing) {
            return (c.elsewhere + 1) * saved > span / 8;
        }
        const std::uint64_t objects = c.wanted + std::uint64_t{1};
        const std::uint64_t slots = std::uint64_t{c.chains} * classes::at(wanted).slots;
        return objects > slots && (objects - slots) * saved > 2 * span;
    }
    /// Whether as much is allocated as ever, shrinking by more than a 32nd forgotten.
    bool note_growth() noexcept {
        const std::size_t forgotten = allocated_ + allocated_ / 32;
        peak_ = peak_ < forgotten ? peak_ : forgotten;
        if (allocated_ + 2 * Unit < peak_) {
            return false;
        }
        peak_ = peak_ < allocated_ ? allocated_ : peak_;
        return true;
    }

    /// `most`: bytes of the largest slot to take where the source refuses a span.
    result<object_handle> allocate_within(std::size_t n, std::size_t most) noexcept {
        const result<object_handle> made = try_allocate(n, most);
        if (!made && !waiting_.empty()) [[unlikely]] { // what was freed is as good as free
            free_waiting();
            return try_allocate(n, most);
        }
        return made;
    }
    result<object_handle> try_allocate(std::size_t n, std::size_t most) noexcept {
        if (n == 0 || n > Unit) {
            return status::invalid;
        }
        const unsigned wanted = classes::of(n);
        if (wanted == raw_class) {
            return allocate_raw();
        }
        return classes_[wanted].groups != 0 ? take_slot(wanted, wanted) : allocate_from_others(wanted, most);
    }

    /// For a class without a free slot: a larger slot, or one of a new span.
    PAGEFOLD_NOINLINE result<object_handle> allocate_from_others(unsigned wanted, std::size_t most) noexcept {
        const bool growing = note_growth();
        const unsigned opens = class_to_open(wanted);
        const unsigned lends = lender(wanted);
        if (lends != no_class && (lends <= opens || !is_worth_a_span(wanted, opens, lends, growing))) {
            return take_slot(lends, wanted);
        }
        const result<object_handle> fresh = open_span(opens, wanted);
        if (fresh) {
            return fresh;
        }
        const unsigned larger = next_partial(wanted);
        if (larger != no_class && classes::at(larger).bytes <= most) {
            return take_slot(larger, wanted);
        }
        if (const result<object_handle> shorter = open_shorter(opens, wanted, most)) {
            return shorter;
        }
        const unsigned number = last_resort(wanted, most);
        return number != no_class ? take_any_slot(number, wanted) : fresh;
    }

    /// When the source does not have the units for a span of class `opens`: a slot of a span that needs fewer, of the first
    /// of the larger classes for which there are some, or a unit. So the pages that an object left will do for another of its
    /// size, whatever the class was then.
    PAGEFOLD_COLD result<object_handle> open_shorter(unsigned opens, unsigned wanted, std::size_t most) noexcept {
        unsigned refused = classes::at(opens).units;
        for (unsigned number = wanted; refused > 1 && number < raw_class && classes::at(number).bytes <= most;
             ++number) {
            if (classes::at(number).units < refused) {
                if (const result<object_handle> fresh = open_span(number, wanted)) {
                    return fresh;
                }
                refused = classes::at(number).units;
            }
        }
        return most >= Unit ? allocate_raw() : result<object_handle>{status::no_memory};
    }

    /// Where an object goes when the source has nothing to give: a span that was opened for a plan, or was to be emptied.
    /// None goes back to the source: a refused allocation changes nothing.
    [[nodiscard]] PAGEFOLD_COLD unsigned last_resort(unsigned wanted, std::size_t most) noexcept {
        unsigned number = spares_.next(wanted);
        if (number == no_class && victims_ != no_span) {
            drop_plan();
            number = next_partial(wanted);
        }
        return number != no_class && classes::at(number).bytes <= most ? number : no_class;
    }

    /// A record of a span and a run of memory for it; the record is the caller's to fill. With a low number, whatever table
    /// that takes, or one that takes none. The memory first: what needs a run of pages takes one before single pages are
    /// taken out of it.
    result<std::uint32_t> open(std::size_t units, void*& memory, bool low = false) noexcept {
        if (Unit % source_.page_size() != 0) {
            return status::invalid;
        }
        const result<void*> run = source_.acquire(units * Unit / source_.page_size(), node_);
        if (!run) {
            return run.error();
        }
        const result<std::uint32_t> id = low ? spans_.insert_lowest() : spans_.insert();
        if (!id || *id > max_id) {
            if (id) {
                spans_.erase(*id);
            }
            source_.release(*run, units * Unit / source_.page_size());
            return id ? result<std::uint32_t>{status::limit} : id;
        }
        memory = *run;
        held_ += units * Unit;
        return id;
    }

    result<object_handle> allocate_raw() noexcept {
        const result<std::uint32_t> id =
            Unit % source_.page_size() == 0 ? raw_.allocate(max_id) : result<std::uint32_t>{status::invalid};
        if (!id) {
            return id.error();
        }
        held_ += Unit;
        allocated_ += Unit;
        return object_handle{raw_flag | std::uint64_t{*id} << 16};
    }
    void free_raw(std::uint32_t id) noexcept {
        raw_.deallocate(id);
        held_ -= Unit;
        allocated_ -= Unit;
    }

    /// A slot of a new span. A class with many spans takes longer ones, whose idle slots are few for it and which need fewer
    /// headers; where the source has none, shorter ones.
    result<object_handle> open_span(unsigned number, unsigned wanted) noexcept {
        const size_class& shape = classes::at(number);
        class_state& c = classes_[number];
        unsigned doublings = 0;
        while (doublings < span_header::max_doublings && unsigned{shape.units} << (doublings + 1) <= MaxChain &&
               unsigned{shape.slots} << (doublings + 1) <= classes::max_slots &&
               c.chains >= chains_a_doubling << doublings) {
            ++doublings;
        }
        result<std::uint32_t> id{0};
        void* memory = nullptr;
        do {
            id = open(std::size_t{shape.units} << doublings, memory);
        } while (!id && doublings-- > 0);
        if (!id) {
            return id.error();
        }
        span_header& span = spans_[*id];
        span.open(memory, number, doublings);
        c.chains += 1u << doublings;
        return use_first_slot(*id, span, wanted);
    }
    /// Of a span that is empty and in no list.
    object_handle use_first_slot(std::uint32_t id, span_header& span, unsigned wanted) noexcept {
        const unsigned slot = span.take();
        if (span.free_count() != 0) {
            link_partial(id, span);
            classes_[span.class_number()].free += span.free_count();
        }
        enter(span.class_number(), wanted);
        const object_handle h = make_handle(id, slot, wanted);
        waiting_.forget(h);
        return h;
    }
    /// Of a class that has a free slot, or else a spare span.
    object_handle take_any_slot(unsigned number, unsigned wanted) noexcept {
        if (classes_[number].groups != 0) {
            return take_slot(number, wanted);
        }
        const std::uint32_t id = classes_[number].spare;
        span_header& span = spans_[id];
        remove_spare(number, span);
        return use_first_slot(id, span, wanted);
    }

    /// Gives an empty span, which is in no list, back to the source.
    void close_span(std::uint32_t id, span_header& span) noexcept {
        source_.release(span.base(), span.bytes() / source_.page_size());
        held_ -= span.bytes();
        classes_[span.class_number()].chains -= 1u << span.doublings();
        spans_.erase(id);
    }

    /// A slot of the fullest span of a class that has a free one, for an object of class `wanted`.
    object_handle take_slot(unsigned number, unsigned wanted) noexcept {
        class_state& c = classes_[number];
        const unsigned group = trailing_zeros(c.groups);
        const std::uint32_t id = c.heads[group];
        span_header& span = spans_[id];
        const unsigned slot = span.take();
        const unsigned free = span.free_count();
        if (free == 0) {
            unlink_partial(span, number, group);
        } else if (span.eighth(free) != group) {
            unlink_partial(span, number, group);
            link_partial(id, span);
        }
        --c.free;
        enter(number, wanted);
        const object_handle h = make_handle(id, slot, wanted);
        waiting_.forget(h);
        return h;
    }

    void free_slot(object_handle h, span_header& span) noexcept {
        const unsigned number = span.class_number();
        class_state& c = classes_[number];
        const unsigned before = span.free_count();
        const bool emptied = before + 1 == span.slots();
        span.put_back(slot_of(h));
        leave(number, wanted_of(h));
        if (span.is_victim()) {
            --c.pending;
            pending_bytes_ -= span.shape().bytes;
            if (emptied) {
                remove_victim(id_of(h), span);
                victim_bytes_ -= span.bytes();
                close_span(id_of(h), span);
            }
            return;
        }
        ++c.free;
        if (before == 0) {
            link_partial(id_of(h), span);
        } else if (emptied || span.eighth(before) != span.eighth(before + 1)) {
            unlink_partial(span, number, span.eighth(before));
            if (emptied) {
                c.free -= span.slots();
                close_span(id_of(h), span);
            } else {
                link_partial(id_of(h), span);
            }
        }
    }

    /// Counts an object in and out.
    void enter(unsigned number, unsigned wanted) noexcept {
        allocated_ += classes::at(number).bytes;
        ++classes_[wanted].wanted;
        classes_[wanted].elsewhere += number != wanted ? 1u : 0u;
    }
    void leave(unsigned number, unsigned wanted) noexcept {
        allocated_ -= classes::at(number).bytes;
        --classes_[wanted].wanted;
        classes_[wanted].elsewhere -= number != wanted ? 1u : 0u;
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
        class_state& c = classes_[number];
        link(c.heads[group], id, span);
        c.groups |= 1u << group;
        partial_.add(number);
    }
    void unlink_partial(const span_header& span, unsigned number, unsigned group) noexcept {
        class_state& c = classes_[number];
        unlink(c.heads[group], span);
        if (c.heads[group] == no_span) {
            c.groups &= ~(1u << group);
            if (c.groups == 0) {
                partial_.remove(number);
            }
        }
    }

    // The list of victims, the last one first. A walk over their objects goes from the first one to the last, so that those
    // which come meanwhile lie ahead of it.

    void add_victim(std::uint32_t id, span_header& span) noexcept {
        link(victims_, id, span);
        if (walked_ == no_span) {
            walked_ = id;
            next_slot_ = 0;
        }
    }
    void remove_victim(std::uint32_t id, const span_header& span) noexcept {
        if (walked_ == id) {
            walk_on(span);
        }
        unlink(victims_, span);
    }
    void walk_on(const span_header& span) noexcept {
        walked_ = span.previous;
        next_slot_ = 0;
    }

    // Spans that were opened for objects of victims, and are empty until the first comes. No other object goes there but where
    // the source refuses.

    bool add_spare(unsigned number, unsigned doublings) noexcept {
        void* memory = nullptr;
        const std::size_t units = std::size_t{classes::at(number).units} << doublings;
        const result<std::uint32_t> id =
            spare_count_ != spans_a_plan ? open(units, memory, true) : result<std::uint32_t>{status::limit};
        if (!id) {
            return false;
        }
        span_header& span = spans_[*id];
        span.open(memory, number, doublings);
        classes_[number].chains += 1u << doublings;
        link(classes_[number].spare, *id, span);
        spares_.add(number);
        ++spare_count_;
        return true;
    }
    void remove_spare(unsigned number, const span_header& span) noexcept {
        unlink(classes_[number].spare, span);
        --spare_count_;
        if (classes_[number].spare == no_span) {
            spares_.remove(number);
        }
    }
    [[nodiscard]] std::uint32_t spare_slots(unsigned number) const noexcept {
        std::uint32_t slots = 0;
        for (std::uint32_t id = classes_[number].spare; id != no_span; id = spans_[id].next) {
            slots += spans_[id].slots();
        }
        return slots;
    }

    /// Marks up to spans_a_plan spans of high numbers for emptying, as far as the budget goes.
    void pick_high(std::size_t max_bytes_to_move) noexcept {
        unsigned left = max_bytes_to_move != 0 ? spans_a_plan : 0, looks = high_numbers::looks_a_plan;
        for (; left != 0; --left) {
            const std::uint32_t id = high_.next(spans_, looks);
            if (id == high_numbers::none) {
                return;
            }
            Meter::step();
            span_header& span = spans_[id];
            const std::size_t bytes = std::size_t{span.used()} * span.shape().bytes;
            if (span.is_victim() || bytes == 0) {
                continue;
            }
            if (pending_bytes_ + bytes > max_bytes_to_move) {
                return;
            }
            const unsigned number = span.class_number(), free = span.free_count();
            class_state& c = classes_[number];
            c.free -= free;
            const bool has_room = c.free >= c.claimed && claim(number, span.used(), true);
            if (!has_room && !add_spare(number, span.doublings())) {
                c.free += free;
                continue;
            }
            if (free != 0) {
                unlink_partial(span, number, span.eighth(free));
            }
            make_victim(id, span);
        }
    }
    /// A span that is in no list.
    void make_victim(std::uint32_t id, span_header& span) noexcept {
        const unsigned number = span.class_number();
        span.set_victim(true);
        add_victim(id, span);
        classes_[number].pending += span.used();
        pending_.add(number);
        pending_bytes_ += std::size_t{span.used()} * span.shape().bytes;
        victim_bytes_ += span.bytes();
    }
    /// Its victims serve again.
    void drop_plan() noexcept {
        while (victims_ != no_span) {
            const std::uint32_t id = victims_;
            span_header& span = spans_[id];
            class_state& c = classes_[span.class_number()];
            remove_victim(id, span);
            span.set_victim(false);
            c.pending -= span.used();
            c.free += span.free_count();
            if (span.free_count() != 0) {
                link_partial(id, span);
            }
        }
        victim_bytes_ = 0;
        pending_bytes_ = 0;
        pending_ = {};
    }

    /// Marks up to `left` spans of one class and fullness for emptying. False where the next, and so any fuller one, is
    /// beyond the budget, or finds no room for its objects: in its own class, or also `into_others` that are slightly larger.
    bool pick_victims(unsigned number, unsigned group, bool into_others, std::size_t max_bytes_to_move,
                      unsigned& left) noexcept {
        class_state& c = classes_[number];
        for (; (c.groups >> group & 1u) != 0 && left != 0; --left) {
            Meter::step();
            const std::uint32_t id = c.heads[group];
            span_header& span = spans_[id];
            const std::size_t bytes = std::size_t{span.used()} * span.shape().bytes;
            if (victims_ != no_span && pending_bytes_ + bytes > max_bytes_to_move) {
                return false;
            }
            c.free -= span.free_count();
            if (c.free < c.claimed || !claim(number, span.used(), into_others)) {
                c.free += span.free_count();
                return false;
            }
            unlink_partial(span, number, group);
            make_victim(id, span);
        }
        return true;
    }

    /// Sets slots aside for `count` objects of a class, or none where there are too few.
    bool claim(unsigned number, std::uint32_t count, bool into_others) noexcept {
        const std::uint32_t own = lesser(count, spare(number));
        if (own != count && (!into_others || claim_above(number, count - own, false) != count - own)) {
            return false;
        }
        set_aside(number, own);
        claim_above(number, count - own, true);
        return true;
    }
    /// How many of `count` slots there are in the classes above one, up to a quarter larger; set aside if it is for `good`.
    std::uint32_t claim_above(unsigned number, std::uint32_t count, bool good) noexcept {
        const std::size_t most = classes::at(number).bytes + classes::at(number).bytes / 4;
        std::uint32_t found = 0;
        for (unsigned above = next_partial(number + 1); found != count && above != no_class;
             above = next_partial(above + 1)) {
            if (classes::at(above).bytes > most) {
                break;
            }
            const std::uint32_t taken = lesser(count - found, spare(above));
            set_aside(above, good ? taken : 0);
            found += taken;
        }
        return found;
    }
    void set_aside(unsigned number, std::uint32_t count) noexcept {
        if (count != 0) {
            classes_[number].claimed += count;
            claimed_.add(number);
        }
    }
    /// Free slots that are not set aside.
    [[nodiscard]] std::uint32_t spare(unsigned number) const noexcept {
        const class_state& c = classes_[number];
        return c.free > c.claimed ? c.free - c.claimed : 0;
    }
    [[nodiscard]] static std::uint32_t lesser(std::uint32_t a, std::uint32_t b) noexcept { return a < b ? a : b; }

    /// Sets aside anew what the victims of earlier plans still need: objects came and went since.
    void renew_claims() noexcept {
        for (unsigned number = claimed_.next(0); number != no_class; number = claimed_.next(number + 1)) {
            classes_[number].claimed = 0;
        }
        claimed_ = {};
        for (unsigned number = pending_.next(0); number != no_class; number = pending_.next(number + 1)) {
            const std::uint32_t pending = classes_[number].pending, there = spare_slots(number);
            const std::uint32_t count = pending > there ? pending - there : 0;
            const std::uint32_t own = lesser(count, spare(number));
            set_aside(number, own);
            claim_above(number, count - own, true);
        }
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
            if (!span.consistent() || span.used() == 0 || span.previous != previous ||
                span.is_victim() != (number == no_class) || (span.free_count() == 0 && number != no_class)) {
                return false;
            }
            if (number != no_class && (span.class_number() != number || span.eighth(span.free_count()) != group)) {
                return false;
            }
            previous = id;
        }
        return true;
    }
    [[nodiscard]] bool check_spares() const noexcept {
        unsigned count = 0;
        for (unsigned number = 0; number < raw_class; ++number) {
            std::uint32_t previous = no_span;
            for (std::uint32_t id = classes_[number].spare; id != no_span; id = spans_[id].next) {
                if (!spans_.contains(id) || ++count > spare_count_ || spans_[id].used() != 0 ||
                    spans_[id].previous != previous || spans_[id].class_number() != number || spans_[id].is_victim()) {
                    return false;
                }
                previous = id;
            }
        }
        return count == spare_count_;
    }
    /// Walks all spans: each with a free slot is in a list, and the sums are right.
    [[nodiscard]] bool check_spans(std::uint32_t listed) const noexcept {
        class_state sums[raw_class]{};
        std::size_t held = raw_.bytes_held(), allocated = held, victim_bytes = 0, pending_bytes = 0, objects = 0;
        unsigned empty = 0;
        for (std::uint32_t id = spans_.next_live(0); id != spans_.bound(); id = spans_.next_live(id + 1)) {
            const span_header& span = spans_[id];
            if (!span.consistent()) {
                return false;
            }
            class_state& c = sums[span.class_number()];
            const std::size_t used_bytes = std::size_t{span.used()} * span.shape().bytes;
            c.chains += 1u << span.doublings();
            c.wanted += span.used();
            held += span.bytes();
            allocated += used_bytes;
            objects += span.used();
            if (span.is_victim()) {
                c.pending += span.used();
                pending_bytes += used_bytes;
                victim_bytes += span.bytes();
            } else {
                c.free += span.used() != 0 ? span.free_count() : 0;
            }
            empty += span.used() == 0 ? 1u : 0u;
            listed -= span.used() != 0 && (span.free_count() != 0 || span.is_victim()) ? 1u : 0u;
        }
        for (unsigned number = 0; number < raw_class; ++number) {
            const class_state& c = classes_[number];
            const class_state& sum = sums[number];
            if (sum.chains != c.chains || sum.free != c.free || sum.pending != c.pending || c.elsewhere > c.wanted ||
                c.wanted - c.elsewhere > sum.wanted) {
                return false;
            }
            objects -= c.wanted;
        }
        return listed == 0 && empty == spare_count_ && objects == 0 && held == held_ && allocated == allocated_ &&
               victim_bytes == victim_bytes_ && pending_bytes == pending_bytes_;
    }

    Source& source_;
    node_id node_;
    slot_pool<span_header, Source> spans_;
    whole_units<Source, Unit> raw_; // objects of a whole unit
    class_set partial_{};           // classes that have a span with a free slot
    class_set pending_{};           // those that have had objects in victims since the last finish_compaction
    class_set spares_{};            // those that have empty spans
    class_set claimed_{};           // those of which slots are set aside
    class_state classes_[raw_class]{};
    high_numbers high_{};
    unsigned spare_count_ = 0;        // empty spans
    std::uint32_t victims_ = no_span; // list of spans to be emptied
    std::uint32_t walked_ = no_span;  // the one of them whose objects next_misplaced names
    unsigned next_slot_ = 0;          // of that one, the first it has not looked at
    std::size_t victim_bytes_ = 0;    // bytes of pages of victims
    std::size_t pending_bytes_ = 0;   // bytes of slots of objects in victims
    pending_frees waiting_{};
    std::size_t allocated_ = 0; // waiting frees' too
    std::size_t peak_ = 0;      // most that was allocated, as note_growth() sees it
    std::size_t held_ = 0;
};

} // namespace pagefold
