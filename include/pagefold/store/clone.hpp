// SPDX-License-Identifier: MIT
#pragma once

// Pools that are clones of another: what their entries may be, and what ties an entry to its base.
//
// Guests that are started from one snapshot have nearly its memory. A pool that holds the snapshot is *sealed*: nothing in it
// changes any more. A pool that names it as its *parent* keeps a page as one of three things:
//
//   own         a stream, as in any pool
//   reference   the page equals the parent's page of the same object and index: an entry, and no payload. Or it equals one of
//               another key, which the entry names by its ordinal in the parent's content_index, where the parent was
//               sealed by_content
//   delta       it is near that page (delta_codec, compress/concept.hpp): a stream that is read with it
//
// What a page becomes is decided by its put, which reads the parent's page of that key: equal to it, then equal to another one, then
// near it, then own. That is from the cheapest to the dearest, in memory and for who reads it. A same-filled page is always own, as
// it takes no payload anyway; so is what is near one, which is as short alone. Of a parent's page that can't be read, for damage
// or because there is none, it knows nothing. put_raw keeps the page as its own. put_written compares as put does.
//
// A clone's pages are those that were put into it. A get of one that wasn't is not_found: it does not fall through to the
// parent. The host knows which pages it never stored, and asks the parent for them by the parent's id. If a get fell through, a
// put that was refused would have to leave a mark behind, or the parent's old page would be read in its place; and each erased
// page would need one, too.
//
// Invariants. (1) A base is never a clone: depth is 1, so a read needs one base. (2) A parent lives as long as its children:
// destroy_pool answers `busy` before. (3) Nothing that an entry is read with can change: a sealed pool takes no put, take or
// erase, though its pages may move to other nodes. (4) The check of a reference or a delta is made of the child's key, the base's
// key with the parent's id, and the checksum of the base's stream. So a base that isn't the one is `corrupt`, as is one that
// is damaged, for every child that needs it, and never wrong bytes. (5) No two partitions are locked for it: the child's stream
// is copied out, then the base's.
//
// take of a reference or a delta reads first, and then erases the entry if it is the same still; if it isn't, it begins anew.
//
// Cost. A put into a clone reads the base (a look-up under a lock, a decompression), and compares; where the page is equal that
// saves the compression. With a content index, a page that differs is hashed and looked up, in a hold of its own, and where
// that leads to a page, one more is read: one for each put at most. A get of a delta costs that of the base besides. A scratch is
// 36 KiB larger. A pool without a parent, in a store that may have clones, pays a look at a number that is beside what it reads
// anyway.
//
// Only the parent is referred to: another clone's page would tell a tenant by the time a put takes what another tenant has. What
// is in the parent stays in memory until the last child is gone, secrets included.
//
// A child of one of those pools pays for what it has; the parent's pages are charged to the parent.

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/config.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a page is kept as.
enum class page_form : std::uint8_t {
    own,
    reference,            ///< to the page of the same key
    reference_by_content, ///< to one of another key
    delta
};

/// What seal is told.
struct seal_options {
    /// Whether pages of children are compared with all pages of the pool, and not with that of the same key alone. Takes memory
    /// for a content_index, and the time to read the pool. How long a put takes then tells a guest whether some page of its template
    /// has that content.
    bool by_content = false;
};

namespace detail {

template <class C, bool Has>
struct delta_of {
    using type = no_delta;
};
template <class C>
struct delta_of<C, true> {
    using type = typename C::delta_type;
};

} // namespace detail

/// How a store keeps pages that are near their parent's; no_delta where it has no clones.
template <class C>
using delta_of = typename detail::delta_of<C, keeps_clones<C>>::type;

/// The page that another one is kept by.
struct base_page {
    std::uint64_t key_hash = 0; ///< of its key, with the parent's id
    std::uint64_t sum = 0;      ///< of its stream, as far as its entry keeps it
    std::size_t size = 0;       ///< of its stream

    /// What the checksum of a page that is read with this one is bound to; `seed` is its own key's.
    [[nodiscard]] constexpr std::uint64_t bind(std::uint64_t seed) const noexcept {
        return mix(seed, mix(key_hash, sum));
    }
    /// The check of a reference to it.
    [[nodiscard]] constexpr std::uint64_t reference_check(std::uint64_t seed) const noexcept {
        return mix(bind(seed), 0x7265666572656e63u);
    }
};

/// What a scratch has besides, for pages that have a base: the base and a page behind it, room for a stream of the one or the
/// other, and the delta codec's scratch; each at a multiple of scratch_alignment.
template <class Delta>
struct clone_scratch {
    static constexpr std::size_t stream_bytes = Delta::bound() > Delta::page_size ? Delta::bound() : Delta::page_size;
    static constexpr std::size_t stream_at = round_up(Delta::pair_size, scratch_alignment);
    static constexpr std::size_t delta_at = round_up(stream_at + stream_bytes, scratch_alignment);
    static constexpr std::size_t bytes = delta_at + Delta::scratch_size();

    [[nodiscard]] byte_span pair() const noexcept { return all.first(Delta::pair_size); }
    [[nodiscard]] byte_span base() const noexcept { return all.first(Delta::page_size); }
    [[nodiscard]] byte_span page() const noexcept { return all.subview(Delta::page_size, Delta::page_size); }
    [[nodiscard]] byte_span stream() const noexcept { return all.subview(stream_at, stream_bytes); }
    [[nodiscard]] byte_span delta() const noexcept { return all.subview(delta_at, Delta::scratch_size()); }

    byte_span all;
};
template <>
struct clone_scratch<no_delta> {
    static constexpr std::size_t bytes = 0;
};

/// What a partition's pool knows of its family; nothing where there are no clones.
template <bool HasClones>
struct pool_lineage {};
template <>
struct pool_lineage<true> {
    pool_id parent{};       ///< or none
    bool is_sealed = false; ///< nothing comes, goes or changes
};

} // namespace pagefold
