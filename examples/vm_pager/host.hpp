// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "connection.hpp"
#include "guest.hpp"
#include "template_memory.hpp"

#include <pagefold/control/budget.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <poll.h>
#include <vector>

// All guests of this process: one store, a pool for each, one budget. One thread, which waits for whatever comes first.
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
    void serve_guests();
    void accept_clients();
    void hear_clients();
    void introduce(connection& client, introduction who);
    void bid_farewell(guest& leaving);
    void put_away() noexcept;
    void show_guests();
    void look_around();
    [[nodiscard]] bool end();
    [[nodiscard]] bool restore(int signals);
    void take_base(const saved_base& base);
    [[nodiscard]] saved_guest* find_saved(const guest_memory& memory);
    void spend_image();
    [[nodiscard]] bool save();
    [[nodiscard]] bool drop_unclaimed();
    [[nodiscard]] bool give_all_back();

    [[nodiscard]] std::size_t resident() const noexcept;
    [[nodiscard]] std::size_t allowed() const noexcept;
    void make_room(std::size_t pages) noexcept;
    void steer() noexcept;
    void fit_steering(std::size_t more) noexcept;
    void forget_refaults(std::size_t freed) noexcept;
    [[nodiscard]] guest* choose() const noexcept;
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
    std::list<guest> guests_;
    std::vector<pollfd> polled_;
    clock::time_point next_look_ = clock::now();
    clock::time_point next_accept_ = clock::now(); // later, where no client could be taken
    bool has_said_no_accept_ = false;
    unsigned arrived_ = 0;
    unsigned left_ = 0;
    std::size_t since_forgetting_ = 0; // pages evicted
    std::size_t to_put_away_ = 0;      // pages, for a signal
    unsigned refusals_in_a_row_ = 0;   // evictions that freed nothing
    unsigned refusals_to_wait_ = 0;    // how often room is not made now
    std::uint64_t faults_of_the_gone_ = 0;
    std::uint64_t last_faults_ = 0;
    std::size_t peak_resident_ = 0; // bytes, as the next two
    std::size_t peak_memory_ = 0;
    std::size_t peak_over_ = 0; ///< most above the budget
    bool has_said_full_ = false;
    pagefold::steady_clock ticks_;
    std::optional<pagefold::budget<pagefold::steady_clock>> steering_; // none without --auto
    clock::time_point next_step_ = clock::now();
    guest_stats of_the_gone_{};
};

} // namespace vm_pager
