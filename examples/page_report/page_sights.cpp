// SPDX-License-Identifier: MIT
#include "page_sights.hpp"

#include "page_input.hpp"

#include <pagefold/core/checksum.hpp>

#include <cerrno>
#include <sys/mman.h>
#include <utility>

namespace page_report {
namespace {

std::string directory_of(pid_t id, const kernel_files& files) {
    return files.processes + "/" + std::to_string(id) + "/";
}

class idle_bits : public page_sights {
public:
    explicit idle_bits(unique_file bitmap) noexcept : bitmap_{std::move(bitmap)} {}

    [[nodiscard]] std::string name() const override { return "idle page tracking"; }
    [[nodiscard]] std::string blind_to() const override { return "of a huge page, all but the first look accessed"; }
    [[nodiscard]] bool begin_sweep() override { return true; }
    /// The kernel clears a page's bit upon an access; writing ones sets these, and zeros leave the others as they are.
    [[nodiscard]] bool was_accessed(std::size_t, std::uint64_t, std::uint64_t entry) override {
        const std::uint64_t frame = entry & page_map::frame;
        if (frame == 0) { // not told to this user
            return true;
        }
        const std::uint64_t bit = std::uint64_t{1} << frame % 64;
        const auto at = static_cast<off_t>(frame / 64 * sizeof(std::uint64_t));
        std::uint64_t word = 0;
        const bool is_read = pread(bitmap_.id(), &word, sizeof word, at) == static_cast<ssize_t>(sizeof word);
        const bool is_set = pwrite(bitmap_.id(), &bit, sizeof bit, at) == static_cast<ssize_t>(sizeof bit);
        return !is_read || !is_set || (word & bit) == 0; // what can't be told is not called idle
    }

private:
    unique_file bitmap_;
};

class soft_dirty_bits : public page_sights {
public:
    explicit soft_dirty_bits(std::string clear) : clear_{std::move(clear)} {}

    [[nodiscard]] std::string name() const override { return "soft-dirty bits"; }
    [[nodiscard]] std::string blind_to() const override { return "pages that are only read look idle"; }
    [[nodiscard]] bool begin_sweep() override { return true; }
    [[nodiscard]] bool was_accessed(std::size_t, std::uint64_t, std::uint64_t entry) override {
        return (entry & page_map::soft_dirty) != 0;
    }
    /// The kernel clears those of the whole process in one call.
    void end_sweep() override {
        const unique_file file(clear_, O_WRONLY);
        [[maybe_unused]] const ssize_t written = write(file.id(), "4", 1); // else all stay dirty, and none looks idle
    }

private:
    std::string clear_;
};

class contents : public page_sights {
public:
    explicit contents(std::string memory) : path_{std::move(memory)} {}

    [[nodiscard]] std::string name() const override { return "checksums of the pages"; }
    [[nodiscard]] std::string blind_to() const override {
        return "this kernel tells nobody which pages are accessed (CONFIG_IDLE_PAGE_TRACKING, for root) or written "
               "(CONFIG_MEM_SOFT_DIRTY): pages that are only read, or written as they were, look idle";
    }
    [[nodiscard]] bool begin_sweep() override {
        memory_ = unique_file(path_);
        return static_cast<bool>(memory_);
    }
    [[nodiscard]] bool was_accessed(std::size_t slot, std::uint64_t address, std::uint64_t) override {
        std::byte page[page_bytes];
        if (pread(memory_.id(), page, sizeof page, static_cast<off_t>(address)) != static_cast<ssize_t>(sizeof page)) {
            return true;
        }
        if (slot >= sums_.size()) {
            sums_.resize(slot + 1);
        }
        const std::uint64_t before = std::exchange(sums_[slot], pagefold::checksum({page, sizeof page}, 0));
        return before != sums_[slot];
    }

private:
    std::string path_;
    unique_file memory_;
    std::vector<std::uint64_t> sums_;
};

/// A page that was just mapped and written is soft-dirty where the kernel knows such a thing.
bool has_soft_dirty(const kernel_files& files) {
    void* const page = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    *static_cast<volatile char*>(page) = 1;
    page_map own;
    const bool is_there = own.open(files.processes + "/self/") &&
                          (own.entry(reinterpret_cast<std::uintptr_t>(page)) & page_map::soft_dirty) != 0;
    munmap(page, page_bytes);
    return is_there;
}

} // namespace

bool page_map::open(const std::string& directory) {
    file_ = unique_file(directory + "pagemap");
    forget();
    return static_cast<bool>(file_);
}

std::uint64_t page_map::entry(std::uint64_t address) {
    const std::uint64_t page = address / page_bytes;
    if (page / block * block != first_) {
        first_ = page / block * block;
        entries_.assign(block, 0);
        const ssize_t got = pread(file_.id(), entries_.data(), block * sizeof entries_[0],
                                  static_cast<off_t>(first_ * sizeof entries_[0]));
        if (got < 0) {
            entries_.assign(block, 0);
        }
    }
    return entries_[page - first_];
}

std::unique_ptr<page_sights> sights_by_idle_bits(const kernel_files& files) {
    unique_file bitmap(files.idle_bitmap, O_RDWR);
    return bitmap ? std::make_unique<idle_bits>(std::move(bitmap)) : nullptr;
}

std::unique_ptr<page_sights> sights_by_soft_dirty(pid_t id, const kernel_files& files) {
    std::string path = directory_of(id, files) + "clear_refs";
    if (!(files.is_soft_dirty_known || has_soft_dirty(files)) || !unique_file(path, O_WRONLY)) {
        return nullptr;
    }
    return std::make_unique<soft_dirty_bits>(std::move(path));
}

std::unique_ptr<page_sights> sights_by_contents(pid_t id, const kernel_files& files) {
    return std::make_unique<contents>(directory_of(id, files) + "mem");
}

std::unique_ptr<page_sights> best_sights(pid_t id, const kernel_files& files) {
    std::unique_ptr<page_sights> sights = sights_by_idle_bits(files);
    sights = sights ? std::move(sights) : sights_by_soft_dirty(id, files);
    return sights ? std::move(sights) : sights_by_contents(id, files);
}

} // namespace page_report
