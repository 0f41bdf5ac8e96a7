// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/test_source.hpp"

#include <pagefold/core/checksum.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partition.hpp>

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

    partition<Config> part{source, budget, table, hasher, gauge, any_node};
};

} // namespace pagefold::testing
