// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/page_source_ref.hpp>

#include <cstddef>
#include <new>

namespace pagefold::inline PAGEFOLD_ABI {

/// The byte limit of a store: the one thing that its partitions share. Safe from many threads. That of a memory node is a part
/// of it: what is charged to the part is charged to the whole as well, and each can refuse.
///
/// The counters order no memory: bytes are charged before the pages exist and returned after they are gone, and nobody
/// reads memory on the strength of them. Hence relaxed, with one exception. Who lowers the limit looks at what is used
/// afterwards, and who charges looks at the limit afterwards; both sequentially consistent, so that one of them sees the
/// other. Either the lower limit is not met yet, or the charge is taken back.
class byte_budget {
public:
    explicit byte_budget(std::size_t limit) noexcept : limit_{limit} {}
    /// A part of another, which outlives it.
    byte_budget(std::size_t limit, byte_budget& whole) noexcept : limit_{limit}, whole_{&whole} {}

    /// Takes `bytes` if they fit under the limit; of the whole, with `held_back` bytes to spare.
    [[nodiscard]] bool charge(std::size_t bytes, std::size_t held_back) noexcept {
        std::size_t after = 0;
        if (!charge_here(bytes, whole_ == nullptr ? held_back : 0, after)) {
            return false;
        }
        if (whole_ != nullptr && !whole_->charge(bytes, held_back)) {
            used_.fetch_sub(bytes, memory_order::relaxed);
            return false;
        }
        std::size_t peak = peak_.load(memory_order::relaxed);
        while (peak < after && !peak_.compare_exchange(peak, after, memory_order::relaxed)) {
        }
        return true;
    }
    /// Takes them whether they fit or not: the caller is about to give back as much.
    void add(std::size_t bytes) noexcept {
        used_.fetch_add(bytes, memory_order::relaxed);
        if (whole_ != nullptr) {
            whole_->add(bytes);
        }
    }
    void give_back(std::size_t bytes) noexcept {
        used_.fetch_sub(bytes, memory_order::relaxed);
        if (whole_ != nullptr) {
            whole_->give_back(bytes);
        }
    }

    void set_limit(std::size_t limit) noexcept { limit_.store(limit, memory_order::seq_cst); }
    [[nodiscard]] std::size_t limit() const noexcept { return limit_.load(memory_order::relaxed); }
    /// What limits it most: this limit, or the whole's.
    [[nodiscard]] std::size_t lowest_limit() const noexcept {
        const std::size_t own = limit(), whole = whole_ != nullptr ? whole_->lowest_limit() : own;
        return own < whole ? own : whole;
    }
    [[nodiscard]] std::size_t used() const noexcept { return used_.load(memory_order::seq_cst); }
    [[nodiscard]] std::size_t peak() const noexcept { return peak_.load(memory_order::relaxed); }
    /// Whether this is a part, and has no room for so many bytes, whatever the whole has.
    [[nodiscard]] bool is_short_part(std::size_t bytes) const noexcept {
        const std::size_t limit = limit_.load(memory_order::relaxed), used = used_.load(memory_order::relaxed);
        return whole_ != nullptr && (used > limit || bytes > limit - used);
    }

private:
    /// `after`: what is used then.
    [[nodiscard]] bool charge_here(std::size_t bytes, std::size_t held_back, std::size_t& after) noexcept {
        std::size_t used = used_.load(memory_order::relaxed);
        do {
            const std::size_t limit = limit_.load(memory_order::relaxed);
            if (bytes > limit || used > limit - bytes || held_back > limit - bytes - used) {
                return false;
            }
            after = used + bytes;
        } while (!used_.compare_exchange(used, after, memory_order::seq_cst));
        if (after > limit_.load(memory_order::seq_cst)) [[unlikely]] {
            used_.fetch_sub(bytes, memory_order::relaxed); // the limit was lowered meanwhile
            return false;
        }
        return true;
    }

    atomic<std::size_t> used_{0};
    atomic<std::size_t> limit_;
    atomic<std::size_t> peak_{0};
    byte_budget* whole_ = nullptr;
};

/// A page source under a budget: every page is charged before it is acquired, and refused with `limit`.
///
/// To release pages may take a system call of microseconds, or the split of a huge page, where everything else under a
/// partition's lock takes a fraction of one. So its releases are `deferred`: noted in the pages themselves, and done by
/// whoever lets the lock go (take_deferred, then release_all). An acquisition that is refused does them first. A source that
/// releases at once is as safe from many threads as what is behind it; one that defers belongs to who has the lock.
class limited_source {
public:
    enum class releases { at_once, deferred };

    /// Runs of pages that wait to be released. To be handed to release_all of the source that it came from.
    class [[nodiscard]] deferred_runs {
    public:
        [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

    private:
        friend class limited_source;
        struct run {
            run* next;
            std::size_t pages;
        };
        run* first_ = nullptr;
    };

    /// For a scope, acquisitions leave so many bytes of the limit free: what others have reserved; and are in this context.
    class [[nodiscard]] holding_back {
    public:
        holding_back(limited_source& source, std::size_t bytes, acquire_context context = {}) noexcept
            : source_{source} {
            source_.held_back_ = bytes;
            source_.context_ = context;
        }
        ~holding_back() {
            source_.held_back_ = 0;
            source_.context_ = acquire_context{};
        }
        holding_back(const holding_back&) = delete;
        holding_back& operator=(const holding_back&) = delete;

    private:
        limited_source& source_;
    };

    limited_source(page_source_ref source, byte_budget& budget, releases mode = releases::at_once) noexcept
        : source_{source}, budget_{budget}, mode_{mode} {}
    ~limited_source() { release_all(take_deferred()); }
    limited_source(const limited_source&) = delete;
    limited_source& operator=(const limited_source&) = delete;

    [[nodiscard]] std::size_t page_size() const noexcept { return source_.page_size(); }
    /// Of the budget.
    [[nodiscard]] std::size_t limit() const noexcept { return budget_.lowest_limit(); }

    result<void*> acquire(std::size_t pages, node_id node) noexcept { return acquire(pages, node, context_); }
    result<void*> acquire(std::size_t pages, node_id node, acquire_context context) noexcept {
        if (pages > ~std::size_t{0} / source_.page_size()) {
            return status::no_memory;
        }
        const result<void*> memory = acquire_charged(pages, node, context);
        if (memory || deferred_.empty()) {
            return memory;
        }
        release_all(take_deferred());
        return acquire_charged(pages, node, context);
    }
    void release(void* p, std::size_t pages) noexcept {
        if (mode_ == releases::at_once) {
            release_now(p, pages);
        } else {
            ++changes_;
            deferred_.first_ = ::new (p) deferred_runs::run{deferred_.first_, pages};
        }
    }

    /// Whether the last refusal with `limit` was for the node's, not the store's. The owner of the lock asks; noted only
    /// where releases are deferred, as other sources have no lock.
    [[nodiscard]] bool is_node_short() const noexcept { return is_node_short_; }
    /// A number that changes with every acquisition and release, where those are deferred.
    [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }

    /// What was released since the last time. The owner of the lock calls it.
    deferred_runs take_deferred() noexcept {
        const deferred_runs taken = deferred_;
        deferred_ = deferred_runs{};
        return taken;
    }
    /// Safe without the lock: it touches the source and the budget only.
    void release_all(deferred_runs runs) noexcept {
        while (runs.first_ != nullptr) {
            deferred_runs::run* const one = runs.first_;
            runs.first_ = one->next;
            release_now(one, one->pages);
        }
    }

private:
    result<void*> acquire_charged(std::size_t pages, node_id node, acquire_context context) noexcept {
        const std::size_t bytes = pages * source_.page_size();
        if (!budget_.charge(bytes, held_back_)) {
            if (mode_ == releases::deferred) {
                is_node_short_ = budget_.is_short_part(bytes);
            }
            return status::limit;
        }
        const result<void*> memory = source_.acquire(pages, node, context);
        if (!memory) {
            budget_.give_back(bytes);
        }
        if (mode_ == releases::deferred) {
            ++changes_;
        }
        return memory;
    }
    void release_now(void* p, std::size_t pages) noexcept {
        source_.release(p, pages);
        budget_.give_back(pages * source_.page_size());
    }

    page_source_ref source_;
    byte_budget& budget_;
    releases mode_;
    deferred_runs deferred_{};
    std::size_t held_back_ = 0;
    bool is_node_short_ = false;
    acquire_context context_{};
    std::uint64_t changes_ = 0;
};

} // namespace pagefold
