// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/admit/concept.hpp>

#include <cstddef>
#include <utility>

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

template <std::size_t Position, admission_policy Policy>
struct listed_policy {
    // Not no_unique_address: clang 16 gives such a member another place where it imports the class than in the module.
    Policy policy{};
};

template <class Positions, admission_policy... Policy>
struct listed_policies;

template <std::size_t... Position, admission_policy... Policy>
struct listed_policies<std::index_sequence<Position...>, Policy...> : listed_policy<Position, Policy>... {};

} // namespace detail

/// Admission policies side by side, also several of a type: what all_of and by_pool are made of.
template <admission_policy... Policy>
class policy_list {
public:
    constexpr policy_list() noexcept = default;
    constexpr explicit policy_list(const Policy&... policy) noexcept : policies_{{policy}...} {}

    /// `call(policy, position)` for each, in order.
    template <class Call>
    constexpr void for_each(Call call) noexcept {
        for_positions(std::make_index_sequence<sizeof...(Policy)>{}, call);
    }
    /// The longest ghost that one of them wants; 0 where none remembers.
    [[nodiscard]] constexpr unsigned ghost_percent() const noexcept {
        return longest(std::make_index_sequence<sizeof...(Policy)>{});
    }
    /// The numbers that all of them take which choose by the pool; 1 where none does.
    [[nodiscard]] static constexpr unsigned choices() noexcept {
        unsigned fewest = 0;
        (fewer<Policy>(fewest), ...);
        return fewest != 0 ? fewest : 1;
    }

private:
    template <std::size_t... Position, class Call>
    constexpr void for_positions(std::index_sequence<Position...>, Call& call) noexcept {
        (call(static_cast<detail::listed_policy<Position, Policy>&>(policies_).policy, Position), ...);
    }
    template <std::size_t... Position>
    [[nodiscard]] constexpr unsigned longest(std::index_sequence<Position...>) const noexcept {
        unsigned most = 0;
        (longer(static_cast<const detail::listed_policy<Position, Policy>&>(policies_).policy, most), ...);
        return most;
    }
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

    detail::listed_policies<std::make_index_sequence<sizeof...(Policy)>, Policy...> policies_{};
};

} // namespace pagefold
