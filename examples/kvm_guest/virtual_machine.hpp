// SPDX-License-Identifier: MIT
#pragma once

#include "guest_protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <linux/kvm.h>

namespace kvm_guest {

/// A descriptor that is closed when it goes.
class descriptor {
public:
    explicit descriptor(int number = -1) noexcept : number_{number} {}
    descriptor(descriptor&& other) noexcept : number_{other.number_} { other.number_ = -1; }
    descriptor& operator=(descriptor&&) = delete;
    ~descriptor();
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

/// Why a virtual processor came back.
enum class exit_kind {
    done,        ///< the guest says that all is done
    wrong_page,  ///< the guest found one; `number` is which
    lost_counts, ///< the guest misses additions to its pages; `number` of them
    dead,        ///< a triple fault
    interrupted, ///< a signal, or stop()
    memory,      ///< KVM could not get at guest memory: a page is lost
    failed,      ///< what no guest of ours does; `number` is KVM's reason
};
struct exit_report {
    exit_kind kind;
    std::uint64_t number;
};

/// What a processor of ours is besides its memory. Its guests have general registers only: no FPU state goes with it.
struct processor_state {
    kvm_regs general;
    kvm_sregs system;
};

/// One virtual machine of one processor, in long mode from the first instruction on: no firmware, no device.
class virtual_machine {
public:
    /// Sets a handler for SIGBUS; before any guest runs.
    static void take_memory_errors();

    /// `memory` is the guest's, from its address 0. Nothing of it is touched. Throws unavailable.
    virtual_machine(std::byte* memory, std::size_t bytes);
    ~virtual_machine();
    virtual_machine(const virtual_machine&) = delete;
    virtual_machine& operator=(const virtual_machine&) = delete;

    /// Writes page tables, image and mailbox, and sets the registers.
    void load(const mailbox& box);
    /// Until something has to be told.
    [[nodiscard]] exit_report run() noexcept;
    /// From any thread: run() ends before it enters the guest again. To get it out of the guest, a signal is needed too.
    void stop() noexcept;
    /// run() may enter the guest again.
    void let_run() noexcept;
    /// While nobody is in run(). Throws unavailable.
    [[nodiscard]] processor_state state() const;
    void set_state(const processor_state& state);

private:
    void write_tables() noexcept;
    void set_registers();

    std::byte* memory_;
    std::size_t bytes_;
    descriptor system_;
    descriptor machine_;
    descriptor processor_;
    std::size_t run_bytes_ = 0;
    kvm_run* run_ = nullptr;
};

} // namespace kvm_guest
