// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.hpp"
#include "guest_protocol.hpp"
#include "guest_store.hpp"
#include "virtual_machine.hpp"

#include <pagefold/hosted/uffd_pager.hpp>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace kvm_guest {

/// A virtual machine whose memory is a region of a uffd_pager, whose processor can be made to stand still and go on.
class pausable_guest {
public:
    using pager_type = pagefold::uffd_pager<store_type>;

    /// With a pool that is a clone of `parent`, if there is one. Throws unavailable.
    pausable_guest(store_type& store, const arguments& given, std::size_t budget_bytes, pagefold::pool_id parent);
    ~pausable_guest();
    pausable_guest(const pausable_guest&) = delete;
    pausable_guest& operator=(const pausable_guest&) = delete;

    [[nodiscard]] pager_type& pager() noexcept { return pager_; }
    [[nodiscard]] virtual_machine& machine() noexcept { return *machine_; }
    /// The guest's, which it uses: read and written atomically.
    [[nodiscard]] mailbox& box() noexcept;
    [[nodiscard]] std::uint64_t now() noexcept { return __atomic_load_n(&box().now, __ATOMIC_ACQUIRE); }

    /// The processor runs, from what its registers say.
    void start();
    /// The processor stands still when this is back. False where the guest has ended.
    [[nodiscard]] bool pause();
    /// It goes on. When its thread was about to enter the guest again, by support::now_ns.
    std::uint64_t go_on();
    /// Until the guest has ended.
    [[nodiscard]] exit_report wait();
    [[nodiscard]] bool has_ended();
    /// Page of the guest's memory, brought: or null where it is lost.
    [[nodiscard]] const std::byte* page(std::uint64_t number);

private:
    void live();
    void interrupt();

    pager_type pager_;
    std::unique_ptr<virtual_machine> machine_;
    std::thread server_, processor_;
    std::mutex lock_;
    std::condition_variable changed_;
    bool is_to_pause_ = false, stands_ = false, has_ended_ = false, is_to_end_ = false;
    std::uint64_t went_on_ns_ = 0;
    exit_report how_{exit_kind::failed, 0};
};

} // namespace kvm_guest
