// SPDX-License-Identifier: MIT

#include <pagefold/store/entry.hpp>
#include <pagefold/store/victim_search.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace unit_store_victim_search {

namespace {

using namespace pagefold;

/// What a search looks at of a partition: entries by slot, and an allocator whose handles are slots of places with a size and
/// a fullness.
struct scene {
    struct place {
        std::size_t capacity;
        unsigned fullness;
        bool is_inline = false;
    };
    struct index_type {
        const std::vector<place>& places;
        [[nodiscard]] bool contains(slot_id slot) const noexcept { return slot < places.size(); }
        [[nodiscard]] entry get(slot_id slot) const noexcept {
            return places[slot].is_inline ? entry::with_stream(0, 0) : entry::with_payload(object_handle{slot}, 100, 0);
        }
    };
    struct allocator_type {
        const std::vector<place>& places;
        [[nodiscard]] std::size_t capacity(object_handle h) const noexcept { return place_of(h).capacity; }
        [[nodiscard]] unsigned fullness(object_handle h) const noexcept { return place_of(h).fullness; }
        [[nodiscard]] static std::size_t rounded(std::size_t n) noexcept { return n; }
        [[nodiscard]] const place& place_of(object_handle h) const noexcept {
            return places[static_cast<std::size_t>(static_cast<std::uint64_t>(h))];
        }
    };

    scene(std::vector<place> list)
        : places{std::move(list)} {} // NOLINT(google-explicit-constructor): a list is a scene
    scene(const scene&) = delete;
    [[nodiscard]] bool is_readable(const entry& e) const noexcept { return e.is_inline() || !damaged; }
    [[nodiscard]] static bool is_away(const entry& e) noexcept { return e.is_away(); }
    [[nodiscard]] static bool has_object(const entry& e) noexcept { return !e.is_inline(); }

    std::vector<place> places;
    index_type index{places};
    allocator_type allocator{places};
    bool damaged = false;
};

/// The first candidate in order that a search takes; places.size() for none.
template <unsigned Candidates>
std::size_t chosen(const scene& s, std::size_t need, unsigned& bar) {
    victim_search<scene, Candidates> search{s, need, bar};
    std::size_t at = 0;
    while (at < s.places.size() && !search(static_cast<slot_id>(at))) {
        ++at;
    }
    return at;
}

} // namespace

TEST_CASE("a candidate that is no page is taken at once, whatever is wanted") {
    unsigned bar = 0;
    const scene s{{{500, 0}, {500, 0}}};
    victim_search<scene, 4> for_place{s, 1000, bar}, for_pages{s, 0, bar};
    CHECK(for_place(2));
    CHECK(for_place(no_slot));
    CHECK(for_pages(no_slot));
    CHECK_FALSE(for_place(1));
}

TEST_CASE("a place that fits well is taken, before one that merely fits and long before any other") {
    unsigned bar = max_fullness;
    CHECK(chosen<0>(scene{{{500, 0}, {4000, 0}, {1100, 0}}}, 1000, bar) == 2); // 1100 fits well
    CHECK(chosen<0>(scene{{{999, 0}, {1000, 0}}}, 1000, bar) == 1);
    const scene roomy{std::vector<scene::place>(40, {4000, 0})};
    CHECK(chosen<0>(roomy, 1000, bar) == 8); // the ninth that merely fits
    const scene unfit{std::vector<scene::place>(300, {500, 0})};
    CHECK(chosen<0>(unfit, 1000, bar) == 16);
    const scene same_filled{std::vector<scene::place>(300, {0, 0, true})};
    CHECK(chosen<0>(same_filled, 1000, bar) == 16);
}

TEST_CASE("a search says whether it found what fits, and takes what can't be read at once") {
    unsigned bar = max_fullness;
    const scene unfit{std::vector<scene::place>(40, {500, 0})};
    victim_search<scene, 0> vain{unfit, 1000, bar};
    while (!vain(0)) {
    }
    CHECK_FALSE(vain.found_what_fits());
    victim_search<scene, 0> quick{unfit, 480, bar};
    CHECK(quick(0));
    CHECK(quick.found_what_fits());
    scene broken{std::vector<scene::place>(3, {500, 0})};
    broken.damaged = true;
    CHECK(chosen<0>(broken, 1000, bar) == 0);
    CHECK(victim_search<scene, 0>{unfit, 0, bar}(40)); // not in the index: a damaged link, which goes
}

TEST_CASE("for pages, the policy's first candidate goes unless sparse spans are asked for") {
    unsigned bar = max_fullness;
    const scene s{{{1000, 200}, {1000, 10}}};
    CHECK(chosen<0>(s, 0, bar) == 0);
    CHECK(chosen<8>(s, 0, bar) == 0); // the bar starts at its highest
    bar = 100;
    CHECK(chosen<8>(s, 0, bar) == 1);
    CHECK(chosen<0>(s, 0, bar) == 0);
}

TEST_CASE("the bar falls while sparse spans are met early, and rises to what there is") {
    unsigned bar = 100;
    const scene sparse{{{1000, 50}}};
    CHECK(chosen<8>(sparse, 0, bar) == 0);
    CHECK(bar == 99);
    bar = 0;
    CHECK(chosen<8>(scene{{{1000, 0}}}, 0, bar) == 0);
    CHECK(bar == 0); // never below

    bar = 100;
    scene full{std::vector<scene::place>(20, {1000, 240})};
    full.places[3].fullness = 180;
    CHECK(chosen<8>(full, 0, bar) == 8); // after eight any
    CHECK(bar == 180);
    CHECK(chosen<8>(full, 0, bar) == 3);
}

TEST_CASE("a same-filled page brings no pages back") {
    unsigned bar = 100;
    CHECK(chosen<8>(scene{{{0, 0, true}, {1000, 90}}}, 0, bar) == 1);
}

} // namespace unit_store_victim_search
