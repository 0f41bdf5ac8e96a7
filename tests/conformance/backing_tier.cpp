// SPDX-License-Identifier: MIT
#include <conformance/backing_tier.hpp>

#include <support/test_tier.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>

namespace pagefold::testing::conformance_backing_tier {
namespace {

TEST_CASE("the tier of the tests keeps the contract of a backing tier") {
    test_tier_memory memory{200};
    CHECK(describe(tier_violations(test_tier{memory}, 200)) == "");
    CHECK(memory.copies() == 0);
    test_tier_memory small{3};
    CHECK(describe(tier_violations(test_tier{small}, 3)) == "");
}

// One wrong tier for each clause.

struct over_memory {
    test_tier_memory* memory;
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept { return memory->offer(key, stream); }
    status fetch(const page_key& key, tier_place place, byte_span out) noexcept {
        return memory->fetch(key, place, out);
    }
    status forget(const page_key& key, tier_place place) noexcept { return memory->forget(key, place); }
};
struct far_away : over_memory {
    static constexpr std::uint32_t bit = std::uint32_t{1} << 31;
    static tier_place turned(tier_place place) noexcept {
        return static_cast<tier_place>(static_cast<std::uint32_t>(place) ^ bit);
    }
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        const result<tier_place> place = memory->offer(key, stream);
        return place ? result<tier_place>{turned(*place)} : place;
    }
    status fetch(const page_key& key, tier_place place, byte_span out) noexcept {
        return memory->fetch(key, turned(place), out);
    }
    status forget(const page_key& key, tier_place place) noexcept { return memory->forget(key, turned(place)); }
};
struct one_place : over_memory {
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        const result<tier_place> place = memory->offer(key, stream);
        return place ? result<tier_place>{tier_place{7}} : place;
    }
};
struct damaging : over_memory {
    status fetch(const page_key& key, tier_place place, byte_span out) noexcept {
        const status s = memory->fetch(key, place, out);
        out[0] ^= std::byte{1};
        return s;
    }
};
/// One copy a key: the newest.
struct by_key : over_memory {
    tier_place* newest; // of 64 keys
    static std::size_t slot(const page_key& key) noexcept {
        return static_cast<std::size_t>(static_cast<std::uint64_t>(key.pool) * 16 + key.object * 4 + key.index);
    }
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        const result<tier_place> place = memory->offer(key, stream);
        newest[slot(key)] = place ? *place : newest[slot(key)];
        return place;
    }
    status fetch(const page_key& key, tier_place, byte_span out) noexcept {
        return memory->fetch(key, newest[slot(key)], out);
    }
};
/// Keeps where the last stream was, and not what it was.
struct referring : over_memory {
    byte_view* last;
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        *last = stream;
        return memory->offer(key, stream);
    }
    status fetch(const page_key&, tier_place, byte_span out) noexcept {
        if (out.size() != last->size()) {
            return status::not_found;
        }
        std::memcpy(out.data(), last->data(), out.size());
        return status::ok;
    }
};
struct overrunning : over_memory {
    status fetch(const page_key& key, tier_place place, byte_span out) noexcept {
        const status s = memory->fetch(key, place, out);
        if (s == status::ok) {
            out.data()[out.size()] = std::byte{0};
        }
        return s;
    }
};
struct hoarding : over_memory {
    status forget(const page_key&, tier_place) noexcept { return status::ok; }
};
struct stubborn : over_memory {
    status forget(const page_key&, tier_place) noexcept { return status::busy; }
};

template <class Tier, class... Rest>
bool breaks(tier_clause clause, std::size_t most, Rest... rest) {
    test_tier_memory memory{most};
    memory.forgive_all();
    return tier_violations(Tier{{&memory}, rest...}, most).count(clause) != 0;
}

TEST_CASE("the contract of a backing tier is broken by one for each clause") {
    using clause = tier_clause;
    CHECK(breaks<far_away>(clause::place_in_range, 100));
    CHECK(breaks<one_place>(clause::place_is_alone, 5000));
    CHECK(breaks<damaging>(clause::copy_is_kept, 100));
    tier_place newest[64] = {};
    CHECK(breaks<by_key>(clause::copies_are_apart, 100, &newest[0]));
    byte_view last;
    CHECK(breaks<referring>(clause::stream_is_copied, 100, &last));
    CHECK(breaks<overrunning>(clause::out_is_all_there_is, 100));
    CHECK(breaks<hoarding>(clause::forgotten_is_gone, 100));
    CHECK(breaks<stubborn>(clause::forgotten_is_gone, 100));
    CHECK(to_string(static_cast<tier_clause>(99)) == std::string{"unknown"});
}

} // namespace
} // namespace pagefold::testing::conformance_backing_tier
