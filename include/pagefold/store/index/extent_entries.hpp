// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/store/index/entry_arrays.hpp>
#include <pagefold/store/index/extent.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What extents hold: the entry of a page alone in the extent itself, those of several in an array, in the order of pages.
/// `Hook` and `HookBits` are the eviction policy's; a hook wider than the entry's spare bits stands beside the entries, and
/// a page alone has an array too then, as it has where an entry takes more than 12 bytes. Not thread-safe.
template <class Entry, class Hook, unsigned HookBits, class Source>
class extent_entries {
    static constexpr bool wide_hook = HookBits > packed_hook_bits;
    using arrays_type = entry_arrays<Entry, wide_hook ? sizeof(Hook) : 0, Source>;
    using meta_type = typename Entry::meta_type;

public:
    static constexpr std::size_t entry_bytes = arrays_type::entry_bytes;

    extent_entries(Source& source, node_id node) noexcept : arrays_{source, node} {}

    /// Whether the extent's entries can be looked at: its array is one, and as long as it says.
    [[nodiscard]] bool is_sound(const extent& x) const noexcept {
        return x.is_whole() &&
               (x.is_single() ? arrays_type::singles_inline : arrays_.contains(x.array(), count_ones(x.bitmap)));
    }

    /// Asks for what says where the extent's array is; any extent may be given.
    PAGEFOLD_ALWAYS_INLINE void prefetch_array_of(const extent& x) const noexcept {
        if (!x.is_single()) {
            arrays_.prefetch(x.array());
        }
    }

    // The entry of a page that is there. The extent is sound.

    [[nodiscard]] entry_place locate(extent& x, unsigned at) const noexcept {
        PAGEFOLD_ASSERT(x.has_page(at));
        if (stands_in(x)) {
            return {reinterpret_cast<std::byte*>(&x.bitmap), reinterpret_cast<std::byte*>(&x.cell), nullptr};
        }
        return arrays_.view(x.array()).at(rank_of(x.bitmap, at));
    }
    [[nodiscard]] Entry get(extent& x, unsigned at) const noexcept {
        const entry_place p = locate(x, at);
        return {load_native<std::uint64_t>(p.word), load_native<meta_type>(p.meta)};
    }
    /// Replaces the entry and keeps the hook, when the hook is wide; a narrow one is part of the entry.
    void set(extent& x, unsigned at, Entry e) noexcept {
        const entry_place p = locate(x, at);
        if (stands_in(x)) {
            x.note_change(x.bitmap ^ e.word());
            x.note_change(x.cell ^ e.meta());
        }
        store_native(p.word, e.word());
        store_native(p.meta, e.meta());
    }
    [[nodiscard]] Hook hook(extent& x, unsigned at) const noexcept {
        if constexpr (wide_hook) {
            return load_native<Hook>(locate(x, at).hook);
        } else {
            return static_cast<Hook>(get(x, at).hook());
        }
    }
    void set_hook(extent& x, unsigned at, Hook hook) noexcept {
        if constexpr (wide_hook) {
            store_native(locate(x, at).hook, hook);
        } else {
            metas_of(x).set_hook(at, hook);
        }
    }

    /// The pages of an extent and where their entries' metas are, to go through them without finding each anew: valid until
    /// the extent changes.
    struct metas {
        std::uint64_t pages;
        std::byte* first;
        extent* single; ///< where the entry stands in the extent

        [[nodiscard]] std::byte* of(unsigned at) const noexcept { return first + rank_of(pages, at) * Entry::bytes; }
        void set_hook(unsigned at, Hook hook) const noexcept requires(!wide_hook) {
            const auto was = load_native<meta_type>(of(at));
            Entry e{0, was};
            e.set_hook(static_cast<std::uint8_t>(hook));
            if (single != nullptr) {
                single->note_change(was ^ e.meta());
            }
            store_native(of(at), e.meta());
        }
    };
    [[nodiscard]] metas metas_of(extent& x) const noexcept {
        return stands_in(x) ? metas{x.present(), reinterpret_cast<std::byte*>(&x.cell), &x}
                            : metas{x.bitmap, arrays_.view(x.array()).at(0).meta, nullptr};
    }

    // Pages that come and go.

    /// The array of a first page, if that has one.
    [[nodiscard]] result<cell_ref> allocate_first() noexcept {
        if constexpr (arrays_type::singles_inline) {
            return cell_ref{};
        } else {
            return arrays_.allocate(1);
        }
    }
    void deallocate_first(cell_ref array) noexcept {
        if constexpr (!arrays_type::singles_inline) {
            arrays_.deallocate(array);
        }
    }
    /// The extent has this page alone, in what allocate_first gave.
    void put_first(extent& x, unsigned at, Entry e, cell_ref array) noexcept {
        if constexpr (arrays_type::singles_inline) {
            x.make_single(at, e.word(), e.meta());
        } else {
            x.make_array(std::uint64_t{1} << at, array);
            arrays_.view(array).put(0, e);
        }
    }
    /// Adds an entry for a page that has none. Fails with what the source answered; nothing has changed then.
    status add(extent& x, unsigned at, Entry e) noexcept {
        const std::uint64_t before = x.present();
        const unsigned count = count_ones(before);
        const unsigned rank = rank_of(before, at);
        if (!x.is_single() && count < arrays_.capacity(x.array())) {
            const auto array = arrays_.view(x.array());
            array.move(array, rank + 1, array, rank, count - rank);
            array.put(rank, e);
            x.set_pages(before | std::uint64_t{1} << at);
            return status::ok;
        }
        const result<cell_ref> cell = arrays_.allocate(count + 1);
        if (!cell) {
            return cell.error();
        }
        const auto to = arrays_.view(*cell);
        if (x.is_single()) {
            to.put(rank == 0 ? 1 : 0, Entry{x.bitmap, static_cast<meta_type>(x.cell)});
        } else {
            const auto from = arrays_.view(x.array());
            to.move(to, 0, from, 0, rank);
            to.move(to, rank + 1, from, rank, count - rank);
            arrays_.deallocate(x.array());
        }
        to.put(rank, e);
        x.make_array(before | std::uint64_t{1} << at, *cell);
        return status::ok;
    }
    /// Removes a page's entry; there are others. Those of the highest pages need no others moved. With `goes_on` the array
    /// stays as large as it is, since the others are to follow: an extent that is emptied page by page would go through all
    /// sizes, and ask the source for blocks of each.
    void remove(extent& x, unsigned at, bool goes_on) noexcept {
        const unsigned count = count_ones(x.bitmap) - 1;
        const unsigned rank = rank_of(x.bitmap, at);
        const auto array = arrays_.view(x.array());
        array.move(array, rank, array, rank + 1, count - rank);
        x.set_pages(x.bitmap & ~(std::uint64_t{1} << at));
        if (arrays_type::singles_inline && count == 1) {
            const Entry last = array.get(0);
            arrays_.deallocate(x.array());
            x.make_single(trailing_zeros(x.bitmap), last.word(), static_cast<std::uint32_t>(last.meta()));
        } else if (!goes_on && arrays_.is_large_for(x.array(), count)) {
            static_cast<void>(fit(x, count));
        }
    }
    /// Gives the extent's array back, if it has one.
    void release(const extent& x) noexcept {
        if (!x.is_single()) {
            arrays_.deallocate(x.array());
        }
    }
    /// Puts the entries into another array where that helps memory to come free; whether it did.
    bool repack(extent& x) noexcept {
        if (x.is_single()) {
            return false;
        }
        const unsigned count = count_ones(x.bitmap);
        if (arrays_.is_not_least_for(x.array(), count)) {
            return fit(x, count);
        }
        const result<cell_ref> moved = arrays_.relocate(x.array());
        if (!moved || *moved == x.array()) {
            return false;
        }
        x.make_array(x.bitmap, *moved);
        return true;
    }

    // Memory.

    /// Bytes of the extent's array.
    [[nodiscard]] std::size_t bytes(const extent& x) const noexcept {
        return x.is_single() ? 0 : arrays_.bytes(x.array());
    }
    /// By how much they grow with one page more.
    [[nodiscard]] std::size_t growth(const extent& x) const noexcept {
        const unsigned count = count_ones(x.present());
        return !x.is_single() && count < arrays_.capacity(x.array()) ? 0 : arrays_type::bytes_for(count + 1) - bytes(x);
    }
    [[nodiscard]] static std::size_t bytes_of_first() noexcept {
        return arrays_type::singles_inline ? 0 : arrays_type::bytes_for(1);
    }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return arrays_.bytes(); }
    [[nodiscard]] std::size_t array_count() const noexcept { return arrays_.count(); }
    [[nodiscard]] bool check() const noexcept { return arrays_.check(); }

private:
    /// Whether the entry of a sound extent's only page stands in the extent.
    [[nodiscard]] static bool stands_in(const extent& x) noexcept {
        return arrays_type::singles_inline && x.is_single();
    }
    [[nodiscard]] static unsigned rank_of(std::uint64_t bitmap, unsigned at) noexcept {
        return count_ones(bitmap & low_bits(at));
    }
    /// Copies the entries into a new array of just their number; false where there is none.
    bool fit(extent& x, unsigned count) noexcept {
        const result<cell_ref> cell = arrays_.allocate(count);
        if (!cell) {
            return false;
        }
        const auto to = arrays_.view(*cell);
        to.move(to, 0, arrays_.view(x.array()), 0, count);
        arrays_.deallocate(x.array());
        x.make_array(x.bitmap, *cell);
        return true;
    }

    arrays_type arrays_;
};

} // namespace pagefold
