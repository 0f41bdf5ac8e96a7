// SPDX-License-Identifier: MIT

// Random families of pools, saved and restored while they are used, over sinks, sources and memory that refuse; and images that are
// damaged.
//
// The model knows of each page every content that it had since its pool's save began. A page that was not touched meanwhile must
// be restored; any page that is restored must have had its content. Of a damaged image, what was put must be what was saved.

#include "support/environment.hpp"
#include "support/image_streams.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace model_image {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using store_type = partitioned_store<cloning_config>;
using fixture = store_fixture<store_type>;
using key = std::pair<std::uint64_t, std::uint64_t>;
/// The contents that a page had since the save began, the last one last; 0: none.
using histories = std::map<key, std::vector<std::uint64_t>>;

constexpr std::size_t page_size = 4096;

page_kind kind_at(std::uint64_t seed) { return static_cast<page_kind>(seed % page_kinds); }
/// Every second seed is the one before with a word changed.
bytes content(std::uint64_t seed) {
    bytes page = page_of(page_size, kind_at(seed / 2), seed / 2);
    if (seed % 2 == 1) {
        page[8 * (seed % 500) + 3] ^= std::byte{1};
    }
    return page;
}

class model {
public:
    explicit model(std::uint64_t seed) : random{seed} {
        parent = f.make_pool();
        fill(parent, of_parent, 20 + random.below(60));
        REQUIRE(f.store.seal(parent) == status::ok);
        child = f.make_pool({.parent = parent});
        fill(child, of_child, 20 + random.below(60));
    }
    key any_key() {
        return {random.below(3), random.one_in(10) ? max_page_index - 1 - random.below(3) : random.below(90)};
    }
    void fill(pool_id pool, histories& of, std::uint64_t count) {
        for (; count != 0; --count) {
            put(pool, of, any_key());
        }
    }
    void put(pool_id pool, histories& of, const key& k) {
        const std::uint64_t seed = 2 + random.below(60);
        REQUIRE(f.store.put({pool, k.first, k.second}, content(seed)) == status::ok);
        of[k].push_back(seed);
    }
    /// From here on only the last contents count.
    static void begin(histories& of) {
        for (auto& [k, versions] : of) {
            versions = {versions.back()};
        }
    }
    void use() {
        const key k = any_key();
        if (of_child[k].empty()) {
            of_child[k].push_back(0); // it was not there at the begin
        }
        if (random.one_in(3)) {
            if (f.store.erase({child, k.first, k.second}) == status::ok) {
                of_child[k].push_back(0);
            }
        } else {
            put(child, of_child, k);
        }
    }
    /// Whether the pool has what it should, of a range.
    static void check_restored(store_type& in, pool_id pool, const histories& of, const kept_filter& range) {
        bytes page(page_size);
        for (const auto& [k, versions] : of) {
            const status s = in.peek({pool, k.first, k.second}, page);
            if (!range.takes(k.first, k.second)) {
                REQUIRE(s == status::not_found);
                continue;
            }
            const bool may_lack =
                std::find(versions.begin(), versions.end(), 0u) != versions.end() || versions.size() > 1;
            REQUIRE((s == status::ok || (s == status::not_found && may_lack)));
            if (s == status::ok) {
                const bool is_one = std::any_of(versions.begin(), versions.end(),
                                                [&](std::uint64_t seed) { return seed != 0 && content(seed) == page; });
                REQUIRE(is_one);
            }
        }
    }

    rng random;
    fixture f{{.partitions = 4}};
    pool_id parent{}, child{};
    histories of_parent, of_child;
};

/// Two pools of a few short pages, of every form but raw.
struct small_family {
    small_family() {
        parent = f.make_pool();
        bytes page(page_size);
        page[100] = std::byte{7};
        REQUIRE(f.store.put({parent, 1, 0}, page) == status::ok);
        REQUIRE(f.put({parent, 1, 1}, page_kind::zeros, 0) == status::ok);
        REQUIRE(f.store.seal(parent) == status::ok);
        child = f.make_pool({.parent = parent});
        REQUIRE(f.store.put({child, 1, 0}, page) == status::ok);
        page[3000] = std::byte{9};
        REQUIRE(f.store.put({child, 1, 1}, page) == status::ok);
        image = image_of(f.store, {{parent, 1}, {child, 2}}, {.id = 5}, least_image_buffer(page_size));
        REQUIRE(!image.empty());
    }
    fixture f;
    pool_id parent{}, child{};
    bytes image;
};

} // namespace

TEST_CASE("image model: random families and ranges, saved in use, over what refuses") {
    const std::uint64_t rounds = in_part(std::uint64_t{1000});
    for (std::uint64_t round = 0; round < rounds; ++round) {
        CAPTURE(round);
        model m{round + 1};
        rng& random = m.random;
        kept_filter range;
        if (random.one_in(2)) {
            range.first_object = random.below(3);
            range.last_object = range.first_object + random.below(3);
            range.first_index = random.below(50);
            range.last_index = random.one_in(2) ? max_page_index - 1 : range.first_index + random.below(60);
        }
        const std::vector<image_pool> pools{{m.parent, 1}, {m.child, 2, 0, range}};
        const bool in_use = random.one_in(2);
        model::begin(m.of_parent);
        model::begin(m.of_child);
        // A save over a sink that refuses now and then, in the middle of a frame; the writer is lost sometimes, and goes on.
        kept_image sink;
        bytes buffer(least_image_buffer(page_size) + random.below(30000));
        const image_options options{.id = random()};
        image_position at;
        status s = status::busy;
        while (s != status::ok) {
            image_writer writer{m.f.store, sink, buffer, pools.data(), 2, options, at};
            for (std::uint64_t steps = 1 + random.below(40); steps != 0 && s != status::ok; --steps) {
                if (random.one_in(4)) {
                    sink.refuse_beyond(sink.bytes.size() + random.below(5000));
                }
                s = writer.step();
                REQUIRE((s == status::ok || s == status::busy || s == status::unavailable));
                if (s == status::unavailable) {
                    sink.bytes.resize(static_cast<std::size_t>(writer.position().bytes));
                }
                if (in_use) {
                    m.use();
                }
            }
            at = writer.position();
            REQUIRE(at.bytes == sink.bytes.size());
        }
        CHECK(m.f.store.check());
        // And a restore, from a source that gives few bytes, with memory that is refused, broken off and gone on with.
        fixture g{{.partitions = 1 + random.below(5), .seed = round + 7}};
        std::vector<pool_id> ids(2);
        restored_pools into{g.store, ids.data(), 2};
        image_position from;
        s = status::busy;
        while (s != status::ok) {
            image_bytes source{sink.bytes, random.one_in(2) ? 1 + random.below(100) : ~std::size_t{0}};
            bytes room(buffer.size());
            image_reader reader{g.store, source, into, room, {.verifies = random.one_in(2)}};
            while (!reader.has_header()) {
                REQUIRE(reader.step() == status::busy);
            }
            if (from.sequence != 0) {
                source.at = static_cast<std::size_t>(from.bytes);
                REQUIRE(reader.resume(from) == status::ok);
            }
            for (std::uint64_t steps = 1 + random.below(30); steps != 0 && s != status::ok; --steps) {
                if (random.one_in(3)) {
                    g.source.refuse_nth(1 + random.below(3));
                }
                source.refusals = random.one_in(4) ? 1 : 0;
                s = reader.step();
                REQUIRE((s == status::ok || s == status::busy || s == status::unavailable || s == status::no_memory));
            }
            from = reader.position();
        }
        g.source.refuse_nth(0);
        CHECK(g.store.check());
        model::check_restored(g.store, ids[0], m.of_parent, {});
        model::check_restored(g.store, ids[1], m.of_child, range);
    }
}

TEST_CASE("image model: an image that is cut at each byte count is cut, and what was whole can be gone on with") {
    const small_family m;
    const std::size_t stride = m.image.size() / in_part(m.image.size());
    for (std::size_t size = 0; size < m.image.size(); size += stride) {
        const bytes cut(m.image.begin(), m.image.begin() + static_cast<std::ptrdiff_t>(size));
        fixture g;
        restore r{g.store, cut};
        REQUIRE(r.reader.run() == status::corrupt);
        REQUIRE(r.reader.is_cut());
        REQUIRE(r.reader.run() == status::corrupt); // for good
        if (r.reader.position().sequence != 0) {
            restore rest{g.store, m.image};
            rest.ids = r.ids;
            restored_pools<store_type> pools{g.store, rest.ids.data(), 8};
            image_reader again{g.store, rest.source, pools, rest.buffer};
            REQUIRE(again.step() == status::busy);
            rest.source.at = static_cast<std::size_t>(r.reader.position().bytes);
            REQUIRE(again.resume(r.reader.position()) == status::ok);
            REQUIRE(again.run() == status::ok);
            REQUIRE(g.store.stats().stored_pages == 4);
        } else {
            REQUIRE(g.store.stats().stored_pages == 0);
        }
    }
}

TEST_CASE("image model: memory refused at each acquisition of a restore") {
    const small_family m;
    for (std::uint64_t nth = 1, refused = 1; refused != 0; ++nth) {
        fixture g;
        g.source.refuse_nth(nth);
        restore r{g.store, m.image};
        status s = r.reader.run();
        refused = g.source.refusals();
        if (s != status::ok) {
            REQUIRE(s == status::no_memory);
            s = r.reader.run();
        }
        REQUIRE(s == status::ok);
        REQUIRE(g.store.stats().stored_pages == 4);
        REQUIRE(g.store.check());
    }
}

TEST_CASE("image model: damaged images are refused, with what was good") {
    small_family m;
    fixture g{{.partitions = 1}};
    const pool_id stays = g.make_pool(); // so that memory does, too
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(g.put({stays, 1, i}, i) == status::ok);
    }
    rng random{3};
    const std::uint64_t images = in_part(in_part(std::uint64_t{1'000'000})); // fuzz/image has as many as it likes
    std::uint64_t whole = 0, refused = 0;
    bytes page(page_size), was(page_size), room(2 * page_size + 1000);
    for (std::uint64_t n = 0; n < images; ++n) {
        bytes image = m.image;
        const std::uint64_t how = random.below(8);
        const std::size_t at = random.below(image.size()), other = random.below(image.size());
        if (how < 4) {
            image[at] ^= static_cast<std::byte>(1 + random.below(255));
        } else if (how == 4) { // cut out
            image.erase(image.begin() + static_cast<std::ptrdiff_t>(std::min(at, other)),
                        image.begin() + static_cast<std::ptrdiff_t>(std::max(at, other)));
        } else if (how == 5) { // doubled
            const bytes part(image.begin() + static_cast<std::ptrdiff_t>(std::min(at, other)),
                             image.begin() + static_cast<std::ptrdiff_t>(std::max(at, other)));
            image.insert(image.begin() + static_cast<std::ptrdiff_t>(at), part.begin(), part.end());
        } else if (how == 6) {
            for (std::size_t i = at; i < std::min(at + 8, image.size()); ++i) {
                image[i] = static_cast<std::byte>(random());
            }
        } else {
            image[at] ^= static_cast<std::byte>(1 + random.below(255));
            image[other] ^= static_cast<std::byte>(1 + random.below(255));
        }
        const bool is_sealed = random.one_in(2), skips = random.one_in(2);
        const bool is_same = image == m.image;
        if (is_sealed) {
            seal_again(image); // hostile
        }
        image_bytes source{image};
        pool_id ids[2]{};
        restored_pools into{g.store, ids, 2};
        image_reader reader{
            g.store,
            source,
            into,
            room,
            {.on_damage = skips ? image_damage::skip : image_damage::stop, .verifies = random.one_in(2)}};
        const status s = reader.run();
        REQUIRE((s == status::ok || s == status::corrupt || s == status::invalid || s == status::too_short ||
                 s == status::limit));
        if (!is_sealed) {
            // Doubling the end leaves a whole image with something behind it, which nobody reads.
            const bool is_whole = s == status::ok && reader.damaged_frames() == 0 && reader.restored_pages() == 4;
            REQUIRE((!is_whole || is_same || how == 5));
            for (unsigned p = 0; p < 2; ++p) {
                for (std::uint64_t i = 0; i < 2 && ids[p] != pool_id{}; ++i) {
                    const status found = g.store.peek({ids[p], 1, i}, page);
                    REQUIRE((found == status::ok || found == status::not_found));
                    if (found == status::ok) {
                        REQUIRE(m.f.store.peek({p == 0 ? m.parent : m.child, 1, i}, was) == status::ok);
                        REQUIRE(page == was);
                    }
                }
            }
        } else {
            for (unsigned p = 0; p < 2 && ids[p] != pool_id{}; ++p) {
                pool_cursor cursor{ids[p]};
                walked_page few[8];
                const std::size_t count = g.store.walk(cursor, few, 8).value();
                for (std::size_t i = 0; i < count; ++i) {
                    static_cast<void>(g.store.peek({ids[p], few[i].object, few[i].index}, page));
                }
            }
        }
        ++(s == status::ok ? whole : refused);
        into.drop_all();
        if (n % 4096 == 0) {
            REQUIRE(g.store.check());
        }
    }
    CHECK(refused > images / 2);
    CHECK(g.store.stats().stored_pages == 10);
    CHECK(g.store.check());
}

} // namespace model_image
