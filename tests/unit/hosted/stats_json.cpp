// SPDX-License-Identifier: MIT
#include <pagefold/hosted/stats_json.hpp>

#include "support/stats_samples.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace pagefold::testing::unit_hosted_stats_json {
namespace {

/// A reader of the JSON that there is here: objects, arrays, strings, whole numbers and null. What lies in it becomes a map from
/// a path (`stores/0/stats/puts`) to its text.
class reader {
public:
    explicit reader(std::string_view text) : text_{text} {
        take("");
        skip();
        good = good && at_ == text_.size();
    }
    std::map<std::string, std::string> values;
    bool good = true;

private:
    void skip() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
            ++at_;
        }
    }
    [[nodiscard]] char next() { return at_ < text_.size() ? text_[at_] : '\0'; }
    void expect(char c) {
        skip();
        good = good && next() == c;
        ++at_;
    }
    [[nodiscard]] std::string take_string() {
        std::string out;
        expect('"');
        while (good && next() != '"') {
            good = good && static_cast<unsigned char>(next()) >= 0x20;
            if (next() == '\\') {
                ++at_;
                if (next() == 'u') {
                    good = good && text_.substr(at_ + 1, 2) == "00";
                    out += static_cast<char>(std::stoi(std::string{text_.substr(at_ + 1, 4)}, nullptr, 16));
                    at_ += 4;
                } else {
                    good = good && (next() == '"' || next() == '\\');
                    out += next();
                }
            } else {
                out += next();
            }
            ++at_;
        }
        expect('"');
        return out;
    }
    template <class Element>
    void take_list(char close, Element element) {
        ++at_;
        skip();
        if (next() == close) {
            ++at_;
            return;
        }
        do {
            element();
            skip();
        } while (good && next() == ',' && ++at_ != 0);
        expect(close);
    }
    void take(const std::string& path) {
        skip();
        if (!good) {
            return;
        }
        if (next() == '{') {
            take_list('}', [&] {
                skip();
                const std::string name = take_string();
                expect(':');
                take(path + '/' + name);
            });
        } else if (next() == '[') {
            std::size_t number = 0;
            take_list(']', [&] { take(path + '/' + std::to_string(number++)); });
        } else if (next() == '"') {
            note(path, take_string());
        } else {
            const std::size_t end = text_.find_first_of(",]}", at_);
            const std::string_view word = text_.substr(at_, end - at_);
            good = good && (word == "null" ||
                            (!word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos &&
                             (word.size() == 1 || word[0] != '0')));
            at_ += word.size();
            note(path, std::string{word});
        }
    }
    void note(const std::string& path, const std::string& value) { good = good && values.emplace(path, value).second; }

    std::string_view text_;
    std::size_t at_ = 0;
};

[[nodiscard]] std::string written(std::span<const stats_snapshot> stores) {
    std::string out(write_json({}, stores).bytes, '#');
    CHECK(write_json(out, stores).is_whole);
    return out;
}
template <class Stats>
void check_stats(const reader& read, const std::string& path, const Stats& stats) {
    visit(stats, [&](const stat_info& info, std::uint64_t value) {
        const auto found = read.values.find(path + "/stats/" + info.name);
        CAPTURE(info.name);
        REQUIRE(found != read.values.end());
        CHECK(found->second == std::to_string(value));
    });
}

TEST_CASE("stats_json: a reader finds each number of each store, pool and node under its name") {
    const stats_samples s;
    reader read{written(s.stores)};
    CHECK(read.good);
    std::string name = s.odd_name; // whose last byte is no UTF-8
    name.replace(name.size() - 1, 1, "\xef\xbf\xbd");
    CHECK(read.values["/version"] == "1");
    CHECK(read.values["/stores/0/store"] == "first");
    CHECK(read.values["/stores/1/store"] == name + "2");
    CHECK(read.values["/stores/0/pools/0/pool"] == name);
    CHECK(read.values["/stores/0/pools/0/id"] == "8192");
    CHECK(read.values["/stores/0/pools/0/kind"] == "persistent");
    CHECK(read.values["/stores/0/pools/1/pool"].empty());
    CHECK(read.values["/stores/0/pools/1/id"] == "18446744073709551615");
    CHECK(read.values["/stores/0/pools/1/kind"] == "ephemeral");
    CHECK(read.values["/stores/0/nodes/0/node"] == "3");
    CHECK(read.values["/stores/0/nodes/1/node"] == "null");
    CHECK(read.values["/stores/0/ratio_permille"] == std::to_string(s.stores[0].whole.ratio_permille()));
    check_stats(read, "/stores/0", s.stores[0].whole);
    check_stats(read, "/stores/1", s.stores[1].whole);
    check_stats(read, "/stores/0/pools/0", s.pools[0].stats);
    check_stats(read, "/stores/0/pools/1", s.pools[1].stats);
    check_stats(read, "/stores/0/nodes/0", s.nodes[0].stats);
    check_stats(read, "/stores/0/nodes/1", s.nodes[1].stats);
    // A store has a name and a ratio, a pool three words, a node its number.
    CHECK(read.values.size() == 1 + 2 * (2 + stat_rows<store_stats>.size()) + 2 * (3 + stat_rows<pool_stats>.size()) +
                                    2 * (1 + stat_rows<store_stats>.size()));
}

TEST_CASE("stats_json: pages by age, of the pools whose host keeps ages") {
    stats_samples s;
    age_histogram ages;
    for (unsigned age = 0; age < age_histogram::ages; ++age) {
        ages.add(static_cast<std::uint8_t>(age), 2);
    }
    const std::size_t without = reader{written(s.stores)}.values.size();
    s.pools[1].ages = &ages;
    s.pools[1].age_seconds = 60;
    reader read{written(s.stores)};
    CHECK(read.good);
    CHECK(read.values.size() == without + 1 + 2 * 9);
    const std::string path = "/stores/0/pools/1/";
    CHECK(read.values[path + "age_seconds"] == "60");
    unsigned from = 0;
    for (unsigned which = 0; which < 9; ++which) {
        const std::string one = path + "ages/" + std::to_string(which);
        CHECK(read.values[one + "/from"] == std::to_string(from));
        CHECK(read.values[one + "/pages"] == std::to_string(from == 0 ? 2 : from == 128 ? 2 * 127 : 2 * from));
        from = from == 0 ? 1 : 2 * from;
    }
}

TEST_CASE("stats_json: of no stores there is an empty list") {
    CHECK(written({}) == "{\"version\":1,\"stores\":[]}\n");
}

TEST_CASE("stats_json: a buffer that is short by a byte gets the beginning, and is told what is needed") {
    const stats_samples s;
    const std::string whole = written(s.stores);
    CHECK(!write_json({}, s.stores).is_whole);
    for (const std::size_t size :
         {std::size_t{1}, whole.size() / 2, whole.size() - 1, whole.size(), whole.size() + 1}) {
        std::string out(size, '#');
        const text_outcome outcome = write_json(out, s.stores);
        CHECK(outcome.bytes == whole.size());
        CHECK(outcome.is_whole == (size >= whole.size()));
        const std::size_t kept = size < whole.size() ? size : whole.size();
        CHECK(out.substr(0, kept) == whole.substr(0, kept));
    }
}

} // namespace
} // namespace pagefold::testing::unit_hosted_stats_json
