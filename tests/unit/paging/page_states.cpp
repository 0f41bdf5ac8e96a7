// SPDX-License-Identifier: MIT
#include <pagefold/paging/page_states.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pagefold::testing::unit_paging_page_states {
namespace {

using p = page_states;

TEST_CASE("memory of zeros is a region whose pages are nowhere") {
    static_assert(p::bytes_for(0) == 0 && p::bytes_for(1000) == 5000);
    std::vector<std::uint32_t> memory(p::bytes_for(7) / 4 + 1);
    p states;
    states.open(static_cast<std::byte*>(static_cast<void*>(memory.data())), 7);
    CHECK(states.pages() == 7);
    for (slot_id page = 0; page < 7; ++page) {
        CHECK(states.state(page) == page_state::nowhere);
        CHECK(states.stamp(page) == 0);
    }
}

TEST_CASE("places, traits and stamps don't touch each other or their neighbours") {
    std::vector<std::uint32_t> memory(p::bytes_for(3) / 4 + 1);
    p states;
    states.open(static_cast<std::byte*>(static_cast<void*>(memory.data())), 3);
    const p::trait traits[] = {p::good, p::has_entry, p::zero_base, p::barred, p::ahead};
    const p::place places[] = {p::absent, p::resident, p::in_transit, p::stored, p::lost};
    for (unsigned set = 0; set < 32; ++set) {
        for (const p::place place : places) {
            for (unsigned i = 0; i < 5; ++i) {
                states.set(1, traits[i], (set >> i & 1) != 0);
            }
            states.set_place(1, place);
            states.set_stamp(1, 0xffffffffu - set);
            CHECK(states.at(1) == place);
            for (unsigned i = 0; i < 5; ++i) {
                CHECK(states.has(1, traits[i]) == ((set >> i & 1) != 0));
            }
            CHECK(states.stamp(1) == 0xffffffffu - set);
            CHECK(states.state(0) == page_state::nowhere);
            CHECK(states.state(2) == page_state::nowhere);
            CHECK(states.stamp(0) + states.stamp(2) == 0);
        }
    }
}

TEST_CASE("a state is told from place and traits") {
    std::uint32_t memory[2] = {};
    p states;
    states.open(static_cast<std::byte*>(static_cast<void*>(memory)), 1);
    const auto is = [&](p::place place, page_state expected) {
        states.set_place(0, place);
        return states.state(0) == expected;
    };
    CHECK(is(p::resident, page_state::resident));
    CHECK(is(p::absent, page_state::nowhere));
    states.set(0, p::good, true);
    states.set(0, p::zero_base, true);
    CHECK(is(p::resident, page_state::clean));
    CHECK(is(p::in_transit, page_state::in_transit));
    CHECK(is(p::absent, page_state::zero));
    CHECK(is(p::stored, page_state::stored));
    CHECK(is(p::lost, page_state::lost));
    for (const page_state state : {page_state::nowhere, page_state::zero, page_state::resident, page_state::clean,
                                   page_state::in_transit, page_state::stored, page_state::lost}) {
        CHECK(to_string(state) != std::string{"unknown"});
    }
}

} // namespace
} // namespace pagefold::testing::unit_paging_page_states
