// SPDX-License-Identifier: MIT
//
// Threads put, read, take and erase, while others change the pools' codecs and admission policies, the limit, and the pools
// themselves. Nobody reads a wrong page, no page of a persistent pool is refused or lost, and at the end all adds up.

#include <support/pages.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <pagefold/admit/all_of.hpp>
#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/second_touch.hpp>
#include <pagefold/admit/size_aware.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/routed.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace pagefold::testing::stress_admission {
namespace {

struct config : default_config {
    using compressor_type = routed<lz_block, page_codec>;
    using admission_type = by_pool<always, second_touch, all_of<second_touch, size_aware>>;
};

constexpr std::uint64_t keys = 256;

TEST_CASE("admission: policies and codecs change while everybody works") {
    test_source source;
    partitioned_store<config> store{source, {.limit_bytes = 3u << 20, .partitions = 4, .seed = 3}};
    const pool_id cache = store.create_pool({.kind = pool_kind::ephemeral, .admission = 1}).value();
    const pool_id kept = store.create_pool({.reserved_bytes = 1u << 20}).value();
    std::atomic<bool> done{false};
    std::atomic<unsigned> wrong{0}, refused{0}, stored{0};
    const auto work = [&](unsigned number) {
        rng random{number};
        std::vector<std::byte> page(4096), out(4096);
        for (unsigned i = 0; i < 6000; ++i) {
            // A thread has keys of its own, so that it knows what it reads.
            const std::uint64_t object = number, index = random.below(keys);
            const page_key key{cache, object, index};
            make_page(page, index);
            switch (random.below(6)) {
            case 0:
            case 1:
            case 2: {
                const status s = store.put(key, page);
                stored += s == status::ok ? 1u : 0u;
                refused += s == status::incompressible ? 1u : 0u;
                wrong += s != status::ok && s != status::incompressible && s != status::limit ? 1u : 0u;
                break;
            }
            case 3: {
                const status s = random.one_in(3) ? store.take(key, out) : store.get(key, out);
                wrong += (s == status::ok && out != page) || (s != status::ok && s != status::not_found) ? 1u : 0u;
                break;
            }
            case 4: static_cast<void>(store.erase(key)); break;
            default: {
                const page_key own{kept, object, index % 16};
                make_page(page, index % 16);
                wrong += store.put(own, page) != status::ok ? 1u : 0u;
                wrong += store.get(own, out) != status::ok || out != page ? 1u : 0u;
                break;
            }
            }
        }
    };
    std::thread changes{[&] {
        rng random{99};
        while (!done) {
            wrong += store.set_codec(cache, static_cast<unsigned>(random.below(2))) != status::ok ? 1u : 0u;
            wrong += store.set_codec(kept, static_cast<unsigned>(random.below(2))) != status::ok ? 1u : 0u;
            wrong += store.set_admission(cache, static_cast<unsigned>(random.below(3))) != status::ok ? 1u : 0u;
            static_cast<void>(store.resize((3u << 20) + random.below(2) * (1u << 20)));
            const result<pool_id> passing = store.create_pool({.kind = pool_kind::ephemeral, .admission = 2});
            if (passing) {
                static_cast<void>(store.put({*passing, 1, 1}, std::vector<std::byte>(4096)));
                wrong += store.destroy_pool(*passing) != status::ok ? 1u : 0u;
            }
            std::this_thread::yield();
        }
    }};
    std::vector<std::thread> workers;
    for (unsigned number = 1; number <= 3; ++number) {
        workers.emplace_back(work, number);
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
    done = true;
    changes.join();
    CHECK(wrong == 0);
    CHECK(refused > 100);
    CHECK(stored > 100);
    CHECK(store.stats().decompress_fail == 0);
    CHECK(store.stats().reject_compress_fail == 0);
    CHECK(store.check());
    CHECK(store.stats().total_bytes == source.bytes_held());
    CHECK(store.destroy_pool(cache) == status::ok);
    CHECK(store.destroy_pool(kept) == status::ok);
    CHECK(store.check());
}

} // namespace
} // namespace pagefold::testing::stress_admission
