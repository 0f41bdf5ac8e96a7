// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/admit/policy_list.hpp>
#include <pagefold/config/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// The policy that the page's pool has: query.choice is its position in the list (pool_options::admission, or
/// basic_store::set_admission while it runs). So `by_pool<always, all_of<second_touch, ratio>>` keeps all that is swapped, and
/// of a page cache what comes again.
///
/// It screens and remembers where one of them does, for all pools then: one ghost, as long as the one that wants most of it
/// wants. None of them chooses itself.
template <admission_policy... Policy>
requires(sizeof...(Policy) >= 1 && sizeof...(Policy) <= 256 && policy_list<Policy...>::choices() == 1) class by_pool {
public:
    static constexpr unsigned choice_count = sizeof...(Policy);

    constexpr by_pool() noexcept = default;
    constexpr explicit by_pool(const Policy&... policy) noexcept : policies_{policy...} {}

    [[nodiscard]] constexpr admission admit(const admission_query& query) noexcept {
        PAGEFOLD_ASSERT(query.choice < choice_count);
        admission answer = query.mildest();
        policies_.for_each([&](auto& policy, std::size_t position) {
            if (position == query.choice) {
                answer = policy.admit(query);
            }
        });
        return answer;
    }
    [[nodiscard]] constexpr bool screen(const admission_query& query) noexcept
        requires(screening_policy<Policy> || ...) {
        PAGEFOLD_ASSERT(query.choice < choice_count);
        bool passes = true;
        policies_.for_each([&](auto& policy, std::size_t position) {
            if constexpr (screening_policy<std::remove_reference_t<decltype(policy)>>) {
                passes = position == query.choice ? policy.screen(query) : passes;
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
