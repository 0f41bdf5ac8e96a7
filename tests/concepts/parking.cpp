// SPDX-License-Identifier: MIT
//
// The smallest parking, and one wrong one for each clause of its signature.

#include <pagefold/platform/parking.hpp>

#include <pagefold/platform/parking_lock.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::concepts_parking {
namespace {

using word_type = atomic<std::uint32_t>;

struct smallest {
    static void wait(word_type&, std::uint32_t) noexcept {}
    static void wake_one(word_type&) noexcept {}
    static void wake_all(word_type&) noexcept {}
    static std::uintptr_t self() noexcept { return 0; }
};
static_assert(parking<smallest>);

struct without_wait : smallest {
    static void wait(word_type&, std::uint32_t) noexcept = delete;
};
struct wait_may_throw : smallest {
    static void wait(word_type&, std::uint32_t) {}
};
struct wait_of_bool : smallest {
    static bool wait(word_type&, std::uint32_t) noexcept { return true; }
};
struct wait_without_value : smallest {
    static void wait(word_type&) noexcept {}
};
struct wait_of_object : smallest {
    void wait(word_type&, std::uint32_t) noexcept {}
};
static_assert(!parking<without_wait>);
static_assert(!parking<wait_may_throw>);
static_assert(!parking<wait_of_bool>);
static_assert(!parking<wait_without_value>);
static_assert(!parking<wait_of_object>, "a policy has no state");

struct without_wake_one : smallest {
    static void wake_one(word_type&) noexcept = delete;
};
struct wake_one_may_throw : smallest {
    static void wake_one(word_type&) {}
};
struct wake_one_of_int : smallest {
    static int wake_one(word_type&) noexcept { return 1; }
};
static_assert(!parking<without_wake_one>);
static_assert(!parking<wake_one_may_throw>);
static_assert(!parking<wake_one_of_int>);

struct without_wake_all : smallest {
    static void wake_all(word_type&) noexcept = delete;
};
struct wake_all_may_throw : smallest {
    static void wake_all(word_type&) {}
};
struct wake_all_of_int : smallest {
    static int wake_all(word_type&) noexcept { return 1; }
};
static_assert(!parking<without_wake_all>);
static_assert(!parking<wake_all_may_throw>);
static_assert(!parking<wake_all_of_int>);

struct without_self : smallest {
    static std::uintptr_t self() noexcept = delete;
};
struct self_may_throw : smallest {
    static std::uintptr_t self() { return 0; }
};
struct self_of_pointer : smallest {
    static void* self() noexcept { return nullptr; }
};
static_assert(!parking<without_self>);
static_assert(!parking<self_may_throw>);
static_assert(!parking<self_of_pointer>);

TEST_CASE("a parking of four empty functions is enough for a lock that nobody waits for") {
    parking_lock<smallest> lock;
    lock.lock();
    lock.unlock();
    CHECK(smallest::self() == 0);
}

} // namespace
} // namespace pagefold::testing::concepts_parking
