// SPDX-License-Identifier: MIT

#include "support/test_source.hpp"

#include <pagefold/compress/concept.hpp>
#include <pagefold/platform/host_parking.hpp>
#include <pagefold/store/scratch_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

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

struct fixture {
    int prepared = 0;
    needy codec{&prepared};
    test_source source;
    byte_budget budget{~std::size_t{0}};
    limited_source limited{source, budget};
    presence at_locks;
};

/// Counts what a pool asks of the host, and lets other threads run instead of sleeping.
struct counting_parking {
    static void wait(atomic<std::uint32_t>&, std::uint32_t) noexcept {
        ++waits;
        std::this_thread::yield();
    }
    static void wake_one(atomic<std::uint32_t>&) noexcept { ++wakes; }
    static void wake_all(atomic<std::uint32_t>&) noexcept {}
    static std::uintptr_t self() noexcept { return host_parking::self(); }
    static inline std::atomic<std::uint64_t> waits{0}, wakes{0};
};

template <unsigned Slots, class Parking = host_parking, bool Exclusive = false>
struct set_up : scratch_pool<needy, Slots, Parking, Exclusive> {
    explicit set_up(fixture& f)
        : scratch_pool<needy, Slots, Parking, Exclusive>{f.codec, 4096, f.limited, f.budget, f.at_locks} {
        REQUIRE(this->scratch_pool<needy, Slots, Parking, Exclusive>::set_up() == status::ok);
    }
};

constexpr std::size_t slot_bytes = 3 * 4096; // scratch, stream and page

} // namespace

TEST_CASE("a lease has a prepared scratch and room for one stream, side by side") {
    fixture f;
    set_up<4> pool{f};
    const auto lease = pool.acquire();
    REQUIRE(static_cast<bool>(lease));
    CHECK(lease.scratch().size() == 100);
    CHECK(lease.scratch()[0] == std::byte{7});
    CHECK(lease.buffer().size() == 4096 + 50);
    CHECK(reinterpret_cast<std::uintptr_t>(lease.scratch().data()) % scratch_alignment == 0);
    CHECK(lease.buffer().data() >= lease.scratch().data() + lease.scratch().size());
    std::memset(lease.scratch().data(), 1, lease.scratch().size()); // a sanitizer watches the ends
    std::memset(lease.buffer().data(), 2, lease.buffer().size());
    CHECK(lease.page().size() == 4096);
    CHECK(lease.page().data() >= lease.buffer().data() + lease.buffer().size());
    std::memset(lease.page().data(), 3, lease.page().size());
    CHECK(lease.buffer()[4145] == std::byte{2});
    CHECK(lease.scratch()[99] == std::byte{1});
    CHECK(f.source.bytes_held() == slot_bytes);
    CHECK(pool.bytes() == f.source.bytes_held());
}

TEST_CASE("a slot is used again as it was left, and not prepared again") {
    fixture f;
    set_up<4> pool{f};
    for (int i = 0; i < 10; ++i) {
        const auto lease = pool.acquire();
        REQUIRE(static_cast<bool>(lease));
        CHECK(lease.scratch()[0] == static_cast<std::byte>(i == 0 ? 7 : i));
        lease.scratch()[0] = static_cast<std::byte>(i + 1);
    }
    CHECK(f.prepared == 1);
    CHECK(pool.bytes() == slot_bytes);
}

TEST_CASE("leases held together have memory of their own") {
    fixture f;
    set_up<3> pool{f};
    const auto one = pool.acquire();
    const auto two = pool.acquire();
    const auto three = pool.acquire();
    CHECK(f.prepared == 3);
    CHECK(one.scratch().data() != two.scratch().data());
    CHECK(two.scratch().data() != three.scratch().data());
    CHECK(one.scratch().data() != three.scratch().data());
    CHECK(pool.bytes() == 3 * slot_bytes);
}

TEST_CASE("the first slot has its memory from the beginning, or the pool has none") {
    fixture f;
    scratch_pool<needy, 3, host_parking, false> pool{f.codec, 4096, f.limited, f.budget, f.at_locks};
    f.source.refuse_all(true);
    CHECK(pool.set_up() == status::no_memory);
    f.source.refuse_all(false);
    f.budget.set_limit(4096);
    CHECK(pool.set_up() == status::limit);
    CHECK(pool.bytes() == 0);
    f.codec.answer = status::invalid;
    f.budget.set_limit(~std::size_t{0});
    CHECK(pool.set_up() == status::invalid);
    CHECK(f.source.bytes_held() == 0);
    f.codec.answer = status::ok;
    CHECK(pool.set_up() == status::ok);
    CHECK(pool.set_up() == status::ok);
    CHECK(f.source.bytes_held() == slot_bytes);
    f.source.refuse_all(true);
    for (int i = 0; i < 10; ++i) {
        CHECK(static_cast<bool>(pool.acquire()));
    }
}

TEST_CASE("threads one after another, and calls from anywhere on the stack, use one slot") {
    fixture f;
    set_up<64> pool{f};
    for (int i = 0; i < 100; ++i) {
        std::thread{[&] { CHECK(static_cast<bool>(pool.acquire())); }}.join();
    }
    CHECK(f.prepared == 1);
    CHECK(pool.bytes() == slot_bytes);
}

TEST_CASE("a source that refuses is asked once, and not again for a while") {
    fixture f;
    set_up<8, counting_parking> pool{f};
    f.source.refuse_all(true);
    const std::uint64_t asked = f.source.acquisitions();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                const auto lease = pool.acquire();
                lease.scratch()[0] = std::byte{1};
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(f.source.acquisitions() - asked <= 4 * 500 / 1024 + 4); // a call each that met the pause half counted down
    CHECK(pool.bytes() == slot_bytes);
}

TEST_CASE("trim gives back what nobody uses, all but the first") {
    fixture f;
    set_up<5> pool{f};
    {
        const auto one = pool.acquire(), two = pool.acquire(), three = pool.acquire();
        CHECK(pool.bytes() == 3 * slot_bytes);
        CHECK(pool.trim() == 0);
    }
    const auto kept = pool.acquire();
    const std::size_t before = pool.bytes();
    CHECK(pool.trim() + pool.bytes() == before);
    CHECK(pool.bytes() <= slot_bytes + slot_bytes);
    CHECK(f.source.bytes_held() == pool.bytes());
    const auto again = pool.acquire();
    CHECK(static_cast<bool>(again));
    CHECK(pool.bytes() == 2 * slot_bytes);
}

TEST_CASE("room for the first slots is kept free, a 64th of the limit at most") {
    fixture f;
    set_up<20> pool{f};
    CHECK(pool.kept_free() == 7 * slot_bytes);
    f.budget.set_limit(64 * slot_bytes);
    CHECK(pool.kept_free() == slot_bytes);
    f.budget.set_limit(~std::size_t{0});
    const auto one = pool.acquire(), two = pool.acquire();
    CHECK(pool.kept_free() == 6 * slot_bytes);
    fixture g;
    set_up<1> single_slot{g};
    CHECK(single_slot.kept_free() == 0);
}

TEST_CASE("a call that interrupts another of its thread gets a slot of its own, or none, and never waits") {
    fixture f;
    set_up<2> pool{f};
    const auto outer = pool.acquire(), inner = pool.acquire();
    CHECK(static_cast<bool>(inner));
    CHECK_FALSE(static_cast<bool>(pool.acquire()));
    fixture g;
    set_up<1, spin_parking, true> exclusive{g};
    const auto only = exclusive.acquire();
    CHECK_FALSE(static_cast<bool>(exclusive.acquire()));
}

TEST_CASE("while nobody waits, the host is not asked for anything") {
    fixture f;
    set_up<2, counting_parking> pool{f};
    counting_parking::waits = counting_parking::wakes = 0;
    for (int i = 0; i < 100; ++i) {
        CHECK(static_cast<bool>(pool.acquire()));
    }
    CHECK(counting_parking::waits == 0);
    CHECK(counting_parking::wakes == 0);
}

TEST_CASE("who works without a pause hands its slot over to who waits") {
    fixture f;
    set_up<1> pool{f};
    std::atomic<bool> waits{false}, done{false};
    std::atomic<std::uint64_t> got{0};
    std::thread other{[&] {
        waits = true;
        for (int i = 0; i < 50; ++i) {
            const auto lease = pool.acquire();
            ++got;
        }
        done = true;
    }};
    std::uint64_t mine = 0;
    while (!done) { // hardly ever without the slot
        const auto lease = pool.acquire();
        for (int i = 0; i < 100 && !done; ++i) {
            lease.scratch()[1] = static_cast<std::byte>(i);
        }
        ++mine;
    }
    other.join();
    CHECK(got == 50);
    CHECK(mine > 0);
}

TEST_CASE("threads that are more than the slots wait for each other") {
    fixture f;
    set_up<1> pool{f};
    std::uint64_t inside = 0, sum = 0; // guarded by the only slot
    const auto work = [&] {
        for (int i = 0; i < 2000; ++i) {
            const auto lease = pool.acquire();
            if (!lease || ++inside != 1) {
                return;
            }
            ++sum;
            lease.buffer()[17] = static_cast<std::byte>(i);
            --inside;
        }
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back(work);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(sum == 6000);
    CHECK(f.prepared == 1);
}
