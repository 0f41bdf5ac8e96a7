// SPDX-License-Identifier: MIT

// A pool that is migrated while several threads put, take and erase its pages: behind the freeze the target has what the origin has.

#include "support/environment.hpp"
#include "support/image_streams.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/migration_stream.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace stress_migration {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using store_type = partitioned_store<migrating_config>;

constexpr std::uint64_t objects = 4, indices = 300;
constexpr std::size_t words = 32;

void change(store_type& store, pool_id pool, std::uint64_t seed, const std::atomic<bool>& stops) {
    rng random{seed};
    bytes page(4096);
    while (!stops.load()) {
        const page_key key{pool, random.below(objects), random.below(indices)};
        switch (random.below(6)) {
        case 0: static_cast<void>(store.erase(key)); break;
        case 1: static_cast<void>(store.take(key, page)); break;
        case 2:
            if (random.one_in(50)) {
                static_cast<void>(store.erase_range(pool, key.object, key.index, 20));
            }
            break;
        default:
            make_page(page, page_kind::sparse, random());
            static_cast<void>(store.put(key, page));
            break;
        }
    }
}

} // namespace

TEST_CASE("migration: writers in many threads, rounds, a freeze, and both sides are equal") {
    const unsigned turns = in_part(12u);
    for (unsigned turn = 0; turn < turns; ++turn) {
        store_fixture<store_type> f{{.partitions = 5}};
        const pool_id pool = f.make_pool();
        for (std::uint64_t i = 0; i < indices; ++i) {
            REQUIRE(f.put({pool, 0, i}, i) == status::ok);
        }
        std::vector<atomic<std::uint32_t>> now(words);
        std::vector<std::uint32_t> taken(words), marks(words);
        change_log log{now.data(), words};
        kept_image sink;
        bytes buffer(least_image_buffer(4096) * 2);
        const image_pool pools[]{{pool, 1}};
        std::atomic<bool> stops{false};
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] { change(f.store, pool, turn * 100 + t, stops); });
        }
        migration_origin origin{f.store, sink, buffer, pools, 1, log, taken.data()};
        const auto round = [&] {
            status s;
            while ((s = origin.step()) == status::busy) {
            }
            return s;
        };
        REQUIRE(origin.start() == status::ok);
        status s = round();
        for (unsigned i = 0; i < turn % 4 && s == status::ok; ++i) {
            s = origin.next_round();
            s = s == status::ok ? round() : s;
        }
        const bool is_frozen = s == status::ok && origin.freeze() == status::ok && origin.next_round() == status::ok;
        s = is_frozen ? round() : status::invalid;
        s = s == status::ok ? origin.finish() : s;
        // The threads go on, and are refused.
        store_fixture<store_type> g{{.partitions = 3, .seed = 8}};
        image_bytes source{sink.bytes};
        pool_id ids[1]{};
        restored_pools into{g.store, ids, 1};
        bytes room(buffer.size());
        image_reader reader{g.store, source, into, room, {.marks = marks.data(), .mark_words = words}};
        const status read = reader.run();
        std::uint64_t different = 0, pages = 0;
        bytes was(4096), is(4096);
        for (std::uint64_t o = 0; o < objects; ++o) {
            for (std::uint64_t i = 0; i < indices; ++i) {
                const status a = f.store.peek({pool, o, i}, was), b = g.store.peek({ids[0], o, i}, is);
                different += a != b || (a == status::ok && was != is) ? 1u : 0u;
                pages += a == status::ok ? 1u : 0u;
            }
        }
        const status cancelled = origin.cancel();
        stops.store(true);
        for (std::thread& one : threads) {
            one.join();
        }
        REQUIRE(s == status::ok);
        REQUIRE(read == status::ok);
        REQUIRE(cancelled == status::ok);
        CHECK(pages != 0);
        CHECK(different == 0);
        CHECK(f.store.check());
        CHECK(g.store.check());
    }
}

} // namespace stress_migration
