// SPDX-License-Identifier: MIT
#include <pagefold/hosted/prometheus_text.hpp>

#include "support/stats_samples.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace pagefold::testing::unit_hosted_prometheus_text {
namespace {

struct sample {
    std::map<std::string, std::string> labels;
    std::string value;
};
struct metric {
    std::string help, type;
    std::vector<sample> samples;
};

/// A reader of the format, as strict as its description; `good` becomes false where that is broken.
class reader {
public:
    explicit reader(const std::string& text) {
        good = text.empty() || text.back() == '\n';
        std::istringstream lines{text};
        for (std::string line; std::getline(lines, line);) {
            take(line);
        }
    }
    std::map<std::string, metric> metrics;
    bool good = true;

private:
    void take(std::string_view line) {
        if (line.starts_with("# HELP ")) {
            const std::size_t end = line.find(' ', 7);
            const std::string name{line.substr(7, end - 7)};
            good =
                good && end != std::string_view::npos && metrics.emplace(name, metric{}).second; // once, and together
            current_ = name;
            metrics[name].help = line.substr(end + 1);
        } else if (line.starts_with("# TYPE ")) {
            const std::size_t end = line.find(' ', 7);
            good = good && line.substr(7, end - 7) == current_ && metrics[current_].type.empty() &&
                   metrics[current_].samples.empty();
            metrics[current_].type = line.substr(end + 1);
        } else {
            take_sample(line);
        }
    }
    void take_sample(std::string_view line) {
        sample one;
        std::size_t at = line.find('{');
        good =
            good && at != std::string_view::npos && line.substr(0, at) == current_ && !metrics[current_].type.empty();
        while (good && line[at] != '}') {
            const std::size_t equals = line.find("=\"", ++at);
            const std::string name{line.substr(at, equals - at)};
            good = good && equals != std::string_view::npos && is_name(name);
            std::string value;
            for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
                if (line[at] == '\\') {
                    ++at;
                    good = good && at < line.size() && (line[at] == 'n' || line[at] == '\\' || line[at] == '"');
                    value += line[at] == 'n' ? '\n' : line[at];
                } else {
                    value += line[at];
                }
            }
            good = good && at + 1 < line.size() && (line[at + 1] == ',' || line[at + 1] == '}') &&
                   one.labels.emplace(name, value).second;
            ++at;
        }
        good = good && line.substr(at, 2) == "} ";
        one.value = good ? line.substr(at + 2) : "";
        good = good && !one.value.empty() && one.value.find_first_not_of("0123456789") == std::string::npos &&
               seen_.insert({current_, one.labels}).second;
        metrics[current_].samples.push_back(one);
    }
    [[nodiscard]] static bool is_name(const std::string& name) {
        return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    }

    std::string current_;
    std::set<std::pair<std::string, std::map<std::string, std::string>>> seen_;
};

[[nodiscard]] std::string written(std::span<const stats_snapshot> stores) {
    const text_outcome needed = write_prometheus({}, stores);
    std::string out(needed.bytes, '#');
    CHECK(write_prometheus(out, stores).is_whole);
    return out;
}

/// Each number of the list, where the metric's name and the sample's labels say it is.
template <class Stats>
void check_samples(const reader& read, const std::string& prefix, std::size_t count, std::size_t which,
                   const std::map<std::string, std::string>& labels, const Stats& stats) {
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        std::string name = prefix + row.info.name;
        name += row.info.unit == stat_unit::bytes && !name.ends_with("_bytes") ? "_bytes" : "";
        name += row.info.kind == stat_kind::counter ? "_total" : "";
        CAPTURE(name);
        const auto found = read.metrics.find(name);
        REQUIRE(found != read.metrics.end());
        CHECK(found->second.type == (row.info.kind == stat_kind::counter ? "counter" : "gauge"));
        CHECK(found->second.help == row.info.help);
        REQUIRE(found->second.samples.size() == count);
        CHECK(found->second.samples[which].value == std::to_string(stats.*row.value));
        CHECK(found->second.samples[which].labels == labels);
    }
}

TEST_CASE(
    "prometheus_text: each number of each store, pool and node is a sample of its metric, and a reader takes all") {
    const stats_samples s;
    const reader read{written(s.stores)};
    CHECK(read.good);
    CHECK(read.metrics.size() == 2 * stat_rows<store_stats>.size() + stat_rows<pool_stats>.size());
    for (const auto& [name, one] : read.metrics) {
        CHECK(name.ends_with("_total") == (one.type == "counter"));
    }
    std::string name = s.odd_name; // whose last byte is no UTF-8
    name.replace(name.size() - 1, 1, "\xef\xbf\xbd");
    const std::string other = name + "2";
    check_samples(read, "pagefold_store_", 2, 0, {{"store", "first"}}, s.stores[0].whole);
    check_samples(read, "pagefold_store_", 2, 1, {{"store", other}}, s.stores[1].whole);
    check_samples(read, "pagefold_pool_", 2, 0, {{"store", "first"}, {"pool", name}, {"id", "8192"}}, s.pools[0].stats);
    check_samples(read, "pagefold_pool_", 2, 1, {{"store", "first"}, {"pool", ""}, {"id", "18446744073709551615"}},
                  s.pools[1].stats);
    check_samples(read, "pagefold_node_", 2, 0, {{"store", "first"}, {"node", "3"}}, s.nodes[0].stats);
    check_samples(read, "pagefold_node_", 2, 1, {{"store", "first"}, {"node", "none"}}, s.nodes[1].stats);
}

TEST_CASE("prometheus_text: pages by age, of the pools whose host keeps ages") {
    stats_samples s;
    age_histogram ages;
    for (unsigned age = 0; age < age_histogram::ages; ++age) {
        ages.add(static_cast<std::uint8_t>(age));
    }
    s.pools[1].ages = &ages;
    s.pools[1].age_seconds = 60;
    reader read{written(s.stores)};
    CHECK(read.good);
    CHECK(read.metrics.size() == 2 * stat_rows<store_stats>.size() + stat_rows<pool_stats>.size() + 2);
    const std::map<std::string, std::string> labels{{"store", "first"}, {"pool", ""}, {"id", "18446744073709551615"}};
    const metric& seconds = read.metrics["pagefold_pool_age_seconds"];
    CHECK(seconds.type == "gauge");
    REQUIRE(seconds.samples.size() == 1);
    CHECK(seconds.samples[0].value == "60");
    CHECK(seconds.samples[0].labels == labels);
    const metric& pages = read.metrics["pagefold_pool_age_pages"];
    CHECK(pages.type == "gauge");
    REQUIRE(pages.samples.size() == 9);
    unsigned from = 0;
    for (const sample& one : pages.samples) {
        auto with = labels;
        with["from"] = std::to_string(from);
        CHECK(one.labels == with);
        CHECK(one.value == std::to_string(from == 0 ? 1 : from == 128 ? 127 : from));
        from = from == 0 ? 1 : 2 * from;
    }
}

TEST_CASE("prometheus_text: without pools, nodes or stores nothing is said of them") {
    CHECK(written({}).empty());
    const stats_snapshot alone{"x", {}, {}, {}};
    const reader read{written({&alone, 1})};
    CHECK(read.good);
    CHECK(read.metrics.size() == stat_rows<store_stats>.size());
}

TEST_CASE("prometheus_text: a buffer that is short by a byte gets the beginning, and is told what is needed") {
    const stats_samples s;
    const std::string whole = written(s.stores);
    CHECK(!write_prometheus({}, s.stores).is_whole);
    for (const std::size_t size :
         {std::size_t{1}, whole.size() / 2, whole.size() - 1, whole.size(), whole.size() + 1}) {
        std::string out(size, '#');
        const text_outcome outcome = write_prometheus(out, s.stores);
        CHECK(outcome.bytes == whole.size());
        CHECK(outcome.is_whole == (size >= whole.size()));
        const std::size_t kept = size < whole.size() ? size : whole.size();
        CHECK(out.substr(0, kept) == whole.substr(0, kept));
        CHECK(out.substr(kept).find_first_not_of('#') == std::string::npos);
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_prometheus_text
