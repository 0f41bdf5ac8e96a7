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
#include <sys/epoll.h>
#include <sys/eventfd.h>
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
constexpr long a_moment = 50'000;              // ns
constexpr int most_heard = 16;                 // guests at a time
constexpr std::uint64_t of_no_guest = 0;

double mib(std::size_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

std::size_t store_limit(const arguments& given) {
    const std::size_t of_memory =
        given.memory == arguments::unlimited ? given.memory : given.memory - given.memory / resident_share;
    return std::min(given.store, of_memory);
}
std::size_t partitions(const arguments& given) { return given.threads == 1 ? 1 : 2 * std::size_t{given.threads}; }
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
    : given_{given}, store_{source_, {store_limit(given), partitions(given)}, {}, admission(given)},
      listener_{given.socket}, heard_{epoll_create1(EPOLL_CLOEXEC)}, bell_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      end_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (!heard_ || !bell_ || !end_) {
        throw failure(std::string("no descriptor to hear guests by: ") + std::strerror(errno));
    }
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
        note_steering();
    }
}

bool host::run(int signals) {
    if ((!given_.restore.empty() && !restore(signals)) || (template_ != nullptr && !read_template(signals))) {
        return true;
    }
    start_threads();
    std::printf("listening on %s\n", given_.socket.c_str());
    while (given_.guests == 0 || left_ < given_.guests) {
        fill_polled(signals);
        timespec wait{patience() / 1000, patience() % 1000 * 1'000'000L};
        if (!has_threads() && waiting_count_ != 0) {
            wait = {0, a_moment}; // whoever changes that address space is about to go on
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
        if (!has_threads()) {
            serve_waiting();
            serve_guests(polled_[2].revents != 0 ? most_heard : 0, 0);
        } else if (std::uint64_t rung = 0; polled_[2].revents != 0) {
            static_cast<void>(::read(bell_.get(), &rung, sizeof rung) == 0);
        }
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
    stop_threads();
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
    polled_.push_back({!has_threads() ? heard_.get() : bell_.get(), POLLIN, 0});
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

// Threads.

void host::start_threads() {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = of_no_guest;
    if (epoll_ctl(heard_.get(), EPOLL_CTL_ADD, end_.get(), &event) != 0) {
        throw failure(std::string("threads can't be told to end: ") + std::strerror(errno));
    }
    for (unsigned i = 0; has_threads() && i < given_.threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}
void host::stop_threads() noexcept {
    const std::uint64_t one = 1;
    is_ending_ = true;
    static_cast<void>(::write(end_.get(), &one, sizeof one) == sizeof one);
    for (std::thread& t : threads_) {
        t.join();
    }
    threads_.clear();
    waiting_.clear();
    waiting_count_ = 0;
}
/// One guest at a time, so that the others are left to other threads.
void host::work() noexcept {
    while (!is_ending_) {
        if (waiting_count_ != 0) {
            pollfd wanted{heard_.get(), POLLIN, 0};
            const timespec wait{0, a_moment};
            static_cast<void>(ppoll(&wanted, 1, &wait, nullptr));
            serve_waiting();
            serve_guests(1, 0);
        } else {
            serve_guests(1, -1);
        }
    }
}
void host::serve_guests(int most, int patience) noexcept {
    epoll_event events[most_heard];
    const int count = most == 0 ? 0 : epoll_wait(heard_.get(), events, most, patience);
    for (int i = 0; i < count; ++i) {
        const guest_ref g = find(events[i].data.u64 / 2);
        if (g == nullptr) {
            continue; // it has left since, or all is to end
        }
        if (events[i].data.u64 % 2 == static_cast<unsigned>(part::faults)) {
            serve(*g);
        } else if (const int socket = g->read_socket(); socket >= 0) {
            static_cast<void>(arm(g->number(), part::socket, socket, EPOLL_CTL_MOD));
        }
        if (g->has_gone()) {
            let_leave(g);
        }
    }
    if (count > 0 && !is_ahead_.test_and_set()) { // while the guests go on: the next faults need not wait for a codec
        static_cast<void>(make_room(batch));
        is_ahead_.clear();
    }
    note_peak();
}
/// Of a guest that is claimed.
void host::serve(guest& g) noexcept {
    g.read_messages();
    g.serve_faults([this](std::size_t pages) noexcept { return make_room(pages); });
    if (g.has_faults() && !g.has_gone()) {
        const std::lock_guard lock{books_};
        if (const auto found = guests_.find(g.number()); found != guests_.end() && !g.is_waiting) {
            g.is_waiting = true;
            waiting_.push_back(found->second);
            ++waiting_count_;
        }
    } else {
        static_cast<void>(arm(g.number(), part::faults, g.faults_descriptor(), EPOLL_CTL_MOD));
    }
}
void host::serve_waiting() noexcept {
    for (std::size_t left = waiting_count_; left != 0; --left) {
        guest_ref g;
        {
            const std::lock_guard lock{books_};
            if (waiting_.empty()) {
                return;
            }
            g = std::move(waiting_.front());
            waiting_.pop_front();
            --waiting_count_;
            g->is_waiting = false;
        }
        serve(*g);
        if (g->has_gone()) {
            let_leave(g);
        }
    }
}
host::guest_ref host::find(std::uint64_t number) noexcept {
    const std::lock_guard lock{books_};
    const auto found = guests_.find(static_cast<unsigned>(number));
    return found == guests_.end() ? nullptr : found->second;
}
int host::arm(unsigned number, part of, int descriptor, int operation) noexcept {
    const bool is_once = has_threads();
    if (operation == EPOLL_CTL_MOD && !is_once) {
        return 0; // it tells as often as there is something
    }
    epoll_event event{};
    event.events = EPOLLIN | (is_once ? static_cast<std::uint32_t>(EPOLLONESHOT) : 0);
    event.data.u64 = std::uint64_t{number} * 2 + static_cast<unsigned>(of);
    return epoll_ctl(heard_.get(), operation, descriptor, &event) == 0 ? 0 : errno;
}
void host::let_leave(const guest_ref& g) {
    const std::lock_guard lock{books_};
    if (guests_.erase(g->number()) == 0) {
        return;
    }
    // Its monitor may have a copy of the descriptor, for which the set would keep it.
    static_cast<void>(epoll_ctl(heard_.get(), EPOLL_CTL_DEL, g->faults_descriptor(), nullptr));
    bid_farewell(*g);
    fit_steering(0);
    const std::uint64_t one = 1;
    static_cast<void>(::write(bell_.get(), &one, sizeof one) == sizeof one);
}

// Guests.

void host::bid_farewell(guest& leaving) {
    const guest_stats s = leaving.stats();
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
                arrived_, peak_resident_.load(), peak_memory_.load(), peak_over_.load(), resident() * page_bytes,
                stored.total_bytes, stored.orig_data_size, static_cast<double>(stored.ratio_permille()) / 1000,
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
    guest_ref victim;
    {
        const std::lock_guard lock{books_};
        victim = choose();
    }
    const guest::eviction done = victim == nullptr ? guest::eviction{} : victim->evict(batch);
    to_put_away_ -= std::min(to_put_away_, done.freed + done.barred);
    if (done.freed + done.barred == 0 || to_put_away_ == 0) {
        to_put_away_ = 0;
        const std::lock_guard lock{books_};
        show_guests();
    }
}
void host::show_guests() {
    for (const auto& [number, g] : guests_) {
        std::printf("guest %u now: resident=%zu", number, g->resident() * page_bytes);
        show_stored(g->stored_as());
    }
    std::printf("now: guests=%zu resident=%zu store=%" PRIu64 "\n", guests_.size(), resident() * page_bytes,
                store_.stats().total_bytes);
}
/// Once a second: what no descriptor tells.
void host::look_around() {
    next_look_ = clock::now() + std::chrono::seconds{1};
    std::vector<guest_ref> all;
    {
        const std::lock_guard lock{books_};
        for (const auto& [number, g] : guests_) {
            all.push_back(g);
        }
    }
    for (const guest_ref& g : all) {
        g->look_around();
        if (g->has_gone()) {
            let_leave(g);
        }
    }
    static_cast<void>(make_room(batch));
    note_peak();
    const std::lock_guard lock{books_};
    show_line();
}
bool host::end() {
    stop_threads();
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
    for (const auto& [number, g] : guests_) {
        g->look_around();
        const bool came = g->give_back();
        is_whole = is_whole && came;
        std::printf("guest %u %s\n", number, came ? "has all of its pages again" : "HAS NOT ALL OF ITS PAGES");
        bid_farewell(*g);
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
    const auto g =
        std::make_shared<guest>(arrived_ + 1, std::move(memory), client.take(), store_, base_.get(), saved, resident_);
    std::unique_lock lock{books_};
    ++arrived_;
    fit_steering(g->memory().pages() * page_bytes);
    std::printf("guest %u: %zu regions, %.1f MiB", g->number(), g->memory().regions().size(),
                mib(g->memory().pages() * page_bytes));
    std::printf(g->memory().can_evict() ? "\n" : "; its pages can't be evicted: %s\n", g->memory().objection());
    if (saved != nullptr) {
        saved_.remove_if([saved](const saved_guest& s) { return &s == saved; });
        std::printf("guest %u goes on: resident=%zu stored=%zu; %zu have not come back\n", g->number(),
                    g->resident() * page_bytes, g->stored() * page_bytes, saved_.size());
    }
    guests_.emplace(g->number(), g);
    lock.unlock();
    const int socket = g->socket();
    for (const auto& [of, descriptor] : {std::pair{part::faults, g->faults_descriptor()}, {part::socket, socket}}) {
        if (const int error = arm(g->number(), of, descriptor, EPOLL_CTL_ADD); error != 0) {
            std::printf("guest %u can't be heard: %s\n", g->number(), std::strerror(error));
            if (of == part::faults) { // nobody would serve it, and its first fault wait for ever
                static_cast<void>(g->give_back());
                let_leave(g);
                return;
            }
        }
    }
}

// The budget.

/// Pages that may be resident now.
std::size_t host::allowed() const noexcept {
    std::size_t bytes = given_.resident;
    if (given_.memory != arguments::unlimited) {
        const std::size_t taken = std::min(source_.resident_bytes(), given_.memory);
        bytes = std::min(bytes, std::max(given_.memory - taken, given_.memory / resident_share));
    }
    return std::min(bytes, steered_.load()) / page_bytes;
}
/// What is there, and promised, is more than may be.
void host::evict_excess() noexcept {
    // Promises of many threads may be more than a small bound: of half of it there are always pages.
    while (resident() + std::min(promised_.load(), allowed() / 2) > allowed()) {
        guest_ref victim;
        {
            const std::lock_guard lock{books_};
            if (refusals_to_wait_ > 0) {
                --refusals_to_wait_;
                return;
            }
            victim = choose();
        }
        const guest::eviction done = victim == nullptr ? guest::eviction{} : victim->evict(batch);
        if (victim != nullptr && victim->has_gone()) { // it died meanwhile, and refused nothing
            let_leave(victim);
            continue;
        }
        const std::lock_guard lock{books_};
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
    {
        const std::lock_guard lock{books_};
        guest_stats all = of_the_gone_;
        for (const auto& [number, g] : guests_) {
            const guest_stats of_guest = g->stats();
            all.faults += of_guest.faults;
            all.fault_ns += of_guest.fault_ns;
            all.evicted_pages += of_guest.evicted_pages;
            all.refaults += of_guest.refaults;
            all.store_faults += of_guest.store_faults;
        }
        pagefold::budget_sample sample;
        sample.used_bytes = resident() * page_bytes;
        sample.stalled_us = (all.fault_ns + all.faults * ns_a_fault) / 1000;
        sample.left_pages = all.evicted_pages;
        sample.refaulted_pages = all.refaults;
        sample.promoted_pages = all.store_faults;
        steering_->step(sample);
        note_steering();
    }
    static_cast<void>(make_room(batch));
    const std::lock_guard lock{books_};
    if (resident() * page_bytes > steering_->bytes()) { // what the store refuses is not asked for again and again
        steering_->settle_at(resident() * page_bytes);
        note_steering();
    }
}
/// A guest came, with so much memory, which it may have until it shows what it uses; or one went.
void host::fit_steering(std::size_t more) noexcept {
    if (!steering_) {
        return;
    }
    std::size_t pages = batch;
    for (const auto& [number, g] : guests_) {
        pages += g->memory().pages();
    }
    pages += more / page_bytes; // it is not among them yet
    const std::uint64_t before = guests_.empty() && more != 0 ? 0 : steering_->bytes();
    steering_->set_bounds(least_steered * page_bytes, pages * page_bytes);
    steering_->settle_at(before + more + batch * page_bytes);
    note_steering();
}
/// What was missed long ago counts for less: half of it after as many evictions as pages may be resident.
void host::forget_refaults(std::size_t freed) noexcept {
    since_forgetting_ += freed;
    if (since_forgetting_ > allowed()) {
        since_forgetting_ = 0;
        for (const auto& [number, g] : guests_) {
            g->forget_half_of_refaults();
        }
    }
}
host::guest_ref host::choose() const noexcept {
    constexpr double weight_of_refaults = 16;
    const guest_ref* chosen = nullptr;
    double most = 0;
    const std::size_t share = allowed() / (8 * std::max<std::size_t>(guests_.size(), 1));
    for (const auto& [number, g] : guests_) {
        const std::size_t has = g->resident();
        if (g->has_gone() || !g->memory().can_evict() || has == 0) {
            continue;
        }
        const auto pages = static_cast<double>(has);
        const double missed = static_cast<double>(g->recent_refaults()) / pages;
        const double score = has <= share ? pages / 1e6 : pages / (1 + weight_of_refaults * missed);
        if (score > most) {
            most = score;
            chosen = &g;
        }
    }
    return chosen != nullptr ? *chosen : nullptr;
}
void host::note_peak() noexcept {
    const auto raise = [](std::atomic<std::size_t>& peak, std::size_t now) noexcept {
        for (std::size_t before = peak; before < now && !peak.compare_exchange_weak(before, now);) {
        }
    };
    const std::size_t bytes = resident() * page_bytes;
    raise(peak_resident_, bytes);
    raise(peak_memory_, bytes + source_.resident_bytes());
    const std::size_t most = allowed() * page_bytes;
    if (bytes > most) {
        raise(peak_over_, bytes - most);
        if (!has_said_full_.exchange(true)) {
            std::printf("over the budget: %.1f MiB stay in the guests' memory, because nothing more can be evicted\n",
                        mib(bytes));
        }
    }
}
/// One line that is written over; on a terminal only.
void host::show_line() {
    std::uint64_t faults = faults_of_the_gone_;
    for (const auto& [number, g] : guests_) {
        faults += g->stats().faults;
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
