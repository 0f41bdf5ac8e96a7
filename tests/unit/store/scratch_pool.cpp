// SPDX-License-Identifier: MIT

#include "support/test_source.hpp"

#include <pagefold/compress/concept.hpp>
#include <pagefold/store/scratch_pool.hpp>

#include <doctest/doctest.h>

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
    status reason = status::ok;
};

bool gives(auto& pool, status& reason) { return static_cast<bool>(pool.acquire(reason)); }

} // namespace

TEST_CASE("a lease has a prepared scratch and room for one stream, side by side") {
    fixture f;
    scratch_pool<needy, 4> pool{f.codec, 4096, f.limited};
    CHECK(f.source.acquisitions() == 0);
    const auto lease = pool.acquire(f.reason);
    REQUIRE(static_cast<bool>(lease));
    CHECK(lease.scratch().size() == 100);
    CHECK(lease.scratch()[0] == std::byte{7});
    CHECK(lease.buffer().size() == 4096 + 50);
    CHECK(reinterpret_cast<std::uintptr_t>(lease.scratch().data()) % scratch_alignment == 0);
    CHECK(lease.buffer().data() >= lease.scratch().data() + lease.scratch().size());
    std::memset(lease.scratch().data(), 1, lease.scratch().size()); // a sanitizer watches the ends
    std::memset(lease.buffer().data(), 2, lease.buffer().size());
    CHECK(lease.scratch()[99] == std::byte{1});
    CHECK(f.source.bytes_held() == 2 * 4096);
    CHECK(pool.bytes() == f.source.bytes_held());
}

TEST_CASE("a slot is used again as it was left, and not prepared again") {
    fixture f;
    scratch_pool<needy, 4> pool{f.codec, 4096, f.limited};
    for (int i = 0; i < 10; ++i) {
        const auto lease = pool.acquire(f.reason);
        REQUIRE(static_cast<bool>(lease));
        CHECK(lease.scratch()[0] == static_cast<std::byte>(i == 0 ? 7 : i));
        lease.scratch()[0] = static_cast<std::byte>(i + 1);
    }
    CHECK(f.prepared == 1);
    CHECK(pool.bytes() == 2 * 4096);
}

TEST_CASE("leases held together have memory of their own") {
    fixture f;
    scratch_pool<needy, 3> pool{f.codec, 4096, f.limited};
    const auto one = pool.acquire(f.reason);
    const auto two = pool.acquire(f.reason);
    const auto three = pool.acquire(f.reason);
    CHECK(f.prepared == 3);
    CHECK(one.scratch().data() != two.scratch().data());
    CHECK(two.scratch().data() != three.scratch().data());
    CHECK(one.scratch().data() != three.scratch().data());
    CHECK(pool.bytes() == 3 * 2 * 4096);
}

TEST_CASE("without any memory a lease is empty and says why") {
    fixture f;
    scratch_pool<needy, 3> pool{f.codec, 4096, f.limited};
    f.source.refuse_all(true);
    CHECK(!gives(pool, f.reason));
    CHECK(f.reason == status::no_memory);
    f.source.refuse_all(false);
    f.budget.set_limit(4096);
    CHECK(!gives(pool, f.reason));
    CHECK(f.reason == status::limit);
    CHECK(pool.bytes() == 0);
    f.budget.set_limit(8192);
    CHECK(gives(pool, f.reason));
}

TEST_CASE("a scratch that the codec refuses goes back") {
    fixture f;
    f.codec.answer = status::invalid;
    scratch_pool<needy, 2> pool{f.codec, 4096, f.limited};
    CHECK(!gives(pool, f.reason));
    CHECK(f.reason == status::invalid);
    CHECK(pool.bytes() == 0);
    CHECK(f.source.bytes_held() == 0);
}

TEST_CASE("threads that are more than the slots wait for each other") {
    fixture f;
    scratch_pool<needy, 1> pool{f.codec, 4096, f.limited};
    std::uint64_t inside = 0, sum = 0; // guarded by the only slot
    const auto work = [&] {
        for (int i = 0; i < 2000; ++i) {
            status reason = status::ok;
            const auto lease = pool.acquire(reason);
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
