// SPDX-License-Identifier: MIT

// pagefold_measure --corpus DIR [--only PART] [--quick] [--full] [--json FILE] [--rounds N] [--objects N]
//                  [--plots DIR] [--clones DIR]
//
// Measures the figures that the goals are stated in (benchmarks/README.md), in rounds in which all contenders take
// turns.

#include "../support/corpus.hpp"
#include "../support/foreign_malloc.hpp"
#include "alloc_figures.hpp"
#include "batch_figures.hpp"
#include "clone_figures.hpp"
#include "compress_figures.hpp"
#include "deferred_figures.hpp"
#include "figures.hpp"
#include "image_figures.hpp"
#include "interruption.hpp"
#include "numa_figures.hpp"
#include "packing_figures.hpp"
#include "pager_figures.hpp"
#include "pair_figures.hpp"
#include "pressure_figures.hpp"
#include "shrink_figures.hpp"
#include "store_figures.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

namespace {

constexpr char usage[] =
    "usage: pagefold_measure --corpus DIR [--only PART] [--quick] [--full] [--json FILE] [--rounds N] [--objects N]\n"
    "                        [--plots DIR] [--clones DIR]\n"
    "  --corpus DIR  a folder of *.pages files, as pagefold_make_corpus makes one\n"
    "  --only PART   one of: alloc, batch, clones, compress, deferred, image, numa, packing, pager, pressure, shrink, "
    "store\n"
    "  --quick       3 rounds instead of 15, and shorter ones\n"
    "  --full        very large stores as well: takes 8 GiB and some minutes more\n"
    "  --json FILE   the medians, as one flat object\n"
    "  --rounds N    as many rounds\n"
    "  --objects N   live objects of an allocator, and pages of a large store, instead of 200000\n"
    "  --plots DIR   writes the data of the plots into this folder, where the scripts of benchmarks/plots find it\n"
    "  --clones DIR  the clones are guests whose memory was dumped: template.pages, clone*.pages, and idle*.pages of "
    "any\n"
    "                that have only started; all of one size, 4096-byte pages in order\n";

struct options {
    std::string clones;
    std::string corpus;
    std::string json;
    std::string only;
    std::string plots;
    unsigned rounds = 0;
    std::size_t objects = 0;
    bool quick = false;
    bool full = false;
    bool help = false;
};

template <class Number>
bool read_number(const std::string& text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && out != 0;
}

bool read_options(int count, char** arguments, options& out) {
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const bool has_value = i + 1 < count;
        if (argument == "--quick") {
            out.quick = true;
        } else if (argument == "--full") {
            out.full = true;
        } else if (argument == "--help") {
            out.help = true;
        } else if (argument == "--corpus" && has_value) {
            out.corpus = arguments[++i];
        } else if (argument == "--json" && has_value) {
            out.json = arguments[++i];
        } else if (argument == "--rounds" && has_value) {
            if (!read_number(arguments[++i], out.rounds)) {
                return false;
            }
        } else if (argument == "--objects" && has_value) {
            if (!read_number(arguments[++i], out.objects)) {
                return false;
            }
        } else if (argument == "--plots" && has_value) {
            out.plots = arguments[++i];
        } else if (argument == "--clones" && has_value) {
            out.clones = arguments[++i];
        } else if (argument == "--only" && has_value) {
            out.only = arguments[++i];
            const char* const parts[] = {"alloc", "batch",   "clones", "compress", "deferred", "image",
                                         "numa",  "packing", "pager",  "pressure", "shrink",   "store"};
            if (std::ranges::find(parts, out.only) == std::end(parts)) {
                return false;
            }
        } else {
            return false;
        }
    }
    return out.help || !out.corpus.empty();
}

int measure_all(const options& chosen) {
    using namespace pagefold;
    const support::corpus pages = support::corpus::load(chosen.corpus);
    std::printf("%zu pages of %zu classes\n\n", pages.size(), pages.classes().size());
    std::fflush(stdout);

    measure::figures out;
    const unsigned rounds = chosen.rounds != 0 ? chosen.rounds : chosen.quick ? 3 : 15;
    const std::size_t objects = chosen.objects != 0 ? chosen.objects : 200'000;
    const auto is_wanted = [&](const char* part) { return chosen.only.empty() || chosen.only == part; };
    // First, while the heap of this process is small.
    if (is_wanted("alloc")) {
        measure::alloc_options options;
        options.rounds = rounds;
        options.seeds = chosen.quick ? 1 : options.seeds;
        options.objects = objects;
        options.plots = chosen.plots;
        measure::measure_alloc(pages, options, out);
    }
    if (is_wanted("compress")) {
        measure::measure_compress(pages, rounds, chosen.quick, out, chosen.plots);
        measure::measure_pairs(pages, std::min(rounds, 7u), chosen.quick, out);
    }
    if (is_wanted("clones")) {
        measure::measure_clones(pages, chosen.clones, std::min(rounds, 7u), out);
    }
    if (is_wanted("pager")) {
        measure::measure_pager(pages, std::min(rounds, 5u), chosen.quick, out);
    }
    if (is_wanted("store")) {
        measure::measure_store(pages, rounds, chosen.quick, out);
    }
    if (is_wanted("batch")) {
        measure::measure_batch(pages, std::min(rounds, 9u), chosen.quick, chosen.full, out);
    }
    if (is_wanted("deferred")) {
        measure::measure_deferred(pages, std::min(rounds, 7u), chosen.quick, out);
    }
    if (is_wanted("shrink")) {
        measure::measure_shrink(pages, std::min(rounds, 7u), objects, out);
    }
    if (is_wanted("pressure")) {
        measure::pressure_options options;
        options.rounds = std::min(rounds, options.rounds);
        options.objects = objects;
        options.is_quick = chosen.quick;
        options.is_full = chosen.full;
        measure::measure_pressure(pages, options, out);
    }
    if (is_wanted("numa")) {
        measure::measure_numa(pages, std::min(rounds, 7u), out);
    }
    if (is_wanted("image")) {
        measure::measure_image(pages, std::min(rounds, 7u), objects, out);
    }
    if (is_wanted("packing")) {
        measure::measure_packing(pages, objects, out);
    }
    out.print(stdout);
    if (!chosen.json.empty()) {
        std::ofstream file(chosen.json);
        file << out.json() << '\n';
        if (!file.flush()) {
            std::fprintf(stderr, "cannot write %s\n", chosen.json.c_str());
            return 1;
        }
    }
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    pagefold::support::make_room_for_foreign_mallocs(arguments);
    options chosen;
    const bool understood = read_options(count, arguments, chosen);
    if (!understood || chosen.help) {
        std::fputs(usage, understood ? stdout : stderr);
        return understood ? 0 : 2;
    }
    pagefold::measure::note_signals();
    try {
        return measure_all(chosen);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
