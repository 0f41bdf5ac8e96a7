// SPDX-License-Identifier: MIT
#include "guest_memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace vm_pager {

using pagefold::uffd_outcome;

guest_memory::guest_memory(std::vector<guest_region> regions, unique_fd faults, unique_fd file)
    : regions_{std::move(regions)}, file_{std::move(file)} {
    for (const guest_region& region : regions_) {
        first_.push_back(pages_);
        pages_ += region.bytes / page_bytes;
    }
    // poll() calls a blocking userfaultfd an error.
    const int flags = fcntl(faults.get(), F_GETFL);
    fcntl(faults.get(), F_SETFL, flags | O_NONBLOCK);
    fd_.adopt(faults.release(), 0);
    if (file_) {
        check_file();
    }
    register_regions();
}

void guest_memory::check_file() {
    struct stat status {};
    struct statfs system {};
    if (fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode) || fstatfs(file_.get(), &system) != 0 ||
        system.f_type != TMPFS_MAGIC) {
        throw refusal("the second descriptor is no memfd of small pages");
    }
    if ((fcntl(file_.get(), F_GETFL) & O_ACCMODE) != O_RDWR) {
        throw refusal("the memfd is not open for reading and writing");
    }
    for (const guest_region& region : regions_) {
        if (static_cast<std::uint64_t>(status.st_size) < region.offset + region.bytes) {
            throw refusal("the memfd ends before a region does");
        }
    }
    can_evict_ = true;
}

void guest_memory::register_regions() {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
        const auto [start, bytes, offset] = regions_[i];
        uffd_outcome done{0, EINVAL};
        if (can_evict_) {
            done = fd_.register_range(start, bytes, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
            if (!done.ok()) {
                can_evict_ = false;
                objection_ = "this kernel can't protect shared memory from writing";
            }
        }
        if (!done.ok()) {
            done = fd_.register_range(start, bytes, UFFDIO_REGISTER_MODE_MISSING);
        }
        if (!done.ok()) {
            const std::string region = "region " + std::to_string(i);
            throw refusal(done.error == ENOTTY  ? "the first descriptor is no userfaultfd"
                          : done.error == EBUSY ? region + " belongs to another userfaultfd"
                          : done.error == ENOMEM
                              ? region + ": the process is gone"
                              : region + " is not memory that its userfaultfd can serve: " + std::strerror(done.error));
        }
    }
}

std::size_t guest_memory::find(std::size_t page) const noexcept {
    const auto after = std::upper_bound(first_.begin(), first_.end(), page);
    return static_cast<std::size_t>(after - first_.begin()) - 1;
}
std::optional<std::size_t> guest_memory::page_at(std::uint64_t where) const noexcept {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
        if (where - regions_[i].address < regions_[i].bytes) {
            return first_[i] + (where - regions_[i].address) / page_bytes;
        }
    }
    return std::nullopt;
}
std::size_t guest_memory::run_from(std::size_t page) const noexcept {
    const std::size_t r = find(page);
    return first_[r] + regions_[r].bytes / page_bytes - page;
}

uffd_outcome guest_memory::bring(std::size_t page, const std::byte* from, std::size_t count, bool protect) noexcept {
    return fd_.copy(address(page), from, count * page_bytes, protect ? UFFDIO_COPY_MODE_WP : 0);
}
uffd_outcome guest_memory::protect(std::size_t page, std::size_t count, bool on) noexcept {
    return fd_.write_protect(address(page), count * page_bytes, on);
}
void guest_memory::wake(std::size_t page, std::size_t count) noexcept {
    static_cast<void>(fd_.wake(address(page), count * page_bytes));
}
uffd_outcome guest_memory::poison(std::size_t page) noexcept {
    if (can_evict()) { // of a hole a mark of the protection is left, which poison gives way to
        static_cast<void>(protect(page, 1, false));
    }
    return fd_.poison(address(page), page_bytes);
}
void guest_memory::unregister() noexcept {
    for (const guest_region& region : regions_) {
        static_cast<void>(fd_.unregister(region.address, region.bytes));
    }
}
bool guest_memory::is_alive() noexcept {
    // A copy from where nothing can be read does nothing, but asks for the address space first.
    static void* const unreadable = mmap(nullptr, page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // Where there is no room for a mapping, nothing lies at address 0 either.
    return fd_.copy(regions_[0].address, unreadable == MAP_FAILED ? nullptr : unreadable, page_bytes).error != ESRCH;
}

bool guest_memory::identify(guest_identity& who) const {
    struct statx is {};
    if (statx(file_.get(), "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &is) != 0 || (is.stx_mask & STATX_INO) == 0) {
        return false;
    }
    const bool has_birth = (is.stx_mask & STATX_BTIME) != 0;
    who.device = std::uint64_t{is.stx_dev_major} << 32 | is.stx_dev_minor;
    who.inode = is.stx_ino;
    who.born = has_birth ? static_cast<std::uint64_t>(is.stx_btime.tv_sec) * 1'000'000'000 + is.stx_btime.tv_nsec : 0;
    who.regions.clear();
    for (const guest_region& region : regions_) {
        who.regions.emplace_back(region.offset, region.bytes);
    }
    return true;
}
bool guest_memory::read(std::size_t page, std::byte* to, std::size_t count) const noexcept {
    std::size_t done = 0;
    const std::size_t bytes = count * page_bytes;
    const std::uint64_t start = offset(page);
    while (done < bytes) {
        const ssize_t got = pread(file_.get(), to + done, bytes - done, static_cast<off_t>(start + done));
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return true;
}
bool guest_memory::drop(std::size_t page, std::size_t count) noexcept {
    int result = 0;
    do {
        result = fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset(page)),
                           static_cast<off_t>(count * page_bytes));
    } while (result != 0 && errno == EINTR);
    return result == 0;
}
std::size_t guest_memory::pages_in_file() const noexcept {
    struct stat status {};
    return fstat(file_.get(), &status) == 0 ? static_cast<std::size_t>(status.st_blocks) * 512 / page_bytes : 0;
}
guest_memory::run guest_memory::next_in_file(std::size_t page) const noexcept {
    const std::uint64_t start = offset(page);
    const std::uint64_t end = start + run_from(page) * page_bytes;
    const off_t data = lseek(file_.get(), static_cast<off_t>(start), SEEK_DATA);
    if (data < 0 || static_cast<std::uint64_t>(data) >= end) {
        return {};
    }
    const off_t hole = lseek(file_.get(), data, SEEK_HOLE);
    const std::uint64_t last = hole < 0 ? end : std::min<std::uint64_t>(static_cast<std::uint64_t>(hole), end);
    const std::size_t first = page + (static_cast<std::uint64_t>(data) - start) / page_bytes;
    return {first, (last - static_cast<std::uint64_t>(data)) / page_bytes};
}

} // namespace vm_pager
