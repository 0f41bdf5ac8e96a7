// SPDX-License-Identifier: MIT

#include <pagefold/core/status.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace unit_core_status {

using namespace pagefold;

static_assert(static_cast<int>(status::ok) == 0);
static_assert(sizeof(status) == 1);

TEST_CASE("every status has a name of its own") {
    std::set<std::string> names;
    for (const status s : {status::ok, status::not_found, status::no_memory, status::limit, status::incompressible,
                           status::corrupt, status::busy, status::invalid, status::unavailable, status::too_short}) {
        names.insert(to_string(s));
    }
    CHECK(names.size() == 10);
    CHECK(to_string(status::not_found) == std::string{"not_found"});
    CHECK(names.count(to_string(static_cast<status>(200))) == 0);
    CHECK(to_string(static_cast<status>(200)) != nullptr);
}

} // namespace unit_core_status
