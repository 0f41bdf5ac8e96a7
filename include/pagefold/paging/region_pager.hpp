// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/paging/concept.hpp>
#include <pagefold/paging/page_states.hpp>
#include <pagefold/paging/region_pager_options.hpp>
#include <pagefold/paging/resident_pages.hpp>
#include <pagefold/paging/stride_read_ahead.hpp>
#include <pagefold/paging/transit_queue.hpp>

#include <cstddef>
#include <cstdint>

// A region of pages larger than the memory that it may use: which page is where, which one goes next, and what it
// costs. How pages are moved is the backend's (concept.hpp), where they are kept is a store's.
//
//   fault      nowhere → resident or clean: as the base has it    zero → the same: zeros    stored → the same: get
//              in_transit → as it was: put back                   clean → resident: a write
//   eviction   resident, clean → in_transit: taken out            in_transit → stored: put, or nothing where a copy is as good
//              in_transit → nowhere, zero: as the base has it, or found to be zeros, which take nothing in the store
//   drop       any → zero
//   loss       stored → lost, where the store says that the page is corrupt or that it has none; until it is dropped
//
// Invariants. (1) A page is dropped from memory only when the store has answered ok to its bytes as they are then, or
// they are zeros, or the base has them. (2) A page whose put is refused goes back to the program; where the backend
// refuses that as well, it stays in transit and is tried again, by each fault of it and each eviction. (3) The store
// has an entry of a page only where the page's byte says so; an entry that is older than the page is never read. (4) A
// refusal of the backend or the store, whatever it is, leaves each page in a state of the table, with its content. (5)
// Lost stays lost: neither a fault nor an eviction changes it.
//
// "A short while" is Linux's (mm/workingset.c): a page is a refault where fewer pages went since than are in memory. It
// is inserted as one that was wanted.
//
// The queue is the second chance of the segmented FIFO (Turner, Levy: "Segmented FIFO page replacement", SIGMETRICS
// 1981), for hosts that see no accessed bits; where the backend tells them (accessed_backend), a victim that was used
// is inserted again.
//
// Locking, for hosts. One call at a time: a lock of the host's is held around each, check and statistics included. It
// may be held for long (get and put), so it is one that sleeps; or calls come from one thread. Nothing is waited for
// inside. The backend and the store are called with it held; they must not wait for a thread that waits for it. A call
// that comes back from within one (a page source that reclaims, a fault in the fault handler) is answered busy, or
// frees nothing, and changes nothing: it is told by a mark, which is no lock. The program's accesses need no lock: the
// backend orders them. Who was answered busy asks again, or the faulting thread does, by its next access.
//
// Costs. A fault: a page's get, at most 8 evictions of a batch, and the read-ahead; where 1024 looks at pages that were
// used found no victim, the limit gives way by one. An eviction: at most 256 pages are put or put back, each put is
// tried again 4 times after copies were dropped for it, and 512 looks for victims and 512 for copies; pages that have
// left the queue by another way are passed by, each once. drop, forget, prefetch: their pages.
// drop_copies: a look at each page in memory. Memory: see bytes_for.

namespace pagefold::inline PAGEFOLD_ABI {

/// The pages of one region, over a pool of its own. `Store` and `backend` outlive it.
template <paged_store Store, paging_backend Backend, eviction_policy Policy>
class region_pager {
public:
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr std::size_t max_batch = 64;
    /// Of a region; what its tables take can be counted.
    static constexpr std::size_t max_pages = sizeof(std::size_t) == 4 ? 0x07ffffffu : 0xfffffffeu;
    static constexpr std::size_t alignment = resident_pages<Policy>::alignment();

    region_pager(Store& store, Backend& backend) noexcept : store_{store}, backend_{backend} {}
    region_pager(const region_pager&) = delete;
    region_pager& operator=(const region_pager&) = delete;

    /// The memory that its tables take: five bytes and a little more than a bit a page, the policy's hook, and four
    /// bytes a place of the queue, which has at least 128.
    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t pages,
                                                         const region_pager_options& options) noexcept {
        return resident_pages<Policy>::bytes_for(pages) + round_up(page_states::bytes_for(pages), sizeof(slot_id)) +
               transit_queue::bytes_for(places_for(options));
    }
    /// All pages are nowhere: for a backend whose pages are missing, and keys that the pool has none of. `memory` is
    /// the host's, aligned to `alignment`, with bytes_for(pages, options) bytes, and outlives the pager or the next
    /// open. A region may have no page. invalid: an argument; then it is as if it had none.
    status open(byte_span memory, std::size_t pages, const region_pager_options& options) noexcept {
        if (is_entered_) {
            return status::busy;
        }
        pages_ = 0;
        stats_ = {};
        in_transit_ = entries_ = stored_ = 0;
        evictions_ = 1;
        vain_looks_ = 0;
        copy_hand_ = no_slot;
        set_.close();
        if (pages > max_pages || options.queue > max_pages / 4 || options.batch < 1 || options.batch > max_batch ||
            options.read_ahead < 1 || options.read_ahead > stride_read_ahead::max_window ||
            options.first_index > max_page_index || pages > max_page_index - options.first_index ||
            (options.may_vanish && !based_backend<Backend>) || memory.size() < bytes_for(pages, options) ||
            reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0) {
            return status::invalid;
        }
        if (!options.memory_is_zero) {
            fill_bytes(memory.data(), 0, bytes_for(pages, options));
        }
        options_ = options;
        std::byte* at = memory.data();
        set_.open(at, pages);
        at += resident_pages<Policy>::bytes_for(pages);
        states_.open(at, pages);
        at += round_up(page_states::bytes_for(pages), sizeof(slot_id));
        queue_.open(at, places_for(options));
        ahead_ = stride_read_ahead{options.read_ahead};
        pages_ = pages;
        return status::ok;
    }

    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    /// Of a page of the region.
    [[nodiscard]] page_state state(slot_id page) const noexcept { return states_.state(page); }
    /// Pages that take memory.
    [[nodiscard]] std::size_t in_memory() const noexcept { return set_.size() + in_transit_; }
    [[nodiscard]] page_key key(slot_id page) const noexcept {
        return {options_.pool, options_.object, options_.first_index + page};
    }
    [[nodiscard]] region_pager_stats statistics() const noexcept {
        region_pager_stats s = stats_;
        s.resident_pages = set_.size();
        s.in_transit_pages = in_transit_;
        s.stored_pages = stored_;
        s.copied_pages = entries_ - stored_;
        return s;
    }
    /// Pages in memory from here on. What is too much goes by evict, or as faults come.
    void set_limit(std::size_t pages) noexcept { options_.limit = pages; }

    /// Somebody touched the page and waits. ok: it is there, or was, and he was woken. corrupt: it is lost, and he
    /// heard an error as far as the backend has a way. invalid: no page of the region, or so the backend says. Anything else, busy among it:
    /// the backend, the store or memory refused for now, nothing was lost, and he still waits: ask again. May be asked
    /// as often as one likes, whatever the state.
    status fault(slot_id page, bool is_write) noexcept {
        const entry in{*this};
        return !in ? status::busy : page >= pages_ ? status::invalid : resolve(page, is_write);
    }
    /// Frees up to `wanted` pages, at most max_batch; pages that were refused and stay are tried again later.
    pages_freed evict(std::size_t wanted) noexcept {
        const entry in{*this};
        return in ? evict_some(wanted) : pages_freed{};
    }
    /// That page leaves memory. ok: it has left. not_found: it is not in memory. Else why it stays: in transit where
    /// the backend could not put it back, resident in all other cases. unavailable among them: it was written, and its
    /// pool may lose it.
    status evict_page(slot_id page) noexcept {
        const entry in{*this};
        if (!in) {
            return status::busy;
        }
        if (page >= pages_) {
            return status::invalid;
        }
        if (states_.at(page) != page_states::resident && states_.at(page) != page_states::in_transit) {
            return status::not_found;
        }
        copy_looks_ = 2 * most_looks;
        if (states_.at(page) == page_states::resident) {
            if (!has_room_in_queue()) {
                static_cast<void>(settle(1));
            }
            if (!has_room_in_queue()) {
                return status::busy;
            }
            const pages_done done = backend_.take_out(page, 1);
            if (done.done != 1) {
                return refused(done.why);
            }
            set_.remove(page);
            note_taken(page);
        }
        return settle_page(page);
    }
    /// Brings pages that are not in memory, without waking anybody and without evicting for it. `done`: so many of the
    /// run are there from its first on. Stopped by limit: no more may be in memory. corrupt: the next is lost. Else
    /// what refused.
    pages_done prefetch(slot_id first, std::size_t count) noexcept {
        const entry in{*this};
        if (!in) {
            return {0, status::busy};
        }
        if (!is_range(first, count)) {
            return {0, status::invalid};
        }
        for (std::size_t at = 0; at < count;) {
            const auto page = static_cast<slot_id>(first + at);
            const page_states::place place = states_.at(page);
            if (place == page_states::lost) {
                return {at, status::corrupt};
            }
            if (place == page_states::resident) {
                ++at;
                continue;
            }
            if (place == page_states::in_transit) {
                if (const status s = return_page(page, false); s != status::ok) {
                    return {at, s};
                }
                continue;
            }
            if (in_memory() >= options_.limit) {
                return {at, status::limit};
            }
            const std::size_t room = options_.limit - in_memory();
            const std::size_t run = run_from(page, count - at < room ? count - at : room);
            const pages_done done = bring_run(page, run, page_access::read, false);
            stats_.prefetched_pages += done.done;
            at += done.done;
            if (done.why != status::ok) {
                return {at, done.why};
            }
        }
        return {count, status::ok};
    }

    /// The pages become zeros, and cost nothing; lost ones, too. Nobody may write to them meanwhile. ok: all, and who
    /// waited was woken. Else something refused: pages before that are zeros, the others as they were; ask again.
    /// invalid: no pages of the region.
    status drop(slot_id first, std::size_t count) noexcept {
        const entry in{*this};
        if (!in) {
            return status::busy;
        }
        if (!is_range(first, count)) {
            return status::invalid;
        }
        for (std::size_t at = 0; at < count;) {
            const pages_done done = drop_run(static_cast<slot_id>(first + at), count - at);
            at += done.done;
            if (done.why != status::ok) {
                return done.why;
            }
        }
        return count == 0 ? status::ok : told(backend_.wake(first, count));
    }
    /// The pages have gone by themselves, as after a call of the program's that its host hears of later: they are
    /// zeros, and the backend is not asked, but to say of lost ones that they are missing again; what it kept of a page
    /// in transit is its own to free. Else as drop.
    status forget(slot_id first, std::size_t count) noexcept {
        const entry in{*this};
        if (!in) {
            return status::busy;
        }
        if (!is_range(first, count)) {
            return status::invalid;
        }
        for (std::size_t at = 0; at < count; ++at) {
            const auto page = static_cast<slot_id>(first + at);
            if (const status s = forget_copies(page); s != status::ok) {
                return s;
            }
            leave_memory(page);
            become_zero(page);
        }
        return status::ok;
    }
    /// The pages have come by themselves: somebody else brought them, and what they have is newer than any copy. Of
    /// pages that are in memory already, that the copy is not to be believed; a page in transit is out of it, and what the
    /// backend kept of it is the backend's to free. O(count).
    status appeared(slot_id first, std::size_t count) noexcept {
        const entry in{*this};
        if (!in) {
            return status::busy;
        }
        if (!is_range(first, count)) {
            return status::invalid;
        }
        for (std::size_t at = 0; at < count; ++at) {
            const auto page = static_cast<slot_id>(first + at);
            if (states_.at(page) == page_states::resident) {
                note_written(page);
                continue;
            }
            if (states_.at(page) == page_states::in_transit) { // what was taken out is older
                leave_memory(page);
                states_.set_stamp(page, 0);
            }
            note_brought(page, page_access::write);
        }
        return status::ok;
    }
    /// Pages begin as they were when somebody saved them: `stored`, where the pool has them already (restored from an
    /// image, or of a pager that ended), `lost`, `zero`, or `nowhere` again. invalid: no pages of the region, another
    /// state, or a page of them is in memory, in the store or lost; then none is changed. O(count).
    status adopt(slot_id first, std::size_t count, page_state state) noexcept {
        const entry in{*this};
        if (!in) {
            return status::busy;
        }
        const bool is_absent = state == page_state::nowhere || state == page_state::zero;
        if (!is_range(first, count) || (!is_absent && state != page_state::stored && state != page_state::lost)) {
            return status::invalid;
        }
        for (std::size_t at = 0; at < count; ++at) {
            if (states_.at(static_cast<slot_id>(first + at)) != page_states::absent) {
                return status::invalid;
            }
        }
        for (std::size_t at = 0; at < count; ++at) {
            const auto page = static_cast<slot_id>(first + at);
            become_zero(page);
            if (state == page_state::nowhere || (state == page_state::stored && options_.may_vanish)) {
                states_.set(page, page_states::zero_base, false);
            }
            set_entry(page, state == page_state::stored);
            set_place(page, is_absent                   ? page_states::absent
                            : state == page_state::lost ? page_states::lost
                                                        : page_states::stored);
        }
        return status::ok;
    }
    /// What the store has of pages that are in memory goes, to give it room; how many, at most `wanted`. They cost a
    /// put when they go.
    std::size_t drop_copies(std::size_t wanted) noexcept {
        const entry in{*this};
        copy_looks_ = in ? set_.size() : copy_looks_;
        return in ? drop_some_copies(wanted) : 0;
    }

    /// Walks everything and compares every counter, for tests. O(pages).
    [[nodiscard]] bool check() noexcept {
        std::size_t entries = 0, stored = 0, transit = 0;
        for (std::size_t i = 0; i < pages_; ++i) {
            const auto page = static_cast<slot_id>(i);
            const page_states::place place = states_.at(page);
            const bool has_entry = states_.has(page, page_states::has_entry);
            const bool is_copied = place == page_states::resident || place == page_states::in_transit;
            const bool holds = place <= page_states::lost && set_.has(page) == (place == page_states::resident) &&
                               (place != page_states::stored || has_entry) &&
                               (place != page_states::absent || !has_entry) &&
                               (is_copied || !states_.has(page, page_states::good)) &&
                               (place != page_states::in_transit || queue_.has(page, states_.stamp(page)));
            if (!holds) {
                return false;
            }
            entries += has_entry ? 1u : 0u;
            stored += place == page_states::stored ? 1u : 0u;
            transit += place == page_states::in_transit ? 1u : 0u;
        }
        return !is_entered_ && entries == entries_ && stored == stored_ && transit == in_transit_ &&
               (pages_ == 0 || set_.check());
    }

private:
    static constexpr std::size_t max_run = 16;
    static constexpr std::size_t most_looks = 256;
    static constexpr std::size_t copies_a_refusal = 64;
    static constexpr unsigned evictions_a_fault = 4;
    static constexpr unsigned tries_a_put = 5;

    /// Holds while nobody else is inside.
    class entry {
    public:
        explicit entry(region_pager& owner) noexcept : owner_{owner}, is_first_{!owner.is_entered_} {
            owner_.is_entered_ = true;
        }
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;
        ~entry() {
            if (is_first_) {
                owner_.is_entered_ = false;
            }
        }
        [[nodiscard]] explicit operator bool() const noexcept { return is_first_; }

    private:
        region_pager& owner_;
        bool is_first_;
    };

    [[nodiscard]] static constexpr std::size_t places_for(const region_pager_options& options) noexcept {
        return options.queue + 2 * max_batch;
    }
    [[nodiscard]] bool is_range(slot_id first, std::size_t count) const noexcept {
        return first <= pages_ && count <= pages_ - first;
    }
    [[nodiscard]] static bool is_zeros(byte_view page) noexcept {
        for (std::size_t at = 0; at < page_size; at += sizeof(std::uint64_t)) {
            if (load_native<std::uint64_t>(page.data() + at) != 0) {
                return false;
            }
        }
        return true;
    }
    static_assert(page_size % sizeof(std::uint64_t) == 0);

    // Backends and stores that answer what makes no sense are refusals.

    status told(status s) noexcept {
        stats_.backend_refusals += s == status::ok ? 0u : 1u;
        return s == status::corrupt ? status::unavailable : s; // a base that is damaged is no page that is lost
    }
    status refused(status why) noexcept { return told(why == status::ok ? status::busy : why); }
    pages_done told(const pages_done& done, std::size_t count) noexcept {
        return done.done >= count ? pages_done{count, status::ok} : pages_done{done.done, refused(done.why)};
    }

    // Entries in the store.

    void set_entry(slot_id page, bool yes) noexcept {
        entries_ -= states_.has(page, page_states::has_entry) ? 1u : 0u;
        entries_ += yes ? 1u : 0u;
        states_.set(page, page_states::has_entry, yes);
    }
    /// No entry is left. What is not there, or in no pool, is gone. A page that is in memory has no good copy from here
    /// on, but the base's.
    status erase_entry(slot_id page) noexcept {
        if (!states_.has(page, page_states::has_entry)) {
            return status::ok;
        }
        if (!options_.may_vanish) { // there a good copy is one of the base's content, which has it as well
            states_.set(page, page_states::good, false);
        }
        const status s = store_.erase(key(page));
        if (s != status::ok && s != status::not_found && s != status::invalid) {
            return s;
        }
        set_entry(page, false);
        return status::ok;
    }
    std::size_t drop_some_copies(std::size_t wanted) noexcept {
        std::size_t dropped = 0;
        for (std::size_t seen = 0; seen < set_.size() && copy_looks_ != 0 && dropped < wanted && entries_ != stored_;
             ++seen, --copy_looks_) {
            copy_hand_ = set_.next(copy_hand_);
            if (states_.has(copy_hand_, page_states::has_entry) && erase_entry(copy_hand_) == status::ok) {
                ++dropped;
            }
        }
        stats_.dropped_copies += dropped;
        return dropped;
    }

    // Places.

    void set_place(slot_id page, page_states::place place) noexcept {
        stored_ -= states_.at(page) == page_states::stored ? 1u : 0u;
        stored_ += place == page_states::stored ? 1u : 0u;
        states_.set_place(page, place);
    }
    /// Asked once: from here on nobody writes to it, and a copy that is made is good.
    void note_taken(slot_id page) noexcept {
        if (states_.has(page, page_states::good) && backend_.was_written(page)) {
            states_.set(page, page_states::good, false);
        }
        set_place(page, page_states::in_transit);
        states_.set_stamp(page, queue_.push(page));
        ++in_transit_;
    }
    void become_resident(slot_id page, bool was_wanted) noexcept {
        set_place(page, page_states::resident);
        set_.insert(page, was_wanted);
    }
    void become_zero(slot_id page) noexcept {
        set_place(page, page_states::absent);
        states_.set(page, page_states::good, false);
        states_.set(page, page_states::barred, false);
        states_.set(page, page_states::ahead, false);
        states_.set(page, page_states::zero_base, true);
        states_.set_stamp(page, 0);
    }
    /// A page in memory is no more; what it becomes is set next.
    void leave_memory(slot_id page) noexcept {
        if (states_.at(page) == page_states::resident) {
            set_.remove(page);
        } else if (states_.at(page) == page_states::in_transit) {
            --in_transit_; // its place in the queue is passed by
        }
    }

    // Faults.

    status resolve(slot_id page, bool is_write) noexcept;
    status tell_lost(slot_id page) noexcept;
    status duplicate() noexcept;
    /// The copy is given up first: whatever becomes of the call, the page costs a put and is never taken for its copy.
    status allow_writing(slot_id page) noexcept;
    void note_written(slot_id page) noexcept;
    /// Out of transit, as it was.
    status return_page(slot_id page, bool is_write) noexcept;
    [[nodiscard]] bool is_from_base(slot_id page) const noexcept;
    /// How many pages from there on, at most `most` of the region, are out of memory and come from the same place.
    [[nodiscard]] std::size_t run_from(slot_id page, std::size_t most) const noexcept;
    [[nodiscard]] bool is_like(slot_id one, slot_id other) const noexcept;

    status bring(slot_id page, bool is_write) noexcept;
    /// As many of the advice, from its first on, as are like the page, fit into the region, and are no eighth of the
    /// limit.
    [[nodiscard]] std::size_t others_to_bring(slot_id page, const read_ahead_advice& advice) const noexcept;
    /// How many of them came, from the nearest on.
    [[nodiscard]] std::size_t bring_others(slot_id page, std::int64_t stride, std::size_t count) noexcept;
    /// Brings pages that are alike. May evict where the backend has no memory.
    pages_done bring_run(slot_id first, std::size_t count, page_access access, bool may_evict) noexcept;
    /// As many of them as one place of the backend has.
    pages_done bring_part(slot_id first, std::size_t count, page_access access) noexcept;
    /// Where neither the store nor the base has it, it is lost.
    status read_page(slot_id page, byte_span out) noexcept;
    PAGEFOLD_COLD void lose(slot_id page) noexcept;
    void note_brought(slot_id page, page_access access) noexcept;

    // Evictions.

    void make_room(std::size_t pages) noexcept;
    [[nodiscard]] bool is_over(std::size_t more) const noexcept;
    /// A small region does not lose all that it has at once.
    [[nodiscard]] std::size_t batch() const noexcept;
    [[nodiscard]] std::size_t room_in_queue() const noexcept { return queue_.capacity() - queue_.length(); }
    [[nodiscard]] bool has_room_in_queue() noexcept;
    [[nodiscard]] bool is_front_in_transit() const noexcept;

    pages_freed evict_some(std::size_t wanted) noexcept;
    struct search {
        std::size_t looks = 0;
        bool is_over = false; // no page is left that may go
    };
    /// Takes pages out and puts them into the queue, runs in the order of their addresses.
    search take_victims(std::size_t most) noexcept;
    [[nodiscard]] bool was_used(slot_id page) noexcept;
    /// The oldest in transit go where they are to go; how many have left. Each is met once.
    std::size_t settle(std::size_t most) noexcept;
    /// Pages side by side that have left the queue.
    std::size_t settle_run(const slot_id* run, std::size_t count) noexcept;
    /// One page in transit, wherever it is in the queue.
    status settle_page(slot_id page) noexcept;
    /// A good copy of a page in transit is somewhere. Else why there is none.
    status find_copy(slot_id page, bool& is_put) noexcept;
    /// Where the store has no room, copies of pages that are in memory give theirs.
    status put(slot_id page, byte_view bytes, bool must) noexcept;
    void note_gone(slot_id page, bool was_put) noexcept;
    /// A page in transit that is in no place of the queue.
    void stays(slot_id page) noexcept;
    /// A page that waits for a write is protected; one that has a good copy as well.
    bool put_back(slot_id page) noexcept;

    // Drops.

    /// Neither the store nor a mark of the backend's knows of the page any more.
    status forget_copies(slot_id page) noexcept {
        const status s = erase_entry(page);
        const bool is_marked = s == status::ok && states_.at(page) == page_states::lost;
        return is_marked ? told(backend_.set_lost(page, false)) : s;
    }
    pages_done drop_run(slot_id first, std::size_t count) noexcept {
        const page_states::place place = states_.at(first);
        if (const status s = forget_copies(first); s != status::ok) {
            return {0, s};
        }
        if (place != page_states::resident && place != page_states::in_transit) {
            become_zero(first);
            return {1, status::ok};
        }
        std::size_t run = 1;
        while (run < count && run < max_batch && states_.at(static_cast<slot_id>(first + run)) == place &&
               erase_entry(static_cast<slot_id>(first + run)) == status::ok) {
            ++run;
        }
        const pages_done done = told(backend_.drop(first, run), run);
        for (std::size_t i = 0; i < done.done; ++i) {
            leave_memory(static_cast<slot_id>(first + i));
            become_zero(static_cast<slot_id>(first + i));
        }
        return done;
    }

    Store& store_;
    Backend& backend_;
    region_pager_options options_{};
    resident_pages<Policy> set_{};
    page_states states_{};
    transit_queue queue_{};
    stride_read_ahead ahead_{};
    std::size_t pages_ = 0;
    std::size_t in_transit_ = 0;
    std::size_t entries_ = 0; // pages of which the store has something
    std::size_t stored_ = 0;  // of those: pages that are nowhere else
    std::size_t vain_looks_ = 0;
    std::size_t copy_looks_ = 0;  // that the call has left, for pages whose copies may go
    std::uint32_t evictions_ = 1; // the next one's number, never 0
    slot_id copy_hand_ = no_slot;
    bool is_entered_ = false;
    bool is_store_full_ = false;
    region_pager_stats stats_{};
};

} // namespace pagefold

#include <pagefold/paging/region_evictions.hpp>
#include <pagefold/paging/region_faults.hpp>
