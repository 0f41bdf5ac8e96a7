// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "connection.hpp"
#include "guest.hpp"
#include "template_memory.hpp"

#include <pagefold/control/budget.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <thread>
#include <vector>

// All guests of this process: one store, a pool for each, one budget.
//
// Threads. With one, it waits for whatever comes first and does all. With more, they wait for guests in an epoll set, and the first one,
// which then serves no faults, for all else. A guest's descriptors tell once until they are armed again, so whoever heard one has
// claimed the guest for so long: its messages and faults stay in order. Evictions claim nothing: a guest loses pages while
// its faults are served, one after the other (guest.hpp). What the guests share is under `books_`: who they are, who of them loses
// pages, what is printed. It is held for steps that are short; a guest's lock may be taken under it, never the other way. A guest that
// left is gone once nobody has it any more.
//
// A thread takes the room that its fault needs before it takes the pages: so all of them together stay within the budget.
//
// The budget. --resident bounds the guests' pages in memory. --memory bounds those and all of the store, so that what the
// store takes the guests lose; an eighth of it is kept for pages in memory, where the machine would do nothing but fault.
// Where the store refuses pages, they stay and the bound gives way: it is counted, and said once.
//
// With --auto the bound of the guests' pages is steered besides: by how long faults take, and by the pages that come straight back.
//
// The end. With --save the guests' pages stay where they are, and those in the store go to a file. A file is for one restart:
// it loses its name before the first guest goes on with its pages, because from there on it is older than they are.
//
// Who loses pages. The guest with most of them, each divided by how much it lately missed what it lost: a guest that never
// misses its pages is idle, or has too many. No guest is pressed below a share of its own while others are above theirs.

namespace vm_pager {

class host {
public:
    /// Throws failure.
    explicit host(const arguments& given);
    ~host() { stop_threads(); }
    host(const host&) = delete;
    host& operator=(const host&) = delete;

    /// Reads what was saved and the template, if there are any. Then serves until the signals' descriptor has one that ends it,
    /// after which every guest is saved or given back, or all guests that were to come are gone. False where a guest could not be
    /// given back, or one that was saved did not come back.
    /// Throws failure.
    [[nodiscard]] bool run(int signals);

private:
    using clock = std::chrono::steady_clock;

    [[nodiscard]] bool read_template(int signals);
    [[nodiscard]] bool hear_signal(int signals);
    void fill_polled(int signals);
    [[nodiscard]] int patience() const noexcept;

    using guest_ref = std::shared_ptr<guest>;
    enum class part : std::uint8_t { faults, socket };

    [[nodiscard]] bool has_threads() const noexcept { return given_.threads > 1; }
    void start_threads();
    void stop_threads() noexcept;
    void work() noexcept;
    /// Hears up to so many guests, and serves them. `patience`: as epoll_wait's.
    void serve_guests(int most, int patience) noexcept;
    void serve(guest& g) noexcept;
    void serve_waiting() noexcept;
    [[nodiscard]] guest_ref find(std::uint64_t number) noexcept;
    /// 0, or errno.
    int arm(unsigned number, part of, int descriptor, int operation) noexcept;
    void let_leave(const guest_ref& g);
    void accept_clients();
    void hear_clients();
    void introduce(connection& client, introduction who);
    void bid_farewell(guest& leaving); // under books_, or without threads, as all that follow up to give_all_back
    void show_guests();
    [[nodiscard]] bool end();
    [[nodiscard]] bool restore(int signals);
    void take_base(const saved_base& base);
    [[nodiscard]] saved_guest* find_saved(const guest_memory& memory);
    void spend_image();
    [[nodiscard]] bool save();
    [[nodiscard]] bool drop_unclaimed();
    [[nodiscard]] bool give_all_back();
    void put_away() noexcept;
    void look_around();

    /// Pages that are about to come, and are counted until they have.
    class room {
    public:
        room(std::atomic<std::size_t>& promised, std::size_t pages, host& from) noexcept
            : promised_{promised}, pages_{pages} {
            promised_ += pages;
            from.evict_excess();
        }
        room(const room&) = delete;
        room& operator=(const room&) = delete;
        ~room() { promised_ -= pages_; }

    private:
        std::atomic<std::size_t>& promised_;
        std::size_t pages_;
    };

    [[nodiscard]] std::size_t resident() const noexcept { return resident_.load(); }
    [[nodiscard]] std::size_t allowed() const noexcept;
    [[nodiscard]] room make_room(std::size_t pages) noexcept { return {promised_, pages, *this}; }
    void evict_excess() noexcept;
    void steer() noexcept;
    void fit_steering(std::size_t more) noexcept;
    void note_steering() noexcept { steered_ = static_cast<std::size_t>(steering_->bytes()); }
    void forget_refaults(std::size_t freed) noexcept;
    [[nodiscard]] guest_ref choose() const noexcept;
    void note_peak() noexcept;
    void show_line();

    arguments given_;
    source_type source_;
    store_type store_;
    std::unique_ptr<base_memory> base_;   // what all guests begin as, or none
    template_memory* template_ = nullptr; // the same, while it is read
    listener listener_;
    std::list<connection> clients_;
    std::list<saved_guest> saved_; // that have not come back; not destroyed before the guests' base by themselves
    bool has_spent_image_ = false;
    std::atomic<std::size_t> resident_{0}; // pages of all guests
    std::atomic<std::size_t> promised_{0}; // pages that are about to come
    std::map<unsigned, guest_ref> guests_; // by number
    std::deque<guest_ref> waiting_;        // claimed, with faults that can't be served yet
    std::atomic<std::size_t> waiting_count_{0};
    mutable std::mutex books_;
    std::vector<pollfd> polled_;
    unique_fd heard_; // an epoll set: a guest's number and part
    unique_fd bell_;  // a thread has something for the first one
    unique_fd end_;   // for all threads
    std::vector<std::thread> threads_;
    std::atomic<bool> is_ending_{false};
    std::atomic_flag is_ahead_ = ATOMIC_FLAG_INIT; // a thread makes room for what is to come
    clock::time_point next_look_ = clock::now();
    clock::time_point next_accept_ = clock::now(); // later, where no client could be taken
    bool has_said_no_accept_ = false;
    unsigned arrived_ = 0;
    std::atomic<unsigned> left_{0};
    std::size_t since_forgetting_ = 0; // pages evicted
    std::size_t to_put_away_ = 0;      // pages, for a signal
    unsigned refusals_in_a_row_ = 0;   // evictions that freed nothing
    unsigned refusals_to_wait_ = 0;    // how often room is not made now
    std::uint64_t faults_of_the_gone_ = 0;
    std::uint64_t last_faults_ = 0;
    std::atomic<std::size_t> peak_resident_{0}; // bytes, as the next two
    std::atomic<std::size_t> peak_memory_{0};
    std::atomic<std::size_t> peak_over_{0}; ///< most above the budget
    std::atomic<bool> has_said_full_{false};
    pagefold::steady_clock ticks_;
    std::optional<pagefold::budget<pagefold::steady_clock>> steering_; // none without --auto
    std::atomic<std::size_t> steered_{arguments::unlimited};
    clock::time_point next_step_ = clock::now();
    guest_stats of_the_gone_{};
};

} // namespace vm_pager
