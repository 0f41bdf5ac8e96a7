// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// eviction_policy: chooses which page goes when one must. It keeps a little state of its own and one `hook` a slot; the
// hooks live with the pages (in the store's index, or in a plain array), and the policy reaches them through `slots`.
// Not thread-safe: a partition's lock is held around every call.
//
// slot_view, what the policy is handed in every call:
//
//   v.get(slot)             | P::hook | the slot's hook; all-zero for a slot just inserted
//   v.set(slot, hook)       | –       | replaces it
//   v.next(slot)            | slot_id | the next slot in the policy's care after `slot` in a cyclic order; no_slot starts it.
//                           |         | `slot` is in the policy's care: while on_remove and evict run, the slot that leaves still
//                           |         | is. no_slot when there is none at all, and where the view is damaged. New pages come
//                           |         | into the order anywhere; it is otherwise fixed
//
// policy P:
//
//   P::hook                 | trivially copyable; P::hook_bits: how many low bits of it are used. A hook of at most
//                           | packed_hook_bits bits must be an unsigned integer, and costs no memory in the store's index
//   P{}                     | an empty policy
//   p.on_insert(v, slot)    | a page came to the slot
//   p.on_hit(v, slot)       | it was read
//   p.on_remove(v, slot)    | it goes for another reason than evict
//   p.on_move(v, from, to)  | the page in slot `from` is in slot `to` now, which held none, and its hook has been moved with
//                           | it: v.get(to) is it, and `from` is not touched any more. O(1)
//   p.evict(v, predicate,   | slot_id: the victim, already forgotten by the policy, with predicate(victim) true. The predicate
//           steps)          | has no side effects. `steps`, a std::size_t&, is how many slots may be looked at; every look,
//                           | whatever comes of it, is subtracted. no_slot with steps left: no slot satisfies the predicate.
//                           | no_slot with none left: it isn't known yet. The caller may let its lock go and call again; with
//                           | a predicate that accepts any slot such calls come to a victim after O(size) steps in all.
//                           | With a choosier one they need not: a policy may start from its first candidate each time, so
//                           | the caller becomes less choosy from call to call
//   P::max_rounds           | optional: how many rounds over all slots any answer may take, where that isn't 4
//   p.size()                | size_t: slots in its care
//   p.check(v)              | bool: walks everything; false when it is damaged
//
// configurable_policy: one that can be made with other numbers than its own, at run time.
//
//   P::options              | an aggregate; options{} is what P{} has
//   P{options}              | an empty policy
//
// A store is handed such a policy and copies it for each of its pools (the last argument of its constructor). The numbers
// stay with a policy for good, so a policy that was handed over and one that a store makes anew are the same.
//
// remembering_policy: one that knows pages which left a while ago when they come back. The keys are not its own: they are
// kept in a ghost (ds/ghost_table.hpp) that belongs to whoever has the slots, is shared by all of his policies, and can be
// small or have no room at all. It is reached through the view, which is a ghost_view then:
//
//   v.remember(slot)        | –       | the page in the slot, which is about to leave, is known from here on
//   v.recall(slot)          | bool    | whether the page that has come to the slot is known; it is not any more then. Now
//                           |         | and then true for one that never was. Always false where the ghost has no room
//   p.ghost_percent()       | unsigned: how many keys the ghost should have room for, in percent of size()
//
// paced_policy: one that says itself how far it has gone, where looks of different hands tell different things. Of a pool's policies
// in several partitions, the one that has gone fewest rounds loses the next page (store/pool_balance.hpp). Of others the
// looks that evict subtracts are counted.
//
//   p.progress()            | size_t: grows in evict, by about the same for each page looked at; wraps

namespace pagefold::inline PAGEFOLD_ABI {

inline constexpr unsigned packed_hook_bits = 3;

/// A slot_view, and a ghost_view, for checks at compile time; never called.
template <class Hook>
struct slot_view_archetype {
    Hook get(slot_id) const noexcept;
    void set(slot_id, Hook) noexcept;
    slot_id next(slot_id) const noexcept;
    void remember(slot_id) noexcept;
    bool recall(slot_id) noexcept;
};

// clang-format off
template <class V, class Hook>
concept slot_view = requires(V& v, const V& c, slot_id slot, Hook hook) {
    { c.get(slot) } noexcept -> std::same_as<Hook>;
    { v.set(slot, hook) } noexcept -> std::same_as<void>;
    { c.next(slot) } noexcept -> std::same_as<slot_id>;
};

template <class V, class Hook>
concept ghost_view = slot_view<V, Hook> && requires(V& v, slot_id slot) {
    { v.remember(slot) } noexcept -> std::same_as<void>;
    { v.recall(slot) } noexcept -> std::same_as<bool>;
};

template <class P>
concept eviction_policy =
    std::is_nothrow_default_constructible_v<P> && std::is_trivially_copyable_v<typename P::hook> &&
    (P::hook_bits > packed_hook_bits || std::unsigned_integral<typename P::hook>) &&
    requires(P& p, const P& c, slot_view_archetype<typename P::hook>& v, slot_id slot, bool (*predicate)(slot_id) noexcept,
             std::size_t& steps) {
        { p.on_insert(v, slot) } noexcept -> std::same_as<void>;
        { p.on_hit(v, slot) } noexcept -> std::same_as<void>;
        { p.on_remove(v, slot) } noexcept -> std::same_as<void>;
        { p.on_move(v, slot, slot) } noexcept -> std::same_as<void>;
        { p.evict(v, predicate, steps) } noexcept -> std::same_as<slot_id>;
        { c.size() } noexcept -> std::same_as<std::size_t>;
        { c.check(v) } noexcept -> std::same_as<bool>;
    };

template <class P>
concept configurable_policy = eviction_policy<P> && std::is_nothrow_default_constructible_v<typename P::options> &&
    std::is_nothrow_constructible_v<P, const typename P::options&>;

template <class P>
concept remembering_policy = eviction_policy<P> && requires(const P& c) {
    { c.ghost_percent() } noexcept -> std::same_as<unsigned>;
};

template <class P>
concept paced_policy = eviction_policy<P> && requires(const P& c) {
    { c.progress() } noexcept -> std::same_as<std::size_t>;
};
// clang-format on

} // namespace pagefold
