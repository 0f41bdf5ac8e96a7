// SPDX-License-Identifier: MIT

// What shares come to for the tenants of a store: those below theirs lose nothing to any flood, whatever the weights, the
// slots and the number of partitions, and those that want more than theirs have as many hits as if they were alone with it.

#include "support/cache_traces.hpp"
#include "support/environment.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace pagefold::testing::model_tenants {
namespace {

using tenants = store_fixture<partitioned_store<unlocked_config>>;

std::uint64_t stored(const tenants& s, pool_id pool) { return s.store.statistics_of(pool).value().stored_pages; }

/// A tenant's page cache: it reads pages of a set in random order, and stores what it did not find.
struct reader {
    pool_id pool;
    std::uint64_t pages;
    rng random{1};
    std::uint64_t reads = 0, hits = 0;

    void read(tenants& s) {
        const std::uint64_t at = random.below(pages);
        const page_key key{pool, at / 256, at % 256};
        ++reads;
        if (s.get(key) == status::ok) {
            ++hits;
        } else {
            CHECK_UNARY(s.put(key, page_kind::random, at) == status::ok);
        }
    }
    void forget_counts() { reads = hits = 0; }
    [[nodiscard]] double ratio() const { return static_cast<double>(hits) / static_cast<double>(reads); }
};

constexpr std::size_t limit_for(std::size_t partitions) { return partitions == 256 ? 48u << 20 : 8u << 20; }

/// Where nobody else is: the share is the cap.
double ratio_alone(std::size_t partitions, std::uint64_t share, std::uint64_t pages, std::uint64_t reads) {
    tenants s{store_options{.partitions = partitions, .seed = 3}};
    reader one{s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = share}), pages};
    for (std::uint64_t i = 0; i < 2 * reads; ++i) {
        one.read(s);
        if (i + 1 == reads) {
            one.forget_counts();
        }
    }
    return one.ratio();
}

struct scene {
    std::size_t partitions;
    std::uint32_t quiet_weight, flood_weight;
    unsigned flood_slot;
};

/// Three quiet tenants, each of which reads a set of so many thousandths of its share, and one that floods.
void let_one_flood(const scene& is, std::uint64_t set_permille) {
    CAPTURE(is.partitions);
    CAPTURE(is.quiet_weight);
    CAPTURE(is.flood_weight);
    CAPTURE(is.flood_slot);
    CAPTURE(set_permille);
    const std::size_t limit = limit_for(is.partitions);
    tenants s{store_options{.limit_bytes = limit, .partitions = is.partitions, .seed = 5}};
    std::vector<reader> quiet;
    pool_id flood{};
    for (unsigned slot = 0; slot < 4; ++slot) {
        const pool_id pool = s.make_pool(
            {.kind = pool_kind::ephemeral, .weight = slot == is.flood_slot ? is.flood_weight : is.quiet_weight});
        if (slot == is.flood_slot) {
            flood = pool;
        } else {
            quiet.push_back({pool, 0, rng{slot + 7}});
        }
    }
    // What is left for pages: the store's fixed part goes, and some idle memory of each partition.
    const std::uint64_t free = limit - s.store.stats().total_bytes - is.partitions * 12 * 4096;
    const std::uint64_t weights = std::uint64_t{3} * is.quiet_weight + is.flood_weight;
    const std::uint64_t share = free * is.quiet_weight / weights;
    const std::uint64_t set = share * set_permille / 1000 / 4200;
    for (reader& one : quiet) {
        one.pages = set;
    }
    std::uint64_t flooded = 0;
    const auto step = [&] {
        for (int i = 0; i < 6; ++i) {
            static_cast<void>(s.put({flood, flooded / 64, flooded % 64}, page_kind::random, flooded));
            ++flooded;
        }
        for (reader& one : quiet) {
            one.read(s);
            one.read(s);
        }
    };
    const std::uint64_t steps = is.partitions == 256  ? 3 * set
                                : set_permille > 1000 ? 20 * set
                                                      : 4 * set; // enough for a percent
    for (std::uint64_t i = 0; i < set; ++i) {
        for (const reader& one : quiet) {
            REQUIRE(s.put({one.pool, i / 256, i % 256}, page_kind::random, i) == status::ok);
        }
    }
    for (std::uint64_t i = 0; i < steps; ++i) {
        step();
    }
    for (reader& one : quiet) {
        one.forget_counts();
    }
    for (std::uint64_t i = 0; i < steps; ++i) {
        step();
    }
    CHECK(s.store.stats().evicted_pages > 0);
    if (set_permille <= 1000) {
        for (const reader& one : quiet) {
            CHECK(one.hits == one.reads); // below its share a tenant loses nothing
            CHECK(s.store.statistics_of(one.pool).value().evicted_pages == 0);
        }
    } else {
        // How much there is to share is known only now.
        std::uint64_t all = s.store.statistics_of(flood).value().used_bytes;
        for (const reader& one : quiet) {
            all += s.store.statistics_of(one.pool).value().used_bytes;
        }
        const double expected = ratio_alone(is.partitions, all * is.quiet_weight / weights, set, 2 * steps);
        for (const reader& one : quiet) {
            CAPTURE(expected);
            CHECK(one.ratio() > expected - 0.02);
            CHECK(one.ratio() < expected + 0.02);
        }
    }
    CHECK(s.store.check());
}

/// Some pages of a kind, made once.
const std::vector<std::byte>& page_like(page_kind kind, std::uint64_t n) {
    static std::vector<std::byte> made[page_kinds][64];
    std::vector<std::byte>& page = made[static_cast<unsigned>(kind)][n % 64];
    page = page.empty() ? page_of(tenants::page_size, kind, n % 64) : std::move(page);
    return page;
}

/// What the tenant that floods puts, two pages for each read of the others.
enum class flood { new_text, new_noise, new_same, old_text, old_noise, in_place, erased, any_size };

/// Does what floods do, to a pool that is its own.
class flooder {
public:
    flooder(pool_id pool, flood kind) : pool_{pool}, kind_{kind} {}

    void put(tenants& s) {
        const std::uint64_t n = ++puts_;
        switch (kind_) {
        case flood::new_text: return put(s, n, page_kind::text, n);
        case flood::new_noise: return put(s, n, page_kind::random, n);
        case flood::new_same: return put(s, n, page_kind::word, n);
        case flood::old_text: return put(s, random_.below(set), page_kind::text, n);
        case flood::old_noise: return put(s, random_.below(set), page_kind::random, n);
        case flood::in_place: return put(s, random_.below(set / 4), page_kind::random, n);
        case flood::erased: {
            const std::uint64_t at = random_.below(set);
            static_cast<void>(s.store.erase({pool_, 1, at}));
            return put(s, at, page_kind::text, n);
        }
        case flood::any_size:
        default: return put(s, random_.below(set), page_kind{1 + static_cast<unsigned>(n % 5)}, n);
        }
    }

private:
    static constexpr std::uint64_t set = 2000; // in 32 extents: in some partitions there are twice as many as in others

    void put(tenants& s, std::uint64_t at, page_kind kind, std::uint64_t content) const {
        CHECK_UNARY(s.store.put({pool_, 1, at}, page_like(kind, content)) == status::ok);
    }

    pool_id pool_;
    flood kind_;
    std::uint64_t puts_ = 0;
    rng random_{99};
};

/// Reads popular pages: those of an extent are about as popular as each other, and those of partitions are not.
struct popular_reader {
    pool_id pool;
    const page_popularity* popularity;
    std::uint64_t pages;
    page_kind kind;
    rng random;
    std::uint64_t reads = 0, hits = 0;

    void read(tenants& s) {
        const std::uint64_t at = popularity->draw(random);
        ++reads;
        if (s.get({pool, 1, at}) == status::ok) {
            ++hits;
        } else {
            CHECK_UNARY(s.store.put({pool, 1, at}, page_like(kind, at)) == status::ok);
        }
    }
    [[nodiscard]] double ratio() const { return static_cast<double>(hits) / static_cast<double>(reads); }
};

constexpr std::size_t flooded_limit = 8u << 20;

/// The hits of a reader in a store that has so many bytes for pages, all of them its own.
double popular_ratio_alone(std::size_t partitions, unsigned slot, popular_reader one, std::uint64_t share,
                           std::uint64_t steps) {
    tenants s{store_options{.partitions = partitions, .seed = 5}};
    for (unsigned i = 0; i <= slot; ++i) {
        one.pool = s.make_pool({.kind = pool_kind::ephemeral}); // in the same slot: the same hashes
    }
    for (std::uint64_t i = 0; i < 2 * steps; ++i) {
        one.reads = i != steps ? one.reads : 0;
        one.hits = i != steps ? one.hits : 0;
        one.read(s);
        if (i % 256 == 255) {
            static_cast<void>(s.store.resize(share + s.store.stats().fixed_bytes));
        }
    }
    return one.ratio();
}

/// Three readers, whose hits are compared with those of each alone at its share, and one that floods.
void flood_readers(std::size_t partitions, page_kind read, flood kind) {
    CAPTURE(partitions);
    CAPTURE(static_cast<int>(read));
    CAPTURE(static_cast<int>(kind));
    tenants s{store_options{.limit_bytes = flooded_limit, .partitions = partitions, .seed = 5}};
    const std::uint64_t pages = flooded_limit / (read == page_kind::random ? 4200 : 1900); // four times a share
    const page_popularity popularity = zipf_08(pages);
    std::vector<popular_reader> readers;
    for (unsigned slot = 0; slot < 3; ++slot) {
        readers.push_back(
            {s.make_pool({.kind = pool_kind::ephemeral}), &popularity, pages, read, rng{std::uint64_t{slot} + 7}});
    }
    const std::vector<popular_reader> fresh = readers;
    const pool_id pool = s.make_pool({.kind = pool_kind::ephemeral});
    flooder other{pool, kind};
    const std::uint64_t steps = (read == page_kind::random ? 3 : 2) * pages;
    for (std::uint64_t i = 0; i < 2 * steps; ++i) {
        other.put(s);
        other.put(s);
        for (popular_reader& one : readers) {
            one.reads = i != steps ? one.reads : 0;
            one.hits = i != steps ? one.hits : 0;
            one.read(s);
        }
    }
    CHECK(s.store.check());
    std::uint64_t all = s.store.statistics_of(pool).value().used_bytes;
    for (const popular_reader& one : readers) {
        all += s.store.statistics_of(one.pool).value().used_bytes;
    }
    for (unsigned slot = 0; slot < 3; ++slot) {
        const double alone_ratio = popular_ratio_alone(partitions, slot, fresh[slot], all / 4, steps);
        CAPTURE(readers[slot].ratio());
        CAPTURE(alone_ratio);
        CHECK(readers[slot].ratio() >= alone_ratio * 0.98);
    }
}

/// The hits of a reader in a pool with a cap of a quarter of the store, into which somebody writes the same pages again and
/// again. `is_spread`: each page of the reader is an object of its own.
double capped_ratio(std::size_t partitions, page_kind read, page_kind flood, bool is_spread) {
    constexpr std::size_t limit = 12u << 20;
    tenants s{store_options{.limit_bytes = limit, .partitions = partitions, .seed = 1}};
    const pool_id pool = s.make_pool({.kind = pool_kind::ephemeral, .cap_bytes = limit / 4});
    const std::uint64_t pages = limit / (read == page_kind::random ? 4200 : 1900),
                        rewritten = read == page_kind::random ? 150 : 350, steps = 5 * pages;
    const page_popularity popularity = zipf_08(pages);
    std::vector<std::byte> out(tenants::page_size);
    rng random{7}, others{99};
    std::uint64_t hits = 0;
    for (std::uint64_t i = 0; i < 2 * steps; ++i) {
        for (std::uint64_t n = 2 * i; n < 2 * i + 2; ++n) {
            CHECK_UNARY(s.store.put({pool, 2, others.below(rewritten)}, page_like(flood, n)) == status::ok);
        }
        const std::uint64_t at = popularity.draw(random);
        const page_key key = is_spread ? page_key{pool, at + 10, 0} : page_key{pool, 1, at};
        hits = i != steps ? hits : 0;
        if (s.store.get(key, out) == status::ok) {
            ++hits;
        } else {
            CHECK_UNARY(s.store.put(key, page_like(read, at)) == status::ok);
        }
    }
    CHECK(s.store.statistics_of(pool).value().used_bytes <= limit / 400 * 101);
    CHECK(s.store.check());
    return static_cast<double>(hits) / static_cast<double>(steps);
}

} // namespace

TEST_CASE("tenants: in eight partitions a pool at its cap has the hits that it has in one, whoever writes into it") {
    constexpr struct {
        page_kind read, flood;
        bool is_spread;
    } scenes[] = {{page_kind::random, page_kind::text, true},
                  {page_kind::random, page_kind::random, false},
                  {page_kind::text, page_kind::text, true}};
    for (const auto& scene : scenes) {
        CAPTURE(static_cast<int>(scene.read));
        CAPTURE(static_cast<int>(scene.flood));
        const double one = capped_ratio(1, scene.read, scene.flood, scene.is_spread),
                     eight = capped_ratio(8, scene.read, scene.flood, scene.is_spread);
        CAPTURE(one);
        CAPTURE(eight);
        CHECK(eight >= one * 0.98);
    }
}

TEST_CASE("tenants: a flood of any kind leaves quiet ones the hits that they have alone at their shares") {
    constexpr struct {
        std::size_t partitions;
        page_kind read;
        flood kind;
    } scenes[] = {
        {8, page_kind::random, flood::new_text},  {8, page_kind::random, flood::new_noise},
        {8, page_kind::random, flood::new_same},  {8, page_kind::random, flood::old_text},
        {8, page_kind::random, flood::old_noise}, {8, page_kind::random, flood::in_place},
        {8, page_kind::random, flood::erased},    {8, page_kind::random, flood::any_size},
        {8, page_kind::text, flood::old_text},    {8, page_kind::text, flood::old_noise},
        {8, page_kind::text, flood::any_size},    {1, page_kind::random, flood::any_size},
        {8, page_kind::text, flood::new_same},    {8, page_kind::text, flood::in_place},
    };
    for (std::size_t i = 0; i < in_part(std::size(scenes)); ++i) {
        flood_readers(scenes[i].partitions, scenes[i].read, scenes[i].kind);
    }
}

TEST_CASE("tenants: a flood leaves quiet tenants what is theirs, in any number of partitions") {
    for (const std::size_t partitions : {1u, 8u, 256u}) {
        let_one_flood({partitions, 100, 100, 3}, 800);
        let_one_flood({partitions, 100, 100, 0}, 1500);
    }
}

TEST_CASE("tenants: weights of 2^30 and 1, in every slot") {
    for (const std::size_t partitions : {1u, 8u}) {
        for (unsigned slot = 0; slot < 4; ++slot) {
            let_one_flood({partitions, 1u << 30, 1, slot}, 850);
        }
        let_one_flood({partitions, 1u << 30, 1u << 30, 1}, 800);
        let_one_flood({partitions, 1, 1, 2}, 800);
        let_one_flood({partitions, 0xffffffffu, 0xfffffffeu, 2}, 800);
    }
    let_one_flood({256, 1u << 30, 1, 3}, 700);
}

TEST_CASE("tenants: where all want more than there is, each has its weight of it, in every order of slots") {
    for (const std::size_t partitions : {1u, 8u, 256u}) {
        CAPTURE(partitions);
        std::uint32_t weights[] = {1, 2, 5};
        do {
            CAPTURE(weights[0]);
            CAPTURE(weights[1]);
            tenants s{store_options{.limit_bytes = limit_for(partitions), .partitions = partitions, .seed = 9}};
            pool_id pools[3];
            for (unsigned i = 0; i < 3; ++i) {
                pools[i] = s.make_pool({.kind = pool_kind::ephemeral, .weight = weights[i] << 20});
            }
            const std::uint64_t most = limit_for(partitions) / 4096;
            for (std::uint64_t i = 0; i < most; ++i) {
                for (const pool_id pool : pools) {
                    REQUIRE(s.put({pool, i / 64, i % 64}, page_kind::random, i) == status::ok);
                }
            }
            const std::uint64_t all = stored(s, pools[0]) + stored(s, pools[1]) + stored(s, pools[2]);
            CHECK(all > most * 7 / 10);
            for (unsigned i = 0; i < 3; ++i) {
                const std::uint64_t wanted = all * weights[i] / 8;
                CHECK(stored(s, pools[i]) >= wanted * 97 / 100);
                CHECK(stored(s, pools[i]) <= wanted * 103 / 100 + 1);
            }
            CHECK(s.store.check());
        } while (partitions != 256 && std::next_permutation(weights, weights + 3));
    }
}

} // namespace pagefold::testing::model_tenants
