// SPDX-License-Identifier: MIT

#include <pagefold/core/cpu.hpp>

#include <doctest/doctest.h>

namespace unit_core_cpu {

namespace {

using namespace pagefold;

constexpr cpu_feature all[] = {cpu_feature::sse42, cpu_feature::avx2, cpu_feature::bmi, cpu_feature::avx512,
                               cpu_feature::neon};

} // namespace

TEST_CASE("a set of features holds what was put in") {
    cpu_features set;
    for (const cpu_feature feature : all) {
        CHECK_FALSE(set.contains(feature));
    }
    unsigned count = 0;
    for (const cpu_feature feature : all) {
        set.insert(feature);
        set.insert(feature);
        unsigned held = 0;
        for (const cpu_feature other : all) {
            held += set.contains(other) ? 1 : 0;
        }
        CHECK(held == ++count);
        CHECK(cpu_features::from_bits(set.bits()).bits() == set.bits());
    }
    CHECK(set.bits() < 0x80); // the bit above says that the processor was asked
}

TEST_CASE("the processor is asked once, and says no less than the compiler knows") {
    const cpu_features first = available_features();
    CHECK(cpu_detail::asked.load(memory_order::relaxed) == (first.bits() | cpu_detail::is_asked));
    CHECK(available_features().bits() == first.bits());
    CHECK(cpu_detail::ask_processor().bits() == first.bits());
    CHECK((first.bits() & compiled_features().bits()) == compiled_features().bits());
    CHECK(default_features().bits() == first.bits());
}

TEST_CASE("the answer is remembered, none included, and not asked for again") {
    const std::uint8_t before = cpu_detail::asked.exchange(cpu_detail::is_asked, memory_order::relaxed);
    CHECK(available_features().bits() == 0);
    cpu_detail::asked.store(0, memory_order::relaxed);
    CHECK(available_features().bits() == cpu_detail::ask_processor().bits());
    CHECK((before == 0 || cpu_detail::asked.load(memory_order::relaxed) == before));
}

#if PAGEFOLD_HAS_SSE2
TEST_CASE("the compiler's run-time library says the same of the processor") {
    const cpu_features here = available_features();
    CHECK(here.contains(cpu_feature::sse42) == (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt")));
    CHECK(here.contains(cpu_feature::avx2) == (__builtin_cpu_supports("avx2") != 0));
    CHECK(here.contains(cpu_feature::bmi) == (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")));
    CHECK(here.contains(cpu_feature::avx512) ==
          (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2")));
    CHECK_FALSE(here.contains(cpu_feature::neon));
}
#endif

} // namespace unit_core_cpu
