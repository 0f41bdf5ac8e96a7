// SPDX-License-Identifier: MIT
#include <pagefold/evict/clock.hpp>
#include <pagefold/paging/keyed_store.hpp>
#include <pagefold/paging/region_pager.hpp>

#include <support/test_paged_store.hpp>
#include <support/test_paging_backend.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing::unit_paging_keyed_store {
namespace {

/// A region in two parts, with a gap of ten pages between them.
struct two_parts {
    std::uint64_t first_pages;

    page_key operator()(const page_key& key) const noexcept {
        return {key.pool, key.object, key.index < first_pages ? key.index : key.index + 10};
    }
};
using store_type = keyed_store<test_paged_store, two_parts>;
static_assert(paged_store<store_type>);

constexpr std::size_t page_size = test_paging_backend::page_size;

TEST_CASE("each call goes to the key that the function names, and its answer comes back") {
    test_paged_store under{40};
    store_type store{under, {4}};
    std::byte bytes[page_size] = {std::byte{7}};
    std::byte read[page_size] = {};
    const byte_view page{bytes, page_size};
    const byte_span out{read, page_size};
    CHECK(store.key_of({{}, 3, 4}) == page_key{{}, 3, 14});
    CHECK(store.get({{}, 0, 5}, out) == status::not_found);
    CHECK(store.put({{}, 0, 3}, page) == status::ok);
    CHECK(store.put({{}, 0, 5}, page) == status::ok);
    CHECK(under.has(3));
    CHECK(under.has(15));
    CHECK(under.size() == 2);
    CHECK(store.get({{}, 0, 5}, out) == status::ok);
    CHECK(equal_bytes(read, bytes, page_size));
    under.refuses_puts = true;
    CHECK(store.put({{}, 0, 6}, page) == status::limit);
    CHECK(store.erase({{}, 0, 5}) == status::ok);
    CHECK_FALSE(under.has(15));
    CHECK(store.erase({{}, 0, 5}) == status::not_found);
}

TEST_CASE("a pager over it keeps the pages of a region in parts where the function says") {
    constexpr std::size_t pages = 12;
    test_paging_backend backend{pages, {true, false, 4}, 1};
    test_paged_store under{pages + 10};
    store_type store{under, {5}};
    using pager_type = region_pager<store_type, test_paging_backend, clock>;
    pager_type pager{store, backend};
    region_pager_options options;
    options.keeps_copies = false;
    std::vector<std::uint64_t> memory(pager_type::bytes_for(pages, options) / sizeof(std::uint64_t) + 1);
    REQUIRE(pager.open({static_cast<std::byte*>(static_cast<void*>(memory.data())), memory.size() * sizeof memory[0]},
                       pages, options) == status::ok);
    std::byte content[page_size] = {};
    for (slot_id page = 0; page < pages; ++page) {
        content[0] = static_cast<std::byte>(page + 1);
        REQUIRE(pager.fault(page, true) == status::ok);
        REQUIRE(backend.write(page, content));
        REQUIRE(pager.evict_page(page) == status::ok);
    }
    for (std::uint64_t key = 0; key < pages + 10; ++key) {
        CHECK(under.has(key) == (key < 5 || key >= 15));
    }
    for (slot_id page = 0; page < pages; ++page) {
        REQUIRE(pager.fault(page, false) == status::ok);
        REQUIRE(backend.see(page) != nullptr);
        CHECK(backend.see(page)[0] == static_cast<std::byte>(page + 1));
    }
    CHECK(under.size() == 0);
    CHECK(pager.check());
}

} // namespace
} // namespace pagefold::testing::unit_paging_keyed_store
