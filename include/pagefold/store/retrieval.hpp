// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/store/partition_state.hpp>
#include <pagefold/store/placement.hpp>
#include <pagefold/store/pool_route.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// Of a page that was found in the tier: who is told when it isn't the page any more.
template <bool HasTier>
struct fetched_away {};
template <>
struct fetched_away<true> {
    copy_watch watch{};
};

/// Of a page that may have a base: the pool that the base is in, and its key there.
template <bool HasClones>
struct fetched_clone {};
template <>
struct fetched_clone<true> {
    pool_id parent{};
    std::uint64_t base_object = 0, base_index = 0;
};

/// A stream that was found: in place, in the buffer, or (a raw page) already in the caller's page.
template <class Entry, bool HasTier = false, bool HasClones = false>
struct fetched : fetched_away<HasTier>, fetched_clone<HasClones> {
    byte_view stream{};
    Entry e{};
    bool is_last_place = true; ///< whether the page can't be elsewhere: a miss is one of the pool's
    bool is_use = true;        ///< whether it counts, as a hit or a miss, and for the policy; a take does
    std::byte inline_stream[min_stream_size];
};

/// Reading pages of a partition, and taking them. Where only one thread at a time uses the store (`InPlace`), a stream is
/// read where it lies, and not copied out. The partition's lock is held around every call.
template <store_config Config, bool InPlace>
class retrieval {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using entry_type = typename state_type::entry_type;

public:
    using fetched_type = fetched<typename state_type::entry_type, state_type::has_tier, state_type::has_clones>;

    explicit retrieval(state_type& state) noexcept : state_{state} {}

    /// Copies the stream of a page out. With `removing`, checks it and erases the page in the same step; a page that
    /// fails the check stays. Otherwise the caller checks. A page whose tables are damaged goes, with `corrupt`. Of one that
    /// is away, is_in_tier: found.e says where, and the caller comes to arrive() with what the tier said. Of a value that is longer
    /// than `out`, too_short; nobody has used it then.
    status fetch(pool_state& pool, const located_key& k, byte_span out, byte_span buffer, bool removing,
                 fetched_type& found) noexcept {
        bool is_damaged = false;
        const slot_id slot = state_.find(pool, k, is_damaged);
        return slot == no_slot ? miss(pool, is_damaged, found) : fetch_at(pool, k, slot, out, buffer, removing, found);
    }
    /// Whether a fetch of the page with this entry needs no more than its stream; `room` for the value.
    [[nodiscard]] static bool is_plain(const entry_type& e, std::size_t room) noexcept {
        if constexpr (state_type::has_values) {
            return state_type::length_of(e) <= room && !state_type::is_away(e) && !e.has_base();
        } else {
            static_cast<void>(room);
            return !state_type::is_away(e) && !e.has_base();
        }
    }
    /// fetch of a page that isn't here.
    PAGEFOLD_ALWAYS_INLINE status miss(pool_state& pool, bool is_damaged, const fetched_type& found) noexcept {
        state_.settle(pool);
        if (is_damaged) {
            return status::corrupt;
        }
        const std::uint64_t misses = found.is_last_place && found.is_use ? 1u : 0u;
        pool.counts.misses += misses;
        state_.totals.misses += misses;
        return status::not_found;
    }
    /// fetch of the page that find just found in a slot.
    PAGEFOLD_ALWAYS_INLINE status fetch_at(pool_state& pool, const located_key& k, slot_id slot, byte_span out,
                                           byte_span buffer, bool removing, fetched_type& found) noexcept {
        found.e = state_.index.get(slot);
        if (!state_.is_readable(found.e)) [[unlikely]] {
            ++state_.corruptions;
            ++state_.damage;
            state_.remove(pool, slot);
            state_.settle(pool);
            return status::corrupt;
        }
        if constexpr (state_type::has_values) {
            if (state_type::length_of(found.e) > out.size()) [[unlikely]] {
                return is_length_sure(k, found.e) ? status::too_short : status::corrupt;
            }
        }
        if constexpr (state_type::has_tier) {
            if (state_type::is_away(found.e)) {
                state_.copies.begin(found.watch, {k.key, found.e.place()});
                return is_in_tier;
            }
        }
        if constexpr (state_type::has_clones) {
            if (found.e.has_base()) {
                find_base(pool, k, found);
                if (removing) { // whether it is good, the base must tell: take_same ends it
                    copy_out(found, out, buffer, removing);
                    return status::ok;
                }
            }
        }
        copy_out(found, out, buffer, removing);
        if (removing) {
            if (!state_type::is_good(found.e, found.stream, k.sum_seed)) {
                ++state_.corruptions;
                return status::corrupt;
            }
            state_.note_left(pool, k);
            state_.remove(pool, slot);
            ++state_.erased_pages;
            state_.settle(pool);
        } else if (!found.is_use) {
            return status::ok;
        } else if (pool.is_ephemeral() || state_.is_in_order(slot)) {
            auto view = state_.slots_from(pool, slot);
            pool.eviction.on_hit(view, slot);
        }
        ++pool.counts.hits;
        ++state_.totals.hits;
        return status::ok;
    }

    /// Erases the page if its entry is `e`, and counts the take; has_moved where it isn't.
    status take_same(pool_state& pool, const located_key& k, const entry_type& e) noexcept
        requires(state_type::has_clones) {
        bool is_damaged = false;
        const slot_id slot = state_.find(pool, k, is_damaged);
        if (slot == no_slot || !state_.index.get(slot).is_same(e)) {
            state_.settle(pool);
            return has_moved; // which finds damage as well
        }
        state_.note_left(pool, k);
        state_.remove(pool, slot);
        ++state_.erased_pages;
        state_.settle(pool);
        ++pool.counts.hits;
        ++state_.totals.hits;
        return status::ok;
    }

    /// The length of the value that is stored, here or in the tier: not_found, or corrupt where that is seen without its stream.
    /// No use, neither a hit nor a miss.
    status look_up(pool_state& pool, const located_key& k, std::size_t& length) noexcept {
        bool is_damaged = false;
        const slot_id slot = state_.find(pool, k, is_damaged);
        if (slot == no_slot) {
            state_.settle(pool);
            return is_damaged ? status::corrupt : status::not_found;
        }
        const entry_type e = state_.index.get(slot);
        length = state_type::length_of(e);
        return state_.is_readable(e) && is_length_sure(k, e) ? status::ok : status::corrupt;
    }

    /// Ends what fetch began with is_in_tier: `read` is ok where found.stream is what the entry promises. has_moved: the page
    /// was erased, replaced or brought back meanwhile, and has to be looked for again. A page that could not be read stays
    /// where it is. One that was read comes back, where the pool wants that and there is a place.
    status arrive(const located_key& k, status read, bool removing, fetched_type& found) noexcept
        requires(state_type::has_tier) {
        state_.copies.end(found.watch);
        if (found.watch.has_left()) {
            return has_moved;
        }
        pool_state* const pool = state_.find_pool(k.key.pool);
        if (pool == nullptr) {
            return status::invalid; // closed, and not yet empty
        }
        if constexpr (state_type::has_log) {
            if (removing && pool->is_frozen) {
                return status::busy; // since it was read
            }
        }
        bool is_damaged = false;
        const std::uint64_t corruptions = state_.corruptions;
        const slot_id slot = state_.find(*pool, k, is_damaged);
        if (slot != no_slot && !is_same(state_.index.get(slot), found.e)) [[unlikely]] {
            return has_moved; // damage took the page, which tells nobody, and there is another
        }
        const status s = slot == no_slot ? status::corrupt : read;
        if (s == status::ok && removing) {
            state_.remove(*pool, slot);
            ++state_.erased_pages;
        } else if (s == status::ok && pool->is_promoting && found.is_use) {
            const placed back = placement<Config>{state_}.bring_back(*pool, k, slot, found.stream);
            state_.promoted_pages += back.result == status::ok ? 1u : 0u;
        }
        state_.settle(*pool);
        // An extent that was found damaged just now is counted.
        state_.corruptions += s == status::corrupt && state_.corruptions == corruptions ? 1u : 0u;
        pool->counts.hits += s == status::ok && found.is_use ? 1u : 0u;
        state_.totals.hits += s == status::ok && found.is_use ? 1u : 0u;
        return s;
    }

private:
    /// Of a reference whose ordinal leads nowhere, for damage, no pool is the parent.
    void find_base(const pool_state& pool, const located_key& k, fetched_type& found) const noexcept {
        content_place place{0, k.key.object, k.key.index};
        const bool is_known = !found.e.has_ordinal() || state_.locate_content(pool, found.e.ordinal(), place);
        found.parent = is_known ? pool.parent : pool_id{};
        found.base_object = place.object;
        found.base_index = place.index;
    }
    /// Of pages that are away, which have nothing of a policy's in their entries.
    [[nodiscard]] static bool is_same(const entry_type& a, const entry_type& b) noexcept {
        return a.word() == b.word() && a.meta() == b.meta();
    }
    /// Whether the length is the one that the entry was made with: where the stream stands in it, its check says so, else its
    /// parity has. Counts damage.
    [[nodiscard]] bool is_length_sure(const located_key& k, const entry_type& e) noexcept {
        if constexpr (state_type::has_values) {
            if (e.is_inline()) {
                std::byte stream[min_stream_size];
                store_native(stream, e.word());
                const bool is_good = state_type::is_good(e, {stream, min_stream_size}, k.sum_seed);
                state_.corruptions += is_good ? 0u : 1u;
                return is_good;
            }
        }
        return true;
    }
    void copy_out(fetched_type& found, byte_span out, byte_span buffer, bool removing) noexcept {
        if (found.e.is_inline()) {
            store_native(found.inline_stream, found.e.word());
            found.stream = {found.inline_stream, min_stream_size};
            return;
        }
        if (found.e.is_reference()) {
            found.stream = {};
            return;
        }
        const std::size_t size = found.e.size();
        const bool is_raw = state_type::is_raw(found.e);
        const byte_span target = is_raw ? out : buffer;
        found.stream = state_.allocator.read(found.e.handle(), size, target);
        // All of the stream's cache lines are asked for at once: the copy alone would meet them a few at a time.
        for (std::size_t line = 0; line < size; line += 64) {
            __builtin_prefetch(found.stream.data() + line);
        }
        const bool stays_in_place = InPlace && !removing && !is_raw;
        if (!stays_in_place && found.stream.data() != target.data()) {
            copy_bytes(target.data(), found.stream.data(), size);
            found.stream = target.first(size);
        }
    }

    state_type& state_;
};

} // namespace pagefold
