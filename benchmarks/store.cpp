// SPDX-License-Identifier: MIT

// The operations of a store, one by one, on pages made up here: about as compressible as process memory, and the same
// on every machine. For figures on real pages see measure/.
//
// Threads share one partitioned store and use keys of their own.

#include <pagefold/compress/lz4.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace {

using namespace pagefold;

using page = std::array<std::byte, default_config::page_size>;
using store_type = partitioned_store<default_config>;

constexpr std::uint64_t pages = 16'384;
constexpr std::uint64_t distinct_pages = 1'024;
constexpr std::uint64_t object_pages = 4'096;

/// Records of 32 bytes, as a heap has them: a pointer, two small numbers, and a payload that is seldom new.
std::vector<page> make_pages() {
    std::vector<page> made(distinct_pages);
    std::uint64_t state = 88'172'645'463'325'252u;
    const auto next = [&] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    };
    for (page& one : made) {
        std::uint64_t payload = next();
        for (std::size_t at = 0; at < one.size(); at += 32) {
            payload = next() % 4 == 0 ? next() : payload;
            const std::uint64_t record[4] = {0x7f5a'0000'0000u + next() % 65'536 * 16, next() % 64, at, payload};
            std::memcpy(one.data() + at, record, sizeof record);
        }
    }
    return made;
}

void expect(benchmark::State& state, status outcome, status wanted) {
    if (outcome != wanted) [[unlikely]] {
        state.SkipWithError(to_string(outcome));
    }
}

/// One store for all measurements, filled; each leaves a page under every key.
class filled_store {
public:
    static filled_store& instance() {
        static filled_store only;
        return only;
    }

    [[nodiscard]] store_type& store() noexcept { return store_; }
    [[nodiscard]] page_key key(std::uint64_t i) const { return {pool_, i / object_pages, i % object_pages}; }
    /// A key that is never stored.
    [[nodiscard]] page_key absent_key(std::uint64_t i) const { return key(i + pages); }
    [[nodiscard]] byte_view data(std::uint64_t i) const { return {pages_[i % distinct_pages]}; }

private:
    filled_store() {
        const result<pool_id> made = store_.create_pool();
        if (!made) {
            throw std::runtime_error("no pool");
        }
        pool_ = *made;
        for (std::uint64_t i = 0; i < pages; ++i) {
            if (store_.put(key(i), data(i)) != status::ok) {
                throw std::runtime_error("the store cannot be filled");
            }
        }
    }

    std::vector<page> pages_ = make_pages();
    mmap_source<> source_;
    store_type store_{source_};
    pool_id pool_{};
};

/// Random numbers below `pages`; with several threads, each draws from a share of its own.
class key_stream {
public:
    explicit key_stream(const benchmark::State& state)
        : share_{pages / static_cast<std::uint64_t>(state.threads())},
          first_{share_ * static_cast<std::uint64_t>(state.thread_index())}, state_{first_ + 1} {}

    std::uint64_t operator()() noexcept {
        state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
        return first_ + (state_ >> 33) % share_;
    }

private:
    std::uint64_t share_;
    std::uint64_t first_;
    std::uint64_t state_;
};

void get_hit(benchmark::State& state) {
    filled_store& filled = filled_store::instance();
    key_stream next{state};
    page out;
    for (auto _ : state) {
        expect(state, filled.store().get(filled.key(next()), out), status::ok);
        benchmark::DoNotOptimize(out);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void get_miss(benchmark::State& state) {
    filled_store& filled = filled_store::instance();
    key_stream next{state};
    page out;
    for (auto _ : state) {
        expect(state, filled.store().get(filled.absent_key(next()), out), status::not_found);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void put_overwrite(benchmark::State& state) {
    filled_store& filled = filled_store::instance();
    key_stream next{state};
    std::uint64_t version = 0;
    for (auto _ : state) {
        const std::uint64_t i = next();
        expect(state, filled.store().put(filled.key(i), filled.data(i + ++version)), status::ok);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

// What a put costs that finds nothing under its key, and the take that makes it so.
void take_and_put(benchmark::State& state) {
    filled_store& filled = filled_store::instance();
    key_stream next{state};
    page out;
    for (auto _ : state) {
        const std::uint64_t i = next();
        expect(state, filled.store().take(filled.key(i), out), status::ok);
        expect(state, filled.store().put(filled.key(i), filled.data(i)), status::ok);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void erase_and_put(benchmark::State& state) {
    filled_store& filled = filled_store::instance();
    key_stream next{state};
    for (auto _ : state) {
        const std::uint64_t i = next();
        expect(state, filled.store().erase(filled.key(i)), status::ok);
        expect(state, filled.store().put(filled.key(i), filled.data(i)), status::ok);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void erase_miss(benchmark::State& state) {
    filled_store& filled = filled_store::instance();
    key_stream next{state};
    for (auto _ : state) {
        expect(state, filled.store().erase(filled.absent_key(next())), status::not_found);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK(get_hit)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(get_miss)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(put_overwrite)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(take_and_put)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(erase_and_put)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(erase_miss)->Threads(1)->Threads(2)->UseRealTime();

} // namespace

BENCHMARK_MAIN();
