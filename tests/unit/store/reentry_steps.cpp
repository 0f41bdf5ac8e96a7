// SPDX-License-Identifier: MIT
//
// A call of the store interrupted in front of every machine instruction of its own by another of the same thread. The other one
// works or answers busy; it never waits, which would be for ever, and both leave the store whole.

#include "support/prefix_codec.hpp"
#include "support/signal_safe_source.hpp"
#include "support/stepped.hpp"

#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/parking_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace pagefold::testing::unit_store_reentry_steps {
namespace {

template <unsigned Scratch>
struct stepped_config : default_config {
    using compressor_type = prefix_codec;
    using parking_type = stepped_parking;
    using lock_type = parking_lock<stepped_parking>;
    static constexpr unsigned max_scratch = Scratch;
};
struct unlocked_config : stepped_config<1> {
    using lock_type = null_lock;
};

template <class Store>
struct scene {
    static constexpr std::uint64_t keys = 8;          // of the handler's
    static constexpr std::uint64_t most_steps = 5000; // some machines take 100 us for each

    scene() : store{source, {.limit_bytes = 400'000, .partitions = 2, .seed = 7}} {
        kept = store.create_pool().value();
        cache = store.create_pool({.kind = pool_kind::ephemeral}).value();
        for (std::uint64_t i = 0; i < keys; ++i) {
            write_prefix_page(page, 64, i);
            version[i] = i;
            REQUIRE(store.put({kept, 1, i}, page) == status::ok);
            REQUIRE(store.put({kept, 2, i}, page) == status::ok);
        }
    }

    /// What the handler does: a call of each kind, of pages that only it writes to.
    void interrupt() {
        const std::uint64_t turn = ++turns, i = turn % keys;
        const page_key key{kept, 2, i};
        write_prefix_page(inner, 64, turn);
        status s = note(store.put(key, inner));
        version[i] = s == status::ok ? turn : version[i];
        s = note(store.get(key, inner));
        check_read(s, i);
        if (turn % 3 == 0) {
            s = note(store.erase(key));
            version[i] = s == status::busy ? version[i] : gone;
        } else if (turn % 3 == 1) {
            s = note(store.take(key, inner));
            check_read(s, i);
            version[i] = s == status::ok ? gone : version[i];
        } else {
            const result<std::size_t> erased = store.erase_range(kept, 2, i, 2);
            static_cast<void>(note(erased ? status::ok : erased.error()));
            for (std::uint64_t n = i; erased && n < i + 2 && n < keys; ++n) {
                version[n] = gone;
            }
        }
    }
    status note(status s) {
        busy += s == status::busy ? 1 : 0;
        worked += s == status::ok ? 1 : 0;
        errors += s == status::ok || s == status::busy || s == status::not_found ? 0 : 1;
        return s;
    }
    void check_read(status s, std::uint64_t i) {
        const bool is_there = version[i] != gone;
        const bool is_right = s == status::busy || (s == status::not_found && !is_there) ||
                              (s == status::ok && is_there && is_prefix_page(inner, 64, version[i]));
        errors += is_right ? 0 : 1;
    }

    /// Steps through `work`, which must come out as if nothing had interrupted it.
    template <class Work>
    void step_through(const std::string& name, Work work) {
        CAPTURE(name);
        const std::uint64_t steps = stepped::run(
            most_steps, [&] { outcome = work(); }, [this] { interrupt(); });
        CHECK(outcome == status::ok);
        REQUIRE(stepped::stuck() == 0);
        CHECK(steps > 50);
        CHECK(errors == 0);
        REQUIRE(store.check());
    }

    void run() {
        for (const std::uint64_t size : {300u, 4096u}) {
            const std::string raw = size == 4096 ? " raw" : "";
            const page_key key{kept, 1, 3}, other{kept, 1, 40};
            write_prefix_page(page, size, size);
            step_through("replace" + raw, [&] { return store.put(key, page); });
            step_through("get" + raw, [&] { return store.get(key, out); });
            CHECK(out == page);
            step_through("put" + raw, [&] { return store.put(other, page); });
            out.fill(std::byte{0});
            step_through("take" + raw, [&] { return store.take(other, out); });
            CHECK(out == page);
            step_through("erase" + raw, [&] { return store.erase(key); });
        }
        step_through("erase a range", [this] {
            const result<std::size_t> erased = store.erase_range(kept, 1, 0, 6);
            return erased.value_or(0) == 5 ? status::ok : status::not_found;
        });
        write_prefix_page(page, 3000, 1);
        while (store.stats().evicted_pages == 0) {
            REQUIRE(store.put({cache, 1, cached++}, page) == status::ok);
        }
        step_through("put at the limit", [this] { return store.put({cache, 1, cached++}, page); });
        for (std::uint64_t i = 0; i < cached; i += 2) {
            static_cast<void>(store.erase({cache, 1, i}));
        }
        step_through("compact", [this] {
            static_cast<void>(store.compact(10'000));
            return status::ok;
        });
        step_through("shrink", [this] {
            static_cast<void>(store.shrink(5000));
            return status::ok;
        });
        CHECK(worked > 100);
        CHECK(busy > 100);
        for (std::uint64_t i = 0; i < keys; ++i) {
            check_read(store.get({kept, 2, i}, inner), i);
        }
        CHECK(errors == 0);
        CHECK(store.stats().decompress_fail == 0);
        CHECK(store.stats().total_bytes == source.bytes_held());
    }

    static constexpr std::uint64_t gone = ~std::uint64_t{0};
    signal_safe_source source;
    Store store;
    pool_id kept{}, cache{};
    prefix_page page, out, inner;
    std::uint64_t version[keys]{}, turns = 1000, cached = 0, busy = 0, worked = 0, errors = 0;
    status outcome = status::ok;
};

template <class Store>
void step_through_all() {
    if constexpr (!stepped::is_possible) {
        MESSAGE("skipped: this machine does not step, or not under ThreadSanitizer");
    } else {
        const auto all = std::make_unique<scene<Store>>();
        all->run();
    }
}

TEST_CASE("reentry: a signal at any instruction, and one scratch") {
    step_through_all<page_store<stepped_config<1>>>();
}
TEST_CASE("reentry: a signal at any instruction, and scratch for both") {
    step_through_all<page_store<stepped_config<64>>>();
}
TEST_CASE("reentry: a signal at any instruction, and two partitions") {
    step_through_all<partitioned_store<stepped_config<2>>>();
}
TEST_CASE("reentry: a signal at any instruction, in a store without locks") {
    step_through_all<page_store<unlocked_config>>();
}

} // namespace
} // namespace pagefold::testing::unit_store_reentry_steps
