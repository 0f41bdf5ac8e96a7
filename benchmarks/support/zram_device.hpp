// SPDX-License-Identifier: MIT
#pragma once

// A zram device of one's own: added, set up and opened by create(), closed, reset and removed when the object goes.
//
// The kernel refuses to remove a device that anybody holds open, and where udev runs it opens every new block device for
// a moment: removal tries again for a while. What no destructor sees (SIGKILL, a power cut) leaves the device behind;
// who wants it gone upon SIGINT or SIGTERM notes the signal in a flag, ends the loop over pages, and so comes to the
// destructor.
//
// Pages go through O_DIRECT, one system call each: without it the block device's page cache would answer, and a write
// would return before anything was compressed.

#include "text_file.hpp"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pagefold::support {

/// The columns of /sys/block/zramN/mm_stat, in their order and with the kernel's names (bytes, or pages of 4 KiB).
struct zram_mm_stat {
    std::uint64_t orig_data_size = 0;
    std::uint64_t compr_data_size = 0;
    std::uint64_t mem_used_total = 0; ///< without the table of the device: 16 to 32 bytes a page of disksize
    std::uint64_t mem_limit = 0;
    std::uint64_t mem_used_max = 0;
    std::uint64_t same_pages = 0;
    std::uint64_t pages_compacted = 0;
    std::uint64_t huge_pages = 0;
    std::uint64_t huge_pages_since = 0;
};

/// Needs root and a kernel with zram. Not thread-safe in itself; read() and write() may be called by many threads, each
/// with pages of its own.
class zram_device {
public:
    static constexpr std::size_t page_bytes = 4096;

    /// A device of `pages` pages. When there can be none, the object is empty and error() says why in one line.
    [[nodiscard]] static zram_device create(std::size_t pages, const std::string& algorithm = "lz4") {
        zram_device device;
        device.set_up(pages, algorithm);
        return device;
    }

    zram_device(zram_device&& other) noexcept
        : id_{std::exchange(other.id_, -1)}, file_{std::exchange(other.file_, -1)}, error_{std::move(other.error_)} {}
    zram_device& operator=(zram_device&&) = delete;
    ~zram_device() { static_cast<void>(remove()); }

    [[nodiscard]] explicit operator bool() const noexcept { return file_ >= 0; }
    [[nodiscard]] const std::string& error() const noexcept { return error_; }
    [[nodiscard]] std::string name() const { return "zram" + std::to_string(id_); }

    /// Writes and reads one page. `page` is aligned to 512 bytes or better, as O_DIRECT wants; false on failure.
    [[nodiscard]] bool write(std::size_t index, const std::byte* page) const noexcept {
        return pwrite(file_, page, page_bytes, offset(index)) == static_cast<ssize_t>(page_bytes);
    }
    [[nodiscard]] bool read(std::size_t index, std::byte* page) const noexcept {
        return pread(file_, page, page_bytes, offset(index)) == static_cast<ssize_t>(page_bytes);
    }

    /// All zero when it cannot be read.
    [[nodiscard]] zram_mm_stat statistics() const {
        zram_mm_stat stat;
        if (const std::string text = read_text(attribute("mm_stat")); !text.empty()) {
            static_cast<void>(std::sscanf(text.c_str(), "%lu %lu %lu %lu %lu %lu %lu %lu %lu", &stat.orig_data_size,
                                          &stat.compr_data_size, &stat.mem_used_total, &stat.mem_limit,
                                          &stat.mem_used_max, &stat.same_pages, &stat.pages_compacted, &stat.huge_pages,
                                          &stat.huge_pages_since));
        }
        return stat;
    }

    /// What the destructor does, for who wants to know: false, with error() set, when the device had to be left behind.
    [[nodiscard]] bool remove() noexcept {
        if (file_ >= 0) {
            close(std::exchange(file_, -1));
        }
        if (id_ < 0) {
            return true;
        }
        const std::string id = std::to_string(id_);
        bool gone = false;
        for (int attempt = 0; !gone && attempt < 100; ++attempt) {
            if (attempt > 0) {
                std::this_thread::sleep_for(std::chrono::milliseconds{20});
            }
            gone = write_text(attribute("reset"), "1") && write_text(control + "hot_remove", id);
        }
        if (!gone) {
            error_ = "/dev/" + name() + " could not be removed: " + std::strerror(errno);
        }
        id_ = -1;
        return gone;
    }

private:
    inline static const std::string control = "/sys/class/zram-control/";

    zram_device() = default;

    void set_up(std::size_t pages, const std::string& algorithm) {
        if (geteuid() != 0) {
            error_ = "zram needs root";
        } else if (access(control.c_str(), F_OK) != 0) {
            error_ = "this kernel has no zram, or its module is not loaded (modprobe zram)";
        } else if (const std::string text = read_text(control + "hot_add"); text.empty()) { // reading adds the device
            error_ = "no zram device could be added: " + last_error();
        } else {
            id_ = std::atoi(text.c_str());
            configure(pages, algorithm);
            if (file_ < 0) {
                const std::string why = error_;
                if (remove()) {
                    error_ = why;
                }
            }
        }
    }

    void configure(std::size_t pages, const std::string& algorithm) {
        const std::string path = "/dev/" + name();
        if (!write_text(attribute("comp_algorithm"), algorithm)) {
            error_ = "this kernel's zram has no " + algorithm + ": " + last_error();
        } else if (!write_text(attribute("disksize"), std::to_string(pages * page_bytes))) {
            error_ = "the size of " + path + " could not be set: " + last_error();
        } else if (file_ = open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC); file_ < 0) {
            error_ = path + " could not be opened: " + last_error();
        }
    }

    [[nodiscard]] static off_t offset(std::size_t index) noexcept { return static_cast<off_t>(index * page_bytes); }
    [[nodiscard]] static std::string last_error() { return std::strerror(errno); }
    [[nodiscard]] std::string attribute(const char* file) const { return "/sys/block/" + name() + "/" + file; }

    int id_ = -1;
    int file_ = -1;
    std::string error_;
};

} // namespace pagefold::support
