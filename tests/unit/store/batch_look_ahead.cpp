// SPDX-License-Identifier: MIT
#include "support/partition_fixture.hpp"

#include <pagefold/store/batch_look_ahead.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace unit_store_batch_look_ahead {
namespace {

using namespace pagefold;
using namespace pagefold::testing;

constexpr batch_step all_steps[] = {batch_step::extents, batch_step::chains, batch_step::arrays,
                                    batch_step::entries, batch_step::spans,  batch_step::streams};

void look(const lone_state<>& p, batch_window& window, std::uint64_t pages) {
    for (const batch_step step : all_steps) {
        batch_look_ahead<default_config>{p.state}(step, window, pages);
    }
}

TEST_CASE("batch_look_ahead: every page that has a stream is found where it is, in a run and alone, and no other") {
    lone_state<> p{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 3000; ++i) { // chains of several extents
        REQUIRE(p.put(i * 16, i % 5 == 0 ? min_stream_size : 100 + i) == status::ok);
    }
    unsigned looks = 0, missed = 0; // at the end of a long chain
    for (std::uint64_t first = 0; first < 48'000; first += 97) {
        batch_window window;
        for (unsigned i = 0; i < batch_window::max_pages; ++i) {
            window.keys[i] = p.at(1, first + i);
            window.slots[i] = no_slot;
        }
        look(p, window, low_bits(batch_window::max_pages));
        for (unsigned i = 0; i < batch_window::max_pages; ++i) {
            CAPTURE(first + i);
            const slot_id slot = p.slot(first + i);
            const auto e = slot != no_slot ? p.state.index.get(slot) : entry::with_stream(0, 0);
            if (slot != no_slot && window.slots[i] == no_slot) {
                ++missed;
                continue;
            }
            ++looks;
            CHECK(p.state.index.is_at(window.slots[i], window.keys[i]) == (slot != no_slot));
            CHECK(window.streams[i].size == (e.is_inline() ? 0 : e.size()));
            if (!e.is_inline()) {
                CHECK(window.streams[i].place == p.state.allocator.place(e.handle()).data());
            }
        }
    }
    CHECK(missed <= looks / 100);
    CHECK(p.check());
}

TEST_CASE("batch_look_ahead: looks only at the pages that it is told to") {
    lone_state<> p{pool_kind::persistent};
    REQUIRE(p.put(1, 504) == status::ok);
    batch_window window;
    for (unsigned i = 0; i < 3; ++i) {
        window.keys[i] = p.at(1, 1);
        window.slots[i] = no_slot;
    }
    look(p, window, 0b010u);
    CHECK(window.slots[0] == no_slot);
    CHECK(window.slots[1] == p.slot(1));
    CHECK(window.slots[2] == no_slot);
    CHECK(window.streams[1].size == 504);
    CHECK(window.streams[2].size == 0);
}

TEST_CASE("batch_look_ahead: what was found before something changed leads nowhere wrong") {
    lone_state<> p{pool_kind::persistent};
    batch_window window;
    for (unsigned i = 0; i < batch_window::max_pages; ++i) {
        REQUIRE(p.put(i * 64, 300 + i) == status::ok);
        window.keys[i] = p.at(1, i * 64);
        window.slots[i] = no_slot;
    }
    const std::uint64_t pages = low_bits(batch_window::max_pages);
    for (const batch_step step : all_steps) { // after each step some go, and others come into their places
        batch_look_ahead<default_config>{p.state}(step, window, pages);
        const unsigned n = static_cast<unsigned>(step);
        for (unsigned i = n; i < batch_window::max_pages; i += 7) {
            placement<default_config>{p.state}.remove_all(p.pool(), p.at(1, i * 64));
            REQUIRE(p.put(100'000 + i * 64 + n, 2000) == status::ok);
        }
    }
    for (unsigned i = 0; i < batch_window::max_pages; ++i) {
        CHECK(p.state.index.is_at(window.slots[i], window.keys[i]) ==
              (window.slots[i] != no_slot && p.slot(i * 64) == window.slots[i]));
    }
    CHECK(p.check());
}

TEST_CASE("batch_look_ahead: damage is neither followed nor counted") {
    lone_state<> p{pool_kind::persistent};
    for (std::uint64_t i = 0; i < 3; ++i) {
        REQUIRE(p.put(i, 504) == status::ok);
    }
    const slot_id slot = p.slot(1);
    const auto sound = p.state.index.get(slot);
    p.state.index.set(slot, entry{sound.word() ^ std::uint64_t{1} << 40, sound.meta()});
    batch_window window;
    window.keys[0] = p.at(1, 1);
    window.keys[1] = p.at(1, 2);
    window.slots[0] = window.slots[1] = no_slot;
    look(p, window, 0b11u);
    CHECK(window.streams[0].size == 0);
    CHECK(window.streams[1].size == 504);
    CHECK(p.state.damage == 0);
    CHECK(p.state.corruptions == 0);
    CHECK(p.state.index.damage() == 0);
    p.state.index.set(slot, sound);
    CHECK(p.check());
}

} // namespace
} // namespace unit_store_batch_look_ahead
