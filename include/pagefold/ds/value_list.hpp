// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/abi.hpp>

#include <cstddef>
#include <utility>

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

template <std::size_t Position, class Value>
struct listed_value {
    // Not no_unique_address: clang 16 gives such a member another place where it imports the class than in the module.
    Value value{};
};

template <class Positions, class... Value>
struct listed_values;

template <std::size_t... Position, class... Value>
struct listed_values<std::index_sequence<Position...>, Value...> : listed_value<Position, Value>... {};

} // namespace detail

/// Values side by side, also several of a type: what chooses among codecs or policies is made of one. std::tuple is not
/// freestanding, and says no position.
template <class... Value>
class value_list {
public:
    static constexpr std::size_t size = sizeof...(Value);

    constexpr value_list() noexcept = default;
    constexpr explicit value_list(const Value&... value) noexcept requires(sizeof...(Value) != 0)
        : values_{{value}...} {}

    /// `call(value, position)` for each, in order.
    template <class Call>
    constexpr void for_each(Call&& call) noexcept {
        each(*this, call, std::make_index_sequence<size>{});
    }
    template <class Call>
    constexpr void for_each(Call&& call) const noexcept {
        each(*this, call, std::make_index_sequence<size>{});
    }
    /// The same, until it answers false.
    template <class Call>
    constexpr void for_each_while(Call&& call) const noexcept {
        each_while(call, std::make_index_sequence<size>{});
    }

private:
    template <class Self, class Call, std::size_t... Position>
    static constexpr void each(Self& self, Call& call, std::index_sequence<Position...>) noexcept {
        (call(at<Position, Value>(self.values_), Position), ...);
    }
    template <class Call, std::size_t... Position>
    constexpr void each_while(Call& call, std::index_sequence<Position...>) const noexcept {
        static_cast<void>((call(at<Position, Value>(values_), Position) && ...));
    }
    template <std::size_t Position, class One>
    [[nodiscard]] static constexpr One& at(detail::listed_value<Position, One>& of) noexcept {
        return of.value;
    }
    template <std::size_t Position, class One>
    [[nodiscard]] static constexpr const One& at(const detail::listed_value<Position, One>& of) noexcept {
        return of.value;
    }

    detail::listed_values<std::make_index_sequence<size>, Value...> values_{};
};

} // namespace pagefold
