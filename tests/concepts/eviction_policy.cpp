// SPDX-License-Identifier: MIT
//
// The smallest eviction policy, and one wrong one for each clause: those that break the signatures must be no policy,
// those that break the behaviour must be convicted by the conformance suite of just that.

#include <conformance/eviction_policy.hpp>

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::concepts_eviction_policy {
namespace {

/// Takes the first slot of the view that will do; needs no hooks.
struct smallest {
    using hook = std::uint8_t;
    static constexpr unsigned hook_bits = 0;

    template <class View>
    void on_insert(View&, slot_id) noexcept {
        ++size_;
    }
    template <class View>
    void on_hit(View&, slot_id) noexcept {}
    template <class View>
    void on_remove(View&, slot_id) noexcept {
        --size_;
    }
    template <class View>
    void on_move(View&, slot_id, slot_id) noexcept {}
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        slot_id slot = no_slot;
        for (std::size_t i = 0; i < size_ && steps > 0; ++i, --steps) {
            slot = v.next(slot);
            if (predicate(slot)) {
                --steps;
                --size_;
                return slot;
            }
        }
        return no_slot;
    }
    std::size_t size() const noexcept { return size_; }
    template <class View>
    bool check(const View&) const noexcept {
        return true;
    }

    std::size_t size_ = 0;
};
static_assert(eviction_policy<smallest>);

struct needs_an_argument : smallest {
    explicit needs_an_argument(int) noexcept {}
};
struct construction_may_throw : smallest {
    construction_may_throw() {}
};
static_assert(!eviction_policy<needs_an_argument>);
static_assert(!eviction_policy<construction_may_throw>);

struct hook_not_trivial : smallest {
    struct hook {
        hook() noexcept = default;
        hook(const hook&) noexcept {}
        hook& operator=(const hook&) noexcept = default;
    };
    [[maybe_unused]] static constexpr unsigned hook_bits = 64;
};
struct packed_hook_not_integral : smallest {
    struct hook {
        std::uint8_t bits;
    };
};
struct packed_hook_signed : smallest {
    using hook = signed char;
};
static_assert(!eviction_policy<hook_not_trivial>);
static_assert(!eviction_policy<packed_hook_not_integral>);
static_assert(!eviction_policy<packed_hook_signed>);

struct insert_of_bool : smallest {
    template <class View>
    bool on_insert(View&, slot_id) noexcept {
        return true;
    }
};
struct insert_may_throw : smallest {
    template <class View>
    void on_insert(View&, slot_id) {}
};
struct hit_of_bool : smallest {
    template <class View>
    bool on_hit(View&, slot_id) noexcept {
        return true;
    }
};
struct hit_may_throw : smallest {
    template <class View>
    void on_hit(View&, slot_id) {}
};
struct remove_of_bool : smallest {
    template <class View>
    bool on_remove(View&, slot_id) noexcept {
        return true;
    }
};
struct remove_may_throw : smallest {
    template <class View>
    void on_remove(View&, slot_id) {}
};
struct move_of_bool : smallest {
    template <class View>
    bool on_move(View&, slot_id, slot_id) noexcept {
        return true;
    }
};
struct move_may_throw : smallest {
    template <class View>
    void on_move(View&, slot_id, slot_id) {}
};
struct evict_without_steps : smallest {
    template <class View, class Predicate>
    slot_id evict(View&, Predicate&&) noexcept {
        return no_slot;
    }
};
struct evict_of_size : smallest {
    template <class View, class Predicate>
    std::uint64_t evict(View&, Predicate&&, std::size_t&) noexcept {
        return 0;
    }
};
struct evict_may_throw : smallest {
    template <class View, class Predicate>
    slot_id evict(View&, Predicate&&, std::size_t&) {
        return no_slot;
    }
};
struct size_of_int : smallest {
    int size() const noexcept { return 0; }
};
struct size_may_throw : smallest {
    std::size_t size() const { return 0; }
};
struct size_changes_policy : smallest {
    std::size_t size() noexcept { return 0; }
};
struct check_of_int : smallest {
    template <class View>
    int check(const View&) const noexcept {
        return 1;
    }
};
struct check_may_throw : smallest {
    template <class View>
    bool check(const View&) const {
        return true;
    }
};
struct check_changes_policy : smallest {
    template <class View>
    bool check(const View&) noexcept {
        return true;
    }
};
static_assert(!eviction_policy<insert_of_bool>);
static_assert(!eviction_policy<insert_may_throw>);
static_assert(!eviction_policy<hit_of_bool>);
static_assert(!eviction_policy<hit_may_throw>);
static_assert(!eviction_policy<remove_of_bool>);
static_assert(!eviction_policy<remove_may_throw>);
static_assert(!eviction_policy<move_of_bool>);
static_assert(!eviction_policy<move_may_throw>);
static_assert(!eviction_policy<evict_without_steps>);
static_assert(!eviction_policy<evict_of_size>);
static_assert(!eviction_policy<evict_may_throw>);
static_assert(!eviction_policy<size_of_int>);
static_assert(!eviction_policy<size_may_throw>);
static_assert(!eviction_policy<size_changes_policy>);
static_assert(!eviction_policy<check_of_int>);
static_assert(!eviction_policy<check_may_throw>);
static_assert(!eviction_policy<check_changes_policy>);

static_assert(slot_view<slot_table<std::uint8_t>, std::uint8_t>);
struct view_without_next {
    std::uint8_t get(slot_id) const noexcept { return 0; }
    void set(slot_id, std::uint8_t) noexcept {}
};
struct view_of_other_hooks : slot_table<std::uint16_t> {};
static_assert(!slot_view<view_without_next, std::uint8_t>);
static_assert(!slot_view<view_of_other_hooks, std::uint8_t>);

static_assert(ghost_view<slot_table<std::uint8_t>, std::uint8_t>);
struct view_that_only_remembers : view_without_next {
    slot_id next(slot_id) const noexcept { return no_slot; }
    void remember(slot_id) noexcept {}
};
struct recall_of_int : view_that_only_remembers {
    int recall(slot_id) noexcept { return 0; }
};
struct recall_may_throw : view_that_only_remembers {
    bool recall(slot_id) { return false; }
};
static_assert(slot_view<view_that_only_remembers, std::uint8_t> && !ghost_view<view_that_only_remembers, std::uint8_t>);
static_assert(!ghost_view<recall_of_int, std::uint8_t> && !ghost_view<recall_may_throw, std::uint8_t>);

static_assert(!remembering_policy<smallest> && !configurable_policy<smallest>);
struct remembering : smallest {
    unsigned ghost_percent() const noexcept { return 100; }
};
struct percent_of_int : smallest {
    int ghost_percent() const noexcept { return 100; }
};
struct percent_changes_policy : smallest {
    unsigned ghost_percent() noexcept { return 100; }
};
static_assert(remembering_policy<remembering> && !remembering_policy<percent_of_int> &&
              !remembering_policy<percent_changes_policy>);
struct configurable : smallest {
    struct options {};
    configurable() noexcept = default;
    explicit configurable(const options&) noexcept {}
};
struct options_may_throw : smallest {
    struct options {};
    options_may_throw() noexcept = default;
    explicit options_may_throw(const options&) {}
};
struct options_need_numbers : smallest {
    struct options {
        explicit options(int) noexcept {}
    };
    options_need_numbers() noexcept = default;
    explicit options_need_numbers(const options&) noexcept {}
};
static_assert(configurable_policy<configurable> && !configurable_policy<options_may_throw> &&
              !configurable_policy<options_need_numbers>);

struct born_with_a_slot : smallest {
    born_with_a_slot() noexcept { size_ = 1; }
};
struct miscounts : smallest {
    template <class View>
    void on_remove(View&, slot_id) noexcept {}
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        const std::size_t kept = size_;
        size_ = v.next(no_slot) == no_slot ? 0 : size_;
        const slot_id victim = smallest::evict(v, predicate, steps);
        size_ = kept - (victim != no_slot ? 1 : 0);
        return victim;
    }
};
struct evicts_the_departed : smallest {
    template <class View>
    void on_insert(View& v, slot_id slot) noexcept {
        departed = slot == departed ? no_slot : departed;
        smallest::on_insert(v, slot);
    }
    template <class View>
    void on_remove(View& v, slot_id slot) noexcept {
        departed = slot;
        smallest::on_remove(v, slot);
    }
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        if (departed == no_slot || size_ == 0) {
            return smallest::evict(v, predicate, steps);
        }
        --size_;
        return departed;
    }
    slot_id departed = no_slot;
};
struct evicts_unasked : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        const slot_id found = smallest::evict(v, predicate, steps);
        if (found != no_slot || size_ == 0 || steps == 0) {
            return found;
        }
        --size_;
        return v.next(no_slot);
    }
};
struct asks_once_only : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        const slot_id first = v.next(no_slot);
        if (first == no_slot || steps == 0) {
            return no_slot;
        }
        --steps;
        if (!predicate(first)) {
            return no_slot;
        }
        --size_;
        return first;
    }
};
struct asks_about_anything : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        if (size_ > 0 && steps > 0) {
            --steps;
            static_cast<void>(predicate(slot_id{1000}));
        }
        return smallest::evict(v, predicate, steps);
    }
};
struct touches_its_victims : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        if (last != no_slot) {
            v.set(last, 0);
        }
        return last = smallest::evict(v, predicate, steps);
    }
    slot_id last = no_slot;
};
struct uses_a_bit_too_many : smallest {
    static constexpr unsigned hook_bits = 2;
    template <class View>
    void on_hit(View& v, slot_id slot) noexcept {
        v.set(slot, static_cast<std::uint8_t>(v.get(slot) + 1));
    }
};
struct relies_on_the_first_answer : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        slot_id slot = no_slot;
        for (std::size_t i = 0; i < size_ && steps >= 2; ++i) {
            steps -= 2;
            slot = v.next(slot);
            const bool first = predicate(slot);
            const bool second = predicate(slot);
            if (first || second) { // so far the same; then the victim is the one after
                --size_;
                return first == second || size_ == 0 ? slot : v.next(slot);
            }
        }
        steps = steps < 2 && size_ != 0 ? 0 : steps;
        return no_slot;
    }
};
struct overlooks_the_steps : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t&) noexcept {
        std::size_t many = 1000;
        return smallest::evict(v, predicate, many);
    }
};
struct counts_answers_only : clock {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        std::size_t asked = 0, all = ~std::size_t{0};
        const slot_id victim = clock::evict(
            v, [&](slot_id slot) noexcept { return ++asked <= steps && predicate(slot); }, all);
        steps -= asked < steps ? asked : steps;
        return victim;
    }
};
struct wants_a_whole_round : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        if (steps < size_) {
            steps = 0;
            return no_slot;
        }
        return smallest::evict(v, predicate, steps);
    }
};
struct needs_more_rounds_than_it_says : smallest {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        for (; looks < 5 * size_; ++looks, --steps) {
            if (steps == 0) {
                return no_slot;
            }
        }
        const slot_id victim = smallest::evict(v, predicate, steps);
        looks = steps != 0 ? 0 : looks;
        return victim;
    }
    std::size_t looks = 0;
};
struct says_how_many_rounds : needs_more_rounds_than_it_says {
    [[maybe_unused]] static constexpr unsigned max_rounds = 7;
};
struct recalls_the_departed : probation_clock {
    template <class View, class Predicate>
    slot_id evict(View& v, Predicate&& predicate, std::size_t& steps) noexcept {
        const slot_id victim = probation_clock::evict(v, predicate, steps);
        if (last != no_slot) {
            v.remember(last); // its key is gone with its page
        }
        return last = victim;
    }
    slot_id last = no_slot;
};
struct names_the_old_slot : fifo {
    template <class View>
    void on_move(View& v, slot_id from, slot_id to) noexcept {
        const hook links = v.get(to);
        if (links.next != no_slot && links.previous != no_slot) { // the neighbours, but neither front nor back
            fifo::on_move(v, from, to);
        }
    }
};
struct forgets_neighbours : lru {
    template <class View>
    void on_move(View& v, slot_id from, slot_id to) noexcept {
        if (const hook links = v.get(to); links.next == no_slot || links.previous == no_slot) {
            lru::on_move(v, from, to);
        }
    }
};
struct touches_where_it_was : smallest {
    template <class View>
    void on_move(View& v, slot_id from, slot_id) noexcept {
        v.set(from, 0);
    }
};
struct finds_itself_damaged : smallest {
    template <class View>
    bool check(const View&) const noexcept {
        return size_ != 5;
    }
};

TEST_CASE("the suite finds nothing in an eviction policy that keeps its contract") {
    CHECK(describe(eviction_violations<smallest>()) == "");
}

TEST_CASE("the suite convicts an eviction policy of the clause that it breaks") {
    CHECK(describe(eviction_violations<born_with_a_slot>()) == "starts_empty");
    CHECK(describe(eviction_violations<miscounts>()) == "counts_slots");
    CHECK(describe(eviction_violations<evicts_the_departed>()) == "victim_is_present");
    CHECK(describe(eviction_violations<evicts_unasked>()) == "victim_satisfies");
    CHECK(describe(eviction_violations<asks_once_only>()) == "finds_victim");
    CHECK(describe(eviction_violations<overlooks_the_steps>()) == "keeps_to_steps");
    CHECK(describe(eviction_violations<counts_answers_only>()) == "keeps_to_steps");
    CHECK(describe(eviction_violations<wants_a_whole_round>()) == "comes_to_an_answer");
    CHECK(describe(eviction_violations<needs_more_rounds_than_it_says>()) == "comes_to_an_answer");
    CHECK(describe(eviction_violations<says_how_many_rounds>()) == "");
    CHECK(describe(eviction_violations<asks_about_anything>()) == "asks_about_own_slots");
    CHECK(describe(eviction_violations<touches_its_victims>()) == "touches_own_hooks");
    CHECK(describe(eviction_violations<recalls_the_departed>()) == "touches_own_hooks");
    CHECK(describe(eviction_violations<uses_a_bit_too_many>()) == "keeps_to_hook_bits");
    CHECK(describe(eviction_violations<relies_on_the_first_answer>()) == "ends_when_mind_changes");
    CHECK(describe(eviction_violations<finds_itself_damaged>()) == "check_holds");
    CHECK(describe(eviction_violations<names_the_old_slot>()) == "follows_moves");
    CHECK(describe(eviction_violations<forgets_neighbours>()) == "follows_moves");
    CHECK(describe(eviction_violations<touches_where_it_was>()) == "follows_moves");
}

} // namespace
} // namespace pagefold::testing::concepts_eviction_policy
