// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/store/located_key.hpp>
#include <pagefold/store/partition.hpp>
#include <pagefold/store/scratch_pool.hpp>
#include <pagefold/store/tier_copies.hpp>
#include <pagefold/store/tier_stage.hpp>

#include <cstddef>
#include <cstdint>

// How pages go from a store to its backing tier, and what keeps every one of them.
//
// What. A pool that demotes promises what a persistent one does: an accepted page is kept until it is erased. When memory is
// short its pages leave to the tier as they are stored: the compressed stream, which nobody compresses anew. What stays is
// the page's entry in the index, of 12 bytes (16 with a checksum of 60 bits): length, checksum, and where the tier has it. So a
// look-up knows at once whether there is a page and where, a range or a pool is erased as ever, and no answer of the tier is
// believed: what it gives back must have that length and checksum, under a seed that comes from the page's key.
//
//     in order ──detach──► on its way ──kept by the tier, and unchanged──► away ──erase, take, replace──► gone
//        ▲                  │      └──erased meanwhile──► gone              │
//        └──not kept────────┘                                               │
//        └──replaced meanwhile, or brought back by a read──────────────────┘
//
// Steps. detach, one hold of the partition's lock: the eviction policy names victims and forgets them, and their streams are
// copied. Then, with no lock: each copy's checksum is looked at, and the tier is offered it. dispose, one hold: of each victim
// whose copy the tier has, and whose stream in place is the copy byte for byte, the object is freed and the entry says that
// it is away. Any other stays, and is in order again; a copy that nobody needs is forgotten. A batch is as many streams as
// one page has room for, eight at most: the memory is the operation's own scratch, so that to make room takes none.
//
// Why no page is lost. Until dispose the page has its object, and every operation works on that. dispose frees it only when the
// tier said that it keeps the copy, and then the entry leads there, in one hold. An entry always fits where one was: no memory
// is taken. The tier is told to forget a copy only after the entry that led to it is gone or leads elsewhere.
//
// Why none is stale. A page that was replaced while it was on its way is no more what was copied, to the byte, and its copy is
// forgotten unread; if the bytes are the same, it is the same page. An entry leads to one copy by a place that the tier gives
// to no other before that one is forgotten, and each copy is forgotten once. If the tier breaks this, or forget failed, or it
// answers with another page or an older version, the checksum tells: the reader is told `corrupt`, and that damage passes
// once in 2^28 times or 2^60, as everywhere in the store.
//
// A reader of a page that is away notes under the lock which copy it wants (copy_watch), and asks the tier with no lock. Whoever
// ends that copy meanwhile tells it, under the lock. So when it comes back, it knows: if the copy has left, what it read means
// nothing, good or bad, and it looks again from the beginning; if not, that is what the page is, or the tier's fault. The copy
// may have been overwritten meanwhile, which the checksum shows, and the reader who is told of no change says `corrupt`.
//
// Why the tier forgets all. A copy has one owner at a time: the batch, then the entry. Whoever takes an entry away that is away, or
// gives it another stream, notes the copy, and the tier is told behind the lock (partition::hold). A page that moves to another
// partition takes its entry along. Left behind are copies of extents that damage took, those that the tier would not forget
// (counted), and those of pools that are alive when the store ends: destroy them before, if the tier outlives the store.
//
// Re-entry. A tier may call the store from within a call; what would come to the tier again is refused to it. A put from within
// finds room without demotion or is refused, and a read of a page that is away is `busy`.
//
// Why not this: keys alone, and the tier's word whether it has one (a stale copy that it failed to forget would be the page
// again); a second index of pages that are away (to demote would need memory just when there is none); the victim pinned in its
// place (a count in every entry, and objects that compaction can't move while a disk is slow); a queue to the tier with its own
// thread (a host that wants one writes it as a tier, and says `busy` when it is full).

namespace pagefold::inline PAGEFOLD_ABI {

/// The scratch of a store.
template <store_config Config>
using scratch_of = scratch_pool<typename Config::compressor_type, Config::max_scratch, typename Config::parking_type,
                                partition<Config>::exclusive, typename Config::locality_type>;

/// Demotes pages of one partition. Safe from many threads; no lock is held by who calls.
template <store_config Config>
class demoter {
    using partition_type = partition<Config>;
    using stage_type = tier_stage<typename Config::tier_type>;
    using batch_type = demotion_batch<typename partition_type::entry_type>;

public:
    explicit demoter(stage_type& tier) noexcept : tier_{tier} {}
    /// Once, before the first call.
    void set_up(const key_hasher& hasher, scratch_of<Config>& scratch) noexcept {
        hasher_ = &hasher;
        scratch_ = &scratch;
    }

    /// What a try came to.
    struct outcome {
        std::size_t pages = 0;     ///< that left
        bool is_under_way = false; ///< the tier took some, or the policy came nearer to one
        bool is_refused = false;   ///< the tier took none of those that it was offered
        bool is_in_vain = false;   ///< it took some, and each of those was changed meanwhile
    };
    /// Demotes some pages of the pool in a slot: by preference first one whose place an object of `need` bytes fits into.
    /// `spare`: at least a page of memory, or nothing, where the caller has no scratch that it could be part of. Costs two
    /// holds of the lock, each of room::steps_a_hold steps or a batch at most, and the tier's time.
    outcome demote(partition_type& from, std::uint32_t pool, std::size_t need, bool for_its_own,
                   byte_span spare) noexcept {
        const typename stage_type::visit visit{tier_, partition_type::token()};
        if (!visit) {
            return {};
        }
        if (spare.size() >= Config::page_size) {
            return demote_through(from, pool, need, for_its_own, spare);
        }
        const auto lease = scratch_->acquire();
        return lease ? demote_through(from, pool, need, for_its_own, lease.buffer()) : outcome{};
    }

private:
    outcome demote_through(partition_type& from, std::uint32_t pool, std::size_t need, bool for_its_own,
                           byte_span copies) noexcept {
        batch_type batch;
        const eviction_outcome found = from.detach(pool, need, for_its_own, copies.first(Config::page_size), batch);
        if (batch.count == 0) {
            return {0, found == eviction_outcome::again};
        }
        tier_offer offers[batch_type::most];
        unsigned of[batch_type::most], count = 0;
        for (unsigned i = 0; i < batch.count; ++i) {
            const auto& one = batch.of[i];
            // A stream that is damaged in memory must not become the tier's fault.
            if (partition_state<Config>::is_good(one.e, one.stream, hasher_->locate(one.key).sum_seed)) {
                offers[count] = {one.key, one.stream};
                of[count++] = i;
            }
        }
        tier_.offer_all(offers, count);
        bool is_any_kept = false;
        for (unsigned i = 0; i < count; ++i) {
            if (offers[i].answer == status::ok) {
                batch.of[of[i]].place = offers[i].place;
                batch.of[of[i]].is_kept = true;
                is_any_kept = true; // and if it was replaced meanwhile, there was a put that had room
            } else {
                ++batch.refused;
            }
        }
        const std::size_t pages = from.dispose(batch);
        return {pages, is_any_kept, !is_any_kept, is_any_kept && pages == 0};
    }

    stage_type& tier_;
    const key_hasher* hasher_ = nullptr;
    scratch_of<Config>* scratch_ = nullptr;
};

/// What a store has where there is a tier, and nothing where there is none.
template <store_config Config>
struct store_tier {
    explicit store_tier(const typename Config::tier_type&) noexcept {}
    [[nodiscard]] static constexpr tier_stage<typename Config::tier_type>* stage() noexcept { return nullptr; }
};
template <store_config Config>
requires takes_pages<typename Config::tier_type>
struct store_tier<Config> {
    explicit store_tier(const typename Config::tier_type& tier) noexcept : own_stage{tier} {}
    [[nodiscard]] tier_stage<typename Config::tier_type>* stage() noexcept { return &own_stage; }

    tier_stage<typename Config::tier_type> own_stage;
    demoter<Config> own_demoter{own_stage};
};

} // namespace pagefold
