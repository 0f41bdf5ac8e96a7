// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/control/budget.hpp>
#include <pagefold/control/fixed_point.hpp>
#include <pagefold/control/sampled_counter.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/hosted/shortage.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <unistd.h>

// Who waits for memory, as the kernel tells it: pressure stall information (Linux 4.20 with CONFIG_PSI;
// Documentation/accounting/psi.rst) of the machine or of a cgroup of version 2, and a cgroup's memory.events
// (Documentation/admin-guide/cgroup-v2.rst). The files are opened anew for each sample: a cgroup may vanish and come again, and the
// kernel may be told to stop. What is no such file, or is cut short, tells nothing: a number without an end may be a part of a
// greater one.

namespace pagefold::inline PAGEFOLD_ABI {

/// Totals since the machine or the cgroup began; no_sample where it can't be told.
struct psi_sample {
    std::uint64_t some_us = no_sample;       ///< in which at least one task waited for memory
    std::uint64_t full_us = no_sample;       ///< of that: in which all did
    std::uint64_t high_events = no_sample;   ///< of a cgroup: over memory.high, and throttled
    std::uint64_t max_events = no_sample;    ///< of a cgroup: about to go over memory.max
    std::uint64_t oom_kills = no_sample;     ///< of a cgroup
    std::uint64_t current_bytes = no_sample; ///< of a cgroup: all memory charged to it, now
};

/// Reads pressure files. Allocates nothing and keeps no descriptor open; 4 KiB. A sample costs three system calls a file, some
/// microseconds. Not thread-safe.
class psi_monitor {
public:
    static constexpr std::size_t most_path = 4000;
    /// What an event counts for where a cgroup tells events and no stalls: about what the kernel throttles for.
    static constexpr std::uint64_t us_an_event = 10'000;

    /// Of the whole machine. invalid: there is none; no_memory: no descriptor for it. reason() says why.
    status open_system(const char* folder = "/proc/pressure") noexcept { return open(folder, "/memory", false); }
    /// Of the cgroup (version 2) whose folder that is. Pressure or events are enough. invalid: there is neither.
    status open_cgroup(const char* folder) noexcept { return open(folder, "/memory.pressure", true); }
    /// Of this process's own cgroup of version 2.
    status open_own_cgroup(const char* list = "/proc/self/cgroup", const char* mount = "/sys/fs/cgroup") noexcept {
        close();
        char text[most_path];
        const std::size_t length = read_file(list, text, sizeof text);
        if (error_ != 0) {
            return failed("this process's cgroups can't be read");
        }
        const char* const line = line_of(text, length, "0::/");
        const char* const end = line != nullptr ? end_of_line(line, text + length) : nullptr;
        if (end == nullptr) {
            return failed("this process is in no cgroup of version 2");
        }
        // With version 1 beside it, version 2 has a folder of its own.
        char folder[most_path];
        for (const char* const below : {"", "/unified"}) {
            if (!join(folder, mount, below, "/cgroup.controllers") || ::access(folder, F_OK) != 0) {
                continue;
            }
            if (!join(folder, mount, below, "/") || !append(folder, line, static_cast<std::size_t>(end - line))) {
                return failed("the cgroup's path is too long");
            }
            return open_cgroup(folder);
        }
        return failed("no cgroups of version 2 are mounted");
    }
    void close() noexcept {
        folder_[0] = '\0';
        reason_ = "not open";
        error_ = 0;
        tells_events_ = false;
    }
    [[nodiscard]] bool is_open() const noexcept { return folder_[0] != '\0'; }

    /// What the files say now. While they are gone or senseless the fields are no_sample, and reason() says why; the next
    /// sample looks again.
    [[nodiscard]] psi_sample sample() noexcept {
        psi_sample out;
        if (!is_open()) {
            return out;
        }
        error_ = 0;
        reason_ = "";
        if (is_cgroup_) { // the pressure last: its reason counts
            read_events(out);
            read_current(out);
        }
        error_ = 0;
        read_pressure(out);
        return out;
    }
    /// A sample, as far as a budget takes it: stalls, or where the cgroup has told events alone since it was opened, those.
    [[nodiscard]] psi_sample tell(budget_sample& out) noexcept {
        const psi_sample now = sample();
        if (tells_events_) {
            const bool is_known = now.high_events != no_sample && now.max_events != no_sample;
            const std::uint64_t events = is_known ? saturated_sum(now.high_events, now.max_events) : 0;
            out.stalled_us = is_known ? scaled(events, us_an_event, 1) : no_sample;
            out.fully_stalled_us = no_sample;
        } else {
            out.stalled_us = now.some_us;
            out.fully_stalled_us = now.full_us;
        }
        return now;
    }

    /// Why open failed or the last sample had no stalls; empty where neither did. Static. And errno, 0 where it was none of
    /// the system's.
    [[nodiscard]] const char* reason() const noexcept { return reason_; }
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    status open(const char* folder, const char* pressure, bool is_cgroup) noexcept {
        close();
        if (folder == nullptr || folder[0] == '\0' || !join(folder_, folder, "", "")) {
            folder_[0] = '\0';
            return failed("the folder's path is empty or too long");
        }
        pressure_ = pressure;
        is_cgroup_ = is_cgroup;
        const psi_sample first = sample();
        if (first.some_us != no_sample) {
            return status::ok;
        }
        if (first.high_events != no_sample && first.max_events != no_sample) {
            tells_events_ = true;
            return status::ok;
        }
        folder_[0] = '\0';
        return status_of_errno(error_);
    }
    status failed(const char* why) noexcept {
        reason_ = why;
        return status::invalid;
    }

    // Files.

    /// As much as fits, with a zero behind it; its length, and why not in error_.
    std::size_t read_file(const char* path, char* text, std::size_t size) noexcept {
        text[0] = '\0';
        error_ = 0;
        const int file =
            ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // of a pipe somebody might never be the other end
        if (file < 0) {
            error_ = errno;
            return 0;
        }
        std::size_t length = 0;
        while (length < size - 1) {
            const ssize_t got = ::read(file, text + length, size - 1 - length);
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                error_ = got < 0 ? errno : 0;
                break;
            }
            length += static_cast<std::size_t>(got);
        }
        ::close(file);
        length = error_ != 0 ? 0 : length;
        text[length] = '\0';
        return length;
    }
    std::size_t read_below(const char* name, char* text, std::size_t size) noexcept {
        char path[most_path];
        if (!join(path, folder_, name, "")) {
            error_ = ENAMETOOLONG;
            text[0] = '\0';
            return 0;
        }
        return read_file(path, text, size);
    }
    void read_pressure(psi_sample& out) noexcept {
        char text[512];
        const std::size_t length = read_below(pressure_, text, sizeof text);
        if (error_ != 0) {
            reason_ = why_none(error_);
            return;
        }
        out.some_us = total_of(text, length, "some ");
        out.full_us = total_of(text, length, "full ");
        if (out.some_us == no_sample) {
            out.full_us = no_sample;
            reason_ = "the pressure file has no total that makes sense";
        }
    }
    void read_events(psi_sample& out) noexcept {
        char text[512];
        const std::size_t length = read_below("/memory.events", text, sizeof text);
        out.high_events = number_behind(line_of(text, length, "high "), text + length);
        out.max_events = number_behind(line_of(text, length, "max "), text + length);
        out.oom_kills = number_behind(line_of(text, length, "oom_kill "), text + length);
    }
    void read_current(psi_sample& out) noexcept {
        char text[64];
        const std::size_t length = read_below("/memory.current", text, sizeof text);
        out.current_bytes = number_behind(text, text + length);
    }
    [[nodiscard]] const char* why_none(int error) const noexcept {
        switch (error) {
        case EOPNOTSUPP: return "the kernel's pressure stall information is off (psi=1 on its command line)";
        case ENOENT:
        case ENOTDIR:
            return is_cgroup_ ? "the cgroup is gone, is of version 1, or has no pressure file"
                              : "this kernel has no pressure stall information (CONFIG_PSI)";
        case ENODEV: return "the cgroup is gone";
        case EACCES:
        case EPERM: return "the pressure file may not be read";
        default: return cause_of_errno(error, "the pressure file can't be read");
        }
    }

    // Text.

    /// What is behind `start`, of the line that begins with it; null where there is none.
    [[nodiscard]] static const char* line_of(const char* text, std::size_t length, const char* start) noexcept {
        const std::size_t size = std::strlen(start);
        for (const char* at = text; at != nullptr && at < text + length;) {
            if (static_cast<std::size_t>(text + length - at) >= size && std::memcmp(at, start, size) == 0) {
                return at + size;
            }
            const char* const end = end_of_line(at, text + length);
            at = end != nullptr ? end + 1 : nullptr;
        }
        return nullptr;
    }
    [[nodiscard]] static const char* end_of_line(const char* at, const char* end) noexcept {
        return at < end ? static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at))) : nullptr;
    }
    /// The number that the rest of the line is; no_sample where it is none, or has no end.
    [[nodiscard]] static std::uint64_t number_behind(const char* at, const char* end) noexcept {
        if (at == nullptr) {
            return no_sample;
        }
        std::uint64_t number = 0;
        const char* const first = at;
        for (; at < end && *at >= '0' && *at <= '9'; ++at) {
            if (__builtin_mul_overflow(number, std::uint64_t{10}, &number) ||
                __builtin_add_overflow(number, static_cast<std::uint64_t>(*at - '0'), &number)) {
                return no_sample;
            }
        }
        return at != first && at < end && *at == '\n' ? number : no_sample;
    }
    [[nodiscard]] static std::uint64_t total_of(const char* text, std::size_t length, const char* start) noexcept {
        constexpr char word[] = " total=";
        const char* const line = line_of(text, length, start);
        const char* const end = line != nullptr ? end_of_line(line, text + length) : nullptr;
        if (end == nullptr) {
            return no_sample;
        }
        for (const char* at = line - 1; at + sizeof word - 1 <= end; ++at) {
            if (std::memcmp(at, word, sizeof word - 1) == 0) {
                return number_behind(at + sizeof word - 1, end + 1);
            }
        }
        return no_sample;
    }
    /// False where it does not fit.
    [[nodiscard]] static bool append(char (&out)[most_path], const char* text, std::size_t size) noexcept {
        const std::size_t used = std::strlen(out);
        if (size >= most_path - used) {
            return false;
        }
        std::memcpy(out + used, text, size);
        out[used + size] = '\0';
        return true;
    }
    [[nodiscard]] static bool join(char (&out)[most_path], const char* a, const char* b, const char* c) noexcept {
        out[0] = '\0';
        return append(out, a, std::strlen(a)) && append(out, b, std::strlen(b)) && append(out, c, std::strlen(c));
    }

    char folder_[most_path] = {};
    const char* pressure_ = "";
    const char* reason_ = "not open";
    int error_ = 0;
    bool is_cgroup_ = false;
    bool tells_events_ = false;
};

} // namespace pagefold
