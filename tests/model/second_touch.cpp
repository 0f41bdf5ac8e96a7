// SPDX-License-Identifier: MIT
//
// Random operations on a store that keeps a page the second time it is put, against a model of which keys it knows: pools that
// come and go and move between nodes, takes, erasures, limits that change, and eviction, whose victims the model finds out
// as it looks. There are few enough keys for each partition's ghost to forget none.

#include "support/node_test_source.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"

#include <pagefold/admit/second_touch.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing::model_second_touch {
namespace {

constexpr std::size_t mib = 1u << 20, page_bytes = 4096;
constexpr std::uint64_t keys_a_pool = 300;
using machine = node_test_source<2>;

template <class Eviction>
struct config : default_config {
    using lock_type = null_lock;
    using eviction_type = Eviction;
    using admission_type = second_touch;
    using place_type = by_node;
};

/// What the store should know of a key: on each node whether it left there, where the model can tell.
struct key_model {
    std::uint64_t version = 0; ///< that was put last
    page_kind kind = page_kind::zeros;
    bool may_be_stored = false;
    bool known[2] = {};
    bool is_sure[2] = {true, true};

    void set(unsigned node, bool is_known, bool can_tell) noexcept {
        known[node] = is_known;
        is_sure[node] = can_tell;
        is_sure[1 - node] = is_sure[1 - node] && can_tell;
    }
};
struct pool_model {
    pool_id id{};
    pool_kind kind = pool_kind::ephemeral;
    unsigned node = 0;
    bool is_whole = true; ///< on its node
    std::vector<key_model> keys = std::vector<key_model>(keys_a_pool);
};

template <class Eviction>
class contest {
public:
    explicit contest(std::uint64_t seed) : random_{seed} {
        for (pool_model& pool : pools_) {
            open(pool);
        }
        // Each partition makes its ghost while there is room.
        for (unsigned node = 0; node < 2; ++node) {
            const pool_id pool =
                store_.create_pool({.kind = pool_kind::ephemeral, .node = static_cast<node_id>(node)}).value();
            REQUIRE(store_.put({pool, 1, 1}, page_) == status::incompressible);
            REQUIRE(store_.destroy_pool(pool) == status::ok);
        }
    }
    ~contest() {
        CHECK(refusals > 500);
        CHECK(returns > 500);
        CHECK(mistaken <= 3); // a stranger taken for known: 32 in 65536
        CHECK(evictions > 100);
    }
    contest(const contest&) = delete;
    contest& operator=(const contest&) = delete;

    void step() {
        pool_model& pool = pools_[random_.below(pools_.size())];
        const std::uint64_t key = random_.one_in(2) ? random_.below(keys_a_pool) : random_.below(keys_a_pool / 3);
        switch (random_.below(random_.one_in(30) ? 16 : 11)) {
        case 0:
        case 1: look(pool, key); break;
        case 2: take(pool, key); break;
        case 3: erase(pool, key); break;
        case 11: erase_some(pool, key); break;
        case 12:
            if (random_.one_in(8) && &pool != &pools_[0]) { // one stays: the ghost goes with the last
                REQUIRE(store_.destroy_pool(pool.id) == status::ok);
                open(pool);
            }
            break;
        case 13: move(pool); break;
        case 14: static_cast<void>(store_.resize(mib + random_.below(3) * mib / 8)); break;
        case 15: static_cast<void>(store_.compact(mib)); break;
        default: put(pool, key); break;
        }
        if (++steps_ % 64 == 0) {
            REQUIRE(store_.check());
            REQUIRE(store_.stats().total_bytes == source_.bytes_held());
        }
    }

    unsigned refusals = 0, returns = 0, mistaken = 0, evictions = 0;

private:
    [[nodiscard]] static page_key name(const pool_model& pool, std::uint64_t key) { return {pool.id, key % 5, key}; }

    void open(pool_model& pool) {
        pool = pool_model{};
        pool.kind = &pool != &pools_[0] && random_.one_in(3) ? pool_kind::persistent : pool_kind::ephemeral;
        pool.node = static_cast<unsigned>(random_.below(2));
        pool.id = store_.create_pool({.kind = pool.kind, .node = static_cast<node_id>(pool.node)}).value();
    }
    /// Reads, and notes that a page was dropped; whether it is stored.
    bool look(pool_model& pool, std::uint64_t key) {
        key_model& k = pool.keys[key];
        const status s = store_.get(name(pool, key), page_);
        REQUIRE((s == status::ok || s == status::not_found));
        if (s == status::ok) {
            REQUIRE(k.may_be_stored);
            REQUIRE(has_content(k));
            return true;
        }
        if (k.may_be_stored) {
            REQUIRE(pool.kind == pool_kind::ephemeral);
            k.may_be_stored = false;
            k.set(pool.node, true, pool.is_whole); // dropped, and it left
            ++evictions;
        }
        return false;
    }
    void put(pool_model& pool, std::uint64_t key) {
        key_model& k = pool.keys[key];
        const bool was_stored = look(pool, key);
        const page_kind kind = random_.one_in(2) ? page_kind::random : kind_of(random_());
        make_page(page_, kind, ++versions_);
        const status s = store_.put(name(pool, key), page_);
        const bool can_tell = k.is_sure[pool.node] && pool.is_whole;
        if (pool.kind == pool_kind::persistent || was_stored) {
            REQUIRE((s == status::ok || s == status::limit));
        } else if (s == status::incompressible) {
            REQUIRE((!k.known[pool.node] || !can_tell));
            k.set(pool.node, true, pool.is_whole);
            ++refusals;
        } else {
            REQUIRE((s == status::ok || s == status::limit));
            returns += k.known[pool.node] ? 1u : 0u;
            mistaken += !k.known[pool.node] && can_tell ? 1u : 0u;
        }
        k.may_be_stored = s == status::ok;
        if (s == status::ok) {
            k.version = versions_;
            k.kind = kind;
            k.set(pool.node, false, pool.is_whole); // it came
        } else if (was_stored) {
            k.set(pool.node, false, false); // refused, and what was there has gone: dropped for it, or not
        }
    }
    void take(pool_model& pool, std::uint64_t key) {
        key_model& k = pool.keys[key];
        const bool was_stored = look(pool, key);
        const status s = store_.take(name(pool, key), page_);
        REQUIRE(s == (was_stored ? status::ok : status::not_found));
        if (was_stored) {
            REQUIRE(has_content(k));
            k.may_be_stored = false;
            k.set(pool.node, pool.kind == pool_kind::ephemeral, pool.is_whole);
        }
    }
    void erase(pool_model& pool, std::uint64_t key) {
        const bool was_stored = look(pool, key);
        REQUIRE(store_.erase(name(pool, key)) == (was_stored ? status::ok : status::not_found));
        pool.keys[key].may_be_stored = false;
    }
    void erase_some(pool_model& pool, std::uint64_t key) {
        for (std::uint64_t i = 0; i < keys_a_pool; ++i) {
            if (i % 5 == key % 5) {
                static_cast<void>(look(pool, i));
                pool.keys[i].may_be_stored = false;
            }
        }
        REQUIRE(store_.erase_object(pool.id, key % 5));
    }
    void move(pool_model& pool) {
        std::array<bool, keys_a_pool> stored_before{};
        for (std::uint64_t i = 0; i < keys_a_pool; ++i) {
            stored_before[i] = look(pool, i);
        }
        const unsigned to = 1 - pool.node;
        const status s = store_.set_node(pool.id, static_cast<node_id>(to));
        REQUIRE((s == status::ok || s == status::limit || s == status::no_memory));
        pool.is_whole = s == status::ok;
        pool.node = to;
        for (std::uint64_t i = 0; i < keys_a_pool; ++i) {
            key_model& k = pool.keys[i];
            if (k.may_be_stored && look(pool, i)) {
                k.set(to, false, pool.is_whole); // it came
            } else if (k.may_be_stored != stored_before[i]) {
                k.set(to, false, false); // dropped here or there
            }
        }
    }
    [[nodiscard]] bool has_content(const key_model& k) const {
        const std::vector<std::byte> expected = page_of(page_bytes, k.kind, k.version);
        return std::memcmp(expected.data(), page_.data(), page_bytes) == 0;
    }

    rng random_;
    machine source_{1u << 20};
    partitioned_store<config<Eviction>> store_{
        source_, {.limit_bytes = mib, .partitions = 4, .seed = 7}, {}, second_touch{}, by_node{source_}};
    std::array<pool_model, 4> pools_{};
    std::array<std::byte, page_bytes> page_{};
    std::uint64_t versions_ = 0, steps_ = 0;
};

template <class Eviction>
void contend() {
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
        CAPTURE(seed);
        contest<Eviction> one{seed};
        for (unsigned i = 0; i < 12'000; ++i) {
            one.step();
        }
    }
}

TEST_CASE("second_touch: a store does as the model, with an eviction policy that remembers") {
    contend<probation_clock>();
}

TEST_CASE("second_touch: a store does as the model, with one that doesn't") { contend<clock>(); }

} // namespace
} // namespace pagefold::testing::model_second_touch
