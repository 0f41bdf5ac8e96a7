// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/path.hpp>

#include <doctest/doctest.h>

#include <cstring>

namespace pagefold::testing {
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
    CHECK(page_path_set::from_bits(set.bits()).contains(page_path::avx2));
    CHECK_FALSE(page_path_set::from_bits(set.bits()).contains(page_path::neon));
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

TEST_CASE("the processor is asked once, and says no less than the compiler knows") {
    const page_path_set first = available_page_paths();
    CHECK(first.contains(page_path::scalar));
    CHECK(available_page_paths().bits() == first.bits());
    CHECK(page_coding::ask_processor().bits() == first.bits());
    CHECK((first.bits() & page_coding::compiled_paths().bits()) == page_coding::compiled_paths().bits());
#if PAGEFOLD_HAS_X86_VECTORS
    CHECK(first.contains(page_path::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")));
    CHECK(first.contains(page_path::avx512) ==
          (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512bw")));
#endif
}

} // namespace
} // namespace pagefold::testing
