// SPDX-License-Identifier: MIT

// Restoring: what is refused, and what of an image that is damaged is kept.

#include <pagefold/store/image_reader.hpp>

#include "support/image_streams.hpp"
#include "support/store_configs.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace unit_store_image_reader {

namespace {

using namespace pagefold;
using namespace pagefold::testing;
using bytes = std::vector<std::byte>;
using store_type = partitioned_store<cloning_config>;
using fixture = store_fixture<store_type>;

/// A pool of 40 pages in many short frames.
struct saved : fixture {
    saved() {
        pool = make_pool();
        for (std::uint64_t i = 0; i < 40; ++i) {
            REQUIRE(put({pool, 1, i}, page_kind::pointers, i) == status::ok);
        }
        image = save(1);
    }
    [[nodiscard]] bytes save(std::uint64_t id, std::uint64_t codec = 0) {
        return image_of(store, {{pool, 1}}, {.id = id, .codec = codec}, least_image_buffer(4096));
    }
    pool_id pool{};
    bytes image;
};
/// Where each frame begins, and at last the end.
std::vector<std::size_t> frames_of(const bytes& image) {
    std::vector<std::size_t> all;
    for (std::size_t at = image_format::header_bytes; at < image.size();) {
        all.push_back(at);
        at += image_format::head_bytes + little_endian::load<std::uint32_t>(image.data() + at + 16);
    }
    all.push_back(image.size());
    return all;
}
bytes part(const bytes& image, std::size_t from, std::size_t to) {
    return {image.begin() + static_cast<std::ptrdiff_t>(from), image.begin() + static_cast<std::ptrdiff_t>(to)};
}
status read(const bytes& image, const image_reading& how = {}) {
    fixture g;
    restore r{g.store, image, how};
    const status s = r.reader.run();
    CHECK(g.store.check());
    return s;
}

} // namespace

TEST_CASE("image_reader: another image's header, codec, page size or kind is invalid, and nothing of it is put") {
    saved f;
    REQUIRE(read(f.image) == status::ok);
    CHECK(read(f.image, {.codec = 5}) == status::invalid);
    CHECK(read(f.save(2, 5), {.codec = 5}) == status::ok);
    CHECK(read(f.save(2, 5)) == status::invalid);
    image_header h;
    REQUIRE(image_format::load_header(f.image.data(), h) == status::ok);
    const auto with = [&](auto change) {
        image_header other = h;
        change(other);
        bytes image = f.image;
        image_format::store_header(image.data(), other);
        return read(image);
    };
    CHECK(with([](image_header&) {}) == status::ok);
    CHECK(with([](image_header& o) { o.page_size = 16384; }) == status::invalid);
    CHECK(with([](image_header& o) { o.codec += 1; }) == status::invalid);
    CHECK(with([](image_header& o) { o.delta += 1; }) == status::invalid);
    CHECK(with([](image_header& o) { o.delta = 0; }) == status::ok); // no store with clones made it
    CHECK(with([](image_header& o) { o.has_values = true; }) == status::invalid);
    CHECK(with([](image_header& o) { o.id += 1; }) == status::corrupt);
    CHECK(with([](image_header& o) { o.most_payload = 1u << 30; }) == status::too_short);
    CHECK(with([](image_header& o) { o.most_payload = 10; }) == status::corrupt);
    // A store without clones reads no image with deltas; that its codec is the same does not help.
    store_fixture<partitioned_store<default_config>> plain;
    restore r{plain.store, f.image};
    CHECK(r.reader.run() == status::invalid);
}

TEST_CASE("image_reader: frames that are left out, doubled, exchanged, or of another image") {
    saved f;
    const std::vector<std::size_t> at = frames_of(f.image);
    REQUIRE(at.size() > 12);
    const bytes other = f.save(2);
    for (std::size_t i = 0; i + 2 < at.size(); ++i) {
        const bytes before = part(f.image, 0, at[i]), one = part(f.image, at[i], at[i + 1]),
                    next = part(f.image, at[i + 1], at[i + 2]), rest = part(f.image, at[i + 2], f.image.size());
        const auto joined = [](const std::vector<bytes>& parts) {
            bytes all;
            for (const bytes& p : parts) {
                all.insert(all.end(), p.begin(), p.end());
            }
            return all;
        };
        for (const image_damage how : {image_damage::stop, image_damage::skip}) {
            CHECK(read(joined({before, next, rest}), {.on_damage = how}) == status::corrupt);
            CHECK(read(joined({before, one, one, next, rest}), {.on_damage = how}) == status::corrupt);
            CHECK(read(joined({before, next, one, rest}), {.on_damage = how}) == status::corrupt);
            CHECK(read(joined({before, part(other, at[i], at[i + 1]), next, rest}), {.on_damage = how}) ==
                  status::corrupt);
        }
    }
}

TEST_CASE("image_reader: a damaged payload is passed over where the host says so, and the rest is there") {
    saved f;
    const std::vector<std::size_t> at = frames_of(f.image);
    bytes image = f.image;
    const std::size_t which = at.size() / 2;
    image[at[which] + image_format::head_bytes + 60] ^= std::byte{1};
    CHECK(read(image) == status::corrupt);
    fixture g;
    restore r{g.store, image, {.on_damage = image_damage::skip}};
    REQUIRE(r.reader.run() == status::ok);
    const std::uint64_t lost = r.reader.damaged_pages();
    CHECK(lost >= 1);
    CHECK(r.reader.restored_pages() == 40 - lost);
    std::uint64_t there = 0;
    for (std::uint64_t i = 0; i < 40; ++i) {
        const status s = g.get({r.ids[0], 1, i});
        REQUIRE((s == status::ok || s == status::not_found));
        there += s == status::ok ? 1u : 0u;
        CHECK((s != status::ok || g.got(page_kind::pointers, i)));
    }
    CHECK(there == 40 - lost);
}

TEST_CASE("image_reader: a base that isn't the one is corrupt, and so is a stream that does not decode, if asked") {
    saved f;
    REQUIRE(f.store.seal(f.pool) == status::ok);
    const pool_id child = f.make_pool({.parent = f.pool});
    for (std::uint64_t i = 0; i < 10; ++i) {
        REQUIRE(f.put({child, 1, i}, page_kind::pointers, i) == status::ok);
    }
    const bytes image = image_of(f.store, {{child, 2, 77}}, {.id = 3}); // without its parent
    fixture g;
    const pool_id parent = g.make_pool();
    for (std::uint64_t i = 0; i < 40; ++i) {
        REQUIRE(g.put({parent, 1, i}, page_kind::pointers, i == 5 ? 1000 : i) == status::ok);
    }
    REQUIRE(g.store.seal(parent) == status::ok);
    struct mine {
        result<pool_id> open(const image_pool_info& info) noexcept {
            CHECK(info.parent == image_pool_info::parent_elsewhere);
            CHECK(info.parent_tag == 77);
            return id = store.create_pool({.parent = parent}).value();
        }
        pool_id find(std::uint32_t) const noexcept { return id; }
        status close(const image_pool_info&) noexcept { return status::ok; }
        store_type& store;
        pool_id parent, id{};
    } pools{g.store, parent};
    image_bytes source{image};
    bytes buffer(good_image_buffer(4096));
    image_reader reader{g.store, source, pools, buffer, {.on_damage = image_damage::skip}};
    REQUIRE(reader.run() == status::ok);
    CHECK(reader.restored_pages() == 9);
    CHECK(reader.damaged_pages() == 1);
    CHECK(g.lacks({pools.id, 1, 5}));
    CHECK(g.has({pools.id, 1, 6}, page_kind::pointers, 6));
    CHECK(g.store.statistics_of(pools.id).value().reference_pages == 9);

    kept_page page;
    page.length = 4096;
    page.stream = 100;
    const bytes rubbish(100, std::byte{0x11});
    CHECK(g.store.put_kept(parent, page, rubbish) == status::invalid); // sealed
    const pool_id plain = g.make_pool();
    CHECK(g.store.put_kept(plain, page, rubbish, true) == status::corrupt);
    CHECK(g.lacks({plain, 0, 0}));
    CHECK(g.store.put_kept(plain, page, rubbish) == status::ok);
    CHECK(g.get({plain, 0, 0}) == status::corrupt);
}

TEST_CASE("image_reader: pools that the host passes over, too many of them, and two with one number") {
    saved f;
    struct none {
        result<pool_id> open(const image_pool_info& info) noexcept {
            tag = info.tag;
            return status::not_found;
        }
        pool_id find(std::uint32_t) const noexcept { return {}; }
        status close(const image_pool_info&) noexcept { return status::busy; } // is not asked
        std::uint64_t tag = 0;
    } pools;
    image_bytes source{f.image};
    bytes buffer(good_image_buffer(4096));
    image_reader reader{f.store, source, pools, buffer};
    CHECK(reader.run() == status::ok);
    CHECK(pools.tag == 1);
    CHECK(reader.skipped_pages() == 40);
    CHECK(reader.restored_pages() == 0);
}

TEST_CASE("image_reader: a buffer that is too short, and resuming where it can't") {
    saved f;
    fixture g;
    pool_id ids[1]{};
    restored_pools pools{g.store, ids, 1};
    image_bytes source{f.image};
    bytes buffer(image_format::header_bytes + 40);
    image_reader reader{g.store, source, pools, buffer};
    CHECK(reader.resume({}) == status::invalid); // before the header
    CHECK(reader.run() == status::too_short);
    CHECK(reader.run() == status::too_short);
    CHECK(ids[0] == pool_id{});
}

TEST_CASE("image_reader: what the source answers says nothing of the image, whatever it is") {
    saved f;
    struct refusing {
        result<std::size_t> read(byte_span to) noexcept {
            if (next != status::ok) {
                return std::exchange(next, status::ok);
            }
            return bytes.read(to);
        }
        image_bytes bytes;
        status next = status::ok;
    };
    for (const status s : {status::invalid, status::corrupt, status::too_short, status::limit, status::not_found,
                           status::unavailable, status::busy}) {
        fixture g;
        pool_id ids[1]{};
        restored_pools pools{g.store, ids, 1};
        refusing source{image_bytes{f.image}};
        bytes buffer(good_image_buffer(4096));
        image_reader reader{g.store, source, pools, buffer};
        const status answer = s == status::busy ? status::unavailable : s;
        source.next = s;
        CHECK(reader.step() == answer);
        REQUIRE(reader.step() == status::busy); // the header
        source.next = s;
        CHECK(reader.step() == answer);
        REQUIRE(reader.run() == status::ok);
        CHECK(reader.restored_pages() == 40);
        CHECK(!reader.is_cut());
    }
}

TEST_CASE("image_reader: a restore goes on right behind the header, and at the end") {
    saved f;
    fixture g;
    restore first{g.store, f.image};
    REQUIRE(first.reader.step() == status::busy);
    restore second{g.store, f.image};
    REQUIRE(second.reader.step() == status::busy);
    CHECK(second.reader.resume({}) == status::invalid); // that is before the header
    REQUIRE(second.reader.resume(first.reader.position()) == status::ok);
    REQUIRE(second.reader.run() == status::ok);
    CHECK(second.reader.restored_pages() == 40);
    restore third{g.store, f.image};
    REQUIRE(third.reader.step() == status::busy);
    REQUIRE(third.reader.resume(second.reader.position()) == status::ok);
    CHECK(third.reader.step() == status::ok);
    CHECK(third.source.at == image_format::header_bytes);
}

TEST_CASE("image_reader: what is passed over is told, whichever frame it was, and the pool is sealed all the same") {
    saved f;
    REQUIRE(f.store.seal(f.pool) == status::ok);
    const bytes image = f.save(4);
    const std::vector<std::size_t> at = frames_of(image);
    for (std::size_t i = 0; i + 1 < at.size(); ++i) {
        CAPTURE(i);
        bytes damaged = image;
        damaged[at[i] + image_format::head_bytes] ^= std::byte{1};
        const auto kind = static_cast<image_frame>(damaged[at[i] + 3]);
        fixture g;
        restore r{g.store, damaged, {.on_damage = image_damage::skip}};
        const status s = r.reader.run();
        CHECK(r.reader.damaged_frames() == 1);
        if (kind == image_frame::end) {
            CHECK(s == status::corrupt);
            continue;
        }
        REQUIRE(s == status::ok);
        CHECK(r.reader.restored_pages() + r.reader.damaged_pages() == 40);
        CHECK(r.reader.skipped_pages() == 0);
        if (kind == image_frame::pool) {
            CHECK(r.reader.damaged_pages() == 40);
            CHECK(r.ids[0] == pool_id{});
        } else {
            CHECK((kind == image_frame::pages) == (r.reader.damaged_pages() != 0));
            CHECK(g.store.family_of(r.ids[0]).value().is_sealed);
        }
    }
    // A restore that is broken off behind such a frame goes on.
    bytes damaged = image;
    damaged[at[3] + image_format::head_bytes + 60] ^= std::byte{1};
    fixture g;
    restore r{g.store, damaged, {.on_damage = image_damage::skip}};
    while (r.reader.position().sequence != 5) {
        REQUIRE(r.reader.step() == status::busy);
    }
    restored_pools pools{g.store, r.ids.data(), 1};
    image_bytes source{damaged};
    image_reader again{g.store, source, pools, r.buffer};
    REQUIRE(again.step() == status::busy);
    source.at = static_cast<std::size_t>(r.reader.position().bytes);
    REQUIRE(again.resume(r.reader.position()) == status::ok);
    REQUIRE(again.run() == status::ok);
    CHECK(r.reader.restored_pages() + r.reader.damaged_pages() + again.restored_pages() == 40);
}

} // namespace unit_store_image_reader
