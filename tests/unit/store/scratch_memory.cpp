// SPDX-License-Identifier: MIT
#include "support/node_test_source.hpp"
#include "support/test_source.hpp"

#include <pagefold/compress/concept.hpp>
#include <pagefold/store/scratch_memory.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing::unit_store_scratch_memory {
namespace {

struct codec_of {
    std::size_t scratch = 0;
    std::size_t more = 0; // that a stream may be longer than its page
    status answer = status::ok;

    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return scratch; }
    [[nodiscard]] status prepare(byte_span s) const noexcept {
        if (!s.empty()) {
            s[0] = std::byte{7};
        }
        return answer;
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return more == ~std::size_t{0} ? n / 2 : n + more; }
};

TEST_CASE(
    "scratch_memory: scratch, stream and page are side by side, aligned, and inside whatever the codec asks for") {
    for (const std::size_t scratch : {0u, 1u, 63u, 64u, 65u, 4096u, 100'000u}) {
        for (const std::size_t more : {std::size_t{0}, std::size_t{1}, std::size_t{64}, ~std::size_t{0}}) {
            const codec_of codec{scratch, more};
            test_source source;
            byte_budget budget{~std::size_t{0}};
            limited_source limited{source, budget};
            const scratch_memory<codec_of> memory{codec, 4096, limited};
            std::byte* const start = memory.acquire(nullptr).value();
            CHECK(budget.used() == memory.bytes());
            CHECK(source.bytes_held() == memory.bytes());
            CHECK(memory.scratch(start).size() == scratch);
            CHECK(memory.buffer(start).size() == 4096 + (more == ~std::size_t{0} ? 0 : more));
            CHECK(memory.page(start).size() == 4096);
            CHECK(memory.scratch(start).data() == start);
            for (const byte_span part : {memory.buffer(start), memory.page(start)}) {
                CHECK(reinterpret_cast<std::uintptr_t>(part.data()) % 64 == 0);
            }
            CHECK(memory.buffer(start).data() >= start + scratch);
            CHECK(memory.page(start).data() >= memory.buffer(start).data() + memory.buffer(start).size());
            const std::byte* const end = memory.page(start).data() + 4096;
            CHECK(end <= start + memory.bytes());
            CHECK(end + 4096 > start + memory.bytes()); // no page too many
            memory.release(start, nullptr);
            CHECK(budget.used() == 0);
        }
    }
}

TEST_CASE("scratch_memory: what the store wants besides is behind the page") {
    const codec_of codec{100, 1};
    test_source source;
    byte_budget budget{~std::size_t{0}};
    limited_source limited{source, budget};
    const scratch_memory<codec_of> memory{codec, 4096, limited, 5000};
    std::byte* const start = memory.acquire(nullptr).value();
    const byte_span extra = memory.extra(start);
    CHECK(extra.size() == 5000);
    CHECK(reinterpret_cast<std::uintptr_t>(extra.data()) % 64 == 0);
    CHECK(extra.data() >= memory.page(start).data() + 4096);
    CHECK(extra.data() + extra.size() <= start + memory.bytes());
    CHECK(extra.data() + extra.size() + 4096 > start + memory.bytes());
    memory.release(start, nullptr);
}

TEST_CASE("scratch_memory: of a node it is charged to the node; what can't be prepared goes back") {
    codec_of codec{100, 0};
    node_test_source<3> source{1000};
    byte_budget budget{~std::size_t{0}};
    limited_source limited{source, budget};
    node_part part{node_id{2}, source, budget};
    const scratch_memory<codec_of> memory{codec, 4096, limited};
    std::byte* const start = memory.acquire(&part).value();
    CHECK(source.node_at(start) == 2);
    CHECK(source.pages_for(node_id{2}, 2) * 4096 == memory.bytes()); // a wish, not a strict one
    CHECK(part.budget.used() == memory.bytes());
    codec.answer = status::invalid;
    for (node_part* const where : {&part, static_cast<node_part*>(nullptr)}) {
        CHECK(memory.acquire(where).error() == status::invalid);
    }
    CHECK(budget.used() == memory.bytes());
    part.budget.set_limit(0);
    CHECK(memory.acquire(&part).error() == status::limit);
    memory.release(start, &part);
    CHECK(part.budget.used() + budget.used() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_store_scratch_memory
