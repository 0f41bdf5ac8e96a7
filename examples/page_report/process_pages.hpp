// SPDX-License-Identifier: MIT
#pragma once

#include "page_input.hpp"
#include "unique_file.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace page_report {

/// The private anonymous pages of a process that are in memory now: what a kernel would swap.
class process_pages : public page_input {
public:
    /// Looks through the whole process; throws `failure`.
    explicit process_pages(pid_t id);

    [[nodiscard]] std::string name() const override { return name_; }
    [[nodiscard]] bool is_process() const override { return true; }
    [[nodiscard]] std::uint64_t pages() const override { return addresses_.size(); }
    [[nodiscard]] outcome copy(std::uint64_t which, std::byte* to) override;
    [[nodiscard]] std::string describe(std::uint64_t which) const override;
    [[nodiscard]] std::string why_gone() const override;

private:
    void find_pages(const std::string& directory);

    std::string name_;
    unique_file memory_;
    std::vector<std::uint64_t> addresses_;
};

/// `name[id]`, of the folder /proc/PID/.
[[nodiscard]] std::string name_of_process(const std::string& directory, pid_t id);

/// Calls visit(begin, end) for the readable private mappings of a process now, in the order of addresses.
void for_each_private_mapping(const std::string& directory,
                              const std::function<void(std::uint64_t, std::uint64_t)>& visit);

struct running_process {
    pid_t id;
    std::uint64_t anonymous_bytes;
};

/// The processes whose memory may be read, but this one; those with the most anonymous memory first.
[[nodiscard]] std::vector<running_process> readable_processes();

} // namespace page_report
