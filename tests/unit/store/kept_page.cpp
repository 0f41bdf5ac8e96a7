// SPDX-License-Identifier: MIT
#include <pagefold/store/kept_page.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

namespace unit_store_kept_page {

using namespace pagefold;

TEST_CASE("kept_filter: takes what is in both ranges, to the edges, and what is marked") {
    const kept_filter all;
    CHECK(all.takes(0, 0));
    CHECK(all.takes(~std::uint64_t{0}, max_page_index - 1));
    kept_filter some;
    some.first_object = some.last_object = 5;
    some.first_index = 10;
    some.last_index = 20;
    CHECK(some.takes(5, 10));
    CHECK(some.takes(5, 20));
    CHECK(!some.takes(5, 9));
    CHECK(!some.takes(5, 21));
    CHECK(!some.takes(4, 15));
    CHECK(!some.takes(6, 15));
    const std::uint32_t none[2]{}, every[2]{~0u, ~0u};
    some.marks = {none, 2};
    CHECK(!some.takes(5, 15));
    some.marks = {every, 2};
    CHECK(some.takes(5, 15));
    CHECK(!some.takes(4, 15));
}

TEST_CASE("kept_page: references and deltas have a base") {
    kept_page page;
    for (const page_content content :
         {page_content::own, page_content::in_entry, page_content::raw, page_content::damaged}) {
        page.content = content;
        CHECK(!page.has_base());
    }
    page.content = page_content::reference;
    CHECK(page.has_base());
    page.content = page_content::delta;
    CHECK(page.has_base());
}

} // namespace unit_store_kept_page
