// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/kept_page.hpp>
#include <pagefold/store/partition_state.hpp>
#include <pagefold/store/pool_cursor.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What one hold of a walk copied out: the pages, and their entries, to check the streams by behind the lock.
template <class Entry>
struct copied_pages {
    static constexpr std::size_t most = 16; ///< streams copied in a hold

    kept_page pages[most]{};
    Entry entries[most]{};
    std::size_t room = most; ///< for so many of them, at most `most`
    std::size_t count = 0;
    std::size_t bytes = 0; ///< of streams
    pool_id parent{};      ///< of the pool
};

/// One hold's part of a walk that copies what it finds. The partition's lock is held around the call.
///
/// As a walk (pool_cursor.hpp), which it is one of; the entry is at hand there, so no page is looked for. Cost: the looks of a
/// walk's hold, and copies of up to 16 streams.
template <store_config Config>
class pool_copy {
    using state_type = partition_state<Config>;
    using pool_state = typename state_type::pool_state;
    using index_type = typename state_type::index_type;
    using entry_type = typename state_type::entry_type;

public:
    using copies_type = copied_pages<entry_type>;

    explicit pool_copy(state_type& state) noexcept : state_{state} {}

    /// Copies pages to `bytes`, which has room for a page at least, as far as they fit; true when there are no more in this
    /// partition. For a page in the tier it leaves room for a page there.
    bool step(const pool_state& pool, pool_cursor& at, const kept_filter& filter, byte_span bytes,
              copies_type& copies) noexcept {
        copies.count = 0;
        copies.bytes = 0;
        if constexpr (state_type::has_clones) {
            copies.parent = pool.parent;
        }
        const pool_walk<Config> walk{state_};
        return walk.visit(pool, at, [&](std::uint32_t id, unsigned page) noexcept {
            const std::uint64_t object = state_.index.object_of(id);
            const std::uint64_t index = state_.index.number_of(id) * extent_pages + page;
            return !filter.takes(object, index) || copy(pool, walk.describe(id, page), id, page, bytes, copies);
        });
    }

private:
    /// False where there is no room for it in this hold.
    bool copy(const pool_state& pool, const walked_page& found, std::uint32_t id, unsigned page, byte_span bytes,
              copies_type& copies) noexcept {
        const std::size_t size = found.content == page_content::away       ? Config::page_size
                                 : found.content == page_content::in_entry ? min_stream_size
                                                                           : found.stream;
        if (copies.count == copies.room || size > bytes.size() - copies.bytes) {
            return false;
        }
        const entry_type e = state_.index.get(index_type::slot(id, page));
        std::byte* const to = bytes.data() + copies.bytes;
        if (found.content == page_content::in_entry) {
            store_native(to, e.word());
        } else if (found.content != page_content::damaged && state_type::has_object(e)) {
            const byte_view stream = state_.allocator.read(e.handle(), size, {to, size});
            if (stream.data() != to) {
                copy_bytes(to, stream.data(), size);
            }
        }
        kept_page& one = copies.pages[copies.count];
        one = {found.object, found.index, found.length, static_cast<std::uint32_t>(size), found.content};
        one.at = static_cast<std::uint32_t>(copies.bytes);
        if constexpr (state_type::has_clones) {
            content_place base{0, found.object, found.index};
            if (e.has_ordinal() && !state_.locate_content(pool, e.ordinal(), base)) {
                one.content = page_content::damaged; // it leads nowhere
            }
            one.base_object = base.object;
            one.base_index = base.index;
        }
        copies.entries[copies.count++] = e;
        copies.bytes += size;
        return true;
    }

    state_type& state_;
};

} // namespace pagefold
