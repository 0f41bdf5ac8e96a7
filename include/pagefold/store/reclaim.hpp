// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/place/concept.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/compaction_sweep.hpp>
#include <pagefold/store/demotion.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/partition.hpp>
#include <pagefold/store/partition_set.hpp>
#include <pagefold/store/pool_balance.hpp>
#include <pagefold/store/pool_charge.hpp>
#include <pagefold/store/pool_shares.hpp>

#include <cstddef>
#include <cstdint>

// Where memory comes from when there is none: all drivers of eviction and compaction, and their limits in one place.
//
// Means, by what they cost others: scratch that nobody uses; idle memory that compaction gathers into whole pages; pages
// that may be dropped or demoted, of the pool that is furthest over its share. Each step is one hold of one partition's lock, and a
// bounded one; between two of them everybody else has a turn. A put goes on while any step comes to something and is refused
// when none does: that is when nothing can be dropped for it, and nothing gathered.
//
// A put wants a place in its own partition. Victims there leave places that fit, or nearly; where two rounds of them did not
// help, compaction makes whole pages of what they left. Victims elsewhere help only when whole pages come free, so one
// partition is emptied of the pool's pages before the next.

namespace pagefold::inline PAGEFOLD_ABI {

/// Between two holds: a lock that is taken back at once would never be seen free by who waits for it.
template <store_config Config>
void give_way(unsigned pauses) noexcept {
    for (unsigned i = 0; !partition<Config>::exclusive && i < pauses; ++i) {
        PAGEFOLD_CPU_RELAX();
    }
}

/// What one put has tried so far.
struct put_effort {
    unsigned rounds = 0;
    bool has_met_limit = false;
    unsigned tidied = 0;                             ///< times that it compacted, pages dropped for it or not
    unsigned refusals = 0;                           ///< batches that the tier took nothing of
    unsigned in_vain = 0;                            ///< batches of pages that others changed while the tier took them
    bool has_fetched = false;                        ///< pages of a partition that is behind went for it
    bool has_demoted = false;                        ///< since the last try to place its stream
    std::size_t need = 0;                            ///< bytes of the place that it wants
    byte_span spare{};                               ///< of its scratch, a page that it doesn't need, if it has one
    std::uint64_t without[max_pool_slots / 64] = {}; ///< pools that turned out to have nothing to drop
};

/// What a reclaimer demotes pages by; nothing where there is no tier.
template <store_config Config>
struct demotion_link {};
template <store_config Config>
requires takes_pages<typename Config::tier_type>
struct demotion_link<Config> {
    demoter<Config>* by = nullptr;
};

template <store_config Config, partition_policy Place>
class reclaimer : demotion_link<Config> {
    static constexpr bool has_tier = takes_pages<typename Config::tier_type>;
    using partition_type = partition<Config>;
    using put_terms = typename partition_type::put_terms;
    using put_outcome = typename partition_type::put_outcome;

    /// All numbers that say how much is done at a time.
    struct limits {
        static constexpr std::size_t drops_a_hold = 2;                  // before the pool that pays is chosen anew
        static constexpr std::size_t drops_a_fetch = 4;                 // of a partition that is behind
        static constexpr std::size_t drops_a_step = 8;                  // where compaction did not help
        static constexpr unsigned payload_steps = 128;                  // of a put: objects moved, or shares planned
        static constexpr unsigned index_steps = 64;                     // of a put: holds of an index sweep
        static constexpr std::size_t put_plan = 64 * Config::page_size; // bytes of objects that a put's plan may move
        static constexpr std::size_t much = 16;       // idle payload is much above 1/16 of what is held
        static constexpr std::size_t much_tables = 8; // idle tables above 1/8, and a block of each size of array
        static constexpr std::size_t least_tables = 160 * 1024;
        static constexpr unsigned tidies_a_put = 8;          // before it drops pages, however much is idle
        static constexpr std::size_t looks = 1024;           // what a hold of an index sweep counts as, in bytes
        static constexpr unsigned refusals_a_put = 4;        // batches that a tier takes nothing of
        static constexpr unsigned in_vain_a_put = 64;        // batches whose pages were changed meanwhile, all of them
        static constexpr std::uint32_t pause = 32;           // requests passed over after a sweep for nothing
        static constexpr unsigned pauses_between_holds = 4;  // of a put, which has others to make up for
        static constexpr unsigned pauses_in_background = 24; // of who only makes room: a waiter surely sees the lock
    };

public:
    static constexpr std::uint32_t no_pool = pool_shares::no_pool;

    reclaimer(pool_table& table, const byte_budget& budget, const Place& place) noexcept
        : table_{table}, shares_{table}, budget_{budget}, place_{place} {}

    /// Both stay where they are.
    void set_partitions(const partition_set<partition_type, limited_source>& partitions,
                        partition_gauge* gauges) noexcept {
        partitions_ = &partitions;
        gauges_ = gauges;
        count_ = partitions.size();
    }
    void demote_by(demoter<Config>& means) noexcept requires has_tier { this->by = &means; }
    void renew_rates() noexcept { pool_charge::renew_rates(table_, gauges_, count_); }

    /// One step for a put that found no place; sets what its next try may do. False: nothing more can be done for it.
    bool make_room(partition_id home, const located_key& k, const put_outcome& outcome, put_terms& terms,
                   put_effort& effort) noexcept {
        ++effort.rounds;
        terms.begins_with_drop = outcome.is_under_way && terms.victims != no_pool;
        if (terms.begins_with_drop) {
            return true; // the policy was on its way to a victim, and nothing else has changed
        }
        // A pool that has pages, and none that its policy finds, would be tried for ever.
        if (terms.victims != no_pool && !outcome.at_cap && !outcome.has_dropped) {
            effort.without[terms.victims / 64] |= std::uint64_t{1} << (terms.victims % 64);
        }
        terms.victims = no_pool;
        const bool has_dropped = outcome.has_dropped || effort.has_demoted;
        effort.has_demoted = false;
        const bool demotes = this->demotes(k.pool),
                   can_lose = pool_ids::kind(k.key.pool) == pool_kind::ephemeral || demotes;
        if (outcome.at_cap) {
            const bool may_ask = terms.asks_as != pool_balance<partition_type>::nowhere;
            terms.asks_as = pool_balance<partition_type>::nowhere; // once a put
            if (may_ask && can_lose && !demotes && !outcome.has_dropped) {
                const auto found = pool_balance<partition_type>::find(*partitions_, table_.records[k.pool], k.pool,
                                                                      home, [](partition_id) noexcept { return true; });
                if ((found.behind != pool_balance<partition_type>::nowhere &&
                     fetch_from(found.behind, k.pool, true, effort)) ||
                    found.has_pages) {
                    return true;
                }
            }
            return can_lose && (outcome.has_dropped || (demotes && demote(home, k, k.pool, effort)) ||
                                drop_elsewhere(home, k.pool, true, any_node, effort));
        }
        // Where the source has no more, or the node's budget, memory of another node is no help.
        const bool only_here = outcome.result == status::no_memory || outcome.at_node;
        const node_id where = only_here ? node_of(place_.node(home)) : any_node;
        // Compaction can come to something without end, and to nothing that this put can use.
        const bool is_much = has_much_idle(home) && !is_paused(home) && effort.tidied < limits::tidies_a_put;
        if (is_much || (has_dropped && effort.rounds % 2 == 0)) {
            ++effort.tidied;
            if (tidy(home)) {
                return true;
            }
        }
        for (;;) {
            const std::uint32_t pool = who_pays(k.pool, effort);
            if (pool == no_pool) {
                break;
            }
            if (this->demotes(pool)) {
                if (demote(home, k, pool, effort)) {
                    return true;
                }
            } else {
                const auto found =
                    pool_balance<partition_type>::find(*partitions_, table_.records[pool], pool, home,
                                                       [&](partition_id i) noexcept { return is_on(i, where); });
                if (found.behind != pool_balance<partition_type>::nowhere && !effort.has_fetched) {
                    effort.has_fetched = true;
                    if (fetch_from(found.behind, pool, pool == k.pool, effort)) {
                        return true;
                    }
                }
                if (found.has_pages) {
                    terms.victims = pool;
                    return true;
                }
            }
            if (drop_elsewhere(home, pool, pool == k.pool, where, effort)) {
                return true;
            }
            effort.without[pool / 64] |= std::uint64_t{1} << (pool % 64);
        }
        // Nobody else can lose a page: then a cache that is full of what it has reserved takes its new pages in place of
        // old ones, and loses nothing to others by that.
        const bool is_known_empty = (effort.without[k.pool / 64] >> (k.pool % 64) & 1) != 0;
        if (demotes && demote(home, k, k.pool, effort)) {
            return true;
        }
        if (can_lose && !is_known_empty) {
            if (!demotes && at(home).has_pages(k.pool)) {
                terms.victims = k.pool;
                return true;
            }
            if (drop_elsewhere(home, k.pool, true, where, effort)) {
                return true;
            }
        }
        return gather(home, where);
    }

    /// Drops and compacts until no more than `target` bytes are taken, or `work` bytes of pages were dropped and moved. With a
    /// node, of its budget and in its partitions alone.
    status reclaim_to(const byte_budget& budget, node_id where, std::size_t target, std::size_t work) noexcept {
        for (;;) {
            const std::size_t used = budget.used();
            if (used <= target) {
                return status::ok;
            }
            if (work == 0) {
                return status::busy;
            }
            const std::size_t over = used - target, holes = idle(where);
            // No page occupies more than page_size: this many never is more than it takes.
            const std::size_t wanted = holes < over ? (over - holes) / Config::page_size + 1 : 0;
            const std::size_t pages = work / Config::page_size + 1;
            bool is_under_way = false;
            std::size_t dropped = wanted != 0 ? drop(where, wanted < pages ? wanted : pages, is_under_way) : 0;
            compaction_work done;
            if (idle(where) >= over || dropped == 0) {
                const std::size_t gain = over < ~std::size_t{0} / 4 ? 2 * over + limits::put_plan / 4 : over;
                compact(where, gain < work ? gain : work, done);
                if (dropped == 0 && done.freed_bytes == 0 && budget.used() >= used && !is_under_way) {
                    dropped = drop(where, limits::drops_a_step, is_under_way);
                    if (dropped == 0 && !is_under_way) {
                        return status::limit;
                    }
                }
            }
            const std::size_t worked = dropped * Config::page_size + done.moved_bytes + (is_under_way ? 1 : 0);
            work -= worked < work ? worked : work;
        }
    }

    /// Pages on a node that could be dropped or demoted, as the gauges say.
    [[nodiscard]] std::uint64_t evictable(node_id where) const noexcept {
        std::uint64_t pages = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            // relaxed: a meter.
            pages += is_on(i, where) ? gauges_[i].evictable.load(memory_order::relaxed) : 0;
        }
        return pages;
    }
    /// Drops up to so many pages on a node, and compacts about as many bytes as those had; says how many pages went.
    std::size_t scan(node_id where, std::size_t pages, compaction_work& done) noexcept {
        bool is_under_way = false;
        const std::size_t dropped = drop(where, pages, is_under_way);
        if (dropped != 0) {
            compact(where, dropped * Config::page_size, done);
        }
        return dropped;
    }

    /// Compacts payload, then index, through all partitions of a node, until about `budget` bytes were moved or nothing is
    /// left to gain.
    void compact(node_id where, std::size_t budget, compaction_work& done) noexcept {
        sweep(where, budget, done);
        renew_rates(); // what was idle and is gone is charged to nobody any more
    }
    /// Whether more than a part in `much` of what a partition holds is idle.
    [[nodiscard]] bool has_much_idle() const noexcept {
        bool any = false;
        for (std::size_t i = 0; i < count_; ++i) {
            any = any || has_much_idle(i);
        }
        return any;
    }

private:
    [[nodiscard]] partition_type& at(std::size_t i) const noexcept { return (*partitions_)[i]; }
    /// compact, but for the rates.
    void sweep(node_id where, std::size_t budget, compaction_work& done) noexcept {
        const std::size_t enough =
            budget < ~std::size_t{0} - done.moved_bytes ? done.moved_bytes + budget : ~std::size_t{0};
        for (std::size_t i = 0; i < count_ && done.moved_bytes < enough; ++i) {
            partition_type& one = at(i);
            while (is_on(i, where) && done.moved_bytes < enough &&
                   (one.compact_payload(enough - done.moved_bytes, done) || one.payload_was_worthwhile())) {
                give_much_way();
            }
        }
        std::size_t looked = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            bool again = is_on(i, where) &&
                         (gauges_[i].tables_idle() > gauges_[i].tables_held.load(memory_order::relaxed) / 32 ||
                          at(i).index_sweep_is_due());
            for (unsigned sweeps = 0; again && sweeps < 3;) {
                if (done.moved_bytes >= enough || looked >= enough - done.moved_bytes) {
                    return;
                }
                looked += limits::looks;
                if (!at(i).compact_index(done)) {
                    again = at(i).index_was_worthwhile();
                    ++sweeps;
                }
                give_much_way();
            }
        }
    }
    static void give_way() noexcept { pagefold::give_way<Config>(limits::pauses_between_holds); }
    static void give_much_way() noexcept { pagefold::give_way<Config>(limits::pauses_in_background); }
    /// The most that a page is charged now.
    [[nodiscard]] std::size_t page_charge() const noexcept {
        using state = partition_state<Config>;
        return pool_charge::of(table_, Config::page_size, state::most_page_bytes - Config::page_size);
    }
    [[nodiscard]] static bool has_idle_payload(const partition_gauge& g) noexcept {
        return g.payload_idle() > g.payload_held.load(memory_order::relaxed) / limits::much + pool_charge::free_idle;
    }
    [[nodiscard]] static bool has_idle_tables(const partition_gauge& g) noexcept {
        return g.tables_idle() > g.tables_held.load(memory_order::relaxed) / limits::much_tables + limits::least_tables;
    }
    [[nodiscard]] bool has_much_idle(std::size_t i) const noexcept {
        return has_idle_payload(gauges_[i]) || has_idle_tables(gauges_[i]);
    }
    [[nodiscard]] std::size_t idle(node_id where) const noexcept {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            bytes += is_on(i, where) ? gauges_[i].payload_idle() + gauges_[i].tables_idle() : 0;
        }
        return bytes;
    }
    /// Whether the partition was compacted for nothing a short while ago.
    [[nodiscard]] bool is_paused(std::size_t i) noexcept {
        // relaxed, and not exact: how often something is tried.
        const std::uint32_t pause = gauges_[i].pause.load(memory_order::relaxed);
        if (pause != 0) {
            gauges_[i].pause.store(pause - 1, memory_order::relaxed);
        }
        return pause != 0;
    }

    /// Compacts one partition a little, the index where much of it is idle and else the payload; whether that gave pages
    /// back.
    bool tidy(std::size_t i) noexcept {
        const partition_gauge& g = gauges_[i];
        compaction_work done;
        bool goes_on = false; // with what was begun, the next time
        if (has_idle_tables(g)) {
            goes_on = true;
            for (unsigned step = 0; step < limits::index_steps && goes_on && done.freed_bytes == 0; ++step) {
                goes_on = at(i).compact_index(done);
                give_way();
            }
        }
        bool moves_on = true;
        for (unsigned step = 0; step < limits::payload_steps && moves_on && done.freed_bytes < Config::page_size;
             ++step) {
            moves_on = at(i).compact_payload(limits::put_plan, done);
            give_way();
        }
        if (done.freed_bytes == 0 && !goes_on) {
            gauges_[i].pause.store(limits::pause, memory_order::relaxed);
        }
        return done.freed_bytes != 0 || goes_on;
    }
    [[nodiscard]] bool is_on(std::size_t i, node_id where) const noexcept {
        return where == any_node || node_of(place_.node(i)) == where;
    }
    /// The last means of a put: what is idle anywhere on a node, whole sweeps of it.
    bool gather(partition_id home, node_id where) noexcept {
        for (std::size_t attempt = 0; attempt < count_; ++attempt) {
            const std::size_t i = attempt == 0 ? home : place_.spill(home, attempt - 1, count_);
            if (!is_on(i, where) || gauges_[i].payload_idle() + gauges_[i].tables_idle() < Config::page_size) {
                continue;
            }
            compaction_work done;
            while (done.freed_bytes < Config::page_size && at(i).compact_payload(limits::put_plan, done)) {
                give_way();
            }
            if (gauges_[i].tables_idle() > gauges_[i].tables_held.load(memory_order::relaxed) / 8) {
                while (done.freed_bytes == 0 && at(i).compact_index(done)) {
                    give_way();
                }
            }
            if (done.freed_bytes != 0) {
                return true;
            }
        }
        return false;
    }

    /// Whether the pages of the pool in a slot leave to the tier.
    [[nodiscard]] bool demotes(std::uint32_t pool) const noexcept {
        if constexpr (has_tier) {
            // relaxed: if the pool is another by now, its partitions say that they have nothing for this.
            return table_.records[pool].demotes.load(memory_order::relaxed) != 0;
        } else {
            return false;
        }
    }
    /// Who needs room can't wait for ever for a tier that takes nothing, or for others to leave a page alone while it does.
    [[nodiscard]] static bool may_demote(const put_effort& effort) noexcept {
        return effort.refusals < limits::refusals_a_put && effort.in_vain < limits::in_vain_a_put;
    }
    /// partition::evict, or the same by demotion.
    std::size_t evict(std::size_t i, std::uint32_t pool, std::size_t pages, bool& is_under_way, bool for_its_own,
                      [[maybe_unused]] put_effort& effort) noexcept {
        if constexpr (has_tier) {
            if (demotes(pool)) {
                is_under_way = false;
                return may_demote(effort) ? demote_from(i, pool, 0, for_its_own, effort, is_under_way) : 0;
            }
        }
        return at(i).evict(pool, pages, is_under_way, for_its_own);
    }
    std::size_t demote_from(std::size_t i, std::uint32_t pool, std::size_t need, bool for_its_own, put_effort& effort,
                            bool& is_under_way) noexcept requires has_tier {
        const auto done = this->by->demote(at(i), pool, need, for_its_own, effort.spare);
        effort.refusals += done.is_refused ? 1u : 0u;
        effort.in_vain += done.is_in_vain ? 1u : 0u;
        is_under_way = done.is_under_way;
        return done.pages;
    }
    /// Demotes some pages at home, for a put there; whether that came to anything.
    bool demote([[maybe_unused]] partition_id home, [[maybe_unused]] const located_key& k,
                [[maybe_unused]] std::uint32_t pool, [[maybe_unused]] put_effort& effort) noexcept {
        bool is_under_way = false;
        if constexpr (has_tier) {
            if (may_demote(effort)) {
                static_cast<void>(demote_from(home, pool, effort.need, pool == k.pool, effort, is_under_way));
                effort.has_demoted = effort.has_demoted || is_under_way;
            }
        }
        return is_under_way;
    }
    /// Of the pools that this put did not find without pages, the one furthest over its share; the put's own if that is about as far.
    [[nodiscard]] std::uint32_t who_pays(std::uint32_t own, const put_effort& effort) const noexcept {
        const auto is_out = [&](std::uint32_t slot) noexcept {
            return (effort.without[slot / 64] >> (slot % 64) & 1) != 0;
        };
        const std::uint32_t pool = shares_.furthest(page_charge(), is_out);
        return pool != no_pool && pool != own && !is_out(own) && shares_.may_pay_itself(own, pool, page_charge())
                   ? own
                   : pool;
    }
    /// Drops some of a pool's pages in a partition that is behind (pool_balance), and gathers what they left into whole pages, which
    /// the put can have at home; whether any went. Two holds for pages that are raw, else those of a put's compaction.
    bool fetch_from(std::size_t i, std::uint32_t pool, bool for_its_own, put_effort& effort) noexcept {
        bool is_under_way = false;
        const std::size_t before = budget_.used();
        static_cast<void>(evict(i, pool, limits::drops_a_fetch, is_under_way, for_its_own, effort));
        if (is_under_way && budget_.used() >= before) {
            static_cast<void>(tidy(i)); // at once: what is idle there is filled by the next puts there
        }
        return is_under_way;
    }
    /// Drops some of a pool's pages in another partition, on a node, and compacts there; whether there were any.
    bool drop_elsewhere(partition_id home, std::uint32_t pool, bool for_its_own, node_id where,
                        put_effort& effort) noexcept {
        for (std::size_t attempt = 0; attempt + 1 < count_; ++attempt) {
            const std::size_t i = place_.spill(home, attempt, count_);
            if (!is_on(i, where)) {
                continue;
            }
            bool is_under_way = false;
            const std::size_t before = budget_.used();
            static_cast<void>(evict(i, pool, limits::drops_a_hold, is_under_way, for_its_own, effort));
            if (!is_under_way) {
                continue;
            }
            if (budget_.used() >= before && has_much_idle(i) && !is_paused(i)) {
                static_cast<void>(tidy(i));
            }
            return true;
        }
        return false;
    }
    /// Drops pages on a node, of the pools that are furthest over their shares; says how many.
    std::size_t drop(node_id where, std::size_t pages, bool& is_under_way) noexcept {
        std::size_t dropped = 0;
        put_effort effort;
        auto& without = effort.without;
        while (dropped < pages) {
            const std::uint32_t pool = shares_.furthest(page_charge(), [&](std::uint32_t slot) noexcept {
                return (without[slot / 64] >> (slot % 64) & 1) != 0;
            });
            if (pool == no_pool) {
                break;
            }
            std::size_t here = 0;
            bool any = false;
            const unsigned before = effort.in_vain;
            for (std::size_t tried = 0; tried < count_ && !any; ++tried) {
                // relaxed: where the next one begins; any will do.
                const std::size_t i = next_.fetch_add(1, memory_order::relaxed) % count_;
                if (!is_on(i, where)) {
                    continue;
                }
                const std::size_t most =
                    pages - dropped < limits::drops_a_hold ? pages - dropped : limits::drops_a_hold;
                here = evict(i, pool, most, any, false, effort);
                give_much_way();
            }
            dropped += here;
            is_under_way = is_under_way || (any && effort.in_vain == before);
            if (!any) {
                without[pool / 64] |= std::uint64_t{1} << (pool % 64);
            }
        }
        return dropped;
    }

    pool_table& table_;
    pool_shares shares_;
    const byte_budget& budget_;
    const Place& place_;
    const partition_set<partition_type, limited_source>* partitions_ = nullptr;
    partition_gauge* gauges_ = nullptr;
    std::size_t count_ = 0;
    atomic<std::size_t> next_{0};
};

} // namespace pagefold
