// SPDX-License-Identifier: MIT

// pagefold_replay: what a cache with each eviction policy would miss of a trace, and how fast the policies are
// (benchmarks/README.md).

#include "admissions.hpp"
#include "policies.hpp"
#include "trace.hpp"

#include <pagefold/core/bits.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace pagefold::replay {
namespace {

constexpr char usage[] =
    "usage: pagefold_replay TRACE | --make NAME  [--format oracle|csv] [--sizes LIST] [--policies LIST]\n"
    "                       [--second-tier] [--speed] [--rounds N] [--most N] [--objects N] [--requests N]\n"
    "                       [--plots DIR] [--write FILE] [--admission] [--bytes] [--draw-sizes NAME]\n"
    "  TRACE            a file: oracleGeneral (records of 24 bytes), or CSV if it is called *.csv or *.txt\n"
    "  --make NAME      zipf08, zipf10, loop, scan or mixed, of --objects N (100000) and --requests N (2000000)\n"
    "  --format F       oracle or csv, whatever the file is called\n"
    "  --sizes LIST     sizes of the cache, with commas: numbers of objects, or, below 1, parts of all objects\n"
    "                   (0.001,0.003,0.01,0.03,0.1,0.3)\n"
    "  --policies LIST  some of the policies, with commas\n"
    "  --second-tier    what an LRU cache of a quarter of the size before ours lets through\n"
    "  --most N         the first N requests\n"
    "  --speed          requests a second instead of misses, in interleaved --rounds N (5)\n"
    "  --admission      admission policies in a store with room for about so many objects: misses, pages that were\n"
    "                   stored for each miss, and processor time; --policies chooses nothing here\n"
    "  --bytes          objects take the bytes that the trace says, and --sizes are bytes, or parts of all objects' "
    "bytes:\n"
    "                   misses by requests and by bytes\n"
    "  --draw-sizes N   objects' bytes are drawn from: pages, uniform, some_raw or halves\n"
    "  --plots DIR      writes the curves into this folder, for benchmarks/plots/replay.gp\n"
    "  --write FILE     writes the trace as oracleGeneral, and ends\n";

struct wrong_arguments : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct options {
    std::string file, make, plots, write, drawn;
    trace_format format = trace_format::by_name;
    std::vector<double> sizes{0.001, 0.003, 0.01, 0.03, 0.1, 0.3};
    std::vector<std::string> policies;
    std::size_t most = ~std::size_t{0}, objects = 100'000, requests = 2'000'000, rounds = 5;
    bool second_tier = false, speed = false, admission = false, bytes = false, help = false;
};

[[nodiscard]] std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::istringstream from{list};
    for (std::string part; std::getline(from, part, ',');) {
        parts.push_back(part);
    }
    return parts;
}
[[nodiscard]] std::size_t number(const std::string& name, const std::string& text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value == 0) {
        throw wrong_arguments{name + " needs a number above 0, not '" + text + "'"};
    }
    return value;
}
[[nodiscard]] std::vector<double> sizes_of(const std::string& list) {
    std::vector<double> sizes;
    for (const std::string& part : split(list)) {
        std::size_t read = 0;
        double size = 0;
        try {
            size = std::stod(part, &read);
        } catch (const std::exception&) {
        }
        if (read != part.size() || !(size > 0) || size > 1e15 || (size >= 1 && size != std::floor(size))) {
            throw wrong_arguments{"--sizes: '" + part + "' is neither a whole number nor a part below 1"};
        }
        sizes.push_back(size);
    }
    if (sizes.empty()) {
        throw wrong_arguments{"--sizes is empty"};
    }
    return sizes;
}
[[nodiscard]] std::vector<std::string> policies_of(const std::string& list) {
    const std::vector<std::string> names = split(list);
    for (const std::string& name : names) {
        if (std::none_of(contenders().begin(), contenders().end(),
                         [&](const contender& c) { return c.name == name; })) {
            std::string all;
            for (const contender& c : contenders()) {
                all += " " + c.name;
            }
            throw wrong_arguments{"no policy is called '" + name + "'; there are" + all};
        }
    }
    return names;
}
[[nodiscard]] options read_arguments(int count, char** arguments) {
    options o;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        const auto value = [&]() -> std::string {
            if (i + 1 == count) {
                throw wrong_arguments{name + " needs a value"};
            }
            return arguments[++i];
        };
        if (name == "--help" || name == "-h") {
            o.help = true;
        } else if (name == "--make") {
            o.make = value();
            if (std::find(made_traces().begin(), made_traces().end(), o.make) == made_traces().end()) {
                throw wrong_arguments{"--make: no trace is called '" + o.make + "'"};
            }
        } else if (name == "--format") {
            const std::string format = value();
            if (format != "oracle" && format != "csv") {
                throw wrong_arguments{"--format is oracle or csv, not '" + format + "'"};
            }
            o.format = format == "csv" ? trace_format::csv : trace_format::oracle_general;
        } else if (name == "--sizes") {
            o.sizes = sizes_of(value());
        } else if (name == "--policies") {
            o.policies = policies_of(value());
        } else if (name == "--second-tier") {
            o.second_tier = true;
        } else if (name == "--speed") {
            o.speed = true;
        } else if (name == "--admission") {
            o.admission = true;
        } else if (name == "--bytes") {
            o.bytes = true;
        } else if (name == "--draw-sizes") {
            o.drawn = value();
            if (std::find(drawn_sizes().begin(), drawn_sizes().end(), o.drawn) == drawn_sizes().end()) {
                throw wrong_arguments{"--draw-sizes: no distribution is called '" + o.drawn + "'"};
            }
        } else if (name == "--rounds") {
            o.rounds = number(name, value());
        } else if (name == "--most") {
            o.most = number(name, value());
        } else if (name == "--objects") {
            o.objects = number(name, value());
            if (o.objects > 1'000'000'000) {
                throw wrong_arguments{"--objects: a billion at most"};
            }
        } else if (name == "--requests") {
            o.requests = number(name, value());
        } else if (name == "--plots") {
            o.plots = value();
        } else if (name == "--write") {
            o.write = value();
        } else if (!name.empty() && name.front() == '-') {
            throw wrong_arguments{"no option is called " + name};
        } else if (!o.file.empty()) {
            throw wrong_arguments{"one trace at a time: '" + name + "'"};
        } else {
            o.file = name;
        }
    }
    if (o.bytes && (o.speed || o.admission)) {
        throw wrong_arguments{"--bytes counts misses: neither --speed nor --admission goes with it"};
    }
    if (!o.bytes && std::any_of(o.sizes.begin(), o.sizes.end(), [](double size) { return size > 4e9; })) {
        throw wrong_arguments{"--sizes: four billion objects at most"};
    }
    if (!o.help && o.file.empty() == o.make.empty()) {
        throw wrong_arguments{"name a trace, or --make one"};
    }
    return o;
}

/// The line on standard error that says how far it has come; on a terminal always the same one.
void say(const std::string& line) {
    static const bool on_terminal = isatty(STDERR_FILENO) == 1;
    std::fprintf(stderr, on_terminal ? "\r\033[K%s" : "%s\n", line.c_str());
    std::fflush(stderr);
}
void say_end() {
    if (isatty(STDERR_FILENO) == 1) {
        std::fputs("\r\033[K", stderr);
    }
}

[[nodiscard]] std::vector<contender> chosen(const options& o) {
    std::vector<contender> some;
    for (const contender& c : contenders()) {
        if (o.policies.empty() || std::find(o.policies.begin(), o.policies.end(), c.name) != o.policies.end()) {
            some.push_back(c);
        }
    }
    return some;
}
/// Parts are of `all`: objects or bytes.
[[nodiscard]] std::vector<std::uint64_t> sizes_for(const options& o, std::uint64_t all) {
    std::vector<std::uint64_t> sizes;
    for (const double size : o.sizes) {
        sizes.push_back(size < 1
                            ? std::max<std::uint64_t>(static_cast<std::uint64_t>(size * static_cast<double>(all)), 1)
                            : static_cast<std::uint64_t>(size));
    }
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}
void write_curve(const options& o, const std::string& name, const std::vector<std::uint64_t>& sizes,
                 const std::vector<double>& ratios) {
    std::ofstream file{o.plots + "/replay." + name + ".dat"};
    for (std::size_t at = 0; at < sizes.size(); ++at) {
        file << sizes[at] << ' ' << ratios[at] << '\n';
    }
    file.close();
    if (!file) {
        throw std::runtime_error{o.plots + ": cannot be written to"};
    }
}

void replay_misses(const options& o, const trace& t) {
    const std::vector<contender> policies = chosen(o);
    const std::vector<std::uint64_t> sizes = sizes_for(o, t.objects);
    std::vector<std::vector<double>> ratios(policies.size());
    std::printf("%-10s%11s", "size", "requests");
    for (const contender& c : policies) {
        std::printf("  %*s", std::max<int>(static_cast<int>(c.name.size()), 6), c.name.c_str());
    }
    std::printf("\n");
    for (const std::size_t size : sizes) {
        const trace passed = o.second_tier ? filtered(t, size / 4) : trace{};
        const trace& used = o.second_tier ? passed : t;
        std::printf("%-10zu%11zu", size, used.requests.size());
        for (std::size_t i = 0; i < policies.size(); ++i) {
            const progress tell = [&](unsigned thousandths) {
                say(policies[i].name + ", " + std::to_string(size) + " objects: " + std::to_string(thousandths / 10) +
                    "%");
            };
            const std::size_t misses = policies[i].misses(used, size, tell);
            ratios[i].push_back(static_cast<double>(misses) / static_cast<double>(used.requests.size()));
            say_end();
            std::printf("  %*.4f", std::max<int>(static_cast<int>(policies[i].name.size()), 6), ratios[i].back());
            std::fflush(stdout);
        }
        std::printf("\n");
    }
    for (std::size_t i = 0; i < policies.size() && !o.plots.empty(); ++i) {
        write_curve(o, policies[i].name, sizes, ratios[i]);
    }
}

/// A table of misses over requests, and one of the bytes that were missed over those that were asked for.
void replay_bytes(const options& o, const trace& t) {
    if (t.bytes.empty()) {
        throw std::runtime_error{"the trace says no sizes: --draw-sizes"};
    }
    const std::vector<contender> policies = chosen(o);
    const std::vector<std::uint64_t> sizes = sizes_for(o, t.all_bytes());
    const std::uint64_t mean = std::max<std::uint64_t>(t.all_bytes() / t.objects, 1);
    std::vector<std::vector<double>> by_requests(policies.size()), by_bytes(policies.size());
    std::vector<std::size_t> requests;
    for (const std::uint64_t size : sizes) {
        const trace passed = o.second_tier ? filtered(t, to_size(size / mean / 4)) : trace{};
        const trace& used = o.second_tier ? passed : t;
        std::uint64_t wanted = 0;
        for (const std::uint32_t object : used.requests) {
            wanted += used.bytes_of(object);
        }
        requests.push_back(used.requests.size());
        for (std::size_t i = 0; i < policies.size(); ++i) {
            const progress tell = [&](unsigned thousandths) {
                say(policies[i].name + ", " + std::to_string(size) + " bytes: " + std::to_string(thousandths / 10) +
                    "%");
            };
            const missed got = policies[i].missed_of_bytes(used, size, tell);
            by_requests[i].push_back(static_cast<double>(got.requests) / static_cast<double>(used.requests.size()));
            by_bytes[i].push_back(static_cast<double>(got.bytes) / static_cast<double>(wanted));
            say_end();
        }
    }
    std::printf("%llu bytes in all objects\n", static_cast<unsigned long long>(t.all_bytes()));
    for (const bool bytes : {false, true}) {
        std::printf("%-14s%11s", bytes ? "by bytes" : "by requests", "requests");
        for (const contender& c : policies) {
            std::printf("  %*s", std::max<int>(static_cast<int>(c.name.size()), 6), c.name.c_str());
        }
        std::printf("\n");
        for (std::size_t at = 0; at < sizes.size(); ++at) {
            std::printf("%-14llu%11zu", static_cast<unsigned long long>(sizes[at]), requests[at]);
            for (std::size_t i = 0; i < policies.size(); ++i) {
                std::printf("  %*.4f", std::max<int>(static_cast<int>(policies[i].name.size()), 6),
                            (bytes ? by_bytes : by_requests)[i][at]);
            }
            std::printf("\n");
        }
    }
    for (std::size_t i = 0; i < policies.size() && !o.plots.empty(); ++i) {
        write_curve(o, policies[i].name, sizes, by_bytes[i]);
    }
}

void replay_speed(const options& o, const trace& t) {
    const std::vector<contender> policies = chosen(o);
    for (const std::size_t size : sizes_for(o, t.objects)) {
        const trace passed = o.second_tier ? filtered(t, size / 4) : trace{};
        const trace& used = o.second_tier ? passed : t;
        const std::size_t warm = used.requests.size() / 4;
        std::vector<std::vector<double>> rates(policies.size()), over_first(policies.size());
        for (std::size_t round = 0; round < o.rounds; ++round) {
            say("round " + std::to_string(round + 1) + " of " + std::to_string(o.rounds) + ", " + std::to_string(size) +
                " objects");
            for (std::size_t i = 0; i < policies.size(); ++i) {
                const double seconds = policies[i].seconds(used, size, warm);
                rates[i].push_back(static_cast<double>(used.requests.size() - warm) / seconds / 1e6);
                over_first[i].push_back(rates[i].back() / rates[0].back());
            }
        }
        say_end();
        const auto median = [](std::vector<double> of) {
            std::nth_element(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2), of.end());
            return of[of.size() / 2];
        };
        std::printf("%zu objects, million requests a second, and over %s\n", size, policies[0].name.c_str());
        for (std::size_t i = 0; i < policies.size(); ++i) {
            std::printf("  %-20s%8.1f%8.2f\n", policies[i].name.c_str(), median(rates[i]), median(over_first[i]));
        }
    }
}

void replay_admission(const options& o, const trace& t) {
    for (const std::size_t size : sizes_for(o, t.objects)) {
        const trace passed = o.second_tier ? filtered(t, size / 4) : trace{};
        const trace& used = o.second_tier ? passed : t;
        std::printf("%zu objects, %zu requests%26s%11s%14s\n", size, used.requests.size(), "misses", "stored",
                    "us a request");
        for (const admission_contender& c : admission_contenders()) {
            const progress tell = [&](unsigned thousandths) {
                say(c.name + ", " + std::to_string(size) + " objects: " + std::to_string(thousandths / 10) + "%");
            };
            const admission_outcome got = c.run(used, size, tell);
            say_end();
            const auto requests = static_cast<double>(used.requests.size());
            std::printf("  %-46s%8.4f%11.4f%14.2f\n", c.name.c_str(), static_cast<double>(got.misses) / requests,
                        static_cast<double>(got.stored) / static_cast<double>(got.misses),
                        got.seconds / requests * 1e6);
            std::fflush(stdout);
        }
    }
}

int run(int count, char** arguments) {
    const options o = read_arguments(count, arguments);
    if (o.help) {
        std::fputs(usage, stdout);
        return 0;
    }
    say("reading " + (o.file.empty() ? o.make : o.file));
    trace t = o.file.empty() ? make_trace(o.make, o.objects, std::min(o.requests, o.most))
                             : read_trace(o.file, o.format, o.most);
    say_end();
    if (!o.drawn.empty()) {
        draw_sizes(t, o.drawn);
    }
    if (!o.write.empty()) {
        write_trace(o.write, t);
        return 0;
    }
    std::printf("%s: %zu requests for %zu objects%s\n", (o.file.empty() ? o.make : o.file).c_str(), t.requests.size(),
                t.objects, o.second_tier ? ", behind LRU caches of a quarter of the size" : "");
    (o.bytes ? replay_bytes : o.admission ? replay_admission : o.speed ? replay_speed : replay_misses)(o, t);
    return 0;
}

} // namespace
} // namespace pagefold::replay

int main(int count, char** arguments) {
    try {
        return pagefold::replay::run(count, arguments);
    } catch (const pagefold::replay::wrong_arguments& e) {
        std::fprintf(stderr, "pagefold_replay: %s\n%s", e.what(), pagefold::replay::usage);
        return 2;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "pagefold_replay: %s\n", e.what());
        return 1;
    }
}
