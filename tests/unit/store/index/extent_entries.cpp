// SPDX-License-Identifier: MIT
#include <pagefold/store/index/extent_entries.hpp>

#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/entry.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>

namespace pagefold::testing::unit_store_index_extent_entries {
namespace {

struct links {
    std::uint32_t before, after;
    friend bool operator==(const links&, const links&) = default;
};

/// Extents of an index, each beside a map of its pages.
template <class Entry, class Hook, unsigned HookBits>
struct kind {
    using entry_type = Entry;
    using hook_type = Hook;
    using entries_type = extent_entries<Entry, Hook, HookBits, test_source>;
    static constexpr bool is_wide = HookBits > packed_hook_bits;
    static constexpr bool has_inline_singles = !is_wide && Entry::bytes == 12;

    struct page {
        Entry e;
        Hook hook;
    };
    struct modelled {
        extent x{};
        std::map<unsigned, page> pages;
    };

    static Entry entry_of(rng& random) {
        Entry e{random(), static_cast<typename Entry::meta_type>(random())};
        e.set_hook(0);
        return e;
    }
    static Hook hook_of(rng& random) {
        if constexpr (is_wide) {
            return {static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())};
        } else {
            return static_cast<Hook>(random.below(8));
        }
    }
    status put_first(modelled& m, unsigned at, Entry e) {
        const result<cell_ref> array = entries.allocate_first();
        if (!array) {
            return array.error();
        }
        entries.put_first(m.x, at, e, *array);
        m.pages[at] = {e, Hook{}};
        return status::ok;
    }
    status add(modelled& m, unsigned at, Entry e) {
        const std::size_t before = entries.bytes(m.x), growth = entries.growth(m.x);
        const status s = entries.add(m.x, at, e);
        if (s == status::ok) {
            m.pages[at] = {e, Hook{}};
            REQUIRE(entries.bytes(m.x) == before + growth);
        } else {
            REQUIRE(entries.bytes(m.x) == before);
        }
        return s;
    }
    void remove(modelled& m, unsigned at, bool goes_on = false) {
        entries.remove(m.x, at, goes_on);
        m.pages.erase(at);
    }
    void fill(modelled& m, unsigned count, rng& random) {
        REQUIRE(put_first(m, 0, entry_of(random)) == status::ok);
        for (unsigned at = 1; at < count; ++at) {
            REQUIRE(add(m, at, entry_of(random)) == status::ok);
        }
    }
    [[nodiscard]] bool holds(modelled& m) const {
        std::uint64_t present = 0;
        for (const auto& [at, p] : m.pages) {
            present |= std::uint64_t{1} << at;
            Entry e = entries.get(m.x, at);
            if (!(entries.hook(m.x, at) == p.hook)) {
                return false;
            }
            if constexpr (!is_wide) {
                const auto metas = entries.metas_of(m.x);
                const Entry by_meta{0, load_native<typename Entry::meta_type>(metas.of(at))};
                if (metas.pages != m.x.present() || by_meta.meta() != e.meta()) {
                    return false;
                }
                e.set_hook(0);
            }
            if (e.word() != p.e.word() || e.meta() != p.e.meta()) {
                return false;
            }
        }
        return m.x.present() == present && entries.is_sound(m.x) &&
               m.x.is_single() == (has_inline_singles && m.pages.size() == 1) &&
               entries.bytes(m.x) >= (m.x.is_single() ? 0 : m.pages.size() * entries_type::entry_bytes);
    }

    test_source source;
    entries_type entries{source, any_node};
};

using narrow = kind<basic_entry<28>, std::uint8_t, 3>;
using wide = kind<basic_entry<28>, links, 64>;
using long_narrow = kind<basic_entry<60>, std::uint8_t, 3>;

template <class Test>
void for_each_kind(Test test) {
    test.template operator()<narrow>();
    test.template operator()<wide>();
    test.template operator()<long_narrow>();
}

TEST_CASE("extent_entries: a first page takes an array where it needs one, and none else") {
    for_each_kind([]<class Kind>() {
        for (const unsigned at : {0u, 1u, 63u}) {
            Kind k;
            typename Kind::modelled m;
            rng random{at};
            REQUIRE(k.put_first(m, at, Kind::entry_of(random)) == status::ok);
            CHECK(k.holds(m));
            CHECK(k.entries.array_count() == (Kind::has_inline_singles ? 0 : 1));
            CHECK(k.entries.bytes(m.x) == k.entries.bytes_of_first());
            CHECK((k.entries.bytes_of_first() == 0) == Kind::has_inline_singles);
            CHECK(k.entries.bytes() == k.source.bytes_held());
            k.entries.release(m.x);
            CHECK(k.entries.array_count() == 0);
            k.entries.deallocate_first(k.entries.allocate_first().value()); // an extent that came to nothing
            CHECK(k.entries.array_count() == 0);
            CHECK(k.entries.check());
        }
    });
}

TEST_CASE("extent_entries: random pages of some extents as in maps, whatever the source refuses") {
    for_each_kind([]<class Kind>() {
        Kind k;
        typename Kind::modelled all[12];
        rng random{7};
        unsigned refused = 0;
        for (int i = 0; i < 12'000; ++i) {
            auto& m = all[random.below(12)];
            const unsigned at = static_cast<unsigned>(random.below(64));
            const bool is_there = m.pages.count(at) != 0;
            k.source.refuse_nth(random.below(8));
            if (!is_there) {
                const status s =
                    m.pages.empty() ? k.put_first(m, at, Kind::entry_of(random)) : k.add(m, at, Kind::entry_of(random));
                REQUIRE((s == status::ok || s == status::no_memory));
                refused += s == status::ok ? 0 : 1;
            } else if (random.one_in(4)) {
                const auto e = Kind::entry_of(random);
                k.entries.set(m.x, at, e);
                m.pages[at].e = e;
                m.pages[at].hook = Kind::is_wide ? m.pages[at].hook : typename Kind::hook_type{};
            } else if (random.one_in(3)) {
                m.pages[at].hook = Kind::hook_of(random);
                k.entries.set_hook(m.x, at, m.pages[at].hook);
            } else if (m.pages.size() > 1) {
                k.remove(m, at, random.one_in(2));
            } else {
                k.entries.release(m.x);
                m = {};
            }
            if (random.one_in(20) && !m.pages.empty()) {
                const std::size_t before = k.entries.bytes(m.x);
                static_cast<void>(k.entries.repack(m.x));
                REQUIRE(k.entries.bytes(m.x) <= before);
            }
            k.source.refuse_nth(0);
            REQUIRE((m.pages.empty() || k.holds(m)));
            REQUIRE(k.entries.check());
            if (i % 100 == 0) {
                std::size_t arrays = 0;
                for (auto& one : all) {
                    REQUIRE((one.pages.empty() || k.holds(one)));
                    arrays += one.pages.empty() || one.x.is_single() ? 0 : 1;
                }
                REQUIRE(k.entries.array_count() == arrays);
                REQUIRE(k.entries.bytes() == k.source.bytes_held());
            }
        }
        for (auto& m : all) {
            if (!m.pages.empty()) {
                k.entries.release(m.x);
            }
        }
        CHECK(refused > 0);
        CHECK(k.entries.array_count() == 0);
    });
}

TEST_CASE("extent_entries: every number of pages, filled from either end, and a refusal at each array") {
    for_each_kind([]<class Kind>() {
        for (const bool up : {true, false}) {
            Kind k;
            typename Kind::modelled m;
            rng random{3};
            for (unsigned i = 0; i < 64; ++i) {
                const unsigned at = up ? i : 63 - i;
                const auto e = Kind::entry_of(random);
                k.source.refuse_all(true, status::limit);
                const extent was = m.x;
                const status s = i == 0 ? k.put_first(m, at, e) : k.add(m, at, e);
                k.source.refuse_all(false);
                if (s != status::ok) {
                    REQUIRE(s == status::limit);
                    REQUIRE(m.x.bitmap == was.bitmap);
                    REQUIRE(m.x.tag == was.tag);
                    REQUIRE(m.x.cell == was.cell);
                    REQUIRE((m.pages.empty() || k.holds(m)));
                    REQUIRE((i == 0 ? k.put_first(m, at, e) : k.add(m, at, e)) == status::ok);
                }
                REQUIRE(k.holds(m));
                REQUIRE(k.entries.array_count() == (Kind::has_inline_singles && i == 0 ? 0 : 1));
            }
            for (unsigned i = 0; i < 63; ++i) {
                k.remove(m, up ? i : 63 - i);
                REQUIRE(k.holds(m));
                // A half is free at most, and a size of slack.
                REQUIRE(k.entries.bytes(m.x) <= (3 * m.pages.size() + 2) * Kind::entries_type::entry_bytes);
            }
            k.entries.release(m.x);
        }
    });
}

TEST_CASE("extent_entries: an array that is not to shrink stays, and repack makes it the least") {
    for_each_kind([]<class Kind>() {
        Kind k;
        typename Kind::modelled m;
        rng random{4};
        k.fill(m, 64, random);
        const std::size_t full = k.entries.bytes(m.x);
        const std::uint64_t calls = k.source.acquisitions();
        for (unsigned at = 63; at > 2; --at) {
            k.remove(m, at, true);
            REQUIRE(k.entries.bytes(m.x) == full);
        }
        CHECK(k.source.acquisitions() == calls);
        k.source.refuse_all(true);
        const bool without_memory = k.entries.repack(m.x);
        k.source.refuse_all(false);
        CHECK(k.holds(m));
        CHECK(without_memory == (k.entries.bytes(m.x) < full));
        CHECK((without_memory || k.entries.repack(m.x)));
        CHECK(k.holds(m));
        CHECK(k.entries.bytes(m.x) <= 4 * Kind::entries_type::entry_bytes);
        CHECK(!k.entries.repack(m.x)); // nothing is better anywhere
        CHECK(k.holds(m));
        k.remove(m, 0);
        k.remove(m, 2);
        CHECK(k.holds(m));
        CHECK((!Kind::has_inline_singles || !k.entries.repack(m.x)));
        k.entries.release(m.x);
    });
}

TEST_CASE("extent_entries: arrays that lie scattered come together by repack") {
    for_each_kind([]<class Kind>() {
        Kind k;
        rng random{5};
        std::map<int, typename Kind::modelled> all;
        for (int i = 0; i < 2000; ++i) {
            k.fill(all[i], 8, random);
        }
        for (int i = 0; i < 2000; ++i) {
            if (i % 16 != 0) {
                k.entries.release(all[i].x);
                all.erase(i);
            }
        }
        const std::size_t before = k.entries.bytes();
        unsigned moved = 0;
        for (int sweep = 0; sweep < 2; ++sweep) {
            for (auto& [i, m] : all) {
                moved += k.entries.repack(m.x) ? 1 : 0;
                REQUIRE(k.holds(m));
            }
        }
        CHECK(moved > 0);
        CHECK(k.entries.bytes() < before / 2);
        CHECK(k.entries.check());
        for (auto& [i, m] : all) {
            k.entries.release(m.x);
        }
    });
}

TEST_CASE("extent_entries: a damaged extent stays damaged, whatever entries and hooks are set in it") {
    narrow k;
    narrow::modelled m;
    rng random{6};
    REQUIRE(k.put_first(m, 5, narrow::entry_of(random)) == status::ok);
    for (int i = 0; i < 100; ++i) { // of odd and of even changes
        k.entries.set(m.x, 5, narrow::entry_of(random));
        REQUIRE(k.entries.is_sound(m.x));
        k.entries.set_hook(m.x, 5, narrow::hook_of(random));
        REQUIRE(k.entries.is_sound(m.x));
        k.entries.metas_of(m.x).set_hook(5, narrow::hook_of(random));
        REQUIRE(k.entries.is_sound(m.x));
    }
    m.x.object ^= 1;
    for (int i = 0; i < 100; ++i) {
        k.entries.set(m.x, 5, narrow::entry_of(random));
        k.entries.set_hook(m.x, 5, narrow::hook_of(random));
        REQUIRE(!k.entries.is_sound(m.x));
    }
}

TEST_CASE("extent_entries: an array is followed only where it lives and is long enough, and the extent is whole") {
    for_each_kind([]<class Kind>() {
        Kind k;
        typename Kind::modelled m, other;
        rng random{8};
        k.fill(m, 9, random);
        k.fill(other, 3, random);
        REQUIRE(k.entries.is_sound(m.x));
        const auto is_sound_with = [&](std::uint64_t bitmap, std::uint32_t cell) {
            extent x = m.x;
            x.make_array(bitmap, static_cast<cell_ref>(cell));
            return k.entries.is_sound(x);
        };
        CHECK(is_sound_with(m.x.bitmap, m.x.cell));
        CHECK(is_sound_with(low_bits(12), m.x.cell));  // as many as it has room for
        CHECK(!is_sound_with(low_bits(13), m.x.cell)); // and one more
        CHECK(!is_sound_with(~std::uint64_t{0}, m.x.cell));
        CHECK(!is_sound_with(m.x.bitmap, other.x.cell)); // another's, which is shorter
        CHECK(!is_sound_with(m.x.bitmap, ~std::uint32_t{0}));
        unsigned followed = 0;
        for (unsigned bit = 0; bit < 32; ++bit) {
            followed += is_sound_with(m.x.bitmap, m.x.cell ^ std::uint32_t{1} << bit) ? 1 : 0;
        }
        CHECK(followed == 0);
        for (unsigned bit = 0; bit < 64; ++bit) {
            extent x = m.x;
            x.object ^= std::uint64_t{1} << bit;
            REQUIRE(!k.entries.is_sound(x));
            x = m.x;
            x.bitmap ^= std::uint64_t{1} << bit;
            REQUIRE(!k.entries.is_sound(x));
            x = m.x;
            x.tag ^= std::uint64_t{1} << bit;
            REQUIRE(!k.entries.is_sound(x));
        }
        extent single = m.x;
        single.make_single(3, 1, 2);
        CHECK(k.entries.is_sound(single) == Kind::has_inline_singles);
        const cell_ref gone = m.x.array();
        k.entries.release(m.x);
        CHECK(!is_sound_with(1, static_cast<std::uint32_t>(gone)));
        k.entries.release(other.x);
    });
}

TEST_CASE("extent_entries: a wide hook stays where its page's entry is replaced, a narrow one goes with it") {
    for_each_kind([]<class Kind>() {
        Kind k;
        typename Kind::modelled m;
        rng random{9};
        k.fill(m, 5, random);
        const auto hook = [] {
            if constexpr (Kind::is_wide) {
                return links{3, 4};
            } else {
                return std::uint8_t{5};
            }
        }();
        for (unsigned at = 0; at < 5; ++at) {
            k.entries.set_hook(m.x, at, hook);
        }
        k.entries.set(m.x, 2, Kind::entry_of(random));
        for (unsigned at = 0; at < 5; ++at) {
            CHECK((k.entries.hook(m.x, at) == hook) == (Kind::is_wide || at != 2));
        }
        k.entries.release(m.x);
    });
}

} // namespace
} // namespace pagefold::testing::unit_store_index_extent_entries
