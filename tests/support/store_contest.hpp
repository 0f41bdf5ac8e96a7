// SPDX-License-Identifier: MIT
#pragma once

#include "support/contest_keys.hpp"
#include "support/contest_tally.hpp"
#include "support/contested_store.hpp"
#include "support/oracle_page.hpp"
#include "support/oracle_source.hpp"
#include "support/rng.hpp"
#include "support/store_oracle.hpp"
#include "support/tsan_ordered.hpp"
#include "support/violation_report.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pagefold::testing {

struct contest_plan {
    std::uint64_t seed = 1;
    unsigned threads = 2; ///< at most 63
    std::uint64_t operations = 100'000;
    std::uint64_t operations_an_epoch = 100'000; ///< between two rests; at most 2^18 for each thread
    std::size_t limit = ~std::size_t{0};
    bool source_refuses = true;
    bool turns_knobs = true;                     ///< limits, compaction, pools that come and go
    bool moves_pools = false;                    ///< and pools that are sent from node to node
    bool demotes = false;                        ///< the store has a tier; most persistent pools' pages leave to it
    std::function<void(bool)> on_rest = nullptr; ///< told when the threads rest, and when they go on
    bool is_warm = true;                         ///< the first scratch is taken before the source refuses anything
};

/// Threads that use one store at random, in epochs. After each, what they saw is judged by key_history, and the store is
/// looked at while it rests.
///
/// While they work the threads share nothing but the clock: neither locks nor logs order what the store ought to order.
class store_contest {
public:
    store_contest(const contest_plan& plan, contested_store& store, oracle_source& source)
        : plan_{plan}, store_{store}, source_{source}, held_(lasting_pools * keys_a_pool) {
        for (unsigned t = 0; t < plan.threads; ++t) {
            workers_.push_back(std::make_unique<worker>());
        }
    }

    void run() {
        make_lasting_pools();
        for (std::uint64_t left = plan_.operations; left != 0;) {
            const std::uint64_t now = std::min(left, plan_.operations_an_epoch);
            run_epoch(now);
            left -= now;
            ++epoch_;
        }
        tally_.pages_evicted = store_.stats().evicted_pages;
        tally_.pages_migrated = store_.stats().pages_migrated;
        tally_.pages_demoted = store_.stats().written_back_pages;
        tally_.pages_promoted = store_.stats().promoted_pages;
        tally_.source_refusals = source_.refusals();
    }

    [[nodiscard]] const contest_tally& tally() const noexcept { return tally_; }
    [[nodiscard]] const violation_report& report() const noexcept { return report_; }

private:
    using call = contest_tally::call;

    static constexpr std::uint32_t lasting_pools = 6;
    static constexpr std::uint32_t most_pools = lasting_pools + 48; // in an epoch
    static constexpr std::uint32_t keys_a_pool = contest_keys::a_pool;
    static constexpr std::uint32_t keys_a_fleeting_pool = 64;
    static constexpr std::uint64_t never = ~std::uint64_t{0};
    static constexpr unsigned operations_a_turn = 150; // of a knob, on average

    struct contested_pool {
        pool_id id{};
        pool_options options;
        std::uint64_t destroyed_from = never, destroyed_by = never; // read at rest
    };
    struct worker {
        std::vector<oracle_event> log;
        contest_tally tally;
        std::atomic<std::uint64_t> done{0}; // operations; `never` when it has left
        std::uint64_t done_at_limit = 0;    // when the limit was set last
    };

    /// Every operation stands between two stamps. Nothing may move across one.
    std::uint64_t stamp() noexcept {
#if PAGEFOLD_TEST_TSAN
        return clock_.fetch_add(1, std::memory_order_relaxed); // a stronger one would hide races of the store
#else
        return clock_.fetch_add(1, std::memory_order_seq_cst);
#endif
    }

    [[nodiscard]] page_key key_of(std::uint32_t pool, std::uint32_t local) const {
        return contest_keys::key_of(pools_[pool].id, local);
    }

    void make_lasting_pools() {
        source_.expect_limit(plan_.limit);
        limit_now_ = plan_.limit;
        const bool is_limited = plan_.limit != ~std::size_t{0};
        const std::size_t share = is_limited ? plan_.limit / 10 : 0;
        const std::size_t cap = is_limited ? share : ~std::size_t{0};
        const pressure_action answer = plan_.demotes ? pressure_action::demote : pressure_action::as_kind;
        const pool_options options[lasting_pools] = {
            {},
            {.cap_bytes = cap, .on_pressure = answer},
            {.reserved_bytes = share, .on_pressure = answer},
            {.kind = pool_kind::ephemeral},
            {.kind = pool_kind::ephemeral, .cap_bytes = cap, .weight = 300},
            {.kind = pool_kind::ephemeral, .reserved_bytes = share / 2, .weight = 50},
        };
        for (std::uint32_t i = 0; i < lasting_pools; ++i) {
            const result<pool_id> id = store_.create_pool(options[i]);
            if (!id) {
                report_.add("a lasting pool could not be made");
                return;
            }
            pools_[i].id = *id;
            pools_[i].options = options[i];
        }
        if (plan_.is_warm) {
            oracle_page page;
            write_oracle_page(page, {0, 1});
            if (store_.put(key_of(0, 0), page) != status::ok || store_.erase(key_of(0, 0)) != status::ok) {
                report_.add("the first put or erase failed");
            }
        }
    }

    void run_epoch(std::uint64_t operations) {
        pools_made_ = lasting_pools;
        pools_known_.store(lasting_pools, std::memory_order_relaxed); // the threads are yet to come
        std::vector<std::thread> threads;
        source_.refuse(plan_.source_refuses);
        if (plan_.on_rest) {
            plan_.on_rest(false);
        }
        for (unsigned t = 0; t < plan_.threads; ++t) {
            const std::uint64_t share = operations / plan_.threads + (t < operations % plan_.threads ? 1 : 0);
            workers_[t]->log.clear();
            workers_[t]->done.store(0, std::memory_order_relaxed);
            threads.emplace_back([this, t, share] { work(t, share); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        source_.refuse(false);
        if (plan_.on_rest) {
            plan_.on_rest(true);
        }
        set_limit(plan_.limit);
        expect(limit_status_ == status::ok, "the store is not within a limit that was lifted");
        for (unsigned place = 0; place < fleeting_.size(); ++place) {
            end_pool(place);
        }
        look_at_rest();
        judge();
        for (const auto& w : workers_) {
            tally_ += std::exchange(w->tally, contest_tally{});
        }
    }

    // One thread's part.

    void work(unsigned thread, std::uint64_t operations) {
        worker& w = *workers_[thread];
        rng random{plan_.seed ^ (epoch_ + 1) << 16 ^ thread << 8};
        random = rng{random()};
        oracle_page page;
        for (std::uint64_t i = 1; i <= operations; ++i) {
            const std::uint32_t pool = choose_pool(random);
            const std::uint32_t local = static_cast<std::uint32_t>(
                random.one_in(2) ? (epoch_ * 7 + random.below(6)) * 37 % keys_a_pool : random.below(keys_a_pool));
            const std::uint64_t version = (epoch_ + 1) << 24 | std::uint64_t{thread} << 18 | (i - 1);
            operate(w, random, pool, pool < lasting_pools ? local : local % keys_a_fleeting_pool, version, page);
            w.done.store(i, std::memory_order_relaxed); // a sign of life
            // Whoever comes turns a knob, but one at a time: a thread for it alone would hardly run among 32 others.
            if (plan_.turns_knobs && random.one_in(operations_a_turn) &&
                !is_turning_.exchange(true, std::memory_order_acquire)) {
                turn_knob(random);
                is_turning_.store(false, std::memory_order_release); // the pools and limits, to whoever turns next
            }
        }
        w.done.store(never, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint32_t choose_pool(rng& random) const {
        const std::uint64_t what = random.below(100);
        // acquire: what begin_pool wrote before it told of the pool
        if (what < 12) {
            const std::uint32_t pool = fleeting_[random.below(fleeting_.size())].load(std::memory_order_acquire);
            return pool != 0 ? pool : static_cast<std::uint32_t>(random.below(lasting_pools));
        }
        if (what < 15) { // most of them are gone
            return static_cast<std::uint32_t>(random.below(pools_known_.load(std::memory_order_acquire)));
        }
        return static_cast<std::uint32_t>(random.below(lasting_pools));
    }

    void operate(worker& w, rng& random, std::uint32_t pool, std::uint32_t local, std::uint64_t version,
                 oracle_page& page) {
        const page_key key = key_of(pool, local);
        oracle_event e;
        e.key = pool * keys_a_pool + local;
        const std::uint64_t what = random.below(1000);
        if (what < 360) {
            write_oracle_page(page, {e.key, version});
            e.operation = oracle_operation::put;
            e.version = version;
            e.begin = stamp();
            e.answer = store_.put(key, page);
            e.end = stamp();
        } else if (what < 870) {
            e.operation = what < 800 ? oracle_operation::get : oracle_operation::take;
            e.begin = stamp();
            e.answer = what < 800 ? store_.get(key, page) : store_.take(key, page);
            e.end = stamp();
            const page_tag tag = e.answer == status::ok ? read_oracle_page(page) : page_tag{};
            e.version = tag.key == e.key ? tag.version : 0;
        } else if (what < 990) {
            e.operation = oracle_operation::erase;
            e.begin = stamp();
            e.answer = store_.erase(key);
            e.end = stamp();
        } else {
            operate_on_many(w, random, pool, local);
            return;
        }
        w.tally.note(static_cast<call>(e.operation), e.answer);
        w.log.push_back(e);
    }
    void operate_on_many(worker& w, rng& random, std::uint32_t pool, std::uint32_t local) {
        const std::uint32_t pages = contest_keys::an_object, object = local % contest_keys::objects;
        const bool whole_object = random.one_in(16);
        const std::uint32_t first = whole_object ? 0 : local / contest_keys::objects;
        const std::uint32_t count =
            whole_object ? pages : std::min(pages - first, static_cast<std::uint32_t>(random.below(8)));
        const page_key key = key_of(pool, local);
        const contest_keys::page_range range = contest_keys::range_of(first * contest_keys::objects + object, count);
        oracle_event e;
        e.operation = oracle_operation::erase_many;
        e.begin = stamp();
        const result<std::size_t> erased = whole_object
                                               ? store_.erase_object(key.pool, key.object)
                                               : store_.erase_range(key.pool, key.object, range.first, range.count);
        e.end = stamp();
        e.answer = erased.error();
        for (std::uint32_t i = first; i < first + count; ++i) {
            e.key = pool * keys_a_pool + i * contest_keys::objects + object;
            w.log.push_back(e);
        }
        w.tally.note(call::erase_many, e.answer);
        w.tally.pages_erased_in_ranges += erased.value_or(0);
    }

    // The knobs.

    void turn_knob(rng& random) {
        const std::size_t limit = plan_.limit;
        if (limit_has_settled()) {
            source_.expect_limit(limit_now_);
        }
        if (plan_.moves_pools && random.one_in(3)) {
            move_pool(random);
            return;
        }
        switch (random.below(9)) {
        case 0: set_limit(limit - random.below(limit / 3)); break;
        case 1: set_limit(limit); break;
        case 2: tally_.bytes_shrunk += store_.shrink(random.below(limit / 20)); break;
        case 3: tally_.bytes_compacted += store_.compact(random.below(limit / 5)); break;
        case 4: {
            const store_stats s = store_.stats();
            expect(s.decompress_fail == 0, "a read found corruption");
            expect(s.mem_used_max <= limit, "more was taken than the limit ever was");
            break;
        }
        case 5: {
            const result<pool_stats> s = store_.statistics_of(pools_[random.below(3)].id);
            expect(s.has_value() && s.value().evicted_pages == 0, "a page of a persistent pool was evicted");
            break;
        }
        default: {
            const unsigned place = static_cast<unsigned>(random.below(fleeting_.size()));
            end_pool(place);
            begin_pool(random, place);
        }
        }
    }
    /// One that is there, or was; the whole way or some pages of it.
    void move_pool(rng& random) {
        const pool_id pool = pools_[random.below(pools_made_)].id;
        const node_id node = random.one_in(4) ? any_node : static_cast<node_id>(random.below(4));
        const std::size_t work = random.one_in(2) ? ~std::size_t{0} : random.below(200'000);
        const status s = store_.set_node(pool, node, work);
        tally_.note(call::set_node, s);
        expect(s != status::not_found && s != status::corrupt && s != status::incompressible,
               "set_node has no such answer");
    }
    /// The source is told of a higher limit before the store, and of a lower one later: an acquisition under way may have
    /// been granted under the old limit.
    void set_limit(std::size_t bytes) {
        if (bytes > limit_now_) {
            source_.expect_limit(bytes);
        }
        limit_now_ = bytes;
        limit_status_ = store_.resize(bytes);
        tally_.note(call::resize, limit_status_);
        for (const auto& w : workers_) {
            w->done_at_limit = w->done.load(std::memory_order_relaxed);
        }
        expect(limit_status_ == status::ok || limit_status_ == status::busy || limit_status_ == status::limit,
               "resize has no such answer");
        expect(limit_status_ != status::ok || source_.bytes_held() <= bytes, "more is taken than a limit that was met");
    }
    void begin_pool(rng& random, unsigned place) {
        if (pools_made_ == most_pools) {
            return;
        }
        contested_pool pool;
        pool.options.kind = random.one_in(2) ? pool_kind::ephemeral : pool_kind::persistent;
        pool.options.weight = static_cast<std::uint32_t>(1 + random.below(500));
        pool.options.cap_bytes = random.one_in(2) ? plan_.limit / 30 : ~std::size_t{0};
        pool.options.reserved_bytes = random.one_in(2) ? plan_.limit / 60 : 0;
        if (plan_.demotes && pool.options.kind == pool_kind::persistent) {
            pool.options.on_pressure = pressure_action::demote;
            pool.options.promotes = random.one_in(2);
        }
        const result<pool_id> id = store_.create_pool(pool.options);
        tally_.note(call::create_pool, id.error());
        expect(id || id.error() == status::limit || id.error() == status::no_memory, "create_pool has no such answer");
        if (id) {
            for (std::uint32_t i = 0; i < pools_made_; ++i) {
                expect(pools_[i].id != *id, "a pool has an earlier one's id");
            }
            pool.id = *id;
            pools_[pools_made_] = pool;
            // release: the pool is there for whoever hears of it
            pools_known_.store(pools_made_ + 1, std::memory_order_release);
            fleeting_[place].store(pools_made_, std::memory_order_release);
            ++pools_made_;
        }
    }
    void end_pool(unsigned place) {
        const std::uint32_t which = fleeting_[place].load(std::memory_order_relaxed); // whoever turns wrote it
        if (which == 0) {
            return;
        }
        contested_pool& pool = pools_[which];
        pool.destroyed_from = stamp();
        const status first = store_.destroy_pool(pool.id);
        pool.destroyed_by = stamp();
        const status again = store_.destroy_pool(pool.id);
        tally_.note(call::destroy_pool, first);
        tally_.note(call::destroy_pool, again);
        expect(first == status::ok, "a pool could not be destroyed");
        expect(again == status::invalid, "a pool was destroyed twice");
        fleeting_[place].store(0, std::memory_order_relaxed); // not before: others are to meet its end
    }
    /// Whether every operation has ended that was under way when the limit was set.
    [[nodiscard]] bool limit_has_settled() const {
        return std::all_of(workers_.begin(), workers_.end(), [](const auto& w) {
            const std::uint64_t done = w->done.load(std::memory_order_relaxed);
            return done == never || done > w->done_at_limit;
        });
    }

    // At rest.

    void look_at_rest() {
        oracle_page page;
        rest_.log.clear();
        found_.assign(held_.size(), 0);
        std::uint64_t found = 0;
        for (std::uint32_t key = 0; key < held_.size(); ++key) {
            oracle_event e;
            e.key = key;
            e.operation = oracle_operation::get;
            e.begin = stamp();
            e.answer = store_.get(key_of(key / keys_a_pool, key % keys_a_pool), page);
            e.end = stamp();
            const page_tag tag = e.answer == status::ok ? read_oracle_page(page) : page_tag{};
            e.version = tag.key == key ? tag.version : 0;
            found_[key] = e.version;
            found += e.answer == status::ok ? 1 : 0;
            rest_.log.push_back(e);
        }
        const store_stats s = store_.stats();
        expect(store_.check(), "check fails at rest");
        expect(s.total_bytes == source_.bytes_held(), "total_bytes is not what the source gave");
        const std::uint64_t held = s.stored_pages + s.away_pages;
        expect(held == found, "more or fewer pages are stored than can be read");
        expect(s.puts == held + s.erased_pages + s.evicted_pages, "a page came and did not go");
        expect(s.decompress_fail == 0, "a read found corruption");
        expect(source_.breaches() == 0, "more was acquired than the limit");
        expect(source_.wrong_releases() == 0, "something was given back that was never acquired so");
        for (std::uint32_t i = 0; i < lasting_pools; ++i) {
            const result<pool_stats> pool = store_.statistics_of(pools_[i].id);
            expect(pool.has_value(), "a live pool has no statistics");
        }
    }

    void judge() {
        // Counting sort by key; within a key, any order will do.
        constexpr std::uint32_t keys = most_pools * keys_a_pool;
        std::vector<std::size_t> ends(keys + 1);
        const auto for_each_event = [this](auto visit) {
            for (const auto& w : workers_) {
                std::for_each(w->log.begin(), w->log.end(), visit);
            }
            std::for_each(rest_.log.begin(), rest_.log.end(), visit);
        };
        for_each_event([&](const oracle_event& e) { ++ends[e.key + 1]; });
        for (std::uint32_t key = 0; key < keys; ++key) {
            ends[key + 1] += ends[key];
        }
        events_.resize(ends[keys]);
        for_each_event([&](const oracle_event& e) { events_[ends[e.key]++] = e; });
        for (std::uint32_t key = 0; key < keys; ++key) {
            const std::size_t begin = key == 0 ? 0 : ends[key - 1];
            judge(key, std::span{events_}.subspan(begin, ends[key] - begin));
        }
        held_ = found_;
    }
    void judge(std::uint32_t key, std::span<oracle_event> events) {
        std::sort(events.begin(), events.end(),
                  [](const oracle_event& a, const oracle_event& b) { return a.begin < b.begin; });
        std::uint64_t last_end = 0;
        for (const oracle_event& e : events) {
            tally_.overlaps += e.begin < last_end ? 1 : 0;
            last_end = std::max(last_end, e.end);
        }
        const contested_pool& pool = pools_[key / keys_a_pool];
        key_history::frame frame;
        frame.is_persistent = pool.options.kind == pool_kind::persistent;
        frame.initial_version = key < held_.size() ? held_[key] : 0;
        frame.destroyed_from = pool.destroyed_from;
        frame.destroyed_by = pool.destroyed_by;
        frame.may_lack_scratch = !plan_.is_warm;
        frame.may_be_away = plan_.demotes;
        history_.judge(frame, events, [&](oracle_violation v) {
            v.event.key = key;
            report_.add(v, events, "seed " + std::to_string(plan_.seed) + ", epoch " + std::to_string(epoch_));
        });
    }

    void expect(bool condition, const char* rule) {
        if (!condition) {
            report_.add(rule);
        }
    }
    contest_plan plan_;
    contested_store& store_;
    oracle_source& source_;
    std::uint64_t epoch_ = 0;

    std::array<contested_pool, most_pools> pools_;
    std::uint32_t pools_made_ = lasting_pools;              // as whoever turns knobs knows,
    std::atomic<std::uint32_t> pools_known_{lasting_pools}; // and as the others may
    std::array<std::atomic<std::uint32_t>, 2> fleeting_{};  // which of pools_; 0 where there is none just now
    std::vector<std::unique_ptr<worker>> workers_;
    worker rest_;                             // what was read at rest
    std::vector<std::uint64_t> held_, found_; // versions of the lasting pools' keys, at the last rest and at this
    std::atomic<bool> is_turning_{false};
    std::size_t limit_now_ = 0;        // what the store was last told
    status limit_status_ = status::ok; // and answered
    std::atomic<std::uint64_t> clock_{first_stamp};

    key_history history_;
    std::vector<oracle_event> events_;
    contest_tally tally_;
    violation_report report_;
};

} // namespace pagefold::testing
