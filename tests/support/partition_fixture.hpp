// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/core/checksum.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partition.hpp>
#include <pagefold/store/placement.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pagefold::testing {

/// What the facade of a store hands its partitions, with one pool in slot 0.
struct partition_surroundings {
    explicit partition_surroundings(pool_kind kind, std::size_t limit = ~std::size_t{0}) : budget{limit} {
        record.id = id = pool_ids::next(pool_id{}, 0, kind);
        record.options.kind = kind;
        record.weight.store(kind == pool_kind::ephemeral ? 100 : 0, memory_order::relaxed);
        table.records = &record;
        table.count = 1;
        table.bound.store(1, memory_order::relaxed);
    }
    [[nodiscard]] located_key at(std::uint64_t object, std::uint64_t index) const {
        return hasher.locate({id, object, index});
    }

    test_source source;
    byte_budget budget;
    pool_record record;
    pool_table table;
    key_hasher hasher{99};
    partition_gauge gauge;
    pool_id id{};
};

/// The state of a partition with one pool in it, for what works on the state: without a lock and its turns. An admission policy
/// that remembers wants a ghost of as many keys as there are pages.
template <class Config = default_config>
struct lone_state : partition_surroundings {
    using state_type = partition_state<Config>;

    explicit lone_state(pool_kind kind, std::size_t limit = ~std::size_t{0}) : partition_surroundings{kind, limit} {
        REQUIRE(state.pools.reserve(0) == status::ok);
        state.pools[0].id = id;
    }
    [[nodiscard]] typename state_type::pool_state& pool() { return state.pools[0]; }
    /// A stream of random bytes, with its checksum, as the content of page `index` of object 1.
    placed put(std::uint64_t index, std::size_t size, std::uint64_t seed, bool is_last = false) {
        const std::vector<std::byte> stream = stream_of(size, seed);
        const located_key k = at(1, index);
        placement<Config> places{state};
        const std::uint64_t sum = checksum(stream, k.sum_seed);
        const placed outcome =
            is_last ? places.put_at_last(pool(), k, stream, sum) : places.put(pool(), k, stream, sum);
        state.settle(pool());
        return outcome;
    }
    status put(std::uint64_t index, std::size_t size) { return put(index, size, index).result; }
    [[nodiscard]] static std::vector<std::byte> stream_of(std::size_t size, std::uint64_t seed) {
        std::vector<std::byte> stream = page_of(128 + size / 8 * 8, page_kind::random, seed);
        stream.resize(size);
        return stream;
    }
    [[nodiscard]] slot_id slot(std::uint64_t index) { return state.index.find(at(1, index)); }
    [[nodiscard]] bool lacks(std::uint64_t index) { return slot(index) == no_slot; }
    /// Whether this is the page's content, and all that leads to it and back is right.
    [[nodiscard]] bool holds(std::uint64_t index, std::size_t size, std::uint64_t seed) {
        const std::vector<std::byte> expected = stream_of(size, seed);
        const slot_id s = slot(index);
        if (s == no_slot) {
            return false;
        }
        const auto e = state.index.get(s);
        if (!e.matches(checksum(expected, at(1, index).sum_seed))) {
            return false;
        }
        if (e.is_inline()) {
            return size == min_stream_size && e.word() == load_native<std::uint64_t>(expected.data());
        }
        std::vector<std::byte> buffer(Config::page_size);
        if (!state.is_readable(e) || e.size() != size ||
            !equal_bytes(state.allocator.read(e.handle(), size, buffer).data(), expected.data(), size)) {
            return false;
        }
        const byte_span place = state.allocator.place(e.handle());
        return size == Config::page_size || state_type::tag_bytes == 0 ||
               load_native<slot_id>(place.data() + place.size() - state_type::tag_bytes) == s;
    }
    [[nodiscard]] bool holds(std::uint64_t index, std::size_t size) { return holds(index, size, index); }
    [[nodiscard]] bool check() {
        auto view = state.slots(pool());
        return state.index.check() && state.index.check_ring(pool().ring, 0) && state.allocator.check() &&
               state.totals.same_pages_as(pool().counts) && state.index.size() == pool().counts.stored_pages &&
               pool().eviction.size() == (pool().is_ephemeral() ? pool().counts.stored_pages : 0) &&
               (!pool().is_ephemeral() || pool().eviction.check(view));
    }

    state_type state{source, budget, table, hasher, gauge, any_node, {}, 100};
};

/// A partition of its own, into which streams go as they are.
template <class Config = default_config>
struct lone_partition : partition_surroundings {
    explicit lone_partition(pool_kind kind, std::size_t limit = ~std::size_t{0}) : partition_surroundings{kind, limit} {
        REQUIRE(part.open_pool(id) == status::ok);
    }
    typename partition<Config>::put_outcome put(std::uint64_t index, std::size_t size, std::uint64_t seed,
                                                const typename partition<Config>::put_terms& terms = {}) {
        const std::vector<std::byte> stream = page_of(size, page_kind::random, seed);
        const located_key k = at(1, index);
        return part.put(k, stream, checksum(stream, k.sum_seed), 0, terms);
    }
    status put(std::uint64_t index, std::size_t size) { return put(index, size, index).result; }
    bool holds(std::uint64_t index, std::size_t size, std::uint64_t seed) {
        std::vector<std::byte> out(Config::page_size), buffer(Config::page_size);
        typename partition<Config>::fetched found;
        const located_key k = at(1, index);
        if (part.fetch(k, out, buffer, false, found) != status::ok) {
            return false;
        }
        const std::vector<std::byte> expected = page_of(size, page_kind::random, seed);
        return found.stream.size() == size && found.e.matches(checksum(found.stream, k.sum_seed)) &&
               equal_bytes(found.stream.data(), expected.data(), size);
    }
    bool holds(std::uint64_t index, std::size_t size) { return holds(index, size, index); }

    partition<Config> part{source, budget, table, hasher, gauge, any_node, {}, 100};
};

} // namespace pagefold::testing
