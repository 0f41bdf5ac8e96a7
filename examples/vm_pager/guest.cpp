// SPDX-License-Identifier: MIT
#include "guest.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace vm_pager {

using pagefold::page_place;
using pagefold::status;
using pagefold::uffd_outcome;

namespace {

constexpr std::size_t zeros_page = guest::most_batch; // the last page of the buffer
constexpr std::size_t copies_a_refusal = 64;
constexpr unsigned most_patience = 50'000; // of 0.1 ms
constexpr std::size_t most_recent_refaults = std::size_t{1} << 20;

} // namespace

guest::guest(unsigned number, guest_memory memory, unique_fd socket, store_type& store, base_memory* base,
             const saved_guest* saved)
    : number_{number}, memory_{std::move(memory)}, socket_{std::move(socket)}, store_{store}, base_{base},
      is_clone_{base != nullptr && base->parent() != pagefold::pool_id{}}, traits_{static_cast<std::uint8_t*>(
                                                                                       std::calloc(memory_.pages(), 1)),
                                                                                   std::free},
      buffer_{static_cast<std::byte*>(std::aligned_alloc(page_bytes, (zeros_page + 1) * page_bytes)), std::free} {
    if (traits_ == nullptr || buffer_ == nullptr || !set_.open(memory_.pages())) {
        throw refusal("no memory for its tables");
    }
    std::memset(buffer(zeros_page), 0, page_bytes);
    for (const guest_region& region : memory_.regions()) {
        if (base_ != nullptr && base_->bytes() < region.offset + region.bytes) {
            throw refusal("the snapshot ends before a region does");
        }
    }
    if (saved != nullptr) {
        take_over(*saved);
        look_at_file();
        return;
    }
    pagefold::pool_options options;
    options.parent = is_clone_ ? base_->parent() : pagefold::pool_id{};
    const pagefold::result<pagefold::pool_id> pool = store_.create_pool(options);
    if (!pool) {
        throw refusal(std::string("the store has no room for another guest: ") + to_string(pool.error()));
    }
    pool_ = pool.value();
    if (memory_.can_evict()) {
        look_at_file();
    }
}

guest::~guest() {
    if (pool_ != pagefold::pool_id{}) {
        static_cast<void>(store_.destroy_pool(pool_));
    }
}

/// What is in the file as well is found there after this, and its page in the store goes.
void guest::take_over(const saved_guest& saved) {
    if (!memory_.can_evict()) {
        throw refusal("it was saved as one whose pages can be evicted");
    }
    pool_ = saved.pool;
    for (slot_id page = 0; page < set_.pages(); ++page) {
        const page_state state = saved.state(page);
        if (state != page_state::base) {
            add_trait(page, zero_base);
        }
        if (state == page_state::stored && store_.contains(key(page)) == status::ok) {
            set_place(page, page_place::stored);
            set_copy(page, true, true);
        } else if (state == page_state::lost || state == page_state::stored) {
            set_place(page, page_place::lost);
        }
    }
}

// Messages.

void guest::read_messages() noexcept {
    uffd_msg messages[32];
    for (;;) {
        const uffd_outcome got = memory_.descriptor().read(messages, sizeof messages / sizeof *messages);
        for (std::size_t i = 0; i < got.done; ++i) {
            note_message(messages[i]);
        }
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
    case UFFD_EVENT_UNMAP: remove(message.arg.remove.start, message.arg.remove.end); break;
    case UFFD_EVENT_FORK: ::close(static_cast<int>(message.arg.fork.ufd)); break; // the child's memory is not ours
    default: break; // REMAP: what moved is not where faults are served any more
    }
}
void guest::remove(std::uint64_t start, std::uint64_t end) noexcept {
    for (std::uint64_t at = start; at < end; at += page_bytes) {
        const auto found = memory_.page_at(at);
        if (!found) {
            continue;
        }
        const auto page = static_cast<slot_id>(*found);
        forget_copy(page);
        if (set_.place(page) == page_place::resident) {
            set_.remove(page, page_place::nowhere);
        }
        set_place(page, page_place::nowhere);
        add_trait(page, zero_base);
        ++stats_.removed_pages;
    }
}
void guest::read_socket() noexcept {
    char bytes[256];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        socket_ = unique_fd{};
        look_after_process();
    }
}

// Faults.

guest::outcome guest::resolve(const fault& f) noexcept {
    switch (set_.place(f.page)) {
    case page_place::resident: return f.is_protection ? allow_writing(f.page) : bring_again(f.page);
    case page_place::lost: return lose(f.page);
    default: return bring(f, window(f.page));
    }
}
guest::outcome guest::allow_writing(slot_id page) noexcept {
    const uffd_outcome done = memory_.protect(page, 1, false);
    has_gone_ = has_gone_ || done.error == ESRCH;
    if (done.error == EAGAIN) {
        return outcome::again;
    }
    forget_copy(page);
    ++stats_.write_faults;
    return outcome::served;
}
/// Two threads met the missing page, and the other's fault was served; or it went, and nobody said so: then it is zeros.
guest::outcome guest::bring_again(slot_id page) noexcept {
    const uffd_outcome done = memory_.bring(page, buffer(zeros_page), 1, false);
    has_gone_ = has_gone_ || done.error == ESRCH;
    if (done.error == EAGAIN || done.error == ENOMEM) {
        return outcome::again;
    }
    if (done.ok()) {
        forget_copy(page);
        add_trait(page, zero_base);
        ++stats_.faults;
        ++stats_.zero_faults;
    } else {
        memory_.wake(page, 1);
    }
    return outcome::served;
}
std::size_t guest::window(slot_id page) noexcept {
    const page_place from = set_.place(page);
    const bool is_zero = has_trait(page, zero_base);
    const std::size_t most = std::min<std::size_t>(ahead_.window(page), memory_.run_from(page));
    std::size_t count = 1;
    while (count < most && set_.place(page + static_cast<slot_id>(count)) == from &&
           has_trait(page + static_cast<slot_id>(count), zero_base) == is_zero) {
        ++count;
    }
    return count;
}
std::size_t guest::read_pages(slot_id first, std::size_t count) noexcept {
    if (set_.place(first) == page_place::stored) {
        for (std::size_t i = 0; i < count; ++i) {
            if (store_.get(key(first + static_cast<slot_id>(i)), {buffer(i), page_bytes}) != status::ok) {
                return i;
            }
        }
        return count;
    }
    if (base_ != nullptr && !has_trait(first, zero_base)) {
        return base_->read(memory_.offset(first), buffer(0), count);
    }
    std::memset(buffer(0), 0, count * page_bytes);
    return count;
}
guest::outcome guest::bring(const fault& f, std::size_t count) noexcept {
    const page_place from = set_.place(f.page);
    const bool is_zero = base_ == nullptr || has_trait(f.page, zero_base);
    count = read_pages(f.page, count);
    if (count == 0) {
        return lose(f.page);
    }
    const bool tracks = memory_.can_evict();
    // Who writes to one page of zeros writes to the next ones, too: each would be a fault of its own if it were protected.
    const bool all_writable = !tracks || (f.is_write && is_zero && from == page_place::nowhere);
    const std::size_t writable = all_writable ? count : f.is_write ? 1 : 0;
    int error = 0;
    std::size_t done = map(f.page, 0, writable, false, error);
    if (done == writable && error == 0) {
        done += map(f.page, done, count - done, true, error);
    }
    ahead_.brought(f.page, static_cast<unsigned>(std::max<std::size_t>(done, 1)));
    if (done == 0) {
        if (error == EAGAIN || error == ENOMEM) {
            return outcome::again;
        }
        if (error == EEXIST) {
            note_present(f.page);
        }
        memory_.wake(f.page, 1); // it is there, or its mapping is gone: the guest sees for itself
        return outcome::served;
    }
    ++stats_.faults;
    ++(from == page_place::stored ? stats_.store_faults : is_zero ? stats_.zero_faults : stats_.snapshot_faults);
    stats_.read_ahead_pages += done - 1;
    return outcome::served;
}
std::size_t guest::map(slot_id first, std::size_t at, std::size_t count, bool protect, int& error) noexcept {
    if (count == 0) {
        return 0;
    }
    const uffd_outcome brought = memory_.bring(first + at, buffer(at), count, protect);
    error = brought.error;
    has_gone_ = has_gone_ || error == ESRCH;
    const std::size_t done = brought.done / page_bytes;
    for (std::size_t i = at; i < at + done; ++i) {
        note_brought(first + static_cast<slot_id>(i), protect);
    }
    return done;
}
void guest::note_brought(slot_id page, bool is_clean) noexcept {
    const bool was_stored = set_.is_stored(page);
    const bool is_refault = has_trait(page, was_evicted) && set_.is_refault(page);
    insert(page, is_refault);
    if (is_refault) {
        ++stats_.refaults;
        recent_refaults_ = std::min(recent_refaults_ + 1, most_recent_refaults);
    }
    if (is_clean) {
        set_copy(page, true, was_stored);
    } else {
        forget_copy(page);
    }
}
/// The page is in the guest's memory, from somebody else: what it has there is newer than any copy.
void guest::note_present(slot_id page) noexcept {
    forget_copy(page);
    insert(page, false);
}
guest::outcome guest::lose(slot_id page) noexcept {
    if (set_.place(page) != page_place::lost) {
        set_place(page, page_place::lost);
        ++stats_.lost_pages;
    }
    // Where the kernel has no POISON the guest's thread waits for ever: wrong bytes would be worse.
    if (memory_.poison(page)) {
        memory_.wake(page, 1);
    }
    return outcome::served;
}
void guest::set_copy(slot_id page, bool is_good, bool is_stored) noexcept {
    in_store_ -= set_.is_stored(page) ? 1 : 0;
    in_store_ += is_stored ? 1 : 0;
    set_.set_copy(page, is_good, is_stored);
}
void guest::set_place(slot_id page, page_place place) noexcept {
    stored_only_ -= set_.place(page) == page_place::stored ? 1 : 0;
    stored_only_ += place == page_place::stored ? 1 : 0;
    set_.set_place(page, place);
}
void guest::insert(slot_id page, bool was_wanted) noexcept {
    stored_only_ -= set_.place(page) == page_place::stored ? 1 : 0;
    set_.insert(page, was_wanted);
}
void guest::forget_copy(slot_id page) noexcept {
    if (set_.is_stored(page)) {
        static_cast<void>(store_.erase(key(page)));
    }
    set_copy(page, false, false);
    clear_trait(page, does_not_shrink);
}

void guest::look_at_file() noexcept {
    if (!memory_.can_evict() || memory_.pages_in_file() == set_.resident()) {
        return;
    }
    for (std::size_t page = 0; page < memory_.pages();) {
        const std::size_t end = page + memory_.run_from(page);
        while (page < end) {
            const guest_memory::run found = memory_.next_in_file(page);
            const std::size_t stop = found.count == 0 ? end : found.first;
            for (; page < stop; ++page) {
                if (set_.place(static_cast<slot_id>(page)) == page_place::resident) {
                    forget_copy(static_cast<slot_id>(page));
                    set_.remove(static_cast<slot_id>(page), page_place::nowhere);
                    add_trait(static_cast<slot_id>(page), zero_base);
                }
            }
            for (; page < stop + found.count; ++page) {
                const page_place place = set_.place(static_cast<slot_id>(page));
                if (place == page_place::nowhere || place == page_place::stored) {
                    note_present(static_cast<slot_id>(page));
                }
            }
        }
    }
}

// Eviction.

guest::eviction guest::evict(std::size_t pages) noexcept {
    slot_id victims[most_batch];
    std::size_t count = 0;
    while (count < std::min(pages, most_batch) && memory_.can_evict()) {
        const slot_id page =
            set_.evict(page_place::nowhere, [this](slot_id p) noexcept { return !has_trait(p, does_not_shrink); });
        if (page == pagefold::no_slot) {
            break;
        }
        victims[count++] = page;
    }
    std::sort(victims, victims + count);
    eviction done;
    for (std::size_t first = 0; first < count;) {
        const bool is_clean = set_.has_copy(victims[first]);
        const std::size_t most = memory_.run_from(victims[first]);
        std::size_t run = 1;
        while (first + run < count && run < most && victims[first + run] == victims[first] + run &&
               set_.has_copy(victims[first + run]) == is_clean) {
            ++run;
        }
        done.freed += evict_run(victims + first, run, is_clean);
        first += run;
    }
    for (std::size_t i = 0; i < count; ++i) {
        done.barred += has_trait(victims[i], does_not_shrink) ? 1 : 0;
    }
    return done;
}
/// Pages side by side, all clean, which are protected already, or all dirty.
std::size_t guest::evict_run(const slot_id* pages, std::size_t count, bool is_clean) noexcept {
    status went[most_batch];
    bool can_go = is_clean;
    if (!is_clean) {
        const uffd_outcome done = memory_.protect(pages[0], count, true);
        has_gone_ = has_gone_ || done.error == ESRCH;
        can_go = done.ok() && memory_.read(pages[0], buffer(0), count);
    }
    for (std::size_t i = 0; i < count; ++i) {
        went[i] = !can_go ? status::busy : is_clean ? status::ok : put(pages[i], buffer(i));
    }
    std::size_t freed = 0;
    for (std::size_t i = 0; i < count;) {
        std::size_t end = i;
        while (end < count && went[end] == status::ok) {
            ++end;
        }
        const bool has_dropped = end > i && memory_.drop(pages[i], end - i);
        for (; has_dropped && i < end; ++i, ++freed) {
            const bool is_stored = set_.is_stored(pages[i]);
            set_copy(pages[i], is_stored, is_stored);
            set_place(pages[i], is_stored ? page_place::stored : page_place::nowhere);
            set_.note_eviction(pages[i]);
            add_trait(pages[i], was_evicted);
            ++stats_.evicted_pages;
            stats_.clean_pages += is_clean ? 1 : 0;
        }
        for (const std::size_t stay_end = std::min(std::max(end, i + 1), count); i < stay_end; ++i) {
            stays(pages[i], went[i]);
        }
    }
    return freed;
}
void guest::stays(slot_id page, status why) noexcept {
    forget_copy(page);
    insert(page, true);
    if (why == status::incompressible) {
        add_trait(page, does_not_shrink);
    } else { // it is written again without asking; where that is not to be had now, its fault says so
        static_cast<void>(memory_.protect(page, 1, false));
    }
}
/// Where the store has no room, the copies of pages that are in memory give theirs.
status guest::put(slot_id page, const std::byte* bytes) noexcept {
    if (std::memcmp(bytes, buffer(zeros_page), page_bytes) == 0) {
        add_trait(page, zero_base);
        forget_copy(page);
        return status::ok;
    }
    for (;;) {
        const status s = store_.put(key(page), {bytes, page_bytes});
        set_copy(page, false, s == status::ok);
        if (s == status::ok) {
            return s;
        }
        if ((s != status::limit && s != status::no_memory) || !drop_copies()) {
            ++stats_.refused_pages;
            return s;
        }
    }
}
bool guest::drop_copies() noexcept {
    std::size_t dropped = 0;
    for (std::size_t seen = 0; in_store_ != stored_only_ && seen < set_.pages() && dropped < copies_a_refusal; ++seen) {
        copy_hand_ = copy_hand_ + 1 < set_.pages() ? copy_hand_ + 1 : 0;
        if (set_.place(copy_hand_) == page_place::resident && set_.is_stored(copy_hand_)) {
            forget_copy(copy_hand_);
            ++dropped;
        }
    }
    return dropped != 0;
}

// The end.

bool guest::give_back() noexcept {
    const std::uint64_t lost = stats_.lost_pages;
    unsigned patience = 0;
    for (slot_id page = 0; page < set_.pages() && !has_gone_ && patience < most_patience;) {
        const page_place place = set_.place(page);
        const bool is_missing = place == page_place::stored ||
                                (place == page_place::nowhere && base_ != nullptr && !has_trait(page, zero_base));
        if (!is_missing) {
            ++page;
        } else if (bring({page, true, false}, 1) == outcome::served) {
            ++page; // or its mapping is gone, and nobody wants it
            patience = 0;
        } else { // a REMOVE may be what it waits for, or memory
            read_messages();
            usleep(100);
            ++patience;
        }
    }
    if (patience == most_patience) {
        return false;
    }
    memory_.unregister(); // lifts what protection is left, and wakes everybody
    return stats_.lost_pages == lost;
}

saved_guest guest::save() {
    guest_identity who;
    if (!memory_.identify(who)) {
        throw failure("nothing tells its memfd from others");
    }
    saved_guest out{std::move(who)};
    out.pool = pool_;
    for (slot_id page = 0; page < set_.pages(); ++page) {
        switch (set_.place(page)) {
        case page_place::resident: forget_copy(page); break; // older than the guest's page soon; zeros, should that go
        case page_place::stored: out.set_state(page, page_state::stored); break;
        case page_place::lost: out.set_state(page, page_state::lost); break;
        default:
            out.set_state(page, base_ != nullptr && !has_trait(page, zero_base) ? page_state::base : page_state::zeros);
        }
    }
    return out;
}
void guest::let_wait() noexcept {
    for (const fault& f : faults_) {
        memory_.wake(f.page, 1);
    }
    faults_.clear();
}

bool guest::check() noexcept {
    std::size_t in_store = 0, stored_only = 0;
    for (slot_id page = 0; page < set_.pages(); ++page) {
        const bool is_stored = set_.place(page) == page_place::stored;
        if (is_stored && !set_.is_stored(page)) {
            return false;
        }
        in_store += set_.is_stored(page) ? 1 : 0;
        stored_only += is_stored ? 1 : 0;
    }
    const auto pool = store_.statistics_of(pool_);
    return pool && pool.value().stored_pages == in_store && in_store_ == in_store && stored_only_ == stored_only &&
           set_.check();
}

} // namespace vm_pager
