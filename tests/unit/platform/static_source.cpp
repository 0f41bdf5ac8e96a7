// SPDX-License-Identifier: MIT
#include <pagefold/platform/static_source.hpp>

#include <pagefold/platform/spin_lock.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>

namespace pagefold::testing::unit_platform_static_source {
namespace {

static_assert(page_source<static_source<>>);
static_assert(page_source<static_source<spin_lock>>);

constexpr std::size_t page = 4096;

/// Memory that begins on a page boundary.
class aligned_memory {
public:
    explicit aligned_memory(std::size_t pages) : data_{std::aligned_alloc(page, pages * page)}, bytes_{pages * page} {
        REQUIRE(data_ != nullptr);
    }
    ~aligned_memory() { std::free(data_); }
    aligned_memory(const aligned_memory&) = delete;
    aligned_memory& operator=(const aligned_memory&) = delete;
    [[nodiscard]] byte_span span() const noexcept { return {static_cast<std::byte*>(data_), bytes_}; }
    [[nodiscard]] void* at(std::size_t index) const noexcept { return static_cast<std::byte*>(data_) + index * page; }

private:
    void* data_;
    std::size_t bytes_;
};

TEST_CASE("static_source: at a standstill its lock is held, and new in a copy") {
    static int made, held;
    struct counted_lock {
        counted_lock() noexcept { ++made; }
        void lock() noexcept { ++held; }
        void unlock() noexcept { --held; }
    };
    made = held = 0;
    const aligned_memory memory{4};
    static_source<counted_lock> source{memory.span()};
    REQUIRE(source.quiesce() == status::ok);
    CHECK(held == 1);
    source.resume();
    CHECK(held == 0);
    CHECK(made == 1);
    REQUIRE(source.quiesce() == status::ok);
    source.resume_alone();
    CHECK(held == 0);
    CHECK(made == 2);
    CHECK(static_cast<bool>(source.acquire(1, any_node)));
    CHECK(source.check());
}

TEST_CASE("static_source: the bitmap takes the last page, or what lies behind it") {
    const aligned_memory memory{10};
    CHECK(static_source<>{memory.span()}.capacity_bytes() == 9 * page);
    CHECK(static_source<>{memory.span().first(9 * page + 8)}.capacity_bytes() == 9 * page);
    CHECK(static_source<>{memory.span().first(9 * page + 7)}.capacity_bytes() == 8 * page);
}

TEST_CASE("static_source: what lies before the first page boundary is not used") {
    const aligned_memory memory{10};
    for (const std::size_t offset : {std::size_t{1}, std::size_t{8}, page - 1}) {
        static_source<> source{memory.span().subview(offset)};
        CHECK(source.capacity_bytes() == 8 * page);
        CHECK(*source.acquire(8, any_node) == memory.at(1));
    }
}

TEST_CASE("static_source: a range too small for a page has none") {
    const aligned_memory memory{2};
    for (const std::size_t size : {std::size_t{0}, std::size_t{8}, page, page + 7}) {
        CAPTURE(size);
        static_source<> source{memory.span().first(size)};
        CHECK(source.capacity_bytes() == 0);
        CHECK(source.acquire(1, any_node).error() == status::no_memory);
        CHECK(source.check());
    }
    static_source<> past_the_end{memory.span().subview(1, page - 1)};
    CHECK(past_the_end.acquire(1, any_node).error() == status::no_memory);
    static_source<> nowhere{byte_span{}};
    CHECK(nowhere.acquire(1, any_node).error() == status::no_memory);
    CHECK(nowhere.check());
    static_source<> one{memory.span().first(page + 8)};
    CHECK(one.acquire(1, any_node).has_value());
}

TEST_CASE("static_source: the lowest run that fits is taken, and neighbours that come free make one run") {
    const aligned_memory memory{17};
    static_source<> source{memory.span()};
    for (std::size_t i = 0; i < 16; ++i) {
        REQUIRE(*source.acquire(1, any_node) == memory.at(i));
    }
    CHECK(source.acquired_bytes() == 16 * page);
    CHECK(source.acquire(1, any_node).error() == status::no_memory);
    for (const std::size_t i : {9u, 2u, 11u, 10u}) {
        source.release(memory.at(i), 1);
        REQUIRE(source.check());
    }
    CHECK(source.acquire(4, any_node).error() == status::no_memory);
    CHECK(*source.acquire(3, any_node) == memory.at(9));
    CHECK(*source.acquire(1, any_node) == memory.at(2));
    source.release(memory.at(9), 3);
    CHECK(*source.acquire(2, any_node) == memory.at(9));
    CHECK(source.acquired_bytes() == 15 * page);
    CHECK(source.check());
}

TEST_CASE("static_source: with another page size") {
    const aligned_memory memory{17};
    static_source<> source{memory.span(), 16384};
    CHECK(source.page_size() == 16384);
    const void* const first = *source.acquire(1, any_node);
    CHECK(reinterpret_cast<std::uintptr_t>(first) % 16384 == 0);
    CHECK(source.capacity_bytes() % 16384 == 0);
    CHECK(source.capacity_bytes() >= 3 * 16384);
}

TEST_CASE("static_source: check sees a damaged bitmap") {
    const aligned_memory memory{5};
    static_source<> source{memory.span()};
    REQUIRE(source.acquire(2, any_node));
    REQUIRE(source.check());
    *static_cast<std::byte*>(memory.at(4)) ^= std::byte{1};
    CHECK_FALSE(source.check());
}

} // namespace
} // namespace pagefold::testing::unit_platform_static_source
