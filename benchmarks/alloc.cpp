// SPDX-License-Identifier: MIT

// Allocators and their peers, on the sizes that LZ4 makes of the pages in the folder that PAGEFOLD_CORPUS names, or on
// sizes made up here. For the figures that count see measure/, where all take turns.
//
// replace        frees a random live object and allocates another; the handles are in an array, as an owner has them, and
//                the look at it is part of the time
// replace_each   the same with each timed on its own, for percentiles; the time for an iteration includes the clock's
// compact        a random half of the objects is freed, outside the time; then it compacts until that gains nothing more

#include "support/allocators.hpp"
#include "support/corpus.hpp"
#include "support/heaps.hpp"
#include "support/latency.hpp"
#include "support/object_sizes.hpp"
#include "support/random_stream.hpp"

#include <pagefold/compress/lz4.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace pagefold::support;

using size_list = std::vector<std::uint16_t>;

constexpr std::int64_t live_counts[] = {1'000, 20'000, 200'000};

/// About what LZ4 makes of process memory and page cache: few pages that shrink to almost nothing, most to between an
/// eighth and three quarters, some not at all.
size_list made_up_sizes() {
    random_stream random{1};
    size_list sizes;
    for (std::size_t i = 0; i < 16'384; ++i) {
        const std::size_t kind = random.below(100);
        const std::size_t size = kind < 8    ? 40 + random.below(200)
                                 : kind < 85 ? 500 + random.below(1'300) + random.below(1'300)
                                 : kind < 93 ? 3'000 + random.below(1'000)
                                             : 4'096;
        sizes.push_back(static_cast<std::uint16_t>(size));
    }
    return sizes;
}

/// Live objects of one heap, and the order in which they are replaced.
template <class Heap>
class population {
public:
    template <class MakeHeap>
    population(std::size_t count, const size_list& sizes, MakeHeap make_heap)
        : heap_{make_heap()}, order_{random_stream{2}.permutation(count)} {
        random_stream random{3};
        const auto draw = [&] { return sizes[random.below(sizes.size())]; };
        for (std::size_t i = 0; i < count; ++i) {
            handles_.push_back(heap_.allocate(draw()));
        }
        for (std::size_t i = 0; i < drawn_sizes; ++i) {
            next_sizes_.push_back(draw());
        }
    }
    ~population() {
        for (const typename Heap::handle h : handles_) {
            heap_.deallocate(h);
        }
    }
    population(const population&) = delete;
    population& operator=(const population&) = delete;

    void replace_next() {
        typename Heap::handle& h = handles_[order_[next_]];
        heap_.deallocate(h);
        h = heap_.allocate(next_sizes_[next_size_]);
        next_ = next_ + 1 == order_.size() ? 0 : next_ + 1;
        next_size_ = next_size_ + 1 == drawn_sizes ? 0 : next_size_ + 1;
    }

    void free_half() {
        std::vector<typename Heap::handle> left;
        for (std::size_t i = 0; i < order_.size(); ++i) {
            if (i < order_.size() / 2) {
                heap_.deallocate(handles_[order_[i]]);
            } else {
                left.push_back(handles_[order_[i]]);
            }
        }
        handles_ = left;
    }
    void compact() {
        while (heap_.compact(handles_)) {
        }
    }
    [[nodiscard]] std::size_t held() const { return heap_.held(); }

private:
    // A prime: an object's successor is of another size in every pass over the objects.
    static constexpr std::size_t drawn_sizes = 65'537;

    Heap heap_;
    std::vector<std::uint32_t> order_;
    std::vector<typename Heap::handle> handles_;
    size_list next_sizes_;
    std::size_t next_ = 0;
    std::size_t next_size_ = 0;
};

template <class Heap, class MakeHeap>
void replace(benchmark::State& state, const size_list& sizes, MakeHeap make_heap) {
    population<Heap> objects{static_cast<std::size_t>(state.range(0)), sizes, make_heap};
    for (auto _ : state) {
        objects.replace_next();
    }
    state.SetItemsProcessed(state.iterations());
}

template <class Heap, class MakeHeap>
void replace_each(benchmark::State& state, const size_list& sizes, MakeHeap make_heap) {
    population<Heap> objects{static_cast<std::size_t>(state.range(0)), sizes, make_heap};
    latency_histogram latencies;
    for (auto _ : state) {
        const std::uint64_t before = now_ns();
        objects.replace_next();
        latencies.record(now_ns() - before);
    }
    state.counters["p50_ns"] = latencies.percentile(50);
    state.counters["p99_ns"] = latencies.percentile(99);
    state.counters["worst_ns"] = static_cast<double>(latencies.max());
    state.SetItemsProcessed(state.iterations());
}

template <class Heap, class MakeHeap>
void compact(benchmark::State& state, const size_list& sizes, MakeHeap make_heap) {
    std::size_t given_back = 0;
    for (auto _ : state) {
        state.PauseTiming();
        {
            population<Heap> objects{static_cast<std::size_t>(state.range(0)), sizes, make_heap};
            objects.free_half();
            const std::size_t before = objects.held();
            state.ResumeTiming();
            objects.compact();
            state.PauseTiming();
            given_back += before - objects.held();
        }
        state.ResumeTiming();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(given_back));
}

template <class Heap, class MakeHeap>
void add(const std::string& name, const size_list& sizes, MakeHeap make_heap) {
    const auto add_one = [&](const char* operation, auto run) {
        auto* const added = benchmark::RegisterBenchmark(
            (std::string(operation) + "/" + name).c_str(),
            [&sizes, make_heap, run](benchmark::State& state) { run(state, sizes, make_heap); });
        for (const std::int64_t count : live_counts) {
            added->Arg(count);
        }
    };
    add_one("replace", replace<Heap, MakeHeap>);
    add_one("replace_each", replace_each<Heap, MakeHeap>);
    if constexpr (Heap::compacts) {
        add_one("compact", compact<Heap, MakeHeap>);
    }
}

void add_all(const size_list& sizes) {
    for_each_allocator([&]<class Allocator>(const char* name) {
        add<library_heap<Allocator>>(name, sizes, [] { return library_heap<Allocator>{}; });
    });
    for (const foreign_malloc& library : load_foreign_mallocs()) {
        add<foreign_heap>(library.name, sizes, [library] { return foreign_heap{library}; });
    }
}

size_list sizes_to_use() {
    const char* const folder = std::getenv("PAGEFOLD_CORPUS");
    return folder == nullptr ? made_up_sizes() : object_sizes(pagefold::lz4{}, corpus::load(folder).pages());
}

} // namespace

int main(int argc, char** argv) {
    make_room_for_foreign_mallocs(argv);
    try {
        const size_list sizes = sizes_to_use();
        add_all(sizes);
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
            return 1;
        }
        benchmark::RunSpecifiedBenchmarks();
        benchmark::Shutdown();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pagefold_benchmark_alloc: %s\n", error.what());
        return 1;
    }
}
