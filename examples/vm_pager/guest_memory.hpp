// SPDX-License-Identifier: MIT
#pragma once

#include "guest_identity.hpp"
#include "message.hpp"
#include "unique_fd.hpp"

#include <pagefold/hosted/uffd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace vm_pager {

/// The memory of another process: its regions, its userfaultfd, and the file behind it, if that came as well. What is
/// where, the guest knows; here is only how, as pagefold's uffd_memory is for memory of one's own. The differences:
///
///   - The calls act on an address space that others change: EAGAIN is an answer, for whoever reads the events, and never
///     waited for here (the event that it waits for may be ours to read); ESRCH says that the process is gone.
///   - Nothing of it is mapped here. A page is read from the file with pread, which costs what a mapping would (4.3 µs a page,
///     1.6 in runs of 16), and can't be made to end this process by a client that shrinks its file.
///   - A page goes by a hole in the file. Without the file no page can go.
///
/// Pages are numbered through all regions, in the order of their addresses. A run of pages lies within one region.
class guest_memory {
public:
    /// Registers the regions, whatever the client registered them for. Throws refusal where a descriptor is not what it
    /// should be, or the regions are not memory of the process behind it.
    guest_memory(std::vector<guest_region> regions, unique_fd faults, unique_fd file);

    [[nodiscard]] pagefold::uffd& descriptor() noexcept { return fd_; }
    [[nodiscard]] std::size_t pages() const noexcept { return pages_; }
    [[nodiscard]] const std::vector<guest_region>& regions() const noexcept { return regions_; }
    /// Whether pages can be dropped, and writes noticed.
    [[nodiscard]] bool can_evict() const noexcept { return can_evict_; }
    [[nodiscard]] bool has_file() const noexcept { return static_cast<bool>(file_); }
    /// Why not.
    [[nodiscard]] const char* objection() const noexcept { return objection_; }

    [[nodiscard]] std::optional<std::size_t> page_at(std::uint64_t address) const noexcept;
    /// Where the page's bytes are in the snapshot and the memfd.
    [[nodiscard]] std::uint64_t offset(std::size_t page) const noexcept { return offset_in(find(page), page); }
    /// Pages from `page` to the end of its region.
    [[nodiscard]] std::size_t run_from(std::size_t page) const noexcept;

    /// Maps copies and wakes who waits for them.
    [[nodiscard]] pagefold::uffd_outcome bring(std::size_t page, const std::byte* from, std::size_t count,
                                               bool protect) noexcept;
    [[nodiscard]] pagefold::uffd_outcome protect(std::size_t page, std::size_t count, bool on) noexcept;
    void wake(std::size_t page, std::size_t count) noexcept;
    /// Whoever touches the page from now on gets SIGBUS, where the kernel can do that.
    [[nodiscard]] pagefold::uffd_outcome poison(std::size_t page) noexcept;
    /// The pages of a range of addresses that lie in the regions: `of_run(first, count)` for each run of them.
    template <class OfRun>
    void for_each_run(std::uint64_t start, std::uint64_t end, OfRun of_run) const {
        for (std::size_t i = 0; i < regions_.size(); ++i) {
            const std::uint64_t first = std::max(start, regions_[i].address);
            const std::uint64_t last = std::min(end, regions_[i].address + regions_[i].bytes);
            if (first < last) {
                of_run(first_[i] + (first - regions_[i].address) / page_bytes, (last - first) / page_bytes);
            }
        }
    }
    /// From here on the kernel serves the memory alone; what is missing are zeros.
    void unregister() noexcept;
    /// Whether the process behind the descriptor still has its memory.
    [[nodiscard]] bool is_alive() noexcept;

    // With the file only.

    /// By what the guest is known again; false where the system doesn't say.
    [[nodiscard]] bool identify(guest_identity& who) const;
    /// False where the file has no such bytes any more.
    [[nodiscard]] bool read(std::size_t page, std::byte* to, std::size_t count) const noexcept;
    [[nodiscard]] bool drop(std::size_t page, std::size_t count) noexcept;
    /// Pages that the file has memory for, in all.
    [[nodiscard]] std::size_t pages_in_file() const noexcept;
    /// The first run of pages with memory from `page` on, within its region; a count of 0 where there is none.
    struct run {
        std::size_t first = 0, count = 0;
    };
    [[nodiscard]] run next_in_file(std::size_t page) const noexcept;

private:
    [[nodiscard]] std::size_t find(std::size_t page) const noexcept;
    [[nodiscard]] std::uint64_t offset_in(std::size_t region, std::size_t page) const noexcept {
        return regions_[region].offset + (page - first_[region]) * page_bytes;
    }
    [[nodiscard]] std::uint64_t address(std::size_t page) const noexcept {
        const std::size_t r = find(page);
        return regions_[r].address + (page - first_[r]) * page_bytes;
    }
    void check_file();
    void register_regions();

    std::vector<guest_region> regions_;
    std::vector<std::size_t> first_; // page of every region
    std::size_t pages_ = 0;
    pagefold::uffd fd_;
    unique_fd file_;
    bool can_evict_ = false;
    const char* objection_ = "no memfd came";
};

} // namespace vm_pager
