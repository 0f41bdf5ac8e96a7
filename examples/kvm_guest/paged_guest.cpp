// SPDX-License-Identifier: MIT
#include "paged_guest.hpp"

#include "failure.hpp"

#include <support/latency.hpp>
#include <support/pager_failure.hpp>
#include <support/threads.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>

namespace kvm_guest {
namespace {

constexpr int interrupt_signal = SIGUSR1;
constexpr auto moment = std::chrono::milliseconds{10};

} // namespace

std::uint64_t pages_of(std::size_t guest_bytes) noexcept { return (guest_bytes - first_page) / page_size; }

void take_interrupts() {
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    sigemptyset(&nothing.sa_mask);
    sigaction(interrupt_signal, &nothing, nullptr); // no SA_RESTART: KVM_RUN is to come back
    virtual_machine::take_memory_errors();
}

paged_guest::paged_guest(store_type& store, const examples::memory_nodes& nodes, const arguments& given,
                         unsigned number, std::size_t budget_bytes)
    : pager_{store}, pages_{pages_of(given.guest_bytes)} {
    pagefold::uffd_pager_options options;
    options.bytes = given.guest_bytes;
    options.budget_bytes = budget_bytes;
    options.eviction = given.eviction;
    options.backing = given.backing;
    nodes.settle(options, number);
    // By thread: a fault inside KVM_RUN is the kernel's, which no signal handler can resolve (docs/embedding/kvm.md).
    options.delivery = pagefold::fault_delivery::thread;
    if (const pagefold::status s = pager_.open(options); s != pagefold::status::ok) {
        examples::give_up("no paged memory for guest " + std::to_string(number), pager_, s);
    }
    if (pager_.is_user_only()) {
        throw unavailable(
            "this process may only serve faults of user code, and KVM touches guest memory from the kernel");
    }
    machine_ = std::make_unique<virtual_machine>(pager_.memory().data(), pager_.memory().size());
    serve_faults();
}

paged_guest::~paged_guest() {
    if (processor_.joinable()) {
        interrupt_processor();
        processor_.join();
    }
    machine_.reset(); // nothing reaches the memory any more
    end_serving();
}

void paged_guest::serve_faults() {
    server_ = examples::start_thread("for the page faults of a guest", [this] {
        if (pager_.run() != pagefold::status::ok) { // the guest would wait for ever
            std::fprintf(stderr, "kvm_guest: faults are not served: %s\n", examples::reason_of(pager_).c_str());
            std::_Exit(2);
        }
    });
}

void paged_guest::end_serving() {
    if (server_.joinable()) {
        pager_.stop();
        server_.join();
    }
}

void paged_guest::start(const mailbox& box) {
    told_ = box;
    processor_ = examples::start_thread("for the processor of a guest", [this, box] { live(box); });
}

void paged_guest::live(const mailbox& box) {
    const std::uint64_t start = pagefold::support::now_ns();
    try {
        machine_->load(box);
        result_.how = machine_->run();
    } catch (const unavailable& why) {
        trouble_ = why.what();
    }
    result_.seconds = static_cast<double>(pagefold::support::now_ns() - start) * 1e-9;
    has_ended_.store(true, std::memory_order_release);
}

void paged_guest::wait() {
    processor_.join();
    if (!trouble_.empty()) {
        throw unavailable(trouble_);
    }
    result_.pager = pager_.statistics(); // before the monitor's own faults
    mailbox box{};
    if (pager_.populate(mailbox_address, sizeof box) == pagefold::status::ok) {
        std::memcpy(&box, pager_.memory().data() + mailbox_address, sizeof box);
    }
    result_.written = box.written;
    result_.checked = box.checked;
    result_.counts = box.counts;
}

void paged_guest::interrupt_processor() {
    machine_->stop();
    pthread_kill(processor_.native_handle(), interrupt_signal);
}

void paged_guest::stop() {
    interrupt_processor();
    wait();
}

void paged_guest::stop_in_fault() {
    end_serving(); // the next page that is missing stays missing
    std::this_thread::sleep_for(10 * moment);
    interrupt_processor();
    for (int i = 0; i < 50 && !has_ended(); ++i) {
        std::this_thread::sleep_for(moment);
    }
    result_.was_woken = !has_ended();
    serve_faults(); // for the monitor's own faults, and for a processor that no signal wakes
    wait();
}

std::string paged_guest::verify() {
    const std::byte* const memory = pager_.memory().data();
    std::uint64_t counts = 0;
    for (std::uint64_t page = 0; page < pages_; ++page) {
        // A page that is lost is asked for, not touched: that would be a SIGBUS.
        if (pager_.populate(versions_address + page, 1) != pagefold::status::ok ||
            pager_.populate(first_page + page * page_size, page_size) != pagefold::status::ok) {
            return "page " + std::to_string(page) + " is lost";
        }
        std::uint8_t version = 0;
        std::memcpy(&version, memory + versions_address + page, 1);
        const auto word_at = [&](std::uint64_t i) {
            std::uint64_t word = 0;
            std::memcpy(&word, memory + first_page + page * page_size + 8 * i, sizeof word);
            return word;
        };
        counts += word_at(content_words);
        for (std::uint64_t i = 0; i < content_words; ++i) {
            const std::uint64_t expected = version == 0 ? 0 : word_of(told_.seed, page, version, i);
            if (word_at(i) != expected) {
                return "page " + std::to_string(page) + " has a wrong word " + std::to_string(i);
            }
        }
    }
    if (counts != result_.counts) {
        return "counts are lost";
    }
    return pager_.check() ? "" : "the pager's tables are damaged";
}

} // namespace kvm_guest
