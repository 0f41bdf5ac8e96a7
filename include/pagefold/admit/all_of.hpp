// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/admit/policy_list.hpp>

#include <cstddef>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// Several policies as one: each is asked once, and the strictest answer is given. So `all_of<second_touch, ratio>` keeps
/// a page that comes again and shrinks by an eighth. Their order makes no difference to the answer of policies that keep
/// no count. One that screens refuses before a page is compressed; then the others aren't asked, nor those that screen behind it.
///
/// It screens, remembers and chooses where one of them does; the ghost is as long as the one that wants most of it wants,
/// and a pool's number is one that all who choose have. An all_of or a by_pool may be one of them.
template <admission_policy... Policy>
requires(sizeof...(Policy) >= 1) class all_of {
public:
    static constexpr unsigned choice_count = policy_list<Policy...>::choices();

    constexpr all_of() noexcept = default;
    constexpr explicit all_of(const Policy&... policy) noexcept : policies_{policy...} {}

    [[nodiscard]] constexpr admission admit(const admission_query& query) noexcept {
        admission strictest = query.mildest();
        policies_.for_each([&](auto& policy, std::size_t) {
            const admission answer = policy.admit(query);
            strictest = answer > strictest ? answer : strictest;
        });
        return strictest;
    }
    [[nodiscard]] constexpr bool screen(const admission_query& query) noexcept
        requires(screening_policy<Policy> || ...) {
        bool passes = true;
        policies_.for_each([&](auto& policy, std::size_t) {
            if constexpr (screening_policy<std::remove_reference_t<decltype(policy)>>) {
                passes = passes && policy.screen(query);
            }
        });
        return passes;
    }
    [[nodiscard]] constexpr unsigned ghost_percent() const noexcept requires(remembering_admission<Policy> || ...) {
        return policies_.ghost_percent();
    }

private:
    policy_list<Policy...> policies_{};
};

} // namespace pagefold
