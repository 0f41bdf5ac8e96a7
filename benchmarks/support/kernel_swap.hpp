// SPDX-License-Identifier: MIT
#pragma once

// The kernel's swap, as a peer: a swap area on a zram device of one's own or on a file, and a memory cgroup that makes a
// process use it. Both are undone by their destructors; who wants that upon SIGINT or SIGTERM notes the signal in a flag
// and comes to the destructors. While the area is on, other processes of the machine may use it, too.

#include "text_file.hpp"
#include "zram_device.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <sys/swap.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pagefold::support {

/// A swap area with the greatest priority. Needs root.
class kernel_swap {
public:
    /// On a zram device with lz4 of `pages` pages. Empty, with error(), where there can be none.
    [[nodiscard]] static kernel_swap on_zram(std::size_t pages) {
        kernel_swap swap;
        swap.device_.emplace(zram_device::create(pages));
        if (!*swap.device_) {
            swap.error_ = swap.device_->error();
        } else {
            swap.turn_on("/dev/" + swap.device_->name(), pages);
        }
        return swap;
    }
    /// On a new file, which is removed afterwards. It must lie on a file system that can hold swap files.
    [[nodiscard]] static kernel_swap on_file(const std::string& path, std::size_t pages) {
        kernel_swap swap;
        const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (file < 0) {
            swap.error_ = path + ": " + std::strerror(errno);
            return swap;
        }
        swap.file_ = path;
        if (const int why = posix_fallocate(file, 0, static_cast<off_t>(pages * page_bytes)); why != 0) {
            swap.error_ = path + ": " + std::strerror(why);
        } else {
            swap.turn_on(path, pages);
        }
        close(file);
        return swap;
    }

    kernel_swap(kernel_swap&& other) noexcept
        : device_{std::move(other.device_)}, file_{std::exchange(other.file_, {})}, path_{std::exchange(other.path_,
                                                                                                        {})},
          page_cluster_{std::exchange(other.page_cluster_, {})}, error_{std::move(other.error_)} {}
    kernel_swap& operator=(kernel_swap&&) = delete;
    ~kernel_swap() {
        if (!path_.empty()) {
            swapoff(path_.c_str());
        }
        if (!page_cluster_.empty()) {
            static_cast<void>(write_text(page_cluster, page_cluster_));
        }
        if (!file_.empty()) {
            unlink(file_.c_str());
        }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return !path_.empty(); }
    [[nodiscard]] const std::string& error() const noexcept { return error_; }
    /// Of zram, else empty.
    [[nodiscard]] const std::optional<zram_device>& device() const noexcept { return device_; }

private:
    static constexpr std::size_t page_bytes = 4096;
    inline static const std::string page_cluster =
        "/proc/sys/vm/page-cluster"; // read-ahead from swap: 0 for random reads

    kernel_swap() = default;

    void turn_on(const std::string& path, std::size_t pages) {
        alignas(4096) std::array<char, page_bytes> header{};
        // The version 1 header of mkswap(8).
        const std::uint32_t version = 1, last_page = static_cast<std::uint32_t>(pages - 1);
        std::memcpy(header.data() + 1024, &version, sizeof version);
        std::memcpy(header.data() + 1028, &last_page, sizeof last_page);
        std::memcpy(header.data() + page_bytes - 10, "SWAPSPACE2", 10);
        const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
        const bool wrote = file >= 0 && pwrite(file, header.data(), page_bytes, 0) == page_bytes && fsync(file) == 0;
        if (file >= 0) {
            close(file);
        }
        if (!wrote || swapon(path.c_str(), SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK) != 0) {
            error_ = "no swap on " + path + ": " + std::strerror(errno);
            return;
        }
        path_ = path;
        const std::string before = read_text(page_cluster);
        if (before != "0" && write_text(page_cluster, "0")) {
            page_cluster_ = before;
        }
    }

    std::optional<zram_device> device_;
    std::string file_;
    std::string path_;
    std::string page_cluster_;
    std::string error_;
};

/// A memory cgroup of version 1 or 2 below the root. Needs root, and to be outlived by no process in it.
class memory_cgroup {
public:
    [[nodiscard]] static memory_cgroup create(const std::string& name) {
        memory_cgroup group;
        const std::string v1 = "/sys/fs/cgroup/memory/", v2 = "/sys/fs/cgroup/";
        if (access((v1 + "memory.limit_in_bytes").c_str(), F_OK) == 0) {
            group.make(v1 + name, "memory.limit_in_bytes", "memory.usage_in_bytes");
        } else if (read_text(v2 + "cgroup.controllers").find("memory") != std::string::npos) {
            static_cast<void>(write_text(v2 + "cgroup.subtree_control", "+memory"));
            group.make(v2 + name, "memory.max", "memory.current");
        } else {
            group.error_ = "no memory cgroup is mounted under /sys/fs/cgroup";
        }
        return group;
    }

    memory_cgroup(memory_cgroup&& other) noexcept
        : path_{std::exchange(other.path_, {})}, limit_{other.limit_}, usage_{other.usage_}, error_{std::move(
                                                                                                 other.error_)} {}
    memory_cgroup& operator=(memory_cgroup&&) = delete;
    ~memory_cgroup() {
        for (int attempt = 0; !path_.empty() && rmdir(path_.c_str()) != 0 && errno == EBUSY && attempt < 100;
             ++attempt) {
            std::this_thread::sleep_for(std::chrono::milliseconds{20}); // the last process is on its way out
        }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return !path_.empty(); }
    [[nodiscard]] const std::string& error() const noexcept { return error_; }

    /// The calling process belongs to the group from here on; memory that it has already stays with its old group.
    [[nodiscard]] bool enter() const { return write_text(path_ + "/cgroup.procs", "0"); }
    [[nodiscard]] std::size_t usage() const {
        const std::string text = read_text(path_ + "/" + usage_);
        return static_cast<std::size_t>(std::strtoull(text.c_str(), nullptr, 10));
    }
    /// Takes memory away where there is more. (Version 1 answers EBUSY where one attempt was not enough.)
    [[nodiscard]] bool set_limit(std::size_t bytes) const {
        bool is_set = false;
        for (int attempt = 0; !is_set && (attempt == 0 || errno == EBUSY) && attempt < 1000; ++attempt) {
            is_set = write_text(path_ + "/" + limit_, std::to_string(bytes));
        }
        return is_set;
    }

private:
    memory_cgroup() = default;
    void make(const std::string& path, const char* limit, const char* usage) {
        if (mkdir(path.c_str(), S_IRWXU) != 0) {
            error_ = path + ": " + std::strerror(errno);
            return;
        }
        path_ = path;
        limit_ = limit;
        usage_ = usage;
    }

    std::string path_;
    const char* limit_ = "";
    const char* usage_ = "";
    std::string error_;
};

} // namespace pagefold::support
