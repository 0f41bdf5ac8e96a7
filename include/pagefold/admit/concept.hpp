// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// admission_policy: says whether a page is worth keeping, and in which form. Called with no lock held, from many threads.
//
//   a.admit(query)    | admission | packed: keep the stream; raw: keep the page as it is; reject: do not keep it. They are
//                     |           | ordered, from the mildest to the strictest. A longer stream gets no milder answer.
//                     |           | packed is for streams that are shorter than the page
//
// A store copies the policy once, when it is made. Numbers that can be chosen are given to its constructor.
//
// screening_policy: one that refuses some pages whatever their streams are. It is asked before the page is compressed, which a
// refused page then never is.
//
//   a.screen(query)   | bool      | false: do not keep it. The query is that of admit, but packed_bytes is page_bytes. What
//                     |           | screen refuses, admit rejects for every length; a page that it lets pass, admit may reject
//
// remembering_admission: one that asks what is known of the page's key. The store then looks it up, in the same hold of the
// partition's lock in which it else prefetches the entry, and says it in query.past. The memory is the ghost of the page's
// partition, which its eviction policies use as well (evict/concept.hpp, store/partition_ghost.hpp): one table for
// both, as long as the one that wants more wants it, and within the same bounds. While an admission policy remembers, a key is
// in it that was refused, taken, or dropped by eviction, whether the eviction policy asks for that or not. A refused key is a
// key that left: an eviction policy that remembers takes its page for one that comes back.
//
//   a.ghost_percent() | unsigned  | how many keys the ghost should have room for, in percent of the pages; 0: nothing is looked
//                     |           | up, and nothing remembered
//
// What follows from the past may only be asked of an ephemeral pool: a persistent one's pages are nobody else's, and a refusal
// for that would be a loss. So a persistent pool's past is untold, and no policy refuses what is untold for its past; nor
// may it be stricter to a key that is known than to one that is not.
//
// choosing_admission: one that chooses among several by the page's pool.
//
//   A::choice_count   | unsigned  | how many, 1 to 256. query.choice is the pool's number, below it (pool_options::admission)

namespace pagefold::inline PAGEFOLD_ABI {

enum class admission : std::uint8_t { packed, raw, reject };

/// What is known of a page's key when the page is put.
enum class key_past : std::uint8_t {
    untold, ///< nobody looked, or nobody can know: the pool is persistent, or there is no memory for a ghost
    unseen, ///< neither stored, nor one that left a short while ago
    left,   ///< left a short while ago: dropped, taken or refused. Now and then said of one that never was there
    stored, ///< a version of the page is stored
};

/// What an admission policy is told about a page.
struct admission_query {
    std::size_t page_bytes;   ///< size of the page
    std::size_t packed_bytes; ///< length of its stream; equal to page_bytes when it is incompressible
    pool_kind kind;           ///< of its pool
    std::uint64_t key_hash;   ///< equal keys have equal hashes
    pool_id pool{};
    key_past past = key_past::untold; ///< for a remembering_admission
    std::uint8_t choice = 0;          ///< the pool's policy by its number, for a choosing_admission

    /// Whether the page may be refused for what is known of its key.
    [[nodiscard]] constexpr bool is_first_touch() const noexcept {
        return kind == pool_kind::ephemeral && past == key_past::unseen;
    }
    /// The answer of a policy that has nothing against the page.
    [[nodiscard]] constexpr admission mildest() const noexcept {
        return packed_bytes < page_bytes ? admission::packed : admission::raw;
    }
};

// clang-format off
template <class T>
concept admission_policy = requires(T& a, const admission_query& query) {
    { a.admit(query) } noexcept -> std::same_as<admission>;
};

template <class T>
concept screening_policy = admission_policy<T> && requires(T& a, const admission_query& query) {
    { a.screen(query) } noexcept -> std::same_as<bool>;
};

template <class T>
concept remembering_admission = admission_policy<T> && requires(const T& a) {
    { a.ghost_percent() } noexcept -> std::same_as<unsigned>;
};

template <class T>
concept choosing_admission = admission_policy<T> && (T::choice_count >= 1 && T::choice_count <= 256);
// clang-format on

} // namespace pagefold
