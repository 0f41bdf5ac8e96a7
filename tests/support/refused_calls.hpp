// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pagefold::testing {

/// A system call, or those of its calls that have a certain argument.
struct system_call {
    const char* name;
    long number;
    int argument = -1;                      ///< from 0; −1: whatever the arguments are
    std::uint64_t value = 0;                ///< of its lower half
    std::uint32_t mask = ~std::uint32_t{0}; ///< which bits of it count
};

/// From here on the call answers `error` in this thread and those that it starts, as under a container's filter or on a kernel
/// that doesn't have it. False where this machine allows no filters. There is no way back: for children.
[[nodiscard]] inline bool refuse(const system_call& call, int error) {
    constexpr std::size_t low_half = std::endian::native == std::endian::little ? 0 : 4;
    const auto argument = static_cast<std::uint32_t>(
        offsetof(seccomp_data, args) + 8 * static_cast<std::size_t>(call.argument < 0 ? 0 : call.argument) + low_half);
    const bool always = call.argument < 0;
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call.number), 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, always ? 0 : call.mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, always ? 0 : static_cast<std::uint32_t>(call.value) & call.mask, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{static_cast<unsigned short>(sizeof code / sizeof *code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace pagefold::testing
