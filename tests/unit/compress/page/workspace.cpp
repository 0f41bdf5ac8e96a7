// SPDX-License-Identifier: MIT
#include <pagefold/compress/page/workspace.hpp>

#include <doctest/doctest.h>

#include <set>
#include <utility>

namespace pagefold::page_coding::unit_compress_page_workspace {
namespace {

TEST_CASE("lookups: each word of a line once, then those two bytes earlier") {
    std::set<int> words;
    for (unsigned k = 0; k != 16; ++k) {
        words.insert(word_offset(k));
        CHECK(word_offset(k) % 4 == 0);
        CHECK(word_offset(k + 16) == word_offset(k) - 2);
    }
    CHECK(words.size() == 16);
    CHECK(*words.begin() == 0);
    CHECK(*words.rbegin() == 60);
}

TEST_CASE("places behind words fall on every phase, and never on the next word or on each other") {
    std::set<unsigned> phases;
    std::set<unsigned> far_phases;
    for (unsigned k = 0; k != 16; ++k) {
        phases.insert(behind_word(k));
        far_phases.insert(far_behind_word(k));
        CHECK(behind_word(k) != far_behind_word(k));
        for (unsigned distance = 1; distance != 4; ++distance) {
            CHECK((words_with(distance, 0) >> k & 1) == (behind_word(k) == distance ? 1 : 0));
            CHECK((words_with(distance, 1) >> k & 1) == (far_behind_word(k) == distance ? 1 : 0));
        }
    }
    CHECK(phases == std::set<unsigned>{1, 2, 3});
    CHECK(far_phases == phases);
}

TEST_CASE("alphabets: the one with the fewest escapes in the sample, then the first, or none") {
    using counts = unsigned[literal_alphabets];
    CHECK(best_alphabet(counts{208, 0, 0, 0}) == 0);
    CHECK(best_alphabet(counts{207, 207, 207, 207}) == literal_alphabets);
    CHECK(best_alphabet(counts{0, 0, 0, 208}) == 3);
    CHECK(best_alphabet(counts{210, 220, 220, 219}) == 1);
    CHECK(sample_begin(sample_runs - 1, min_packed_literals) + sample_run == min_packed_literals);
    CHECK(sample_begin(sample_runs - 1, 4096) + sample_run <= 4096);
}

TEST_CASE("an empty table's entry is a source inside the page, for any word of any line but the first") {
    for (unsigned k = 0; k != 32; ++k) {
        const int source = static_cast<int>(no_position) - word_offset(k);
        CHECK(source >= 0);
    }
    CHECK(hash_of(~0u) < table_size);
    CHECK(hash_of(0) == 0);
}

TEST_CASE("scores and costs fit the vector paths' 16-bit keys") {
    CHECK(low_differs + high_differs == 255);
    CHECK((8 * 255 + new_lag_cost) * 8 + max_slots / 8 < 65536);
    // A new lag pays if it saves two literals, whichever, and never for one.
    CHECK(new_lag_cost < 2 * low_differs);
    CHECK(new_lag_cost > high_differs);
    for (const page_level level : {page_level::fast, page_level::balanced, page_level::high}) {
        CHECK(settings_of(level).lookups % 8 == 0);
        CHECK(fixed_slots + settings_of(level).lookups <= max_slots);
    }
}

TEST_CASE("packing is chosen only where it gains") {
    CHECK_FALSE(is_worth_packing(256, 256));
    CHECK(is_worth_packing(256, 0));
    CHECK(is_worth_packing(4096, 800));
    CHECK_FALSE(is_mask_packing_worth(31, 0));
    CHECK(is_mask_packing_worth(32, 0));
    CHECK_FALSE(is_mask_packing_worth(512, 256));
}

TEST_CASE("what is given up: the limits, and what lags and halves cover") {
    CHECK(is_noise(74, 896, max_noise_repeats));
    CHECK_FALSE(is_noise(75, 896, 0));
    CHECK_FALSE(is_noise(0, 896, max_noise_repeats + 1));
    std::set<std::pair<unsigned, std::size_t>> all;
    for (std::size_t turn = 0; turn != repeat_turn; ++turn) {
        all.insert({repeat_lag(turn), repeat_begin(turn)});
        CHECK(repeat_lag(turn) == repeat_lag(turn + repeat_turn));
        CHECK(repeat_begin(turn) == repeat_begin(turn + repeat_turn));
        CHECK(repeat_lag(turn) <= give_up_line * line_size);
        CHECK(repeat_begin(turn) + repeat_size <= line_size);
    }
    CHECK(all.size() == repeat_turn);
    // The sizes of structures, and of rows of pixels.
    for (const unsigned period :
         {3u, 4u, 6u, 8u, 10u, 12u, 16u, 20u, 24u, 28u, 32u, 36u, 40u, 48u, 56u, 64u, 72u, 80u}) {
        unsigned divides = 0;
        for (const unsigned lag : repeat_lags) {
            divides += lag % period == 0 ? 1 : 0;
        }
        CAPTURE(period);
        CHECK(divides != 0);
    }
}

} // namespace
} // namespace pagefold::page_coding::unit_compress_page_workspace
