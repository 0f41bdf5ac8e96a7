// SPDX-License-Identifier: MIT
//
// More threads than slots of scratch: each has a slot to itself, none waits for ever (the case would not end), and what is
// trimmed meanwhile is never in use.

#include "support/node_part_table.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/platform/host_parking.hpp>
#include <pagefold/store/scratch_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_scratch_pool {
namespace {

/// Keeps in its scratch how many have used it.
struct counting_codec {
    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 64; }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        store_native(scratch.data(), std::uint64_t{0});
        return status::ok;
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n; }
};

/// Sleeps in the kernel, but some waits return at once, and it loses the processor in between.
struct restless_parking : host_parking {
    static inline atomic<unsigned> calls{0};

    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        if (calls.fetch_add(1, memory_order::relaxed) % 5 == 0) {
            std::this_thread::yield();
        } else {
            host_parking::wait(word, value);
        }
    }
};

/// A thread that is on another of three nodes at every call, or on one that nobody knows.
struct wandering_locality {
    static inline atomic<unsigned> calls{0};

    [[nodiscard]] static node_id current() noexcept {
        return static_cast<node_id>(calls.fetch_add(1, memory_order::relaxed) % 4);
    }
};

struct contest_result {
    std::uint64_t turns = 0;  // as the threads counted
    std::uint64_t noted = 0;  // as the slots did; less where one was trimmed
    std::uint64_t errors = 0; // two in one slot, or none where there must be one
};

template <unsigned Slots, class Parking, std::size_t Nodes = 1>
contest_result contest(unsigned thread_count, unsigned turns, bool is_trimmed) {
    const counting_codec codec;
    test_source source;
    byte_budget budget{~std::size_t{0}};
    limited_source limited{source, budget};
    presence at_locks;
    node_part_table<Nodes> parts{source, budget};
    scratch_pool<counting_codec, Slots, Parking, false, wandering_locality> pool{codec, 4096, limited, budget,
                                                                                 at_locks};
    if (Nodes > 1) {
        pool.set_nodes(parts.data(), Nodes);
    }
    REQUIRE(pool.set_up() == status::ok);
    std::atomic<std::uint64_t> errors{0}, done{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < thread_count; ++t) {
        threads.emplace_back([&, t] {
            rng random{t + 1};
            for (unsigned i = 0; i < turns; ++i) {
                if (is_trimmed && random.one_in(20)) {
                    static_cast<void>(
                        pool.trim(random.one_in(2) ? any_node : static_cast<node_id>(random.below(Nodes))));
                    parts.data()[random.below(Nodes)].budget.set_limit(random.below(4) * 3 * 4096);
                    source.refuse_nth(random.one_in(50) ? 1 : 0);
                    errors += pool.kept_free() > 8 * 3 * 4096 ? 1 : 0;
                }
                const auto lease = pool.acquire();
                if (!lease) {
                    ++errors;
                    continue;
                }
                // Plain reads and writes: a race detector watches.
                store_native(lease.buffer().data(), std::uint64_t{t});
                const auto before = load_native<std::uint64_t>(lease.scratch().data());
                if (random.one_in(3)) {
                    std::this_thread::yield(); // loses the processor while it has the slot
                }
                errors += load_native<std::uint64_t>(lease.buffer().data()) == t ? 0 : 1;
                store_native(lease.scratch().data(), before + 1);
                ++done;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(source.acquisitions() > (is_trimmed && thread_count > 2 ? 20 : 0));
    source.refuse_nth(0);
    contest_result r{.turns = done, .errors = errors};
    CHECK(pool.bytes() == source.bytes_held());
    CHECK(pool.bytes() == budget.used());
    static_cast<void>(pool.trim());
    CHECK(pool.bytes() == 3 * 4096);
    for (std::size_t i = 0; i < Nodes; ++i) {
        CHECK(pool.bytes_on(parts.data()[i]) == parts.data()[i].budget.used());
    }
    const auto lease = pool.acquire();
    REQUIRE(static_cast<bool>(lease));
    r.noted = load_native<std::uint64_t>(lease.scratch().data());
    return r;
}

} // namespace

TEST_CASE_TEMPLATE("scratch_pool: 32 threads and one slot", Parking, host_parking, restless_parking) {
    const contest_result r = contest<1, Parking>(32, 1500, false);
    CHECK(r.errors == 0);
    CHECK(r.turns == 32 * 1500);
    CHECK(r.noted == r.turns);
}

TEST_CASE_TEMPLATE("scratch_pool: slots that come and go under many threads", Parking, host_parking, restless_parking) {
    for (const unsigned threads : {2u, 7u, 16u}) {
        CAPTURE(threads);
        const contest_result two = contest<2, Parking>(threads, 20000 / threads, true);
        CHECK(two.errors == 0);
        CHECK(two.turns == 20000 / threads * threads);
        const contest_result many = contest<64, Parking>(threads, 20000 / threads, true);
        CHECK(many.errors == 0);
        CHECK(many.turns == 20000 / threads * threads);
        const contest_result on_nodes = contest<4, Parking, 3>(threads, 20000 / threads, true);
        CHECK(on_nodes.errors == 0);
        CHECK(on_nodes.turns == 20000 / threads * threads);
    }
}

} // namespace pagefold::testing::stress_scratch_pool
