// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a partition answers to who comes by an older route than somebody before; never to a store's user.
inline constexpr status has_moved = static_cast<status>(0xff);

/// Which nodes a pool's pages are wished to be on. While the pool moves (store_migration.hpp), a page is where it was wished
/// before, or where it is wished now.
struct pool_route {
    std::uint32_t number = 0; ///< one more for each change, from pool to pool of a slot
    node_id now = any_node, before = any_node;

    [[nodiscard]] constexpr bool is_moving() const noexcept { return now != before; }
    /// Whether it came after the one of that number; right while the two are less than 2^31 changes apart.
    [[nodiscard]] static constexpr bool is_newer(std::uint32_t number, std::uint32_t than) noexcept {
        return static_cast<std::int32_t>(number - than) > 0;
    }
};

/// A pool's route as everybody reads it, without a lock. One thread at a time writes.
///
/// The wishes of route n stand in word n % 2, so that a writer changes the word that readers of the last route don't use. Who
/// read it too late to be one of those finds another number behind it, and reads again.
class shared_route {
public:
    /// Costs three loads; more only while somebody writes.
    [[nodiscard]] pool_route load() const noexcept {
        for (;;) {
            // acquire: the wishes are those of this number, or later ones.
            const std::uint32_t number = number_.load(memory_order::acquire);
            // acquire: who read wishes that are later reads a later number as well.
            const std::uint32_t wishes = wishes_[number % 2].load(memory_order::acquire);
            if (number_.load(memory_order::relaxed) == number) [[likely]] {
                return {number, static_cast<node_id>(wishes & 0xffff), static_cast<node_id>(wishes >> 16)};
            }
        }
    }
    void store(const pool_route& route) noexcept {
        const std::uint32_t wishes = static_cast<std::uint32_t>(route.now) | static_cast<std::uint32_t>(route.before)
                                                                                 << 16;
        // release: behind the number before it, for who reads this too early.
        wishes_[route.number % 2].store(wishes, memory_order::release);
        number_.store(route.number, memory_order::release); // the wishes come first
    }

    /// Asks that the route stays as it is for a while, and takes that back. relaxed, here and below: who changes the route once
    /// more, because it reads this too late, costs somebody one more try. Nothing else hangs on it.
    void hold() noexcept { holds_.fetch_add(1, memory_order::relaxed); }
    void let_go() noexcept { holds_.fetch_sub(1, memory_order::relaxed); }
    [[nodiscard]] bool is_held() const noexcept { return holds_.load(memory_order::relaxed) != 0; }
    /// All who held it are gone.
    void forget_holds() noexcept { holds_.store(0, memory_order::relaxed); }

private:
    static constexpr std::uint32_t none = 0xffffffffu; // any_node, and before it any_node
    atomic<std::uint32_t> number_{0};
    atomic<std::uint32_t> wishes_[2] = {atomic<std::uint32_t>{none}, atomic<std::uint32_t>{none}};
    atomic<std::uint32_t> holds_{0};
};

/// The tries of an operation that goes by a route. A pool of few pages is sent from node to node faster than a page is
/// compressed, so that who sends it around without a pause would keep a put from ever coming through. Who was sent back twice
/// holds the route until it is through. Who wants to change it is told `busy` meanwhile, and nobody waits.
class route_tries {
public:
    static constexpr unsigned free_tries = 2;

    explicit route_tries(shared_route& route) noexcept : route_{route} {}
    ~route_tries() {
        if (tries_ >= free_tries) {
            route_.let_go();
        }
    }
    route_tries(const route_tries&) = delete;
    route_tries& operator=(const route_tries&) = delete;

    /// Whether there is another try, behind one that was sent back or was not.
    [[nodiscard]] bool has_next(bool was_sent_back) noexcept {
        if (!was_sent_back) [[likely]] {
            return false;
        }
        if (tries_ < free_tries && ++tries_ == free_tries) {
            route_.hold();
        }
        return true;
    }

private:
    shared_route& route_;
    unsigned tries_ = 0; // that were sent back; no more are counted than matter
};

} // namespace pagefold
