// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/config.hpp>
#include <pagefold/store/pool.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing {

/// A store over a test_source, which speaks of pages by the seed of their content.
template <class Store>
class store_fixture {
public:
    static constexpr std::size_t page_size = Store::page_size;

    template <class... Argument>
    explicit store_fixture(const store_options& options = {}, const Argument&... argument) noexcept
        : store{source, alike(options), argument...}, page_(page_size), expected_(page_size) {}

    pool_id make_pool(const pool_options& options = {}) { return store.create_pool(options).value(); }

    status put(const page_key& key, std::uint64_t seed) { return put(key, kind_of(seed), seed); }
    status put(const page_key& key, page_kind kind, std::uint64_t seed) {
        make_page(page_, kind, seed);
        return store.put(key, page_);
    }
    status get(const page_key& key) { return store.get(key, page_); }
    status take(const page_key& key) { return store.take(key, page_); }
    /// Whether the last get or take that was ok brought this content.
    bool got(std::uint64_t seed) { return got(kind_of(seed), seed); }
    bool got(page_kind kind, std::uint64_t seed) {
        make_page(expected_, kind, seed);
        return page_ == expected_;
    }
    bool has(const page_key& key, std::uint64_t seed) { return get(key) == status::ok && got(seed); }
    bool has(const page_key& key, page_kind kind, std::uint64_t seed) {
        return get(key) == status::ok && got(kind, seed);
    }
    bool lacks(const page_key& key) { return get(key) == status::not_found; }

    test_source source;
    Store store;

private:
    /// With the same hash in every run.
    [[nodiscard]] static store_options alike(store_options options) noexcept {
        options.seed = options.seed != 0 ? options.seed : 1;
        return options;
    }

    std::vector<std::byte> page_, expected_;
};

} // namespace pagefold::testing
