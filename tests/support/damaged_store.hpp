// SPDX-License-Identifier: MIT
#pragma once

#include "support/pages.hpp"
#include "support/rng.hpp"
#include "support/test_source.hpp"

#include <pagefold/store/config.hpp>
#include <pagefold/store/index/extent.hpp>
#include <pagefold/store/located_key.hpp>
#include <pagefold/store/page_store.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

namespace pagefold::testing {

/// What of the index one bit is flipped in: an extent with a page alone, the only one of its object or between two others, one
/// with an array, an array, or a bucket. All are of
/// one object, in whose pool there are others.
enum class damaged_part : unsigned { single, middle, first, other, array, bucket, other_bucket };
inline constexpr unsigned damaged_parts = 7;

/// A store, the pages that it should have, and a bit of its index that is flipped. Every answer is noted that is not right:
/// a page with another content, one that should be gone, or one that is lost though nothing of its own was hit.
template <class Config>
class damaged_store {
    using store_type = page_store<Config>;
    static constexpr std::uint64_t victim = 0x7a3b5c9d1e2f4057; // the object that is hit
    static constexpr std::uint64_t loner = 0x6b2c4d8e0f1a3b59;  // the same, with a page alone in it
    static constexpr std::uint64_t trio =
        0x5c1d3e9f20415264; // the same, with three pages, each alone in its extent; the last
                            // that came is between the others in the ring
    static constexpr std::uint64_t apart = 100 * extent_pages; // more numbers than a hold looks at
    static constexpr std::uint64_t seed_of_store = 99;

public:
    explicit damaged_store(pool_kind kind) : store{source, {.limit_bytes = 2 << 20, .seed = seed_of_store}} {
        pools[0] = store.create_pool({.kind = kind}).value();
        pools[1] = store.create_pool({.kind = pool_kind::ephemeral}).value();
        for (std::uint64_t object = 1; object <= 5; ++object) {
            for (std::uint64_t i = 0; i < 3; ++i) {
                put({pools[object % 2], object, i * (object * 13)});
            }
        }
        // A page alone in an extent, and a few in each of three.
        put({pools[0], loner, 70});
        for (std::uint64_t number = 0; number < 3; ++number) {
            put({pools[0], trio, number * apart + 6});
        }
        for (std::uint64_t number = 0; number < 3; ++number) {
            for (std::uint64_t i = 0; i < 5; ++i) {
                put({pools[0], victim, number * extent_pages + i * 9});
            }
        }
        for (std::uint64_t object = 6; object <= 9; ++object) {
            put({pools[object % 2], object, object});
        }
    }

    /// Where the part lies, with its length in bytes.
    struct place {
        std::byte* data = nullptr;
        std::size_t bytes = 0;
    };
    [[nodiscard]] place find(damaged_part part) {
        switch (part) {
        case damaged_part::single: return {find_extent({pools[0], loner, 70}), sizeof(extent)};
        case damaged_part::middle: return {find_extent({pools[0], trio, 2 * apart + 6}), sizeof(extent)};
        case damaged_part::first: return {find_extent({pools[0], victim, 0}), sizeof(extent)};
        case damaged_part::other: return {find_extent({pools[0], victim, extent_pages}), sizeof(extent)};
        case damaged_part::array: return find_array();
        case damaged_part::bucket: return {find_bucket({pools[0], victim, 0}), sizeof(std::uint32_t)};
        case damaged_part::other_bucket: return {find_bucket({pools[0], victim, extent_pages}), sizeof(std::uint32_t)};
        }
        return {};
    }
    static void flip(const place& p, std::size_t bit) { p.data[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8)); }
    /// Whether what was hit is part of what leads to the page: its answer may be that it is lost.
    void note_hit(damaged_part part, std::size_t bit) {
        part_ = part;
        told_before_ = told();
        const bool is_chain = part == damaged_part::bucket || part == damaged_part::other_bucket ||
                              (part < damaged_part::array && bit / 32 == offsetof(extent, hash_next) / 4);
        may_lose_others_ = is_chain;
    }

    // Operations, each of them against what should be there.

    void put(const page_key& key) {
        const std::uint64_t content = ++contents_;
        make(page_, content);
        if (store.put(key, page_) == status::ok) {
            expected_[number_of(key)] = {key, content};
        } else {
            expected_[number_of(key)] = {key, 0};
        }
    }
    void get(const page_key& key) { judge(key, store.get(key, page_), "get"); }
    void take(const page_key& key) {
        const status s = store.take(key, page_);
        judge(key, s, "take");
        if (s == status::ok || s == status::not_found) {
            forget(key);
        }
    }
    void erase(const page_key& key) {
        const status s = store.erase(key);
        note(s == status::ok || s == status::not_found, "erase", key);
        forget(key);
    }
    void erase_range(const page_key& first, std::uint64_t count) {
        const result<std::size_t> erased = store.erase_range(first.pool, first.object, first.index, count);
        note(static_cast<bool>(erased), "erase_range", first);
        for (auto& [number, one] : expected_) {
            if (one.key.pool == first.pool && one.key.object == first.object && one.key.index >= first.index &&
                one.key.index - first.index < count) {
                one.content = 0;
            }
        }
    }
    void get_all() {
        for (const page_key& key : keys()) {
            get(key);
        }
    }
    [[nodiscard]] std::vector<page_key> keys() const {
        std::vector<page_key> all;
        for (const auto& [number, one] : expected_) {
            all.push_back(one.key);
        }
        return all;
    }
    /// Pools come and go: those of the same slot know nothing of the old one's pages.
    void renew_pools() {
        std::vector<page_key> old = keys();
        expected_.clear();
        for (pool_id& pool : pools) {
            note(store.destroy_pool(pool) == status::ok, "destroy_pool", {pool, 0, 0});
            const pool_id next = store.create_pool({.kind = pool_kind::ephemeral}).value();
            for (const page_key& key : old) {
                if (key.pool == pool) {
                    expected_[number_of({next, key.object, key.index})] = {{next, key.object, key.index}, 0};
                }
            }
            pool = next;
        }
    }
    /// The object that was hit, and the other.
    [[nodiscard]] static std::uint64_t object_hit() { return victim; }
    [[nodiscard]] static std::uint64_t single_hit() { return loner; }
    [[nodiscard]] static std::uint64_t middle_hit() { return trio; }

    /// Whether the store says that something was lost, if something was.
    [[nodiscard]] bool owns_up() const { return !has_lost_ || told() != told_before_; }

    struct wrong_answer {
        const char* what = nullptr;
        page_key key{};
    };
    std::optional<wrong_answer> wrong;

    test_source source;
    store_type store;
    pool_id pools[2]{};

private:
    struct expectation {
        page_key key;
        std::uint64_t content; // 0: none
    };

    static std::uint64_t number_of(const page_key& key) {
        return mix(static_cast<std::uint64_t>(key.pool), mix(key.object, key.index));
    }
    static void make(byte_span page, std::uint64_t content) {
        make_page(page, content % 2 == 0 ? page_kind::word : page_kind::sparse, content);
    }
    [[nodiscard]] bool is_persistent(const page_key& key) const {
        return pool_ids::kind(key.pool) == pool_kind::persistent;
    }
    [[nodiscard]] bool was_hit(const page_key& key) const {
        switch (part_) {
        case damaged_part::single: return key.object == loner;
        case damaged_part::middle: return key.object == trio && key.index == 2 * apart + 6;
        case damaged_part::first:
        case damaged_part::bucket: return key.object == victim && key.index / extent_pages == 0;
        case damaged_part::other:
        case damaged_part::other_bucket: return key.object == victim && key.index / extent_pages == 1;
        case damaged_part::array: return key.object == victim && key.index / extent_pages == 0;
        }
        return false;
    }
    void note(bool right, const char* what, const page_key& key) {
        if (!right && !wrong) {
            wrong = {what, key};
        }
    }
    void judge(const page_key& key, status s, const char* what) {
        const auto at = expected_.find(number_of(key));
        const std::uint64_t content = at != expected_.end() ? at->second.content : 0;
        if (s == status::ok) {
            make(compared_, content);
            note(content != 0, "a page that is gone", key);
            note(content == 0 || compared_ == page_, "another page", key);
            return;
        }
        note(s == status::not_found || s == status::corrupt, what, key);
        if (content != 0 && is_persistent(key)) {
            has_lost_ = true;
            note(was_hit(key) || may_lose_others_, "a page that was not hit is lost", key);
        }
    }
    void forget(const page_key& key) {
        const auto at = expected_.find(number_of(key));
        if (at != expected_.end()) {
            at->second.content = 0;
        }
    }

    // Looking for parts in the memory that the store has taken.

    [[nodiscard]] std::uint64_t told() const {
        const store_stats s = store.stats();
        return s.damaged_tables + s.decompress_fail;
    }
    template <class Word>
    [[nodiscard]] std::vector<std::byte*> all_of(Word wanted) const {
        std::vector<std::byte*> found;
        source.for_each_run([&](std::byte* memory, std::size_t bytes) {
            for (std::size_t at = 0; at + sizeof(Word) <= bytes; at += 4) {
                if (std::memcmp(memory + at, &wanted, sizeof(Word)) == 0) {
                    found.push_back(memory + at);
                }
            }
        });
        return found;
    }
    /// Whether the page can't be read while this is there instead.
    template <class Word>
    [[nodiscard]] bool matters(std::byte* at, Word other, const page_key& key) {
        Word was;
        std::memcpy(&was, at, sizeof was);
        std::memcpy(at, &other, sizeof other);
        const bool readable = store.get(key, page_) == status::ok;
        std::memcpy(at, &was, sizeof was);
        return !readable;
    }
    [[nodiscard]] std::byte* find_extent(const page_key& key) {
        const std::uint64_t identity = extent::identity(pool_ids::slot(key.pool), key.index / extent_pages);
        for (std::byte* const at : all_of(key.object)) {
            extent x;
            std::memcpy(&x, at, sizeof x);
            if (x.has_identity(identity) && matters(at, ~key.object, key)) {
                return at;
            }
        }
        return nullptr;
    }
    [[nodiscard]] std::byte* find_bucket(const page_key& key) {
        std::byte* const x = find_extent(key);
        std::uint32_t number = 0;
        source.for_each_run([&](std::byte* memory, std::size_t bytes) {
            if (x >= memory && x < memory + bytes) {
                number =
                    chain_link::to(static_cast<std::uint32_t>(static_cast<std::size_t>(x - memory) / sizeof(extent)));
            }
        });
        for (std::byte* const at : all_of(number)) {
            if (matters(at, std::uint32_t{0}, key)) {
                return at;
            }
        }
        return nullptr;
    }
    /// The array of the victim's first extent: its first entry that is a stream is looked for.
    [[nodiscard]] place find_array() {
        unsigned rank = 0;
        for (std::uint64_t i = 0; i < 5; ++i, ++rank) {
            const page_key key{pools[0], victim, i * 9};
            const std::uint64_t content = expected_[number_of(key)].content;
            if (content % 2 != 0) {
                continue;
            }
            make(page_, content);
            std::uint64_t word;
            std::memcpy(&word, page_.data(), sizeof word);
            for (std::byte* const at : all_of(word)) {
                if (matters(at, word ^ 1, key)) {
                    using state = partition_state<Config>;
                    return {at - rank * state::entry_type::bytes, 6 * state::index_type::entry_bytes};
                }
            }
        }
        return {};
    }

    std::vector<std::byte> page_ = std::vector<std::byte>(Config::page_size);
    std::vector<std::byte> compared_ = std::vector<std::byte>(Config::page_size);
    std::map<std::uint64_t, expectation> expected_;
    std::uint64_t contents_ = 0;
    std::uint64_t told_before_ = 0;
    damaged_part part_ = damaged_part::single;
    bool may_lose_others_ = false;
    bool has_lost_ = false;
};

} // namespace pagefold::testing
