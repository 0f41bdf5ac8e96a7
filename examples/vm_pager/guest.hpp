// SPDX-License-Identifier: MIT
#pragma once

#include "base_memory.hpp"
#include "guest_memory.hpp"
#include "saved_guests.hpp"
#include "store.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/hosted/read_ahead.hpp>
#include <pagefold/hosted/resident_set.hpp>
#include <pagefold/hosted/steady_clock.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

// One guest: where every page of it is, its faults and its evictions.
//
//   nowhere   as its base has it (a snapshot or a template), or zeros (after a REMOVE, or without a base)
//   resident  in the guest's memory
//   stored    in the store alone
//   lost      neither can be read any more: whoever touches it gets SIGBUS
//
//   fault      nowhere | stored → resident    COPY, write-protected unless the guest writes: such a page is clean
//   write      resident, clean → dirty        the protection is lifted, the copy in the store erased
//   eviction   clean → where it came from     a hole in the file
//              dirty → stored                 protect, read, put, then the hole; or back, where the store refuses
//   REMOVE     any → nowhere, zeros
//   return     of a guest that was saved: what its memfd has is resident, all else as saved_guests.hpp says
//
// With a template the guest's pool is a clone of the template's, and an eviction's put compares: a page that was written and
// equals the template's is a reference there, one that is near it a delta. The store doesn't fall through, and what is nowhere
// is read by the template's id. A page that is zeros has no entry, as ever: its trait says so.
//
// One thread does all of it, so that a fault and an eviction of a page never meet. What does happen at the same time is
// the guest, and what its monitor does to the address space:
//
//   A writer that runs into the protection of an eviction waits until its message is read; by then its page is stored, and
//   comes back as for any fault. So evictions wake nobody.
//   While a REMOVE waits to be read every call answers EAGAIN, and the kernel hands out faults before events. So everything
//   is read before anything is served, REMOVEs are applied first, and a fault that meets EAGAIN stays in the queue.
//   The monitor goes on as soon as its REMOVE is read, and the kernel drops the pages a moment after that: a page
//   brought in between is dropped as well. A fault on a page that should be resident is therefore believed: it gets zeros.
//   Nothing is dropped here for a REMOVE, because the guest may have written the page again by then.

namespace vm_pager {

/// Counters since the guest came. Times in nanoseconds.
struct guest_stats {
    std::uint64_t faults;           ///< that brought a page
    std::uint64_t zero_faults;      ///< of those: zeros
    std::uint64_t snapshot_faults;  ///< of those: from the snapshot or the template
    std::uint64_t store_faults;     ///< of those: from the store
    std::uint64_t refaults;         ///< of those: of pages that went a short while before
    std::uint64_t write_faults;     ///< first writes to clean pages
    std::uint64_t read_ahead_pages; ///< pages brought besides those that faulted
    std::uint64_t removed_pages;    ///< given back by the guest
    std::uint64_t evicted_pages;    ///< that left the guest's memory
    std::uint64_t clean_pages;      ///< of those: needed no compression
    std::uint64_t refused_pages;    ///< evictions that the store refused; the page stayed
    std::uint64_t lost_pages;       ///< that could not be read any more
    std::uint64_t again;            ///< calls that met EAGAIN
    std::uint64_t fault_ns;         ///< in serving faults
    std::uint64_t longest_fault_ns;
};

class guest {
public:
    static constexpr std::size_t most_window = 16;
    static constexpr std::size_t most_batch = 64;

    /// Takes over memory that was registered. Throws refusal where the store has no room for a pool, the system none for the
    /// tables, or a region lies outside of what it begins as. `base` may be null.
    /// `saved`: it was here before, and goes on with that pool; or null. Who is refused leaves the pool as it was.
    guest(unsigned number, guest_memory memory, unique_fd socket, store_type& store, base_memory* base,
          const saved_guest* saved);
    ~guest();
    guest(const guest&) = delete;
    guest& operator=(const guest&) = delete;

    [[nodiscard]] unsigned number() const noexcept { return number_; }
    [[nodiscard]] int faults_descriptor() noexcept { return memory_.descriptor().descriptor(); }
    /// −1 once the monitor has closed it.
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] const guest_memory& memory() const noexcept { return memory_; }
    [[nodiscard]] std::size_t resident() const noexcept { return set_.resident(); }
    [[nodiscard]] std::size_t stored() const noexcept { return stored_only_; }
    [[nodiscard]] const guest_stats& stats() const noexcept { return stats_; }
    /// Of its pool in the store.
    [[nodiscard]] pagefold::pool_stats stored_as() const noexcept {
        return store_.statistics_of(pool_).value_or(pagefold::pool_stats{});
    }
    /// Faults of pages that should not have gone, of late.
    [[nodiscard]] std::size_t recent_refaults() const noexcept { return recent_refaults_; }
    void forget_half_of_refaults() noexcept { recent_refaults_ /= 2; }
    [[nodiscard]] bool has_gone() const noexcept { return has_gone_; }
    /// Whether faults wait that can't be served before other events were read.
    [[nodiscard]] bool has_faults() const noexcept { return !faults_.empty(); }

    /// Reads all messages and applies what is no fault.
    void read_messages() noexcept;
    /// Serves the faults that can be served now. `make_room(pages)` is called before so many come.
    template <class MakeRoom>
    void serve_faults(MakeRoom make_room) noexcept;
    /// Something came on the socket, which means nothing, or it was closed.
    void read_socket() noexcept;
    /// Notes whether the process is there.
    void look_after_process() noexcept { has_gone_ = has_gone_ || !memory_.is_alive(); }
    /// Finds pages that came into the file, or went, without a fault or an event.
    void look_at_file() noexcept;

    struct eviction {
        std::size_t freed = 0;  ///< pages that went
        std::size_t barred = 0; ///< pages that don't shrink, and won't be tried again
    };
    /// Evicts up to `pages`.
    [[nodiscard]] eviction evict(std::size_t pages) noexcept;
    /// Brings everything back and lets the guest go. False where pages could not be brought.
    [[nodiscard]] bool give_back() noexcept;

    /// Makes ready to be saved: from here on nothing is served. Throws failure where nobody would know it again.
    [[nodiscard]] saved_guest save();
    /// It is saved: who waits for a page asks again, and the next vm_pager hears it.
    void let_wait() noexcept;

    /// Walks everything and compares every counter, for tests.
    [[nodiscard]] bool check() noexcept;

private:
    using slot_id = pagefold::slot_id;
    enum class outcome { served, again };
    enum trait : std::uint8_t {
        zero_base = 1,      // what is below it are zeros, and not the base
        was_evicted = 2,    // once
        does_not_shrink = 4 // the store would not have it; it is protected, so that a write ends this
    };

    struct fault {
        slot_id page;
        bool is_write;
        bool is_protection;
    };

    /// A clone's page has the key of the template's.
    [[nodiscard]] pagefold::page_key key(slot_id page) const noexcept {
        return {pool_, 0, is_clone_ ? memory_.offset(page) / page_bytes : page};
    }
    [[nodiscard]] bool has_trait(slot_id page, trait t) const noexcept { return (traits_[page] & t) != 0; }
    void add_trait(slot_id page, trait t) noexcept { traits_[page] = static_cast<std::uint8_t>(traits_[page] | t); }
    [[nodiscard]] std::byte* buffer(std::size_t page) const noexcept { return buffer_.get() + page * page_bytes; }

    void clear_trait(slot_id page, trait t) noexcept { traits_[page] = static_cast<std::uint8_t>(traits_[page] & ~t); }

    void take_over(const saved_guest& saved);
    void note_message(const uffd_msg& message) noexcept;
    void remove(std::uint64_t start, std::uint64_t end) noexcept;

    [[nodiscard]] std::size_t window(slot_id page) noexcept;
    [[nodiscard]] outcome resolve(const fault& f) noexcept;
    [[nodiscard]] outcome allow_writing(slot_id page) noexcept;
    [[nodiscard]] outcome bring_again(slot_id page) noexcept;
    [[nodiscard]] outcome bring(const fault& f, std::size_t count) noexcept;
    /// Reads pages that are all at one place into the buffer; how many it could, the first ones.
    [[nodiscard]] std::size_t read_pages(slot_id first, std::size_t count) noexcept;
    /// Maps pages from the buffer; how many.
    [[nodiscard]] std::size_t map(slot_id first, std::size_t at, std::size_t count, bool protect, int& error) noexcept;
    void note_brought(slot_id page, bool is_clean) noexcept;
    [[nodiscard]] outcome lose(slot_id page) noexcept;
    void note_present(slot_id page) noexcept;

    [[nodiscard]] std::size_t evict_run(const slot_id* pages, std::size_t count, bool is_clean) noexcept;
    [[nodiscard]] pagefold::status put(slot_id page, const std::byte* bytes) noexcept;
    [[nodiscard]] bool drop_copies() noexcept;
    void forget_copy(slot_id page) noexcept;
    void stays(slot_id page, pagefold::status why) noexcept;

    // As resident_set's, and the counters are kept.
    void set_copy(slot_id page, bool is_good, bool is_stored) noexcept;
    void set_place(slot_id page, pagefold::page_place place) noexcept;
    void insert(slot_id page, bool was_wanted) noexcept;

    unsigned number_;
    guest_memory memory_;
    unique_fd socket_;
    store_type& store_;
    base_memory* base_;
    bool is_clone_;
    pagefold::pool_id pool_{};
    pagefold::resident_set<pagefold::clock> set_;
    pagefold::read_ahead ahead_{most_window};
    std::unique_ptr<std::uint8_t[], void (*)(void*)> traits_;
    std::unique_ptr<std::byte[], void (*)(void*)> buffer_;
    std::deque<fault> faults_;
    slot_id copy_hand_ = 0;
    std::size_t in_store_ = 0;    // pages with an entry in the store
    std::size_t stored_only_ = 0; // of those: pages that are nowhere else
    std::size_t recent_refaults_ = 0;
    bool has_gone_ = false;
    pagefold::steady_clock clock_;
    guest_stats stats_{};
};

template <class MakeRoom>
void guest::serve_faults(MakeRoom make_room) noexcept {
    while (!faults_.empty() && !has_gone_) {
        const std::uint64_t start = clock_.now();
        make_room(most_window);
        if (resolve(faults_.front()) == outcome::again) {
            ++stats_.again;
            return;
        }
        faults_.pop_front();
        const std::uint64_t took = clock_.now() - start;
        stats_.fault_ns += took;
        stats_.longest_fault_ns = took > stats_.longest_fault_ns ? took : stats_.longest_fault_ns;
    }
}

} // namespace vm_pager
