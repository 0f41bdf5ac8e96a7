// SPDX-License-Identifier: MIT
#include "watch.hpp"

#include "support/published_place.hpp"
#include "support/stats_samples.hpp"

#include <pagefold/hosted/stats_publisher.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace pagefold;
using top::writer_state;
using layout = pagefold::detail::published_layout;

TEST_CASE("top: it follows a writer, its end, its death in the middle, and the next one") {
    const testing::published_place at;
    const testing::stats_samples s;
    top::watch watched{at.path};
    CHECK(watched.update() == writer_state::unreadable);
    CHECK(watched.reason().find("No such file") != std::string::npos);
    stats_publisher writer;
    REQUIRE(writer.open(at.path.c_str()) == status::ok);
    CHECK(watched.update() == writer_state::alive);
    CHECK(watched.now().time_ns == 0);
    writer.publish(s.stores[0], 1);
    CHECK(watched.update() == writer_state::alive);
    CHECK(watched.now().time_ns == 1);
    CHECK(watched.before().time_ns == 0);
    CHECK(watched.update() == writer_state::alive);
    CHECK(watched.now().time_ns == 1); // the same: no span of time
    writer.publish(s.stores[0], 5);
    CHECK(watched.update() == writer_state::alive);
    CHECK(watched.before().time_ns == 1);
    CHECK(watched.now().time_ns == 5);
    CHECK(watched.now().pools.size() == 2);
    CHECK(watched.now().nodes.size() == 2);
    CHECK(testing::is_numbered(watched.now().pools[0].stats, 1000));

    writer.close();
    CHECK(watched.update() == writer_state::gone);
    CHECK(watched.now().time_ns == 5);
    at.write_word(layout::at_sequence, at.word(layout::at_sequence) + 1);
    CHECK(watched.update() == writer_state::died);
    CHECK(watched.now().time_ns == 5); // what was whole stays to be seen

    // The next writer may have another form, or another file of that name.
    REQUIRE(writer.open(at.path.c_str(), 500, 3) == status::ok);
    writer.publish(s.stores[0], 9);
    CHECK(watched.update() == writer_state::alive);
    CHECK(watched.now().time_ns == 9);
    writer.close();
    ::unlink(at.path.c_str());
    CHECK(watched.update() == writer_state::unreadable);
    REQUIRE(writer.open(at.path.c_str(), 1, 1) == status::ok);
    writer.publish(s.stores[0], 11);
    CHECK(watched.update() == writer_state::alive);
    CHECK(watched.now().time_ns == 11);
    CHECK(watched.now().pools.size() == 1);
    CHECK(watched.now().all_pools == 2);
}

TEST_CASE("top: it finds room for as many tenants as there are") {
    const testing::published_place at;
    std::vector<pool_snapshot> pools(300);
    for (std::size_t i = 0; i < pools.size(); ++i) {
        pools[i].id = static_cast<pool_id>(i);
    }
    stats_publisher writer;
    REQUIRE(writer.open(at.path.c_str(), 300, 0) == status::ok);
    writer.publish({"many", {}, pools, {}}, 1);
    top::watch watched{at.path};
    CHECK(watched.update() == writer_state::alive);
    REQUIRE(watched.now().pools.size() == 300);
    CHECK(watched.now().pools[299].id == pool_id{299});
}

} // namespace
