// SPDX-License-Identifier: MIT
#pragma once

// The contract of an admission policy (the table in admit/concept.hpp) as a function that says which of its clauses a policy
// breaks: empty for a good one. A policy may keep a count, so each comparison is between copies of one.

#include <pagefold/admit/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace pagefold::testing {

enum class admission_clause {
    answers,          ///< one of the three, and packed only for what is shorter than the page
    alike,            ///< a copy gives the same answers
    longer_no_milder, ///< a longer stream gets no milder answer
    screen_is_admits, ///< what screen refuses, admit rejects for every length
    fair_to_untold,   ///< untold gets no stricter answer than unseen
    fair_to_known,    ///< left and stored neither
    fair_to_kept,     ///< a persistent pool's page is not refused for its past
    concurrent,       ///< many threads may ask
};

[[nodiscard]] inline const char* to_string(admission_clause clause) noexcept {
    switch (clause) {
    case admission_clause::answers: return "answers";
    case admission_clause::alike: return "alike";
    case admission_clause::longer_no_milder: return "longer_no_milder";
    case admission_clause::screen_is_admits: return "screen_is_admits";
    case admission_clause::fair_to_untold: return "fair_to_untold";
    case admission_clause::fair_to_known: return "fair_to_known";
    case admission_clause::fair_to_kept: return "fair_to_kept";
    case admission_clause::concurrent: return "concurrent";
    }
    return "unknown";
}

[[nodiscard]] inline std::string describe(const std::set<admission_clause>& broken) {
    std::string names;
    for (const admission_clause clause : broken) {
        names += names.empty() ? "" : ", ";
        names += to_string(clause);
    }
    return names;
}

/// What a store asks: screen first, where there is one, then admit.
template <admission_policy Policy>
[[nodiscard]] admission ask(Policy& policy, const admission_query& query) {
    if constexpr (screening_policy<Policy>) {
        admission_query before = query;
        before.packed_bytes = query.page_bytes;
        if (!policy.screen(before)) {
            return admission::reject;
        }
    }
    return policy.admit(query);
}

template <admission_policy Policy>
[[nodiscard]] std::set<admission_clause> violations(const Policy& policy) {
    using clause = admission_clause;
    std::set<clause> broken;
    const auto expect = [&](bool holds, clause which) {
        if (!holds) {
            broken.insert(which);
        }
    };
    const auto answer = [&](const admission_query& query) {
        Policy one{policy};
        return ask(one, query);
    };
    unsigned choices = 1;
    if constexpr (choosing_admission<Policy>) {
        choices = Policy::choice_count;
    }
    constexpr key_past pasts[] = {key_past::untold, key_past::unseen, key_past::left, key_past::stored};
    std::vector<admission_query> queries;
    for (const std::size_t page : {std::size_t{4096}, std::size_t{16384}, std::size_t{65536}}) {
        for (const std::size_t packed : {std::size_t{8}, std::size_t{9}, page / 64, page / 8, page / 2, page / 2 + 1,
                                         page / 8 * 7, page / 8 * 7 + 1, page - 1, page}) {
            for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
                for (std::uint64_t key = 0; key < 8; ++key) {
                    for (unsigned choice = 0; choice < choices; ++choice) {
                        queries.push_back({page, packed, kind, key * 0x9e3779b97f4a7c15u, static_cast<pool_id>(key + 1),
                                           key_past::untold, static_cast<std::uint8_t>(choice)});
                    }
                }
            }
        }
    }
    Policy first{policy}, second{policy};
    for (admission_query query : queries) {
        const std::size_t length = query.packed_bytes;
        admission of[4] = {};
        for (const key_past past : pasts) {
            query.past = past;
            const admission given = answer(query);
            of[static_cast<unsigned>(past)] = given;
            expect(given <= admission::reject && (given != admission::packed || length < query.page_bytes),
                   clause::answers);
            expect(ask(first, query) == ask(second, query), clause::alike);
            if (length < query.page_bytes) {
                admission_query longer = query;
                longer.packed_bytes = length + 1;
                expect(answer(longer) >= given, clause::longer_no_milder);
                longer.packed_bytes = query.page_bytes;
                expect(answer(longer) >= given, clause::longer_no_milder);
            }
            if constexpr (screening_policy<Policy>) {
                Policy screening{policy}, admitting{policy};
                admission_query before = query;
                before.packed_bytes = query.page_bytes;
                expect(screening.screen(before) || admitting.admit(query) == admission::reject,
                       clause::screen_is_admits);
            }
        }
        expect(of[0] <= of[1], clause::fair_to_untold);
        expect(of[2] <= of[1] && of[3] <= of[1], clause::fair_to_known);
        expect(query.kind == pool_kind::ephemeral || (of[1] == of[0] && of[2] == of[0] && of[3] == of[0]),
               clause::fair_to_kept);
    }
    Policy shared{policy};
    std::vector<std::thread> threads;
    bool good[4] = {true, true, true, true};
    for (bool& is_good : good) {
        threads.emplace_back([&] {
            for (const admission_query& query : queries) {
                is_good = is_good && ask(shared, query) <= admission::reject;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    expect(good[0] && good[1] && good[2] && good[3], clause::concurrent);
    return broken;
}

} // namespace pagefold::testing
