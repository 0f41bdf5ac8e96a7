// SPDX-License-Identifier: MIT

// Nothing of the library but macros may be included here: the hook and the level differ from those of the other tests,
// and an inline function would then have two definitions.

#undef PAGEFOLD_ASSERT_LEVEL
#define PAGEFOLD_ASSERT_LEVEL 2
#define PAGEFOLD_ASSERT_HOOK(expression, file, line) note_failure(expression, file, line)

namespace {
void note_failure(const char* expression, const char* file, int line);
}

#include <pagefold/config/assert.hpp>

#include <doctest/doctest.h>

#include <string>

namespace {

struct {
    int count = 0, line = 0;
    std::string expression, file;
} last_failure;

void note_failure(const char* expression, const char* file, int line) {
    ++last_failure.count;
    last_failure.expression = expression;
    last_failure.file = file;
    last_failure.line = line;
}

struct pair {
    int first, second;
};

} // namespace

TEST_CASE("an assertion that holds is silent, and evaluates its expression once") {
    last_failure = {};
    int evaluated = 0;
    PAGEFOLD_CHECK(++evaluated == 1);
    PAGEFOLD_ASSERT(++evaluated == 2);
    CHECK(evaluated == 2);
    CHECK(last_failure.count == 0);
}

TEST_CASE("a failed assertion tells the hook what and where, and goes on when it returns") {
    last_failure = {};
    const int one = 1;
    const int line = __LINE__ + 1;
    PAGEFOLD_CHECK(one == 2);
    CHECK(last_failure.count == 1);
    CHECK(last_failure.expression == "one == 2");
    CHECK(last_failure.file == __FILE__);
    CHECK(last_failure.line == line);
    PAGEFOLD_ASSERT(one == 3);
    CHECK(last_failure.count == 2);
    CHECK(last_failure.expression == "one == 3");
}

TEST_CASE("an assertion above the level is not evaluated, and its names still count as used") {
    last_failure = {};
    int evaluated = 0;
    PAGEFOLD_AUDIT(++evaluated == 5);
    CHECK(evaluated == 0);
    CHECK(last_failure.count == 0);
}

TEST_CASE("an expression may hold commas, and a macro stands as one statement") {
    last_failure = {};
    PAGEFOLD_CHECK(pair{1, 2}.first == 1);
    if (last_failure.count == 0)
        PAGEFOLD_CHECK(pair{1, 2}.second == 1);
    else
        PAGEFOLD_ASSERT(false);
    CHECK(last_failure.count == 1);
}
