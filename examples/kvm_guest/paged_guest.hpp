// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "guest_protocol.hpp"
#include "guest_store.hpp"
#include "virtual_machine.hpp"

#include <pagefold/hosted/uffd_pager.hpp>

#include <support/memory_nodes.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace kvm_guest {

using pager_type = pagefold::uffd_pager<store_type>;

/// What a guest's life came to.
struct guest_result {
    exit_report how{exit_kind::failed, 0};
    bool was_woken = false; ///< a stop in a fault needed the fault to be served first
    std::uint64_t written = 0, checked = 0, counts = 0;
    double seconds = 0;
    pagefold::uffd_pager_stats pager{};
};

/// A virtual machine whose memory is a region of a uffd_pager, with a thread for its processor and one for its faults.
class paged_guest {
public:
    /// Throws unavailable.
    paged_guest(store_type& store, const examples::memory_nodes& nodes, const arguments& given, unsigned number,
                std::size_t budget_bytes);
    ~paged_guest();
    paged_guest(const paged_guest&) = delete;
    paged_guest& operator=(const paged_guest&) = delete;

    void start(const mailbox& box);
    /// Until the guest has ended, by itself or by a stop.
    void wait();
    /// Ends the guest, wherever its processor is.
    void stop();
    /// The same while the processor waits for a page that does not come.
    void stop_in_fault();

    [[nodiscard]] bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }
    [[nodiscard]] pager_type& pager() noexcept { return pager_; }
    /// After wait().
    [[nodiscard]] const guest_result& result() const noexcept { return result_; }
    /// Reads all pages of the guest as its monitor: empty, or what is wrong.
    [[nodiscard]] std::string verify();

private:
    void live(const mailbox& box);
    void serve_faults();
    void end_serving();
    void interrupt_processor();

    pager_type pager_;
    std::unique_ptr<virtual_machine> machine_;
    std::thread server_, processor_;
    std::atomic<bool> has_ended_{false};
    std::uint64_t pages_ = 0;
    mailbox told_{};
    std::string trouble_;
    guest_result result_;
};

/// Pages of a guest's memory that it steps through.
[[nodiscard]] std::uint64_t pages_of(std::size_t guest_bytes) noexcept;
/// Handlers for the signals that get a processor's thread out of the guest; before any guest is made.
void take_interrupts();

} // namespace kvm_guest
