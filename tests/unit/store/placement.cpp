// SPDX-License-Identifier: MIT
#include <pagefold/store/placement.hpp>

#include "support/partition_fixture.hpp"
#include "support/rng.hpp"

#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_store_placement {
namespace {

constexpr pool_kind persistent = pool_kind::persistent, ephemeral = pool_kind::ephemeral;
using fixture = lone_state<default_config>;

/// What a refusal must leave as it was.
struct shape {
    std::uint64_t pages, bytes, erased;
    std::size_t allocated, extents;
    friend bool operator==(const shape&, const shape&) = default;
};
[[nodiscard]] shape shape_of(fixture& f) {
    return {f.pool().counts.stored_pages, f.pool().counts.compr_data_size, f.state.erased_pages,
            f.state.allocator.allocated_bytes(), f.state.index.used_bytes()};
}

TEST_CASE("placement: streams of every kind get a place, an entry, a tag and their counts") {
    for (const pool_kind kind : {persistent, ephemeral}) {
        fixture f{kind};
        const std::size_t sizes[] = {min_stream_size, min_stream_size + 1, 100, 1000, 2000, 4091, 4092, 4096};
        std::uint64_t index = 0, bytes = 0;
        for (const std::size_t size : sizes) {
            REQUIRE(f.put(index, size) == status::ok);
            REQUIRE(f.holds(index, size));
            REQUIRE(f.check());
            bytes += size == min_stream_size ? 0 : size;
            ++index;
        }
        CHECK(f.pool().counts.stored_pages == 8);
        CHECK(f.pool().counts.same_pages == 1);
        CHECK(f.pool().counts.huge_pages == 1);
        CHECK(f.pool().counts.compr_data_size == bytes);
        CHECK(f.state.erased_pages == 0);
        for (std::uint64_t i = 0; i < 8; ++i) {
            CHECK(f.holds(i, sizes[i]));
        }
        CHECK(f.record.payload.load(memory_order::relaxed) == f.pool().counts.payload_bytes);
        CHECK(f.record.tables.load(memory_order::relaxed) == f.pool().ring.bytes);
    }
}

TEST_CASE("placement: an overwrite from every kind to every other leaves one content, and no object behind") {
    const std::size_t sizes[] = {min_stream_size, 100, 104, 2000, 1800, 4000, 4096};
    for (const bool is_last : {false, true}) {
        for (const std::size_t from : sizes) {
            for (const std::size_t to : sizes) {
                CAPTURE(from);
                CAPTURE(to);
                fixture f{ephemeral};
                REQUIRE(f.put(3, from, 1).result == status::ok);
                REQUIRE(f.put(3, to, 2, is_last).result == status::ok);
                REQUIRE(f.holds(3, to, 2));
                REQUIRE(f.pool().counts.stored_pages == 1);
                REQUIRE(f.state.erased_pages == 1);
                REQUIRE(f.state.allocator.allocated_bytes() >= (to == min_stream_size ? 0 : to));
                REQUIRE(f.check());
                f.state.remove(f.pool(), f.slot(3));
                REQUIRE(f.state.allocator.allocated_bytes() == 0);
            }
        }
    }
}

TEST_CASE("placement: an old place serves again where the new stream fits it well, and for raw pages alone if raw") {
    fixture f{persistent};
    const auto place = [&] { return f.state.index.get(f.slot(5)).handle(); };
    REQUIRE(f.put(5, 3000, 1).result == status::ok);
    const object_handle first = place();
    REQUIRE(f.put(5, 2990, 2).result == status::ok);
    CHECK(place() == first);
    REQUIRE(f.put(9, 1000) == status::ok); // a hole where the next one could lie
    REQUIRE(f.put(5, 1000, 3).result == status::ok);
    CHECK(place() != first);
    REQUIRE(f.put(6, 4096, 1).result == status::ok);
    const object_handle raw = f.state.index.get(f.slot(6)).handle();
    REQUIRE(f.put(6, 4096, 2).result == status::ok);
    CHECK(f.state.index.get(f.slot(6)).handle() == raw);
    REQUIRE(f.put(6, 4000, 3).result == status::ok); // it has a tag, for which a raw page's place has no room
    CHECK(f.holds(6, 4000, 3));
    CHECK(f.check());
}

TEST_CASE("placement: a refusal of the source, whichever acquisition it is, leaves everything as it was") {
    struct change {
        std::size_t from, to;
    };
    for (const auto& one : {change{0, 8}, {0, 500}, {0, 4096}, {500, 4096}, {4096, 500}, {8, 500}, {500, 3000}}) {
        const std::size_t from = one.from, to = one.to;
        CAPTURE(from);
        CAPTURE(to);
        bool was_refused = true;
        for (std::uint64_t n = 1; was_refused; ++n) {
            fixture f{ephemeral};
            if (from != 0) {
                REQUIRE(f.put(5, from, 1).result == status::ok);
            }
            const shape before = shape_of(f);
            f.source.refuse_nth(n);
            const placed outcome = f.put(5, to, 2);
            f.source.refuse_nth(0);
            was_refused = outcome.result != status::ok;
            REQUIRE((from == 0 || !was_refused || f.holds(5, from, 1)));
            REQUIRE((from != 0 || !was_refused || f.lacks(5)));
            if (was_refused) {
                REQUIRE(outcome.result == status::no_memory);
                REQUIRE(!outcome.at_cap);
                REQUIRE(shape_of(f) == before);
                REQUIRE(f.put(5, to, 2).result == status::ok);
            }
            REQUIRE(f.holds(5, to, 2));
            REQUIRE(f.check());
            REQUIRE(n < 20);
        }
    }
}

TEST_CASE("placement: a cap holds to the byte, and the source is not asked beyond it") {
    const std::size_t size = 1000;
    fixture probe{persistent};
    REQUIRE(probe.put(0, size) == status::ok);
    REQUIRE(probe.put(64, size) == status::ok);
    const std::size_t two = pool_charge::of(probe.table, probe.record);
    for (const bool fits : {true, false}) {
        fixture f{persistent};
        f.record.options.cap_bytes = fits ? two : two - 1;
        REQUIRE(f.put(0, size) == status::ok);
        const std::uint64_t calls = f.source.acquisitions();
        const shape before = shape_of(f);
        const placed outcome = f.put(64, size, 64);
        CHECK(outcome.result == (fits ? status::ok : status::limit));
        CHECK(outcome.at_cap == !fits);
        CHECK((fits || f.source.acquisitions() == calls));
        CHECK((fits || shape_of(f) == before));
        CHECK(f.lacks(64) == !fits);
        // What gets no larger is none too many, what gets larger is; a same-filled page takes no payload.
        CHECK(f.put(0, size, 7).result == status::ok);
        CHECK(f.put(0, 3 * size, 8).result == status::limit);
        CHECK(f.holds(0, size, 7));
        CHECK(f.put(0, min_stream_size, 9).result == status::ok);
        CHECK(f.check());
    }
    fixture f{persistent};
    f.record.options.cap_bytes = 0;
    CHECK(f.put(0, min_stream_size, 0).at_cap);
    CHECK(f.put(0, size, 0).at_cap);
    CHECK(f.put(0, size, 0, true).at_cap);
    CHECK(f.lacks(0));
    f.record.payload.store(~std::size_t{0} - 100, memory_order::relaxed); // and nothing wraps
    f.record.options.cap_bytes = ~std::size_t{0} - 1;
    CHECK(f.put(0, size, 0).at_cap);
    f.record.payload.store(0, memory_order::relaxed);
}

TEST_CASE(
    "placement: a put that the source refuses has no claim on the cap, for the next try of the same hold either") {
    fixture f{persistent};
    f.record.options.cap_bytes = 1u << 20;
    REQUIRE(f.put(0, 1000) == status::ok);
    const std::vector<std::byte> stream = fixture::stream_of(3000, 1);
    const located_key k = f.at(1, 64);
    const auto is_settled = [&] {
        return f.record.payload.load(memory_order::relaxed) == f.pool().counts.payload_bytes &&
               f.record.tables.load(memory_order::relaxed) == f.pool().ring.bytes;
    };
    unsigned refusals = 0;
    for (bool was_refused = true; was_refused; refusals += was_refused ? 1u : 0u) {
        f.source.refuse_nth(refusals + 1);
        const placed outcome =
            placement<default_config>{f.state}.put(f.pool(), k, stream, checksum(stream, k.sum_seed));
        f.source.refuse_nth(0);
        was_refused = outcome.result != status::ok;
        CHECK((!was_refused || is_settled()));
        f.state.settle(f.pool());
        CHECK(is_settled());
    }
    CHECK(refusals >= 1);
    CHECK(f.check());
}

TEST_CASE("placement: at last the old place does, however much too large, and another is not looked for") {
    fixture f{persistent};
    REQUIRE(f.put(5, 3000, 1).result == status::ok);
    const object_handle place = f.state.index.get(f.slot(5)).handle();
    CHECK(f.put(5, 200, 2, true).result == status::ok);
    CHECK(f.holds(5, 200, 2));
    CHECK(f.state.index.get(f.slot(5)).handle() == place);
    CHECK(f.put(5, min_stream_size, 3, true).result == status::ok);
    CHECK(f.holds(5, min_stream_size, 3));
    CHECK(f.state.allocator.allocated_bytes() == 0);
    CHECK(f.check());
}

TEST_CASE("placement: at last the old content goes if that makes the room, and if nothing does") {
    for (const bool has_room : {true, false}) {
        fixture f{ephemeral};
        REQUIRE(f.put(1, 600) == status::ok);
        REQUIRE(f.put(5, 4096, 1).result == status::ok);
        REQUIRE(f.put(5, 2000, 2, false).result == status::ok);
        REQUIRE(f.put(5, 4096, 3).result == status::ok);
        f.state.source.release_all(f.state.source.take_deferred());
        const std::size_t size = has_room ? 2000 : 3000; // in a page, or in a span of several
        f.budget.set_limit(f.budget.used());
        REQUIRE(f.put(5, size, 4).result == status::limit);
        REQUIRE(f.holds(5, 4096, 3));
        const placed outcome = f.put(5, size, 4, true);
        CHECK(!outcome.at_cap);
        CHECK(outcome.result == (has_room ? status::ok : status::limit));
        CHECK((has_room ? f.holds(5, size, 4) : f.lacks(5)));
        CHECK(f.holds(1, 600));
        CHECK(f.check());
    }
}

TEST_CASE("placement: a refusal at last leaves no version of the page, and a page that was none stays none") {
    fixture f{ephemeral};
    REQUIRE(f.put(5, 1000, 1).result == status::ok);
    f.record.options.cap_bytes = 10;
    CHECK(f.put(5, 4096, 2, true).at_cap);
    CHECK(f.lacks(5));
    CHECK(f.state.erased_pages == 1);
    CHECK(f.put(6, 4096, 2, true).at_cap);
    CHECK(f.lacks(6));
    CHECK(f.state.erased_pages == 1);
    CHECK(f.state.allocator.allocated_bytes() == 0);
    CHECK(f.check());
}

TEST_CASE("placement: remove_all erases what there is, once") {
    fixture f{ephemeral};
    REQUIRE(f.put(5, 1000) == status::ok);
    REQUIRE(f.put(6, 1000) == status::ok);
    placement<default_config> places{f.state};
    for (int i = 0; i < 2; ++i) {
        places.remove_all(f.pool(), f.at(1, 5));
        CHECK(f.lacks(5));
        CHECK(f.state.erased_pages == 1);
    }
    CHECK(f.holds(6, 1000));
    CHECK(f.check());
}

TEST_CASE("placement: what a damaged entry leads to is not written, and a damaged extent makes room for a new one") {
    for (const bool is_last : {false, true}) {
        fixture f{ephemeral};
        REQUIRE(f.put(5, 1000, 1).result == status::ok);
        REQUIRE(f.put(6, 1000, 2).result == status::ok);
        auto e = f.state.index.get(f.slot(5));
        f.state.index.set(f.slot(5), {e.word() ^ std::uint64_t{1} << 30, e.meta()}); // another handle
        REQUIRE(f.put(5, 1000, 3, is_last).result == status::ok);
        CHECK(f.holds(5, 1000, 3));
        CHECK(f.holds(6, 1000, 2));
        CHECK(f.state.damage == 1);
        REQUIRE(f.put(1000, 1000, 4).result == status::ok); // alone in its extent
        f.state.index.metas_of(f.slot(1000) / extent_pages).single->object ^= 1;
        // It is found under its own name no more, or is taken out: the page's new content stands in any case.
        REQUIRE(f.put(1000, 500, 5, is_last).result == status::ok);
        CHECK(f.holds(1000, 500, 5));
    }
}

TEST_CASE("placement: the policy hears of what comes, and of what is written again as of a hit") {
    fixture f{ephemeral};
    for (std::uint64_t i = 0; i < 3; ++i) {
        REQUIRE(f.put(i, 1000) == status::ok);
    }
    CHECK(f.pool().eviction.size() == 3);
    const auto hook_of = [&](std::uint64_t i) { return f.state.index.hook(f.slot(i)); };
    CHECK(hook_of(0) == 0);
    REQUIRE(f.put(0, 1000, 7).result == status::ok); // in its place
    REQUIRE(f.put(1, 3000, 7).result == status::ok); // in another
    CHECK(hook_of(0) == 1);
    CHECK(hook_of(1) == 1);
    CHECK(hook_of(2) == 0);
    fixture p{persistent};
    REQUIRE(p.put(0, 1000) == status::ok);
    REQUIRE(p.put(0, 1000, 7).result == status::ok);
    CHECK(p.pool().eviction.size() == 0);
    CHECK(p.state.index.hook(p.slot(0)) == 0);
    for (const std::size_t size : {std::size_t{1000}, std::size_t{3000}, min_stream_size}) {
        p.state.index.set_hook(p.slot(0), 5); // whatever a policy of three bits may have noted
        REQUIRE(p.put(0, size, 8).result == status::ok);
        CHECK(p.state.index.hook(p.slot(0)) == 5);
    }
}

TEST_CASE("placement: random puts of all sizes as in a map, whatever is refused") {
    for (const pool_kind kind : {persistent, ephemeral}) {
        fixture f{kind, 300'000};
        f.record.options.cap_bytes = 250'000;
        std::map<std::uint64_t, std::pair<std::size_t, std::uint64_t>> model;
        rng random{21};
        unsigned refused = 0;
        for (std::uint64_t i = 0; i < 4000; ++i) {
            const std::uint64_t index = random.below(200);
            const std::size_t size = random.one_in(4)   ? min_stream_size
                                     : random.one_in(4) ? 4096
                                                        : 9 + static_cast<std::size_t>(random.below(4000));
            const bool is_last = random.one_in(3);
            f.source.refuse_nth(random.below(6));
            const status s = f.put(index, size, i, is_last).result;
            f.source.refuse_nth(0);
            if (s == status::ok) {
                model[index] = {size, i};
            } else {
                ++refused;
                is_last ? static_cast<void>(model.erase(index)) : void();
            }
            if (random.one_in(5)) {
                const std::uint64_t gone = random.below(200);
                placement<default_config>{f.state}.remove_all(f.pool(), f.at(1, gone));
                model.erase(gone);
            }
            REQUIRE(f.pool().counts.stored_pages == model.size());
            REQUIRE(
                (model.count(index) != 0 ? f.holds(index, model[index].first, model[index].second) : f.lacks(index)));
            f.state.source.release_all(f.state.source.take_deferred());
            if (i % 20 == 0) {
                REQUIRE(f.check());
                for (const auto& [at, content] : model) {
                    REQUIRE(f.holds(at, content.first, content.second));
                }
            }
        }
        CHECK(refused > 50);
    }
}

} // namespace
} // namespace pagefold::testing::unit_store_placement
