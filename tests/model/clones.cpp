// SPDX-License-Identifier: MIT

// Random operations on families of pools, each against maps of what must be in them, over memory that now and then refuses.
//
// The model knows of each page of a persistent pool what was answered `ok` last; a page of an ephemeral child may be gone at a
// miss, and stays so. It knows which pools are sealed, and how many children each has. Pools are sent from node to node, and some of
// the parents have a content index.

#include "support/environment.hpp"
#include "support/rng.hpp"
#include "support/store_configs.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace model_clones {

namespace {

using namespace pagefold;
using namespace pagefold::testing;

constexpr std::size_t page_size = 4096;
constexpr std::uint64_t objects = 3, indices = 60;
using bytes = std::vector<std::byte>;

/// What a page holds, from which its bytes can be made again: a base that is one of a few, and words that have changed.
struct content {
    std::uint64_t base = 0;
    std::uint64_t change = 0; ///< 0: none

    void write(bytes& page) const {
        rng random{base};
        const std::uint64_t kind = base % 4;
        for (std::size_t at = 0; at < page_size; at += 8) {
            const std::uint64_t word = kind == 0           ? base
                                       : kind == 1         ? random()
                                       : kind == 2         ? 0x7f0000000000u + random.below(1u << 12) * 16
                                       : random.one_in(16) ? random()
                                                           : 0;
            std::memcpy(&page[at], &word, sizeof word);
        }
        rng changes{change};
        for (std::uint64_t k = change == 0 ? 0 : 1 + (change % 3 == 0 ? change % 400 : change % 12); k > 0; --k) {
            const std::uint64_t word = changes();
            std::memcpy(&page[8 * changes.below(page_size / 8)], &word, sizeof word);
        }
    }
};

struct pool {
    pool_id id{};
    pool_kind kind = pool_kind::persistent;
    bool is_sealed = false, has_index = false;
    std::size_t parent = ~std::size_t{0}; ///< its place among the pools
    std::map<std::uint64_t, content> pages{};
};

class families {
public:
    explicit families(std::uint64_t seed)
        : random_{seed}, store_{source_,
                                {.limit_bytes = 2 << 20, .partitions = 6, .seed = 3},
                                {},
                                {},
                                by_node{source_}},
          page_(page_size), expected_(page_size) {}

    void run(std::uint64_t operations) {
        for (std::uint64_t i = 0; i < operations; ++i) {
            if (random_.one_in(60)) {
                source_.refuse_nth(1 + random_.below(4));
            }
            step();
            if (random_.one_in(30)) {
                source_.refuse_nth(0);
            }
            if (i % 4096 == 0) {
                REQUIRE(store_.check());
                REQUIRE(store_.stats().total_bytes == source_.bytes_held());
                REQUIRE(store_.stats().total_bytes <= store_.stats().mem_limit);
            }
        }
        source_.refuse_nth(0);
        finish();
    }
    /// How many pages were seen as each.
    std::uint64_t references = 0, by_content = 0, deltas = 0, refusals = 0;

private:
    static std::uint64_t number_of(std::uint64_t object, std::uint64_t index) { return object * 1000 + index; }
    page_key key(const pool& p, std::uint64_t number) const { return {p.id, number / 1000, number % 1000}; }
    std::uint64_t any_number() { return number_of(random_.below(objects), random_.below(indices)); }

    content any_content(const pool& p, std::uint64_t number) {
        if (p.parent != ~std::size_t{0} && !random_.one_in(5)) {
            const auto& base = pools_[p.parent].pages;
            const bool is_other = random_.one_in(3); // a page of the parent's under another key
            const auto found = is_other ? base.lower_bound(any_number()) : base.find(number);
            if (found != base.end()) {
                content c = found->second;
                c.change = is_other || random_.one_in(3) ? c.change : random_() | 1;
                return c;
            }
        }
        return {random_.below(24), random_.one_in(2) ? 0 : random_() | 1};
    }

    void step() {
        const std::uint64_t draw = random_.below(1000);
        if (pools_.empty() || draw < 8) {
            make_pool();
            return;
        }
        const std::size_t which = random_.below(pools_.size());
        pool& p = pools_[which];
        if (draw < 12) {
            destroy(which);
        } else if (draw < 20) {
            seal(p);
        } else if (draw < 22) {
            const status s =
                store_.set_node(p.id, static_cast<node_id>(random_.below(3)), false, random_.below(1u << 17));
            REQUIRE((s == status::ok || s == status::busy || s == status::limit || s == status::no_memory));
        } else if (draw < 24) {
            static_cast<void>(random_.one_in(2) ? store_.shrink(1u << 16) : store_.compact(1u << 16));
        } else if (draw < 30) {
            erase_range(p);
        } else if (draw < 430) {
            put(p);
        } else if (draw < 800) {
            read(p, random_.one_in(4));
        } else if (draw < 900) {
            take(p);
        } else if (draw < 940) {
            const std::uint64_t number = any_number();
            const status s = store_.contains(key(p, number));
            judge_presence(p, number, s);
        } else {
            erase(p);
        }
    }
    void make_pool() {
        pool p;
        p.kind = random_.one_in(4) ? pool_kind::ephemeral : pool_kind::persistent;
        pool_options options{.kind = p.kind};
        bool may_be = true;
        if (!pools_.empty() && !random_.one_in(4)) {
            p.parent = random_.below(pools_.size());
            options.parent = pools_[p.parent].id;
            may_be = pools_[p.parent].is_sealed;
            if (random_.one_in(4)) {
                options.cap_bytes = 1u << 15;
            }
        }
        if (pools_.size() >= 12) {
            return;
        }
        const result<pool_id> id = store_.create_pool(options);
        if (!may_be) {
            REQUIRE(id.error() ==
                    (id.error() == status::limit || id.error() == status::no_memory ? id.error() : status::invalid));
            return;
        }
        if (!id) {
            REQUIRE((id.error() == status::limit || id.error() == status::no_memory));
            return;
        }
        p.id = *id;
        pools_.push_back(p);
    }
    void destroy(std::size_t which) {
        std::size_t children = 0;
        for (const pool& p : pools_) {
            children += p.parent == which ? 1u : 0u;
        }
        const status s = store_.destroy_pool(pools_[which].id);
        REQUIRE(s == (children != 0 ? status::busy : status::ok));
        if (s == status::ok) {
            REQUIRE(store_.get({pools_[which].id, 0, 0}, page_) == status::invalid);
            pools_.erase(pools_.begin() + static_cast<std::ptrdiff_t>(which));
            for (pool& p : pools_) {
                p.parent -= p.parent != ~std::size_t{0} && p.parent > which ? 1u : 0u;
            }
        }
    }
    void seal(pool& p) {
        const bool may_be = p.kind == pool_kind::persistent && p.parent == ~std::size_t{0};
        const bool has_more = random_.one_in(2);
        const status s = store_.seal(p.id, {.by_content = has_more});
        const bool is_short = s == status::limit || s == status::no_memory; // it is sealed all the same
        REQUIRE(s == (may_be ? has_more && is_short ? s : status::ok : status::invalid));
        p.is_sealed = p.is_sealed || may_be;
        p.has_index = p.has_index || (has_more && s == status::ok);
        REQUIRE((store_.statistics_of(p.id).value().content_index_size != 0) == p.has_index);
    }
    void put(pool& p) {
        const std::uint64_t number = any_number();
        const content c = any_content(p, number);
        c.write(page_);
        const status s = store_.put(key(p, number), page_);
        if (p.is_sealed) {
            REQUIRE(s == status::invalid);
        } else if (s == status::ok) {
            p.pages[number] = c;
        } else {
            REQUIRE((s == status::limit || s == status::no_memory));
            p.pages.erase(number);
            ++refusals;
        }
    }
    void judge_presence(pool& p, std::uint64_t number, status s) {
        const auto found = p.pages.find(number);
        if (s == status::not_found && p.kind == pool_kind::ephemeral && found != p.pages.end()) {
            p.pages.erase(found);
            return;
        }
        REQUIRE(s == (found != p.pages.end() ? status::ok : status::not_found));
    }
    void judge_content(pool& p, std::uint64_t number, status s) {
        judge_presence(p, number, s);
        if (s == status::ok) {
            p.pages.at(number).write(expected_);
            REQUIRE(page_ == expected_);
        }
    }
    void read(pool& p, bool is_peek) {
        const std::uint64_t number = any_number();
        const page_key k = key(p, number);
        judge_content(p, number, is_peek ? store_.peek(k, page_) : store_.get(k, page_));
    }
    void take(pool& p) {
        const std::uint64_t number = any_number();
        const std::uint64_t before = uses(p);
        const status s = store_.take(key(p, number), page_);
        if (p.is_sealed) {
            REQUIRE(s == status::invalid);
            return;
        }
        REQUIRE(uses(p) == before + 1); // a hit or a miss
        judge_content(p, number, s);
        p.pages.erase(number);
        judge_gone(p, number);
    }
    /// Taken or erased: nothing is found, and neither brings back what the parent has there.
    void judge_gone(const pool& p, std::uint64_t number) {
        REQUIRE(store_.contains(key(p, number)) == status::not_found);
        REQUIRE(store_.peek(key(p, number), page_) == status::not_found);
    }
    void erase(pool& p) {
        const std::uint64_t number = any_number();
        const std::uint64_t before = uses(p);
        const status s = store_.erase(key(p, number));
        if (p.is_sealed) {
            REQUIRE(s == status::invalid);
            return;
        }
        judge_presence(p, number, s);
        REQUIRE(uses(p) == before); // an erasure is no use, of a page or of a miss
        p.pages.erase(number);
        judge_gone(p, number);
    }
    std::uint64_t uses(const pool& p) {
        const pool_stats s = store_.statistics_of(p.id).value();
        return s.hits + s.misses;
    }
    void erase_range(pool& p) {
        const std::uint64_t object = random_.below(objects), first = random_.below(indices), count = random_.below(9);
        const result<std::size_t> erased = store_.erase_range(p.id, object, first, count);
        if (p.is_sealed && count != 0) {
            REQUIRE(erased.error() == status::invalid);
            return;
        }
        REQUIRE(erased);
        std::size_t expected = 0;
        for (std::uint64_t i = first; i < first + count && !p.is_sealed; ++i) {
            expected += p.pages.erase(number_of(object, i));
        }
        REQUIRE((p.kind == pool_kind::ephemeral ? *erased <= expected : *erased == expected));
    }
    void count_forms() {
        const store_stats s = store_.stats();
        references += s.reference_pages;
        deltas += s.delta_pages;
        for (const pool& p : pools_) {
            pool_cursor cursor{.pool = p.id};
            for (walked_page one; !cursor.has_ended() && store_.walk(cursor, &one, 1).value() == 1;) {
                const bool is_reference = one.content == page_content::reference && cursor.passes == 1;
                by_content += is_reference && !equals_its_base(p, one) ? 1u : 0u;
            }
        }
    }
    bool equals_its_base(const pool& p, const walked_page& one) const {
        const auto& base = pools_[p.parent].pages;
        const std::uint64_t number = number_of(one.object, one.index);
        const auto found = base.find(number);
        const content& own = p.pages.at(number);
        return found != base.end() && found->second.base == own.base && found->second.change == own.change;
    }
    /// Reads everything, and destroys it in an order that the families allow.
    void finish() {
        count_forms();
        for (pool& p : pools_) {
            for (const auto& [number, c] : std::map<std::uint64_t, content>{p.pages}) {
                judge_content(p, number, store_.get(key(p, number), page_));
            }
        }
        while (!pools_.empty()) {
            destroy(random_.below(pools_.size()));
        }
        REQUIRE(store_.check());
        REQUIRE(store_.stats().stored_pages == 0);
        REQUIRE(store_.stats().reference_data_size + store_.stats().delta_data_size == 0);
    }

    rng random_;
    three_nodes source_;
    partitioned_store<cloning_node_config> store_;
    std::vector<pool> pools_;
    bytes page_, expected_;
};

} // namespace

TEST_CASE("clones: a million operations on families of pools") {
    const std::uint64_t rounds = 50;
    const std::uint64_t operations = number_from("PAGEFOLD_CLONE_OPERATIONS", in_part(std::uint64_t{1000000})) / rounds;
    std::uint64_t references = 0, by_content = 0, deltas = 0, refusals = 0;
    for (std::uint64_t seed = 0; seed < rounds; ++seed) {
        families all{seed};
        all.run(operations);
        references += all.references;
        by_content += all.by_content;
        deltas += all.deltas;
        refusals += all.refusals;
    }
    CHECK(references > by_content);
    CHECK(by_content > 0);
    CHECK(deltas > 0);
    CHECK(refusals > 0);
    MESSAGE("at the ends there were ", references, " references, ", by_content, " of them by content, and ", deltas,
            " deltas; ", refusals, " puts refused");
}

} // namespace model_clones
