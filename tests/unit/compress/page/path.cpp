// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/path.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <initializer_list>

namespace pagefold::testing::unit_compress_page_path {
namespace {

TEST_CASE("page_path_set holds what was put in, and knows the best") {
    page_path_set set;
    CHECK(set.best() == page_path::scalar);
    CHECK_FALSE(set.contains(page_path::scalar));
    set.insert(page_path::sse42);
    CHECK(set.contains(page_path::sse42));
    CHECK(set.best() == page_path::sse42);
    set.insert(page_path::avx2);
    CHECK(set.best() == page_path::avx2);
    set.insert(page_path::avx512);
    CHECK(set.best() == page_path::avx512);
    CHECK_FALSE(set.contains(page_path::neon));
    set = {};
    set.insert(page_path::neon);
    CHECK(set.best() == page_path::neon);
}

TEST_CASE("paths have names of their own") {
    for (unsigned i = 0; i != page_paths; ++i) {
        CHECK(std::strcmp(to_string(static_cast<page_path>(i)), "unknown") != 0);
        for (unsigned j = 0; j != i; ++j) {
            CHECK(std::strcmp(to_string(static_cast<page_path>(i)), to_string(static_cast<page_path>(j))) != 0);
        }
    }
}

[[maybe_unused]] cpu_features features(std::initializer_list<cpu_feature> wanted) {
    cpu_features set;
    for (const cpu_feature feature : wanted) {
        set.insert(feature);
    }
    return set;
}

TEST_CASE("a path needs all of its features, and those of the paths below") {
    using page_coding::paths_with;
    CHECK(paths_with({}).best() == page_path::scalar);
    CHECK(paths_with({}).contains(page_path::scalar));
#if PAGEFOLD_HAS_X86_VECTORS
    using enum cpu_feature;
    CHECK(paths_with(features({sse42})).best() == page_path::sse42);
    CHECK(paths_with(features({sse42, avx2})).best() == page_path::sse42);
    CHECK(paths_with(features({sse42, bmi})).best() == page_path::sse42);
    CHECK(paths_with(features({sse42, avx2, bmi})).best() == page_path::avx2);
    CHECK(paths_with(features({sse42, avx512, bmi})).best() == page_path::sse42);
    CHECK(paths_with(features({sse42, avx2, bmi, avx512})).best() == page_path::avx512);
    CHECK(paths_with(features({avx2, bmi, avx512, neon})).best() == page_path::scalar);
#elif PAGEFOLD_HAS_NEON
    CHECK(paths_with(features({cpu_feature::neon})).best() == page_path::neon);
#endif
}

TEST_CASE("the paths are those of the processor's features") {
    const page_path_set here = available_page_paths();
    CHECK(here.contains(page_path::scalar));
    CHECK(here == available_page_paths());
    CHECK(here == page_coding::paths_with(available_features()));
    CHECK(default_page_path() == here.best());
    CHECK(here.contains(page_coding::paths_with(compiled_features()).best()));
#if PAGEFOLD_HAS_X86_VECTORS
    CHECK(here.contains(page_path::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")));
    CHECK(here.contains(page_path::avx512) ==
          (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512bw")));
#endif
}

} // namespace
} // namespace pagefold::testing::unit_compress_page_path
