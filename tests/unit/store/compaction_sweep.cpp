// SPDX-License-Identifier: MIT

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/alloc/zs.hpp>
#include <pagefold/store/compaction_sweep.hpp>
#include <pagefold/store/extent_index.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace {

using namespace pagefold;
using namespace pagefold::testing;

using index_type = extent_index<std::uint8_t, 3, test_source>;
using allocator_type = zs<test_source>;

/// An index whose entries own objects, each filled with its page number.
struct owner {
    void put(std::uint64_t page, std::size_t size) {
        const object_handle h = allocator.allocate(size).value();
        allocator.write(h, std::vector<std::byte>(size, content(page)));
        REQUIRE(index.insert(0, 1, page, entry::with_payload(h, size, 0)).has_value());
        sizes[page] = size;
    }
    void erase(std::uint64_t page) {
        const slot_id slot = index.find(0, 1, page);
        allocator.deallocate(index.get(slot).handle());
        index.erase(slot);
        sizes.erase(page);
    }
    /// Objects of three sizes, of which one in `kept_of` stays.
    void fill_and_thin(std::uint64_t pages, unsigned kept_of) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            put(i, 600 + i % 3 * 700);
        }
        for (std::uint64_t i = 0; i < pages; ++i) {
            if (i % kept_of != 0) {
                erase(i);
            }
        }
    }
    [[nodiscard]] bool intact() const {
        for (const auto& [page, size] : sizes) {
            const entry e = index.get(index.find(0, 1, page));
            const byte_view bytes = allocator.read(e.handle(), size, {});
            const std::vector<std::byte> expected(size, content(page));
            if (e.size() != size || std::memcmp(bytes.data(), expected.data(), size) != 0) {
                return false;
            }
        }
        return allocator.check() && index.check();
    }
    static std::byte content(std::uint64_t page) { return static_cast<std::byte>(page * 7 + 1); }

    test_source source;
    index_type index{source, any_node};
    allocator_type allocator{source, any_node};
    std::map<std::uint64_t, std::size_t> sizes;
};

} // namespace

TEST_CASE("a step moves one object at most, and a sweep gives back what it counts") {
    owner o;
    o.fill_and_thin(4000, 5);
    compaction_sweep<index_type, allocator_type> sweep;
    compaction_work done;
    const std::size_t held = o.allocator.bytes_held();
    std::size_t steps = 0;
    for (bool goes_on = true; goes_on; ++steps) {
        const compaction_work before = done;
        goes_on = sweep.step(o.index, o.allocator, ~std::size_t{0}, done);
        REQUIRE(done.objects_moved - before.objects_moved <= 1);
        REQUIRE(done.moved_bytes - before.moved_bytes <= allocator_type::max_size);
        REQUIRE(held - o.allocator.bytes_held() == done.freed_bytes);
        REQUIRE(steps < 10000);
        if (steps % 64 == 0) {
            REQUIRE(o.intact());
        }
    }
    CHECK(sweep.was_worthwhile());
    CHECK(done.objects_moved > 100);
    CHECK(done.freed_bytes > held / 2);
    CHECK(o.intact());
}

TEST_CASE("a plan as large as the store is made in shares, and ends with the last victim") {
    owner o;
    o.fill_and_thin(6000, 10);
    compaction_sweep<index_type, allocator_type> sweep;
    compaction_work done;
    std::size_t marked = 0, steps = 0;
    const auto misplaced = [&] {
        std::size_t count = 0;
        for (const auto& [page, size] : o.sizes) {
            count += o.allocator.misplaced(o.index.get(o.index.find(0, 1, page)).handle()) ? 1 : 0;
        }
        return count;
    };
    // Until the first move all steps plan; none of them marks much more than a share.
    for (; done.objects_moved == 0 && steps < 1000; ++steps) {
        const std::size_t before = marked;
        REQUIRE(sweep.step(o.index, o.allocator, ~std::size_t{0}, done));
        marked = misplaced() + static_cast<std::size_t>(done.objects_moved);
        CHECK((marked - before) * 600 <= 2 * 32 * allocator_type::max_size);
    }
    CHECK(marked > 0);
    CHECK(steps > 2);
    while (sweep.step(o.index, o.allocator, 0, done)) {
    }
    CHECK(misplaced() == 0);
    CHECK(o.intact());
}

TEST_CASE("a budget is kept to, within the objects of one span") {
    owner o;
    o.fill_and_thin(4000, 4);
    compaction_sweep<index_type, allocator_type> sweep;
    compaction_work done;
    while (sweep.step(o.index, o.allocator, 40'000, done)) {
    }
    CHECK(done.moved_bytes > 0);
    CHECK(done.moved_bytes <= 40'000);
    CHECK(o.intact());
    compaction_work nothing;
    CHECK_FALSE(sweep.step(o.index, o.allocator, 0, nothing));
    CHECK_FALSE(sweep.was_worthwhile());
    CHECK(nothing.objects_moved == 0);
}

TEST_CASE("pages come, go and change between the steps") {
    owner o;
    o.fill_and_thin(3000, 3);
    compaction_sweep<index_type, allocator_type> sweep;
    compaction_work done;
    rng random{5};
    for (unsigned i = 0; i < 6000; ++i) {
        static_cast<void>(sweep.step(o.index, o.allocator, random.below(200'000), done));
        const std::uint64_t page = random.below(3000);
        if (o.sizes.find(page) != o.sizes.end()) {
            o.erase(page);
        } else if (random.one_in(2)) {
            o.put(page, 1 + random.below(4096));
        }
        if (i % 512 == 0) {
            REQUIRE(o.intact());
        }
    }
    CHECK(done.objects_moved > 0);
    CHECK(o.intact());
}

TEST_CASE("an empty store and an allocator whose objects stay have nothing to do") {
    owner o;
    compaction_work done;
    CHECK_FALSE(compaction_sweep<index_type, allocator_type>{}.step(o.index, o.allocator, 1'000'000, done));
    CHECK_FALSE(no_sweep<index_type, allocator_type>{}.step(o.index, o.allocator, 1'000'000, done));
    CHECK_FALSE(no_sweep<index_type, allocator_type>{}.was_worthwhile());
    CHECK(done.moved_bytes + done.freed_bytes + done.objects_moved == 0);
}
