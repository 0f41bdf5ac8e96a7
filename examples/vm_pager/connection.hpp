// SPDX-License-Identifier: MIT
#pragma once

#include "message.hpp"
#include "unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <sys/un.h>
#include <vector>

namespace vm_pager {

/// A socket that is bound to a path, and gone from there when this is.
class listener {
public:
    /// Throws failure: another process listens there, or no socket can be made. A path that a dead one left is taken over.
    explicit listener(const std::string& path);
    ~listener();
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
    /// A connection that waits; none where there is none, or no descriptor for it.
    [[nodiscard]] unique_fd accept() const noexcept;

private:
    sockaddr_un address_{};
    unique_fd fd_;
};

/// What a monitor handed over.
struct introduction {
    std::vector<guest_region> regions;
    unique_fd faults; ///< the first descriptor
    unique_fd file;   ///< the second, if there was one
};

/// A client that has not introduced itself yet. It may take its time, in parts, but not for ever.
class connection {
public:
    using clock = std::chrono::steady_clock;
    static constexpr auto patience = std::chrono::seconds{3};

    explicit connection(unique_fd fd) : fd_{std::move(fd)}, until_{clock::now() + patience} {}

    [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
    [[nodiscard]] clock::time_point until() const noexcept { return until_; }
    /// Takes what has come. Nothing while the message is not whole; throws refusal.
    [[nodiscard]] std::optional<introduction> receive();
    /// The socket, for whoever goes on with the client.
    [[nodiscard]] unique_fd take() noexcept { return std::move(fd_); }

private:
    /// Bytes that came; 0 at the end, −1 if none are there now.
    [[nodiscard]] ssize_t receive_once();

    unique_fd fd_;
    clock::time_point until_;
    std::string text_;
    std::vector<unique_fd> descriptors_;
};

} // namespace vm_pager
