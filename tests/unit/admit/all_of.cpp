// SPDX-License-Identifier: MIT
#include <pagefold/admit/all_of.hpp>

#include <pagefold/admit/always.hpp>
#include <pagefold/admit/by_pool.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/admit/second_touch.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::unit_admit_all_of {
namespace {

static_assert(!screening_policy<all_of<always, ratio>>);
static_assert(!remembering_admission<all_of<always, ratio>>);
static_assert(screening_policy<all_of<ratio, second_touch>>);
static_assert(remembering_admission<all_of<ratio, second_touch>>);
static_assert(all_of<always, ratio>::choice_count == 1);
static_assert(all_of<by_pool<always, ratio>, second_touch>::choice_count == 2);

struct counted {
    admission answer = admission::packed;
    bool passes = true;
    unsigned* asked = nullptr;
    unsigned* screened = nullptr;

    admission admit(const admission_query&) const noexcept {
        ++*asked;
        return answer;
    }
    bool screen(const admission_query&) const noexcept {
        ++*screened;
        return passes;
    }
};

constexpr admission all[] = {admission::packed, admission::raw, admission::reject};
constexpr admission_query query{4096, 100, pool_kind::ephemeral, 1, {}, key_past::unseen};

TEST_CASE("all_of: the strictest answer of three, each asked once") {
    for (const admission a : all) {
        for (const admission b : all) {
            for (const admission c : all) {
                unsigned asked[3] = {}, screened = 0;
                all_of<counted, counted, counted> policy{counted{a, true, &asked[0], &screened},
                                                         counted{b, true, &asked[1], &screened},
                                                         counted{c, true, &asked[2], &screened}};
                const admission strictest = a > b ? (a > c ? a : c) : (b > c ? b : c);
                CHECK(policy.admit(query) == strictest);
                CHECK(asked[0] == 1);
                CHECK(asked[1] == 1);
                CHECK(asked[2] == 1);
                CHECK(screened == 0);
                CHECK(policy.screen(query));
                CHECK(screened == 3);
            }
        }
    }
}

TEST_CASE("all_of: who screens behind one that refuses is not asked") {
    unsigned asked = 0, before = 0, behind = 0;
    all_of<counted, always, counted, counted> policy{counted{admission::packed, true, &asked, &before}, always{},
                                                     counted{admission::packed, false, &asked, &before},
                                                     counted{admission::packed, true, &asked, &behind}};
    CHECK_FALSE(policy.screen(query));
    CHECK(before == 2);
    CHECK(behind == 0);
    CHECK(asked == 0);
}

TEST_CASE("all_of: a page that comes again and shrinks") {
    all_of<second_touch, ratio> policy{second_touch{70}, ratio{500, admission::reject}};
    CHECK(policy.ghost_percent() == 70);
    admission_query asked = query;
    CHECK(policy.admit(asked) == admission::reject);
    CHECK_FALSE(policy.screen(asked));
    asked.past = key_past::left;
    CHECK(policy.screen(asked));
    CHECK(policy.admit(asked) == admission::packed);
    asked.packed_bytes = 2049;
    CHECK(policy.admit(asked) == admission::reject);
}

TEST_CASE("all_of: with nothing against it a page that does not shrink is raw") {
    CHECK(all_of<always>{}.admit({4096, 4096, pool_kind::ephemeral, 1}) == admission::raw);
    CHECK(all_of<always, always>{}.admit({4096, 4095, pool_kind::ephemeral, 1}) == admission::packed);
}

} // namespace
} // namespace pagefold::testing::unit_admit_all_of
