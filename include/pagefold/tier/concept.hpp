// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// backing_tier: keeps streams that a store has no room for. A store copies it for itself, as it does its compressor: what has
// state is handed over as something that refers to it. Called with none of the store's locks held, from many threads at a time.
//
//   t.offer(key, stream)    | result<tier_place> | the tier keeps a copy of the stream, and says where: a number below 2^31 that
//                           |                    | it gives to nobody else until that copy is forgotten. Any other status: it
//                           |                    | keeps nothing (limit: it is full; busy: not now). The stream is gone after the
//                           |                    | call. One key can be offered again while an older copy of it is kept
//   t.fetch(key, place, out)| status             | ok: `out`, which is as long as the stream was, is filled with it. not_found,
//                           |                    | corrupt: it has lost it. Anything else: it can't say now
//   t.forget(key, place)    | status             | ok: the copy is gone. It is asked once for each copy, whatever it answers, and
//                           |                    | never for it again
//
// The key is what a tier may sort by, or ignore. What finds a copy is its place, which the store keeps in the page's entry: a
// tier of slots needs no table.
//
//   t.offer_all(offers, n)  | void               | optional: n offers at once, 8 at most; each gets its `answer`, and its `place` where that
//                           |                    | is ok, as offer gives them. What one gets doesn't depend on what becomes of others
//   T::takes_nothing        | bool constant      | optional; true: it refuses all, and a store has no code for it
//
// Nothing that it answers is believed. What it gives back is held against the length and checksum in the store's index, which
// are bound to the page's key: another page's bytes, an older version's or damaged ones are `corrupt` to the reader. A tier
// that lies loses pages, and never mixes them up.
//
// A tier may take as long as it likes; who waits is the put that needs room, and the get that wants the page. Each has a scratch
// of the store meanwhile, and whoever needs one when all are taken waits as well: a tier must not wait for another thread that
// uses the store. It may call the store itself: such a call is answered, or `busy`, where the host can tell its threads apart
// (platform/parking.hpp); where it can't, a tier must not. A call that ends a page's copy may come to forget.
// From within forget, which comes from behind a lock, every call is `busy`: stats() and the like, which have no such answer, must
// not be called there.

namespace pagefold::inline PAGEFOLD_ABI {

/// Where a tier has a copy; a number of its own.
enum class tier_place : std::uint32_t {};
inline constexpr unsigned tier_place_bits = 31;

/// Whether an entry of the index has room for it.
[[nodiscard]] constexpr bool fits_entry(tier_place place) noexcept {
    return static_cast<std::uint32_t>(place) >> tier_place_bits == 0;
}

// clang-format off
template <class T>
concept backing_tier = std::is_nothrow_copy_constructible_v<T> &&
    requires(T& t, const page_key& key, byte_view stream, byte_span out, tier_place place) {
        { t.offer(key, stream) } noexcept -> std::same_as<result<tier_place>>;
        { t.fetch(key, place, out) } noexcept -> std::same_as<status>;
        { t.forget(key, place) } noexcept -> std::same_as<status>;
    };
// clang-format on

/// One of several streams that are offered together.
struct tier_offer {
    page_key key{};
    byte_view stream{};
    status answer = status::busy;
    tier_place place{};
};
/// A tier that takes several at once.
template <class T>
concept batch_tier = backing_tier<T> && requires(T& t, tier_offer* offers, std::size_t count) {
    { t.offer_all(offers, count) }
    noexcept->std::same_as<void>;
};

/// Whether a store needs any code for the tier.
template <class T>
inline constexpr bool takes_pages = !requires {
    requires T::takes_nothing;
};

} // namespace pagefold
