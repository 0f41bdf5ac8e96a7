// SPDX-License-Identifier: MIT
#include "alloc_figures.hpp"

#include "alloc_contest.hpp"
#include "alloc_footprint.hpp"
#include "alloc_series.hpp"
#include "child.hpp"
#include "processors.hpp"

#include "../support/allocators.hpp"
#include "../support/object_sizes.hpp"

#include <pagefold/compress/lz4.hpp>
#if PAGEFOLD_BENCHMARK_ZSTD
#include <pagefold/compress/zstd.hpp>
#endif

#include <algorithm>
#include <filesystem>
#include <map>

namespace pagefold::measure {
namespace {

/// Sizes of objects under one codec; `suffix` is what the keys end in.
struct size_distribution {
    std::string suffix;
    std::vector<std::uint16_t> sizes;
};

std::string key_of(bool is_peer, const std::string& name, const std::string& figure) {
    return is_peer ? "peer." + name + "_" + figure : "alloc." + name + "." + figure;
}

double ratio(std::size_t part, std::size_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

/// Names of the foreign allocators that are here. They are loaded in a process that ends again.
std::vector<std::string> names_of_peers(figures& out) {
    figures found;
    const bool is_alive = run_in_child(found, [](figures& names) {
        for (const support::foreign_malloc& library : support::load_foreign_mallocs()) {
            names.add_context(library.name, 1);
        }
    });
    std::vector<std::string> names;
    if (is_alive) {
        found.for_each([&](figures::kind, const std::string& name, double) { names.push_back(name); });
    }
    for (const char* const name : {"jemalloc", "mimalloc"}) {
        if (std::find(names.begin(), names.end(), name) == names.end()) {
            out.note(std::string(name) + " is not here: what is compared with it is left out");
        }
    }
    return names;
}

/// Calls visit.operator()<Heap>(make_heap, name, is_peer, out) for every contender, in a process of its own.
template <class Visitor>
void for_each_heap(const std::vector<std::string>& peers, figures& out, Visitor visit) {
    const auto in_child = [&](const std::string& name, auto work) {
        if (!run_in_child(out, work)) {
            out.note("alloc: the system killed the process with " + name);
        }
    };
    support::for_each_allocator([&]<class Allocator>(const std::string& name) {
        using heap = support::library_heap<Allocator>;
        in_child(name,
                 [&](figures& found) { visit.template operator()<heap>([] { return heap{}; }, name, false, found); });
    });
    for (const std::string& name : peers) {
        in_child(name, [&](figures& found) {
            for (const support::foreign_malloc& library : support::load_foreign_mallocs()) {
                if (library.name == name) {
                    using heap = support::foreign_heap;
                    visit.template operator()<heap>([&] { return heap{library}; }, name, true, found);
                }
            }
        });
    }
}

/// The footprints of every contender: after churn, and after a random half was freed and what is left was compacted.
void measure_footprints(const size_distribution& drawn, const alloc_options& options, std::uint64_t seed,
                        const std::vector<std::string>& peers, figures& out) {
    constexpr std::size_t churn_per_object = 10;
    const std::size_t count = options.objects;
    for_each_heap(peers, out, [&]<class Heap>(auto make_heap, const std::string& name, bool is_peer, figures& found) {
        object_population<Heap> objects{count, seed, make_heap};
        const auto density = [&] { return ratio(objects.requested(), objects.held()); };
        const auto key = [&](const char* what) { return key_of(is_peer, name, what + drawn.suffix); };
        objects.fill(count, drawn.sizes);
        found.add_context(key("filled"), density());
        objects.churn(churn_per_object * count, drawn.sizes);
        found.add(key("live_over_footprint"), density());

        objects.free_some(0, count / 2);
        found.add_context(key("half_freed_before"), density());
        const std::uint64_t start = support::now_ns();
        objects.compact();
        found.add_context(key("compaction_ms"), static_cast<double>(support::now_ns() - start) / 1e6);
        found.add(key("half_freed"), density());
        objects.verify();
    });
}

/// The data of the plots, with sizes under LZ4.
void write_series(const support::corpus& pages, const alloc_options& options, const std::vector<std::string>& peers,
                  figures& out) {
    std::filesystem::create_directories(options.plots);
    const auto sizes_of = [&](const std::vector<const std::byte*>& some) { return support::object_sizes(lz4{}, some); };
    const std::vector<std::uint16_t> all = sizes_of(pages.pages());
    const std::vector<std::uint16_t> anon = sizes_of(pages.process_memory());
    const std::vector<std::uint16_t> file = sizes_of(pages.page_cache());
    const bool has_both = !anon.empty() && !file.empty();
    for_each_heap(peers, out, [&]<class Heap>(auto make_heap, const std::string& name, bool, figures&) {
        const alloc_scenes<Heap> scenes{options.plots, name, options.objects / 2};
        scenes.churn(all, make_heap);
        scenes.half_free(all, make_heap);
        if (has_both) {
            scenes.shift(anon, file, false, make_heap);
            if (Heap::compacts) {
                scenes.shift(anon, file, true, make_heap);
            }
        }
    });
}

/// The figure: means over jemalloc's.
void add_means(alloc_contest& contest, const std::string& suffix, figures& out) {
    contest.pass(alloc_timing::whole);
    const std::map<std::string, alloc_times> times = contest.finish();
    const auto jemalloc = times.find("jemalloc");
    for (const auto& one : contest.contenders()) {
        const double mean = times.at(one->name()).mean;
        const auto key = [&](const char* what) { return key_of(one->is_peer(), one->name(), what + suffix); };
        if (jemalloc != times.end() && jemalloc->first != one->name()) {
            out.add(key("ns_over_jemalloc"), mean / jemalloc->second.mean);
        }
        out.add_context(key("ns"), mean);
    }
}

/// What explains it: times one by one, of allocations that are written, and with the caches to oneself.
void add_other_times(alloc_contest& contest, figures& out) {
    contest.pass(alloc_timing::written);
    contest.pass(alloc_timing::each);
    const std::map<std::string, alloc_times> times = contest.finish();
    contest.pass(alloc_timing::whole, alloc_contest::long_turn);
    const std::map<std::string, alloc_times> warm = contest.finish();
    for (const auto& one : contest.contenders()) {
        const alloc_times& took = times.at(one->name());
        const auto add = [&](const char* what, double value) {
            out.add_context(key_of(one->is_peer(), one->name(), what), value);
        };
        add("p50_ns", took.p50);
        add("p99_ns", took.p99);
        add("worst_ns", took.worst);
        add("written_ns", took.written_mean);
        add("warm_ns", warm.at(one->name()).mean);
        if (const auto jemalloc = times.find("jemalloc"); jemalloc != times.end() && jemalloc->first != one->name()) {
            add("written_ns_over_jemalloc", took.written_mean / jemalloc->second.written_mean);
            add("warm_ns_over_jemalloc", warm.at(one->name()).mean / warm.at("jemalloc").mean);
        }
    }
}

/// Times of all contenders, who take turns in one process.
void measure_times(const size_distribution& drawn, const alloc_options& options, figures& out) {
    const auto work = [&](figures& found) {
        alloc_contest contest{drawn.sizes, options.objects, 5};
        support::for_each_allocator([&]<class Allocator>(const std::string& name) {
            contest.add(std::make_unique<alloc_contender_of<support::library_heap<Allocator>>>(name, false));
        });
        for (const support::foreign_malloc& library : support::load_foreign_mallocs()) {
            contest.add(std::make_unique<alloc_contender_of<support::foreign_heap>>(library.name, true, library));
        }
        contest.fill();
        // From the order of the load to a random one; the first pass brings all memory in.
        contest.pass(alloc_timing::written);
        contest.pass(alloc_timing::whole);
        contest.pass(alloc_timing::each);
        static_cast<void>(contest.finish());
        for (unsigned i = 0; i < options.rounds; ++i) {
            add_means(contest, drawn.suffix, found);
            if (drawn.suffix.empty()) {
                add_other_times(contest, found);
            }
        }
        for (const auto& one : contest.contenders()) {
            one->verify();
        }
    };
    if (!run_in_child(out, work)) {
        out.note("alloc: the system killed the process with all contenders: alloc.*.ns_over_jemalloc are left out");
    }
}

std::vector<size_distribution> distributions_of(const support::corpus& pages, figures& out) {
    std::vector<size_distribution> found{{"", support::object_sizes(lz4{}, pages.pages())}};
#if PAGEFOLD_BENCHMARK_ZSTD
    found.push_back({"_zstd", support::object_sizes(zstd{1}, pages.pages())});
#else
    out.note("built without zstd: alloc.*_zstd are left out");
#endif
    for (const size_distribution& one : found) {
        double sum = 0;
        for (const std::uint16_t size : one.sizes) {
            sum += size;
        }
        out.add_context("alloc.mean_size" + one.suffix, sum / static_cast<double>(one.sizes.size()));
    }
    return found;
}

} // namespace

void measure_alloc(const support::corpus& pages, const alloc_options& options, figures& out) {
    pin_to(usable_processors().back());
    const std::vector<std::string> peers = names_of_peers(out);
    const std::vector<size_distribution> distributions = distributions_of(pages, out);
    for (const size_distribution& one : distributions) {
        for (unsigned seed = 0; seed < options.seeds; ++seed) {
            measure_footprints(one, options, seed, peers, out);
        }
    }
    for (const size_distribution& one : distributions) {
        measure_times(one, options, out);
    }
    if (!options.plots.empty()) {
        write_series(pages, options, peers, out);
    }
}

} // namespace pagefold::measure
