// SPDX-License-Identifier: MIT
#include "host.hpp"

#include "snapshot.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>
#include <string>
#include <sys/signalfd.h>
#include <unistd.h>

namespace vm_pager {
namespace {

constexpr std::size_t most_clients = 64;
constexpr std::size_t batch = 32; // pages evicted at a time
constexpr std::size_t resident_share = 8;
constexpr std::chrono::milliseconds step{100}; // between looks of the steering
constexpr std::size_t least_steered = 64;      // pages
constexpr std::uint64_t ns_a_fault = 6'000;    // in the kernel and the guest, besides serving it

double mib(std::size_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

std::size_t store_limit(const arguments& given) {
    const std::size_t of_memory =
        given.memory == arguments::unlimited ? given.memory : given.memory - given.memory / resident_share;
    return std::min(given.store, of_memory);
}
/// Where the store's memory counts, a page that does not shrink is better left where it is.
store_choices::admission_type admission(const arguments& given) {
    const bool counts = given.memory != arguments::unlimited;
    const pagefold::ratio of_guests = counts ? pagefold::ratio{875, pagefold::admission::reject} : pagefold::ratio{};
    return store_choices::admission_type{of_guests, pagefold::always{}};
}

/// The end of a line about a guest: how its pages in the store are kept, and the bytes of the streams.
void show_stored(const pagefold::pool_stats& s) {
    std::printf(" own=%" PRIu64 " reference=%" PRIu64 " delta=%" PRIu64 " own_bytes=%" PRIu64 " delta_bytes=%" PRIu64
                "\n",
                s.stored_pages - s.reference_pages - s.delta_pages, s.reference_pages, s.delta_pages,
                s.compr_data_size - s.delta_data_size, s.delta_data_size);
}

} // namespace

host::host(const arguments& given)
    : given_{given}, store_{source_, {store_limit(given), 1}, {}, admission(given)}, listener_{given.socket} {
    if (!given.snapshot.empty()) {
        base_ = std::make_unique<snapshot>(store_, given.snapshot);
    } else if (!given.template_file.empty() && given.restore.empty()) {
        auto made = std::make_unique<template_memory>(store_, given.template_file);
        template_ = made.get();
        base_ = std::move(made);
    }
    if (given.is_steered) {
        pagefold::budget_options options = pagefold::budget_options::by_faults(least_steered * page_bytes, 0);
        // Nobody sees which pages a guest uses but by taking them: of those that leave every other one may be wanted.
        options.refaults.most_ppm = 500'000;
        steering_.emplace(options, ticks_);
    }
}

bool host::run(int signals) {
    if ((!given_.restore.empty() && !restore(signals)) || (template_ != nullptr && !read_template(signals))) {
        return true;
    }
    std::printf("listening on %s\n", given_.socket.c_str());
    while (given_.guests == 0 || left_ < given_.guests) {
        fill_polled(signals);
        timespec wait{patience() / 1000, patience() % 1000 * 1'000'000L};
        if (std::any_of(guests_.begin(), guests_.end(), [](const guest& g) { return g.has_faults(); })) {
            wait = {0, 50'000}; // whoever changes that address space is about to go on
        } else if (to_put_away_ != 0) {
            wait = {0, 0};
        }
        if (ppoll(polled_.data(), polled_.size(), &wait, nullptr) < 0) {
            if (errno == EINTR) {
                continue;
            }
            const std::string why = std::strerror(errno); // EINVAL: RLIMIT_NOFILE was lowered
            static_cast<void>(end());
            throw failure("nothing tells of faults any more: ppoll: " + why);
        }
        serve_guests();
        accept_clients();
        hear_clients();
        if (clock::now() >= next_look_) {
            look_around();
        }
        if (steering_ && clock::now() >= next_step_) {
            steer();
        }
        if (to_put_away_ != 0) {
            put_away();
        }
        if (polled_[0].revents != 0 && hear_signal(signals)) {
            return end();
        }
    }
    return drop_unclaimed();
}

/// False where a signal came that ends it. Clients that come meanwhile wait in the listener's queue.
bool host::read_template(int signals) {
    const clock::time_point start = clock::now();
    clock::time_point next_word = start + std::chrono::seconds{2};
    std::printf("reading the template: %.1f MiB\n", mib(base_->bytes()));
    while (!template_->read_piece()) {
        pollfd wanted{signals, POLLIN, 0};
        if (poll(&wanted, 1, 0) > 0 && hear_signal(signals)) {
            return false;
        }
        if (clock::now() >= next_word) {
            next_word = clock::now() + std::chrono::seconds{2};
            std::printf("reading the template: %.1f MiB so far\n", mib(base_->file_pages() * page_bytes));
        }
    }
    const pagefold::pool_stats s = store_.statistics_of(base_->parent()).value_or(pagefold::pool_stats{});
    std::printf(
        "template: pages=%" PRIu64 " same=%" PRIu64 " stream_bytes=%" PRIu64 " store=%" PRIu64 " ms=%lld\n",
        s.stored_pages, s.same_pages, s.compr_data_size, store_.stats().total_bytes,
        static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start).count()));
    template_ = nullptr;
    return true;
}
/// Whether the signal ends all.
bool host::hear_signal(int signals) {
    signalfd_siginfo heard{};
    if (::read(signals, &heard, sizeof heard) != static_cast<ssize_t>(sizeof heard)) {
        return false;
    }
    if (heard.ssi_signo == SIGUSR1) {
        to_put_away_ = resident() + 1;
        return false;
    }
    return true;
}

void host::fill_polled(int signals) {
    polled_.clear();
    polled_.push_back({signals, POLLIN, 0});
    const bool has_room = clients_.size() < most_clients && clock::now() >= next_accept_;
    polled_.push_back({has_room ? listener_.descriptor() : -1, POLLIN, 0});
    for (guest& g : guests_) {
        polled_.push_back({g.faults_descriptor(), POLLIN, 0});
        polled_.push_back({g.socket(), POLLIN, 0});
    }
    for (const connection& c : clients_) {
        polled_.push_back({c.descriptor(), POLLIN, 0});
    }
}
/// Milliseconds to the next thing to do without being asked.
int host::patience() const noexcept {
    clock::time_point until = steering_ ? std::min(next_look_, next_step_) : next_look_;
    if (next_accept_ > clock::now()) {
        until = std::min(until, next_accept_);
    }
    for (const connection& c : clients_) {
        until = std::min(until, c.until());
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
}

// Guests.

void host::serve_guests() {
    std::size_t at = 2;
    for (auto g = guests_.begin(); g != guests_.end(); at += 2) {
        if (polled_[at].revents != 0 || g->has_faults()) {
            g->read_messages();
            g->serve_faults([this](std::size_t pages) noexcept { make_room(pages); });
        }
        if (polled_[at + 1].revents != 0) {
            g->read_socket();
        }
        if (g->has_gone()) {
            bid_farewell(*g);
            g = guests_.erase(g);
            fit_steering(0);
        } else {
            ++g;
        }
    }
    make_room(batch); // while the guests go on: the next faults need not wait for a codec
    note_peak();
}
void host::bid_farewell(guest& leaving) {
    const guest_stats& s = leaving.stats();
    std::printf(
        "guest %u left: faults=%" PRIu64 " zero=%" PRIu64 " snapshot=%" PRIu64 " stored=%" PRIu64 " refaults=%" PRIu64
        " writes=%" PRIu64 " ahead=%" PRIu64 " removed=%" PRIu64 " evicted=%" PRIu64 " clean=%" PRIu64
        " refused=%" PRIu64 " lost=%" PRIu64 " again=%" PRIu64 " mean_us=%.1f longest_us=%.1f",
        leaving.number(), s.faults, s.zero_faults, s.snapshot_faults, s.store_faults, s.refaults, s.write_faults,
        s.read_ahead_pages, s.removed_pages, s.evicted_pages, s.clean_pages, s.refused_pages, s.lost_pages, s.again,
        static_cast<double>(s.fault_ns) / 1e3 / static_cast<double>(std::max<std::uint64_t>(s.faults, 1)),
        static_cast<double>(s.longest_fault_ns) / 1e3);
    show_stored(leaving.stored_as());
    const pagefold::store_stats stored = store_.stats();
    std::printf("so far: guests=%u peak_resident=%zu peak_memory=%zu peak_over=%zu resident=%zu store=%" PRIu64
                " stored=%" PRIu64 " ratio=%.2f from_file=%" PRIu64 " whole=%d\n",
                arrived_, peak_resident_, peak_memory_, peak_over_, resident() * page_bytes, stored.total_bytes,
                stored.orig_data_size, static_cast<double>(stored.ratio_permille()) / 1000,
                base_ != nullptr ? base_->file_pages() : 0, leaving.check() ? 1 : 0);
    faults_of_the_gone_ += s.faults;
    of_the_gone_.faults += s.faults;
    of_the_gone_.fault_ns += s.fault_ns;
    of_the_gone_.evicted_pages += s.evicted_pages;
    of_the_gone_.refaults += s.refaults;
    of_the_gone_.store_faults += s.store_faults;
    ++left_;
}
/// A part of what a signal asked for: faults are served in between.
void host::put_away() noexcept {
    guest* const victim = choose();
    const guest::eviction done = victim == nullptr ? guest::eviction{} : victim->evict(batch);
    to_put_away_ -= std::min(to_put_away_, done.freed + done.barred);
    if (done.freed + done.barred == 0 || to_put_away_ == 0) {
        to_put_away_ = 0;
        show_guests();
    }
}
void host::show_guests() {
    for (const guest& g : guests_) {
        std::printf("guest %u now: resident=%zu", g.number(), g.resident() * page_bytes);
        show_stored(g.stored_as());
    }
    std::printf("now: guests=%zu resident=%zu store=%" PRIu64 "\n", guests_.size(), resident() * page_bytes,
                store_.stats().total_bytes);
}
/// Once a second: what no descriptor tells.
void host::look_around() {
    next_look_ = clock::now() + std::chrono::seconds{1};
    for (guest& g : guests_) {
        g.look_at_file();
        if (g.socket() < 0) {
            g.look_after_process();
        }
    }
    show_line();
}
bool host::end() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &ends, nullptr); // a second one needs no answer
    const bool is_saved = !given_.save.empty() && save();
    const bool is_whole = give_all_back(); // of a save: those that it is not for
    return (drop_unclaimed() || is_saved) && is_whole;
}
bool host::give_all_back() {
    bool is_whole = true;
    for (guest& g : guests_) {
        g.look_at_file();
        const bool came = g.give_back();
        is_whole = is_whole && came;
        std::printf("guest %u %s\n", g.number(), came ? "has all of its pages again" : "HAS NOT ALL OF ITS PAGES");
        bid_farewell(g);
    }
    guests_.clear();
    return is_whole;
}

// Clients.

void host::accept_clients() {
    if (polled_[1].revents != 0) {
        if (unique_fd fd = listener_.accept()) {
            clients_.emplace_back(std::move(fd));
            has_said_no_accept_ = false;
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            // It stays in the queue, and poll would tell of it at once, again and again.
            next_accept_ = clock::now() + std::chrono::milliseconds{100};
            if (!has_said_no_accept_) {
                std::printf("no client is taken for now: %s\n", std::strerror(errno));
                has_said_no_accept_ = true;
            }
        }
    }
}
void host::hear_clients() {
    for (auto c = clients_.begin(); c != clients_.end();) {
        bool is_done = true;
        try {
            if (std::optional<introduction> who = c->receive()) {
                introduce(*c, std::move(*who));
            } else if (clock::now() >= c->until()) {
                throw refusal("its message did not come");
            } else {
                is_done = false;
            }
        } catch (const refusal& why) {
            std::printf("refused: %s\n", why.what());
        } catch (const std::bad_alloc&) {
            std::printf("refused: no memory for its tables\n");
        }
        c = is_done ? clients_.erase(c) : std::next(c);
    }
}
void host::introduce(connection& client, introduction who) {
    guest_memory memory{std::move(who.regions), std::move(who.faults), std::move(who.file)};
    const saved_guest* const saved = find_saved(memory);
    guest& g = guests_.emplace_back(arrived_ + 1, std::move(memory), client.take(), store_, base_.get(), saved);
    ++arrived_;
    fit_steering(g.memory().pages() * page_bytes);
    std::printf("guest %u: %zu regions, %.1f MiB", g.number(), g.memory().regions().size(),
                mib(g.memory().pages() * page_bytes));
    std::printf(g.memory().can_evict() ? "\n" : "; its pages can't be evicted: %s\n", g.memory().objection());
    if (saved != nullptr) {
        saved_.remove_if([saved](const saved_guest& s) { return &s == saved; });
        std::printf("guest %u goes on: resident=%zu stored=%zu; %zu have not come back\n", g.number(),
                    g.resident() * page_bytes, g.stored() * page_bytes, saved_.size());
    }
}

// The budget.

std::size_t host::resident() const noexcept {
    std::size_t pages = 0;
    for (const guest& g : guests_) {
        pages += g.resident();
    }
    return pages;
}
/// Pages that may be resident now.
std::size_t host::allowed() const noexcept {
    std::size_t bytes = given_.resident;
    if (given_.memory != arguments::unlimited) {
        const std::size_t taken = std::min(source_.resident_bytes(), given_.memory);
        bytes = std::min(bytes, std::max(given_.memory - taken, given_.memory / resident_share));
    }
    if (steering_) {
        bytes = std::min(bytes, static_cast<std::size_t>(steering_->bytes()));
    }
    return bytes / page_bytes;
}
void host::make_room(std::size_t pages) noexcept {
    while (resident() + pages > allowed()) {
        if (refusals_to_wait_ > 0) {
            --refusals_to_wait_;
            return;
        }
        guest* const victim = choose();
        const guest::eviction done = victim == nullptr ? guest::eviction{} : victim->evict(batch);
        if (done.freed + done.barred == 0) {
            // Compressing for nothing at every fault would take longer than all else.
            refusals_in_a_row_ = std::min(refusals_in_a_row_ + 1, 6u);
            refusals_to_wait_ = 1u << refusals_in_a_row_;
            return;
        }
        refusals_in_a_row_ = done.freed != 0 ? 0 : refusals_in_a_row_;
        forget_refaults(done.freed);
    }
}
/// Ten times a second. Whether the guests' own threads wait is not known: a fault that is served is somebody who waits.
void host::steer() noexcept {
    next_step_ = clock::now() + step;
    guest_stats all = of_the_gone_;
    for (const guest& g : guests_) {
        all.faults += g.stats().faults;
        all.fault_ns += g.stats().fault_ns;
        all.evicted_pages += g.stats().evicted_pages;
        all.refaults += g.stats().refaults;
        all.store_faults += g.stats().store_faults;
    }
    pagefold::budget_sample sample;
    sample.used_bytes = resident() * page_bytes;
    sample.stalled_us = (all.fault_ns + all.faults * ns_a_fault) / 1000;
    sample.left_pages = all.evicted_pages;
    sample.refaulted_pages = all.refaults;
    sample.promoted_pages = all.store_faults;
    steering_->step(sample);
    make_room(batch);
    if (resident() * page_bytes > steering_->bytes()) { // what the store refuses is not asked for again and again
        steering_->settle_at(resident() * page_bytes);
    }
}
/// A guest came, with so much memory, which it may have until it shows what it uses; or one went.
void host::fit_steering(std::size_t more) noexcept {
    if (!steering_) {
        return;
    }
    std::size_t pages = batch;
    for (const guest& g : guests_) {
        pages += g.memory().pages();
    }
    const std::uint64_t before = guests_.size() <= 1 && more != 0 ? 0 : steering_->bytes();
    steering_->set_bounds(least_steered * page_bytes, pages * page_bytes);
    steering_->settle_at(before + more + batch * page_bytes);
}
/// What was missed long ago counts for less: half of it after as many evictions as pages may be resident.
void host::forget_refaults(std::size_t freed) noexcept {
    since_forgetting_ += freed;
    if (since_forgetting_ > allowed()) {
        since_forgetting_ = 0;
        for (guest& g : guests_) {
            g.forget_half_of_refaults();
        }
    }
}
guest* host::choose() const noexcept {
    constexpr double weight_of_refaults = 16;
    guest* chosen = nullptr;
    double most = 0;
    const std::size_t share = allowed() / (8 * std::max<std::size_t>(guests_.size(), 1));
    for (const guest& g : guests_) {
        if (!g.memory().can_evict() || g.resident() == 0) {
            continue;
        }
        const auto pages = static_cast<double>(g.resident());
        const double missed = static_cast<double>(g.recent_refaults()) / pages;
        const double score = g.resident() <= share ? pages / 1e6 : pages / (1 + weight_of_refaults * missed);
        if (score > most) {
            most = score;
            chosen = const_cast<guest*>(&g);
        }
    }
    return chosen;
}
void host::note_peak() noexcept {
    const std::size_t bytes = resident() * page_bytes;
    const std::size_t stored = source_.resident_bytes();
    peak_resident_ = std::max(peak_resident_, bytes);
    peak_memory_ = std::max(peak_memory_, bytes + stored);
    const std::size_t most = allowed() * page_bytes;
    if (bytes > most) {
        peak_over_ = std::max(peak_over_, bytes - most);
        if (!has_said_full_) {
            has_said_full_ = true;
            std::printf("over the budget: %.1f MiB stay in the guests' memory, because nothing more can be evicted\n",
                        mib(bytes));
        }
    }
}
/// One line that is written over; on a terminal only.
void host::show_line() {
    std::uint64_t faults = faults_of_the_gone_;
    for (const guest& g : guests_) {
        faults += g.stats().faults;
    }
    const std::uint64_t lately = faults - last_faults_;
    last_faults_ = faults;
    if (isatty(STDERR_FILENO) == 0) {
        return;
    }
    const pagefold::store_stats s = store_.stats();
    std::fprintf(stderr,
                 "\r\033[K%zu guests  resident %.1f MiB  stored %.1f MiB in %.1f  ratio %.2f  %" PRIu64 " faults/s",
                 guests_.size(), mib(resident() * page_bytes), mib(s.orig_data_size), mib(s.total_bytes),
                 static_cast<double>(s.ratio_permille()) / 1000, lately);
    std::fflush(stderr);
}

} // namespace vm_pager
