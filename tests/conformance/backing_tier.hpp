// SPDX-License-Identifier: MIT
#pragma once

// The contract of a backing tier (the table in tier/concept.hpp) as a function that names the clauses it breaks.

#include <pagefold/tier/concept.hpp>

#include <support/rng.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::testing {

enum class tier_clause {
    place_in_range,      ///< a place is below 2^31
    place_is_alone,      ///< no place is given out again before its copy is forgotten
    copy_is_kept,        ///< a copy is read back as it was, and as often as one likes
    copies_are_apart,    ///< copies of one key don't replace each other
    stream_is_copied,    ///< what becomes of the stream after the call is nothing to it
    out_is_all_there_is, ///< nothing is written behind the end of `out`
    forgotten_is_gone,   ///< to forget is answered ok, and makes room again
};

[[nodiscard]] inline const char* to_string(tier_clause clause) noexcept {
    switch (clause) {
    case tier_clause::place_in_range: return "place_in_range";
    case tier_clause::place_is_alone: return "place_is_alone";
    case tier_clause::copy_is_kept: return "copy_is_kept";
    case tier_clause::copies_are_apart: return "copies_are_apart";
    case tier_clause::stream_is_copied: return "stream_is_copied";
    case tier_clause::out_is_all_there_is: return "out_is_all_there_is";
    case tier_clause::forgotten_is_gone: return "forgotten_is_gone";
    }
    return "unknown";
}

/// Of a tier that is empty, at rest, and has room for `room` streams of `page_size` bytes.
template <backing_tier Tier>
[[nodiscard]] std::set<tier_clause> tier_violations(Tier tier, std::size_t room, std::size_t page_size = 4096) {
    using clause = tier_clause;
    std::set<clause> broken;
    const auto expect = [&](bool holds, clause which) {
        if (!holds) {
            broken.insert(which);
        }
    };
    struct copy {
        page_key key{};
        std::vector<std::byte> bytes{};
    };
    std::vector<std::vector<std::byte>> offered; // with other bytes now: a tier that refers to a stream reads those
    std::map<tier_place, copy> held;
    rng random{11};
    const auto is_there = [&](tier_place place, const copy& c) {
        std::vector<std::byte> out(c.bytes.size() + 8, std::byte{0xa5});
        const bool ok = tier.fetch(c.key, place, byte_span{out.data(), c.bytes.size()}) == status::ok;
        bool is_overrun = false;
        for (std::size_t i = c.bytes.size(); i < out.size(); ++i) {
            is_overrun = is_overrun || out[i] != std::byte{0xa5};
        }
        expect(!is_overrun, clause::out_is_all_there_is);
        out.resize(c.bytes.size());
        return ok && out == c.bytes;
    };
    const auto forget = [&](tier_place place) {
        expect(tier.forget(held[place].key, place) == status::ok, clause::forgotten_is_gone);
        held.erase(place);
    };
    // Few keys, so that most have several copies; and more comes than there is room for.
    std::size_t refused = 0;
    for (unsigned round = 0; round < 4000; ++round) {
        const std::uint64_t what = random.below(8);
        if (what < 4) {
            const page_key key{static_cast<pool_id>(1 + random.below(2)), random.below(3), random.below(4)};
            const std::size_t size = random.one_in(8) ? page_size : 9 + random.below(page_size - 9);
            std::vector<std::byte> stream(size);
            for (std::byte& b : stream) {
                b = static_cast<std::byte>(random());
            }
            const copy now{key, stream};
            const result<tier_place> place = tier.offer(key, stream);
            for (std::byte& b : stream) {
                b = ~b;
            }
            offered.push_back(std::move(stream));
            if (!place) {
                ++refused;
                expect(held.size() >= room || place.error() != status::limit, clause::forgotten_is_gone);
                if (!held.empty()) {
                    forget(held.begin()->first);
                }
                continue;
            }
            expect(fits_entry(*place), clause::place_in_range);
            expect(held.find(*place) == held.end(), clause::place_is_alone);
            held[*place] = now;
            if (!is_there(*place, now)) {
                std::vector<std::byte> out(size);
                const bool ok = tier.fetch(key, *place, out) == status::ok;
                expect(false, ok && out == offered.back() ? clause::stream_is_copied : clause::copy_is_kept);
            }
        } else if (what < 7 && !held.empty()) {
            auto one = held.begin();
            for (std::uint64_t steps = random.below(held.size()); steps != 0; --steps) {
                ++one;
            }
            bool is_alone = true;
            for (const auto& [place, other] : held) {
                is_alone = is_alone && (place == one->first || !(other.key == one->second.key));
            }
            expect(is_there(one->first, one->second), is_alone ? clause::copy_is_kept : clause::copies_are_apart);
        } else if (!held.empty() && random.one_in(2)) {
            forget(held.begin()->first);
        }
    }
    while (!held.empty()) {
        forget(held.begin()->first);
    }
    return broken;
}

[[nodiscard]] inline std::string describe(const std::set<tier_clause>& broken) {
    std::string all;
    for (const tier_clause clause : broken) {
        all += (all.empty() ? "" : ", ") + std::string{to_string(clause)};
    }
    return all;
}

} // namespace pagefold::testing
