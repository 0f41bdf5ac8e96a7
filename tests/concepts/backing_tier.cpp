// SPDX-License-Identifier: MIT
//
// The smallest backing tier, and one wrong one for each clause of its signature.

#include <pagefold/store/config.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/tier/concept.hpp>
#include <pagefold/tier/none.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::concepts_backing_tier {
namespace {

struct smallest {
    result<tier_place> offer(const page_key&, byte_view) noexcept { return status::limit; }
    status fetch(const page_key&, tier_place, byte_span) noexcept { return status::not_found; }
    status forget(const page_key&, tier_place) noexcept { return status::ok; }
};
static_assert(backing_tier<smallest> && takes_pages<smallest>);
static_assert(backing_tier<no_tier> && !takes_pages<no_tier>);

struct says_that_it_takes : smallest {
    static constexpr bool takes_nothing = false;
};
static_assert(takes_pages<says_that_it_takes>);

struct without_offer {
    status fetch(const page_key&, tier_place, byte_span) noexcept { return status::not_found; }
    status forget(const page_key&, tier_place) noexcept { return status::ok; }
};
struct without_fetch {
    result<tier_place> offer(const page_key&, byte_view) noexcept { return status::limit; }
    status forget(const page_key&, tier_place) noexcept { return status::ok; }
};
struct without_forget {
    result<tier_place> offer(const page_key&, byte_view) noexcept { return status::limit; }
    status fetch(const page_key&, tier_place, byte_span) noexcept { return status::not_found; }
};
struct offer_of_status : smallest {
    status offer(const page_key&, byte_view) noexcept { return status::ok; }
};
struct offer_changes_stream : smallest {
    result<tier_place> offer(const page_key&, byte_span) noexcept { return status::limit; }
};
struct offer_may_throw : smallest {
    result<tier_place> offer(const page_key&, byte_view) { return status::limit; }
};
struct fetch_of_bool : smallest {
    bool fetch(const page_key&, tier_place, byte_span) noexcept { return false; }
};
struct fetch_may_throw : smallest {
    status fetch(const page_key&, tier_place, byte_span) { return status::not_found; }
};
struct forget_of_nothing : smallest {
    void forget(const page_key&, tier_place) noexcept {}
};
struct forget_may_throw : smallest {
    status forget(const page_key&, tier_place) { return status::ok; }
};
struct not_copied : smallest {
    not_copied() = default;
    not_copied(const not_copied&) = delete;
};
static_assert(!backing_tier<without_offer>);
static_assert(!backing_tier<without_fetch>);
static_assert(!backing_tier<without_forget>);
static_assert(!backing_tier<offer_of_status>);
static_assert(!backing_tier<offer_changes_stream>);
static_assert(!backing_tier<offer_may_throw>);
static_assert(!backing_tier<fetch_of_bool>);
static_assert(!backing_tier<fetch_may_throw>);
static_assert(!backing_tier<forget_of_nothing>);
static_assert(!backing_tier<forget_may_throw>);
static_assert(!backing_tier<not_copied>);
static_assert(!backing_tier<int>);

struct smallest_of_batches : smallest {
    void offer_all(tier_offer*, std::size_t) noexcept {}
};
struct batches_may_throw : smallest {
    void offer_all(tier_offer*, std::size_t) {}
};
static_assert(batch_tier<smallest_of_batches>);
static_assert(!batch_tier<smallest> && !batch_tier<batches_may_throw> && backing_tier<batches_may_throw>);

struct wrong_tier : default_config {
    using tier_type = without_offer;
};
struct small_tier : default_config {
    using tier_type = smallest;
};
static_assert(store_config<small_tier> && !store_config<wrong_tier>);

TEST_CASE("a backing tier of three functions is enough") {
    smallest tier;
    CHECK(tier.offer({}, {}).error() == status::limit);
    CHECK(tier.fetch({}, {}, {}) == status::not_found);
    CHECK(tier.forget({}, {}) == status::ok);
}

} // namespace
} // namespace pagefold::testing::concepts_backing_tier
