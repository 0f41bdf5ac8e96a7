// SPDX-License-Identifier: MIT
#include <pagefold/platform/concept.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_platform_concept {
namespace {

struct counting_lock {
    int locked = 0, unlocked = 0;
    void lock() noexcept { ++locked; }
    void unlock() noexcept { ++unlocked; }
};

TEST_CASE("lock_guard: holds the lock to the end of the scope") {
    counting_lock lock;
    {
        const lock_guard guard{lock};
        CHECK(lock.locked == 1);
        CHECK(lock.unlocked == 0);
    }
    CHECK(lock.locked == 1);
    CHECK(lock.unlocked == 1);
}

} // namespace
} // namespace pagefold::testing::unit_platform_concept
