// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/pages.hpp"
#include "support/test_source.hpp"
#include "support/tsan_ordered.hpp"

#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace pagefold::testing::unit_hosted_uffd_pager_options {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;

TEST_CASE("uffd_pager_options: arguments out of range are refused with a reason") {
    test_source source;
    store_type store{source};
    pager_type pager{store};
    const auto refuses = [&](const uffd_pager_options& o) {
        return pager.open(o) == status::invalid && std::strlen(pager.reason()) > 0 && pager.memory().empty();
    };
    CHECK(refuses(options_of(0, 64)));
    CHECK(refuses(options_of(64, pager_type::least_budget_pages - 1)));
    uffd_pager_options o = options_of(64, 32);
    o.bytes += 1;
    CHECK(refuses(o));
    o = options_of(64, 32);
    o.read_ahead_pages = 0;
    CHECK(refuses(o));
    o.read_ahead_pages = pager_type::max_window + 1;
    CHECK(refuses(o));
    o = options_of(64, 32);
    o.reclaim_batch = 0;
    CHECK(refuses(o));
    o.reclaim_batch = pager_type::max_batch + 1;
    CHECK(refuses(o));
    CHECK(pager.run() == status::invalid);
}

TEST_CASE("uffd_pager_options: what the kernel may lack is done without, or named") {
    if (lacks_uffd(uffd_abi::feature_move | uffd_abi::feature_wp_async | uffd_abi::feature_sigbus)) {
        return;
    }
    test_source source;
    store_type store{source};
    pager_type pager{store};
    uffd_pager_options o = options_of(64, 32);
    const auto opens_without = [&](std::uint64_t features) {
        o.may_use = ~features;
        return pager.open(o) == status::ok;
    };
    REQUIRE(opens_without(0));
    CHECK(pager.eviction() == eviction_method::move);
    CHECK(pager.tracking() == clean_tracking::scan);
    REQUIRE(opens_without(uffd_abi::feature_wp_async));
    CHECK(pager.eviction() == eviction_method::move);
    CHECK(pager.tracking() == clean_tracking::protect);
    REQUIRE(opens_without(uffd_abi::feature_move | uffd_abi::feature_poison));
    CHECK(pager.eviction() == eviction_method::protect);
    CHECK(pager.tracking() == clean_tracking::protect);
    REQUIRE(opens_without(uffd_abi::feature_wp));
    CHECK(pager.eviction() == eviction_method::move);
    CHECK(pager.tracking() == clean_tracking::none);

    const auto is_refused_for = [&](std::uint64_t features) {
        o.may_use = ~features;
        return pager.open(o) == status::invalid && pager.reason() == std::string(uffd_abi::name_of(features)) &&
               pager.memory().empty();
    };
    o.delivery = fault_delivery::signal;
    CHECK(is_refused_for(uffd_abi::feature_sigbus));
    o.delivery = fault_delivery::thread;
    o.eviction = eviction_method::move;
    CHECK(is_refused_for(uffd_abi::feature_move));
    o.eviction = eviction_method::automatic;
    o.tracking = clean_tracking::scan;
    CHECK(is_refused_for(uffd_abi::feature_wp_async));
    o.tracking = clean_tracking::automatic;
    o.backing = uffd_backing::shared;
    CHECK(is_refused_for(uffd_abi::feature_missing_shmem));
    CHECK(is_refused_for(uffd_abi::feature_wp_shmem));
    CHECK(store.stats().stored_pages == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_pager_options
