// SPDX-License-Identifier: MIT
#include <pagefold/hosted/text_writer.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pagefold::testing::unit_hosted_text_writer {
namespace {

template <class Put>
[[nodiscard]] std::string written(Put put) {
    std::string out(200, '#');
    text_writer text{out};
    put(text);
    const text_outcome outcome = text.outcome();
    REQUIRE(outcome.is_whole);
    CHECK(out[outcome.bytes] == '#'); // nothing behind it
    out.resize(outcome.bytes);
    return out;
}
[[nodiscard]] std::string json(std::string_view text) {
    return written([&](text_writer& w) { w.put_json(text); });
}
[[nodiscard]] std::string label(std::string_view text) {
    return written([&](text_writer& w) { w.put_label(text); });
}

TEST_CASE("text_writer: numbers are written from the first digit to the last") {
    const auto number = [](std::uint64_t n) { return written([&](text_writer& w) { w.put(n); }); };
    for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{10}, std::uint64_t{1} << 53,
                                  std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
        CHECK(number(n) == std::to_string(n));
    }
}

TEST_CASE("text_writer: a buffer of any length gets the text's beginning, and the length is told") {
    const std::string whole = "abc\"d\\\"e\"18446744073709551615";
    for (std::size_t size = 0; size <= whole.size() + 1; ++size) {
        std::vector<char> out(size + 1, '#');
        text_writer text{std::span{out}.first(size)};
        text.put("abc");
        text.put_json("d\"e");
        text.put(~std::uint64_t{0});
        const text_outcome outcome = text.outcome();
        CHECK(outcome.bytes == whole.size());
        CHECK(outcome.is_whole == (size >= whole.size()));
        CHECK(static_cast<bool>(outcome) == outcome.is_whole);
        const std::size_t kept = size < whole.size() ? size : whole.size();
        CHECK(std::string_view{out.data(), kept} == std::string_view{whole}.substr(0, kept));
        CHECK(out[size] == '#');
    }
    text_writer none{{}};
    CHECK(none.outcome().is_whole); // nothing is all of it
    none.put('x');
    CHECK(none.outcome().bytes == 1);
    CHECK(!none.outcome().is_whole);
}

TEST_CASE("text_writer: what JSON and Prometheus forbid in a string is escaped") {
    CHECK(json("") == "\"\"");
    CHECK(json("a\"b\\c/d") == R"("a\"b\\c/d")");
    CHECK(json(std::string_view{"\0\n\t\x1f\x20\x7f", 6}) == "\"\\u0000\\u000a\\u0009\\u001f \x7f\"");
    CHECK(label("") == "\"\"");
    CHECK(label("a\"b\\c\nd") == R"("a\"b\\c\nd")");
}

TEST_CASE("text_writer: text that is no UTF-8 becomes some, and what is stays") {
    const std::string bad = "\xef\xbf\xbd";
    for (const std::string_view good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "gr\xc3\xbc\xc3\x9f"}) {
        CHECK(json(good) == '"' + std::string{good} + '"');
        CHECK(label(good) == '"' + std::string{good} + '"');
    }
    struct broken {
        std::string_view text;
        unsigned marks;
    };
    for (const broken one : {broken{"\x80", 1}, broken{"\xc0\xaf", 2}, broken{"\xc1\xbf", 2}, broken{"\xe0\x9f\xbf", 3},
                             broken{"\xed\xa0\x80", 3}, broken{"\xf0\x8f\xbf\xbf", 4}, broken{"\xf4\x90\x80\x80", 4},
                             broken{"\xf5", 1}, broken{"\xff", 1}, broken{"\xc3", 1}, broken{"\xe2\x82", 2}}) {
        std::string expected = "\"";
        for (unsigned i = 0; i < one.marks; ++i) {
            expected += bad;
        }
        CHECK(json(one.text) == expected + '"');
        CHECK(label(one.text) == expected + '"');
    }
    CHECK(json("\xc3(") == '"' + bad + "(\""); // what comes behind is not lost
}

} // namespace
} // namespace pagefold::testing::unit_hosted_text_writer
