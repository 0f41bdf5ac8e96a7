// SPDX-License-Identifier: MIT
#pragma once

#include "pager_process.hpp"

#include <pagefold/hosted/uffd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <vector>

namespace vm_pager::testing {

inline constexpr std::size_t page = 4096;

/// Whether this kernel lacks what a monitor needs; says so.
[[nodiscard]] inline bool lacks_uffd() {
    pagefold::uffd probe;
    const auto wanted = pagefold::uffd_abi::feature_event_remove | pagefold::uffd_abi::feature_missing_shmem;
    const bool lacks = probe.open(wanted) != pagefold::status::ok;
    if (lacks) {
        std::printf("skipped: %s\n", probe.reason());
    }
    return lacks;
}

/// Connects, sends the text and the descriptors in one message.
[[nodiscard]] inline unique_fd send_message(const std::string& path, const std::string& text,
                                            const std::vector<int>& descriptors) {
    unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    expect(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "no connection to " + path);
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
    iovec vector{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        cmsghdr* const part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size() * sizeof(int));
    }
    expect(sendmsg(fd.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()), "the message was not sent");
    return fd;
}

struct monitor_options {
    std::vector<std::size_t> regions{std::size_t{8} << 20}; ///< bytes of each; there are gaps between them
    bool has_file = true;                                   ///< a memfd, which is sent; else private anonymous memory
    bool has_events = true;                                 ///< EVENT_REMOVE
};

/// A monitor's side of the protocol, with its guest's memory in this process.
class monitor {
public:
    explicit monitor(const monitor_options& options = {}) : has_file_{options.has_file} {
        std::size_t bytes = 0;
        for (const std::size_t size : options.regions) {
            bytes += size;
        }
        if (has_file_) {
            file_ = unique_fd{memfd_create("guest", MFD_CLOEXEC)};
            expect(ftruncate(file_.get(), static_cast<off_t>(bytes)) == 0, "no memfd");
        }
        std::size_t offset = 0;
        for (const std::size_t size : options.regions) {
            void* const memory =
                mmap(nullptr, size + page, PROT_READ | PROT_WRITE, has_file_ ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS,
                     file_.get(), static_cast<off_t>(offset));
            expect(memory != MAP_FAILED, "no memory");
            munmap(static_cast<std::byte*>(memory) + size, page); // so that no two regions touch
            madvise(memory, size, MADV_NOHUGEPAGE);
            parts_.push_back({static_cast<std::byte*>(memory), size, offset});
            offset += size;
        }
        expect(faults_.open(options.has_events ? pagefold::uffd_abi::feature_event_remove : 0) == pagefold::status::ok,
               std::string("no userfaultfd: ") + faults_.reason());
        for (const part& p : parts_) {
            expect(faults_.register_range(address(p), p.bytes, UFFDIO_REGISTER_MODE_MISSING).ok(), "not registered");
        }
    }
    ~monitor() {
        for (const part& p : parts_) {
            munmap(p.memory, p.bytes);
        }
    }
    monitor(const monitor&) = delete;
    monitor& operator=(const monitor&) = delete;

    [[nodiscard]] std::string message() const {
        std::string text;
        for (const part& p : parts_) {
            text += std::string(text.empty() ? "[" : ",") + "{\"base_host_virt_addr\":" + std::to_string(address(p)) +
                    ",\"size\":" + std::to_string(p.bytes) + ",\"offset\":" + std::to_string(p.offset) +
                    ",\"page_size\":4096,\"page_size_kib\":4096}";
        }
        return text + "]";
    }
    [[nodiscard]] std::vector<int> descriptors() const {
        return has_file_ ? std::vector<int>{faults(), file()} : std::vector<int>{faults()};
    }
    [[nodiscard]] int faults() const noexcept { return faults_.descriptor(); }
    [[nodiscard]] int file() const noexcept { return file_.get(); }
    void introduce(const std::string& socket) { socket_ = send_message(socket, message(), descriptors()); }
    /// Introduces itself, and waits until it is known.
    void introduce(pager_process& pager) {
        introduce(pager.socket());
        pager.wait_for("guest ");
    }
    /// What a monitor does whose guest ended, short of ending itself: no fault will come any more.
    void leave() { socket_ = unique_fd{}; }

    [[nodiscard]] std::size_t pages() const noexcept { return (parts_.back().offset + parts_.back().bytes) / page; }
    /// Page i of all regions.
    [[nodiscard]] std::byte* at(std::size_t i) const noexcept {
        const part* found = &parts_.front();
        for (const part& p : parts_) {
            found = p.offset <= i * page ? &p : found;
        }
        return found->memory + (i * page - found->offset);
    }
    /// Bytes that the guest has in memory.
    [[nodiscard]] std::size_t resident() const {
        struct stat status {};
        return fstat(file(), &status) == 0 ? static_cast<std::size_t>(status.st_blocks) * 512 : 0;
    }

private:
    struct part {
        std::byte* memory;
        std::size_t bytes;
        std::size_t offset;
    };
    [[nodiscard]] static std::uint64_t address(const part& p) noexcept {
        return reinterpret_cast<std::uintptr_t>(p.memory);
    }

    bool has_file_;
    unique_fd file_;
    std::vector<part> parts_;
    pagefold::uffd faults_;
    unique_fd socket_;
};

/// Small numbers that repeat, as a guest's data might; of another kind for another version, and never zeros. Noise if asked.
inline void write_page(std::byte* to, std::size_t i, unsigned version, bool is_noise = false) noexcept {
    std::uint64_t state = i * 0x9e37'79b9'7f4a'7c15u + version * 0xbf58'476d'1ce4'e5b9u + 1;
    for (std::size_t at = 0; at < page; at += 8) {
        state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
        const std::uint64_t word = is_noise ? state ^ state >> 29 : (state >> 60) + 1 + (std::uint64_t{version} << 32);
        std::memcpy(to + at, &word, 8);
    }
}
[[nodiscard]] inline bool is_page(const std::byte* from, std::size_t i, unsigned version, bool is_noise = false) {
    std::byte expected[page];
    write_page(expected, i, version, is_noise);
    return std::memcmp(from, expected, page) == 0;
}
[[nodiscard]] inline bool is_zeros(const std::byte* from) {
    return std::all_of(from, from + page, [](std::byte b) { return b == std::byte{}; });
}

} // namespace vm_pager::testing
