// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/presence.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Who has which pool slot. Its lock is held for a look at the records and never while pages go: a pool that is destroyed is
/// `dying` until the last of them is gone, and its slot is nobody else's. Cost: a look at each slot at most.
template <lockable Lock>
class pool_registry {
public:
    [[nodiscard]] pool_table& table() noexcept { return table_; }
    [[nodiscard]] const pool_table& table() const noexcept { return table_; }
    /// The lock, for a scope; false where the thread of this token has it already, or waits for it: what interrupts that must
    /// not wait.
    class [[nodiscard]] hold {
    public:
        hold(const pool_registry& held, std::uintptr_t token) noexcept : registry_{held}, stay_{held.at_lock_, token} {
            if (stay_) {
                registry_.lock_.lock();
            }
        }
        ~hold() {
            if (stay_) {
                registry_.lock_.unlock();
            }
        }
        hold(const hold&) = delete;
        hold& operator=(const hold&) = delete;
        [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(stay_); }

    private:
        const pool_registry& registry_;
        presence::stay stay_;
    };

    /// The lock without a scope; false as with a hold.
    [[nodiscard]] bool quiesce(std::uintptr_t token) noexcept {
        const bool arrived = at_lock_.arrive(token);
        if (arrived) {
            lock_.lock();
        }
        return arrived;
    }
    void resume(std::uintptr_t token) noexcept {
        lock_.unlock();
        at_lock_.depart(token);
    }
    /// The same where all threads but this one are gone: those that waited must not be waited for.
    void resume_alone() noexcept {
        lock_.unlock();
        renew(lock_);
        at_lock_.forget_all();
    }

    /// Takes a slot for a pool and gives it an id. The lock is held; nobody can use the pool before it is published. `limit`:
    /// no slot is free, or all reservations together would be more than `most_reserved`.
    result<pool_id> open(const pool_options& options, std::size_t most_reserved) noexcept {
        if (options.reserved_bytes > most_reserved || reserved_ > most_reserved - options.reserved_bytes) {
            return status::limit;
        }
        for (std::uint32_t slot = 0; slot < table_.count; ++slot) {
            pool_record& record = table_.records[slot];
            const pool_id id = pool_ids::next(record.id, slot, options.kind);
            if (record.stage == pool_stage::free && id != pool_id{}) {
                record.id = id;
                record.options = options;
                record.codec.store(options.codec, memory_order::relaxed); // as the route below
                record.admission.store(options.admission, memory_order::relaxed);
                const node_id wish = options.wish();
                record.route.store({record.route.load().number + 1, wish, wish}); // the id carries its own order
                record.stage = pool_stage::dying;                                 // until it is published
                record.is_sealed = false;
                record.is_indexing = false;
                if (options.parent != pool_id{}) {
                    ++table_.records[pool_ids::slot(options.parent)].children;
                }
                return id;
            }
        }
        return status::limit;
    }
    /// The pool is open everywhere.
    void publish(pool_id id) noexcept {
        const std::uint32_t slot = pool_ids::slot(id);
        pool_record& record = table_.records[slot];
        record.stage = pool_stage::live;
        record.live.store(pool_ids::mark(id), memory_order::relaxed); // who has the id got it after this
        reserved_ += record.options.reserved_bytes;
        record.reserved.store(record.options.reserved_bytes, memory_order::relaxed);
        record.unmet.store(record.options.reserved_bytes, memory_order::relaxed);
        table_.unmet.fetch_add(record.options.reserved_bytes, memory_order::relaxed);
        const bool demotes = record.options.on_pressure == pressure_action::demote;
        record.demotes.store(demotes ? 1u : 0u, memory_order::relaxed);
        record.weight.store(pool_ids::kind(id) == pool_kind::ephemeral || demotes ? record.options.weight : 0,
                            memory_order::relaxed);
        if (slot >= table_.bound.load(memory_order::relaxed)) {
            table_.bound.store(slot + 1, memory_order::relaxed);
        }
    }
    /// The pool could not be opened everywhere, or its last page is gone.
    void free(pool_id id) noexcept {
        pool_record& record = table_.records[pool_ids::slot(id)];
        if (record.options.parent != pool_id{}) {
            --table_.records[pool_ids::slot(record.options.parent)].children;
        }
        record.options = pool_options{};
        record.stage = pool_stage::free;
        std::uint32_t bound = table_.bound.load(memory_order::relaxed);
        while (bound != 0 && table_.records[bound - 1].stage == pool_stage::free) {
            --bound;
        }
        table_.bound.store(bound, memory_order::relaxed);
    }
    /// No slot at or above it is in use. The lock is held.
    [[nodiscard]] std::uint32_t bound() const noexcept { return table_.bound.load(memory_order::relaxed); }
    /// Whether a live pool may be somebody's parent. The lock is held, here and below.
    [[nodiscard]] bool is_sealed(pool_id id) const noexcept { return is_live(id) && record_of(id).is_sealed; }
    [[nodiscard]] bool has_children(pool_id id) const noexcept { return is_live(id) && record_of(id).children != 0; }
    /// Whether it can be sealed: it is a pool that keeps its pages, and no clone.
    [[nodiscard]] bool may_be_sealed(pool_id id) const noexcept {
        return is_live(id) && pool_ids::kind(id) == pool_kind::persistent && record_of(id).options.parent == pool_id{};
    }
    /// From now on it may be a parent; it is sealed in all partitions.
    void seal(pool_id id) noexcept { table_.records[pool_ids::slot(id)].is_sealed = true; }
    /// Whether somebody makes its content index.
    [[nodiscard]] bool is_indexing(pool_id id) const noexcept { return record_of(id).is_indexing; }
    /// Begins to: the pool can't go until the end. And ends it.
    void begin_indexing(pool_id id, content_index* content, std::size_t bytes) noexcept {
        pool_record& record = table_.records[pool_ids::slot(id)];
        record.is_indexing = true;
        ++record.children;
        record.content_bytes.store(bytes, memory_order::relaxed); // a meter
        // release: what it was made as is seen by who looks whether it is ready.
        record.content.store(content, memory_order::release);
    }
    void end_indexing(pool_id id) noexcept {
        pool_record& record = table_.records[pool_ids::slot(id)];
        record.is_indexing = false;
        --record.children;
    }
    /// The pool's content index, if it has one, which from here on it has not: the caller's to destroy.
    [[nodiscard]] content_index* release_content(pool_id id) noexcept {
        pool_record& record = table_.records[pool_ids::slot(id)];
        record.content_bytes.store(0, memory_order::relaxed);
        // relaxed: nobody looks, as it isn't ready or its pool is gone.
        return record.content.exchange(nullptr, memory_order::relaxed);
    }
    /// Begins to destroy a pool; false where it is none. The lock is held.
    [[nodiscard]] bool retire(pool_id id) noexcept {
        if (!is_live(id)) {
            return false;
        }
        pool_record& record = table_.records[pool_ids::slot(id)];
        record.stage = pool_stage::dying;
        // relaxed: who was answered `invalid` has read this or something later, and who hears of it from them reads no less.
        record.live.store(0, memory_order::relaxed);
        record.weight.store(0, memory_order::relaxed);
        record.demotes.store(0, memory_order::relaxed);
        reserved_ -= record.options.reserved_bytes;
        record.reserved.store(0, memory_order::relaxed);
        table_.unmet.fetch_sub(record.unmet.exchange(0, memory_order::relaxed), memory_order::relaxed);
        return true;
    }

    /// Sends a live pool to a wish, or back; nothing changes where it is there or on its way, where a move to another has to end
    /// first, and while somebody holds the route. Returns its route. The lock is held.
    pool_route reroute(pool_id id, node_id wish) noexcept {
        pool_record& record = table_.records[pool_ids::slot(id)];
        pool_route route = record.route.load();
        if (route.now != wish && (!route.is_moving() || route.before == wish) && !record.route.is_held()) {
            route = {route.number + 1, wish, route.now};
            record.route.store(route);
        }
        return route;
    }
    /// All pages went by that route, if it is the pool's still. False where somebody holds it, and nothing changes. The lock is
    /// held.
    [[nodiscard]] bool settle(pool_id id, const pool_route& by) noexcept {
        pool_record& record = table_.records[pool_ids::slot(id)];
        const bool is_newest = record.id == id && record.route.load().number == by.number;
        if (is_newest && !record.route.is_held()) {
            record.route.store({by.number + 1, by.now, by.now});
        }
        return !is_newest || !record.route.is_held();
    }

    /// What live pools that must be on a node have reserved together. Cost: a look at each slot. The lock is held.
    [[nodiscard]] std::size_t reserved_strictly_on(node_id node) const noexcept {
        std::size_t bytes = 0;
        for (std::uint32_t i = 0; i < bound(); ++i) {
            const pool_record& record = table_.records[i];
            const bool is_there = record.route.load().now == strictly(node);
            bytes += record.stage == pool_stage::live && is_there ? record.options.reserved_bytes : 0;
        }
        return bytes;
    }
    /// Whether the sums are those of the records; for tests.
    [[nodiscard]] bool check() const noexcept {
        std::size_t unmet = 0, reserved = 0;
        for (std::uint32_t i = 0; i < table_.count; ++i) {
            unmet += table_.records[i].unmet.load(memory_order::relaxed);
            reserved += table_.records[i].stage == pool_stage::live ? table_.records[i].options.reserved_bytes : 0;
        }
        return unmet == table_.unmet.load(memory_order::relaxed) && reserved == reserved_;
    }

private:
    [[nodiscard]] bool is_live(pool_id id) const noexcept {
        const std::uint32_t slot = pool_ids::slot(id);
        return slot < table_.count && table_.records[slot].id == id && table_.records[slot].stage == pool_stage::live;
    }
    [[nodiscard]] const pool_record& record_of(pool_id id) const noexcept { return table_.records[pool_ids::slot(id)]; }

    pool_table table_{};
    std::size_t reserved_ = 0; // by live pools together
    mutable Lock lock_{};
    mutable presence at_lock_{};
};

} // namespace pagefold
