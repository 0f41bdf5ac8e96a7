// SPDX-License-Identifier: MIT
//
// Each codec on each class of pages: time of a page, ratio, and bytes in and out a second. The classes are the *.pages
// files of the folder that PAGEFOLD_CORPUS names (make_corpus writes one), or else made up here, which tells codecs apart
// but says nothing about real memory. The pages of a class follow each other, so that tables and branches are as cold as
// they would be; a page that stays the same all the time flatters every codec.

#include "support/corpus.hpp"
#include "support/scratch_memory.hpp"

#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/same_filled.hpp>
#if PAGEFOLD_BENCHMARK_ZSTD
#include <pagefold/compress/zstd.hpp>
#endif
#if PAGEFOLD_BENCHMARK_LZO
#include <pagefold/compress/lzo.hpp>
#endif

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace {

using pagefold::byte_span;
using pagefold::byte_view;
using pagefold::support::scratch_memory;

constexpr std::size_t page_size = pagefold::support::corpus::page_bytes;

struct class_of_pages {
    std::string name;
    std::vector<const std::byte*> pages;
};

std::uint64_t next_random(std::uint64_t& state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/// `word_at(i, random)` gives the i-th word of a page.
template <class WordAt>
class_of_pages make_class(const char* name, WordAt word_at) {
    constexpr std::size_t count = 512; // 2 MiB: beyond the second-level cache
    static std::vector<std::vector<std::uint64_t>> memory;
    std::uint64_t state = 0x9e37'79b9'7f4a'7c15u;
    memory.emplace_back(count * page_size / sizeof(std::uint64_t));
    class_of_pages made{name, {}};
    for (std::size_t i = 0; i < memory.back().size(); ++i) {
        memory.back()[i] = word_at(i, state);
    }
    for (std::size_t i = 0; i < count; ++i) {
        made.pages.push_back(reinterpret_cast<const std::byte*>(memory.back().data()) + i * page_size);
    }
    return made;
}

std::vector<class_of_pages> made_up_classes() {
    return {
        make_class("same_filled", [](std::size_t, std::uint64_t&) { return std::uint64_t{0}; }),
        make_class(
            "pointers",
            [](std::size_t, std::uint64_t& state) { return 0x7f3a'5c00'0000u + (next_random(state) % 4096) * 16; }),
        make_class(
            "counters",
            [](std::size_t i, std::uint64_t& state) { return (std::uint64_t{i} << 32) | next_random(state) % 1000; }),
        make_class("sparse",
                   [](std::size_t, std::uint64_t& state) {
                       const std::uint64_t drawn = next_random(state);
                       return drawn % 5 == 0 ? drawn >> 24 : 0;
                   }),
        make_class("words",
                   [](std::size_t, std::uint64_t& state) {
                       static constexpr const char* words[] = {"the page", " of the  ", "memory, ",  "is fold",
                                                               "ed away ", "and back",  "again.\n ", "for that"};
                       std::uint64_t word = 0;
                       std::memcpy(&word, words[next_random(state) % 8], 7);
                       return word;
                   }),
        make_class("noise", [](std::size_t, std::uint64_t& state) { return next_random(state); }),
    };
}

std::vector<class_of_pages> classes_of(const pagefold::support::corpus& corpus) {
    std::vector<class_of_pages> classes;
    for (const pagefold::support::page_class& one : corpus.classes()) {
        classes.push_back({one.name, {}});
        for (std::size_t i = 0; i < one.count; ++i) {
            classes.back().pages.push_back(corpus.page(one.first + i));
        }
    }
    return classes;
}

benchmark::Counter gigabytes_per_second(std::size_t bytes) {
    return {static_cast<double>(bytes) / 1e9, benchmark::Counter::kIsRate};
}

/// How many times the pages are larger than what becomes of them, refused ones counted as they are.
template <pagefold::compressor Codec>
double ratio_of(const Codec& codec, const class_of_pages& from, byte_span scratch) {
    std::vector<std::byte> out(codec.bound(page_size));
    std::size_t kept = 0;
    for (const std::byte* page : from.pages) {
        kept += codec.compress({page, page_size}, out, scratch).value_or(page_size);
    }
    return static_cast<double>(from.pages.size() * page_size) / static_cast<double>(kept);
}

template <pagefold::compressor Codec>
void compress(benchmark::State& state, const Codec& codec, const class_of_pages& from) {
    const scratch_memory scratch{codec.scratch_size(page_size)};
    if (codec.prepare(scratch.span()) != pagefold::status::ok) {
        state.SkipWithError("the scratch cannot be prepared");
        return;
    }
    std::vector<std::byte> out(codec.bound(page_size));
    std::size_t next = 0, in_bytes = 0, out_bytes = 0;
    for (auto _ : state) {
        const auto length = codec.compress({from.pages[next], page_size}, out, scratch.span());
        benchmark::DoNotOptimize(out.data());
        next = next + 1 == from.pages.size() ? 0 : next + 1;
        in_bytes += page_size;
        out_bytes += length.value_or(page_size);
    }
    state.counters["in_GB/s"] = gigabytes_per_second(in_bytes);
    state.counters["out_GB/s"] = gigabytes_per_second(out_bytes);
    state.counters["ratio"] = ratio_of(codec, from, scratch.span());
}

/// Pages that the codec refuses are left out: nobody would decompress them.
template <pagefold::compressor Codec>
void decompress(benchmark::State& state, const Codec& codec, const class_of_pages& from) {
    const scratch_memory scratch{codec.scratch_size(page_size)};
    if (codec.prepare(scratch.span()) != pagefold::status::ok) {
        state.SkipWithError("the scratch cannot be prepared");
        return;
    }
    std::vector<std::vector<std::byte>> streams;
    for (const std::byte* page : from.pages) {
        std::vector<std::byte> out(codec.bound(page_size));
        if (const auto length = codec.compress({page, page_size}, out, scratch.span()); length) {
            out.resize(*length);
            out.shrink_to_fit();
            streams.push_back(std::move(out));
        }
    }
    if (streams.empty()) {
        for (auto _ : state) {
        }
        state.SetLabel("no page of this class shrinks");
        return;
    }
    std::vector<std::byte> page(page_size);
    std::size_t next = 0, in_bytes = 0, out_bytes = 0;
    for (auto _ : state) {
        if (codec.decompress(streams[next], page, scratch.span()) != pagefold::status::ok) {
            state.SkipWithError("a stream is not read back");
            return;
        }
        benchmark::DoNotOptimize(page.data());
        in_bytes += streams[next].size();
        out_bytes += page_size;
        next = next + 1 == streams.size() ? 0 : next + 1;
    }
    state.counters["in_GB/s"] = gigabytes_per_second(in_bytes);
    state.counters["out_GB/s"] = gigabytes_per_second(out_bytes);
}

template <pagefold::compressor Codec>
void add(const std::string& name, const Codec& codec, const std::vector<class_of_pages>& classes) {
    for (const class_of_pages& from : classes) {
        benchmark::RegisterBenchmark(("compress/" + name + "/" + from.name).c_str(),
                                     [=, &from](benchmark::State& state) { compress(state, codec, from); });
        benchmark::RegisterBenchmark(("decompress/" + name + "/" + from.name).c_str(),
                                     [=, &from](benchmark::State& state) { decompress(state, codec, from); });
    }
}

/// On every path that this machine has.
template <pagefold::page_level Level>
void add_page_codec(const std::string& name, const std::vector<class_of_pages>& classes) {
    for (unsigned i = 0; i < pagefold::page_paths; ++i) {
        const auto path = static_cast<pagefold::page_path>(i);
        if (pagefold::available_page_paths().contains(path)) {
            add(name + "_" + to_string(path), pagefold::basic_page_codec<Level>::with_path(path), classes);
        }
    }
}

void add_all(const std::vector<class_of_pages>& classes) {
    using namespace pagefold;
    add("same_filled", same_filled{}, classes);
    add("lz4", lz4{}, classes);
    add("lz4_accelerated_4", basic_lz4<4>{}, classes);
    add("lz_block", lz_block{}, classes);
    add_page_codec<page_level::fast>("page_fast", classes);
    add_page_codec<page_level::balanced>("page_balanced", classes);
    add_page_codec<page_level::high>("page_high", classes);
    add("chain_of_lz4", chain<lz4>{}, classes);
    add("chain_of_page", chain<page_codec>{}, classes);
#if PAGEFOLD_BENCHMARK_ZSTD
    add("zstd_-3", zstd{-3}, classes);
    add("zstd_1", zstd{1}, classes);
    add("zstd_3", zstd{3}, classes);
    add("chain_of_lz4_and_zstd_1", chain<lz4, zstd>{lz4{}, zstd{1}}, classes);
#endif
#if PAGEFOLD_BENCHMARK_LZO
    add("lzo", lzo{}, classes);
#endif
}

} // namespace

int main(int argc, char** argv) {
    try {
        pagefold::support::corpus corpus;
        const char* const folder = std::getenv("PAGEFOLD_CORPUS");
        if (folder != nullptr) {
            corpus = pagefold::support::corpus::load(folder);
        }
        const std::vector<class_of_pages> classes = folder != nullptr ? classes_of(corpus) : made_up_classes();
        add_all(classes);
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
            return 1;
        }
        benchmark::RunSpecifiedBenchmarks();
        benchmark::Shutdown();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pagefold_benchmark_compress: %s\n", error.what());
        return 1;
    }
}
