// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/partition_state.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a try to place a stream came to.
struct placed {
    status result;
    bool at_cap = false;    ///< the pool's cap refused, not the store's limit or its source
    bool in_tables = false; ///< the stream had a place, or needs none, and its index entry had not
};

/// A version of a page in another partition, which goes for the one that is placed here.
struct old_version {
    bool exists = false;
    std::size_t occupied = 0; ///< bytes of payload
};

/// Placing streams in a partition: the new content gets its place first, and then takes the old one's entry, so that
/// whoever reads finds the one or the other. The partition's lock is held around every call.
template <store_config Config>
class placement {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using entry_type = typename state_type::entry_type;

public:
    /// `form`: what the streams are. That of a reference is the length of the stream it stands for, in min_stream_size bytes,
    /// with the ordinal in their high half where it is one by content.
    explicit placement(state_type& state, const old_version& elsewhere = {}, page_form form = page_form::own) noexcept
        : state_{state}, elsewhere_{elsewhere}, form_{form} {}

    /// Stores the stream as the page's content. After a failure nothing has changed.
    placed put(pool_state& pool, const located_key& k, byte_view stream, std::uint64_t sum) noexcept {
        const slot_id slot = find_sound(pool, k);
        if (!claim(pool, k, slot, stream)) {
            return {status::limit, true};
        }
        const placed outcome = put_claimed(pool, k, slot, stream, sum);
        if (outcome.result != status::ok) {
            state_.settle(pool); // gives back what was claimed
        }
        return outcome;
    }

    /// The same where nothing more can be dropped for it: any place that is large enough will do, the old content's too, and
    /// the old content goes if that makes the room. After a failure the page is not here any more.
    placed put_at_last(pool_state& pool, const located_key& k, byte_view stream, std::uint64_t sum) noexcept {
        slot_id slot = find_sound(pool, k);
        placed outcome{status::limit, true};
        if (claim(pool, k, slot, stream)) {
            if (is_inline(stream)) {
                outcome = put_claimed(pool, k, slot, stream, sum);
            } else {
                const std::size_t need = state_type::object_bytes(stream.size());
                if (slot != no_slot && place_of(state_.index.get(slot), stream.size()) >= need) {
                    return {rewrite(pool, slot, state_.index.get(slot), stream, sum)};
                }
                outcome = place(pool, k, slot, stream, sum, state_.allocator.allocate(need));
                if (outcome.result != status::ok && slot != no_slot) {
                    remove(pool, slot);
                    slot = no_slot;
                    outcome = place(pool, k, slot, stream, sum, state_.allocator.allocate(need));
                }
            }
        }
        if (outcome.result != status::ok && slot != no_slot) {
            remove(pool, slot);
        }
        return outcome;
    }

    /// Gives a page that is away its stream again, where there is a place for it and nothing has to go: `stream` is what its
    /// entry says. limit, no_memory: it stays away. Its copy in the tier is forgotten, or else two would have to be kept in step.
    placed bring_back(pool_state& pool, const located_key& k, slot_id slot, byte_view stream) noexcept {
        if (!claim(pool, k, slot, stream)) {
            return {status::limit, true};
        }
        const result<object_handle> object = state_.allocate_snug(state_type::object_bytes(stream.size()));
        if (!object) {
            state_.settle(pool); // gives back what was claimed
            return {object.error()};
        }
        state_.allocator.write(*object, stream);
        const entry_type old = state_.index.get(slot), now = old.brought_back(*object);
        state_.account(pool, old, false);
        state_.account(pool, now, true);
        state_.index.set(slot, now);
        state_.tag(now, slot);
        state_.let_go(pool, slot, old);
        state_.enter_order(pool, slot);
        return {status::ok};
    }

    /// No version of the page stays readable.
    void remove_all(pool_state& pool, const located_key& k) noexcept {
        if (const slot_id slot = find_sound(pool, k); slot != no_slot) {
            remove(pool, slot);
        }
    }

private:
    [[nodiscard]] entry_type entry_without_payload(std::uint64_t stream, std::uint64_t sum) const noexcept {
        if constexpr (state_type::has_clones) {
            if (form_ == page_form::reference) {
                return entry_type::with_reference(to_size(stream), sum);
            }
            if (form_ == page_form::reference_by_content) {
                return entry_type::with_reference(to_size(stream & 0xffffffffu),
                                                  static_cast<std::uint32_t>(stream >> 32), sum);
            }
        }
        return entry_type::with_stream(stream, sum);
    }
    [[nodiscard]] entry_type entry_with_payload(object_handle h, std::size_t size, std::uint64_t sum) const noexcept {
        const entry_type e = entry_type::with_payload(h, size, sum);
        if constexpr (state_type::has_clones) {
            return form_ == page_form::delta ? e.as_delta() : e;
        } else {
            return e;
        }
    }
    [[nodiscard]] static bool is_inline(byte_view stream) noexcept { return stream.size() == min_stream_size; }

    /// The page's slot; in place of a damaged extent a new one can be made.
    [[nodiscard]] slot_id find_sound(pool_state& pool, const located_key& k) noexcept {
        bool is_damaged = false;
        return state_.find(pool, k, is_damaged);
    }
    void remove(pool_state& pool, slot_id slot) noexcept {
        state_.remove(pool, slot);
        ++state_.erased_pages;
    }

    /// Bytes of an old place that a stream of `size` can be written to: none where one of the two is a raw page, which has
    /// no tag, and the other is not.
    [[nodiscard]] std::size_t place_of(const entry_type& old, std::size_t size) const noexcept {
        const bool raw = state_type::fills_page(size);
        return !state_type::has_object(old) || !state_.is_readable(old) || state_type::fills_page(old.size()) != raw
                   ? 0
                   : state_.allocator.capacity(old.handle());
    }
    /// Whether the pool stays below its cap with the stream in place of what is there. If so, everybody knows at once of what it
    /// will have more, before it has it: puts in other partitions at the same time can't pass the cap together. The pool's
    /// next settle() corrects what did not come to pass.
    ///
    /// Of several that claim at once the first, by the order of their additions to `payload`, reckons with none that comes after
    /// it; so not all are refused where there is room for one. A refused one reckons with others that are refused as well, and
    /// have not taken that back yet.
    [[nodiscard]] bool claim(pool_state& pool, const located_key& k, slot_id slot, byte_view stream) noexcept {
        pool_record& record = state_.record_of(pool);
        const std::size_t cap = record.options.cap_bytes;
        if (cap == ~std::size_t{0}) {
            return true;
        }
        const std::size_t need = state_type::object_bytes(stream.size());
        const std::size_t now = is_inline(stream) ? 0 : state_.allocator.rounded(need);
        const std::size_t before = slot != no_slot ? state_.occupied_by(state_.index.get(slot)) : elsewhere_.occupied;
        const std::size_t tables = elsewhere_.exists ? 0 : state_.index.bytes_for(k);
        if (now <= before && tables == 0) {
            return true; // it gets no larger
        }
        const std::size_t payload = now > before ? now - before : 0;
        record.tables.fetch_add(tables, memory_order::relaxed);
        // acq_rel: who comes later in this order sees the tables that this one wants, too.
        const std::size_t others = record.payload.fetch_add(payload, memory_order::acq_rel);
        const std::size_t other_tables = record.tables.load(memory_order::relaxed) - tables;
        const std::size_t more = pool_charge::of(state_.table, payload, tables);
        const std::size_t used = pool_charge::of(state_.table, others, other_tables);
        if (more > cap || used > cap - more) {
            record.payload.fetch_sub(payload, memory_order::relaxed); // meters, which order nothing
            record.tables.fetch_sub(tables, memory_order::relaxed);
            return false;
        }
        pool.payload_counted += payload;
        pool.tables_counted += tables;
        return true;
    }
    placed put_claimed(pool_state& pool, const located_key& k, slot_id slot, byte_view stream,
                       std::uint64_t sum) noexcept {
        if (is_inline(stream)) {
            return {commit(pool, k, slot, entry_without_payload(load_native<std::uint64_t>(stream.data()), sum)), false,
                    true};
        }
        if (slot != no_slot) {
            const entry_type old = state_.index.get(slot);
            const std::size_t need = state_type::object_bytes(stream.size());
            const std::size_t place = place_of(old, stream.size());
            const std::size_t rounded = state_.allocator.rounded(need);
            if (place >= rounded && place - rounded <= rounded / 16) { // a borrowed place may be a little larger
                return {rewrite(pool, slot, old, stream, sum)};
            }
        }
        return place(pool, k, slot, stream, sum, state_.allocate_snug(state_type::object_bytes(stream.size())));
    }

    status rewrite(pool_state& pool, slot_id slot, const entry_type& old, byte_view stream,
                   std::uint64_t sum) noexcept {
        state_.allocator.write(old.handle(), stream);
        replace_entry(pool, slot, old, entry_with_payload(old.handle(), stream.size(), sum));
        return status::ok;
    }
    placed place(pool_state& pool, const located_key& k, slot_id slot, byte_view stream, std::uint64_t sum,
                 const result<object_handle>& object) noexcept {
        if (!object) {
            return {object.error()};
        }
        state_.allocator.write(*object, stream);
        const status s = commit(pool, k, slot, entry_with_payload(*object, stream.size(), sum));
        if (s != status::ok) {
            state_.allocator.deallocate(*object);
        }
        return {s, false, true};
    }
    /// The new entry in place of the old, whose object is freed, or as a page that was not here.
    status commit(pool_state& pool, const located_key& k, slot_id slot, const entry_type& now) noexcept {
        if (slot != no_slot) {
            const entry_type old = state_.index.get(slot);
            replace_entry(pool, slot, old, now);
            state_.let_go(pool, slot, old);
            return status::ok;
        }
        return state_.add(pool, k, now).error();
    }
    void replace_entry(pool_state& pool, slot_id slot, const entry_type& old, entry_type now) noexcept {
        state_.account(pool, old, false);
        state_.account(pool, now, true);
        now.set_hook(old.hook());
        state_.index.set(slot, now);
        state_.note_change(pool, slot);
        state_.tag(now, slot);
        if (pool.is_ephemeral() || (state_.is_in_order(slot) && state_type::has_object(now))) {
            auto view = state_.slots_from(pool, slot);
            pool.eviction.on_hit(view, slot);
        } else if (pool.demotes()) {
            state_.leave_order(pool, slot);
            if (state_type::has_object(now)) {
                state_.enter_order(pool, slot); // it was away, or on its way
            }
        }
        ++state_.erased_pages;
    }

    state_type& state_;
    old_version elsewhere_;
    page_form form_;
};

} // namespace pagefold
