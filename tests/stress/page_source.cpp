// SPDX-License-Identifier: MIT
//
// Threads that acquire, mark, verify and release pages of one source at the same time: nobody gets what another
// holds, and the books are right in the end.

#include <conformance/page_source.hpp>

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/platform/static_source.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_page_source {
namespace {

struct holding {
    void* memory;
    std::size_t pages;
    page_marks marks;
};

/// True if all that it held kept its marks.
template <page_source Source>
bool work(Source& source, std::uint64_t seed, int operations) {
    rng random{seed};
    std::vector<holding> held;
    bool intact = true;
    for (int i = 0; i < operations || !held.empty(); ++i) {
        if (i < operations && (held.empty() || (held.size() < 60 && random.one_in(2)))) {
            const std::size_t pages = random.one_in(50) ? 1 + random.below(600) : 1 + random.below(6);
            if (const result<void*> memory = source.acquire(pages, any_node); memory) {
                held.push_back({*memory, pages, {*memory, pages * source.page_size(), random()}});
                held.back().marks.write();
            }
        } else {
            const std::size_t at = random.below(held.size());
            intact = intact && held[at].marks.are_intact();
            source.release(held[at].memory, held[at].pages);
            held[at] = held.back();
            held.pop_back();
        }
    }
    return intact;
}

template <page_source Source>
void work_together(Source& source, int operations) {
    constexpr std::size_t thread_count = 3;
    bool were_intact[thread_count] = {};
    std::vector<std::thread> threads;
    std::uint64_t seed = 0;
    for (bool& mine : were_intact) {
        threads.emplace_back([&source, &mine, operations, s = ++seed] { mine = work(source, s, operations); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const bool intact : were_intact) {
        CHECK(intact);
    }
    CHECK(source.acquired_bytes() == 0);
    CHECK(source.check());
}

TEST_CASE("static_source with a lock serves many threads") {
    std::vector<std::byte> memory(8 << 20);
    static_source<spin_lock> source{memory};
    work_together(source, 4000);
}

TEST_CASE("mmap_source serves many threads") {
    mmap_options options;
    options.capacity_bytes = 16 << 20;
    options.retain_bytes = 256 << 10;
    mmap_source<> source{options};
    work_together(source, 3000);
}

TEST_CASE("mmap_source can be trimmed and asked while threads use it") {
    mmap_source<spin_lock> source;
    std::thread trimmer{[&] {
        for (int i = 0; i < 200; ++i) {
            source.trim();
            CHECK(source.resident_bytes() <= source.capacity_bytes());
            CHECK(source.check());
        }
    }};
    work_together(source, 2000);
    trimmer.join();
    source.trim();
    CHECK(source.resident_bytes() == 0);
}

} // namespace
} // namespace pagefold::testing::stress_page_source
