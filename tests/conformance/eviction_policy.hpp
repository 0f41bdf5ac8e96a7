// SPDX-License-Identifier: MIT
#pragma once

// The contract of an eviction policy (the table in evict/concept.hpp) as a function that names the clause a policy
// breaks: nothing for a good one. Random operations on a policy and on the set of slots that it should know; after
// each one everything that must hold is looked at. The first breach ends the run, because from there on both
// disagree.

#include <pagefold/evict/concept.hpp>

#include <support/rng.hpp>
#include <support/slot_table.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace pagefold::testing {

enum class eviction_clause {
    starts_empty,           ///< a new policy has no slots and no victim
    counts_slots,           ///< size() is the number of slots in its care
    victim_is_present,      ///< a victim is a slot in its care
    victim_satisfies,       ///< the predicate answered true for it
    finds_victim,           ///< no_slot only if no slot satisfies the predicate, or no steps are left
    keeps_to_steps,         ///< no more slots are looked at than the steps allow, and each look is subtracted
    comes_to_an_answer,     ///< O(size) steps are enough, in calls of any number where the predicate accepts any slot
    asks_about_own_slots,   ///< the predicate is asked about slots in its care only
    touches_own_hooks,      ///< only hooks of slots in its care are read or written
    keeps_to_hook_bits,     ///< an integer hook stays below 2^hook_bits
    ends_when_mind_changes, ///< a predicate that changes its answers leads to a victim it agreed to, or to none
    check_holds,            ///< check is true all the time
    follows_moves,          ///< all of that when pages move to other slots as well
};

[[nodiscard]] inline const char* to_string(eviction_clause clause) noexcept {
    switch (clause) {
    case eviction_clause::starts_empty: return "starts_empty";
    case eviction_clause::counts_slots: return "counts_slots";
    case eviction_clause::victim_is_present: return "victim_is_present";
    case eviction_clause::victim_satisfies: return "victim_satisfies";
    case eviction_clause::finds_victim: return "finds_victim";
    case eviction_clause::keeps_to_steps: return "keeps_to_steps";
    case eviction_clause::comes_to_an_answer: return "comes_to_an_answer";
    case eviction_clause::asks_about_own_slots: return "asks_about_own_slots";
    case eviction_clause::touches_own_hooks: return "touches_own_hooks";
    case eviction_clause::keeps_to_hook_bits: return "keeps_to_hook_bits";
    case eviction_clause::ends_when_mind_changes: return "ends_when_mind_changes";
    case eviction_clause::check_holds: return "check_holds";
    case eviction_clause::follows_moves: return "follows_moves";
    }
    return "unknown";
}

namespace detail {

template <eviction_policy Policy>
class eviction_checks {
public:
    eviction_checks(const Policy& empty, std::size_t beside) : policy_{empty}, beside_{beside} {}

    [[nodiscard]] std::optional<eviction_clause> run(std::uint64_t seed, std::size_t slots, unsigned operations,
                                                     bool moves) {
        rng random{seed};
        slots_ = slots;
        table_.set_ghost(seed % 2 != 0 ? slots : 0); // one that has no room as well
        std::size_t steps = 1;
        if (policy_.size() != 0 ||
            policy_.evict(
                table_, [](slot_id) noexcept { return true; }, steps) != no_slot ||
            steps != 1) {
            return clause::starts_empty;
        }
        if (!policy_.check(table_)) {
            return clause::check_holds;
        }
        for (unsigned i = 0; i < operations && !broken_; ++i) {
            // Slow swings between empty and full, so that both ends and all in between are met.
            const bool filling = i / (2 * static_cast<unsigned>(slots)) % 2 == 0;
            const slot_id slot = static_cast<slot_id>(random.below(slots));
            if (!table_.has(slot)) {
                if (moves && random.one_in(3)) {
                    move_to(slot, static_cast<slot_id>(random.below(slots)));
                } else if (filling || random.one_in(3)) {
                    table_.add(slot);
                    policy_.on_insert(table_, slot);
                    ++count_;
                }
            } else if (random.one_in(filling ? 12 : 4)) {
                policy_.on_remove(table_, slot);
                table_.remove(slot);
                --count_;
            } else {
                policy_.on_hit(table_, slot);
            }
            if (random.one_in(filling ? 8 : 3)) {
                evict(random(), random.one_in(2) ? no_end : random.below(2 * slots + 2));
            }
            check_after();
        }
        while (count_ > 0 && !broken_) { // all of them can be had, in small steps as well
            const std::size_t enough = enough_steps();
            const std::size_t before = count_, budget = 1 + random.below(4);
            for (std::size_t given = 0; count_ == before && !broken_; given += budget) {
                expect(given < enough, clause::comes_to_an_answer);
                evict(0, budget);
                check_after();
            }
        }
        return broken_;
    }

private:
    using clause = eviction_clause;

    void expect(bool holds, clause which) {
        if (!holds && !broken_) {
            broken_ = which;
        }
    }

    void expect_present(slot_id victim) { expect(victim == no_slot || table_.has(victim), clause::victim_is_present); }

    /// For any answer: four rounds, unless the policy says how many.
    [[nodiscard]] std::size_t enough_steps() const noexcept {
        std::size_t rounds = 4;
        if constexpr (requires { Policy::max_rounds; }) {
            rounds = Policy::max_rounds;
        }
        return rounds * count_ + 4;
    }

    /// The next page at or after `from` goes to `to`, which is empty.
    void move_to(slot_id to, slot_id from) {
        for (std::size_t i = 0; i < slots_ && !table_.has(from); ++i) {
            from = static_cast<slot_id>((from + std::size_t{1}) % slots_);
        }
        if (table_.has(from)) {
            table_.move(from, to);
            policy_.on_move(table_, from, to);
        }
    }

    void evict(std::uint64_t choice, std::size_t budget) {
        const std::size_t enough = enough_steps();
        std::size_t steps = budget, asked = 0;
        table_.forget_reads();
        bool asked_about_own = true;
        slot_id agreed = no_slot;
        const auto ask = [&](slot_id slot, bool answer) noexcept {
            ++asked;
            asked_about_own = asked_about_own && table_.has(slot);
            agreed = answer ? slot : agreed;
            return answer;
        };
        // A choice by slot number: all, about half, one slot, none. Then one that depends on how often it was asked.
        const unsigned kind = static_cast<unsigned>(choice % 6);
        const auto satisfies = [&](slot_id slot) noexcept {
            switch (kind) {
            case 2: return slot % 2 == choice / 6 % 2;
            case 3: return slot == choice / 6 % slots_;
            case 4: return false;
            default: return true;
            }
        };
        slot_id victim = no_slot;
        if (kind < 5) {
            bool has_any = false;
            for (slot_id slot = 0; slot < slots_; ++slot) {
                has_any = has_any || (table_.has(slot) && satisfies(slot));
            }
            victim = policy_.evict(
                table_, [&](slot_id slot) noexcept { return ask(slot, satisfies(slot)); }, steps);
            expect(victim != no_slot || !has_any || (steps == 0 && budget != no_end), clause::finds_victim);
            expect_present(victim);
            expect(victim == no_slot || satisfies(victim), clause::victim_satisfies);
        } else {
            std::uint64_t changes = choice / 6 % slots_;
            victim = policy_.evict(
                table_, [&](slot_id slot) noexcept { return ask(slot, changes-- == 0); }, steps);
            expect_present(victim);
            expect(victim == no_slot || agreed != no_slot, clause::victim_satisfies);
            expect(victim == no_slot || victim == agreed, clause::ends_when_mind_changes);
        }
        expect(asked_about_own, clause::asks_about_own_slots);
        const std::size_t taken = budget - steps;
        expect(steps <= budget && asked <= taken && table_.slots_read() <= taken + beside_, clause::keeps_to_steps);
        expect(taken <= enough, clause::comes_to_an_answer);
        if (victim != no_slot && table_.has(victim)) {
            table_.remove(victim);
            --count_;
        }
    }

    void check_after() {
        expect(!table_.was_misused(), clause::touches_own_hooks);
        expect(policy_.size() == count_, clause::counts_slots);
        if constexpr (std::unsigned_integral<typename Policy::hook>) {
            for (slot_id slot = 0; slot < slots_; ++slot) {
                expect(!table_.has(slot) || Policy::hook_bits >= 64 ||
                           std::uint64_t{table_.get(slot)} >> Policy::hook_bits == 0,
                       clause::keeps_to_hook_bits);
            }
        }
        expect(broken_ || policy_.check(table_), clause::check_holds);
        expect(!table_.was_misused(), clause::touches_own_hooks);
    }

    static constexpr std::size_t most_slots = 64;
    static constexpr std::size_t no_end = ~std::size_t{0};
    Policy policy_;
    std::size_t beside_;
    slot_table<typename Policy::hook> table_{most_slots};
    std::size_t slots_ = 0;
    std::size_t count_ = 0;
    std::optional<clause> broken_;
};

} // namespace detail

/// The clauses that runs with different seeds and numbers of slots show to be broken, each with a copy of the policy.
/// `beside`: how many hooks an evict may read besides those it looks at. A list reads the two beside its victim; who moves
/// pages to another list, the first of that one too, and the one behind the last that it moved.
template <eviction_policy Policy>
[[nodiscard]] std::set<eviction_clause> eviction_violations(const Policy& empty = Policy{}, std::size_t beside = 2) {
    std::set<eviction_clause> broken;
    for (const bool moves : {false, true}) {
        for (const std::size_t slots : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{64}}) {
            for (std::uint64_t seed = 1; seed <= 4; ++seed) {
                if (const auto clause = detail::eviction_checks<Policy>{empty, beside}.run(seed, slots, 1500, moves)) {
                    broken.insert(moves ? eviction_clause::follows_moves : *clause);
                }
            }
        }
        if (!broken.empty()) {
            break; // what it does wrong without moves says nothing about them
        }
    }
    return broken;
}

/// The same as one line, for messages; empty for none.
[[nodiscard]] inline std::string describe(const std::set<eviction_clause>& broken) {
    std::string line;
    for (const eviction_clause clause : broken) {
        line += (line.empty() ? "" : ", ") + std::string{to_string(clause)};
    }
    return line;
}

} // namespace pagefold::testing
