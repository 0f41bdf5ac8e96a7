// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/deferred_store.hpp>
#include <pagefold/store/page_store.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace pagefold::testing {

/// The default's compressor, which calls out while it works: with no lock held, and the page in hand. So a test comes in between
/// two halves of a put.
struct interrupted_compressor : default_config::compressor_type {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (within && !is_within) {
            is_within = true;
            within();
            is_within = false;
        }
        return default_config::compressor_type::compress(in, out, scratch);
    }
    inline static std::function<void()> within{};
    inline static bool is_within = false;

    /// Calls it for a scope.
    struct scope {
        explicit scope(std::function<void()> f) { within = std::move(f); }
        ~scope() { within = nullptr; }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;
    };
};
static_assert(compressor<interrupted_compressor>);

struct interrupted_config : default_config {
    using compressor_type = interrupted_compressor;
};

/// Calls out while memory comes and goes, without a lock of its own held.
struct calling_test_source : test_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (on_acquire) {
            on_acquire();
        }
        return test_source::acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept {
        test_source::release(p, pages);
        if (on_release) {
            on_release();
        }
    }
    std::function<void()> on_acquire, on_release;
};

/// A queue in front of a page_store over a test_source, which speaks of pages by the seed of their content.
template <class Config = interrupted_config, class Source = test_source>
class deferred_fixture {
public:
    using store_type = page_store<Config>;
    using queue_type = deferred_store<store_type>;

    explicit deferred_fixture(std::size_t pages, const store_options& options = {}, std::size_t shards = 0)
        : store{source, {.limit_bytes = options.limit_bytes, .seed = 1, .accept_percent = options.accept_percent}},
          queue{store, {.queue_bytes = pages * Config::page_size, .shards = shards, .seed = 1}},
          page_(Config::page_size), expected_(Config::page_size) {}

    pool_id make_pool(const pool_options& options = {}) { return queue.create_pool(options).value(); }
    status put(const page_key& key, std::uint64_t seed) { return put(key, kind_of(seed), seed); }
    status put(const page_key& key, page_kind kind, std::uint64_t seed) {
        std::vector<std::byte> page(Config::page_size); // as another put may come in between
        make_page(page, kind, seed);
        return queue.put(key, page);
    }
    status get(const page_key& key) { return queue.get(key, page_); }
    status take(const page_key& key) { return queue.take(key, page_); }
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
    /// What the store has, past the queue.
    bool is_stored(const page_key& key, std::uint64_t seed) {
        return store.peek(key, page_) == status::ok && got(seed);
    }
    bool is_not_stored(const page_key& key) { return store.peek(key, page_) == status::not_found; }

    Source source;
    store_type store;
    queue_type queue;

private:
    std::vector<std::byte> page_, expected_;
};

} // namespace pagefold::testing
