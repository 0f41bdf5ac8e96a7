// SPDX-License-Identifier: MIT

#include <pagefold/core/atomic.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <type_traits>

namespace unit_core_atomic {

using namespace pagefold;

static_assert(!std::is_copy_constructible_v<atomic<int>>);
static_assert(sizeof(atomic<std::uint32_t>) == 4);
static_assert(std::is_trivially_destructible_v<atomic<void*>>);

TEST_CASE("an atomic does what its operations say") {
    atomic<std::uint32_t> a{5};
    CHECK(a.load(memory_order::relaxed) == 5);
    a.store(6, memory_order::release);
    CHECK(a.exchange(7, memory_order::acq_rel) == 6);
    CHECK(a.fetch_add(3, memory_order::relaxed) == 7);
    CHECK(a.fetch_sub(1, memory_order::relaxed) == 10);
    CHECK(a.load(memory_order::acquire) == 9);
    std::uint32_t expected = 8;
    CHECK(!a.compare_exchange(expected, 1, memory_order::seq_cst));
    CHECK(expected == 9);
    CHECK(a.compare_exchange(expected, 1, memory_order::seq_cst));
    CHECK(a.load(memory_order::relaxed) == 1);
    CHECK(atomic<std::uintptr_t>{}.load(memory_order::relaxed) == 0);
}

TEST_CASE("an atomic holds pointers and enumerations") {
    enum class colour : std::uint8_t { red, green };
    atomic<colour> c{colour::red};
    CHECK(c.exchange(colour::green, memory_order::relaxed) == colour::red);
    int x = 0;
    atomic<int*> p;
    CHECK(p.load(memory_order::relaxed) == nullptr);
    p.store(&x, memory_order::relaxed);
    CHECK(p.load(memory_order::relaxed) == &x);
}

TEST_CASE("no addition of two threads is lost, and a release publishes") {
    atomic<std::uintptr_t> sum{0};
    atomic<std::uint32_t> ready{0};
    int plain = 0;
    std::thread other{[&] {
        plain = 42;
        ready.store(1, memory_order::release);
        for (int i = 0; i < 10'000; ++i) {
            sum.fetch_add(1, memory_order::relaxed);
        }
    }};
    while (ready.load(memory_order::acquire) == 0) {
        std::this_thread::yield();
    }
    CHECK(plain == 42);
    for (int i = 0; i < 10'000; ++i) {
        std::uintptr_t seen = sum.load(memory_order::relaxed);
        while (!sum.compare_exchange(seen, seen + 2, memory_order::relaxed)) {
        }
    }
    other.join();
    CHECK(sum.load(memory_order::relaxed) == 30'000);
}

} // namespace unit_core_atomic
