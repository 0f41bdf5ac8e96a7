// SPDX-License-Identifier: MIT
#pragma once

#include "base_memory.hpp"
#include "guest_backend.hpp"
#include "guest_memory.hpp"
#include "saved_guests.hpp"
#include "store.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/paging/keyed_store.hpp>
#include <pagefold/paging/region_pager.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

// One guest: a region_pager over its memory, and what the pager can't know: messages, the order in which they are obeyed, what
// no message tells, and what a guest is over a restart.
//
// What a page is that is nowhere: as its base has it, a snapshot or a template. Without one all pages begin as zeros. A page of
// the base that can't be read any more is lost, as one of the store.
//
// With a template the guest's pool is a clone of the template's, and an eviction's put compares: a page that was written and
// equals the template's is a reference there, one that is near it a delta. The store doesn't fall through, and what is nowhere
// is read by the template's id. So a clone's page has the key of the template's: its place in the file.
//
// Threads. Messages and faults are one thread's at a time, who has claimed the guest (host.hpp), so that they stay in order. A lock is
// held for each fault, message and eviction, so that no two of them meet; no call takes another guest's. What has a lock of its
// own is for any thread: resident, recent_refaults, has_gone, stats, evict, look_around, check. What does happen at the
// same time is the guest, and what its monitor does to the address space:
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
    std::uint64_t refaults;         ///< pages that came back a short while after they went
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
    static constexpr std::size_t most_window = guest_backend::window;

    /// Takes over memory that was registered. Throws refusal where the store has no room for a pool, the system none for the
    /// tables, or a region lies outside of what it begins as. `base` may be null.
    /// `saved`: it was here before, and goes on with that pool; or null. Who is refused leaves the pool as it was.
    /// `resident` is the sum of all guests' pages in memory, to which its own are added.
    guest(unsigned number, guest_memory memory, unique_fd socket, store_type& store, base_memory* base,
          const saved_guest* saved, std::atomic<std::size_t>& resident);
    ~guest();
    guest(const guest&) = delete;
    guest& operator=(const guest&) = delete;

    [[nodiscard]] unsigned number() const noexcept { return number_; }
    [[nodiscard]] int faults_descriptor() noexcept { return memory_.descriptor().descriptor(); }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] const guest_memory& memory() const noexcept { return memory_; }
    [[nodiscard]] std::size_t resident() const noexcept { return resident_.load(); }
    [[nodiscard]] std::size_t stored() const noexcept {
        return static_cast<std::size_t>(pager_.statistics().stored_pages);
    }
    [[nodiscard]] guest_stats stats() const noexcept {
        const std::lock_guard lock{mutex_};
        return counters();
    }
    /// Of its pool in the store.
    [[nodiscard]] pagefold::pool_stats stored_as() const noexcept {
        return store_.statistics_of(pool_).value_or(pagefold::pool_stats{});
    }
    /// Faults of pages that should not have gone, of late.
    [[nodiscard]] std::size_t recent_refaults() const noexcept { return recent_refaults_.load(); }
    void forget_half_of_refaults() noexcept { recent_refaults_ = recent_refaults_ / 2; }
    [[nodiscard]] bool has_gone() const noexcept { return has_gone_.load(); }
    /// Whether faults wait that can't be served before other events were read.
    [[nodiscard]] bool has_faults() const noexcept { return fault_count_ != 0; }

    /// Reads all messages and applies what is no fault.
    void read_messages() noexcept;
    /// Serves the faults that can be served now. What `make_room(pages)` answers before so many come lives until they have come.
    template <class MakeRoom>
    void serve_faults(MakeRoom make_room) noexcept;
    /// Something came on the socket, which means nothing, or it was closed: then −1, else the socket.
    [[nodiscard]] int read_socket() noexcept;
    /// Finds pages that came into the file, or went, without a fault or an event, and whether the process is there.
    void look_around() noexcept;
    /// Asks the system.
    [[nodiscard]] bool is_alive() noexcept {
        const std::lock_guard lock{mutex_};
        look_after_process();
        return !has_gone();
    }

    struct eviction {
        std::size_t freed = 0;  ///< pages that went
        std::size_t barred = 0; ///< pages that don't shrink, and won't be tried again
    };
    /// Evicts up to `pages`.
    [[nodiscard]] eviction evict(std::size_t pages) noexcept;
    /// Brings everything back and lets the guest go. False where pages could not be brought.
    [[nodiscard]] bool give_back() noexcept;

    /// Makes ready to be saved: from here on nothing is served. Throws failure where nobody would know it again, or its copies in the
    /// store would not go.
    [[nodiscard]] saved_guest save();
    /// It is saved: who waits for a page asks again, and the next vm_pager hears it.
    void let_wait() noexcept;

    /// Walks everything and compares every counter, for tests.
    [[nodiscard]] bool check() noexcept;

    bool is_waiting = false; ///< of the host's books

private:
    using slot_id = pagefold::slot_id;
    using state = pagefold::page_state;
    enum class outcome { served, again };

    /// Of a page that the pager asks for by its number.
    struct place_in_file {
        const guest_memory& memory;
        bool is_clone;

        pagefold::page_key operator()(const pagefold::page_key& key) const noexcept {
            return {key.pool, key.object,
                    is_clone ? memory.offset(static_cast<std::size_t>(key.index)) / page_bytes : key.index};
        }
    };
    using keys_type = pagefold::keyed_store<store_type, place_in_file>;
    using pager_type = pagefold::region_pager<keys_type, guest_backend, pagefold::clock>;

    struct fault {
        slot_id page;
        bool is_write;
        bool is_protection;
    };

    void open_pager();
    [[nodiscard]] guest_stats counters() const noexcept;
    void look_at_file() noexcept;
    void look_after_process() noexcept { has_gone_ = has_gone() || !memory_.is_alive(); }
    /// What others may know of, after a call that may have changed it.
    void publish() noexcept {
        const std::size_t now = pager_.in_memory();
        all_resident_ += now - resident_.exchange(now);
        has_gone_ = has_gone() || backend_.has_gone();
    }
    void take_over(const saved_guest& saved);
    void note_message(const uffd_msg& message) noexcept;
    void forget(std::size_t first, std::size_t count) noexcept;
    void appeared(slot_id page) noexcept;

    [[nodiscard]] bool is_there(slot_id page) const noexcept {
        return pager_.state(page) == state::resident || pager_.state(page) == state::clean;
    }
    [[nodiscard]] outcome resolve(const fault& f) noexcept;
    [[nodiscard]] outcome bring_again(slot_id page) noexcept;
    void count_fault(state from) noexcept;
    /// The base has it no more.
    void lose(slot_id page) noexcept;

    unsigned number_;
    guest_memory memory_;
    unique_fd socket_;
    store_type& store_;
    base_memory* base_;
    pagefold::pool_id pool_{};
    keys_type keys_;
    guest_backend backend_;
    pager_type pager_;
    std::unique_ptr<std::byte[], void (*)(void*)> tables_;
    std::deque<fault> faults_;
    std::atomic<std::size_t>& all_resident_;
    std::atomic<std::size_t> resident_{0};
    std::atomic<std::size_t> recent_refaults_{0};
    std::atomic<bool> has_gone_{false};
    std::atomic<std::size_t> fault_count_{0};
    mutable std::mutex mutex_; // for all but those
    pagefold::steady_clock clock_;
    guest_stats stats_{}; // what the pager doesn't count
};

template <class MakeRoom>
void guest::serve_faults(MakeRoom make_room) noexcept {
    while (has_faults() && !has_gone()) {
        const std::uint64_t start = clock_.now();
        const auto room = make_room(most_window);
        const std::lock_guard lock{mutex_};
        const outcome came = resolve(faults_.front());
        publish();
        if (came == outcome::again) {
            ++stats_.again;
            return;
        }
        faults_.pop_front();
        fault_count_ = faults_.size();
        const std::uint64_t took = clock_.now() - start;
        stats_.fault_ns += took;
        stats_.longest_fault_ns = took > stats_.longest_fault_ns ? took : stats_.longest_fault_ns;
    }
}

} // namespace vm_pager
