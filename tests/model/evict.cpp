// SPDX-License-Identifier: MIT
//
// Each eviction policy against the plainest program that says what it should do: the same operations, the same victims.

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/clock2q_plus.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>

#include <support/rng.hpp>
#include <support/slot_table.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <set>

namespace pagefold::testing::model_evict {
namespace {

/// What a naive policy without a ghost says of one.
struct without_ghost {
    [[maybe_unused]] static constexpr bool remembered = false;
};

struct naive_fifo : without_ghost {
    std::list<slot_id> queue; // the oldest first

    void on_insert(slot_id slot, bool) { queue.push_back(slot); }
    void on_hit(slot_id) {}
    void on_remove(slot_id slot) { queue.remove(slot); }
    void on_move(slot_id from, slot_id to) { std::replace(queue.begin(), queue.end(), from, to); }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        const auto end =
            steps < queue.size() ? std::next(queue.begin(), static_cast<std::ptrdiff_t>(steps)) : queue.end();
        const auto found = std::find_if(queue.begin(), end, predicate);
        steps -= static_cast<std::size_t>(std::distance(queue.begin(), found)) + (found == end ? 0 : 1);
        if (found == end) {
            return no_slot;
        }
        const slot_id victim = *found;
        queue.erase(found);
        return victim;
    }
};

struct naive_lru : naive_fifo {
    void on_hit(slot_id slot) {
        queue.remove(slot);
        queue.push_back(slot);
    }
};

struct naive_clock : without_ghost {
    std::map<slot_id, bool> was_hit;
    slot_id hand = no_slot; // the page that is looked at next, or none: the first

    void on_insert(slot_id slot, bool) { was_hit[slot] = false; }
    void on_hit(slot_id slot) { was_hit[slot] = true; }
    void on_remove(slot_id slot) {
        hand = hand == slot ? after(slot) : hand;
        was_hit.erase(slot);
    }
    void on_move(slot_id from, slot_id to) {
        was_hit[to] = was_hit[from];
        was_hit.erase(from);
        hand = hand == from ? to : hand;
    }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        for (std::set<slot_id> refused; refused.size() < was_hit.size();) { // since the last second chance
            hand = hand != no_slot ? hand : was_hit.begin()->first;
            if (steps == 0) {
                return no_slot;
            }
            --steps;
            const slot_id at = hand;
            if (was_hit[at]) {
                was_hit[at] = false;
                refused.clear();
            } else if (predicate(at)) {
                on_remove(at);
                return at;
            } else {
                refused.insert(at);
            }
            hand = was_hit.size() == 1 ? at : after(at);
        }
        return no_slot;
    }
    [[nodiscard]] slot_id after(slot_id slot) const {
        if (was_hit.size() == 1) {
            return no_slot;
        }
        const auto next = was_hit.upper_bound(slot);
        return next == was_hit.end() ? was_hit.begin()->first : next->first;
    }
};

struct naive_sieve : without_ghost {
    std::list<slot_id> queue; // the newest first
    std::set<slot_id> read;
    slot_id hand = no_slot; // none: the oldest

    void on_insert(slot_id slot, bool) { queue.push_front(slot); }
    void on_hit(slot_id slot) { read.insert(slot); }
    void on_remove(slot_id slot) {
        hand = hand == slot ? newer(slot) : hand;
        queue.remove(slot);
        read.erase(slot);
    }
    void on_move(slot_id from, slot_id to) {
        std::replace(queue.begin(), queue.end(), from, to);
        if (read.erase(from) != 0) {
            read.insert(to);
        }
        hand = hand == from ? to : hand;
    }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        for (std::set<slot_id> refused; refused.size() < queue.size() && steps > 0;) {
            const slot_id at = hand != no_slot ? hand : queue.back();
            --steps;
            if (read.erase(at) != 0) {
                refused.clear();
            } else if (predicate(at)) {
                on_remove(at);
                return at;
            } else {
                refused.insert(at);
            }
            hand = newer(at);
        }
        return no_slot;
    }
    [[nodiscard]] slot_id newer(slot_id slot) const {
        const auto at = std::find(queue.begin(), queue.end(), slot);
        return at == queue.begin() ? no_slot : *std::prev(at);
    }
};

/// Two queues, the newest first. `Numbers` as in the header.
template <unsigned SmallPercent, unsigned HitsToStay, unsigned MostHits, unsigned WindowPercent>
struct naive_queues {
    struct page {
        slot_id slot;
        unsigned hits;
        std::uint64_t arrival;
    };
    std::list<page> small, main;
    std::uint64_t arrivals = 0;
    bool remembered = false; // the last victim
    bool over = false;       // the search ended for want of steps

    void on_insert(slot_id slot, bool known) {
        (known ? main : small).push_front({slot, 0, arrivals});
        arrivals += known ? 0 : 1;
    }
    void on_hit(slot_id slot) {
        const std::size_t size = small.size() + main.size();
        for (page& p : small) {
            const bool counts = (arrivals - p.arrival - 1) * 100 >= size * SmallPercent / 100 * WindowPercent;
            p.hits += p.slot == slot && counts && p.hits < MostHits ? 1 : 0;
        }
        for (page& p : main) {
            p.hits += p.slot == slot && p.hits < MostHits ? 1 : 0;
        }
    }
    void on_remove(slot_id slot) {
        const auto is_it = [=](const page& p) { return p.slot == slot; };
        small.remove_if(is_it);
        main.remove_if(is_it);
    }
    void on_move(slot_id from, slot_id to) {
        for (std::list<page>* queue : {&small, &main}) {
            for (page& p : *queue) {
                p.slot = p.slot == from ? to : p.slot;
            }
        }
    }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        over = remembered = false;
        slot_id victim = search_small(predicate, steps, false);
        victim = over ? victim : search_main(predicate, steps);
        victim = over ? victim : search_small(predicate, steps, true);
        return over ? victim : search_main(predicate, steps);
    }
    template <class Predicate>
    slot_id search_small(Predicate predicate, std::size_t& steps, bool all) {
        std::list<page> refused; // the newest first
        slot_id victim = no_slot;
        while (!small.empty() && !over) {
            const std::size_t in_small = small.size() + refused.size();
            if (!all && !main.empty() && in_small * 100 < (in_small + main.size()) * SmallPercent) {
                break;
            }
            if (steps == 0) {
                over = true;
                break;
            }
            --steps;
            const page p = small.back();
            small.pop_back();
            if (p.hits >= HitsToStay) {
                main.push_front({p.slot, 0, 0});
            } else if (predicate(p.slot)) {
                victim = p.slot;
                over = remembered = true;
            } else {
                refused.push_front(p);
            }
        }
        small.splice(small.end(), refused);
        over = over || small.size() + main.size() == 0;
        return victim;
    }
    template <class Predicate>
    slot_id search_main(Predicate predicate, std::size_t& steps) {
        std::list<page> refused;
        slot_id victim = no_slot;
        while (!main.empty() && !over) {
            if (steps == 0) {
                over = true;
                break;
            }
            --steps;
            page p = main.back();
            main.pop_back();
            if (p.hits > 0) {
                --p.hits;
                main.push_front(p);
            } else if (predicate(p.slot)) {
                victim = p.slot;
                over = true;
            } else {
                refused.push_front(p);
            }
        }
        main.splice(main.end(), refused);
        over = over || small.size() + main.size() == 0;
        return victim;
    }
};

struct naive_probation_clock {
    enum class stage { fresh, read, main };
    struct page {
        stage is = stage::fresh;
        unsigned hits = 0;
    };
    std::map<slot_id, page> pages;
    slot_id hands[2] = {no_slot, no_slot}; // of probation, of main pages
    bool remembered = false;

    void on_insert(slot_id slot, bool known) { pages[slot] = {known ? stage::main : stage::fresh, 0}; }
    void on_hit(slot_id slot) {
        page& p = pages[slot];
        p.hits += p.is == stage::main && p.hits < 3 ? 1 : 0;
        p.is = p.is == stage::fresh ? stage::read : p.is;
    }
    void on_remove(slot_id slot) {
        for (slot_id& hand : hands) {
            hand = hand != slot ? hand : pages.size() == 1 ? no_slot : after(slot);
        }
        pages.erase(slot);
    }
    void on_move(slot_id from, slot_id to) {
        pages[to] = pages[from];
        pages.erase(from);
        for (slot_id& hand : hands) {
            hand = hand == from ? to : hand;
        }
    }
    [[nodiscard]] std::size_t on_probation() const {
        return static_cast<std::size_t>(
            std::count_if(pages.begin(), pages.end(), [](const auto& p) { return p.second.is != stage::main; }));
    }
    template <class Predicate>
    slot_id evict(Predicate predicate, std::size_t& steps) {
        remembered = false;
        std::set<slot_id> vain[2]; // met in a row to no avail, by each hand
        bool main_was_vain = false;
        while (steps > 0) {
            const bool done[2] = {vain[0].size() == pages.size() || on_probation() == 0,
                                  vain[1].size() == pages.size()};
            if (done[0] && done[1]) {
                return no_slot;
            }
            main_was_vain = main_was_vain || done[1];
            const bool has_enough = on_probation() == pages.size() || on_probation() * 10 >= pages.size();
            const unsigned which = !done[0] && (main_was_vain || has_enough) ? 0 : 1;
            --steps;
            const slot_id at = hands[which] != no_slot ? hands[which] : pages.begin()->first;
            page& p = pages[at];
            const bool can_go = which == 0 ? p.is == stage::fresh : p.is == stage::main && p.hits == 0;
            if (can_go && predicate(at)) {
                remembered = which == 0;
                hands[which] = at;
                on_remove(at);
                return at;
            }
            hands[which] = after(at);
            if (which == 0 && p.is == stage::read) {
                p = {stage::main, 0};
                vain[0].clear();
                vain[1].clear();
            } else if (which == 1 && p.is == stage::main && p.hits > 0) {
                --p.hits;
                vain[1].clear();
            } else {
                vain[which].insert(at);
            }
        }
        return no_slot;
    }
    [[nodiscard]] slot_id after(slot_id slot) const {
        const auto next = pages.upper_bound(slot);
        return next == pages.end() ? pages.begin()->first : next->first;
    }
};

template <eviction_policy Policy, class Naive>
void compare(std::size_t slot_count, std::uint64_t seed, const Policy& empty) {
    CAPTURE(slot_count);
    CAPTURE(seed);
    rng random{seed};
    slot_table<typename Policy::hook> slots{slot_count};
    slots.set_ghost(slot_count);
    Policy policy = empty;
    Naive naive;
    std::size_t victims = 0, known = 0;
    for (int i = 0; i < 20000; ++i) {
        const slot_id slot = static_cast<slot_id>(random.below(slot_count));
        if (!slots.has(slot)) {
            slots.add(slot);
            slots.name(slot, random.below(3 * slot_count));
            const bool is_known = slots.knows(slots.key_of(slot));
            policy.on_insert(slots, slot);
            naive.on_insert(slot, is_known);
            known += is_known ? 1 : 0;
            if (const slot_id to = static_cast<slot_id>(random.below(slot_count)); random.one_in(4) && !slots.has(to)) {
                const slot_id from = slots.next(to);
                slots.move(from, to);
                policy.on_move(slots, from, to);
                naive.on_move(from, to);
            }
        } else if (random.one_in(6)) {
            policy.on_remove(slots, slot);
            slots.remove(slot);
            naive.on_remove(slot);
        } else {
            policy.on_hit(slots, slot);
            naive.on_hit(slot);
        }
        if (random.one_in(5)) {
            const std::uint64_t divisor = 1 + random.below(3) * random.below(slot_count);
            const auto predicate = [=](slot_id s) noexcept { return s % divisor == 0; };
            std::size_t steps = random.one_in(2) ? ~std::size_t{0} : random.below(2 * slot_count + 2);
            std::size_t naive_steps = steps;
            const slot_id victim = policy.evict(slots, predicate, steps);
            REQUIRE(victim == naive.evict(predicate, naive_steps));
            REQUIRE(steps == naive_steps);
            if (victim != no_slot) {
                if constexpr (remembering_policy<Policy>) {
                    REQUIRE(slots.was_remembered(victim) == naive.remembered);
                }
                slots.remove(victim);
                ++victims;
            }
        }
        REQUIRE(policy.check(slots));
    }
    REQUIRE_FALSE(slots.was_misused());
    CHECK(victims > 1000);
    CHECK((!remembering_policy<Policy> || known > 100));
}

template <eviction_policy Policy, class Naive>
void compare(const Policy& empty = Policy{}) {
    std::uint64_t seed = 1;
    for (const std::size_t slot_count : {1u, 2u, 5u, 40u}) {
        compare<Policy, Naive>(slot_count, seed++, empty);
    }
}

TEST_CASE("fifo evicts what a list in order of arrival would") { compare<fifo, naive_fifo>(); }

TEST_CASE("lru evicts what a list in order of use would") { compare<lru, naive_lru>(); }

TEST_CASE("clock evicts what a hand over a map of reference bits would") { compare<clock, naive_clock>(); }

TEST_CASE("sieve evicts what a hand over a list in order of arrival would") { compare<sieve, naive_sieve>(); }

TEST_CASE("probation_clock evicts what two hands over a map of stages would") {
    compare<probation_clock, naive_probation_clock>();
}

TEST_CASE("s3_fifo evicts what two lists would") {
    compare<s3_fifo, naive_queues<10, 2, 3, 0>>();
    compare<s3_fifo, naive_queues<30, 1, 1, 0>>(s3_fifo{{30, 1, 100}});
    compare<s3_fifo, naive_queues<0, 2, 3, 0>>(s3_fifo{{0, 2, 100}});
    compare<s3_fifo, naive_queues<100, 2, 3, 0>>(s3_fifo{{100, 2, 100}});
}

TEST_CASE("clock2q_plus evicts what two lists with a window would") {
    compare<clock2q_plus, naive_queues<10, 1, 1, 50>>();
    compare<clock2q_plus, naive_queues<50, 1, 1, 50>>(clock2q_plus{{50, 50, 50}});
    compare<clock2q_plus, naive_queues<40, 1, 1, 100>>(clock2q_plus{{40, 100, 50}});
}

} // namespace
} // namespace pagefold::testing::model_evict
