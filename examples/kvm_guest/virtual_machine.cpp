// SPDX-License-Identifier: MIT
#include "virtual_machine.hpp"

#include "failure.hpp"
#include "guest_image.hpp"

#include <pagefold/hosted/shortage.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace kvm_guest {
namespace {

[[noreturn]] void give_up(const std::string& what) {
    const int error = errno;
    const std::string why = what + ": " + std::strerror(error);
    if (pagefold::is_shortage(error)) {
        throw failure(why);
    }
    throw unavailable(why);
}

int checked(int answer, const char* what) {
    if (answer < 0) {
        give_up(what);
    }
    return answer;
}

// A page that userfaultfd poisoned is a memory error to KVM: it signals the thread that runs the guest, as it does for broken
// memory, and KVM_RUN comes back as from any signal.
thread_local volatile std::sig_atomic_t runs_guest = 0;
thread_local volatile std::sig_atomic_t met_lost_page = 0;

void on_memory_error(int, siginfo_t*, void*) {
    if (runs_guest == 0) {
        std::signal(SIGBUS, SIG_DFL); // not the guest's: the access is tried again and ends the program
    }
    met_lost_page = 1;
}

kvm_segment segment_of(std::uint16_t selector, std::uint8_t type, bool is_code) {
    kvm_segment s{};
    s.limit = 0xffffffff;
    s.selector = selector;
    s.type = type;
    s.present = 1;
    s.dpl = 3;
    s.s = 1;
    s.g = 1;
    s.l = is_code ? 1 : 0;
    s.db = is_code ? 0 : 1;
    return s;
}

} // namespace

descriptor::~descriptor() {
    if (number_ >= 0) {
        close(number_);
    }
}

virtual_machine::virtual_machine(std::byte* memory, std::size_t bytes)
    : memory_{memory}, bytes_{bytes}, system_{checked(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm")},
      machine_{checked(ioctl(system_.number(), KVM_CREATE_VM, 0), "KVM_CREATE_VM")}, processor_{[&] {
          if (ioctl(machine_.number(), KVM_CHECK_EXTENSION, KVM_CAP_SYNC_MMU) != 1) {
              throw unavailable("KVM does not follow changes of its user's mappings (KVM_CAP_SYNC_MMU)");
          }
          kvm_userspace_memory_region region{};
          region.memory_size = bytes;
          region.userspace_addr = reinterpret_cast<std::uintptr_t>(memory);
          checked(ioctl(machine_.number(), KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
          return checked(ioctl(machine_.number(), KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
      }()} {
    run_bytes_ =
        static_cast<std::size_t>(checked(ioctl(system_.number(), KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"));
    void* const shared = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, processor_.number(), 0);
    if (shared == MAP_FAILED) {
        give_up("the virtual processor's page");
    }
    run_ = static_cast<kvm_run*>(shared);
}

virtual_machine::~virtual_machine() {
    if (run_ != nullptr) {
        munmap(run_, run_bytes_);
    }
}

void virtual_machine::load(const mailbox& box) {
    write_tables();
    const guest_image image = the_guest_image();
    std::memcpy(memory_ + image_address, image.data, image.size);
    std::memcpy(memory_ + mailbox_address, &box, sizeof box);
    set_registers();
}

/// One to one, in pages of 2 MiB, for ring 3.
void virtual_machine::write_tables() noexcept {
    constexpr std::uint64_t present_writable_user = 7, large = 0x80;
    const auto write = [&](std::uint64_t address, std::uint64_t entry) {
        std::memcpy(memory_ + address, &entry, sizeof entry);
    };
    write(tables_address, (tables_address + page_size) | present_writable_user);
    write(tables_address + page_size, (tables_address + 2 * page_size) | present_writable_user);
    for (std::uint64_t i = 0; i << 21 < bytes_; ++i) {
        write(tables_address + 2 * page_size + 8 * i, i << 21 | present_writable_user | large);
    }
}

void virtual_machine::set_registers() {
    kvm_sregs system{};
    checked(ioctl(processor_.number(), KVM_GET_SREGS, &system), "KVM_GET_SREGS");
    constexpr std::uint64_t paging_protected = 0x80010031, pae = 0x20, long_mode = 0x500;
    system.cr0 = paging_protected;
    system.cr3 = tables_address;
    system.cr4 = pae;
    system.efer = long_mode;
    system.cs = segment_of(0x1b, 11, true);
    system.ds = system.es = system.fs = system.gs = system.ss = segment_of(0x23, 3, false);
    system.idt.limit = 0; // an exception has nowhere to go: a triple fault
    checked(ioctl(processor_.number(), KVM_SET_SREGS, &system), "KVM_SET_SREGS");
    kvm_regs general{};
    constexpr std::uint64_t always_set = 2, ports_from_ring_3 = 0x3000;
    general.rip = image_address;
    general.rsp = stack_top - 8; // as behind a call
    general.rflags = always_set | ports_from_ring_3;
    checked(ioctl(processor_.number(), KVM_SET_REGS, &general), "KVM_SET_REGS");
}

exit_report virtual_machine::run() noexcept {
    met_lost_page = 0;
    runs_guest = 1;
    const int answer = ioctl(processor_.number(), KVM_RUN, 0);
    const int why = errno;
    runs_guest = 0;
    if (met_lost_page != 0 || (answer != 0 && why == EFAULT)) {
        return {exit_kind::memory, 0};
    }
    if (answer != 0) {
        return why == EINTR || why == EAGAIN ? exit_report{exit_kind::interrupted, 0}
                                             : exit_report{exit_kind::failed, static_cast<std::uint64_t>(why)};
    }
    switch (run_->exit_reason) {
    case KVM_EXIT_IO: {
        std::uint32_t value = 0;
        std::memcpy(&value, reinterpret_cast<const std::byte*>(run_) + run_->io.data_offset, sizeof value);
        return {run_->io.port == port_done    ? exit_kind::done
                : run_->io.port == port_wrong ? exit_kind::wrong_page
                : run_->io.port == port_lost  ? exit_kind::lost_counts
                                              : exit_kind::failed,
                value};
    }
    case KVM_EXIT_SHUTDOWN: return {exit_kind::dead, 0};
    case KVM_EXIT_INTR: return {exit_kind::interrupted, 0};
    default: return {exit_kind::failed, run_->exit_reason};
    }
}

void virtual_machine::take_memory_errors() {
    struct sigaction wanted {};
    wanted.sa_sigaction = on_memory_error;
    wanted.sa_flags = SA_SIGINFO;
    sigemptyset(&wanted.sa_mask);
    sigaction(SIGBUS, &wanted, nullptr);
}

processor_state virtual_machine::state() const {
    processor_state state{};
    checked(ioctl(processor_.number(), KVM_GET_REGS, &state.general), "KVM_GET_REGS");
    checked(ioctl(processor_.number(), KVM_GET_SREGS, &state.system), "KVM_GET_SREGS");
    return state;
}

void virtual_machine::set_state(const processor_state& state) {
    checked(ioctl(processor_.number(), KVM_SET_SREGS, &state.system), "KVM_SET_SREGS");
    checked(ioctl(processor_.number(), KVM_SET_REGS, &state.general), "KVM_SET_REGS");
}

void virtual_machine::let_run() noexcept { __atomic_store_n(&run_->immediate_exit, std::uint8_t{0}, __ATOMIC_RELEASE); }

void virtual_machine::stop() noexcept { __atomic_store_n(&run_->immediate_exit, std::uint8_t{1}, __ATOMIC_RELEASE); }

} // namespace kvm_guest
