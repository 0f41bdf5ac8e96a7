// SPDX-License-Identifier: MIT
#include "pausable_guest.hpp"

#include "failure.hpp"

#include <support/latency.hpp>
#include <support/pager_failure.hpp>
#include <support/threads.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>

namespace kvm_guest {

pausable_guest::pausable_guest(store_type& store, const arguments& given, std::size_t budget_bytes,
                               pagefold::pool_id parent)
    : pager_{store} {
    pagefold::uffd_pager_options options;
    options.bytes = given.guest_bytes;
    options.budget_bytes = budget_bytes;
    options.eviction = given.eviction;
    options.backing = given.backing;
    options.delivery = pagefold::fault_delivery::thread;
    options.tracking = pagefold::clean_tracking::protect; // a snapshot takes faults at first writes
    options.pool.parent = parent;
    if (const pagefold::status s = pager_.open(options); s != pagefold::status::ok) {
        examples::give_up("no paged memory whose first writes are faults", pager_, s);
    }
    if (pager_.is_user_only()) {
        throw unavailable(
            "this process may only serve faults of user code, and KVM touches guest memory from the kernel");
    }
    machine_ = std::make_unique<virtual_machine>(pager_.memory().data(), pager_.memory().size());
    server_ = examples::start_thread("for the page faults of a guest", [this] {
        if (pager_.run() != pagefold::status::ok) { // the guest would wait for ever
            std::fprintf(stderr, "kvm_guest: faults are not served: %s\n", examples::reason_of(pager_).c_str());
            std::_Exit(2);
        }
    });
}

pausable_guest::~pausable_guest() {
    if (processor_.joinable()) {
        {
            const std::lock_guard guard{lock_};
            is_to_end_ = true;
        }
        changed_.notify_all();
        interrupt();
        processor_.join();
    }
    machine_.reset(); // nothing reaches the memory any more
    pager_.stop();
    server_.join();
}

mailbox& pausable_guest::box() noexcept {
    return *reinterpret_cast<mailbox*>(pager_.memory().data() + mailbox_address);
}

void pausable_guest::interrupt() {
    machine_->stop();
    pthread_kill(processor_.native_handle(), SIGUSR1); // take_interrupts() has set its handler
}

void pausable_guest::start() {
    processor_ = examples::start_thread("for the processor of a guest", [this] { live(); });
}

void pausable_guest::live() {
    for (;;) {
        const exit_report how = machine_->run();
        std::unique_lock guard{lock_};
        if (how.kind == exit_kind::interrupted && !is_to_end_) {
            stands_ = is_to_pause_;
            changed_.notify_all();
            changed_.wait(guard, [this] { return !is_to_pause_ || is_to_end_; });
            stands_ = false;
            if (!is_to_end_) {
                machine_->let_run();
                went_on_ns_ = pagefold::support::now_ns();
                changed_.notify_all();
                continue;
            }
        }
        how_ = how;
        has_ended_ = true;
        changed_.notify_all();
        return;
    }
}

bool pausable_guest::pause() {
    std::unique_lock guard{lock_};
    is_to_pause_ = true;
    if (!has_ended_) {
        interrupt();
    }
    changed_.wait(guard, [this] { return stands_ || has_ended_; });
    return !has_ended_;
}

std::uint64_t pausable_guest::go_on() {
    std::unique_lock guard{lock_};
    is_to_pause_ = false;
    changed_.notify_all();
    changed_.wait(guard, [this] { return !stands_ || has_ended_; });
    return went_on_ns_;
}

exit_report pausable_guest::wait() {
    processor_.join();
    return how_;
}

bool pausable_guest::has_ended() {
    const std::lock_guard guard{lock_};
    return has_ended_;
}

const std::byte* pausable_guest::page(std::uint64_t number) {
    const std::size_t at = static_cast<std::size_t>(number * page_size);
    return pager_.populate(at, page_size) == pagefold::status::ok ? pager_.memory().data() + at : nullptr;
}

} // namespace kvm_guest
