// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/store/partition_state.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a try to move a page came to.
struct moved {
    status result;
    bool has_gone = false;   ///< there was a page, and it is in `from` no more
    bool has_stayed = false; ///< there was a page, and no room for it
};

/// Moves pages from one partition to another, as they are: no stream is decoded, and no checksum looked at, as it is bound to
/// the key. The locks of both are held around every call. Cost: that of a put and an erasure, and a copy of the stream.
template <store_config Config>
class page_move {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using entry_type = typename state_type::entry_type;

public:
    page_move(state_type& from, state_type& to) noexcept : from_{from}, to_{to} {}

    /// ok: no version of the page is in `from` any more, and if there was one, it is in `to`; a version that was there already
    /// is newer, and stays. limit, no_memory: there is no room, and nothing has changed. corrupt: the page is damaged, and
    /// gone. `buffer` has room for any stream. An eviction policy takes a page that comes for a new one.
    moved move(pool_state& leaves, pool_state& enters, const located_key& k, byte_span buffer) noexcept {
        bool is_damaged = false;
        const slot_id slot = from_.find(leaves, k, is_damaged);
        if (slot == no_slot) {
            from_.settle(leaves);
            return {is_damaged ? status::corrupt : status::ok};
        }
        const entry_type old = from_.index.get(slot);
        if (!from_.is_readable(old)) [[unlikely]] {
            ++from_.corruptions;
            ++from_.damage;
            from_.remove(leaves, slot);
            from_.settle(leaves);
            return {status::corrupt};
        }
        if (to_.find(enters, k, is_damaged) == no_slot) {
            if (const status s = copy(enters, k, old, buffer); s != status::ok) {
                to_.settle(enters);
                return {s, false, true};
            }
            ++to_.pages_migrated;
            from_.remove(leaves, slot);
            if constexpr (state_type::has_tier) {
                if (state_type::is_away(old)) {
                    from_.copies.keep_last(); // it is the page's there
                }
            }
        } else {
            ++from_.erased_pages; // replaced
            from_.remove(leaves, slot);
        }
        from_.settle(leaves);
        to_.settle(enters);
        return {status::ok, true};
    }

private:
    status copy(pool_state& enters, const located_key& k, entry_type e, byte_span buffer) noexcept {
        e.set_hook(0);
        if (!state_type::has_object(e)) {
            return to_.add(enters, k, e).error();
        }
        const std::size_t size = e.size();
        const result<object_handle> object = to_.allocate_snug(state_type::object_bytes(size));
        if (!object) {
            return object.error();
        }
        to_.allocator.write(*object, from_.allocator.read(e.handle(), size, buffer.first(size)));
        e.set_handle(*object);
        const result<slot_id> added = to_.add(enters, k, e);
        if (!added) {
            to_.allocator.deallocate(*object);
        }
        return added.error();
    }

    state_type& from_;
    state_type& to_;
};

} // namespace pagefold
