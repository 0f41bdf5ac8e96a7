// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/store/batch_window.hpp>
#include <pagefold/store/partition_state.hpp>

#include <cstdint>

// What a batch does before its pages' own operations: it asks for the cache lines that they will meet.
//
// In a store of gigabytes a get waits for memory four times, for one line after the other: the extent, the entry, what the
// allocator knows of the object's span, the stream. A processor can wait for many lines at the same time. So a batch goes over all
// of its pages once for each of these, asks for the lines, and finds those of the step before already there. A stream is
// twenty to sixty lines, more than a processor waits for at a time, so those of many pages are not asked for at once: whoever reads
// the pages asks for one while it decodes another.
//
// Invariant: nothing is changed, counted or mended, and nothing that was seen here is believed later. The pages' operations look
// again, so a batch means what a loop of single operations means, whatever comes between.
//
// Cost: a step is one hold of the lock, of one look at each page.

namespace pagefold::inline PAGEFOLD_ABI {

enum class batch_step : std::uint8_t { extents, chains, arrays, entries, spans, streams };

/// The partition's lock is held around the calls.
template <store_config Config>
class batch_look_ahead {
    using state_type = partition_state<Config>;
    using entry_type = typename state_type::entry_type;

public:
    explicit batch_look_ahead(const state_type& state) noexcept : state_{state} {}

    /// Takes a step with those pages of the window. Pages of one extent, one after the other, are looked up once.
    void operator()(batch_step step, batch_window& window, std::uint64_t pages) const noexcept {
        const located_key* last = nullptr;
        slot_id last_slot = no_slot;
        for (; pages != 0; pages &= pages - 1) {
            const unsigned i = trailing_zeros(pages);
            const located_key& k = window.keys[i];
            slot_id& slot = window.slots[i];
            switch (step) {
            case batch_step::extents:
                if (last == nullptr || !is_one_extent(*last, k)) {
                    state_.index.prefetch_extent(k);
                }
                last = &k;
                break;
            case batch_step::chains:
                if (last != nullptr && last_slot != no_slot && is_one_extent(*last, k)) {
                    slot = last_slot - last->page() + k.page();
                } else {
                    slot = state_.index.guess_first(k);
                }
                last = &k;
                last_slot = slot;
                break;
            case batch_step::arrays:
                if (slot == no_slot) {
                    slot = state_.index.guess(k);
                }
                break;
            case batch_step::entries:
                if (state_.index.may_look_at(slot)) {
                    state_.index.prefetch(slot);
                }
                break;
            case batch_step::spans: look_at_entry(slot, window.streams[i]); break;
            case batch_step::streams:
            default: look_at_span(window.streams[i]); break;
            }
        }
    }

private:
    [[nodiscard]] static bool is_one_extent(const located_key& a, const located_key& b) noexcept {
        return a.extent_hash == b.extent_hash && a.key.object == b.key.object && a.pool == b.pool &&
               a.extent() == b.extent();
    }
    PAGEFOLD_ALWAYS_INLINE void look_at_entry(slot_id slot, stream_hint& hint) const noexcept {
        if constexpr (prefetching_allocator<typename state_type::allocator_type>) {
            if (state_.index.may_look_at(slot)) {
                const entry_type e = state_.index.get(slot);
                if (state_type::has_object(e) && e.is_whole()) {
                    state_.allocator.prefetch(e.handle());
                    hint = {e.handle(), nullptr, static_cast<std::uint32_t>(e.size())};
                }
            }
        }
    }
    PAGEFOLD_ALWAYS_INLINE void look_at_span(stream_hint& hint) const noexcept {
        if (hint.size != 0) {
            if (state_.allocator.contains(hint.object)) {
                hint.place = state_.allocator.place(hint.object).data();
            } else {
                hint.size = 0;
            }
        }
    }

    const state_type& state_;
};

} // namespace pagefold
