// SPDX-License-Identifier: MIT

// One bit of the index is flipped, and the store goes on in one of eight ways. It must not end, hang, bring a wrong page or
// one that is gone, nor lose a page that was not hit; and what it loses of a persistent pool it must tell.

#include "support/damaged_store.hpp"
#include "support/environment.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace model_damage {

using namespace pagefold;
using namespace pagefold::testing;

namespace {

struct with_a_hand : default_config {
    using eviction_type = pagefold::clock;
};
struct with_two_lists : default_config {
    using eviction_type = s3_fifo;
};
struct with_a_sieve : default_config {
    using eviction_type = sieve;
};
struct with_tlsf : default_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = tlsf<Source, PageSize>;
};
struct with_long_sums : default_config {
    static constexpr unsigned checksum_bits = 60;
};

/// What happens to the store after the flip.
constexpr unsigned courses = 8;

template <class Store>
void follow(Store& d, unsigned course, rng& random) {
    const std::uint64_t hit = Store::object_hit(), single = Store::single_hit(), middle = Store::middle_hit();
    const auto is_hit = [&](const page_key& key) {
        return key.object == hit || key.object == single || key.object == middle;
    };
    switch (course) {
    case 0: // everything is replaced
        d.get_all();
        for (const page_key& key : d.keys()) {
            d.put(key);
        }
        break;
    case 1: // what was hit goes and comes back
        for (const page_key& key : d.keys()) {
            if (is_hit(key)) {
                d.erase(key);
            }
        }
        d.get_all();
        for (const page_key& key : d.keys()) {
            if (is_hit(key)) {
                d.put(key);
            }
        }
        break;
    case 2: // whole objects go
        d.erase_range({d.pools[0], hit, 0}, 100);
        d.get_all();
        d.erase_range({d.pools[0], hit, 0}, max_page_index);
        d.erase_range({d.pools[0], single, 0}, max_page_index);
        d.erase_range({d.pools[0], middle, 0}, max_page_index);
        break;
    case 3: // memory is short
        d.get_all();
        static_cast<void>(d.store.resize(100 << 10));
        d.get_all();
        for (std::uint64_t i = 0; i < 20; ++i) {
            d.put({d.pools[i % 2], 50 + i, i});
        }
        static_cast<void>(d.store.resize(2 << 20));
        break;
    case 4: // memory is given back
        static_cast<void>(d.store.compact(~std::size_t{0}));
        d.get_all();
        static_cast<void>(d.store.shrink(~std::size_t{0}));
        static_cast<void>(d.store.maintain(1 << 20));
        break;
    case 5: // pages are taken
        for (const page_key& key : d.keys()) {
            d.take(key);
        }
        break;
    case 6: // new ones come next to what was hit
        for (std::uint64_t i = 0; i < 40; ++i) {
            d.put({d.pools[0], i % 2 != 0 ? hit : single, i * 7});
            d.put({d.pools[1], i, i});
        }
        break;
    default: // at random
        for (unsigned i = 0; i < 60; ++i) {
            const std::vector<page_key> keys = d.keys();
            const page_key key = keys[random.below(keys.size())];
            switch (random.below(10)) {
            case 0:
            case 1:
            case 2: d.put(key); break;
            case 3: d.erase(key); break;
            case 4: d.take(key); break;
            case 5: d.erase_range(key, 1 + random.below(200)); break;
            case 6: static_cast<void>(d.store.compact(1 << 16)); break;
            case 7: static_cast<void>(d.store.shrink(1 << 14)); break;
            case 8: d.put({key.pool, key.object, random.below(300)}); break;
            default: d.get(key); break;
            }
        }
        break;
    }
    d.get_all();
}

struct trial {
    pool_kind kind;
    damaged_part part;
    std::size_t bit;
    unsigned course;
};

/// What is wrong, or null.
template <class Config>
const char* run(const trial& t, bool& has_bit) {
    damaged_store<Config> d{t.kind};
    const auto place = d.find(t.part);
    has_bit = place.data != nullptr && t.bit < place.bytes * 8;
    if (!has_bit) {
        return place.data == nullptr ? "nowhere" : nullptr;
    }
    d.flip(place, t.bit);
    d.note_hit(t.part, t.bit);
    rng random{t.bit * courses + t.course};
    follow(d, t.course, random);
    if (!d.wrong && !d.owns_up()) {
        return "a loss that nothing tells of";
    }
    d.renew_pools();
    d.get_all();
    for (const page_key& key : d.keys()) {
        d.put(key);
    }
    d.get_all();
    d.renew_pools();
    d.get_all();
    return d.wrong ? d.wrong->what : nullptr;
}

/// Every bit of every part with every course is a trial, some hundred thousand in all. One in so many is made, others for
/// each configuration; PAGEFOLD_DAMAGE_STRIDE=1 makes all.
template <class Config>
void flip_bits(std::uint64_t first) {
    const std::uint64_t stride = number_from("PAGEFOLD_DAMAGE_STRIDE", 9);
    std::uint64_t number = first;
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        for (unsigned part = 0; part < damaged_parts; ++part) {
            bool has_bit = true;
            for (std::size_t bit = 0; has_bit; ++bit) {
                for (unsigned course = 0; course < courses; ++course, ++number) {
                    if (number % stride != 0) {
                        continue;
                    }
                    const char* const wrong =
                        run<Config>({kind, static_cast<damaged_part>(part), bit, course}, has_bit);
                    CHECK_MESSAGE(wrong == nullptr, std::string{wrong != nullptr ? wrong : ""}, ": part ", part,
                                  ", bit ", bit, ", course ", course);
                }
            }
        }
    }
}

} // namespace

TEST_CASE("no flipped bit of the index ends the process or brings a wrong page") { flip_bits<default_config>(0); }
TEST_CASE("the same with links of a policy in the index") { flip_bits<lru_config>(1); }
TEST_CASE("the same with one bit of a policy in the entries") { flip_bits<with_a_hand>(4); }
TEST_CASE("the same with links of two lists, and of one with a hand") {
    flip_bits<with_two_lists>(5);
    flip_bits<with_a_sieve>(6);
}
TEST_CASE("the same with another allocator") { flip_bits<with_tlsf>(2); }
TEST_CASE("the same with long checksums") { flip_bits<with_long_sums>(3); }
TEST_CASE("an extent that looks dead, as the bit of its only page is gone, leaves the ends of its ring joined") {
    for (const pool_kind kind : {pool_kind::persistent, pool_kind::ephemeral}) {
        for (std::size_t bit = 8 * offsetof(extent, bitmap); bit < 8 * offsetof(extent, cell); ++bit) {
            bool has_bit = true;
            const char* const wrong = run<with_long_sums>({kind, damaged_part::middle, bit, 2}, has_bit);
            CHECK_MESSAGE(wrong == nullptr, std::string{wrong != nullptr ? wrong : ""}, ": bit ", bit);
            CHECK(has_bit);
        }
    }
}

} // namespace model_damage
