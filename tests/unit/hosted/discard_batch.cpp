// SPDX-License-Identifier: MIT
#include <pagefold/hosted/discard_batch.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

namespace pagefold::testing::unit_hosted_discard_batch {
namespace {

/// Pages that are mapped and full.
class pages {
public:
    explicit pages(std::size_t count) : bytes_{count * page} {
        void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(memory != MAP_FAILED);
        start_ = static_cast<std::byte*>(memory);
        std::memset(start_, 0x33, bytes_);
    }
    ~pages() { munmap(start_, bytes_); }
    pages(const pages&) = delete;
    pages& operator=(const pages&) = delete;

    [[nodiscard]] std::byte* at(std::size_t i) const { return start_ + i * page; }
    [[nodiscard]] bool is_gone(std::size_t i) const { return *at(i) == std::byte{0}; }

    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

private:
    std::size_t bytes_;
    std::byte* start_ = nullptr;
};

/// The ways that this machine has.
std::vector<bool> ways(const pages& memory) {
    return discard_batch::is_one_call(memory.at(0), memory.page) ? std::vector<bool>{false, true}
                                                                 : std::vector<bool>{false};
}

const auto refuses_nothing = [](void*, std::size_t) { FAIL("nothing should be refused"); };

TEST_CASE("discard_batch: nothing noted, nothing done") {
    const pages memory{1};
    for (const bool in_one_call : ways(memory)) {
        discard_batch batch;
        CHECK(batch.is_empty());
        CHECK(!batch.is_full());
        batch.discard(in_one_call, refuses_nothing);
        CHECK(batch.is_empty());
    }
}

TEST_CASE("discard_batch: a full batch discards what was noted, and nothing beside it") {
    constexpr std::size_t most = discard_batch::most_runs;
    for (const std::size_t runs : {std::size_t{1}, most - 1, most}) {
        for (const bool in_one_call : ways(pages{1})) {
            CAPTURE(runs);
            CAPTURE(in_one_call);
            const pages memory{3 * most};
            discard_batch batch;
            for (std::size_t i = 0; i < runs; ++i) {
                batch.add(memory.at(3 * i), (1 + i % 2) * memory.page);
            }
            CHECK(batch.is_full() == (runs == most));
            batch.discard(in_one_call, refuses_nothing);
            CHECK(batch.is_empty());
            for (std::size_t i = 0; i < most; ++i) {
                REQUIRE(memory.is_gone(3 * i) == (i < runs));
                REQUIRE(memory.is_gone(3 * i + 1) == (i < runs && i % 2 == 1));
                REQUIRE(!memory.is_gone(3 * i + 2));
            }
        }
    }
}

TEST_CASE("discard_batch: from the first refused run on all are told") {
    for (const bool in_one_call : ways(pages{1})) {
        for (const std::size_t locked : {0u, 2u, 4u}) {
            CAPTURE(in_one_call);
            CAPTURE(locked);
            const pages memory{10};
            REQUIRE(syscall(SYS_mlock, memory.at(2 * locked), memory.page) == 0); // sanitizers make a no-op of mlock
            discard_batch batch;
            for (std::size_t i = 0; i < 5; ++i) {
                batch.add(memory.at(2 * i), memory.page);
            }
            std::vector<void*> refused;
            batch.discard(in_one_call, [&](void* start, std::size_t bytes) {
                refused.push_back(start);
                CHECK(bytes == memory.page);
            });
            CHECK(refused.size() == 5 - locked);
            CHECK(refused.front() == memory.at(2 * locked));
            CHECK(batch.is_empty());
            for (std::size_t i = 0; i < 5; ++i) {
                CHECK(memory.is_gone(2 * i) == (i < locked));
            }
        }
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_discard_batch
