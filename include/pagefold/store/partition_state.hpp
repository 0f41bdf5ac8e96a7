// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/ds/stable_array.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/change_log.hpp>
#include <pagefold/store/clone.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/content_index.hpp>
#include <pagefold/store/entry.hpp>
#include <pagefold/store/index/extent_index.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/located_key.hpp>
#include <pagefold/store/partition_counters.hpp>
#include <pagefold/store/partition_ghost.hpp>
#include <pagefold/store/partition_tier.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/pool_charge.hpp>
#include <pagefold/store/shared_ghost.hpp>
#include <pagefold/store/value_check.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pagefold::inline PAGEFOLD_ABI {

/// What a partition has and knows, with the steps that everything else there is made of. The partition's lock is held
/// around every call.
///
/// An object is a stream and, behind it in the last four bytes of its place, the number of its page's slot: so whoever
/// moves objects finds the entry to change without a walk. A raw page has a place of its own that never moves, and no tag; so
/// has a raw value that leaves no room for the tag.
template <store_config Config>
struct partition_state : partition_source, partition_tier<typename Config::tier_type>, partition_stats {
    using tier_part = partition_tier<typename Config::tier_type>;
    static constexpr bool has_tier = tier_part::exists;
    using allocator_type = typename Config::template allocator_type<limited_source, Config::page_size>;
    using eviction_type = typename Config::eviction_type;
    static constexpr bool has_values = keeps_values<Config>;
    static constexpr bool has_clones = keeps_clones<Config>;
    static constexpr bool has_log = notes_changes<Config>;
    using entry_type = basic_entry<has_values ? 60 : Config::checksum_bits, has_clones>;
    using hook = typename eviction_type::hook;
    using index_type = extent_index<entry_type, hook, eviction_type::hook_bits, limited_source>;

    /// Whether the ghost is there for admission, too.
    static constexpr bool admission_remembers = remembering_admission<typename Config::admission_type>;
    using ghost_type = std::conditional_t<admission_remembers, shared_ghost<limited_source>,
                                          partition_ghost<eviction_type, limited_source>>;

    static constexpr std::size_t tag_bytes = compacting_allocator<allocator_type> ? sizeof(slot_id) : 0;
    /// The most that a page is charged, before the rates: its own unit and an extent of its own with an array.
    static constexpr std::size_t most_page_bytes =
        Config::page_size + index_type::extent_bytes + 2 * index_type::entry_bytes;

    struct pool_state : pool_demotion<has_tier>, pool_lineage<has_clones>, pool_log<has_log> {
        pool_id id{};
        partition_counters counts{};
        pool_ring ring{};
        eviction_type eviction{};
        std::size_t payload_counted = 0; // of these, what the pool's record knows
        std::size_t tables_counted = 0;
        std::uint64_t wear = 0;     // rounds that its policy's hands have gone, in 2^32ths
        std::uint32_t searched = 0; // of a closed pool whose ring is broken: extents below were looked at
        std::uint32_t route = 0;    // number of the newest that somebody came by

        [[nodiscard]] bool is_ephemeral() const noexcept { return pool_ids::kind(id) == pool_kind::ephemeral; }
        [[nodiscard]] bool demotes() const noexcept {
            if constexpr (has_tier) {
                return this->is_demoting && id != pool_id{};
            } else {
                return false;
            }
        }
        /// The same of `wear` in 256ths, which wrap (pool_balance.hpp).
        [[nodiscard]] std::uint32_t turns() const noexcept { return static_cast<std::uint32_t>(wear >> 24); }
        void set_turns(std::uint32_t turns) noexcept { wear = std::uint64_t{turns} << 24; }
        /// The hands went over so many slots.
        void note_looks(std::size_t looks) noexcept {
            const std::uint64_t pages = counts.stored_pages;
            wear += looks < pages ? (std::uint64_t{looks} << 32) / pages : std::uint64_t{1} << 32; // one round at most
        }
        /// Whether an eviction policy has the care of its pages, of all or of some.
        [[nodiscard]] bool has_order() const noexcept { return is_ephemeral() || demotes(); }
    };

    /// What an eviction policy sees of the index: the slots of one pool. No page comes or goes while there is one. Bits in
    /// the entries are mostly looked at page after page of an extent, which is then found once.
    class slots_of {
        static constexpr bool narrow = eviction_type::hook_bits <= packed_hook_bits;

    public:
        slots_of(partition_state& from, const pool_state& pool) noexcept
            : state_{from}, index_{from.index}, pool_state_{pool}, id_{pool.id}, pool_{pool_ids::slot(pool.id)} {}
        /// For who has just found this slot: its extent is sound.
        slots_of(partition_state& from, const pool_state& pool, slot_id found) noexcept : slots_of{from, pool} {
            if constexpr (narrow) {
                extent_ = found / extent_pages;
                metas_ = index_.metas_of(extent_);
            }
        }
        slots_of(const slots_of&) = delete; // it may point into itself
        slots_of& operator=(const slots_of&) = delete;
        [[nodiscard]] hook get(slot_id s) const noexcept {
            if constexpr (narrow) {
                return static_cast<hook>(entry_type{0, load_native<typename entry_type::meta_type>(meta_of(s))}.hook());
            } else {
                return is_safe(s) ? index_.hook(s) : hook{};
            }
        }
        void set(slot_id s, hook h) noexcept {
            if constexpr (narrow) {
                look_at(s);
                metas_.set_hook(s % extent_pages, h);
            } else if (is_safe(s)) {
                index_.set_hook(s, h);
            }
        }
        [[nodiscard]] slot_id next(slot_id s) const noexcept {
            if constexpr (has_tier) {
                if (pool_state_.demotes()) {
                    const slot_id next = state_.order.next(pool_state_.extents, s);
                    return next == no_slot || is_safe(next) ? next : no_slot;
                }
            }
            if (s != no_slot && s / extent_pages == extent_) {
                const std::uint64_t rest = metas_.pages & ~low_bits(s % extent_pages + 1);
                if (rest != 0) {
                    return index_type::slot(extent_, trailing_zeros(rest));
                }
            }
            return index_.next_in_pool(pool_state_.ring, s);
        }
        void remember(slot_id s) noexcept requires remembering_policy<eviction_type> {
            state_.ghost.remember(hash_of(s));
        }
        [[nodiscard]] bool recall(slot_id s) noexcept requires remembering_policy<eviction_type> {
            return state_.ghost.recall(hash_of(s));
        }
        /// Of a victim: the policy may remember it, admission must.
        void note_left(slot_id s) noexcept requires admission_remembers {
            if (is_safe(s)) {
                state_.ghost.note_left(hash_of(s));
            }
        }

    private:
        /// Of the page's key, as located_key has it.
        [[nodiscard]] std::uint64_t hash_of(slot_id s) const noexcept {
            const std::uint32_t id = s / extent_pages;
            const std::uint64_t number = index_.number_of(id);
            return state_.hasher.page(state_.hasher.extent(pool_, index_.object_of(id), number), id_,
                                      number * extent_pages + s % extent_pages);
        }
        /// Where a policy's hand stands nobody has looked since: what was damaged meanwhile looks like a page that may go, and
        /// who takes it for a victim finds out.
        void look_at(slot_id s) const noexcept {
            if (s / extent_pages != extent_) {
                extent_ = s / extent_pages;
                metas_ = index_.is_whole(extent_) ? index_.metas_of(extent_)
                                                  : typename index_type::metas{0, nobodys_, nullptr};
            }
        }
        [[nodiscard]] std::byte* meta_of(slot_id s) const noexcept {
            look_at(s);
            return metas_.of(s % extent_pages);
        }
        /// Links in wide hooks are numbers in memory like others: looked at before they are followed.
        [[nodiscard]] bool is_safe(slot_id s) const noexcept {
            return index_.contains(s) && index_.pool_of(s / extent_pages) == pool_;
        }

        partition_state& state_;
        index_type& index_;
        const pool_state& pool_state_;
        mutable std::uint32_t extent_ = index_type::none;
        mutable typename index_type::metas metas_{};
        mutable std::byte nobodys_[sizeof(typename entry_type::meta_type)]{};
        pool_id id_;
        std::uint32_t pool_;
    };

    partition_state(page_source_ref page_source, byte_budget& budget, pool_table& pool_table, const key_hasher& hash,
                    partition_gauge& shown, node_id node, const eviction_type& prototype = eviction_type{},
                    unsigned admission_percent = 0, typename tier_part::stage_type* stage = nullptr) noexcept
        : partition_source{page_source, budget}, tier_part{this->source, node, stage}, table{pool_table}, hasher{hash},
          gauge{shown}, allocator{source, node}, index{source, node, hash}, pools{source, node}, ghost{source, node},
          new_policy{prototype} {
        if constexpr (admission_remembers) {
            ghost.set_percents(admission_percent, eviction_percent());
        } else {
            static_cast<void>(admission_percent);
        }
    }

    [[nodiscard]] pool_state* find_pool(pool_id id) noexcept {
        const std::uint32_t slot = pool_ids::slot(id);
        return id != pool_id{} && slot < pools.size() && pools[slot].id == id ? &pools[slot] : nullptr;
    }
    /// The pool, for who comes by a route; has_moved where somebody came by a newer one, and a page may be elsewhere.
    [[nodiscard]] result<pool_state*> enter(pool_id id, std::uint32_t route) noexcept {
        pool_state* const pool = find_pool(id);
        if (pool == nullptr) {
            return status::invalid;
        }
        if (pool->route != route) [[unlikely]] {
            if (pool_route::is_newer(pool->route, route)) {
                return has_moved;
            }
            pool->route = route;
            pool->ring.seen = index_type::none;
        }
        return pool;
    }
    /// The same, for who changes what is in it: invalid where it is sealed, busy where it is frozen.
    [[nodiscard]] result<pool_state*> enter_to_change(pool_id id, std::uint32_t route) noexcept {
        const result<pool_state*> entered = enter(id, route);
        if constexpr (has_clones) {
            if (entered && (*entered)->is_sealed) {
                return status::invalid;
            }
        }
        if constexpr (has_log) {
            if (entered && (*entered)->is_frozen) [[unlikely]] {
                return status::busy;
            }
        }
        return entered;
    }
    [[nodiscard]] pool_state* pool_at(std::uint32_t slot) noexcept {
        return slot < pools.size() && pools[slot].id != pool_id{} ? &pools[slot] : nullptr;
    }
    [[nodiscard]] pool_record& record_of(const pool_state& pool) noexcept {
        return table.records[pool_ids::slot(pool.id)];
    }
    [[nodiscard]] slots_of slots(pool_state& pool) noexcept { return {*this, pool}; }
    [[nodiscard]] slots_of slots_from(pool_state& pool, slot_id found) noexcept { return {*this, pool, found}; }

    // Objects.

    /// Whether a stream has a whole page for itself, without a tag.
    [[nodiscard]] static constexpr bool fills_page(std::size_t stream) noexcept {
        return stream >= Config::page_size - (has_values ? tag_bytes : 0);
    }
    /// Bytes to ask of the allocator for a stream.
    [[nodiscard]] static constexpr std::size_t object_bytes(std::size_t stream) noexcept {
        return !fills_page(stream) ? stream + tag_bytes : has_values ? Config::page_size : stream;
    }
    /// Bytes that a stream occupies, in the entry or out of it.
    [[nodiscard]] std::size_t occupied_by_stream(std::size_t stream) const noexcept {
        const std::size_t bytes = object_bytes(stream);
        return stream == min_stream_size    ? 0
               : bytes >= Config::page_size ? Config::page_size
                                            : allocator.rounded(bytes);
    }
    /// Of the value that the entry is for: a page's, where there are only pages.
    [[nodiscard]] static constexpr std::size_t length_of(const entry_type& e) noexcept {
        if constexpr (has_values) {
            return value_check::length_of(e.meta());
        } else {
            return Config::page_size;
        }
    }
    /// What an entry keeps to check the stream of a value by.
    [[nodiscard]] static std::uint64_t check_of(byte_view stream, std::uint64_t seed, std::size_t length) noexcept {
        if constexpr (has_values) {
            return value_check::of(stream, seed, length, Config::page_size);
        } else {
            return checksum(stream, seed);
        }
    }
    [[nodiscard]] static bool is_good(const entry_type& e, byte_view stream, std::uint64_t seed) noexcept {
        return e.matches(check_of(stream, seed, length_of(e)));
    }
    /// Whether a stream that stands outside the entry is the value as it is; `check` is what check_of gave for it.
    [[nodiscard]] static constexpr bool is_raw(std::size_t stream, std::uint64_t check) noexcept {
        if constexpr (has_values) {
            return stream == value_check::length_of(check) && stream > min_stream_size;
        } else {
            return stream == Config::page_size;
        }
    }
    [[nodiscard]] static constexpr bool is_raw(const entry_type& e) noexcept { return is_raw(e.size(), e.meta()); }
    [[nodiscard]] result<object_handle> allocate_snug(std::size_t n) noexcept {
        if constexpr (snug_allocator<allocator_type>) {
            return allocator.allocate_snug(n);
        } else {
            return allocator.allocate(n);
        }
    }
    /// What the entry's stream occupies in a slot of its own size class: what a pool is charged must not depend on which
    /// slot the allocator had free.
    [[nodiscard]] std::size_t occupied_by(const entry_type& e) const noexcept {
        if (!has_object(e)) {
            return 0;
        }
        const std::size_t bytes = object_bytes(e.size());
        return bytes >= Config::page_size ? Config::page_size : allocator.rounded(bytes);
    }
    /// Whether the stream is in the tier.
    [[nodiscard]] static constexpr bool is_away(const entry_type& e) noexcept {
        if constexpr (has_tier) {
            return e.is_away();
        } else {
            return false;
        }
    }
    [[nodiscard]] static constexpr bool has_object(const entry_type& e) noexcept {
        return !e.is_inline() && !is_away(e) && !e.is_reference();
    }
    /// Whether the entry leads to an object that can be read, or needs none. Damage shows here before anything is followed.
    [[nodiscard]] bool is_readable(const entry_type& e) const noexcept {
        if constexpr (has_values) {
            if (length_of(e) > Config::page_size) {
                return false;
            }
        }
        if (is_away(e)) {
            return e.is_whole() && e.away_size() <= Config::page_size;
        }
        if (e.is_reference()) {
            return e.is_whole();
        }
        return e.is_inline() || (e.is_whole() && e.size() <= Config::page_size && allocator.contains(e.handle()) &&
                                 e.size() <= allocator.capacity(e.handle()));
    }
    /// Writes the number of the page's slot behind its stream.
    void tag(const entry_type& e, slot_id slot) noexcept {
        if constexpr (tag_bytes != 0) {
            if (has_object(e) && !fills_page(e.size())) {
                const byte_span place = allocator.place(e.handle());
                store_native(place.data() + place.size() - tag_bytes, slot);
            }
        }
    }
    /// Frees the entry's object, if it has one. What a damaged entry leads to instead stays.
    void free_object(const entry_type& e) noexcept {
        if (!has_object(e)) {
            return;
        }
        if (e.is_whole() && allocator.contains(e.handle())) {
            allocator.deallocate(e.handle());
        } else {
            ++damage;
        }
    }

    // Accounting: the pool's counters, the partition's, and at the end of a hold what everybody sees.

    void account(pool_state& pool, const entry_type& e, bool arrives) noexcept {
        ++changes;
        partition_counters one;
        add_page(e, one);
        pool.counts.add_pages(one, arrives, totals);
        if (pool.is_ephemeral()) {
            ephemeral_pages += arrives ? 1u : ephemeral_pages != 0 ? ~std::uint64_t{0} : 0u;
        }
    }
    /// No operation on the pool succeeds from here on.
    void close(pool_state& pool) noexcept {
        const std::uint64_t pages = pool.is_ephemeral() ? pool.counts.stored_pages
                                    : pool.demotes()    ? pool.eviction.size()
                                                        : 0;
        ephemeral_pages -= pages < ephemeral_pages ? pages : ephemeral_pages;
        note_closing(pool);
        if constexpr (has_log) {
            pool.log = nullptr;
        }
        pool.id = pool_id{};
        pool.eviction = new_policy;
    }
    void add_page(const entry_type& e, partition_counters& c) const noexcept {
        if (is_away(e)) {
            ++c.away_pages;
            return;
        }
        ++c.stored_pages;
        if constexpr (has_values) {
            c.short_bytes += length_of(e) < Config::page_size ? Config::page_size - length_of(e) : 0;
        }
        if (e.is_inline()) {
            ++c.same_pages;
            return;
        }
        if constexpr (has_clones) {
            if (e.is_reference()) {
                ++c.reference_pages;
                c.reference_data_size += e.size();
                return;
            }
            c.delta_pages += e.is_delta() ? 1u : 0u;
            c.delta_data_size += e.is_delta() ? e.size() : 0;
        }
        c.huge_pages += is_raw(e) ? 1u : 0u;
        c.compr_data_size += e.size();
        c.payload_bytes += occupied_by(e);
    }
    /// Tells the pool's record what changed. Meters, like the budget: they order nothing.
    void settle(pool_state& pool) noexcept {
        const std::size_t payload = static_cast<std::size_t>(pool.counts.payload_bytes), tables = pool.ring.bytes;
        if (payload == pool.payload_counted && tables == pool.tables_counted) {
            return;
        }
        settle(pool, table.records[pool_ids::slot(pool.id)], payload, tables);
    }
    void settle(pool_state& pool, pool_record& record, std::size_t payload, std::size_t tables) noexcept {
        if (payload != pool.payload_counted) {
            record.payload.fetch_add(payload - pool.payload_counted, memory_order::relaxed);
            pool.payload_counted = payload;
        }
        if (tables != pool.tables_counted) {
            record.tables.fetch_add(tables - pool.tables_counted, memory_order::relaxed);
            pool.tables_counted = tables;
        }
        pool_charge::renew_unmet(table, record);
    }
    /// At the end of a hold: shows what the partition holds, where that has changed by much.
    void show() noexcept {
        // That there is something to evict, or nothing any more, is never old news.
        const bool has_evictable = ephemeral_pages != 0;
        if (changes < changes_shown + changes_a_show && source.changes() == source_shown &&
            has_evictable == shows_evictable) {
            return;
        }
        shows_evictable = has_evictable;
        gauge.evictable.store(to_size(ephemeral_pages), memory_order::relaxed);
        changes_shown = changes;
        source_shown = source.changes();
        ++shows;
        gauge.payload_charged.store(to_size(totals.payload_bytes), memory_order::relaxed);
        gauge.payload_used.store(allocator.allocated_bytes(), memory_order::relaxed);
        gauge.payload_held.store(allocator.bytes_held() + allocator.table_bytes() + charged_ghost_bytes(),
                                 memory_order::relaxed);
        gauge.tables_used.store(index.used_bytes() + tier_part::order_bytes(), memory_order::relaxed);
        gauge.tables_held.store(index.bytes() + tier_part::order_bytes(), memory_order::relaxed);
    }

    /// The page in the slot has come, has another content, or goes: for who copies the pool elsewhere.
    void note_change(const pool_state& pool, slot_id slot) noexcept {
        if constexpr (has_log) {
            if (pool.log != nullptr) [[unlikely]] {
                const std::uint32_t id = slot / extent_pages;
                pool.log->mark(pool.log_tag, index.object_of(id),
                               index.number_of(id) * extent_pages + slot % extent_pages);
            }
        } else {
            static_cast<void>(pool);
            static_cast<void>(slot);
        }
    }

    // Finding.

    /// The page's slot, or no_slot. An extent that is found damaged is taken out, and `is_damaged` set: its pages are lost,
    /// which this operation says and later ones don't know.
    [[nodiscard]] slot_id find(pool_state& pool, const located_key& k, bool& is_damaged) noexcept {
        const std::uint64_t damage_before = index.damage();
        const std::uint32_t id = index.find_extent(k);
        if (id == index_type::none) {
            is_damaged = index.damage() != damage_before && scrub(); // the page may have been among those
            return no_slot;
        }
        if (!index.is_sound(id)) [[unlikely]] {
            const bool had_page = (index.pages_of(id) >> k.page() & 1) != 0;
            discard(pool, id);
            is_damaged = had_page;
            return no_slot;
        }
        return (index.pages_of(id) >> k.page() & 1) != 0 ? index_type::slot(id, k.page()) : no_slot;
    }
    /// The object's first extent, or none. As find() does, it takes out what it finds damaged.
    [[nodiscard]] std::uint32_t find_object(std::uint32_t pool, std::uint64_t object) noexcept {
        const std::uint64_t damage_before = index.damage();
        const std::uint32_t id = index.find_object(pool, object);
        const bool may_be_missed = id == index_type::none && index.damage() != damage_before;
        return may_be_missed && scrub() ? index.find_object(pool, object) : id;
    }
    /// The content index of the parent of a pool that is open here, or null. It lives for the rest of the hold, at least: the child
    /// is open, so its parent is no pool that is gone.
    [[nodiscard]] const content_index* content_of(const pool_state& pool) const noexcept requires has_clones {
        const std::uint32_t slot = pool_ids::slot(pool.parent);
        if (pool.parent == pool_id{} || slot >= table.count ||
            table.records[slot].live.load(memory_order::relaxed) != pool_ids::mark(pool.parent)) {
            return nullptr;
        }
        // acquire: what it was made as is seen.
        const content_index* const content = table.records[slot].content.load(memory_order::acquire);
        return content != nullptr && content->is_ready() ? content : nullptr;
    }
    [[nodiscard]] bool locate_content(const pool_state& pool, std::uint32_t ordinal,
                                      content_place& found) const noexcept requires has_clones {
        const content_index* const content = content_of(pool);
        return content != nullptr && content->locate(ordinal, found);
    }

    // Mending (partition_mending.hpp).

    /// Takes all damaged extents out; whether there were any. Walks all extents, once for each damage.
    bool scrub() noexcept;
    /// Takes a damaged extent out; its pages are lost.
    void discard(pool_state& pool, std::uint32_t id) noexcept;
    /// Gives a policy that damage left without pages all of the pool anew. Walks the pool, seldom.
    void renew_policy(pool_state& pool) noexcept;
    /// The policy forgets all: what it knows has turned out to be wrong.
    void lose_order(pool_state& pool) noexcept {
        pool.eviction = new_policy;
        if constexpr (has_tier) {
            pool.has_lost_order = true;
        }
    }
    /// The same of a pool that demotes, with its list of extents.
    void renew_order(pool_state& pool) noexcept;

    // The ghost (partition_past.hpp).

    /// How long a ghost the eviction policy wants; 0: none.
    [[nodiscard]] unsigned eviction_percent() const noexcept;
    /// After a page has come: the ghost may become larger.
    void grow_ghost() noexcept;
    /// Gives back what the ghost has beyond its pages, a bounded part of it; true when that is all.
    [[nodiscard]] bool trim_ghost() noexcept;
    /// Whether there is something to trim that no page's leaving told of: what admission alone had it for.
    [[nodiscard]] bool has_long_ghost() noexcept;
    /// What of the ghost is charged to the pools.
    [[nodiscard]] std::size_t charged_ghost_bytes() const noexcept;
    /// What is known of the key of a page that is put; `slot` is where it is stored, or no_slot.
    [[nodiscard]] key_past past_of(const pool_state& pool, const located_key& k, slot_id slot) noexcept;
    /// The key of a page that was refused by admission, or taken.
    void note_left(const pool_state& pool, const located_key& k) noexcept;
    /// The key of a page that has come.
    void note_arrival(const located_key& k) noexcept;
    void note_opening(const pool_state& pool) noexcept;
    void note_closing(const pool_state& pool) noexcept;

    /// The same of what the order of demotion has beyond the index's extents.
    [[nodiscard]] bool trim_order() noexcept {
        if constexpr (has_tier) {
            return this->order.trim(index.bound(), 32);
        } else {
            return true;
        }
    }

    // Coming and leaving.

    /// An entry for a page that has none, as the newest of its pool. Fails as the index does, and has changed nothing then.
    result<slot_id> add(pool_state& pool, const located_key& k, const entry_type& e) noexcept {
        const result<slot_id> added = index.insert(pool.ring, k, e);
        if constexpr (has_tier) {
            if (added) {
                if (const status s = this->order.reserve(*added / extent_pages); s != status::ok) {
                    index.erase(pool.ring, *added);
                    return s;
                }
            }
        }
        if (added) {
            account(pool, e, true);
            tag(e, *added);
            note_change(pool, *added);
            if (pool.is_ephemeral()) {
                slots_of view = slots_from(pool, *added);
                pool.eviction.on_insert(view, *added);
                note_arrival(k);
                grow_ghost();
            } else if (pool.demotes() && has_object(e)) {
                enter_order(pool, *added);
            }
        }
        return added;
    }

    // `goes_on`: the other pages of the extent are to follow.

    /// After damage the policy may know of fewer pages than there are; where it stands must not be a page that is gone.
    void remove(pool_state& pool, slot_id slot, bool goes_on = false) noexcept {
        if (pool.is_ephemeral() && pool.eviction.size() != 0) {
            slots_of view = slots_from(pool, slot);
            pool.eviction.on_remove(view, slot);
        } else if (pool.is_ephemeral()) [[unlikely]] {
            pool.eviction = new_policy;
        } else if (pool.demotes()) {
            leave_order(pool, slot);
        }
        forget(pool, slot, goes_on);
    }
    /// The policy has forgotten the slot, or never knew it.
    void forget(pool_state& pool, slot_id slot, bool goes_on = false) noexcept {
        if (!index.contains(slot)) [[unlikely]] { // a policy's link that leads nowhere
            if (index.is_live(slot / extent_pages) && !index.is_sound(slot / extent_pages)) {
                discard(pool, slot / extent_pages);
            }
            ++damage;
            return;
        }
        const entry_type e = index.get(slot);
        account(pool, e, false);
        note_change(pool, slot);
        let_go(pool, slot, e);
        if constexpr (has_tier) {
            leave_order_of(pool, slot); // of a pool that is closed, whose policy is gone
            index.erase(pool.ring, slot, goes_on);
            static_cast<void>(this->order.trim(index.bound(), 1));
        } else {
            index.erase(pool.ring, slot, goes_on);
        }
    }
    /// What the entry of a page leads to goes, as the page does or has another.
    void let_go(const pool_state& pool, slot_id slot, const entry_type& e) noexcept {
        free_object(e);
        if constexpr (has_tier) {
            if (is_away(e)) {
                leave_tier(pool, slot, e);
            }
        }
    }

    // Demotion. No page of a pool that doesn't demote, and none that is away, is in its order.

    /// The page can be demoted from now on, as the newest of its pool; it has an object.
    void enter_order(pool_state& pool, slot_id slot) noexcept;
    /// It can't be any more, if it could.
    void leave_order(pool_state& pool, slot_id slot) noexcept;
    /// The same, where the policy has forgotten it.
    void leave_order_of(pool_state& pool, slot_id slot) noexcept;
    [[nodiscard]] bool is_in_order(slot_id slot) const noexcept {
        if constexpr (has_tier) {
            return this->order.has(slot);
        } else {
            return false;
        }
    }
    /// The tier forgets the entry's copy, and who reads it learns of that.
    void leave_tier(const pool_state& pool, slot_id slot, const entry_type& e) noexcept;
    /// The page in the slot; of a pool that is closed by the id that it had.
    [[nodiscard]] page_key key_of(slot_id slot) const noexcept {
        const std::uint32_t id = slot / extent_pages;
        return {table.records[index.pool_of(id)].id, index.object_of(id),
                index.number_of(id) * extent_pages + slot % extent_pages};
    }

    static constexpr std::uint64_t changes_a_show = 16; // pages that come or go

    pool_table& table;
    const key_hasher& hasher;
    partition_gauge& gauge;
    allocator_type allocator;
    index_type index;
    stable_array<pool_state, limited_source> pools;
    ghost_type ghost;
    const eviction_type new_policy; // what every pool starts with
    partition_counters totals{};
    bool shows_evictable = false;      // as the gauge says
    std::uint64_t ephemeral_pages = 0; // that a policy has the care of, of pools that are open
    std::uint64_t corruptions = 0, damage = 0, compacted_bytes = 0;
    std::uint64_t changes = 0, changes_shown = 0, source_shown = 0, shows = 0;
};

} // namespace pagefold

#include <pagefold/store/partition_demotion.hpp>
#include <pagefold/store/partition_mending.hpp>
#include <pagefold/store/partition_past.hpp>
