// SPDX-License-Identifier: MIT

// pagefold_measure --corpus DIR [--quick] [--json FILE] [--rounds N]
//
// Measures the figures that the goals are stated in (benchmarks/README.md), in rounds in which all contenders take
// turns.

#include "../support/corpus.hpp"
#include "figures.hpp"
#include "interruption.hpp"
#include "store_figures.hpp"

#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

namespace {

constexpr char usage[] = "usage: pagefold_measure --corpus DIR [--quick] [--json FILE] [--rounds N]\n"
                         "  --corpus DIR  a folder of *.pages files, as pagefold_make_corpus makes one\n"
                         "  --quick       3 rounds instead of 15, and shorter ones\n"
                         "  --json FILE   the medians, as one flat object\n"
                         "  --rounds N    as many rounds\n";

struct options {
    std::string corpus;
    std::string json;
    unsigned rounds = 0;
    bool quick = false;
    bool help = false;
};

bool read_options(int count, char** arguments, options& out) {
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const bool has_value = i + 1 < count;
        if (argument == "--quick") {
            out.quick = true;
        } else if (argument == "--help") {
            out.help = true;
        } else if (argument == "--corpus" && has_value) {
            out.corpus = arguments[++i];
        } else if (argument == "--json" && has_value) {
            out.json = arguments[++i];
        } else if (argument == "--rounds" && has_value) {
            const std::string number = arguments[++i];
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.rounds);
            if (error != std::errc{} || end != number.data() + number.size() || out.rounds == 0) {
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
    measure::measure_store(pages, rounds, chosen.quick, out);
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
