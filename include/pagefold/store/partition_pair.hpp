// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/store/page_move.hpp>
#include <pagefold/store/partition.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// Two partitions of a store, for a scope in which pages move from one to the other: nobody else is at either. It takes both
/// locks, that of the lower number first, as a standstill does; nobody else takes a second one.
template <store_config Config>
class [[nodiscard]] partition_pair {
    using partition_type = partition<Config>;
    using pool_state = typename partition_state<Config>::pool_state;
    using put_terms = typename partition_type::put_terms;
    using put_outcome = typename partition_type::put_outcome;

public:
    partition_pair(partition_type& from, partition_type& to, bool from_is_lower) noexcept
        : from_{from}, to_{to}, stay_{from.state_.table.at_locks, partition_type::token()} {
        PAGEFOLD_CHECK(&from != &to);
        if (stay_) {
            (from_is_lower ? from : to).lock_.lock();
            (from_is_lower ? to : from).lock_.lock();
        }
    }
    ~partition_pair() {
        if (!stay_) {
            return;
        }
        if constexpr (partition_type::state_type::has_tier) {
            const leaving_copies of_to = to_.state_.copies.take_leaving(), of_from = from_.state_.copies.take_leaving();
            const bool is_forgetting = of_to.count + of_from.count != 0;
            if (is_forgetting) {
                to_.begin_forgetting();
            }
            unlock_both();
            to_.state_.tier->forget(of_to);
            from_.state_.tier->forget(of_from);
            if (is_forgetting) {
                to_.end_forgetting();
            }
        } else {
            unlock_both();
        }
    }
    partition_pair(const partition_pair&) = delete;
    partition_pair& operator=(const partition_pair&) = delete;
    /// False where this call interrupts another of its thread.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(stay_); }

    /// Moves a page, if it is there; see page_move. has_moved, invalid: as for other operations on it. `held_back`: bytes of
    /// the limit that must stay free.
    moved move(const located_key& k, byte_span buffer, std::size_t held_back) noexcept {
        const result<pool_state*> leaves = from_.state_.enter(k.key.pool, k.route);
        if (!leaves) {
            return {leaves.error()};
        }
        const result<pool_state*> enters = to_.state_.enter(k.key.pool, k.route);
        if (!enters) {
            return {enters.error()};
        }
        const limited_source::holding_back scope{to_.state_.source, held_back};
        return page_move<Config>{from_.state_, to_.state_}.move(**leaves, **enters, k, buffer);
    }
    /// partition::put where the page is at home now, in one step with the erasure of the version that has not moved, if it is
    /// there still: nobody finds both.
    put_outcome put(const located_key& k, byte_view stream, std::uint64_t sum, std::size_t held_back,
                    put_terms terms) noexcept {
        const result<pool_state*> leaves = from_.state_.enter_to_change(k.key.pool, k.route);
        if (!leaves) {
            return {leaves.error()};
        }
        const result<pool_state*> enters = to_.state_.enter_to_change(k.key.pool, k.route);
        if (!enters) {
            return {enters.error()}; // frozen: the old version is not for this put to take
        }
        bool is_damaged = false;
        const slot_id old = from_.state_.find(**leaves, k, is_damaged);
        if (old != no_slot) {
            terms.elsewhere = {true, from_.state_.occupied_by(from_.state_.index.get(old))};
        }
        const put_outcome outcome = to_.put_held(k, stream, sum, held_back, terms);
        const bool is_refused = outcome.result == status::limit || outcome.result == status::no_memory;
        if (old != no_slot && (outcome.result == status::ok || (is_refused && terms.is_last))) {
            from_.state_.remove(**leaves, old);
            ++from_.state_.erased_pages;
        }
        from_.state_.settle(**leaves);
        return outcome;
    }
    /// partition::refuse, of both.
    status refuse(const located_key& k, status why, bool codec_failed = false) noexcept {
        const result<pool_state*> leaves = from_.state_.enter(k.key.pool, k.route);
        if (!leaves) {
            return leaves.error();
        }
        const status s = to_.refuse_held(k, why, codec_failed);
        if (s == status::ok) {
            placement<Config>{from_.state_}.remove_all(**leaves, k);
        }
        from_.state_.settle(**leaves);
        return s;
    }
    /// Whether the last refusal with `limit` was for the node's.
    [[nodiscard]] bool is_node_short() const noexcept { return to_.state_.source.is_node_short(); }

private:
    void unlock_both() noexcept {
        const limited_source::deferred_runs arrived = to_.unlock(), left = from_.unlock();
        to_.release(arrived);
        from_.release(left);
    }

    partition_type& from_;
    partition_type& to_;
    presence::stay stay_;
};

} // namespace pagefold
