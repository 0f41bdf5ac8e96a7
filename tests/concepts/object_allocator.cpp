// SPDX-License-Identifier: MIT
//
// A small compacting allocator, and one wrong one for each clause: those that break the signatures must be no allocator,
// those that break the behaviour must be convicted by the conformance suite of just that.

#include <conformance/object_allocator.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <optional>
#include <vector>

namespace pagefold::testing::concepts_object_allocator {
namespace {

/// Pages of four slots each. A handle is page number times four plus slot.
class plain {
public:
    static constexpr std::size_t max_size = 1024;

    plain(test_source& source, node_id) noexcept : source_{source} {}
    ~plain() {
        for (const page& p : pages_) {
            if (p.memory != nullptr) {
                source_.release(p.memory, 1);
            }
        }
    }
    plain(const plain&) = delete;
    plain& operator=(const plain&) = delete;

    result<object_handle> allocate(std::size_t n) noexcept {
        if (n == 0 || n > max_size) {
            return status::invalid;
        }
        if (const std::optional<object_handle> h = take_slot()) {
            return *h;
        }
        const result<void*> memory = source_.acquire(1, any_node);
        if (!memory) {
            return memory.error();
        }
        std::size_t at = 0;
        while (at < pages_.size() && pages_[at].memory != nullptr) {
            ++at;
        }
        pages_.resize(std::max(pages_.size(), at + 1));
        pages_[at] = {static_cast<std::byte*>(*memory), {}, false};
        return *take_slot();
    }
    void deallocate(object_handle h) noexcept {
        page& p = page_of(h);
        p.used.reset(slot_of(h));
        if (p.used.none()) {
            source_.release(p.memory, 1);
            p = page{};
        }
    }
    std::size_t capacity(object_handle) const noexcept { return max_size; }
    std::size_t rounded(std::size_t) const noexcept { return max_size; }
    void write(object_handle h, byte_view bytes) noexcept { std::copy_n(bytes.data(), bytes.size(), place_of(h)); }
    byte_view read(object_handle h, std::size_t n, byte_span) const noexcept { return {place_of(h), n}; }
    bool contains(object_handle h) const noexcept {
        const std::uint64_t at = static_cast<std::uint64_t>(h) / 4;
        return at < pages_.size() && pages_[at].memory != nullptr && pages_[at].used.test(slot_of(h));
    }
    byte_span place(object_handle h) const noexcept { return {place_of(h), max_size}; }
    std::size_t allocated_bytes() const noexcept {
        std::size_t slots = 0;
        for (const page& p : pages_) {
            slots += p.used.count();
        }
        return slots * max_size;
    }
    std::size_t bytes_held() const noexcept {
        std::size_t bytes = 0;
        for (const page& p : pages_) {
            bytes += p.memory != nullptr ? 4096 : 0;
        }
        return bytes;
    }
    std::size_t table_bytes() const noexcept { return 0; }
    bool check() const noexcept { return true; }

    /// Pages of one object, as many as fit with what there is to move already into pages of two and three.
    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept {
        std::size_t room = 0, moving = 0, planned = 0;
        for (const page& p : pages_) {
            room += p.used.count() == 2 || p.used.count() == 3 ? 4 - p.used.count() : 0;
        }
        for (page& p : pages_) {
            p.victim = p.used.count() == 1 && moving < room && (moving + 1) * max_size <= max_bytes_to_move;
            moving += p.victim ? 1 : 0;
            planned += p.victim ? 4096 : 0;
        }
        return planned;
    }
    bool misplaced(object_handle h) const noexcept { return page_of(h).victim; }
    result<object_handle> relocate(object_handle h) noexcept {
        const std::optional<object_handle> to = take_slot();
        if (!to) {
            return status::no_memory;
        }
        std::memcpy(place_of(*to), place_of(h), max_size);
        deallocate(h);
        return *to;
    }
    byte_span next_misplaced() noexcept {
        for (page& p : pages_) {
            for (unsigned slot = 0; p.victim && slot < 4; ++slot) {
                if (p.used.test(slot) && !p.named.test(slot)) {
                    p.named.set(slot);
                    return {p.memory + slot * max_size, max_size};
                }
            }
        }
        return {};
    }
    void finish_compaction() noexcept {
        for (page& p : pages_) {
            p.victim = false;
            p.named.reset();
        }
    }

protected:
    struct page {
        std::byte* memory = nullptr;
        std::bitset<4> used;
        bool victim = false;
        std::bitset<4> named = {};
    };

    static unsigned slot_of(object_handle h) noexcept {
        return static_cast<unsigned>(static_cast<std::uint64_t>(h) % 4);
    }
    page& page_of(object_handle h) noexcept { return pages_[static_cast<std::uint64_t>(h) / 4]; }
    const page& page_of(object_handle h) const noexcept { return pages_[static_cast<std::uint64_t>(h) / 4]; }
    std::byte* place_of(object_handle h) const noexcept { return page_of(h).memory + slot_of(h) * max_size; }

    /// In the fullest page that has one.
    std::optional<object_handle> take_slot() noexcept {
        std::size_t best = pages_.size();
        for (std::size_t i = 0; i < pages_.size(); ++i) {
            const page& p = pages_[i];
            if (p.memory != nullptr && !p.victim && !p.used.all() &&
                (best == pages_.size() || p.used.count() > pages_[best].used.count())) {
                best = i;
            }
        }
        if (best == pages_.size()) {
            return std::nullopt;
        }
        unsigned slot = 0;
        while (pages_[best].used.test(slot)) {
            ++slot;
        }
        pages_[best].used.set(slot);
        return object_handle{best * 4 + slot};
    }

    test_source& source_;
    std::vector<page> pages_;
};
static_assert(compacting_allocator<plain>);

/// The same, which also knows how full its pages are and refuses what would waste a place: here all places are alike.
class aware : public plain {
public:
    using plain::plain;
    result<object_handle> allocate_snug(std::size_t n) noexcept { return allocate(n); }
    unsigned fullness(object_handle h) const noexcept {
        const auto used = static_cast<unsigned>(page_of(h).used.count());
        return used == 1 ? 0 : used * max_fullness / 4;
    }
};
static_assert(snug_allocator<aware> && span_aware_allocator<aware>);
static_assert(!snug_allocator<plain> && !span_aware_allocator<plain>);

TEST_CASE("a small allocator that knows its pages keeps the contract") {
    CHECK(describe(allocator_violations<aware>()) == "");
}
TEST_CASE("a small allocator keeps the contract") { CHECK(describe(allocator_violations<plain>()) == ""); }

// Signatures.

// clang-format off
struct no_max_size : plain { using plain::plain; private: using plain::max_size; };
struct allocates_a_bare_handle : plain { object_handle allocate(std::size_t) noexcept; };
struct allocate_may_throw : plain { result<object_handle> allocate(std::size_t); };
struct deallocate_answers : plain { bool deallocate(object_handle) noexcept; };
struct deallocate_may_throw : plain { void deallocate(object_handle); };
struct capacity_changes_it : plain { std::size_t capacity(object_handle) noexcept; };
struct rounded_is_narrow : plain { unsigned short rounded(std::size_t) const noexcept; };
struct write_takes_no_view : plain { void write(object_handle, const void*) noexcept; };
struct read_is_writable : plain { byte_span read(object_handle, std::size_t, byte_span) const noexcept; };
struct read_takes_no_scratch : plain { byte_view read(object_handle, std::size_t) const noexcept; };
struct contains_changes_it : plain { bool contains(object_handle) noexcept; };
struct contains_may_throw : plain { bool contains(object_handle) const; };
struct place_changes_it : plain { byte_span place(object_handle) noexcept; };
struct place_is_read_only : plain { byte_view place(object_handle) const noexcept; };
struct allocated_bytes_changes_it : plain { std::size_t allocated_bytes() noexcept; };
struct bytes_held_may_throw : plain { std::size_t bytes_held() const; };
struct table_bytes_may_throw : plain { std::size_t table_bytes() const; };
struct check_changes_it : plain { bool check() noexcept; };
// clang-format on
static_assert(!object_allocator<no_max_size>);
static_assert(!object_allocator<allocates_a_bare_handle>);
static_assert(!object_allocator<allocate_may_throw>);
static_assert(!object_allocator<deallocate_answers>);
static_assert(!object_allocator<deallocate_may_throw>);
static_assert(!object_allocator<capacity_changes_it>);
static_assert(!object_allocator<rounded_is_narrow>);
static_assert(!object_allocator<write_takes_no_view>);
static_assert(!object_allocator<read_is_writable>);
static_assert(!object_allocator<read_takes_no_scratch>);
static_assert(!object_allocator<contains_changes_it>);
static_assert(!object_allocator<contains_may_throw>);
static_assert(!object_allocator<place_changes_it>);
static_assert(!object_allocator<place_is_read_only>);
static_assert(!object_allocator<allocated_bytes_changes_it>);
static_assert(!object_allocator<bytes_held_may_throw>);
static_assert(!object_allocator<table_bytes_may_throw>);
static_assert(!object_allocator<check_changes_it>);
static_assert(!object_allocator<int>);

// An object allocator that is none of the compacting kind.

// clang-format off
struct no_plan : plain { private: using plain::plan_compaction; };
struct plan_says_nothing : plain { void plan_compaction(std::size_t) noexcept; };
struct misplaced_changes_it : plain { bool misplaced(object_handle) noexcept; };
struct relocates_in_place : plain { status relocate(object_handle) noexcept; };
struct relocate_may_throw : plain { result<object_handle> relocate(object_handle); };
struct names_no_place : plain { object_handle next_misplaced() noexcept; };
struct next_may_throw : plain { byte_span next_misplaced(); };
struct finish_may_throw : plain { void finish_compaction(); };
struct snug_allocates_a_bare_handle : aware { object_handle allocate_snug(std::size_t) noexcept; };
struct snug_may_throw : aware { result<object_handle> allocate_snug(std::size_t); };
struct fullness_changes_it : aware { unsigned fullness(object_handle) noexcept; };
struct fullness_may_throw : aware { unsigned fullness(object_handle) const; };
struct fullness_is_wide : aware { std::uint64_t fullness(object_handle) const noexcept; };
// clang-format on
template <class T>
inline constexpr bool only_object_allocator = object_allocator<T> && !compacting_allocator<T>;
static_assert(only_object_allocator<no_plan>);
static_assert(only_object_allocator<plan_says_nothing>);
static_assert(only_object_allocator<misplaced_changes_it>);
static_assert(only_object_allocator<relocates_in_place>);
static_assert(only_object_allocator<relocate_may_throw>);
static_assert(only_object_allocator<names_no_place>);
static_assert(only_object_allocator<next_may_throw>);
static_assert(only_object_allocator<finish_may_throw>);
static_assert(!snug_allocator<snug_allocates_a_bare_handle>);
static_assert(!snug_allocator<snug_may_throw>);
static_assert(!span_aware_allocator<fullness_changes_it>);
static_assert(!span_aware_allocator<fullness_may_throw>);
static_assert(!span_aware_allocator<fullness_is_wide>);

TEST_CASE("the suite passes an allocator that doesn't compact") {
    struct stays : plain {
        using plain::plain;

    private:
        using plain::plan_compaction;
    };
    static_assert(only_object_allocator<stays>);
    CHECK(describe(allocator_violations<stays>()) == "");
}

// Behaviour.

struct takes_a_page_early : plain {
    takes_a_page_early(test_source& source, node_id node) noexcept
        : plain{source, node}, early_{source.acquire(1, node).value()} {}
    ~takes_a_page_early() { source_.release(early_, 1); }
    std::size_t table_bytes() const noexcept { return 4096; }
    void* early_;
};
struct takes_zero_bytes : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept { return plain::allocate(n == 0 ? 1 : n); }
};
struct takes_huge_sizes : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept { return plain::allocate(n > max_size ? max_size : n); }
};
struct refuses_the_greatest : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept { return plain::allocate(n == max_size ? 0 : n); }
};
struct wide_handle : plain {
    static constexpr std::uint64_t extra = std::uint64_t{1} << 48;
    static object_handle narrow(object_handle h) noexcept {
        return object_handle{static_cast<std::uint64_t>(h) ^ extra};
    }
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> h = plain::allocate(n);
        return h ? narrow(*h) : h;
    }
    void deallocate(object_handle h) noexcept { plain::deallocate(narrow(h)); }
    void write(object_handle h, byte_view bytes) noexcept { plain::write(narrow(h), bytes); }
    byte_view read(object_handle h, std::size_t n, byte_span scratch) const noexcept {
        return plain::read(narrow(h), n, scratch);
    }
    bool contains(object_handle h) const noexcept { return plain::contains(narrow(h)); }
    byte_span place(object_handle h) const noexcept { return plain::place(narrow(h)); }
    bool misplaced(object_handle h) const noexcept { return plain::misplaced(narrow(h)); }
    result<object_handle> relocate(object_handle h) noexcept {
        const result<object_handle> to = plain::relocate(narrow(h));
        return to ? narrow(*to) : to;
    }
};
struct contains_what_was_freed : plain {
    using plain::plain;
    bool contains(object_handle h) const noexcept {
        const std::uint64_t at = static_cast<std::uint64_t>(h) / 4;
        return at < pages_.size() && pages_[at].memory != nullptr;
    }
};
struct contains_by_the_low_bits : plain {
    using plain::plain;
    bool contains(object_handle h) const noexcept { return plain::contains(low(h)); }
    byte_span place(object_handle h) const noexcept { return plain::place(low(h)); }
    static object_handle low(object_handle h) noexcept {
        return object_handle{static_cast<std::uint64_t>(h) & 0xffffffffu};
    }
};
struct contains_nothing_full : plain {
    using plain::plain;
    bool contains(object_handle h) const noexcept { return plain::contains(h) && !page_of(h).used.all(); }
};
struct place_is_too_short : plain {
    using plain::plain;
    byte_span place(object_handle h) const noexcept { return plain::place(h).first(max_size - 1); }
};
struct place_is_another : plain {
    using plain::plain;
    byte_span place(object_handle h) const noexcept {
        return {page_of(h).memory + (slot_of(h) ^ 1) * max_size, max_size};
    }
};
struct reads_change_the_tail : plain {
    using plain::plain;
    byte_view read(object_handle h, std::size_t n, byte_span scratch) const noexcept {
        place_of(h)[max_size - 1] ^= std::byte{1};
        return plain::read(h, n, scratch);
    }
};
struct names_no_first_slot : plain {
    using plain::plain;
    byte_span next_misplaced() noexcept {
        byte_span named = plain::next_misplaced();
        while (!named.empty() && reinterpret_cast<std::uintptr_t>(named.data()) % 4096 == 0) {
            named = plain::next_misplaced();
        }
        return named;
    }
};
struct names_some_twice : plain {
    using plain::plain;
    byte_span next_misplaced() noexcept {
        again_ = !again_;
        last_ = again_ ? last_ : plain::next_misplaced();
        return last_;
    }
    byte_span last_;
    bool again_ = true;
};
struct names_what_was_freed : plain {
    using plain::plain;
    byte_span next_misplaced() noexcept {
        for (page& p : pages_) {
            for (unsigned slot = 0; p.victim && slot < 4; ++slot) {
                if (!p.named.test(slot)) {
                    p.named.set(slot);
                    return {p.memory + slot * max_size, max_size};
                }
            }
        }
        return {};
    }
};
struct names_after_the_end : plain {
    using plain::plain;
    byte_span next_misplaced() noexcept {
        if (const byte_span named = plain::next_misplaced(); !named.empty()) {
            return named;
        }
        for (page& p : pages_) {
            if (p.used.any()) {
                return {p.memory + static_cast<unsigned>(p.used.to_ulong() % 2 == 0) * max_size, max_size};
            }
        }
        return {};
    }
};
/// Those that a later plan adds are not named where the walk is past them.
struct names_none_behind_the_walk : plain {
    using plain::plain;
    byte_span next_misplaced() noexcept {
        for (; walked_ < pages_.size() * 4; ++walked_) {
            page& p = pages_[walked_ / 4];
            if (p.victim && p.used.test(walked_ % 4)) {
                const std::size_t slot = walked_++ % 4;
                return {p.memory + slot * max_size, max_size};
            }
        }
        return {};
    }
    void finish_compaction() noexcept {
        plain::finish_compaction();
        walked_ = 0;
    }
    std::size_t walked_ = 0;
};
struct small_capacity : plain {
    using plain::plain;
    std::size_t capacity(object_handle) const noexcept { return max_size - 1; }
    byte_span place(object_handle h) const noexcept { return plain::place(h).first(max_size - 1); }
};
struct rounds_down : plain {
    using plain::plain;
    std::size_t rounded(std::size_t n) const noexcept { return n / 16 * 16; }
};
struct reads_the_capacity : plain {
    using plain::plain;
    byte_view read(object_handle h, std::size_t, byte_span scratch) const noexcept {
        return plain::read(h, max_size, scratch);
    }
};
struct writes_past_the_slot : plain {
    using plain::plain;
    void write(object_handle h, byte_view bytes) noexcept {
        plain::write(h, bytes);
        if (slot_of(h) != 3) {
            place_of(h)[max_size] ^= std::byte{1};
        }
    }
};
struct counts_what_was_asked_once : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> h = plain::allocate(n);
        total_ += h ? max_size : 0;
        return h;
    }
    std::size_t allocated_bytes() const noexcept { return total_; } // never less
    std::size_t total_ = 0;
};
struct forgets_a_page : plain {
    using plain::plain;
    std::size_t bytes_held() const noexcept {
        const std::size_t held = plain::bytes_held();
        return held < 40 * 4096 ? held : held - 4096;
    }
};
struct answers_its_own_error : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> h = plain::allocate(n);
        return h || h.error() != status::limit ? h : status::no_memory;
    }
};
struct makes_room_when_refused : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> h = plain::allocate(n);
        for (std::size_t i = 0; !h && h.error() != status::invalid && i < pages_.size(); ++i) {
            if (pages_[i].used.any()) {
                std::memset(pages_[i].memory, 0, max_size);
            }
        }
        return h;
    }
};
struct keeps_a_page : plain {
    using plain::plain;
    ~keeps_a_page() {
        for (page& p : pages_) {
            if (p.memory != nullptr) {
                p.memory = nullptr;
                return;
            }
        }
    }
};
struct gives_a_page_back_twice : plain {
    using plain::plain;
    ~gives_a_page_back_twice() {
        for (page& p : pages_) {
            if (p.memory != nullptr) {
                source_.release(p.memory, 1);
                return;
            }
        }
    }
};
struct check_is_false_when_full : plain {
    using plain::plain;
    bool check() const noexcept { return bytes_held() < 40 * 4096; }
};
struct ignores_the_budget : plain {
    using plain::plain;
    std::size_t plan_compaction(std::size_t) noexcept { return plain::plan_compaction(~std::size_t{0}); }
};
struct promises_a_page_too_many : plain {
    using plain::plain;
    std::size_t plan_compaction(std::size_t n) noexcept {
        const std::size_t planned = plain::plan_compaction(n);
        return planned == 0 ? 0 : planned + 4096;
    }
};
struct forgets_no_plan : plain {
    using plain::plain;
    std::size_t plan_compaction(std::size_t n) noexcept { // can't keep its own promise, so makes none
        plain::finish_compaction();
        if (n == 0) {
            return 0;
        }
        for (page& p : pages_) {
            if (p.used.all()) {
                p.victim = true;
                break;
            }
        }
        return 0;
    }
    result<object_handle> relocate(object_handle) noexcept { return status::no_memory; }
    void finish_compaction() noexcept {}
};
struct relocates_into_victims : plain {
    using plain::plain;
    result<object_handle> relocate(object_handle h) noexcept {
        page& p = page_of(h);
        const unsigned from = slot_of(h), to = (from + 1) % 4;
        if (p.used.test(to)) {
            return status::no_memory;
        }
        const object_handle moved{static_cast<std::uint64_t>(h) - from + to};
        std::memcpy(place_of(moved), place_of(h), max_size);
        p.used.set(to);
        p.used.reset(from);
        return moved;
    }
};
struct relocates_to_a_new_page : plain {
    using plain::plain;
    result<object_handle> relocate(object_handle h) noexcept {
        const result<void*> memory = source_.acquire(1, any_node);
        source_.release(*memory, 1);
        return plain::relocate(h);
    }
};
struct relocates_half : plain {
    using plain::plain;
    result<object_handle> relocate(object_handle h) noexcept {
        std::memset(place_of(h) + max_size / 8, 0, max_size - max_size / 8);
        return plain::relocate(h);
    }
};
struct stops_during_a_plan : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept {
        const bool planned = std::any_of(pages_.begin(), pages_.end(), [](const page& p) { return p.victim; });
        return planned ? result<object_handle>{status::no_memory} : plain::allocate(n);
    }
};
struct allocates_in_victims : plain {
    using plain::plain;
    result<object_handle> allocate(std::size_t n) noexcept {
        for (std::size_t i = 0; n != 0 && n <= max_size && i < pages_.size(); ++i) {
            for (unsigned slot = 0; pages_[i].victim && slot < 4; ++slot) {
                if (!pages_[i].used.test(slot)) {
                    pages_[i].used.set(slot);
                    return object_handle{i * 4 + slot};
                }
            }
        }
        return plain::allocate(n);
    }
};
/// A small object gets a page for itself and its like, or else any place.
struct snug_wastes_places : aware {
    using aware::aware;
    std::size_t rounded(std::size_t n) const noexcept { return n < 512 ? 512 : max_size; }
    result<object_handle> allocate(std::size_t n) noexcept {
        if (n != 0 && n < 512) {
            if (const result<void*> memory = source_.acquire(1, any_node)) {
                pages_.push_back({static_cast<std::byte*>(*memory), {}, false});
            }
        }
        return aware::allocate(n);
    }
    result<object_handle> allocate_snug(std::size_t n) noexcept { return allocate(n); }
};
struct snug_hides_the_reason : aware {
    using aware::aware;
    result<object_handle> allocate_snug(std::size_t n) noexcept {
        const result<object_handle> h = allocate(n);
        return h.error() == status::no_memory ? result<object_handle>{status::limit} : h;
    }
};
struct fullness_forgets_the_last : aware {
    using aware::aware;
    unsigned fullness(object_handle h) const noexcept {
        return static_cast<unsigned>(page_of(h).used.count()) * max_fullness / 4;
    }
};
struct fullness_is_unbounded : aware {
    using aware::aware;
    unsigned fullness(object_handle h) const noexcept { return aware::fullness(h) * 2; }
};

TEST_CASE_TEMPLATE_DEFINE("the suite convicts a wrong allocator of its one breach", Wrong, wrong_allocators) {
    CHECK(describe(allocator_violations<typename Wrong::allocator>()) == to_string(Wrong::breach));
}

template <class Allocator, allocator_clause Clause>
struct breaks {
    using allocator = Allocator;
    static constexpr allocator_clause breach = Clause;
};
TEST_CASE_TEMPLATE_INVOKE(wrong_allocators, //
                          breaks<takes_a_page_early, allocator_clause::starts_without_memory>,
                          breaks<takes_zero_bytes, allocator_clause::refuses_bad_sizes>,
                          breaks<takes_huge_sizes, allocator_clause::refuses_bad_sizes>,
                          breaks<refuses_the_greatest, allocator_clause::serves_all_sizes>,
                          breaks<wide_handle, allocator_clause::handle_fits>,
                          breaks<contains_what_was_freed, allocator_clause::contains_just_the_live>,
                          breaks<contains_by_the_low_bits, allocator_clause::contains_just_the_live>,
                          breaks<contains_nothing_full, allocator_clause::contains_just_the_live>,
                          breaks<place_is_too_short, allocator_clause::place_is_the_objects>,
                          breaks<place_is_another, allocator_clause::place_is_the_objects>,
                          breaks<reads_change_the_tail, allocator_clause::place_is_the_objects>,
                          breaks<names_no_first_slot, allocator_clause::names_each_misplaced>,
                          breaks<names_some_twice, allocator_clause::names_each_misplaced>,
                          breaks<names_what_was_freed, allocator_clause::names_each_misplaced>,
                          breaks<names_after_the_end, allocator_clause::names_each_misplaced>,
                          breaks<names_none_behind_the_walk, allocator_clause::names_each_misplaced>,
                          breaks<small_capacity, allocator_clause::capacity_suffices>,
                          breaks<rounds_down, allocator_clause::capacity_suffices>,
                          breaks<reads_the_capacity, allocator_clause::reads_asked_size>,
                          breaks<writes_past_the_slot, allocator_clause::keeps_contents>,
                          breaks<counts_what_was_asked_once, allocator_clause::counts_allocated>,
                          breaks<forgets_a_page, allocator_clause::counts_memory>,
                          breaks<answers_its_own_error, allocator_clause::passes_on_refusal>,
                          breaks<makes_room_when_refused, allocator_clause::unchanged_by_refusal>,
                          breaks<keeps_a_page, allocator_clause::gives_all_back>,
                          breaks<gives_a_page_back_twice, allocator_clause::gives_all_back>,
                          breaks<check_is_false_when_full, allocator_clause::check_holds>,
                          breaks<ignores_the_budget, allocator_clause::plan_keeps_to_budget>,
                          breaks<promises_a_page_too_many, allocator_clause::plan_frees_its_promise>,
                          breaks<forgets_no_plan, allocator_clause::plan_ends_when_finished>,
                          breaks<relocates_into_victims, allocator_clause::relocate_moves_to_stay>,
                          breaks<relocates_to_a_new_page, allocator_clause::relocate_takes_no_page>,
                          breaks<relocates_half, allocator_clause::relocate_keeps_contents>,
                          breaks<stops_during_a_plan, allocator_clause::serves_during_plan>,
                          breaks<allocates_in_victims, allocator_clause::serves_during_plan>,
                          breaks<snug_wastes_places, allocator_clause::snug_keeps_to_size>,
                          breaks<snug_hides_the_reason, allocator_clause::snug_keeps_to_size>,
                          breaks<fullness_forgets_the_last, allocator_clause::fullness_tells_the_last>,
                          breaks<fullness_is_unbounded, allocator_clause::fullness_tells_the_last>);

} // namespace
} // namespace pagefold::testing::concepts_object_allocator
