// SPDX-License-Identifier: MIT

// Stores of values against a map of what was put: every length from 0 to the page's, in stores that differ in all that a
// length has to do with.

#include "support/values.hpp"
#include "support/test_source.hpp"
#include "support/test_tier.hpp"

#include <pagefold/admit/ratio.hpp>
#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing::model_values {
namespace {

using bytes = std::vector<std::byte>;

struct usual : default_config {
    static constexpr bool variable_length = true;
};
/// Long values, another allocator, codec and policy, and streams that are read where they lie.
struct others : usual {
    static constexpr std::size_t page_size = 65536;
    using compressor_type = lz4;
    template <class Source, std::size_t PageSize>
    using allocator_type = tlsf<Source, PageSize>;
    using eviction_type = lru;
    using lock_type = null_lock;
    using admission_type = ratio;
    using place_type = single;
};
/// With a tier, and on two nodes.
struct with_tier : usual {
    using tier_type = test_tier;
    using place_type = by_node;
};
struct two_nodes {
    [[nodiscard]] static constexpr std::size_t count() { return 2; }
    [[nodiscard]] static constexpr node_id node(std::size_t i) { return static_cast<node_id>(i); }
    [[nodiscard]] static constexpr unsigned distance(std::size_t i, std::size_t j) { return i == j ? 10 : 20; }
};

/// What may have become of a value that was put.
enum class promise { kept, dropped };

template <class Store>
class model {
public:
    static constexpr std::size_t most = Store::page_size;
    static constexpr std::uint64_t objects = 3, indexes = 90;

    model(Store& store, const pool_options& options, promise given, std::uint64_t seed)
        : store_{store}, pool_{store.create_pool(options).value()}, given_{given}, random_{seed} {}

    /// One step; whether the store did as it must.
    bool step() {
        const page_key key{pool_, random_.below(objects), random_.below(indexes)};
        switch (random_.below(16)) {
        case 0:
        case 1:
        case 2:
        case 3: return put(key, false);
        case 4: return put(key, true);
        case 5:
        case 6:
        case 7:
        case 8: return read(key, false);
        case 9: return read(key, true);
        case 10: return look(key);
        case 11: return erase(key);
        case 12: return read_many();
        case 13: static_cast<void>(store_.compact(most * 4)); return true;
        case 14: return random_.one_in(8) ? erase_range(key) : look(key);
        default: return write(key);
        }
    }
    /// The same where others have stores' counters move.
    bool step_among_others() {
        const page_key key{pool_, random_.below(objects), random_.below(indexes)};
        switch (random_.below(8)) {
        case 0:
        case 1:
        case 2: return random_.one_in(3) ? write(key) : put(key, random_.one_in(4));
        case 3: return erase(key);
        case 4: return read_many();
        default: return read(key, random_.one_in(5));
        }
    }
    /// All of it, at the end and now and then.
    bool holds() {
        std::uint64_t length = 0;
        for (const auto& [at, value] : values_) {
            length += value.size();
        }
        const store_stats s = store_.stats();
        const bool adds_up = given_ == promise::dropped ? s.orig_data_size <= length
                                                        : s.stored_pages + s.away_pages == values_.size() &&
                                                              (s.away_pages != 0 || s.orig_data_size == length);
        return adds_up && s.decompress_fail == 0 && s.damaged_tables == 0 && s.reject_compress_fail == 0 &&
               store_.statistics_of(pool_).value().used_bytes + s.fixed_bytes == s.total_bytes && store_.check();
    }
    bool all_read() {
        bool good = true;
        for (std::uint64_t object = 0; object < objects; ++object) {
            for (std::uint64_t index = 0; index < indexes; ++index) {
                good = good && read({pool_, object, index}, false);
            }
        }
        return good;
    }
    [[nodiscard]] pool_id pool() const { return pool_; }
    [[nodiscard]] std::uint64_t reads() const { return reads_; }

private:
    using name = std::pair<std::uint64_t, std::uint64_t>;
    static name name_of(const page_key& key) { return {key.object, key.index}; }

    bool put(const page_key& key, bool is_raw) {
        const std::uint64_t seed = random_();
        const bytes value = value_of(length_of(seed, most), kind_of(seed >> 7), seed);
        const status s = is_raw ? store_.put_raw(key, value) : store_.put(key, value);
        values_.erase(name_of(key));
        if (s == status::ok) {
            values_[name_of(key)] = value;
        }
        return s == status::ok || s == status::limit || s == status::no_memory;
    }
    /// A put whose value is written into the store; one of four gives up on the way, and changes nothing.
    bool write(const page_key& key) {
        const std::uint64_t seed = random_();
        const bytes value = value_of(length_of(seed, most), kind_of(seed >> 7), seed);
        const bool gives_up = random_.one_in(4);
        bool is_right = true;
        const status s = store_.put_written(key, value.size(), [&](byte_span to) noexcept {
            is_right = is_right && to.size() == value.size();
            copy_bytes(to.data(), value.data(), value.size());
            return !gives_up;
        });
        if (s == status::invalid) {
            return is_right && gives_up;
        }
        values_.erase(name_of(key));
        if (s == status::ok) {
            values_[name_of(key)] = value;
        }
        return is_right && (s == status::limit || s == status::no_memory || (s == status::ok && !gives_up));
    }
    bool is_as_put(const page_key& key, const result<std::size_t>& length, const bytes& out) {
        const auto found = values_.find(name_of(key));
        if (!length) {
            const bool may_lack = found == values_.end() || given_ == promise::dropped;
            if (length.error() == status::not_found && may_lack) {
                values_.erase(name_of(key));
                return true;
            }
            return false;
        }
        ++reads_;
        return found != values_.end() && *length == found->second.size() &&
               std::equal(found->second.begin(), found->second.end(), out.begin()) &&
               std::all_of(out.begin() + static_cast<std::ptrdiff_t>(*length), out.end(),
                           [](std::byte b) { return b == std::byte{0x5e}; });
    }
    bool read(const page_key& key, bool removing) {
        const auto found = values_.find(name_of(key));
        const std::size_t length = found != values_.end() ? found->second.size() : 0;
        if (length != 0 && random_.one_in(3)) {
            bytes less(random_.one_in(2) ? length - 1 : random_.below(length));
            const result<std::size_t> s = removing ? store_.take_value(key, less) : store_.get_value(key, less);
            if (s.error() != status::too_short && (given_ == promise::kept || s.error() != status::not_found)) {
                return false;
            }
        }
        bytes out(random_.one_in(3) ? length : length + random_.below(2 * most), std::byte{0x5e});
        const bool good = is_as_put(key, removing ? store_.take_value(key, out) : store_.get_value(key, out), out);
        if (removing) {
            values_.erase(name_of(key));
        }
        return good;
    }
    bool look(const page_key& key) {
        const store_stats before = store_.stats();
        const auto found = values_.find(name_of(key));
        const result<std::size_t> length = store_.length_of(key);
        const status s = store_.contains(key);
        const store_stats after = store_.stats();
        if (before.hits != after.hits || before.misses != after.misses || s != length.error()) {
            return false;
        }
        if (!length) {
            return s == status::not_found && (found == values_.end() || given_ == promise::dropped);
        }
        return found != values_.end() && *length == found->second.size();
    }
    bool erase(const page_key& key) {
        const status s = store_.erase(key);
        const bool had = values_.erase(name_of(key)) != 0;
        return s == status::ok ? had : s == status::not_found && (!had || given_ == promise::dropped);
    }
    bool erase_range(const page_key& key) {
        const std::uint64_t count = random_.below(20);
        const result<std::size_t> erased = store_.erase_range(pool_, key.object, key.index, count);
        std::size_t had = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            had += values_.erase({key.object, key.index + i});
        }
        return erased && (given_ == promise::kept ? *erased == had : *erased <= had);
    }
    bool read_many() {
        std::array<page_request, 21> requests;
        std::vector<bytes> outs;
        for (page_request& one : requests) {
            outs.emplace_back(most, std::byte{0x5e});
            one.key = {pool_, random_.below(objects), random_.below(indexes)};
            one.out = outs.back();
        }
        const std::size_t count = random_.below(requests.size() + 1);
        store_.get_many(requests.data(), count);
        bool good = true;
        for (std::size_t i = 0; i < count; ++i) {
            const page_request& one = requests[i];
            good = good && is_as_put(one.key, one.outcome == status::ok ? result<std::size_t>{one.length} : one.outcome,
                                     outs[i]);
        }
        return good;
    }

    Store& store_;
    pool_id pool_;
    promise given_;
    rng random_;
    std::map<name, bytes> values_;
    std::uint64_t reads_ = 0;
};

template <class Model>
void run(Model& m, unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) {
        CAPTURE(i);
        REQUIRE(m.step());
        if (i % 256 == 0) {
            REQUIRE(m.holds());
        }
    }
    CHECK(m.all_read());
    CHECK(m.holds());
    CHECK(m.reads() > steps / 20);
}

constexpr pool_options dropping{.kind = pool_kind::ephemeral};

TEST_CASE("values: a store of values of any length agrees with a map") {
    test_source source;
    partitioned_store<usual> store{source, {.partitions = 3, .seed = 1}};
    model m{store, {}, promise::kept, 1};
    run(m, 6000);
}

TEST_CASE("values: under a limit values go, and none is another's or of another length") {
    test_source source;
    partitioned_store<usual> store{source, {.limit_bytes = 320 * 1024, .partitions = 2, .seed = 1}};
    model m{store, dropping, promise::dropped, 2};
    run(m, 6000);
    CHECK(store.stats().evicted_pages > 100);
    CHECK(source.peak_bytes() <= 320 * 1024);
}

TEST_CASE("values: long ones, of another allocator and codec, read in place") {
    test_source source{65536};
    page_store<others> store{source, {.limit_bytes = 3 << 20, .seed = 1}};
    model m{store, dropping, promise::dropped, 3};
    run(m, 1500);
    CHECK(store.stats().evicted_pages > 20);
    CHECK(source.peak_bytes() <= 3 << 20);
}

/// A store over two nodes and a tier.
struct tiered_store {
    test_tier_memory memory;
    test_source source;
    partitioned_store<with_tier> store{source,
                                       {.limit_bytes = 320 * 1024, .partitions = 2, .seed = 1},
                                       default_config::compressor_type{},
                                       default_config::admission_type{},
                                       by_node{two_nodes{}},
                                       default_config::eviction_type{},
                                       test_tier{memory}};
};

TEST_CASE("values: what a tier keeps comes back as long as it was") {
    tiered_store x;
    model m{x.store, {.on_pressure = pressure_action::demote}, promise::kept, 4};
    run(m, 5000);
    CHECK(x.store.stats().written_back_pages > 100);
    CHECK(x.store.stats().promoted_pages > 10);
    CHECK(x.store.stats().tier_read_fail == 0);
}

TEST_CASE("values: values move to another node as they are, those in the tier too") {
    tiered_store x;
    model m{x.store, {.node = node_id{0}, .on_pressure = pressure_action::demote}, promise::kept, 5};
    for (unsigned i = 0; i < 3000; ++i) {
        CAPTURE(i);
        REQUIRE(m.step());
        if (i % 10 == 0) {
            const status s = x.store.set_node(m.pool(), static_cast<node_id>(i / 500 % 2), false, 16 * 1024);
            REQUIRE((s == status::ok || s == status::busy || s == status::limit));
        }
    }
    CHECK(x.store.stats().pages_migrated > 100);
    CHECK(m.all_read());
    CHECK(m.holds());
}

TEST_CASE("values: a pool that has a cap is charged for what its values take") {
    test_source source;
    partitioned_store<usual> store{source, {.partitions = 1, .seed = 1}};
    constexpr std::size_t cap = 256 * 1024;
    for (const std::size_t length : {std::size_t{100}, std::size_t{1000}, std::size_t{2000}, std::size_t{4000}}) {
        CAPTURE(length);
        const pool_id pool = store.create_pool({.cap_bytes = cap}).value();
        std::uint64_t kept = 0;
        while (kept < 10000 && store.put({pool, 1, kept}, value_of(length, page_kind::random, kept)) == status::ok) {
            ++kept;
        }
        const pool_stats s = store.statistics_of(pool).value();
        CHECK(s.stored_pages == kept);
        CHECK(s.used_bytes <= cap);
        CHECK(s.compr_data_size == kept * length);
        CHECK(kept * length > cap * 7 / 10); // an entry, a tag, and what a size class leaves
        CHECK(store.destroy_pool(pool) == status::ok);
    }
}

TEST_CASE("values: threads each find their own values, as long as they were") {
    test_source source;
    partitioned_store<usual> store{source, {.limit_bytes = 1 << 20, .partitions = 3, .seed = 1}};
    std::atomic<unsigned> wrong{0};
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            const promise given = t == 0 ? promise::kept : promise::dropped;
            model m{store, t == 0 ? pool_options{.reserved_bytes = 512 * 1024} : dropping, given, 10 + t};
            for (unsigned i = 0; i < 2000; ++i) {
                wrong += m.step_among_others() ? 0u : 1u;
            }
            wrong += m.all_read() ? 0u : 1u;
        });
    }
    std::thread warden{[&] {
        for (unsigned i = 0; !is_over; ++i) {
            static_cast<void>(store.shrink(64 * 1024));
            static_cast<void>(store.compact(256 * 1024));
            static_cast<void>(store.resize((i % 3 + 2) << 19));
        }
    }};
    for (std::thread& one : threads) {
        one.join();
    }
    is_over = true;
    warden.join();
    CHECK(wrong == 0);
    CHECK(store.stats().decompress_fail == 0);
    CHECK(store.check());
}

TEST_CASE("values: each memory that is refused once loses nothing that was accepted") {
    for (std::uint64_t nth = 1; nth < 120; nth += 1 + nth / 12) {
        CAPTURE(nth);
        test_source source;
        partitioned_store<usual> store{source, {.partitions = 1, .seed = 1}};
        model m{store, {}, promise::kept, nth};
        source.refuse_nth(nth);
        for (unsigned i = 0; i < 400; ++i) {
            REQUIRE(m.step());
        }
        CHECK(m.all_read());
        CHECK(m.holds());
    }
}

} // namespace
} // namespace pagefold::testing::model_values
