// SPDX-License-Identifier: MIT
#include "connection.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>

namespace vm_pager {
namespace {

constexpr std::size_t most_descriptors = 2;

unique_fd make_socket() { return unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)}; }

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

/// A socket that nobody listens on, and no file of another kind.
bool is_dead_socket(const sockaddr_un& address) {
    struct stat status {};
    const unique_fd probe = make_socket();
    return lstat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
           ::connect(probe.get(), generic(address), sizeof address) != 0 && errno == ECONNREFUSED;
}

} // namespace

listener::listener(const std::string& path) : fd_{make_socket()} {
    const int why = errno;
    address_.sun_family = AF_UNIX;
    if (path.size() >= sizeof address_.sun_path) {
        throw failure(path + ": longer than a socket's path can be");
    }
    if (!fd_) {
        throw failure(std::string("no socket can be made: ") + std::strerror(why));
    }
    std::memcpy(address_.sun_path, path.c_str(), path.size());
    int bound = ::bind(fd_.get(), generic(address_), sizeof address_);
    if (bound != 0 && errno == EADDRINUSE) {
        if (!is_dead_socket(address_)) {
            throw failure(path + ": in use");
        }
        ::unlink(address_.sun_path);
        bound = ::bind(fd_.get(), generic(address_), sizeof address_);
    }
    if (bound != 0 || ::listen(fd_.get(), 16) != 0) {
        throw failure(path + ": no socket can be bound there: " + std::strerror(errno));
    }
}

listener::~listener() { ::unlink(address_.sun_path); }

unique_fd listener::accept() const noexcept {
    return unique_fd{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
}

ssize_t connection::receive_once() {
    char bytes[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
    iovec vector{bytes, sizeof bytes};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = 0;
    do {
        got = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN ? -1 : 0;
    }
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (std::size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
            descriptors_.emplace_back(fd);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0 || descriptors_.size() > most_descriptors) {
        throw refusal("more than two descriptors came, or no more can be opened here");
    }
    text_.append(bytes, static_cast<std::size_t>(got));
    return got;
}

std::optional<introduction> connection::receive() {
    ssize_t got = 0;
    do {
        got = receive_once();
        if (text_.size() > most_message_bytes) {
            throw refusal("the message is longer than 64 KiB");
        }
    } while (got > 0);
    std::optional<std::vector<guest_region>> regions = parse_message(text_);
    if (!regions) {
        if (got == 0) {
            throw refusal("the client left before its message was whole");
        }
        return std::nullopt;
    }
    if (descriptors_.empty()) {
        throw refusal("no descriptor came with the message");
    }
    introduction out{std::move(*regions), std::move(descriptors_[0]), unique_fd{}};
    if (descriptors_.size() > 1) {
        out.file = std::move(descriptors_[1]);
    }
    return out;
}

} // namespace vm_pager
