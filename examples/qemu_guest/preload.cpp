// SPDX-License-Identifier: MIT

// LD_PRELOAD for QEMU: hands the guest's memory to a vm_pager. QEMU makes it with
//
//     -object memory-backend-memfd,id=ram,size=...,share=on -machine q35,memory-backend=ram
//
// that is, memfd_create and then mmap of it. Both are here: the descriptor is remembered, and when it is mapped the mapping is
// registered with a userfaultfd before QEMU sees it, and introduced to the socket that VM_PAGER_SOCKET names. Every other call
// goes to the kernel as it is. userfaultfd and socket stay open until QEMU ends: without them a guest whose handler
// has died would read zeros, where it now waits.
//
// VM_PAGER_CONTENT names a file that is copied into the memory before: a guest that begins there with memory of its own.

#include <pagefold/hosted/uffd.hpp>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

int guest_file = -1;
pagefold::uffd* faults = nullptr;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "preload: %s: %s\n", what, std::strerror(errno));
    _exit(3); // rather no guest than one that is not paged
}

int connect_to(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) {
        errno = EINVAL;
        give_up("VM_PAGER_SOCKET");
    }
    std::strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        give_up(path);
    }
    return fd;
}

void send_with(int socket, const char* text, const int (&descriptors)[2]) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {};
    iovec vector{const_cast<char*>(text), std::strlen(text)};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof descriptors);
    std::memcpy(CMSG_DATA(part), descriptors, sizeof descriptors);
    if (sendmsg(socket, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(vector.iov_len)) {
        give_up("the handler does not listen");
    }
}

/// Pages of zeros stay out of the memfd.
void fill_from(const char* path) {
    const int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        give_up(path);
    }
    constexpr std::size_t page = 4096;
    static char bytes[page];
    static const char zeros[page] = {};
    off_t at = 0;
    for (ssize_t got = 0; (got = pread(from, bytes, page, at)) > 0; at += got) {
        const auto size = static_cast<std::size_t>(got);
        if (std::memcmp(bytes, zeros, size) != 0 && pwrite(guest_file, bytes, size, at) != got) {
            give_up("the guest's memory can't be filled");
        }
    }
    close(from);
}

void hand_over(void* memory, std::size_t bytes, long long offset) {
    using namespace pagefold;
    faults = new uffd; // never closed
    if (faults->open(uffd_abi::feature_event_remove | uffd_abi::feature_missing_shmem | uffd_abi::feature_wp |
                     uffd_abi::feature_wp_shmem) != status::ok) {
        errno = faults->error();
        give_up(faults->reason());
    }
    if (const char* const content = std::getenv("VM_PAGER_CONTENT")) {
        fill_from(content);
    }
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    const uffd_outcome done =
        faults->register_range(start, bytes, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
    if (!done.ok()) {
        errno = done.error;
        give_up("the guest's memory can't be registered");
    }
    char text[256];
    std::snprintf(
        text, sizeof text,
        "[{\"base_host_virt_addr\":%llu,\"size\":%zu,\"offset\":%lld,\"page_size\":4096,\"page_size_kib\":4096}]",
        static_cast<unsigned long long>(start), bytes, offset);
    send_with(connect_to(std::getenv("VM_PAGER_SOCKET")), text, {faults->descriptor(), guest_file});
}

void* map(void* where, std::size_t bytes, int protection, int flags, int fd, long long offset) {
    void* const memory = reinterpret_cast<void*>(::syscall(SYS_mmap, where, bytes, protection, flags, fd, offset));
    if (memory != MAP_FAILED && fd >= 0 && fd == guest_file && faults == nullptr) {
        hand_over(memory, bytes, offset);
    }
    return memory;
}

} // namespace

extern "C" {

int memfd_create(const char* name, unsigned flags) noexcept {
    const int fd = static_cast<int>(::syscall(SYS_memfd_create, name, flags));
    if (std::strcmp(name, "memory-backend-memfd") == 0) {
        guest_file = fd;
    }
    return fd;
}
void* mmap(void* where, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
    return map(where, bytes, protection, flags, fd, offset);
}
void* mmap64(void* where, std::size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
    return map(where, bytes, protection, flags, fd, offset);
}

} // extern "C"
