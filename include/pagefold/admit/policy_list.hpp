// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>
#include <pagefold/ds/value_list.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// Admission policies side by side, also several of a type: what all_of and by_pool are made of.
template <admission_policy... Policy>
class policy_list {
public:
    constexpr policy_list() noexcept = default;
    constexpr explicit policy_list(const Policy&... policy) noexcept : policies_{policy...} {}

    /// `call(policy, position)` for each, in order.
    template <class Call>
    constexpr void for_each(Call call) noexcept {
        policies_.for_each(call);
    }
    /// The longest ghost that one of them wants; 0 where none remembers.
    [[nodiscard]] constexpr unsigned ghost_percent() const noexcept {
        unsigned most = 0;
        policies_.for_each([&](const auto& policy, std::size_t) noexcept { longer(policy, most); });
        return most;
    }
    /// The numbers that all of them take which choose by the pool; 1 where none does.
    [[nodiscard]] static constexpr unsigned choices() noexcept {
        unsigned fewest = 0;
        (fewer<Policy>(fewest), ...);
        return fewest != 0 ? fewest : 1;
    }

private:
    static constexpr void longer(const auto& policy, unsigned& most) noexcept {
        if constexpr (requires { policy.ghost_percent(); }) {
            const unsigned wanted = policy.ghost_percent();
            most = wanted > most ? wanted : most;
        } else {
            static_cast<void>(policy);
            static_cast<void>(most);
        }
    }
    template <class One>
    static constexpr void fewer(unsigned& fewest) noexcept {
        if constexpr (choosing_admission<One>) {
            fewest = One::choice_count > 1 && (fewest == 0 || One::choice_count < fewest) ? One::choice_count : fewest;
        } else {
            static_cast<void>(fewest);
        }
    }

    value_list<Policy...> policies_{};
};

} // namespace pagefold
