// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/store/batch_look_ahead.hpp>
#include <pagefold/store/partition.hpp>

// What a partition does for several pages of a batch in one hold.

namespace pagefold::inline PAGEFOLD_ABI {

template <store_config Config>
void partition<Config>::look_ahead(batch_step step, batch_window& window, std::uint64_t pages) noexcept {
    const hold held{*this};
    if (held) {
        batch_look_ahead<Config>{state_}(step, window, pages);
    }
}

template <store_config Config>
template <class Request>
void partition<Config>::fetch_some(const batch_window& window, std::uint64_t& pages, Request* requests, bool removing,
                                   byte_span scratch, fetched_pages& into) noexcept {
    into.count = 0;
    const hold held{*this};
    if (!held) {
        return;
    }
    // Copies always: of several pages in place, all but the first would lie open to who interrupts the decoding of another.
    retrieval<Config, false> reader{state_};
    for (unsigned looks = 0; pages != 0 && looks < batch_window::pages_a_hold; ++looks) {
        const unsigned i = trailing_zeros(pages);
        const located_key& k = window.keys[i];
        const result<pool_state*> pool = (state_type::has_clones || state_type::has_log) && removing
                                             ? state_.enter_to_change(k.key.pool, k.route)
                                             : state_.enter(k.key.pool, k.route);
        if (!pool) {
            return;
        }
        Request& one = requests[i];
        typename fetched_pages::page& to = into.pages[into.count];
        bool is_damaged = false;
        const slot_id hint = window.slots[i];
        const slot_id slot = state_.index.is_at(hint, k) ? hint : state_.find(**pool, k, is_damaged);
        if (slot == no_slot) {
            one.outcome = reader.miss(**pool, is_damaged, to.found);
        } else {
            const entry_type e = state_.index.get(slot);
            if (!e.is_inline() && e.size() > scratch.size()) {
                return; // full, or damaged
            }
            if (!reader.is_plain(e, one.out.size())) {
                return;
            }
            one.outcome = reader.fetch_at(**pool, k, slot, one.out, scratch, removing, to.found);
            if (one.outcome == status::ok) {
                to.number = static_cast<std::uint8_t>(i);
                ++into.count;
                if (!e.is_inline()) {
                    const std::size_t used = round_up(e.size(), std::size_t{64});
                    scratch = scratch.subview(used < scratch.size() ? used : scratch.size());
                }
            }
        }
        pages &= pages - 1;
    }
}

template <store_config Config>
template <class Request>
void partition<Config>::erase_some(const batch_window& window, std::uint64_t& pages, Request* requests) noexcept {
    const hold held{*this};
    for (unsigned looks = 0; held && pages != 0 && looks < batch_window::pages_a_hold; ++looks) {
        const unsigned i = trailing_zeros(pages);
        const status s = erase_held(window.keys[i]);
        if (s == has_moved) {
            return;
        }
        requests[i].outcome = s;
        pages &= pages - 1;
    }
}

} // namespace pagefold
