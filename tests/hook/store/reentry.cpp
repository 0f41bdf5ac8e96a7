// SPDX-License-Identifier: MIT
//
// A page source that asks its store for statistics: each time the hook is told, and where it returns, nothing hangs.

#include <support/returning_hook.hpp>

#include <support/prefix_codec.hpp>
#include <support/test_source.hpp>

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace pagefold::testing::hook_store_reentry {
namespace {

struct config : default_config {
    using compressor_type = prefix_codec;
};

struct asking_source {
    test_source memory;
    std::function<void()> ask;
    unsigned asked = 0;

    [[nodiscard]] std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        call();
        return memory.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept {
        call();
        memory.release(p, pages);
    }
    void call() {
        if (ask) {
            ++asked;
            ask();
        }
    }
};

/// Puts, and shrinks, while the source asks; how often it did.
unsigned ask_meanwhile(std::function<void(page_store<config>&, pool_id)> question) {
    asking_source source;
    page_store<config> store{source};
    const pool_id pool = store.create_pool().value(), cache = store.create_pool({.kind = pool_kind::ephemeral}).value();
    noted_assertions = {};
    source.ask = [&] { question(store, pool); };
    prefix_page page, out;
    for (std::uint64_t i = 0; i < 50; ++i) {
        write_prefix_page(page, 64 + i * 50, i);
        CHECK(store.put({i % 2 == 0 ? pool : cache, 1, i}, page) == status::ok);
        CHECK(store.get({i % 2 == 0 ? pool : cache, 1, i}, out) == status::ok);
        CHECK(out == page);
    }
    source.ask = nullptr;
    CHECK(store.check());
    CHECK(store.stats().stored_pages == 50);
    return source.asked;
}

TEST_CASE("reentry: the hook hears of a page source that asks for the store's statistics") {
    const unsigned asked = ask_meanwhile([](page_store<config>& store, pool_id) {
        CHECK(store.stats().stored_pages == 0); // none, rather than half of a change
    });
    CHECK(asked > 5);
    CHECK(noted_assertions.count == asked);
}

TEST_CASE("reentry: the hook hears of a page source that asks for a pool's statistics") {
    const unsigned asked = ask_meanwhile(
        [](page_store<config>& store, pool_id pool) { CHECK(store.statistics_of(pool).error() == status::invalid); });
    CHECK(asked > 5);
    CHECK(noted_assertions.count == asked);
}

} // namespace
} // namespace pagefold::testing::hook_store_reentry
