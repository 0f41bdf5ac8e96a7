// SPDX-License-Identifier: MIT
#pragma once

#include "unique_file.hpp"

#include <pagefold/control/page_ages.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace page_report {

/// Where the kernel's files are; a test has others.
struct kernel_files {
    std::string processes = "/proc";
    std::string idle_bitmap = "/sys/kernel/mm/page_idle/bitmap";
    bool is_soft_dirty_known = false; ///< or else it is tried with a page of this process
};

/// What /proc/PID/pagemap says of the pages of one process (the kernel's Documentation/admin-guide/mm/pagemap.rst), read in
/// blocks of 512 entries: who asks in the order of addresses costs a system call a block.
class page_map {
public:
    static constexpr std::uint64_t present = std::uint64_t{1} << 63;
    static constexpr std::uint64_t of_file_or_shared = std::uint64_t{1} << 61;
    static constexpr std::uint64_t soft_dirty = std::uint64_t{1} << 55;
    static constexpr std::uint64_t frame = (std::uint64_t{1} << 55) - 1;

    /// Anew, also after an exec, which gives the process another memory. False, with errno, where it can't be read.
    [[nodiscard]] bool open(const std::string& directory);
    /// What is read from here on is new.
    void forget() noexcept { first_ = none; }
    /// 0 where nothing is mapped, or the process has ended.
    [[nodiscard]] std::uint64_t entry(std::uint64_t address);
    /// A private page in memory: what a kernel would swap.
    [[nodiscard]] static bool is_anonymous(std::uint64_t entry) noexcept {
        return (entry & (present | of_file_or_shared)) == present;
    }

private:
    static constexpr std::size_t block = 512;
    static constexpr std::uint64_t none = ~std::uint64_t{0};

    unique_file file_;
    std::uint64_t first_ = none; ///< page number of entries_[0]
    std::vector<std::uint64_t> entries_;
};

/// A way to see which pages of another process were accessed.
class page_sights {
public:
    page_sights() = default;
    page_sights(const page_sights&) = delete;
    page_sights& operator=(const page_sights&) = delete;
    virtual ~page_sights() = default;

    /// For people: what it sees by, and what it can't see.
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual std::string blind_to() const = 0;
    /// Before the pages of a sweep are looked at. False, with errno, where the process can't be looked at any more.
    [[nodiscard]] virtual bool begin_sweep() = 0;
    /// Whether page number `slot`, at that address and with that entry of the page_map, was accessed since the last look.
    [[nodiscard]] virtual bool was_accessed(std::size_t slot, std::uint64_t address, std::uint64_t entry) = 0;
    /// All were looked at.
    virtual void end_sweep() {}
};

/// The best way that this kernel has for the process: accessed bits by idle page tracking, written bits by soft-dirty, or else
/// what the pages hold.
[[nodiscard]] std::unique_ptr<page_sights> best_sights(pid_t id, const kernel_files& files);

/// Of the kernel's idle page tracking (CONFIG_IDLE_PAGE_TRACKING; admin-guide/mm/idle_page_tracking.rst), for root. Null
/// where there is none.
[[nodiscard]] std::unique_ptr<page_sights> sights_by_idle_bits(const kernel_files& files);
/// Of written bits (CONFIG_MEM_SOFT_DIRTY; admin-guide/mm/soft-dirty.rst). Null where the kernel has none.
[[nodiscard]] std::unique_ptr<page_sights> sights_by_soft_dirty(pid_t id, const kernel_files& files);
/// Checksums of what the pages hold: needs nothing of the kernel but to read the memory.
[[nodiscard]] std::unique_ptr<page_sights> sights_by_contents(pid_t id, const kernel_files& files);

} // namespace page_report
