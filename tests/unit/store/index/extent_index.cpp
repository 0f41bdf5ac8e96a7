// SPDX-License-Identifier: MIT

#include <pagefold/store/index/extent_index.hpp>

#include "support/index_model.hpp"
#include "support/rng.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <set>
#include <vector>

namespace unit_store_index_extent_index {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

constexpr std::uint32_t none = extent::none;

/// Where keys lie: `pages` numbers from each of the bases, of `objects` objects.
struct key_range {
    std::uint64_t objects, pages;
};

template <class Model>
typename Model::key random_key(rng& random, const key_range& range) {
    static constexpr std::uint64_t bases[] = {0, 0, std::uint64_t{1} << 40};
    const bool at_the_end = random.one_in(4);
    const std::uint64_t at = random.below(range.pages);
    return {static_cast<unsigned>(random.below(Model::pools)), random.below(range.objects),
            at_the_end ? max_page_index - 1 - at : bases[random.below(std::size(bases))] + at};
}

/// Random steps, of which `erasing` in a hundred on a page that is present erase it; everything is checked after each.
template <class Model>
void run(Model& model, rng& random, unsigned steps, const key_range& range, unsigned erasing) {
    for (unsigned i = 0; i < steps; ++i) {
        const auto k = random_key<Model>(random, range);
        const slot_id slot = model.find(k);
        REQUIRE((slot != no_slot) == model.has(k));
        if (slot == no_slot) {
            model.source.refuse_nth(random.below(3));
            const std::uint64_t refusals = model.source.refusals();
            const status s = model.insert(k, Model::random_entry(random));
            model.source.refuse_nth(0);
            REQUIRE((s == status::ok || (s == status::no_memory && model.source.refusals() != refusals)));
        } else if (random.below(100) < erasing) {
            model.source.refuse_all(random.one_in(3)); // an erase never fails
            model.erase(k);
            model.source.refuse_all(false);
        } else if (random.one_in(2)) {
            model.set_hook(k, Model::random_hook(random));
        } else {
            model.set(k, Model::random_entry(random));
        }
        REQUIRE(model.check());
    }
    REQUIRE(model.has_all());
    REQUIRE(model.objects_lie_together());
}

template <class... Models, class Test>
void for_models(Test test) {
    (test.template operator()<Models>(), ...);
}
template <class Test>
void for_each_model(Test test) {
    for_models<narrow_index, wide_index, long_narrow_index, long_wide_index>(test);
}

std::vector<slot_id> round_of(const auto& model, unsigned pool, slot_id start = no_slot) {
    std::vector<slot_id> met;
    slot_id at = model.index.next_in_pool(model.rings[pool], start);
    const slot_id first = at;
    do {
        met.push_back(at);
        at = model.index.next_in_pool(model.rings[pool], at);
    } while (at != first && at != no_slot && met.size() <= model.pages.size());
    return met;
}

} // namespace

TEST_CASE("an index agrees with a map, whatever memory is refused") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{9};
        for (int round = 0; round < 2; ++round) {
            run(model, random, 700, {2, 70}, 25);                            // dense: arrays of all sizes
            run(model, random, 500, {12, 3000}, 10);                         // grows
            run(model, random, 400, {12, 3000}, 90);                         // shrinks
            run(model, random, 500, {std::uint64_t{1} << 50, 1u << 20}, 50); // single pages
            model.erase_all();
            REQUIRE(model.check());
            REQUIRE(model.index.next_extent(0) == none);
        }
    });
}

TEST_CASE("an insert that is refused leaves everything as it was, whichever acquire it was") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{5};
        unsigned refused = 0;
        for (unsigned i = 0; i < 2500; ++i) {
            const auto k = random_key<Model>(random, {6, 160});
            if (model.has(k)) {
                continue;
            }
            const auto e = Model::random_entry(random);
            for (std::uint64_t nth = 1;; ++nth) {
                const std::uint64_t before = model.source.refusals();
                const std::size_t used = model.index.used_bytes(), size = model.index.size(),
                                  held = model.index.bytes();
                const pool_ring ring = model.rings[k.pool];
                model.source.refuse_nth(nth, nth % 2 == 0 ? status::limit : status::no_memory);
                const status s = model.insert(k, e);
                model.source.refuse_nth(0);
                if (s == status::ok) {
                    break; // a bucket that was refused only makes chains longer
                }
                ++refused;
                REQUIRE(s == (nth % 2 == 0 ? status::limit : status::no_memory));
                REQUIRE(model.source.refusals() == before + 1);
                REQUIRE(model.find(k) == no_slot);
                REQUIRE(model.index.used_bytes() == used);
                REQUIRE(model.index.size() == size);
                REQUIRE(model.index.bytes() <= held + 2 * 4096); // tables may stay for the next try
                REQUIRE(model.rings[k.pool].extents == ring.extents);
                REQUIRE(model.rings[k.pool].bytes == ring.bytes);
                REQUIRE(model.rings[k.pool].head == ring.head);
                REQUIRE(model.check());
            }
        }
        CHECK(refused > 5);
        REQUIRE(model.has_all());
    });
}

TEST_CASE("without memory nothing is stored, and nothing found") {
    wide_index model;
    model.source.refuse_all(true);
    rng random{1};
    CHECK(model.insert({0, 1, 2}, wide_index::random_entry(random)) == status::no_memory);
    CHECK(model.find({0, 1, 2}) == no_slot);
    CHECK(model.check());
    model.source.refuse_all(false);
    CHECK(model.insert({0, 1, 2}, wide_index::random_entry(random)) == status::ok);
    CHECK(model.check());
}

TEST_CASE("an index that never had a page takes no memory") {
    const long_wide_index model;
    CHECK(model.find({0, 0, 0}) == no_slot);
    CHECK(model.index.find_object(0, 0) == none);
    CHECK(model.index.next_extent(0) == none);
    CHECK(model.index.next_in_pool(model.rings[0], no_slot) == no_slot);
    CHECK(!model.index.contains(0));
    CHECK(!model.index.contains(no_slot));
    CHECK(model.check());
    CHECK(model.source.acquisitions() == 0);
}

TEST_CASE("the first and the last page number are pages like others") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{2};
        for (const std::uint64_t index :
             {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{64}, max_page_index - 64, max_page_index - 1}) {
            for (unsigned pool = 0; pool < Model::pools; ++pool) {
                for (const std::uint64_t object : {std::uint64_t{0}, ~std::uint64_t{0}}) {
                    REQUIRE(model.insert({pool, object, index}, Model::random_entry(random)) == status::ok);
                }
            }
        }
        CHECK(model.check());
        CHECK(model.has_all());
        CHECK(model.objects_lie_together());
        CHECK(model.rings[0].extents == 2 * 3);
    });
}

TEST_CASE("an extent of a page alone takes no array, where the entry fits into it") {
    rng random{3};
    narrow_index narrow;
    wide_index wide;
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(narrow.insert({0, i, i}, narrow_index::random_entry(random)) == status::ok);
        REQUIRE(wide.insert({0, i, i}, wide_index::random_entry(random)) == status::ok);
    }
    CHECK(narrow.index.used_bytes() == 10 * narrow_index::index_type::extent_bytes);
    CHECK(wide.index.used_bytes() == 10 * (wide_index::index_type::extent_bytes + 20));
    // What is foretold of a page is what it takes.
    CHECK(narrow.index.bytes_for(narrow.locate({0, 10, 0})) == narrow_index::index_type::extent_bytes);
    CHECK(narrow.index.bytes_for(narrow.locate({0, 1, 2})) == 24); // an array of two
    CHECK(narrow.index.bytes_for(narrow.locate({0, 1, 1})) == 0);
    CHECK(wide.index.bytes_for(wide.locate({0, 10, 0})) == wide_index::index_type::extent_bytes + 20);
}

TEST_CASE("the extents of an object lie side by side, whatever came and went in what order") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{4};
        for (unsigned i = 0; i < 600; ++i) {
            const typename Model::key k{static_cast<unsigned>(random.below(2)), random.below(7),
                                        random.below(12) * extent_pages + random.below(2)};
            if (model.has(k)) {
                model.erase(k);
            } else {
                REQUIRE(model.insert(k, Model::random_entry(random)) == status::ok);
            }
            REQUIRE(model.check());
            REQUIRE(model.objects_lie_together());
        }
    });
}

TEST_CASE("when the extent goes under which an object is found, another takes its place") {
    narrow_index model;
    rng random{1};
    constexpr std::uint64_t extents = 20;
    for (std::uint64_t i = 0; i < extents; ++i) {
        REQUIRE(model.insert({1, 9, i * extent_pages}, narrow_index::random_entry(random)) == status::ok);
        REQUIRE(model.insert({1, 8, i * extent_pages}, narrow_index::random_entry(random)) == status::ok);
    }
    for (std::uint64_t left = extents; left > 0; --left) {
        const std::uint32_t first = model.index.find_object(narrow_index::slots[1], 9);
        REQUIRE(first != none);
        model.erase({1, 9, model.index.number_of(first) * extent_pages});
        REQUIRE(model.check());
        REQUIRE(model.has_all());
        REQUIRE(model.objects_lie_together());
    }
    CHECK(model.index.find_object(narrow_index::slots[1], 9) == none);
    CHECK(model.index.find_object(narrow_index::slots[1], 8) != none);
    CHECK(model.index.find_object(narrow_index::slots[0], 8) == none);
}

TEST_CASE("next_in_pool goes round the pages of its pool, each once") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{3};
        for (unsigned i = 0; i < 600; ++i) {
            const auto k = random_key<Model>(random, {5, 200});
            if (!model.has(k)) {
                REQUIRE(model.insert(k, Model::random_entry(random)) == status::ok);
            }
        }
        for (int round = 0; round < 3; ++round) {
            for (unsigned pool = 0; pool < Model::pools; ++pool) {
                std::set<slot_id> expected;
                for (const auto& one : model.pages) {
                    if (one.first.pool == pool) {
                        expected.insert(model.find(one.first));
                    }
                }
                const std::vector<slot_id> met = round_of(model, pool);
                REQUIRE(met.size() == expected.size());
                REQUIRE(std::set<slot_id>(met.begin(), met.end()) == expected);
                // From any page the round is the same one.
                std::vector<slot_id> other = round_of(model, pool, met[met.size() / 2]);
                std::rotate(other.begin(), std::find(other.begin(), other.end(), met.front()), other.end());
                REQUIRE(other == met);
            }
            for (unsigned i = 0; i < 150; ++i) {
                model.erase(
                    std::next(model.pages.begin(), static_cast<std::ptrdiff_t>(random.below(model.pages.size())))
                        ->first);
            }
        }
    });
}

TEST_CASE("an index of one page goes round that page") {
    wide_index model;
    rng random{3};
    REQUIRE(model.insert({2, 1, 77}, wide_index::random_entry(random)) == status::ok);
    const slot_id only = model.find({2, 1, 77});
    CHECK(model.index.next_in_pool(model.rings[2], no_slot) == only);
    CHECK(model.index.next_in_pool(model.rings[2], only) == only);
    CHECK(model.index.next_in_pool(model.rings[0], no_slot) == no_slot);
}

TEST_CASE("contains says of any number whether a page is there") {
    wide_index model;
    rng random{3};
    for (std::uint64_t i = 0; i < 300; ++i) {
        REQUIRE(model.insert({0, i / 30, i * 3}, wide_index::random_entry(random)) == status::ok);
    }
    std::set<slot_id> live;
    for (const auto& one : model.pages) {
        live.insert(model.find(one.first));
    }
    for (slot_id s = 0; s < 70 * 64; ++s) {
        REQUIRE(model.index.contains(s) == (live.count(s) != 0));
    }
    for (const slot_id s : {no_slot, no_slot - 1, no_slot / 2, slot_id{1} << 20}) {
        CHECK(!model.index.contains(s));
    }
}

TEST_CASE("extents move down with all that leads to them, and nothing else changes") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{8};
        for (std::uint64_t i = 0; i < 3000; ++i) {
            REQUIRE(model.insert({static_cast<unsigned>(i % 3), i % 50, i * 40}, Model::random_entry(random)) ==
                    status::ok);
        }
        for (const auto& one : std::vector(model.pages.begin(), model.pages.end())) {
            if (!random.one_in(20)) {
                model.erase(one.first);
            }
        }
        for (const auto& one : std::vector(model.pages.begin(), model.pages.end())) {
            model.set_hook(one.first, Model::random_hook(random));
        }
        const std::uint32_t bound = model.index.bound();
        const std::size_t used = model.index.used_bytes();
        unsigned moved = 0;
        for (std::uint32_t last; (last = model.index.last_in_the_way()) != none; ++moved) {
            const std::uint32_t pool = model.index.pool_of(last);
            const auto at = static_cast<unsigned>(std::find(std::begin(Model::slots), std::end(Model::slots), pool) -
                                                  std::begin(Model::slots));
            const std::uint64_t number = model.index.number_of(last), object = model.index.object_of(last);
            const std::uint32_t to = model.index.move_down(model.rings[at], last);
            REQUIRE(to < last);
            REQUIRE(!model.index.is_live(last));
            REQUIRE(model.index.find_extent(pool, object, number) == to);
            REQUIRE(model.check());
        }
        CHECK(moved > 20);
        CHECK(model.index.bound() < bound / 2);
        CHECK(model.index.used_bytes() == used);
        CHECK(model.has_all());
        CHECK(model.objects_lie_together());
    });
}

TEST_CASE("an extent that can't move stays where it is") {
    narrow_index model;
    rng random{8};
    for (std::uint64_t i = 0; i < 3000; ++i) {
        REQUIRE(model.insert({0, i, 0}, narrow_index::random_entry(random)) == status::ok);
    }
    for (std::uint64_t i = 0; i < 3000; ++i) {
        if (i % 200 != 0) {
            model.erase({0, i, 0});
        }
    }
    // Chunks at hand hold less than two chunks of free elements, and a new one is refused.
    for (std::uint32_t last; (last = model.index.last_in_the_way()) != none;) {
        model.source.refuse_all(true);
        const std::uint32_t to = model.index.move_down(model.rings[0], last);
        model.source.refuse_all(false);
        REQUIRE(model.check());
        REQUIRE(model.has_all());
        if (to == none) {
            break;
        }
    }
}

TEST_CASE("repacking an extent shortens its array, and keeps its pages") {
    for_each_model([]<class Model>() {
        Model model;
        rng random{8};
        for (std::uint64_t i = 0; i < 64; ++i) {
            REQUIRE(model.insert({0, 1, i}, Model::random_entry(random)) == status::ok);
        }
        const std::uint32_t id = model.index.find_extent(model.locate({0, 1, 0}));
        model.source.refuse_all(true); // arrays that can't get shorter stay long
        for (std::uint64_t i = 63; i >= 5; --i) {
            model.erase({0, 1, i});
        }
        const std::size_t before = model.rings[0].bytes;
        CHECK(!model.index.repack(model.rings[0], id));
        CHECK(model.rings[0].bytes == before);
        CHECK(model.check());
        model.source.refuse_all(false);
        CHECK(model.index.repack(model.rings[0], id));
        CHECK(model.rings[0].bytes == Model::index_type::extent_bytes + 6 * Model::index_type::entry_bytes);
        CHECK(!model.index.repack(model.rings[0], id));
        CHECK(model.check());
        CHECK(model.has_all());
    });
}

TEST_CASE("an extent whose pages go gets a shorter array by and by, and keeps one page in itself where it can") {
    for_each_model([]<class Model>() {
        using index_type = typename Model::index_type;
        Model model;
        rng random{8};
        for (std::uint64_t i = 0; i < 64; ++i) {
            REQUIRE(model.insert({0, 1, i}, Model::random_entry(random)) == status::ok);
        }
        CHECK(model.rings[0].bytes == index_type::extent_bytes + 64 * index_type::entry_bytes);
        for (std::uint64_t left = 63; left > 0; --left) {
            model.erase({0, 1, left});
            REQUIRE(model.rings[0].bytes <= index_type::extent_bytes + (2 * left + 4) * index_type::entry_bytes);
        }
        CHECK(model.rings[0].bytes ==
              index_type::extent_bytes + (index_type::entry_bytes == 12 ? 0 : index_type::entry_bytes));
        CHECK(model.check());
        CHECK(model.has_all());
    });
}

TEST_CASE("an extent that is emptied keeps its array until the last page but one, and asks the source for nothing") {
    for_each_model([]<class Model>() {
        using index_type = typename Model::index_type;
        Model model;
        rng random{9};
        for (std::uint64_t i = 0; i < 64; ++i) {
            REQUIRE(model.insert({0, 1, i}, Model::random_entry(random)) == status::ok);
        }
        const std::size_t full = model.rings[0].bytes;
        model.source.refuse_all(true);
        for (std::uint64_t left = 63; left > 1; --left) {
            model.erase({0, 1, left}, true);
            REQUIRE(model.rings[0].bytes == full);
            REQUIRE(model.has_all());
        }
        model.erase({0, 1, 1}, true);
        CHECK(model.rings[0].bytes == (index_type::entry_bytes == 12 ? index_type::extent_bytes : full));
        CHECK(model.has_all());
        model.erase({0, 1, 0}, true);
        CHECK(model.rings[0].bytes == 0);
        CHECK(model.check());
    });
}

TEST_CASE("an extent with a flipped bit takes no page, and fails the check") {
    narrow_index model;
    rng random{2};
    REQUIRE(model.insert({1, 7, 3}, narrow_index::random_entry(random)) == status::ok);
    const std::uint32_t id = model.index.find_extent(model.locate({1, 7, 3}));
    extent* const damaged = model.index.metas_of(id).single;
    REQUIRE(damaged != nullptr);
    damaged->bitmap ^= 1;
    CHECK_FALSE(model.index.is_sound(id));
    CHECK_FALSE(model.index.contains(model.index.slot(id, 3)));
    const auto added = model.index.insert(model.rings[1], model.locate({1, 7, 4}), entry{5, 0});
    CHECK(added.error() == status::corrupt);
    CHECK_FALSE(model.index.check());
    damaged->bitmap ^= 1;
    CHECK(model.index.is_sound(id));
    CHECK(model.index.damage() != 0);
    CHECK_FALSE(model.index.check()); // it does not forget
    CHECK(model.has_all());
    damaged->bitmap ^= 1;
    CHECK(model.index.discard(model.rings[1], id) == 1);
    CHECK(model.index.size() == 0);
    CHECK(model.index.used_bytes() == 0);
    CHECK(model.rings[1].extents == 0);
    CHECK_FALSE(model.index.is_live(id));
}

TEST_CASE("the check of a ring compares its extents, their pool and their bytes") {
    narrow_index model;
    rng random{2};
    for (std::uint64_t i = 0; i < 5; ++i) {
        REQUIRE(model.insert({1, i, 0}, narrow_index::random_entry(random)) == status::ok);
    }
    const pool_ring ring = model.rings[1];
    CHECK(model.index.check_ring(ring, narrow_index::slots[1]));
    CHECK_FALSE(model.index.check_ring(ring, narrow_index::slots[0]));
    for (const std::uint32_t extents : {ring.extents - 1, ring.extents + 1}) {
        CHECK_FALSE(model.index.check_ring({ring.head, extents, ring.bytes}, narrow_index::slots[1]));
    }
    CHECK_FALSE(model.index.check_ring({ring.head, ring.extents, ring.bytes + 1}, narrow_index::slots[1]));
    CHECK_FALSE(model.index.check_ring({none, ring.extents, ring.bytes}, narrow_index::slots[1]));
    CHECK(model.index.check_ring({}, narrow_index::slots[1]));
}

TEST_CASE("buckets come one by one, and chains stay short: nobody pays for a rehash") {
    test_source source;
    key_hasher hasher{77};
    extent_index<entry, std::uint8_t, 1, test_source> index{source, any_node, hasher};
    pool_ring ring;
    std::size_t before = 0;
    for (std::uint64_t i = 0; i < 50'000; ++i) {
        const std::uint64_t acquired = source.acquisitions();
        REQUIRE(index.insert(ring, hasher.locate({pool_id{1u << 13}, i, 0}), entry{i, 0}));
        REQUIRE(source.acquisitions() - acquired <= 6); // tables grow by a page each
        REQUIRE(index.bytes() <= before + 10 * 4096);
        before = index.bytes();
    }
    CHECK(index.check());
}

} // namespace unit_store_index_extent_index
