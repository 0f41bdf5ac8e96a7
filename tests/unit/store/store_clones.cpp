// SPDX-License-Identifier: MIT

// Pools with a parent: what their pages are kept as, and what holds for the family.

#include <pagefold/store/store_clones.hpp>

#include "support/environment.hpp"
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

    explicit family(const store_options& options = {.seed = 1}, const seal_options& sealing = {})
        : store{source, options} {
        parent = store.create_pool().value();
        for (std::uint64_t i = 0; i < pages; ++i) {
            REQUIRE(store.put({parent, 1, i}, base(i)) == status::ok);
        }
        REQUIRE(store.put({parent, 3, 0}, page_of(page_kind::zeros, 0)) == status::ok);
        REQUIRE(store.seal(parent, sealing) == status::ok);
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

/// Lets every third page pass, and counts the questions.
struct counting_admission {
    [[nodiscard]] static admission admit(const admission_query& query) noexcept {
        return query.packed_bytes < query.page_bytes ? admission::packed : admission::raw;
    }
    [[nodiscard]] bool screen(const admission_query&) const noexcept { return (*screens)++ % 3 == 0; }

    unsigned* screens = nullptr;
};
struct screening_config : cloning_config {
    using admission_type = counting_admission;
};
static_assert(screening_policy<counting_admission>);

} // namespace

TEST_CASE("clone: admission is asked once whether it lets a page pass, whatever becomes of it") {
    test_source source;
    unsigned screens = 0;
    partitioned_store<screening_config> store{source, {.partitions = 1, .seed = 1}, {}, {&screens}};
    const pool_id parent = store.create_pool().value();
    CHECK(store.put({parent, 1, 0}, family::base(0)) == status::ok);
    CHECK(store.seal(parent) == status::ok);
    const pool_id child = store.create_pool({.parent = parent}).value();
    const bytes pages[] = {family::base(0), changed(family::base(0), 1), page_of(page_kind::text, 0)};
    for (const bytes& page : pages) {
        screens = 0;
        CHECK(store.put({child, 1, 0}, page) == status::ok);
        CHECK(screens == 1);
        CHECK(store.put({child, 1, 0}, page) == status::incompressible);
        CHECK(screens == 2);
        CHECK(store.contains({child, 1, 0}) == status::not_found);
    }
}

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

TEST_CASE("clone: a same-filled page is its own, whatever the parent has, and so is what is near one") {
    family f;
    CHECK(f.store.put({f.child, 3, 0}, page_of(page_kind::zeros, 0)) == status::ok);
    CHECK(f.of(f.child).same_pages == 1);
    CHECK(f.of(f.child).reference_pages == 0);
    CHECK(f.store.put({f.child, 3, 0}, changed(page_of(page_kind::zeros, 0), 9)) == status::ok);
    CHECK(f.of(f.child).delta_pages == 0);
    CHECK(f.of(f.child).same_pages == 0);
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
    constexpr std::uint64_t forms[] = {0x2000u, 0x6000u};
    const unsigned step = in_part(8u) == 8 ? 1 : 7; // odd: both forms have their turn
    for (unsigned first = 0; first < 96; ++first) {
        for (unsigned second = first; second < 96; second += first % 8 == 0 ? step : 97u) { // some of the pairs
            const bool is_by_content = (first + second) % 2 != 0;
            family f{{.seed = 1}, {.by_content = is_by_content}};
            // The ordinal of page 0 of the one extent is 0.
            const bytes kept = f.base(is_by_content ? 0 : 8);
            REQUIRE(f.store.put({f.child, 1, 8}, kept) == status::ok);
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
                    if ((word & ~0x7f'ffff'ffff'0000u) != (forms[is_by_content ? 1 : 0] | (length - 1)) ||
                        !e.is_whole() || !e.is_reference()) {
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
            REQUIRE((s == status::corrupt || (s == status::ok && out == kept)));
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

// References by content.

namespace {

constexpr seal_options by_content{.by_content = true};

/// Content indexes, and what is in a walk of the pool.
struct content_family : family {
    explicit content_family(const store_options& options = {.seed = 1}) : family{options, by_content} {}
    [[nodiscard]] page_content form(const page_key& key) {
        pool_cursor cursor{.pool = key.pool};
        walked_page few[16];
        while (!cursor.has_ended()) {
            const std::size_t listed = store.walk(cursor, few, 16).value();
            for (std::size_t i = 0; i < listed; ++i) {
                if (few[i].object == key.object && few[i].index == key.index) {
                    return few[i].content;
                }
            }
        }
        return page_content::damaged;
    }
};

} // namespace

TEST_CASE("clone: a page that equals any page of the parent is a reference, under whatever key") {
    content_family f;
    CHECK(f.store.put({f.child, 1, 0}, f.base(90)) == status::ok);            // another index
    CHECK(f.store.put({f.child, 2, 77}, f.base(0)) == status::ok);            // an object that the parent hasn't
    CHECK(f.store.put({f.child, 1, 1}, changed(f.base(1), 7)) == status::ok); // near its own
    CHECK(f.store.put({f.child, 1, 2}, changed(f.base(90), 7)) == status::ok);
    CHECK(f.store.put({f.child, 1, 3}, f.base(3)) == status::ok);
    CHECK(f.store.put({f.child, 1, 4}, page_of(page_kind::zeros, 0)) == status::ok);
    CHECK(f.form({f.child, 1, 0}) == page_content::reference);
    CHECK(f.form({f.child, 2, 77}) == page_content::reference);
    CHECK(f.form({f.child, 1, 1}) == page_content::delta);
    CHECK(f.form({f.child, 1, 3}) == page_content::reference);
    CHECK(f.form({f.child, 1, 4}) == page_content::in_entry);
    CHECK(f.of(f.child).reference_pages == 3);
    CHECK(f.of(f.child).reference_data_size > 3 * 500);
    CHECK(f.has({f.child, 1, 0}, f.base(90)));
    CHECK(f.has({f.child, 2, 77}, f.base(0)));
    CHECK(f.has({f.child, 1, 1}, changed(f.base(1), 7)));
    CHECK(f.has({f.child, 1, 2}, changed(f.base(90), 7)));
    CHECK(f.has({f.child, 1, 3}, f.base(3)));
    bytes out(page_size);
    CHECK(f.store.take({f.child, 2, 77}, out) == status::ok);
    CHECK(out == f.base(0));
    CHECK(f.get({f.child, 2, 77}) == status::not_found);
    CHECK(f.store.put({f.child, 1, 0}, page_of(page_kind::random, 1)) == status::ok);
    CHECK(f.has({f.child, 1, 0}, page_of(page_kind::random, 1)));
    CHECK(f.of(f.child).reference_pages == 1);
    CHECK(f.store.check());
}

TEST_CASE("clone: the content index is the pool's memory, and goes with it") {
    family f;
    CHECK(f.of(f.parent).content_index_size == 0);
    const pool_stats before = f.of(f.parent);
    const std::uint64_t total = f.store.stats().total_bytes;
    CHECK(f.store.put({f.child, 2, 0}, f.base(0)) == status::ok);
    CHECK(f.of(f.child).reference_pages == 0);
    CHECK(f.store.seal(f.parent, by_content) == status::ok); // though it has a child
    const std::uint64_t bytes_of_it = f.of(f.parent).content_index_size;
    CHECK(bytes_of_it == 3 * page_size);
    CHECK(f.store.stats().content_indexes_size == bytes_of_it);
    CHECK(f.of(f.parent).used_bytes == before.used_bytes + bytes_of_it);
    CHECK(f.store.stats().total_bytes >= total + bytes_of_it);
    CHECK(f.store.stats().total_bytes == f.source.bytes_held());
    CHECK(f.store.check());
    CHECK(f.store.put({f.child, 2, 0}, f.base(0)) == status::ok);
    CHECK(f.of(f.child).reference_pages == 1);
    CHECK(f.store.seal(f.parent, by_content) == status::ok); // it has one
    CHECK(f.of(f.parent).content_index_size == bytes_of_it);
    CHECK(f.store.seal(f.parent) == status::ok);
    CHECK(f.store.seal(f.child, by_content) == status::invalid);
    CHECK(f.store.destroy_pool(f.child) == status::ok);
    CHECK(f.store.destroy_pool(f.parent) == status::ok);
    CHECK(f.store.stats().content_indexes_size == 0);
    CHECK(f.store.stats().total_bytes == f.source.bytes_held());
    CHECK(f.store.check());
    const pool_id next = f.store.create_pool().value();  // in the same slot
    CHECK(f.store.seal(next, by_content) == status::ok); // and empty
    const pool_id child = f.store.create_pool({.parent = next}).value();
    CHECK(f.store.put({child, 1, 0}, f.base(0)) == status::ok);
    CHECK(f.of(child).reference_pages == 0);
}

TEST_CASE("clone: a store that goes gives a content index back") {
    test_source source;
    {
        partitioned_store<cloning_config> store{source};
        const pool_id parent = store.create_pool().value();
        CHECK(store.put({parent, 0, 0}, page_of(page_kind::text, 1)) == status::ok);
        CHECK(store.seal(parent, by_content) == status::ok);
    }
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("clone: sealing by content, refused at each acquisition in turn") {
    bool was_refused = true;
    unsigned refusals = 0;
    for (std::uint64_t n = 1; was_refused; ++n) {
        REQUIRE(n < 1000);
        test_source source;
        partitioned_store<cloning_config> store{source, {.partitions = 2, .seed = 1}};
        const pool_id parent = store.create_pool().value();
        for (std::uint64_t i = 0; i < 600; ++i) { // two pages of buckets, three of extents
            REQUIRE(store.put({parent, i, 64 * i}, page_of(page_kind::pointers, i)) == status::ok);
        }
        const std::uint64_t before = source.refusals();
        source.refuse_nth(n);
        const status s = store.seal(parent, by_content);
        source.refuse_nth(0);
        was_refused = source.refusals() != before;
        REQUIRE(s == (was_refused ? status::no_memory : status::ok));
        REQUIRE(store.put({parent, 0, 0}, page_of(page_kind::text, 0)) == status::invalid); // it is sealed
        REQUIRE((store.stats().content_indexes_size == 0) == was_refused);
        REQUIRE(store.stats().total_bytes == source.bytes_held());
        REQUIRE(store.check());
        const pool_id child = store.create_pool({.parent = parent}).value();
        REQUIRE(store.put({child, 9, 1}, page_of(page_kind::pointers, 5)) == status::ok);
        REQUIRE(store.statistics_of(child).value().reference_pages == (was_refused ? 0 : 1));
        REQUIRE(store.seal(parent, by_content) == status::ok);
        REQUIRE(store.put({child, 9, 1}, page_of(page_kind::pointers, 5)) == status::ok);
        REQUIRE(store.statistics_of(child).value().reference_pages == 1);
        REQUIRE(store.check());
        REQUIRE(store.destroy_pool(child) == status::ok);
        REQUIRE(store.destroy_pool(parent) == status::ok);
        REQUIRE(store.check());
        refusals += was_refused ? 1u : 0u;
    }
    CHECK(refusals >= 6);
}

TEST_CASE("clone: a content index keeps to the store's limit and to the pool's cap") {
    test_source source;
    partitioned_store<cloning_config> store{source, {.partitions = 2, .seed = 1}};
    const pool_id parent = store.create_pool({.cap_bytes = std::size_t{100} << 10}).value();
    for (std::uint64_t i = 0; i < 200; ++i) { // all that it may have
        static_cast<void>(store.put({parent, 0, i}, page_of(page_kind::pointers, i)));
    }
    const std::uint64_t used = store.statistics_of(parent).value().used_bytes;
    CHECK(store.seal(parent, by_content) == status::limit);
    CHECK(store.statistics_of(parent).value().used_bytes == used);
    CHECK(store.check());
    const pool_id other = store.create_pool().value();
    CHECK(store.put({other, 0, 0}, page_of(page_kind::text, 1)) == status::ok);
    CHECK(store.resize(store.stats().total_bytes + page_size) == status::ok);
    CHECK(store.seal(other, by_content) == status::limit);
    CHECK(store.check());
    CHECK(store.resize(store.stats().total_bytes + (std::size_t{1} << 18)) == status::ok); // a scratch is kept free
    CHECK(store.seal(other, by_content) == status::ok);
    CHECK(store.check());
}

TEST_CASE("clone: damage of a page, or of the content index, is corrupt to who is kept by it, and one event") {
    content_family f;
    CHECK(f.store.put({f.child, 7, 3}, f.base(8)) == status::ok);
    CHECK(f.store.put({f.child, 7, 4}, f.base(9)) == status::ok);
    CHECK(f.store.put({f.child, 1, 10}, changed(f.base(10), 4)) == status::ok);
    bytes stream(8192);
    alignas(64) static std::byte scratch[65536];
    const auto spoil = [&](const bytes& page) {
        const result<std::size_t> size = page_codec{}.compress(page, stream, {scratch, sizeof scratch});
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
        return hits != 0;
    };
    if (!spoil(f.base(8)) || !spoil(f.base(10))) {
        MESSAGE("skipped: the default's codec here is another one");
        return;
    }
    CHECK(f.get({f.child, 7, 3}) == status::corrupt);
    CHECK(f.store.stats().decompress_fail == 1);
    CHECK(f.get({f.child, 1, 10}) == status::corrupt);
    CHECK(f.store.stats().decompress_fail == 2);
    CHECK(f.has({f.child, 7, 4}, f.base(9)));
    CHECK(f.store.put({f.child, 7, 5}, f.base(8)) == status::ok); // which is not compared with what can't be read
    CHECK(f.has({f.child, 7, 5}, f.base(8)));
    CHECK(f.form({f.child, 7, 5}) == page_content::own);
    // The extent that the ordinals lead to: its number is 0, and 1 for a while.
    unsigned hits = 0;
    const std::uint64_t extent[2] = {1, 1}, was[2] = {1, 0};
    const auto change = [&](const std::uint64_t* from, const std::uint64_t* to) {
        f.source.for_each_run([&](std::byte* memory, std::size_t length) {
            if (length == page_size && std::memcmp(memory, from, 16) == 0) {
                std::memcpy(memory, to, 16);
                ++hits;
            }
        });
    };
    change(was, extent);
    REQUIRE(hits == 1);
    const std::uint64_t failures = f.store.stats().decompress_fail;
    CHECK(f.get({f.child, 7, 4}) == status::corrupt);
    CHECK(f.store.stats().decompress_fail == failures + 1);
    CHECK(f.store.put({f.child, 7, 6}, f.base(11)) == status::ok);
    CHECK(f.has({f.child, 7, 6}, f.base(11)));
    change(extent, was);
    CHECK(f.has({f.child, 7, 4}, f.base(9)));
}

TEST_CASE("clone: a pool that names a wrong parent, for damage, has corrupt pages, and counts them") {
    family f;
    const std::uint64_t word = static_cast<std::uint64_t>(f.parent);
    CHECK(f.store.put({f.child, 1, 8}, f.base(8)) == status::ok);
    unsigned lost = 0;
    f.source.for_each_run([&](std::byte* memory, std::size_t length) {
        for (std::size_t at = 0; at + 8 <= length; at += 8) {
            if (std::memcmp(memory + at, &word, 8) != 0) {
                continue;
            }
            const std::uint64_t wrong = word + (std::uint64_t{1} << 40), before = f.store.stats().decompress_fail;
            std::memcpy(memory + at, &wrong, 8);
            const status s = f.get({f.child, 1, 8});
            if (s == status::corrupt) {
                ++lost;
                CHECK(f.store.stats().decompress_fail == before + 1);
            }
            std::memcpy(memory + at, &word, 8);
        }
    });
    CHECK(lost >= 1);
    CHECK(f.has({f.child, 1, 8}, f.base(8)));
}

TEST_CASE("clone: a content index is paid from what its pool has reserved, and others get the rest") {
    std::uint64_t full[2] = {};
    for (const bool by : {false, true}) {
        test_source source;
        partitioned_store<cloning_config> store{source, {.limit_bytes = 2 << 20, .partitions = 1, .seed = 1}};
        const pool_id parent = store.create_pool({.reserved_bytes = std::size_t{256} << 10}).value();
        REQUIRE(store.put({parent, 0, 0}, page_of(page_kind::pointers, 1)) == status::ok);
        REQUIRE(store.seal(parent, {.by_content = by}) == status::ok);
        const pool_id other = store.create_pool().value();
        std::uint64_t pages = 0;
        while (store.put_raw({other, 0, pages}, page_of(page_kind::random, pages)) == status::ok) {
            REQUIRE(++pages < 512);
        }
        full[by ? 1 : 0] = store.stats().total_bytes;
        CHECK(store.check());
    }
    CHECK(full[1] >= full[0] + 2 * page_size);
}

TEST_CASE("clone: a pool that lost same-filled pages to damage gets a content index of what it has") {
    test_source source;
    partitioned_store<cloning_config> store{source, {.limit_bytes = 8 << 20, .partitions = 1, .seed = 1}};
    const pool_id parent = store.create_pool().value();
    constexpr std::uint64_t marked = 0xfedcba9876543210;
    for (std::uint64_t i = 0; i < 64; ++i) {
        REQUIRE(store.put({parent, marked, i}, page_of(page_kind::zeros, 0)) == status::ok);
    }
    REQUIRE(store.put({parent, 2, 0}, page_of(page_kind::pointers, 1)) == status::ok);
    source.for_each_run([&](std::byte* memory, std::size_t length) {
        for (std::size_t at = 0; at + 8 <= length; at += 4) {
            if (std::memcmp(memory + at, &marked, 8) == 0) {
                memory[at] ^= std::byte{4};
            }
        }
    });
    bytes out(page_size);
    CHECK(store.get({parent, marked, 1}, out) == status::corrupt);
    const pool_stats damaged = store.statistics_of(parent).value();
    REQUIRE(damaged.stored_pages < damaged.same_pages); // nobody knows what the lost ones were
    CHECK(store.seal(parent, by_content) == status::ok);
    CHECK(store.statistics_of(parent).value().content_index_size == 3 * page_size);
    const pool_id child = store.create_pool({.parent = parent}).value();
    CHECK(store.put({child, 9, 9}, page_of(page_kind::pointers, 1)) == status::ok);
    CHECK(store.statistics_of(child).value().reference_pages == 1);
    CHECK(store.stats().total_bytes == source.bytes_held());
    CHECK(store.destroy_pool(child) == status::ok);
    CHECK(store.destroy_pool(parent) == status::ok);
    CHECK(store.stats().stored_pages + store.stats().same_pages == 0);
}

TEST_CASE("clone: what is in the parent twice is found, and a page that is no page of it is not") {
    test_source source;
    partitioned_store<cloning_config> store{source, {.seed = 4}};
    const pool_id parent = store.create_pool().value();
    bytes out(page_size);
    for (std::uint64_t i = 0; i < 400; ++i) {
        REQUIRE(store.put({parent, i % 3, i}, page_of(page_kind::pointers, i % 100)) == status::ok);
    }
    REQUIRE(store.put_raw({parent, 5, 1}, page_of(page_kind::random, 3)) == status::ok);
    REQUIRE(store.seal(parent, by_content) == status::ok);
    const pool_id child = store.create_pool({.parent = parent}).value();
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(store.put({child, 9, i}, page_of(page_kind::pointers, i)) == status::ok);
    }
    REQUIRE(store.put({child, 9, 200}, page_of(page_kind::random, 3)) == status::ok);
    CHECK(store.statistics_of(child).value().reference_pages == 101);
    for (std::uint64_t i = 0; i < 200; ++i) {
        REQUIRE(store.get({child, 9, i}, out) == status::ok);
        REQUIRE(out == page_of(page_kind::pointers, i));
    }
    REQUIRE(store.get({child, 9, 200}, out) == status::ok);
    CHECK(out == page_of(page_kind::random, 3));
    CHECK(store.statistics_of(parent).value().hits == 0);
    CHECK(store.check());
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
