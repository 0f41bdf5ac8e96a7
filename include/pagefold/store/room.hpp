// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/partition_state.hpp>
#include <pagefold/store/pool_shares.hpp>
#include <pagefold/store/victim_search.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a try to drop a page came to.
enum class eviction_outcome : std::uint8_t {
    dropped,
    none,  ///< nothing of the pool can be dropped here
    again, ///< the steps of this hold are used up, and the policy goes on where it stopped
};

/// Dropping pages of one pool of a partition. The partition's lock is held around every call; a call takes at most as many
/// steps (slots that the policy looks at) as it is given.
template <store_config Config>
class room {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;

public:
    /// Steps of one hold: no lock is held for more than so many pages' work.
    static constexpr std::size_t steps_a_hold = 64;

    explicit room(state_type& state) noexcept : state_{state} {}

    /// Drops a page: by preference one that serves the need, for an object of so many bytes or (0) for pages; if the policy
    /// finds none, any. A pool never loses what it has reserved, unless its page goes for another of its own.
    eviction_outcome drop_one(std::uint32_t pool_slot, std::size_t need, bool for_its_own,
                              std::size_t& steps) noexcept {
        pool_state* const pool = state_.pool_at(pool_slot);
        if (pool == nullptr || !pool->is_ephemeral() || pool->counts.stored_pages == 0) {
            return eviction_outcome::none;
        }
        if (!can_lose(*pool, for_its_own)) {
            return eviction_outcome::none;
        }
        const slot_id victim = choose(*pool, need, steps);
        if (victim == no_slot) {
            return steps == 0 ? eviction_outcome::again : eviction_outcome::none;
        }
        if constexpr (state_type::admission_remembers) {
            state_.slots(*pool).note_left(victim);
        }
        state_.forget(*pool, victim);
        state_.settle(*pool);
        ++pool->counts.evicted_pages;
        ++state_.totals.evicted_pages;
        return eviction_outcome::dropped;
    }

    /// Whether so many pages may go, for the pool's own put or another's.
    [[nodiscard]] bool can_lose(const pool_state& pool, bool for_its_own, unsigned pages = 1) noexcept {
        return for_its_own ||
               pool_shares{state_.table}.can_lose(
                   state_.record_of(pool), pages * pool_charge::of(state_.table, Config::page_size,
                                                                   state_type::most_page_bytes - Config::page_size));
    }
    /// The page that goes next, of a pool that has an order, for a need as above; the policy has forgotten it. no_slot, and
    /// steps left: there is none.
    [[nodiscard]] slot_id choose(pool_state& pool, std::size_t need, std::size_t& steps) noexcept {
        if (pool.eviction.size() == 0) [[unlikely]] {
            state_.renew_policy(pool);
        }
        auto view = state_.slots(pool);
        const bool is_choosy = need != 0 && choosy_pause_ == 0;
        choosy_pause_ -= need != 0 && choosy_pause_ != 0 ? 1u : 0u;
        victim_search<state_type, Config::sparse_candidates> search{state_, is_choosy ? need : 0, sparse_bar_,
                                                                    passed_over_};
        const std::size_t before = progress(pool, steps);
        slot_id victim = pool.eviction.evict(view, search, steps);
        if (victim == no_slot && steps != 0) {
            victim = pool.eviction.evict(
                view, [](slot_id) noexcept { return true; }, steps);
        }
        pool.note_looks(progress(pool, steps) - before);
        passed_over_ = victim == no_slot && steps == 0 ? search.passed_over() : 0;
        if (is_choosy) {
            vain_searches_ = search.found_what_fits() ? 0 : vain_searches_ + (vain_searches_ < most_doublings ? 1 : 0);
            choosy_pause_ = vain_searches_ != 0 ? 8u << vain_searches_ : 0;
        }
        return of_pool(pool, victim, steps);
    }

    /// The same, but only one whose stream is not longer than so many bytes, if it is among the next few.
    [[nodiscard]] slot_id choose_short(pool_state& pool, std::size_t most, std::size_t& steps) noexcept {
        std::size_t looks = steps < looks_for_short ? steps : looks_for_short;
        const std::size_t before = looks;
        auto view = state_.slots(pool);
        const slot_id victim = pool.eviction.evict(
            view,
            [&](slot_id slot) noexcept {
                if (!state_.index.contains(slot)) {
                    return true; // as in victim_search
                }
                const auto e = state_.index.get(slot);
                return !state_.is_readable(e) || e.size() <= most;
            },
            looks);
        steps -= before - looks;
        return of_pool(pool, victim, steps);
    }

private:
    /// A hand that damage left where another pool has pages by now takes none of those: the policy begins anew, with the next hold.
    [[nodiscard]] slot_id of_pool(pool_state& pool, slot_id victim, std::size_t& steps) noexcept {
        const std::uint32_t id = victim / extent_pages;
        if (victim == no_slot || !state_.index.is_live(id) || state_.index.pool_of(id) == pool_ids::slot(pool.id))
            [[likely]] {
            return victim;
        }
        ++state_.damage;
        state_.lose_order(pool);
        steps = 0;
        return no_slot;
    }
    static constexpr std::size_t looks_for_short = 8;

    /// Grows as the policy's hands go on; only differences mean anything.
    [[nodiscard]] static std::size_t progress(const pool_state& pool, std::size_t steps) noexcept {
        if constexpr (paced_policy<typename state_type::eviction_type>) {
            return pool.eviction.progress();
        } else {
            return ~steps;
        }
    }
    /// Candidates that were passed over stay, and what goes lies scattered between them: where nothing fits, better what the
    /// policy says, in its order. After each search in vain, twice as many go so before the next.
    static constexpr unsigned most_doublings = 10;

    state_type& state_;
    unsigned sparse_bar_ = max_fullness;
    unsigned vain_searches_ = 0; // in a row, up to most_doublings
    unsigned passed_over_ = 0;   // by a search that goes on in the next call
    unsigned choosy_pause_ = 0;  // drops until candidates are passed over again for one that fits
};

} // namespace pagefold
