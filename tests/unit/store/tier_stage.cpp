// SPDX-License-Identifier: MIT
#include <pagefold/store/tier_stage.hpp>

#include "support/test_tier.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace pagefold::testing::unit_store_tier_stage {
namespace {

/// Answers as it is told.
struct scripted_tier {
    struct script {
        result<tier_place> offered{tier_place{3}};
        status fetched = status::ok, forgotten = status::ok;
        unsigned forgets = 0;
        tier_place last{};
    };
    script* s;

    result<tier_place> offer(const page_key&, byte_view) noexcept { return s->offered; }
    status fetch(const page_key&, tier_place, byte_span) noexcept { return s->fetched; }
    status forget(const page_key&, tier_place place) noexcept {
        ++s->forgets;
        s->last = place;
        return s->forgotten;
    }
};
using stage = tier_stage<scripted_tier>;

TEST_CASE("tier_stage: what is taken has a place that an entry has room for, or is refused") {
    scripted_tier::script script;
    stage tier{scripted_tier{&script}};
    CHECK(tier.offer({}, {}).value() == tier_place{3});
    script.offered = static_cast<tier_place>((std::uint32_t{1} << tier_place_bits) - 1);
    CHECK(tier.offer({}, {}).has_value());
    CHECK(script.forgets == 0);
    script.offered = static_cast<tier_place>(std::uint32_t{1} << tier_place_bits);
    CHECK(tier.offer({}, {}).error() == status::invalid);
    CHECK(script.forgets == 1); // nobody will ask for it
    CHECK(script.last == static_cast<tier_place>(std::uint32_t{1} << tier_place_bits));
    script.offered = status::busy;
    CHECK(tier.offer({}, {}).error() == status::busy);
    CHECK(script.forgets == 1);
}

struct batching_tier : scripted_tier {
    void offer_all(tier_offer* offers, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            offers[i].answer = i % 2 == 0 ? status::ok : status::limit;
            offers[i].place = static_cast<tier_place>((std::uint32_t{1} << tier_place_bits) - 2 + i);
        }
    }
};

TEST_CASE("tier_stage: several at once get what each would have got alone") {
    scripted_tier::script script;
    tier_offer offers[4] = {};
    stage{scripted_tier{&script}}.offer_all(offers, 4);
    for (const tier_offer& one : offers) {
        CHECK(one.answer == status::ok);
        CHECK(one.place == tier_place{3});
    }
    script.offered = status::limit;
    stage{scripted_tier{&script}}.offer_all(offers, 4);
    CHECK(offers[3].answer == status::limit);
    tier_stage<batching_tier> together{batching_tier{{&script}}};
    together.offer_all(offers, 4);
    CHECK(offers[0].answer == status::ok);
    CHECK(offers[1].answer == status::limit);
    CHECK(offers[2].answer == status::invalid); // no entry has room for the place
    CHECK(offers[3].answer == status::limit);
    CHECK(script.forgets == 1);
    CHECK(script.last == offers[2].place);
}

TEST_CASE("tier_stage: what can't be read is lost, or can't be read now") {
    scripted_tier::script script;
    stage tier{scripted_tier{&script}};
    const auto fetched = [&](status s) {
        script.fetched = s;
        return tier.fetch({}, {});
    };
    CHECK(fetched(status::ok) == status::ok);
    CHECK(fetched(status::not_found) == status::corrupt);
    CHECK(fetched(status::corrupt) == status::corrupt);
    for (const status s : {status::busy, status::no_memory, status::limit, status::invalid, status::incompressible,
                           status::unavailable, static_cast<status>(200)}) {
        CHECK(fetched(s) == status::unavailable);
    }
}

TEST_CASE("tier_stage: copies are forgotten one by one, and failures counted") {
    scripted_tier::script script;
    stage tier{scripted_tier{&script}};
    leaving_copies copies;
    tier.forget(copies);
    CHECK(script.forgets == 0);
    copies.count = 2;
    copies.of[1].place = tier_place{8};
    tier.forget(copies);
    CHECK(script.forgets == 2);
    CHECK(script.last == tier_place{8});
    CHECK(tier.forget_failures() == 0);
    script.forgotten = status::not_found;
    tier.forget(copies);
    CHECK(tier.forget_failures() == 2);
    tier.note_failed_read();
    CHECK(tier.failed_reads() == 1);
}

TEST_CASE("tier_stage: a thread is inside once, and threads that can't be told apart as often as they like") {
    scripted_tier::script script;
    stage tier{scripted_tier{&script}};
    {
        const stage::visit first{tier, 1};
        CHECK(static_cast<bool>(first));
        const stage::visit again{tier, 1}, other{tier, 2};
        CHECK(!static_cast<bool>(again));
        CHECK(static_cast<bool>(other));
        const stage::visit nameless{tier, 0}, another{tier, 0};
        CHECK(static_cast<bool>(nameless));
        CHECK(static_cast<bool>(another));
    }
    const stage::visit later{tier, 1};
    CHECK(static_cast<bool>(later));
}

} // namespace
} // namespace pagefold::testing::unit_store_tier_stage
