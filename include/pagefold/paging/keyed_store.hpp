// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/paging/concept.hpp>

#include <concepts>
#include <cstddef>

// A store for a pager whose pages do not have keys one behind the other. A region_pager asks for {pool, object,
// first_index + page}. A clone has to ask for the key that its template has (store/clone.hpp), a region in several parts
// for the place in a file: a function turns the one into the other.
//
// The function gives two pages of one pager different keys, and one page always the same. Its cost is paid once a call.

namespace pagefold::inline PAGEFOLD_ABI {

/// What a pager asks for, to the key under which it is kept.
template <class F>
concept key_function = requires(const F& f, const page_key& key) {
    { f(key) }
    noexcept->std::same_as<page_key>;
};

/// A paged_store in front of another, with keys of one's own. `store` outlives it; it is as safe for threads as that.
template <paged_store Store, key_function KeyOf>
class keyed_store {
public:
    static constexpr std::size_t page_size = Store::page_size;

    keyed_store(Store& store, const KeyOf& key_of) noexcept : store_{store}, key_of_{key_of} {}

    status put(const page_key& key, byte_view page) noexcept { return store_.put(key_of_(key), page); }
    status get(const page_key& key, byte_span out) noexcept { return store_.get(key_of_(key), out); }
    status erase(const page_key& key) noexcept { return store_.erase(key_of_(key)); }
    /// Under which it is kept.
    [[nodiscard]] page_key key_of(const page_key& key) const noexcept { return key_of_(key); }

private:
    Store& store_;
    KeyOf key_of_;
};

} // namespace pagefold
