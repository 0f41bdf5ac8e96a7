// SPDX-License-Identifier: MIT

// Pools with a parent: what their pages are kept as, and what holds for the family.

#include <pagefold/store/store_clones.hpp>

#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/entry.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace unit_store_store_clones {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
constexpr std::size_t page_size = 4096;

bytes page_of(page_kind kind, std::uint64_t seed) {
    bytes page(page_size);
    make_page(page, kind, seed);
    return page;
}
/// The same but for one word.
bytes changed(bytes page, std::uint64_t word) {
    std::memcpy(page.data() + 8 * (1 + word % 500), &word, sizeof word);
    return page;
}

/// A store with a sealed pool of pointers, page i of object 1 at i, and a child of it.
struct family {
    static constexpr std::uint64_t pages = 100;

    explicit family(const store_options& options = {.seed = 1}) : store{source, options} {
        parent = store.create_pool().value();
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(store.put({parent, 1, i}, base(i)) == status::ok);
        }
        REQUIRE(store.put({parent, 3, 0}, page_of(page_kind::zeros, 0)) == status::ok);
        REQUIRE(store.seal(parent) == status::ok);
        child = make_child();
    }
    [[nodiscard]] pool_id make_child(pool_kind kind = pool_kind::persistent) {
        return store.create_pool({.kind = kind, .parent = parent}).value();
    }
    [[nodiscard]] static bytes base(std::uint64_t i) { return page_of(page_kind::pointers, i); }
    [[nodiscard]] bool has(const page_key& key, const bytes& page) {
        bytes out(page_size);
        return store.get(key, out) == status::ok && out == page;
    }
    [[nodiscard]] status get(const page_key& key) {
        bytes out(page_size);
        return store.get(key, out);
    }
    [[nodiscard]] pool_stats of(pool_id pool) { return store.statistics_of(pool).value(); }

    test_source source;
    partitioned_store<cloning_config> store;
    pool_id parent{}, child{};
};

} // namespace

TEST_CASE("clone: a page becomes a reference, a delta or its own, and reads back") {
    family f;
    const pool_stats before = f.of(f.parent);
    CHECK(f.store.put({f.child, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.store.put({f.child, 1, 1}, changed(f.base(1), 7)) == status::ok);
    CHECK(f.store.put({f.child, 1, 2}, f.base(90)) == status::ok);                   // that of another page
    CHECK(f.store.put({f.child, 1, 3}, page_of(page_kind::zeros, 0)) == status::ok); // needs no payload anyway
    CHECK(f.store.put({f.child, 2, 0}, f.base(0)) == status::ok);                    // of another object
    CHECK(f.store.put({f.child, 1, 4}, page_of(page_kind::random, 1)) == status::ok);
    const pool_stats s = f.of(f.child);
    CHECK(s.stored_pages == 6);
    CHECK(s.reference_pages == 1);
    CHECK(s.reference_data_size > 500);
    CHECK(s.delta_pages == 1);
    CHECK(s.delta_data_size < 64);
    CHECK(s.same_pages == 1);
    CHECK(s.huge_pages == 1);
    CHECK(s.compr_data_size > s.delta_data_size + page_size);
    CHECK(f.has({f.child, 1, 0}, f.base(0)));
    CHECK(f.has({f.child, 1, 1}, changed(f.base(1), 7)));
    CHECK(f.has({f.child, 1, 2}, f.base(90)));
    CHECK(f.has({f.child, 1, 3}, page_of(page_kind::zeros, 0)));
    CHECK(f.has({f.child, 2, 0}, f.base(0)));
    CHECK(f.has({f.child, 1, 4}, page_of(page_kind::random, 1)));
    CHECK(f.of(f.child).hits == 6);
    CHECK(f.of(f.parent).hits == before.hits); // a base is not a use
    CHECK(f.of(f.parent).misses == before.misses);
    CHECK(f.store.check());
}

TEST_CASE("clone: a page goes from each form to each other") {
    family f;
    const auto form = [&](unsigned k, std::uint64_t turn) {
        return k == 0   ? f.base(5)
               : k == 1 ? changed(f.base(5), turn + 1)
               : k == 2 ? page_of(page_kind::text, turn)
               : k == 3 ? page_of(page_kind::word, turn)
                        : page_of(page_kind::random, turn);
    };
    std::uint64_t turn = 0;
    for (unsigned from = 0; from < 5; ++from) {
        for (unsigned to = 0; to < 5; ++to) {
            REQUIRE(f.store.put({f.child, 1, 5}, form(from, ++turn)) == status::ok);
            REQUIRE(f.has({f.child, 1, 5}, form(from, turn)));
            REQUIRE(f.store.put({f.child, 1, 5}, form(to, ++turn)) == status::ok);
            REQUIRE(f.has({f.child, 1, 5}, form(to, turn)));
            REQUIRE(f.of(f.child).stored_pages == 1);
            REQUIRE(f.of(f.child).reference_pages == (to == 0 ? 1 : 0));
            REQUIRE(f.of(f.child).delta_pages == (to == 1 ? 1 : 0));
            REQUIRE(f.store.check());
        }
        CHECK(f.store.erase({f.child, 1, 5}) == status::ok);
        CHECK(f.get({f.child, 1, 5}) == status::not_found);
    }
    CHECK(f.of(f.child).reference_data_size == 0);
    CHECK(f.of(f.child).delta_data_size == 0);
}

TEST_CASE("clone: takes of references and deltas, once each") {
    family f;
    bytes out(page_size);
    CHECK(f.store.put({f.child, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.store.put({f.child, 1, 1}, changed(f.base(1), 7)) == status::ok);
    CHECK(f.store.take({f.child, 1, 0}, out) == status::ok);
    CHECK(out == f.base(0));
    CHECK(f.store.take({f.child, 1, 0}, out) == status::not_found);
    CHECK(f.store.take({f.child, 1, 1}, out) == status::ok);
    CHECK(out == changed(f.base(1), 7));
    CHECK(f.store.take({f.child, 1, 1}, out) == status::not_found);
    CHECK(f.of(f.child).hits == 2);
    CHECK(f.of(f.child).misses == 2);
    CHECK(f.of(f.child).stored_pages == 0);
    CHECK(f.store.check());
}

TEST_CASE("clone: a page that was never put into it is not there, whatever the parent has") {
    family f;
    CHECK(f.get({f.child, 1, 0}) == status::not_found);
    CHECK(f.store.contains({f.child, 1, 0}) == status::not_found);
    CHECK(f.store.put({f.child, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.store.contains({f.child, 1, 0}) == status::ok);
}

TEST_CASE("clone: nothing in a sealed pool changes") {
    family f;
    bytes out(page_size);
    CHECK(f.store.put({f.parent, 1, 0}, f.base(1)) == status::invalid);
    CHECK(f.store.put({f.parent, 9, 0}, f.base(1)) == status::invalid);
    CHECK(f.store.take({f.parent, 1, 0}, out) == status::invalid);
    CHECK(f.store.erase({f.parent, 1, 0}) == status::invalid);
    CHECK(f.store.erase_range(f.parent, 1, 0, 10).error() == status::invalid);
    CHECK(f.store.erase_object(f.parent, 1).error() == status::invalid);
    CHECK(f.has({f.parent, 1, 0}, f.base(0)));
    CHECK(f.of(f.parent).stored_pages == f.pages + 1);
    CHECK(f.store.seal(f.parent) == status::ok); // again
}

TEST_CASE("clone: who may be a parent, and for how long") {
    family f;
    const pool_id open = f.store.create_pool().value();
    CHECK(f.store.create_pool({.parent = open}).error() == status::invalid);
    const pool_id dropping = f.store.create_pool({.kind = pool_kind::ephemeral}).value();
    CHECK(f.store.seal(dropping) == status::invalid);
    CHECK(f.store.seal(f.child) == status::invalid); // or a base could have one
    CHECK(f.store.seal(pool_id{}) == status::invalid);
    const pool_id other = f.make_child(pool_kind::ephemeral);
    CHECK(f.store.destroy_pool(f.parent) == status::busy);
    CHECK(f.store.destroy_pool(f.child) == status::ok);
    CHECK(f.store.destroy_pool(f.parent) == status::busy);
    CHECK(f.has({f.parent, 1, 3}, f.base(3)));
    CHECK(f.store.destroy_pool(other) == status::ok);
    CHECK(f.store.destroy_pool(f.parent) == status::ok);
    CHECK(f.store.create_pool({.parent = f.parent}).error() == status::invalid);
    const pool_id next = f.store.create_pool().value(); // of the same slot: not sealed, and without children
    CHECK(f.store.put({next, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.store.create_pool({.parent = next}).error() == status::invalid);
    CHECK(f.store.destroy_pool(next) == status::ok);
    CHECK(f.store.check());
}

TEST_CASE("clone: a child that could not be made is none") {
    family f;
    CHECK(f.store.destroy_pool(f.child) == status::ok);
    f.source.refuse_all(true);
    std::vector<pool_id> made;
    for (;;) {
        const result<pool_id> id = f.store.create_pool({.parent = f.parent});
        if (!id) {
            break;
        }
        made.push_back(*id);
    }
    f.source.refuse_all(false);
    for (const pool_id id : made) {
        CHECK(f.store.destroy_pool(f.parent) == status::busy);
        CHECK(f.store.destroy_pool(id) == status::ok);
    }
    CHECK(f.store.destroy_pool(f.parent) == status::ok);
}

TEST_CASE("clone: damage of a parent's page is told to every child that needs it, and to no other") {
    family f;
    const pool_id other = f.make_child(), third = f.make_child();
    CHECK(f.store.put({f.child, 1, 8}, f.base(8)) == status::ok);
    CHECK(f.store.put({other, 1, 8}, changed(f.base(8), 3)) == status::ok);
    CHECK(f.store.put({third, 1, 8}, page_of(page_kind::text, 1)) == status::ok);
    CHECK(f.store.put({f.child, 1, 9}, f.base(9)) == status::ok);
    // The stream of page 8 alone, by where it differs from nothing else: every copy of it in memory is spoiled.
    bytes stream(8192);
    alignas(64) static std::byte scratch[65536];
    const page_codec codec;
    const result<std::size_t> size = codec.compress(f.base(8), stream, {scratch, sizeof scratch});
    REQUIRE(size);
    unsigned hits = 0;
    f.source.for_each_run([&](std::byte* memory, std::size_t length) {
        for (std::size_t at = 0; at + *size <= length; ++at) {
            if (memory[at] == stream[0] && std::memcmp(memory + at, stream.data(), *size) == 0) {
                memory[at + *size / 2] ^= std::byte{1};
                ++hits;
            }
        }
    });
    if (hits == 0) {
        MESSAGE("skipped: the default's codec here is another one");
        return;
    }
    bytes out(page_size);
    CHECK(f.get({f.parent, 1, 8}) == status::corrupt);
    for (unsigned i = 0; i < 2; ++i) {
        CHECK(f.get({f.child, 1, 8}) == status::corrupt);
        CHECK(f.get({other, 1, 8}) == status::corrupt);
        CHECK(f.store.take({f.child, 1, 8}, out) == status::corrupt); // and stays
    }
    CHECK(f.has({third, 1, 8}, page_of(page_kind::text, 1)));
    CHECK(f.has({f.child, 1, 9}, f.base(9)));
    // A new version needs no base that can't be read.
    CHECK(f.store.put({other, 1, 8}, f.base(8)) == status::ok);
    CHECK(f.has({other, 1, 8}, f.base(8)));
    CHECK(f.of(other).reference_pages == 0);
    CHECK(f.of(other).delta_pages == 0);
    CHECK(f.store.check());
}

TEST_CASE("clone: an ephemeral child's pages are dropped, references too") {
    family f{{.limit_bytes = 2 << 20, .partitions = 2, .seed = 1}};
    const pool_id dropping = f.make_child(pool_kind::ephemeral);
    for (std::uint64_t i = 0; i < f.pages; ++i) {
        REQUIRE(f.store.put({dropping, 1, i}, i % 2 == 0 ? f.base(i) : changed(f.base(i), i)) == status::ok);
    }
    CHECK(f.of(dropping).reference_pages == f.pages / 2);
    status last = status::ok;
    for (std::uint64_t i = 0; i < 2000 && last == status::ok; ++i) {
        last = f.store.put({f.child, 5, i}, page_of(page_kind::random, i));
    }
    CHECK(last == status::limit);
    CHECK(f.of(dropping).stored_pages < f.pages);
    CHECK(f.of(dropping).evicted_pages > 0);
    for (std::uint64_t i = 0; i < f.pages; ++i) {
        const status s = f.get({dropping, 1, i});
        CHECK((s == status::ok || s == status::not_found));
        CHECK(f.has({f.parent, 1, i}, f.base(i)));
    }
    CHECK(f.store.check());
}

TEST_CASE("clone: a same-filled page is its own, whatever the parent has; what is near one may be a delta") {
    family f;
    CHECK(f.store.put({f.child, 3, 0}, page_of(page_kind::zeros, 0)) == status::ok);
    CHECK(f.of(f.child).same_pages == 1);
    CHECK(f.of(f.child).reference_pages == 0);
    CHECK(f.store.put({f.child, 3, 0}, changed(page_of(page_kind::zeros, 0), 9)) == status::ok);
    CHECK(f.of(f.child).delta_pages == 1);
    CHECK(f.has({f.child, 3, 0}, changed(page_of(page_kind::zeros, 0), 9)));
    CHECK(f.store.put({f.child, 3, 0}, page_of(page_kind::word, 4)) == status::ok);
    CHECK(f.of(f.child).same_pages == 1);
    CHECK(f.of(f.child).delta_pages == 0);
}

TEST_CASE("clone: put_raw keeps the page as it is") {
    family f;
    CHECK(f.store.put_raw({f.child, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.of(f.child).reference_pages == 0);
    CHECK(f.of(f.child).huge_pages == 1);
    CHECK(f.has({f.child, 1, 0}, f.base(0)));
}

TEST_CASE("clone: put_written compares as put does, and one that could not be written changes nothing") {
    family f;
    unsigned calls = 0;
    bytes content = f.base(0);
    bool can_write = true;
    const auto write = [&](byte_span out) noexcept {
        ++calls;
        std::memcpy(out.data(), content.data(), out.size());
        return can_write;
    };
    CHECK(f.store.put_written({f.child, 1, 0}, page_size, write) == status::ok);
    CHECK(f.of(f.child).reference_pages == 1);
    content = changed(f.base(1), 7);
    CHECK(f.store.put_written({f.child, 1, 1}, page_size, write) == status::ok);
    CHECK(f.of(f.child).delta_pages == 1);
    content = page_of(page_kind::text, 1); // far from its base
    CHECK(f.store.put_written({f.child, 1, 2}, page_size, write) == status::ok);
    content = page_of(page_kind::word, 1);
    CHECK(f.store.put_written({f.child, 1, 3}, page_size, write) == status::ok);
    CHECK(calls == 4); // once each
    const pool_stats before = f.of(f.child);
    can_write = false;
    for (std::uint64_t i = 0; i < 5; ++i) {
        CHECK(f.store.put_written({f.child, 1, i}, page_size, write) == status::invalid);
    }
    CHECK(calls == 9);
    for (const std::size_t length : {std::size_t{0}, page_size - 1, page_size + 1, ~std::size_t{0}}) {
        CHECK(f.store.put_written({f.child, 1, 0}, length, write) == status::invalid);
    }
    CHECK(f.store.put_written({f.parent, 1, 0}, page_size, write) == status::invalid);
    CHECK(f.of(f.child).puts == before.puts);
    CHECK(f.of(f.child).stored_pages == 4);
    CHECK(f.has({f.child, 1, 0}, f.base(0)));
    CHECK(f.has({f.child, 1, 1}, changed(f.base(1), 7)));
    CHECK(f.has({f.child, 1, 2}, page_of(page_kind::text, 1)));
    CHECK(f.has({f.child, 1, 3}, page_of(page_kind::word, 1)));
    CHECK(f.has({f.parent, 1, 0}, f.base(0)));
    CHECK(f.get({f.child, 1, 4}) == status::not_found);
    CHECK(f.store.check());
}

TEST_CASE("clone: a life of a family, refused at each acquisition in turn") {
    bool was_refused = true;
    std::uint64_t n = 0;
    while (was_refused) {
        REQUIRE(++n < 1000);
        family f;
        f.source.refuse_nth(n);
        const std::uint64_t before = f.source.refusals();
        const auto is_short = [](status s) { return s == status::no_memory || s == status::limit; };
        // Many objects: each page takes an extent of its own.
        for (std::uint64_t i = 0; i < 90; ++i) {
            const bytes page = i % 3 == 0   ? f.base(i)
                               : i % 3 == 1 ? changed(f.base(i), i)
                                            : page_of(page_kind::random, i);
            const status s = f.store.put({f.child, 1, i}, page);
            REQUIRE((s == status::ok || is_short(s)));
            REQUIRE((s == status::ok ? f.has({f.child, 1, i}, page) : f.get({f.child, 1, i}) == status::not_found));
            const status other = f.store.put({f.child, 100 + i, i}, page);
            REQUIRE((other == status::ok || is_short(other)));
            // Over whatever is there, in another form.
            const bytes next = i % 3 == 1 ? f.base(i) : changed(f.base(i), i + 1);
            const status again = f.store.put({f.child, 1, i}, next);
            REQUIRE((again == status::ok || is_short(again)));
            REQUIRE((again == status::ok ? f.has({f.child, 1, i}, next) : f.get({f.child, 1, i}) == status::not_found));
        }
        REQUIRE(f.store.check());
        const result<pool_id> second = f.store.create_pool({.kind = pool_kind::ephemeral, .parent = f.parent});
        REQUIRE((second || is_short(second.error())));
        REQUIRE(f.store.destroy_pool(f.parent) == status::busy);
        REQUIRE(f.store.stats().total_bytes == f.source.bytes_held());
        REQUIRE(f.store.destroy_pool(f.child) == status::ok);
        REQUIRE((!second || f.store.destroy_pool(*second) == status::ok));
        REQUIRE(f.store.stats().reference_pages + f.store.stats().delta_pages == 0);
        REQUIRE(f.store.stats().reference_data_size + f.store.stats().delta_data_size == 0);
        REQUIRE(f.has({f.parent, 1, 89}, f.base(89)));
        REQUIRE(f.store.destroy_pool(f.parent) == status::ok);
        REQUIRE(f.store.check());
        was_refused = f.source.refusals() != before;
    }
}

TEST_CASE("clone: with a cap and no room for a stream, what takes none comes in") {
    family f;
    const pool_id capped = f.store.create_pool({.cap_bytes = 3000, .parent = f.parent}).value();
    CHECK(f.store.put({capped, 1, 0}, page_of(page_kind::random, 1)) == status::limit);
    CHECK(f.store.put({capped, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.store.put({capped, 1, 0}, page_of(page_kind::random, 1)) == status::limit); // and the old one is gone
    CHECK(f.get({capped, 1, 0}) == status::not_found);
    CHECK(f.of(capped).reference_pages == 0);
    CHECK(f.of(capped).reference_data_size == 0);
    CHECK(f.store.put({capped, 1, 1}, changed(f.base(1), 1)) == status::ok);
    CHECK(f.store.put({capped, 1, 1}, f.base(1)) == status::ok);
    CHECK(f.store.put({capped, 1, 1}, changed(f.base(1), 2)) == status::ok);
    CHECK(f.of(capped).delta_pages == 1);
    CHECK(f.of(capped).stored_pages == 1);
    CHECK(f.store.erase_range(capped, 1, 0, 10).value() == 1);
    CHECK(f.of(capped).delta_pages + f.of(capped).delta_data_size + f.of(capped).compr_data_size == 0);
    CHECK(f.store.check());
}

TEST_CASE("clone: any one or two bits flipped in the entry of a reference lose it, and give no other page") {
    unsigned entries = 0;
    for (unsigned first = 0; first < 96; ++first) {
        for (unsigned second = first; second < 96; second += first % 8 == 0 ? 1u : 97u) { // some of the pairs
            family f;
            REQUIRE(f.store.put({f.child, 1, 8}, f.base(8)) == status::ok);
            const std::uint64_t length = f.of(f.child).reference_data_size;
            bytes out(page_size);
            bool is_hit = false;
            f.source.for_each_run([&](std::byte* memory, std::size_t size) {
                for (std::size_t at = 0; at + 12 <= size && !is_hit; at += 4) {
                    std::uint64_t word;
                    std::memcpy(&word, memory + at, sizeof word);
                    std::uint32_t meta;
                    std::memcpy(&meta, memory + at + 8, sizeof meta);
                    const basic_entry<28, true> e{word, meta};
                    if ((word & ~0x10000u) != (0x2000u | (length - 1)) || !e.is_whole() || !e.is_reference()) {
                        continue;
                    }
                    is_hit = true;
                    memory[at + first / 8] ^= static_cast<std::byte>(1u << (first % 8));
                    if (second != first) {
                        memory[at + second / 8] ^= static_cast<std::byte>(1u << (second % 8));
                    }
                }
            });
            if (!is_hit) {
                continue;
            }
            ++entries;
            const status s = f.store.peek({f.child, 1, 8}, out);
            INFO("bits ", first, " ", second);
            REQUIRE((s == status::corrupt || (s == status::ok && out == f.base(8))));
            REQUIRE((s == status::ok || f.store.stats().decompress_fail + f.store.stats().damaged_tables != 0));
            static_cast<void>(f.store.take({f.child, 1, 8}, out));
            REQUIRE(f.store.put({f.child, 1, 8}, changed(f.base(8), 3)) == status::ok);
            REQUIRE(f.has({f.child, 1, 8}, changed(f.base(8), 3)));
            REQUIRE(f.store.destroy_pool(f.child) == status::ok);
            REQUIRE(f.store.destroy_pool(f.parent) == status::ok);
        }
    }
    CHECK(entries > 100);
}

TEST_CASE("clone: a store without clones has no parents") {
    test_source source;
    page_store<default_config> store{source};
    const pool_id pool = store.create_pool().value();
    CHECK(store.create_pool({.parent = pool}).error() == status::invalid);
}

TEST_CASE("peek: brings the page, and is no use of it") {
    family f;
    bytes out(page_size);
    CHECK(f.store.put({f.child, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.store.peek({f.child, 1, 0}, out) == status::ok);
    CHECK(out == f.base(0));
    CHECK(f.store.peek({f.parent, 1, 1}, out) == status::ok);
    CHECK(out == f.base(1));
    CHECK(f.store.peek({f.child, 1, 1}, out) == status::not_found);
    CHECK(f.of(f.child).hits + f.of(f.child).misses + f.of(f.parent).hits + f.of(f.parent).misses == 0);
    CHECK(f.store.stats().hits + f.store.stats().misses == 0);
}

} // namespace unit_store_store_clones
