// SPDX-License-Identifier: MIT

// Random operations on pools that demote, against a map of what they should have, while two things go wrong at random. The
// tier refuses, is full, delays, forgets to forget, lies and brings damaged bytes. And bits of the store's own memory are flipped: of
// streams, of entries, of extents and of their links.
//
// What must hold. No read brings another page, an older one or one that is gone. A page is `corrupt` where its stream here was
// hit, each time, until it is replaced or erased; or where the tier brought something else for this read, and for no other. A
// page that nothing hit is never lost: extents that were hit lose their own pages only, and say so. Every count is the model's, and
// check() is true until a table was hit, and false at once from then on.
//
// Several flips in tables at a time are not covered (docs/store.md), so what one hit is read before the next.
//
// PAGEFOLD_DAMAGE_TRIALS: how many of each.

#include "support/environment.hpp"
#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"
#include "support/test_tier.hpp"

#include <pagefold/evict/lru.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/index/extent.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <tuple>
#include <vector>

namespace model_tier_damage {
namespace {

using namespace pagefold;
using namespace pagefold::testing;

/// A tier of the tests, and somebody who knows of each read whether it brought what was offered there.
struct judged_memory {
    judged_memory(std::size_t most, std::uint64_t seed) : memory{most, seed} {}

    test_tier_memory memory;
    std::map<std::uint32_t, std::vector<std::byte>> offered;
    std::uint64_t failed_reads = 0; ///< that brought anything else, or nothing
    std::uint64_t untrue_reads = 0; ///< of those, what was not `later`
};
struct judged_tier {
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        const result<tier_place> place = of->memory.offer(key, stream);
        if (place) {
            of->offered[static_cast<std::uint32_t>(*place)].assign(stream.data(), stream.data() + stream.size());
        }
        return place;
    }
    status fetch(const page_key& key, tier_place place, byte_span out) noexcept {
        const status s = of->memory.fetch(key, place, out);
        const std::vector<std::byte>& right = of->offered[static_cast<std::uint32_t>(place)];
        const bool is_right =
            s == status::ok && right.size() == out.size() && std::memcmp(right.data(), out.data(), out.size()) == 0;
        of->failed_reads += is_right ? 0 : 1;
        of->untrue_reads += is_right || s == status::busy ? 0 : 1;
        return s;
    }
    status forget(const page_key& key, tier_place place) noexcept { return of->memory.forget(key, place); }

    judged_memory* of;
};

struct usual : default_config {
    using tier_type = judged_tier;
};
struct with_links : usual {
    using eviction_type = lru;
    static constexpr unsigned checksum_bits = 60;
};

enum class knowledge {
    sure,     ///< the page is as it was put, or is not there
    spoilt,   ///< its stream in memory was hit
    doubtful, ///< what leads to it was hit: it may be lost, and never be another
};

template <class Store, class Config>
class trial {
    static constexpr std::size_t page_size = Config::page_size;
    static constexpr std::uint64_t objects = 12, extents = 3, pages = 6;

public:
    struct outcome {
        std::uint64_t spoilt = 0, tables = 0, lost = 0, untrue = 0, unavailable = 0, refused = 0, away = 0;
    };

    explicit trial(std::uint64_t seed)
        : random_{seed}, tier_{seed % 2 == 0 ? 120u : 100'000u, seed}, store_{made(source_, tier_, seed)} {
        for (pool& p : pools_) {
            renew(p);
        }
    }

    /// `hits_links`: the last flip is of a link, after which any page may be lost.
    outcome run(unsigned steps, bool hits_links) {
        for (unsigned step = 0; step < steps; ++step) {
            if (step % 50 == 0) {
                tier_.memory.set_faults(random_faults());
            }
            if (step % 40 == 39) {
                settle_doubts();
                flip_something(hits_links && step + 41 > steps);
            }
            operate();
            if (step % 100 == 0) {
                compare();
            }
        }
        for (unsigned step = 0; hits_links && step < 200; ++step) {
            operate();
        }
        settle_doubts();
        compare();
        tier_.memory.set_faults({});
        for (const auto& [at, one] : expected_) {
            get({pools_[std::get<0>(at)].id, std::get<1>(at), std::get<2>(at)});
        }
        compare();
        for (pool& p : pools_) {
            renew(p);
        }
        compare();
        for (pool& p : pools_) {
            CHECK(store_.destroy_pool(p.id) == status::ok);
        }
        const store_stats s = store_.stats();
        CHECK((has_hit_table_ || s.stored_pages + s.away_pages == 0));
        done_.untrue = tier_.untrue_reads;
        done_.away = s.written_back_pages;
        return done_;
    }

private:
    struct pool {
        pool_options options{};
        pool_id id{};
    };
    using name = std::tuple<unsigned, std::uint64_t, std::uint64_t>; // number of the pool, object, index
    struct page {
        std::uint64_t content = 0; // 0: none
        knowledge known = knowledge::sure;
    };

    static constexpr std::size_t limit = std::same_as<Store, page_store<Config>> ? 250 << 10 : 500 << 10;

    static Store made(test_source& source, judged_memory& tier, std::uint64_t seed) {
        const store_options options{.limit_bytes = limit, .partitions = 4, .seed = seed + 1};
        const typename Config::eviction_type eviction{};
        if constexpr (std::same_as<Store, page_store<Config>>) {
            return Store{source, options, {}, {}, eviction, judged_tier{&tier}};
        } else {
            return Store{source, options, {}, {}, {}, eviction, judged_tier{&tier}};
        }
    }
    static void make(byte_span out, std::uint64_t content) {
        constexpr page_kind kinds[] = {page_kind::text, page_kind::word, page_kind::random, page_kind::pointers,
                                       page_kind::word};
        make_page(out, kinds[content % 5], content);
    }
    static bool is_word(std::uint64_t content) { return content % 5 == 1 || content % 5 == 4; }

    // What is asked.

    page_key random_key() {
        const std::uint64_t at = random_.below(pools_number);
        // Numbers that nothing else in memory looks like.
        return {pools_[at].id, object(random_.below(objects)),
                random_.below(extents) * extent_pages + random_.below(pages) * 9};
    }
    static std::uint64_t object(std::uint64_t number) { return 0x7a3b5c9d1e2f4057 + number * 0x0001000300050007; }
    [[nodiscard]] unsigned number_of(pool_id id) const { return id == pools_[0].id ? 0 : id == pools_[1].id ? 1 : 2; }
    page& expected(const page_key& key) { return expected_[{number_of(key.pool), key.object, key.index}]; }
    [[nodiscard]] bool may_be_gone(const page_key& key) const {
        return pools_[number_of(key.pool)].options.kind == pool_kind::ephemeral;
    }
    [[nodiscard]] std::uint64_t told() const {
        const store_stats s = store_.stats();
        return s.damaged_tables + s.decompress_fail;
    }

    [[nodiscard]] bool has_hit_index() const { return has_hit_table_ || has_hit_entry_; }

    void operate() {
        const page_key key = random_key();
        switch (random_.below(32)) {
        case 0:
        case 1: erase(key); break;
        case 2:
        case 3: take(key); break;
        case 4: static_cast<void>(store_.shrink(random_.below(60'000))); break;
        case 5: static_cast<void>(store_.compact(random_.below(20'000))); break;
        case 6: static_cast<void>(store_.maintain(random_.below(20'000))); break;
        case 7: erase_range(key, 1 + random_.below(3 * extent_pages)); break;
        case 8:
            if (random_.one_in(6)) {
                renew(pools_[number_of(key.pool)]);
            }
            break;
        default:
            if (random_.one_in(2)) {
                put(key);
            } else {
                get(key);
            }
            break;
        }
    }
    void put(const page_key& key) {
        page& one = expected(key);
        make(page_, ++contents_);
        const status s = store_.put(key, page_);
        REQUIRE((s == status::ok || s == status::limit));
        s == status::ok ? ++stored_ : ++done_.refused;
        one = {s == status::ok ? contents_ : 0};
    }
    void get(const page_key& key) {
        static_cast<void>(judge(key, [&] { return store_.get(key, page_); }));
    }
    void take(const page_key& key) {
        if (judge(key, [&] { return store_.take(key, page_); }) == status::ok) {
            expected(key) = {};
        }
    }
    void erase(const page_key& key) {
        page& one = expected(key);
        const status s = store_.erase(key);
        REQUIRE((s == status::ok || s == status::not_found));
        if (one.known != knowledge::doubtful && !may_be_gone(key)) {
            CHECK(((s == status::ok) == (one.content != 0) || has_hit_index())); // damage may take any page's name
        }
        CHECK((s != status::ok || one.content != 0 || has_hit_index()));
        one = {};
    }
    void erase_range(const page_key& from, std::uint64_t count) {
        std::size_t there = 0, most = 0;
        bool is_sure = !may_be_gone(from);
        for (auto& [at, one] : expected_) {
            if (std::get<0>(at) == number_of(from.pool) && std::get<1>(at) == from.object &&
                std::get<2>(at) >= from.index && std::get<2>(at) - from.index < count) {
                there += one.content != 0 ? 1 : 0;
                most += one.content != 0 || one.known == knowledge::doubtful ? 1 : 0;
                is_sure = is_sure && one.known != knowledge::doubtful;
                one = {};
            }
        }
        const result<std::size_t> erased = store_.erase_range(from.pool, from.object, from.index, count);
        REQUIRE(erased);
        CHECK((is_sure ? *erased == there : *erased <= most));
    }
    void renew(pool& p) {
        if (p.id != pool_id{}) {
            CHECK(store_.destroy_pool(p.id) == status::ok);
        }
        for (auto& [at, one] : expected_) {
            if (std::get<0>(at) == number_of(p.id)) {
                one = {};
            }
        }
        p.id = store_.create_pool(p.options).value();
    }

    template <class Read>
    status judge(const page_key& key, Read read) {
        page& one = expected(key);
        const std::uint64_t failed = tier_.failed_reads, untrue = tier_.untrue_reads, told_before = told();
        const std::uint64_t tables_before = store_.stats().damaged_tables;
        const status s = read();
        const bool is_untrue = tier_.untrue_reads != untrue, has_failed = tier_.failed_reads != failed;
        corrupt_ += s == status::corrupt ? 1 : 0;
        switch (s) {
        case status::ok:
            make(compared_, one.content);
            CHECK(one.content != 0);
            CHECK(page_ == compared_);
            CHECK(one.known != knowledge::spoilt);
            CHECK_FALSE(has_failed);
            break;
        case status::unavailable:
            CHECK(one.content != 0);
            CHECK(has_failed);
            CHECK_FALSE(is_untrue);
            ++done_.unavailable;
            break;
        case status::corrupt: {
            // Who comes by a table that is damaged can't know whether the page was there.
            const bool is_perhaps_absent = one.content == 0 || may_be_gone(key);
            const bool has_found_damage = has_hit_index() && store_.stats().damaged_tables != tables_before;
            CHECK(told() != told_before);
            CHECK((one.known == knowledge::doubtful || (one.known == knowledge::spoilt && one.content != 0) ||
                   (is_untrue && one.content != 0) || (is_perhaps_absent && has_found_damage)));
            if (has_found_damage && is_perhaps_absent) {
                one = {};
            }
            break;
        }
        default:
            REQUIRE(s == status::not_found);
            CHECK((one.content == 0 || one.known == knowledge::doubtful || may_be_gone(key)));
            if (one.content != 0 && !may_be_gone(key)) {
                CHECK(told() != told_at_flip_);
            }
            one = {};
            break;
        }
        return s;
    }
    /// Whatever a flip of a table may have cost is asked for; then it is known.
    void settle_doubts() {
        tier_.memory.set_faults({});
        for (auto& [at, one] : expected_) {
            if (one.known == knowledge::doubtful) {
                const page_key key{pools_[std::get<0>(at)].id, std::get<1>(at), std::get<2>(at)};
                const status s = judge(key, [&] { return store_.get(key, page_); });
                if (s == status::corrupt && judge(key, [&] { return store_.get(key, page_); }) == status::corrupt) {
                    one.known = knowledge::spoilt; // an entry that holds the page
                } else if (s == status::ok) {
                    one.known = knowledge::sure;
                } else {
                    done_.lost += s == status::corrupt ? 1 : 0;
                    one = {};
                }
            }
        }
    }

    tier_faults random_faults() {
        const auto some = [&](unsigned one_in) { return random_.one_in(2) ? one_in : 0u; };
        switch (random_.below(4)) {
        case 0: return {};
        case 1:
            return {.full = some(3),
                    .busy = some(3),
                    .unreadable = some(3),
                    .odd_place = some(9),
                    .unforgotten = some(9),
                    .slow = some(9)};
        case 2: return {.lost = some(3), .damage = some(3), .other = some(3), .older = some(3), .nothing = some(3)};
        default:
            return {.full = 9,
                    .busy = 9,
                    .unreadable = 9,
                    .no_copy = 20,
                    .odd_place = 20,
                    .lost = 20,
                    .damage = 9,
                    .other = 9,
                    .older = 9,
                    .nothing = 9,
                    .unforgotten = 20};
        }
    }

    // What is hit.

    void flip(std::byte* at, std::size_t bit) { at[bit / 8] ^= static_cast<std::byte>(1u << bit % 8); }
    /// All places in memory with these bytes.
    std::vector<std::byte*> all_of(byte_view wanted) const {
        std::vector<std::byte*> found;
        std::uint64_t first;
        std::memcpy(&first, wanted.data(), sizeof first);
        source_.for_each_run([&](std::byte* memory, std::size_t bytes) {
            for (std::size_t at = 0; at + wanted.size() <= bytes; at += 4) {
                if (load_native<std::uint64_t>(memory + at) == first &&
                    std::memcmp(memory + at, wanted.data(), wanted.size()) == 0) {
                    found.push_back(memory + at);
                }
            }
        });
        return found;
    }
    /// A page that is in memory, as a walk says, and of which all is known; none: content 0.
    page_key random_resident(bool wants_word) {
        const pool& p = pools_[random_.below(pools_number)];
        std::vector<page_key> found;
        pool_cursor cursor{p.id};
        walked_page some[16];
        while (!cursor.has_ended()) {
            const std::size_t count = store_.walk(cursor, some, 16).value();
            for (std::size_t i = 0; i < count; ++i) {
                const page_key key{p.id, some[i].object, some[i].index};
                const page& one = expected(key);
                CHECK((one.content != 0 || has_hit_link_));
                if (one.content != 0 && one.known == knowledge::sure && is_word(one.content) == wants_word &&
                    some[i].content != page_content::away) {
                    found.push_back(key);
                }
            }
        }
        return found.empty() ? page_key{} : found[random_.below(found.size())];
    }
    void flip_something(bool hits_link) {
        const std::uint64_t what = random_.below(6);
        const page_key key = random_resident(what >= 3 && !hits_link);
        if (key.pool == pool_id{}) {
            return;
        }
        told_at_flip_ = told();
        if (hits_link) {
            flip_extent(key, 8 * (random_.one_in(2) ? offsetof(extent, hash_next) : offsetof(extent, ring_next)),
                        random_.one_in(2) ? 32 : 31);
            has_hit_link_ = true;
            for (const pool& p : pools_) {
                for (std::uint64_t i = 0; i < objects * extents * pages; ++i) {
                    page& one = expected(
                        {p.id, object(i % objects), i / objects % extents * extent_pages + i / objects / extents * 9});
                    one.known = one.known == knowledge::sure ? knowledge::doubtful : one.known;
                }
            }
        } else if (what < 3) {
            spoil_stream(key);
        } else if (what == 3) {
            flip_extent(key, 0, 8 * offsetof(extent, hash_next));
            note_extent(key);
        } else {
            flip_entry(key);
        }
    }
    void spoil_stream(const page_key& key) {
        make(page_, expected(key).content);
        std::vector<std::byte> stream(codec_.bound(page_size)), scratch(codec_.scratch_size(page_size));
        REQUIRE(codec_.prepare(scratch) == status::ok);
        const result<std::size_t> size = codec_.compress(page_, stream, scratch);
        const bool is_raw = !size || all_of(byte_view{stream.data(), *size}).empty();
        stream.resize(is_raw ? page_size : *size);
        stream = is_raw ? page_ : stream;
        const std::vector<std::byte*> places = all_of(stream);
        REQUIRE_FALSE(places.empty());
        const std::size_t bit = random_.below(8 * stream.size());
        for (std::byte* const at : places) { // one of them is it, and nobody reads the others
            flip(at, bit);
        }
        expected(key).known = knowledge::spoilt;
        CHECK((has_hit_index() || store_.check()));
        get(key);
        ++done_.spoilt;
    }
    std::byte* find_extent(const page_key& key) {
        const std::uint64_t identity = extent::identity(pool_ids::slot(key.pool), key.index / extent_pages);
        std::byte number[8];
        store_native(number, key.object);
        for (std::byte* const at : all_of({number, 8})) {
            extent x;
            std::memcpy(&x, at, sizeof x);
            if (x.has_identity(identity) && x.has_page(key.index % extent_pages)) {
                store_native(at, ~key.object); // an even number of bits: nobody takes it out for this
                const bool is_it = store_.contains(key) == status::not_found;
                store_native(at, key.object);
                if (is_it) {
                    return at;
                }
            }
        }
        return nullptr;
    }
    void flip_extent(const page_key& key, std::size_t first, std::size_t bits) {
        std::byte* const at = find_extent(key);
        REQUIRE(at != nullptr);
        CHECK((has_hit_index() || store_.check()));
        flip(at, first + random_.below(bits));
        CHECK_FALSE(store_.check());
        has_hit_table_ = true;
        ++done_.tables;
    }
    void note_extent(const page_key& hit) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            expected({hit.pool, hit.object, hit.index / extent_pages * extent_pages + i * 9}).known =
                knowledge::doubtful;
        }
    }
    /// A bit of an entry in the array that the page's own entry is in, which is found as it holds the page.
    void flip_entry(const page_key& key) {
        using state = partition_state<Config>;
        make(page_, expected(key).content);
        const std::uint64_t word = load_native<std::uint64_t>(page_.data());
        std::byte bytes[8];
        store_native(bytes, word);
        extent x;
        std::byte* const of = find_extent(key);
        REQUIRE(of != nullptr);
        std::memcpy(&x, of, sizeof x);
        if (x.is_single()) {
            return; // the entry is the extent
        }
        for (std::byte* const at : all_of({bytes, 8})) {
            store_native(at, word ^ 1);
            const bool is_it = store_.get(key, page_) == status::corrupt;
            store_native(at, word);
            if (is_it) {
                ++corrupt_;
                const unsigned own = rank(x.bitmap, key.index % extent_pages);
                const unsigned hit = static_cast<unsigned>(random_.below(count_ones(x.bitmap)));
                const unsigned bit = static_cast<unsigned>(random_.below(8 * state::entry_type::bytes - 4));
                flip(at + hit * state::entry_type::bytes - own * state::entry_type::bytes, bit < 65 ? bit : bit + 3);
                for (std::uint64_t i = 0; i < pages; ++i) {
                    if ((x.bitmap >> (i * 9) & 1) != 0 && rank(x.bitmap, i * 9) == hit) {
                        page& one = expected({key.pool, key.object, key.index / extent_pages * extent_pages + i * 9});
                        one.known = one.content != 0 ? knowledge::doubtful : one.known;
                    }
                }
                has_hit_entry_ = true;
                ++done_.tables;
                return;
            }
            ++(store_.get(key, page_) == status::ok ? hits_ : corrupt_);
        }
    }
    static unsigned rank(std::uint64_t bitmap, std::uint64_t at) {
        return count_ones(bitmap & ((std::uint64_t{1} << at) - 1));
    }

    // What is counted.

    void compare() {
        const store_stats s = store_.stats();
        CHECK(s.puts == stored_);
        CHECK(s.rejected_puts == done_.refused);
        CHECK(s.tier_read_fail == tier_.failed_reads);
        CHECK(s.total_bytes == source_.bytes_held());
        CHECK(s.tier_forget_fail >= tier_.memory.unforgotten());
        if (has_hit_table_) {
            CHECK_FALSE(store_.check());
            CHECK(s.away_pages + tier_.memory.unforgotten() <= tier_.memory.copies());
            return; // how many pages an extent had may not be sure
        }
        CHECK((has_hit_entry_ || store_.check()));
        CHECK((has_hit_entry_ || s.decompress_fail == corrupt_));
        CHECK((has_hit_entry_ || s.damaged_tables == 0));
        std::uint64_t away = 0;
        for (const pool& p : pools_) {
            std::uint64_t there = 0, doubtful = 0;
            for (const auto& [at, one] : expected_) {
                if (std::get<0>(at) == number_of(p.id)) {
                    there += one.content != 0 ? 1 : 0;
                    doubtful += one.known == knowledge::doubtful ? 1 : 0;
                }
            }
            const pool_stats of = store_.statistics_of(p.id).value();
            away += of.away_pages;
            CHECK(of.stored_pages + of.away_pages <= there);
            CHECK((p.options.kind == pool_kind::ephemeral || of.stored_pages + of.away_pages + doubtful >= there));
        }
        CHECK(away == s.away_pages);
        CHECK(s.evicted_pages + s.erased_pages + s.stored_pages + s.away_pages <= s.puts);
        if (!has_hit_entry_) {
            CHECK(away + tier_.memory.unforgotten() == tier_.memory.copies());
            CHECK(s.tier_forget_fail == tier_.memory.unforgotten());
        }
    }

    static constexpr std::uint64_t pools_number = 3;

    rng random_;
    judged_memory tier_;
    test_source source_;
    Store store_;
    pool pools_[pools_number] = {{.options = {.on_pressure = pressure_action::demote}},
                                 {.options = {.on_pressure = pressure_action::demote, .promotes = false}},
                                 {.options = {.kind = pool_kind::ephemeral}}};
    std::map<name, page> expected_;
    typename Config::compressor_type codec_{};
    std::vector<std::byte> page_ = std::vector<std::byte>(page_size);
    std::vector<std::byte> compared_ = std::vector<std::byte>(page_size);
    std::uint64_t contents_ = 0, stored_ = 0, hits_ = 0, corrupt_ = 0, told_at_flip_ = 0;
    bool has_hit_table_ = false, has_hit_entry_ = false, has_hit_link_ = false;
    outcome done_{};
};

template <class Store, class Config>
void run_all(std::uint64_t trials) {
    typename trial<Store, Config>::outcome sum;
    for (std::uint64_t seed = 0; seed < in_part(trials); ++seed) {
        CAPTURE(seed);
        trial<Store, Config> t{seed};
        const auto one = t.run(1500, seed % 3 == 2);
        sum.spoilt += one.spoilt;
        sum.tables += one.tables;
        sum.lost += one.lost;
        sum.untrue += one.untrue;
        sum.unavailable += one.unavailable;
        sum.refused += one.refused;
        sum.away += one.away;
    }
    MESSAGE("streams hit ", sum.spoilt, ", tables ", sum.tables, ", pages lost with them ", sum.lost, ", untrue reads ",
            sum.untrue, ", unavailable ", sum.unavailable, ", puts refused ", sum.refused, ", pages that went ",
            sum.away);
    CHECK(sum.spoilt != 0);
    CHECK(sum.tables != 0);
    CHECK(sum.untrue != 0);
    CHECK(sum.unavailable != 0);
    CHECK(sum.away != 0);
}

} // namespace

TEST_CASE("a tier that does everything wrong, and flipped bits: nothing else is lost, nothing wrong is read") {
    run_all<page_store<usual>, usual>(number_from("PAGEFOLD_DAMAGE_TRIALS", 24));
}
TEST_CASE("the same with links of a policy, long checksums and four partitions") {
    run_all<partitioned_store<with_links>, with_links>(number_from("PAGEFOLD_DAMAGE_TRIALS", 24));
}

TEST_CASE("a policy's hand in an extent that is hit follows nothing there") {
    for (const pool_options& options :
         {pool_options{.on_pressure = pressure_action::demote}, pool_options{.kind = pool_kind::ephemeral}}) {
        for (std::size_t bit = 0; bit < 8 * sizeof(extent); ++bit) {
            judged_memory tier{1000, 1};
            test_source source;
            page_store<usual> store{source, {.limit_bytes = 400 << 10, .seed = 1}, {}, {}, {}, judged_tier{&tier}};
            const pool_id pool = store.create_pool(options).value();
            constexpr std::uint64_t object = 0x7a3b5c9d1e2f4057, pages = 30;
            for (std::uint64_t i = 0; i < pages; ++i) {
                REQUIRE(store.put({pool, object, i}, page_of(4096, page_kind::text, i)) == status::ok);
            }
            REQUIRE(store.shrink(10'000) != 0); // the hand is in the midst of it now
            const store_stats before = store.stats();
            REQUIRE(before.stored_pages != 0);
            REQUIRE(before.stored_pages != pages);
            unsigned hits = 0;
            source.for_each_run([&](std::byte* memory, std::size_t bytes) {
                for (std::size_t at = 0; at + sizeof(extent) <= bytes; at += 4) {
                    if (load_native<std::uint64_t>(memory + at) == object) {
                        memory[at + bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
                        ++hits;
                        at += sizeof(extent);
                    }
                }
            });
            REQUIRE(hits == 1);
            CHECK_FALSE(store.check());
            static_cast<void>(store.shrink(~std::size_t{0}));
            std::vector<std::byte> page(4096);
            for (std::uint64_t i = 0; i < pages; ++i) {
                const status s = store.get({pool, object, i}, page);
                CHECK((s == status::ok ? page == page_of(4096, page_kind::text, i)
                                       : s == status::not_found || s == status::corrupt));
            }
            REQUIRE(store.put({pool, object, 1}, page_of(4096, page_kind::text, 99)) == status::ok);
            CHECK(store.get({pool, object, 1}, page) == status::ok);
            CHECK(page == page_of(4096, page_kind::text, 99));
            CHECK(store.destroy_pool(pool) == status::ok);
        }
    }
}

} // namespace model_tier_damage
