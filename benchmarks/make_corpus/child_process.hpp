// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pagefold::corpus {

/// A program started by us, killed with this object. It gets no environment but two fixed hash seeds, so that nothing
/// of the user's can end up in its memory; fixed addresses and no huge pages, so that two runs look alike.
class child_process {
public:
    /// `arguments[0]` is the absolute path of the program. Throws std::system_error.
    child_process(const std::vector<std::string>& arguments, const std::filesystem::path& directory);
    ~child_process();
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;

    [[nodiscard]] pid_t id() const noexcept { return id_; }

    /// Writes to the child's standard input, which stays open. False when the child closed it.
    bool send(std::string_view text);
    void close_input() noexcept;

    /// Waits until the child prints `line`. False when it ends or the time is over before.
    bool wait_for_line(std::string_view line, std::chrono::seconds timeout);

    /// Waits until the child has this many bytes of anonymous memory. False as above.
    bool wait_for_memory(std::size_t bytes, std::chrono::seconds timeout);

    /// Waits for the end. True when the child exited with 0 in time.
    bool wait_for_exit(std::chrono::seconds timeout);

    /// Stops the child where it is; after the return nothing of its memory changes.
    bool stop();

private:
    bool has_ended();

    pid_t id_ = -1;
    int input_ = -1;
    int output_ = -1;
    int exit_status_ = 0;
    bool ended_ = false;
};

} // namespace pagefold::corpus
