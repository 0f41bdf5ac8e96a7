// SPDX-License-Identifier: MIT
#include "guest.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace vm_pager {

using pagefold::pages_done;
using pagefold::status;
using pagefold::uffd_outcome;

namespace {

constexpr unsigned most_patience = 50'000; // of 0.1 ms
constexpr std::size_t most_recent_refaults = std::size_t{1} << 20;
constexpr std::size_t run_given_back = 64; // pages

bool is_clone_of(const base_memory* base) { return base != nullptr && base->parent() != pagefold::pool_id{}; }

} // namespace

guest::guest(unsigned number, guest_memory memory, unique_fd socket, store_type& store, base_memory* base,
             const saved_guest* saved, std::atomic<std::size_t>& resident)
    : number_{number}, memory_{std::move(memory)}, socket_{std::move(socket)}, store_{store}, base_{base},
      keys_{store, {memory_, is_clone_of(base)}}, backend_{memory_, base}, pager_{keys_, backend_},
      tables_{nullptr, std::free}, all_resident_{resident} {
    for (const guest_region& region : memory_.regions()) {
        if (base_ != nullptr && base_->bytes() < region.offset + region.bytes) {
            throw refusal("the snapshot ends before a region does");
        }
    }
    if (saved != nullptr) {
        if (!memory_.can_evict()) {
            throw refusal("it was saved as one whose pages can be evicted");
        }
        take_over(*saved);
    } else {
        pagefold::pool_options options;
        options.parent = is_clone_of(base_) ? base_->parent() : pagefold::pool_id{};
        const pagefold::result<pagefold::pool_id> pool = store_.create_pool(options);
        if (!pool) {
            throw refusal(std::string("the store has no room for another guest: ") + to_string(pool.error()));
        }
        pool_ = pool.value();
        try {
            open_pager();
        } catch (const refusal&) {
            static_cast<void>(store_.destroy_pool(pool_));
            throw;
        }
        if (base_ == nullptr) {
            static_cast<void>(pager_.adopt(0, memory_.pages(), state::zero));
        }
    }
    look_at_file();
    publish();
}

guest::~guest() {
    all_resident_ -= resident_;
    if (pool_ != pagefold::pool_id{}) {
        static_cast<void>(store_.destroy_pool(pool_));
    }
}

void guest::open_pager() {
    pagefold::region_pager_options options;
    options.pool = pool_;
    options.read_ahead = most_window;
    options.memory_is_zero = true;
    const std::size_t bytes = pager_type::bytes_for(memory_.pages(), options);
    tables_.reset(static_cast<std::byte*>(std::calloc(bytes, 1)));
    if (tables_ == nullptr || pager_.open({tables_.get(), bytes}, memory_.pages(), options) != status::ok) {
        throw refusal("no memory for its tables");
    }
}
/// What is in the file as well is found there after this, and its page in the store goes.
void guest::take_over(const saved_guest& saved) {
    pool_ = saved.pool;
    open_pager();
    for (slot_id page = 0; page < memory_.pages(); ++page) {
        const page_state was = saved.state(page);
        const bool is_stored =
            was == page_state::stored && store_.contains(keys_.key_of(pager_.key(page))) == status::ok;
        if (was != page_state::base || base_ == nullptr) {
            static_cast<void>(pager_.adopt(page, 1,
                                           is_stored                                              ? state::stored
                                           : was == page_state::lost || was == page_state::stored ? state::lost
                                                                                                  : state::zero));
        }
    }
}

guest_stats guest::counters() const noexcept {
    guest_stats s = stats_;
    const pagefold::region_pager_stats of_pager = pager_.statistics();
    s.refaults = of_pager.refaults;
    s.write_faults = of_pager.write_faults;
    s.read_ahead_pages = of_pager.read_ahead_pages;
    s.evicted_pages = of_pager.evicted_pages;
    s.clean_pages = of_pager.clean_pages;
    s.refused_pages = of_pager.refused_pages;
    s.lost_pages += of_pager.lost_pages;
    return s;
}

// Messages.

void guest::read_messages() noexcept {
    uffd_msg messages[32];
    for (;;) {
        const uffd_outcome got = memory_.descriptor().read(messages, sizeof messages / sizeof *messages);
        const std::lock_guard lock{mutex_};
        for (std::size_t i = 0; i < got.done; ++i) {
            note_message(messages[i]);
        }
        fault_count_ = faults_.size();
        publish();
        if (!got.ok()) {
            return;
        }
    }
}
void guest::note_message(const uffd_msg& message) noexcept {
    switch (message.event) {
    case UFFD_EVENT_PAGEFAULT:
        if (const auto page = memory_.page_at(message.arg.pagefault.address)) {
            const std::uint64_t flags = message.arg.pagefault.flags;
            faults_.push_back({static_cast<slot_id>(*page), (flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0,
                               (flags & UFFD_PAGEFAULT_FLAG_WP) != 0});
        }
        break;
    case UFFD_EVENT_REMOVE:
    case UFFD_EVENT_UNMAP:
        memory_.for_each_run(message.arg.remove.start, message.arg.remove.end,
                             [this](std::size_t first, std::size_t count) noexcept {
                                 forget(first, count);
                                 stats_.removed_pages += count;
                             });
        break;
    case UFFD_EVENT_FORK: ::close(static_cast<int>(message.arg.fork.ufd)); break; // the child's memory is not ours
    default: break; // REMAP: what moved is not where faults are served any more
    }
}
void guest::forget(std::size_t first, std::size_t count) noexcept {
    backend_.went(static_cast<slot_id>(first), count);
    while (pager_.forget(static_cast<slot_id>(first), count) != status::ok) { // an erase is refused for a moment only
    }
}
void guest::appeared(slot_id page) noexcept {
    backend_.went(page, 1);
    static_cast<void>(pager_.appeared(page, 1));
}
int guest::read_socket() noexcept {
    const std::lock_guard lock{mutex_};
    char bytes[256];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        socket_ = unique_fd{};
        look_after_process();
    }
    return socket_.get();
}

// Faults.

guest::outcome guest::resolve(const fault& f) noexcept {
    const state from = pager_.state(f.page);
    if (is_there(f.page) && !f.is_protection) {
        return bring_again(f.page);
    }
    const std::uint64_t refaults = pager_.statistics().refaults;
    static_cast<void>(backend_.take_lost_base()); // of an earlier call's read-ahead
    status s = pager_.fault(f.page, f.is_write || f.is_protection);
    recent_refaults_ = std::min<std::size_t>(
        recent_refaults_ + static_cast<std::size_t>(pager_.statistics().refaults - refaults), most_recent_refaults);
    if (s != status::ok && backend_.take_lost_base() == f.page && from == state::nowhere) {
        lose(f.page);
        s = pager_.fault(f.page, f.is_write);
    }
    if (s == status::ok && from != state::resident && from != state::clean) {
        count_fault(from);
    }
    if (s == status::ok || s == status::corrupt) {
        return outcome::served;
    }
    if (s != status::invalid) {
        return outcome::again;
    }
    // It is there, from somebody else, or its mapping is gone: the guest sees for itself.
    if (backend_.met_page() && !is_there(f.page)) {
        appeared(f.page);
    }
    static_cast<void>(backend_.wake(f.page, 1));
    return outcome::served;
}
/// Two threads met the missing page, and the other's fault was served; or it went, and nobody said so: then it is zeros.
guest::outcome guest::bring_again(slot_id page) noexcept {
    const pages_done done = backend_.bring_zeros(page, 1, pagefold::page_access::write);
    if (done.why == status::busy || done.why == status::no_memory) {
        return outcome::again;
    }
    if (done.done == 1) {
        appeared(page);
        count_fault(state::zero);
    } else {
        static_cast<void>(backend_.wake(page, 1));
    }
    return outcome::served;
}
void guest::count_fault(state from) noexcept {
    ++stats_.faults;
    stats_.store_faults += from == state::stored ? 1u : 0u;
    stats_.snapshot_faults += from == state::nowhere ? 1u : 0u;
    stats_.zero_faults += from == state::zero ? 1u : 0u;
}
void guest::lose(slot_id page) noexcept {
    static_cast<void>(pager_.adopt(page, 1, state::lost));
    ++stats_.lost_pages;
}

void guest::look_around() noexcept {
    const std::lock_guard lock{mutex_};
    look_at_file();
    if (!socket_) {
        look_after_process();
    }
    publish();
}
void guest::look_at_file() noexcept {
    if (!memory_.can_evict() || memory_.pages_in_file() == pager_.in_memory()) {
        return;
    }
    for (std::size_t page = 0; page < memory_.pages();) {
        const std::size_t end = page + memory_.run_from(page);
        while (page < end) {
            const guest_memory::run found = memory_.next_in_file(page);
            const std::size_t stop = found.count == 0 ? end : found.first;
            for (; page < stop; ++page) {
                if (is_there(static_cast<slot_id>(page))) {
                    forget(page, 1);
                }
            }
            for (; page < stop + found.count; ++page) {
                const state is = pager_.state(static_cast<slot_id>(page));
                if (is == state::nowhere || is == state::zero || is == state::stored) {
                    appeared(static_cast<slot_id>(page));
                }
            }
        }
    }
}

guest::eviction guest::evict(std::size_t pages) noexcept {
    if (!memory_.can_evict()) {
        return {};
    }
    const std::lock_guard lock{mutex_};
    const std::uint64_t barred = pager_.statistics().barred_pages;
    const pagefold::pages_freed done = pager_.evict(pages);
    publish();
    return {done.freed, static_cast<std::size_t>(pager_.statistics().barred_pages - barred)};
}

// The end.

bool guest::give_back() noexcept {
    const std::uint64_t lost = stats().lost_pages;
    unsigned patience = 0;
    for (std::size_t at = 0; at < memory_.pages() && !has_gone() && patience < most_patience;) {
        const auto page = static_cast<slot_id>(at);
        const state is = pager_.state(page);
        if (is == state::lost) { // whoever touches it is to hear of it, also after this
            if (pager_.fault(page, false) == status::corrupt) {
                ++at;
                patience = 0;
            } else {
                read_messages();
                usleep(100);
                ++patience;
            }
            continue;
        }
        if (is == state::zero || is_there(page)) {
            ++at;
            continue;
        }
        std::size_t run = 1;
        while (run < run_given_back && at + run < memory_.pages() &&
               pager_.state(static_cast<slot_id>(at + run)) == is) {
            ++run;
        }
        static_cast<void>(backend_.take_lost_base()); // of an earlier call
        const pages_done done = pager_.prefetch(page, run);
        const auto next = static_cast<slot_id>(at + done.done);
        patience = done.done != 0 ? 0 : patience;
        at += done.done;
        if (done.why == status::invalid && backend_.met_page()) {
            appeared(next);
        } else if (done.why == status::invalid) {
            ++at; // its mapping is gone, and nobody wants it
        } else if (done.why != status::ok && backend_.take_lost_base() == next) {
            lose(next);
        } else if (done.why != status::ok &&
                   done.why != status::corrupt) { // a REMOVE may be what it waits for, or memory
            read_messages();
            usleep(100);
            ++patience;
        }
    }
    if (patience == most_patience) {
        return false;
    }
    publish();
    memory_.unregister(); // lifts what protection is left, and wakes everybody
    return stats().lost_pages == lost;
}

saved_guest guest::save() {
    guest_identity who;
    if (!memory_.identify(who)) {
        throw failure("nothing tells its memfd from others");
    }
    // Copies are older than the guest's page soon; zeros, should that go.
    static_cast<void>(pager_.drop_copies(memory_.pages()));
    if (pager_.statistics().copied_pages != 0) {
        throw failure("the store keeps copies of its pages");
    }
    saved_guest out{std::move(who)};
    out.pool = pool_;
    for (slot_id page = 0; page < memory_.pages(); ++page) {
        switch (pager_.state(page)) {
        case state::stored: out.set_state(page, page_state::stored); break;
        case state::lost: out.set_state(page, page_state::lost); break;
        case state::nowhere: out.set_state(page, page_state::base); break;
        default: out.set_state(page, page_state::zeros);
        }
    }
    return out;
}
void guest::let_wait() noexcept {
    for (const fault& f : faults_) {
        memory_.wake(f.page, 1);
    }
    faults_.clear();
    fault_count_ = 0;
}

bool guest::check() noexcept {
    const std::lock_guard lock{mutex_};
    const auto pool = store_.statistics_of(pool_);
    const pagefold::region_pager_stats s = pager_.statistics();
    return pager_.check() && pool && pool.value().stored_pages == s.stored_pages + s.copied_pages;
}

} // namespace vm_pager
