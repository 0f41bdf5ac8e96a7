// SPDX-License-Identifier: MIT

#include "support/node_part_table.hpp"
#include "support/node_test_source.hpp"
#include "support/one_processor.hpp"
#include "support/played_locality.hpp"
#include "support/rng.hpp"
#include "support/stepped.hpp"
#include "support/test_source.hpp"

#include <pagefold/compress/concept.hpp>
#include <pagefold/store/scratch_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_store_scratch_pool {
namespace {

/// Asks for 100 bytes of scratch and writes 7 into the first.
struct needy {
    int* prepared = nullptr;
    status answer = status::ok;

    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 100; }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept {
        ++*prepared;
        scratch[0] = std::byte{7};
        return answer;
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n + 50; }
};

/// Several threads played by one that never waits: who calls is what the test says.
struct played_parking {
    static inline std::uintptr_t caller = 1;
    static inline unsigned calls = 0;

    static void wait(atomic<std::uint32_t>&, std::uint32_t) noexcept { std::abort(); } // nobody would wake it
    static void wake_one(atomic<std::uint32_t>&) noexcept { ++calls; }
    static void wake_all(atomic<std::uint32_t>&) noexcept { ++calls; }
    [[nodiscard]] static std::uintptr_t self() noexcept { return caller; }
};
/// A host that can't tell its threads apart.
struct nameless_parking : played_parking {
    [[nodiscard]] static std::uintptr_t self() noexcept { return 0; }
};

constexpr std::size_t slot_bytes = 3 * 4096; // 100 bytes, a stream of 4096 + 50, and a page

template <unsigned Slots, class Parking = played_parking, bool Exclusive = false>
struct fixture {
    using pool_type = scratch_pool<needy, Slots, Parking, Exclusive, no_locality>;
    using lease = typename pool_type::lease;

    explicit fixture(std::size_t limit = ~std::size_t{0}) : budget{limit} {
        played_parking::caller = 1;
        played_parking::calls = 0;
    }
    pool_type& ready() {
        REQUIRE(pool.set_up() == status::ok);
        return pool;
    }
    /// A lease of the thread of this token.
    lease by(std::uintptr_t token) {
        played_parking::caller = token;
        return pool.acquire();
    }

    int prepared = 0;
    needy codec{&prepared};
    test_source source;
    byte_budget budget;
    limited_source limited{source, budget};
    presence at_locks;
    pool_type pool{codec, 4096, limited, budget, at_locks};
};

/// A lease that ends when the test says so.
template <class Pool>
class long_lease {
public:
    explicit long_lease(Pool& pool) noexcept : lease_{pool.acquire()} {}
    [[nodiscard]] const typename Pool::lease& operator*() const noexcept { return lease_; }

private:
    typename Pool::lease lease_;
};
template <class Pool>
using leases = std::deque<std::optional<long_lease<Pool>>>;

/// One more lease, by the thread of this token.
template <class Pool>
void add_lease(leases<Pool>& held, Pool& pool, std::uintptr_t token) {
    played_parking::caller = token;
    held.emplace_back(std::in_place, pool);
}

bool is_inside(byte_view part, const std::byte* begin, std::size_t size) {
    return part.data() >= begin && part.data() + part.size() <= begin + size;
}

__attribute__((noinline)) bool acquire_deep(auto& f, unsigned depth, std::uintptr_t token) {
    volatile char pad[8192];
    pad[0] = 1;
    pad[8191] = 1;
    const bool is_given = static_cast<bool>(f.by(token));
    const bool are_given = depth == 0 || acquire_deep(f, depth - 1, token);
    return is_given && are_given && pad[0] == 1;
}

} // namespace

TEST_CASE("scratch_pool: at a standstill there is no lease, and afterwards there are as many as before") {
    for (const bool alone : {false, true}) {
        fixture<4> f;
        auto& pool = f.ready();
        {
            leases<fixture<4>::pool_type> held; // two slots have memory
            add_lease(held, pool, 1);
            add_lease(held, pool, 2);
            played_parking::caller = 2;
            CHECK_FALSE(pool.quiesce()); // it has one itself
        }
        played_parking::caller = 3;
        REQUIRE(pool.quiesce());
        CHECK_FALSE(pool.quiesce());
        CHECK_FALSE(static_cast<bool>(f.by(3)));
        CHECK(pool.trim() == 0);
        CHECK(played_parking::calls == 0);
        alone ? pool.resume_alone() : pool.resume();
        leases<fixture<4>::pool_type> held;
        for (std::uintptr_t token = 1; token <= 4; ++token) {
            add_lease(held, pool, token);
            CHECK(static_cast<bool>(**held.back()));
        }
        CHECK(played_parking::calls == 0);
    }
    fixture<2, played_parking, true> one_thread;
    auto& pool = one_thread.ready();
    REQUIRE(pool.quiesce());
    CHECK_FALSE(pool.quiesce());
    CHECK_FALSE(static_cast<bool>(one_thread.by(1)));
    pool.resume();
    CHECK(static_cast<bool>(one_thread.by(1)));
    fixture<2, nameless_parking> nameless; // who can't tell its threads apart must not fork inside an operation
    REQUIRE(nameless.ready().quiesce());
    nameless.pool.resume();
    CHECK(static_cast<bool>(nameless.by(1)));
}

TEST_CASE("scratch_pool: a lease has a prepared scratch, room for a stream and for a page, side by side") {
    fixture<4> f;
    CHECK(f.source.acquisitions() == 0);
    auto& pool = f.ready();
    const auto lease = pool.acquire();
    REQUIRE(static_cast<bool>(lease));
    CHECK(lease.scratch().size() == 100);
    CHECK(lease.scratch()[0] == std::byte{7});
    CHECK(lease.buffer().size() == 4096 + 50);
    CHECK(lease.page().size() == 4096);
    CHECK(reinterpret_cast<std::uintptr_t>(lease.scratch().data()) % scratch_alignment == 0);
    CHECK(lease.buffer().data() >= lease.scratch().data() + lease.scratch().size());
    CHECK(lease.page().data() >= lease.buffer().data() + lease.buffer().size());
    CHECK(is_inside(lease.page(), lease.scratch().data(), slot_bytes));
    std::memset(lease.scratch().data(), 1, lease.scratch().size()); // a sanitizer watches the ends
    std::memset(lease.buffer().data(), 2, lease.buffer().size());
    std::memset(lease.page().data(), 3, lease.page().size());
    CHECK(lease.scratch()[99] == std::byte{1});
    CHECK(lease.buffer()[4096 + 49] == std::byte{2});
    CHECK(f.source.bytes_held() == slot_bytes);
    CHECK(pool.bytes() == slot_bytes);
}

TEST_CASE("scratch_pool: the first scratch comes with set_up, once, or set_up says why not") {
    fixture<4> f{4096};
    f.source.refuse_nth(1);
    CHECK(f.pool.set_up() == status::limit);
    f.budget.set_limit(slot_bytes);
    CHECK(f.pool.set_up() == status::no_memory);
    f.codec.answer = status::invalid;
    CHECK(f.pool.set_up() == status::invalid);
    CHECK(f.pool.bytes() == 0);
    CHECK(f.source.bytes_held() == 0);
    f.codec.answer = status::ok;
    CHECK(f.pool.set_up() == status::ok);
    CHECK(f.pool.set_up() == status::ok);
    CHECK(f.pool.bytes() == slot_bytes);
    CHECK(f.prepared == 2);
}

TEST_CASE("scratch_pool: the first scratch is never lost") {
    fixture<4> f;
    auto& pool = f.ready();
    f.source.refuse_all(true);
    f.budget.set_limit(0);
    for (int i = 0; i < 10; ++i) {
        CHECK(pool.trim() == 0);
        const auto lease = pool.acquire();
        CHECK(static_cast<bool>(lease));
        CHECK(lease.scratch()[0] == static_cast<std::byte>(7 + i)); // as it was left, and not prepared again
        lease.scratch()[0] = static_cast<std::byte>(8 + i);
    }
    CHECK(f.prepared == 1);
    CHECK(pool.bytes() == slot_bytes);
}

TEST_CASE("scratch_pool: threads one after another share one scratch") {
    fixture<64> f;
    f.ready();
    for (std::uintptr_t token = 1; token <= 200; ++token) {
        CHECK(static_cast<bool>(f.by(token * 4096)));
    }
    CHECK(f.pool.bytes() == slot_bytes);
    CHECK(f.source.acquisitions() == 1);
    CHECK(played_parking::calls == 0);
}

TEST_CASE_TEMPLATE("scratch_pool: one thread has one scratch, from whatever depth of its stack", Parking,
                   played_parking, nameless_parking) {
    fixture<64, Parking> f;
    f.ready();
    CHECK(acquire_deep(f, 100, 77));
    CHECK(f.pool.bytes() == slot_bytes);
    CHECK(f.source.acquisitions() == 1);
}

TEST_CASE("scratch_pool: it grows only when every scratch is taken, and by one") {
    fixture<5> f;
    f.ready();
    std::set<const std::byte*> memory;
    const auto one = f.by(1), two = f.by(2), three = f.by(3);
    for (const auto* const lease : {&one, &two, &three}) {
        REQUIRE(static_cast<bool>(*lease));
        memory.insert(lease->scratch().data());
    }
    CHECK(memory.size() == 3);
    CHECK(f.pool.bytes() == 3 * slot_bytes);
    {
        const auto four = f.by(4);
        CHECK(f.pool.bytes() == 4 * slot_bytes);
        memory.insert(four.scratch().data());
    }
    for (std::uintptr_t token = 5; token < 100; ++token) { // whatever the token: the free one
        const auto again = f.by(token);
        CHECK(memory.count(again.scratch().data()) == 1);
    }
    CHECK(f.pool.bytes() == 4 * slot_bytes);
    CHECK(f.prepared == 4);
    CHECK(played_parking::calls == 0);
}

TEST_CASE("scratch_pool: a source that refuses is asked once, and then not for a while") {
    fixture<8> f;
    f.ready();
    const auto first = f.by(1);
    f.source.refuse_all(true);
    // A thread that has one already is answered at once where another would wait.
    CHECK_FALSE(static_cast<bool>(f.by(1)));
    CHECK(f.source.acquisitions() == 2);
    for (unsigned i = 0; i < 1000; ++i) {
        CHECK_FALSE(static_cast<bool>(f.by(1)));
    }
    CHECK(f.source.acquisitions() == 2);
    f.source.refuse_all(false);
    unsigned calls = 0;
    while (!static_cast<bool>(f.by(1))) {
        REQUIRE(++calls < 100); // 1024 in all
    }
    CHECK(f.source.acquisitions() == 3);
    CHECK(f.pool.bytes() == 2 * slot_bytes);
}

TEST_CASE("scratch_pool: what the codec refuses goes back, and counts as a refusal") {
    fixture<8> f;
    f.ready();
    const auto first = f.by(1);
    f.codec.answer = status::invalid;
    for (unsigned i = 0; i < 100; ++i) {
        CHECK_FALSE(static_cast<bool>(f.by(1)));
    }
    CHECK(f.prepared == 2);
    CHECK(f.source.bytes_held() == slot_bytes);
    CHECK(f.budget.used() == slot_bytes);
}

TEST_CASE("scratch_pool: room for the first eight is kept free, a 64th of the limit at most, and a 32nd for four") {
    fixture<64> f{64 * 100 * slot_bytes};
    CHECK(f.pool.kept_free() == 8 * slot_bytes);
    f.ready();
    CHECK(f.pool.kept_free() == 7 * slot_bytes);
    f.budget.set_limit(64 * 5 * slot_bytes);
    CHECK(f.pool.kept_free() == 5 * slot_bytes);
    f.budget.set_limit(64 * 2 * slot_bytes);
    CHECK(f.pool.kept_free() == 3 * slot_bytes); // of four, one is there
    f.budget.set_limit(32 * 2 * slot_bytes);
    CHECK(f.pool.kept_free() == 2 * slot_bytes);
    f.budget.set_limit(0);
    CHECK(f.pool.kept_free() == 0);
    f.budget.set_limit(~std::size_t{0});
    {
        leases<fixture<64>::pool_type> held;
        for (std::size_t token = 1; token <= 9; ++token) {
            const std::size_t have = std::clamp<std::size_t>(token - 1, 1, 8);
            CHECK(f.pool.kept_free() == (8 - have) * slot_bytes);
            add_lease(held, f.pool, token);
        }
    }
    CHECK(f.pool.bytes() == 9 * slot_bytes);
    CHECK(f.pool.kept_free() == 0);
    CHECK(f.pool.trim() == 8 * slot_bytes);
    CHECK(f.pool.kept_free() == 7 * slot_bytes);

    fixture<2> few;
    CHECK(few.pool.kept_free() == 2 * slot_bytes);
}

TEST_CASE("scratch_pool: trim gives back what nobody uses, and it can be had again") {
    fixture<4> f;
    f.ready();
    {
        const auto one = f.by(1);
        {
            const auto two = f.by(2), three = f.by(3);
            CHECK(f.pool.trim() == 0);
        }
        CHECK(f.pool.bytes() == 3 * slot_bytes);
        const std::size_t freed = f.pool.trim(); // the first one stays, and so does the one in use
        CHECK(freed == 2 * slot_bytes);
        CHECK(f.pool.bytes() == slot_bytes);
        CHECK(f.source.bytes_held() == slot_bytes);
        const auto again = f.by(4);
        CHECK(static_cast<bool>(again));
        CHECK(again.scratch()[0] == std::byte{7});
        CHECK(f.prepared == 4);
    }
    CHECK(f.pool.trim() == slot_bytes);
    CHECK(f.pool.trim() == 0);
    CHECK(f.budget.used() == slot_bytes);
    leases<decltype(f.pool)> held;
    for (std::uintptr_t thread = 1; thread <= 4; ++thread) { // all of them, whoever has had which
        add_lease(held, f.pool, thread);
        CHECK(static_cast<bool>(**held.back()));
    }
}

TEST_CASE("scratch_pool: who interrupts itself is answered, and waits for nobody") {
    fixture<2> f;
    f.ready();
    leases<fixture<2>::pool_type> held;
    add_lease(held, f.pool, 1);
    CHECK(static_cast<bool>(f.by(1))); // there is another one
    add_lease(held, f.pool, 2);
    CHECK_FALSE(static_cast<bool>(f.by(1)));
    CHECK_FALSE(static_cast<bool>(f.by(2)));
    held.pop_front();
    CHECK(static_cast<bool>(f.by(1)));
    CHECK(static_cast<bool>(f.by(2)));
    CHECK(played_parking::calls == 0);
}

TEST_CASE("scratch_pool: who interrupts its thread at a partition's lock gets a slot that is free, and asks the source "
          "for none") {
    fixture<4> f;
    f.ready();
    const presence::stay stay{f.at_locks, 5};
    CHECK(static_cast<bool>(f.by(5)));
    const auto one = f.by(1);
    const std::uint64_t before = f.source.acquisitions();
    CHECK_FALSE(static_cast<bool>(f.by(5)));
    CHECK(f.source.acquisitions() == before);
    CHECK(static_cast<bool>(f.by(6)));
    CHECK(f.source.acquisitions() == before + 1);
}

TEST_CASE("scratch_pool: where one thread at a time uses the store, a slot that is taken was taken by itself") {
    fixture<2, played_parking, true> f;
    f.ready();
    for (unsigned i = 0; i < 3; ++i) {
        leases<fixture<2, played_parking, true>::pool_type> held;
        add_lease(held, f.pool, 1);
        CHECK(static_cast<bool>(f.by(2)));
        add_lease(held, f.pool, 3);
        CHECK_FALSE(static_cast<bool>(f.by(4)));
    }
    CHECK(f.pool.bytes() == 2 * slot_bytes);
    CHECK(played_parking::calls == 0);
}

/// A source that asks for a scratch while it is asked for one.
struct calling_source {
    test_source memory;
    std::function<void()> call;

    [[nodiscard]] std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (call) {
            call();
        }
        return memory.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept {
        if (call) {
            call();
        }
        memory.release(p, pages);
    }
};

TEST_CASE("scratch_pool: a source that calls back from within a request is not asked again") {
    int prepared = 0;
    const needy codec{&prepared};
    calling_source source;
    byte_budget budget{~std::size_t{0}};
    limited_source limited{source, budget};
    presence at_locks;
    using pool_type = scratch_pool<needy, 64, played_parking, false, no_locality>;
    pool_type pool{codec, 4096, limited, budget, at_locks};
    played_parking::caller = 1;
    REQUIRE(pool.set_up() == status::ok);
    unsigned calls = 0, given = 0;
    source.call = [&] {
        ++calls;
        given += static_cast<bool>(pool.acquire()) ? 1 : 0;
    };
    {
        leases<pool_type> held;
        add_lease(held, pool, 1);
        add_lease(held, pool, 1);
        CHECK(static_cast<bool>(**held.back()));
        CHECK(calls == 1);
        CHECK(given == 0);
    }
    CHECK(pool.trim() == slot_bytes);
    CHECK(calls == 2);
    CHECK(given == 1); // the first one was free
    source.call = nullptr;
}

// Waiting, on one processor that takes nobody off it.

TEST_CASE("scratch_pool: as many leases as slots, and the next thread sleeps until one ends") {
    fixture<2, one_processor> f;
    auto& pool = f.ready();
    std::vector<std::string> order;
    const auto holder = [&](const char* name) {
        return [&, name] {
            const auto lease = pool.acquire();
            order.push_back(std::string{name} + " has one");
            one_processor::yield();
            order.push_back(std::string{name} + " ends");
        };
    };
    one_processor::run({holder("a"), holder("b"), [&] {
                            const auto lease = pool.acquire();
                            order.push_back(static_cast<bool>(lease) ? "c has one" : "c has none");
                        }});
    CHECK(order == std::vector<std::string>{"a has one", "b has one", "a ends", "b ends", "c has one"});
    CHECK(one_processor::waits() == 1);
    CHECK(one_processor::wakes() == 2); // b's too, as c was not there yet
    CHECK(pool.bytes() == 2 * slot_bytes);
}

/// Is preempted in front of every sleep, after its last look.
struct late_parking : one_processor {
    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        one_processor::yield();
        one_processor::wait(word, value);
    }
};

TEST_CASE("scratch_pool: a slot given back between a waiter's look and its sleep is not missed") {
    fixture<1, late_parking> f;
    auto& pool = f.ready();
    unsigned given = 0;
    one_processor::run({[&] {
                            const auto lease = pool.acquire();
                            one_processor::yield();
                        },
                        [&] { given += static_cast<bool>(pool.acquire()) ? 1 : 0; }});
    CHECK(given == 1);
}

TEST_CASE("scratch_pool: a thread that works without a pause gives a waiter one of 16 turns") {
    for (const std::size_t others : {1u, 2u, 5u}) {
        CAPTURE(others);
        fixture<1, one_processor> f;
        auto& pool = f.ready();
        constexpr unsigned rounds = 50;
        unsigned turns_of_others = 0, sum = 0, most = 0;
        bool has_ended = false;
        std::vector<std::function<void()>> bodies;
        bodies.emplace_back([&] {
            for (unsigned round = 0; round < rounds; ++round) {
                {
                    const auto lease = pool.acquire();
                    one_processor::yield(); // the others come, and sleep
                }
                unsigned turns = 0;
                for (const unsigned before = turns_of_others; turns_of_others == before && turns < 1000; ++turns) {
                    const auto lease = pool.acquire();
                }
                most = std::max(most, turns);
                sum += turns;
            }
            has_ended = true;
        });
        for (std::size_t i = 0; i < others; ++i) {
            bodies.emplace_back([&] {
                while (!has_ended) {
                    {
                        const auto lease = pool.acquire();
                        ++turns_of_others;
                    }
                    one_processor::yield();
                }
            });
        }
        one_processor::run(std::move(bodies));
        CHECK(most <= 16);
        CHECK(sum >= rounds * 8); // but it is not handed over each time
    }
}

TEST_CASE("scratch_pool: a slot whose waiter found another one serves whoever comes next, and can be trimmed") {
    for (const bool is_trimmed : {false, true}) {
        fixture<2, one_processor> f;
        auto& pool = f.ready();
        one_processor::run({[&] {
                                one_processor::yield();
                                const auto lease = pool.acquire(); // the second slot
                                one_processor::yield();
                            }, // handed over
                            [&] {
                                const auto lease = pool.acquire(); // the first
                                one_processor::yield();
                                one_processor::yield();
                            }, // free, and found before the other
                            [&] {
                                one_processor::yield();
                                CHECK(static_cast<bool>(pool.acquire()));
                            }});
        CHECK(one_processor::waits() == 1);
        CHECK(pool.bytes() == 2 * slot_bytes);
        if (is_trimmed) {
            CHECK(pool.trim() == slot_bytes);
        } else {
            const long_lease one{pool};
            CHECK(static_cast<bool>(*one));
            CHECK(static_cast<bool>(pool.acquire()));
            CHECK(f.source.acquisitions() == 2);
        }
    }
}

/// Says whether the thread that a test takes its processor from has come to its sleep.
struct noted_parking : one_processor {
    static inline bool has_come = false;

    static void wait(atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
        has_come = has_come || me() == 2;
        one_processor::wait(word, value);
    }
};

TEST_CASE("scratch_pool: who waits behind others is not forgotten, wherever it loses the processor") {
    // In front of which of its instructions. Unoptimised there are some thousands of them up to its sleep.
    std::uint64_t preempted_at = 0;
    unsigned given = 0, cases = 0;
    bool is_preempted = true;
    while (is_preempted) {
        preempted_at += 1 + preempted_at / 100;
        fixture<2, noted_parking> f;
        auto& pool = f.ready();
        std::uint64_t steps = 0;
        is_preempted = noted_parking::has_come = false;
        one_processor::run({[&] {
                                std::optional<long_lease<decltype(f)::pool_type>> first{pool};
                                const long_lease second{pool};
                                one_processor::yield();
                                one_processor::yield();
                                first.reset(); // handed over; the second is free, and found before it
                            },
                            [&] {
                                given +=
                                    static_cast<bool>(pool.acquire()) ? 1 : 0; // waits for one, and finds the other
                                static_cast<void>(pool.trim());
                            },
                            [&] {
                                one_processor::yield(); // both are held, and the thread before this one waits
                                const auto work = [&] { given += static_cast<bool>(pool.acquire()) ? 1 : 0; };
                                const auto preempt = [&] {
                                    if (++steps == preempted_at && !noted_parking::has_come) {
                                        is_preempted = true;
                                        one_processor::yield();
                                    }
                                };
                                if constexpr (stepped::is_possible) {
                                    stepped::run(preempted_at, work, preempt);
                                } else {
                                    work();
                                }
                            }});
        ++cases;
    }
    CHECK(given == 2 * cases);
    CHECK((cases > 20 || !stepped::is_possible));
}

TEST_CASE("scratch_pool: whatever was handed to whom, in the end all slots are free, and can be trimmed") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        fixture<3, one_processor> f;
        auto& pool = f.ready();
        rng random{seed};
        std::vector<std::function<void()>> bodies;
        for (unsigned i = 0; i < 5; ++i) {
            bodies.emplace_back([&] {
                for (unsigned n = 0; n < 200; ++n) {
                    const auto lease = pool.acquire();
                    CHECK(static_cast<bool>(lease));
                    if (!random.one_in(3)) {
                        one_processor::yield();
                    }
                }
            });
        }
        one_processor::run(std::move(bodies));
        CHECK(one_processor::waits() > 0);
        CHECK(pool.bytes() == 3 * slot_bytes);
        CHECK(pool.trim() == 2 * slot_bytes);
        CHECK(static_cast<bool>(pool.acquire()));
    }
}

// Memory nodes.

namespace {

/// A machine with nodes 0, 1 and 2, of which the pool knows the first so many.
template <unsigned Slots, std::size_t Known, class Parking = played_parking>
struct node_fixture {
    using pool_type = scratch_pool<needy, Slots, Parking, false, played_locality>;

    explicit node_fixture(std::size_t pages_a_node = 1000) : source{pages_a_node} {
        played_parking::caller = 1;
        played_parking::calls = 0;
        played_locality::node = node_id{0};
        played_locality::asked = 0;
        pool.set_nodes(parts.data(), Known);
    }
    pool_type& ready() {
        REQUIRE(pool.set_up() == status::ok);
        return pool;
    }
    [[nodiscard]] node_part& part(std::size_t node) { return parts.data()[node]; }
    /// Where a lease's memory is.
    [[nodiscard]] std::size_t node_of(const typename pool_type::lease& lease) const {
        return source.node_at(lease.scratch().data());
    }
    /// The books: what is on each node is what its budget says, and all of it the whole's.
    void check() {
        std::size_t on_nodes = 0;
        for (std::size_t i = 0; i < Known; ++i) {
            CHECK(pool.bytes_on(part(i)) == part(i).budget.used());
            on_nodes += part(i).budget.used();
        }
        CHECK(pool.bytes() == budget.used());
        CHECK(on_nodes <= budget.used());
        CHECK(source.bytes_held() == budget.used());
    }

    int prepared = 0;
    needy codec{&prepared};
    node_test_source<3> source;
    byte_budget budget{~std::size_t{0}};
    limited_source limited{source, budget};
    presence at_locks;
    node_part_table<Known> parts{source, budget};
    pool_type pool{codec, 4096, limited, budget, at_locks};
};

void come_from(std::uintptr_t token, unsigned node) {
    played_parking::caller = token;
    played_locality::node = static_cast<node_id>(node);
}

TEST_CASE(
    "scratch_pool: a thread works on its processor's node, whatever is free elsewhere, and the bytes are that node's") {
    node_fixture<8, 3> f;
    auto& pool = f.ready();
    for (unsigned round = 0; round < 4; ++round) {
        for (unsigned node = 0; node < 3; ++node) {
            for (std::uintptr_t token = 1; token <= 20; ++token) {
                come_from(token * 4096, node);
                const auto lease = pool.acquire();
                REQUIRE(static_cast<bool>(lease));
                CHECK(f.node_of(lease) == node);
            }
        }
        CHECK(pool.bytes() == 3 * slot_bytes); // one thread at a time: one a node
    }
    CHECK(f.source.fallbacks() == 0);
    CHECK(f.prepared == 3);
    for (unsigned node = 0; node < 3; ++node) {
        CHECK(f.part(node).budget.used() == slot_bytes);
    }
    f.check();
}

TEST_CASE("scratch_pool: with one node nobody asks where it runs, and its scratch is there") {
    node_fixture<4, 1> f;
    auto& pool = f.ready();
    leases<decltype(f.pool)> held;
    for (std::uintptr_t token = 1; token <= 4; ++token) {
        come_from(token, 2);
        held.emplace_back(std::in_place, pool);
        CHECK(f.node_of(**held.back()) == 0);
    }
    CHECK(played_locality::asked == 0);
    CHECK(f.part(0).budget.used() == 4 * slot_bytes);
    f.check();
}

TEST_CASE("scratch_pool: on several nodes the host is asked once for each lease, not more when the pool grows") {
    node_fixture<4, 2> f;
    auto& pool = f.ready();
    CHECK(played_locality::asked == 1); // the first one is on the node of who made the pool
    for (unsigned n = 0; n < 10; ++n) {
        come_from(n + 1, n % 2);
        const auto lease = pool.acquire();
        CHECK(played_locality::asked == n + 2);
    }
}

TEST_CASE("scratch_pool: when all slots have memory, one of another node serves, and nobody waits while one is free") {
    node_fixture<3, 2> f;
    auto& pool = f.ready();
    {
        leases<decltype(f.pool)> held;
        for (std::uintptr_t token = 1; token <= 3; ++token) {
            come_from(token, 0);
            held.emplace_back(std::in_place, pool);
        }
    }
    CHECK(pool.bytes() == 3 * slot_bytes);
    leases<decltype(f.pool)> held;
    for (std::uintptr_t token = 1; token <= 3; ++token) { // all three, from afar
        come_from(token, 1);
        held.emplace_back(std::in_place, pool);
        REQUIRE(static_cast<bool>(**held.back()));
        CHECK(f.node_of(**held.back()) == 0);
    }
    CHECK_FALSE(static_cast<bool>(pool.acquire())); // who has one does not wait
    CHECK(pool.bytes() == 3 * slot_bytes);
    CHECK(played_parking::calls == 0);
    f.check();
}

TEST_CASE("scratch_pool: a processor on a node that the store is not on takes any slot, and has it grow anywhere") {
    node_fixture<3, 2> f;
    auto& pool = f.ready();
    for (const unsigned node : {2u, 77u, 0xffffu}) {
        come_from(node, node);
        CHECK(f.node_of(pool.acquire()) == 0); // what is there
    }
    CHECK(pool.bytes() == slot_bytes);
    come_from(1, 0);
    const auto first = pool.acquire();
    come_from(2, 2);
    const auto second = pool.acquire();
    CHECK(static_cast<bool>(second));
    CHECK(pool.bytes() == 2 * slot_bytes);
    CHECK(f.part(0).budget.used() == slot_bytes);
    CHECK(f.part(1).budget.used() == 0);
    f.check();
}

TEST_CASE("scratch_pool: a node's limit, or a source that refuses the node, costs distance and no lease") {
    for (const bool by_limit : {false, true}) {
        node_fixture<4, 2> f;
        auto& pool = f.ready();
        by_limit ? f.part(1).budget.set_limit(slot_bytes - 1) : f.source.take_away(node_id{1});
        come_from(1, 1);
        CHECK(f.node_of(pool.acquire()) == 0); // free, and as good as any
        come_from(2, 0);
        const auto near = pool.acquire();
        come_from(1, 1);
        const auto far = pool.acquire(); // new memory, for no node
        REQUIRE(static_cast<bool>(far));
        CHECK(pool.bytes() == 2 * slot_bytes);
        CHECK(f.part(1).budget.used() == 0);
        CHECK(f.budget.used() == 2 * slot_bytes);
        f.check();
    }
}

TEST_CASE("scratch_pool: a node that was refused is not asked for a while, and then scratch comes to it") {
    node_fixture<4, 2> f;
    auto& pool = f.ready();
    f.part(1).budget.set_limit(0);
    come_from(1, 1);
    CHECK(f.node_of(pool.acquire()) == 0);
    f.part(1).budget.set_limit(~std::size_t{0});
    unsigned calls = 0;
    while (f.node_of(pool.acquire()) == 0) {
        REQUIRE(++calls < 2000);
    }
    CHECK(calls == 1024);
    CHECK(pool.bytes() == 2 * slot_bytes);
    come_from(2, 0); // of the other node nobody was in doubt
    CHECK(f.node_of(pool.acquire()) == 0);
    f.check();
}

TEST_CASE(
    "scratch_pool: where no node has memory, who would wait for itself is answered, and the source is asked no more") {
    node_fixture<4, 2> f{3}; // each has memory for one slot
    auto& pool = f.ready();
    leases<decltype(f.pool)> held;
    for (std::uintptr_t token = 1; token <= 3; ++token) { // nodes 1 and 2 serve node 0
        come_from(token, 0);
        held.emplace_back(std::in_place, pool);
        REQUIRE(static_cast<bool>(**held.back()));
    }
    CHECK(f.source.fallbacks() == 2 * 3);
    come_from(1, 1);
    for (unsigned i = 0; i < 100; ++i) {
        CHECK_FALSE(static_cast<bool>(pool.acquire()));
    }
    CHECK(f.source.tries() == 3 + 2); // its node, and any
    f.check();
}

TEST_CASE("scratch_pool: trim gives back what is on a node, or everything but the first") {
    node_fixture<8, 3> f;
    auto& pool = f.ready();
    {
        leases<decltype(f.pool)> held;
        for (std::uintptr_t token = 1; token <= 6; ++token) {
            come_from(token, static_cast<unsigned>(token - 1) % 3);
            held.emplace_back(std::in_place, pool);
        }
        CHECK(pool.trim(node_id{1}) == 0); // all in use
    }
    f.check();
    CHECK(pool.bytes() == 6 * slot_bytes);
    CHECK(pool.trim(node_id{77}) == 0);
    CHECK(pool.trim(node_id{1}) == 2 * slot_bytes);
    CHECK(f.part(0).budget.used() == 2 * slot_bytes);
    CHECK(f.part(1).budget.used() == 0);
    CHECK(f.part(2).budget.used() == 2 * slot_bytes);
    CHECK(pool.trim(node_id{0}) == slot_bytes); // the first one stays
    CHECK(pool.trim(node_id{0}) == 0);
    CHECK(pool.trim() == 2 * slot_bytes);
    CHECK(pool.bytes() == slot_bytes);
    f.check();
    come_from(9, 2); // a slot that gave its memory back serves another node
    CHECK(f.node_of(pool.acquire()) == 2);
    f.check();
}

TEST_CASE(
    "scratch_pool: who interrupts its thread at a lock takes a free slot of any node, and asks the source for none") {
    node_fixture<4, 2> f;
    auto& pool = f.ready();
    const presence::stay stay{f.at_locks, 5};
    come_from(5, 1);
    CHECK(f.node_of(pool.acquire()) == 0);
    come_from(6, 0);
    const auto first = pool.acquire();
    come_from(5, 1);
    CHECK_FALSE(static_cast<bool>(pool.acquire()));
    CHECK(pool.bytes() == slot_bytes);
}

TEST_CASE("scratch_pool: what comes free is a waiter's, whatever node either is on") {
    node_fixture<1, 2, one_processor> f;
    auto& pool = f.ready();
    unsigned given = 0;
    std::vector<std::function<void()>> bodies;
    for (unsigned i = 0; i < 4; ++i) {
        bodies.emplace_back([&, i] {
            for (unsigned n = 0; n < 20; ++n) {
                played_locality::node = static_cast<node_id>(i % 3);
                const auto lease = pool.acquire();
                given += static_cast<bool>(lease) ? 1 : 0;
                one_processor::yield();
            }
        });
    }
    one_processor::run(std::move(bodies));
    CHECK(given == 80);
    CHECK(one_processor::waits() > 0);
}

TEST_CASE("scratch_pool: random threads on random nodes, limits that come and go, against the books") {
    for (unsigned seed = 1; seed <= 10; ++seed) {
        node_fixture<6, 3> f{16};
        auto& pool = f.ready();
        rng random{seed};
        std::array<std::optional<long_lease<decltype(f.pool)>>, 6> held;
        for (unsigned n = 0; n < 2000; ++n) {
            const std::size_t i = random.below(held.size());
            switch (random.below(6)) {
            case 0: f.part(random.below(3)).budget.set_limit(random.below(4) * slot_bytes); break;
            case 1:
                static_cast<void>(pool.trim(random.one_in(2) ? any_node : static_cast<node_id>(random.below(3))));
                break;
            case 2: held[i].reset(); break;
            default:
                if (!held[i]) {
                    come_from(i + 1, static_cast<unsigned>(random.below(4)));
                    held[i].emplace(pool);
                    CHECK(static_cast<bool>(**held[i])); // there are as many slots as threads, and memory for all
                }
            }
            if (n % 16 == 0) {
                f.check();
            }
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_scratch_pool
