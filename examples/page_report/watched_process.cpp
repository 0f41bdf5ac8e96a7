// SPDX-License-Identifier: MIT
#include "watched_process.hpp"

#include "failure.hpp"
#include "process_pages.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace page_report {

watched_process::watched_process(pid_t id, kernel_files files)
    : files_{std::move(files)}, id_{id}, directory_{files_.processes + "/" + std::to_string(id) + "/"} {
    if (access(directory_.c_str(), F_OK) != 0) {
        throw failure("no process has the id " + std::to_string(id));
    }
    name_ = name_of_process(directory_, id);
    for (const char* file : {"mem", "pagemap"}) {
        if (!unique_file(directory_ + file)) {
            throw failure(
                "process " + name_ + ": " +
                (errno == EACCES || errno == EPERM ? "its memory may not be read by this user" : std::strerror(errno)));
        }
    }
    started_ = start_time();
    sights_ = best_sights(id, files_);
}

watched_process::outcome watched_process::step(std::size_t most) {
    if (phase_ == phase::idle && !begin_sweep()) {
        return outcome::ended;
    }
    map_.forget();
    if (phase_ == phase::finding) {
        find(most);
        return outcome::more;
    }
    const std::uint64_t sweeps = ages_.sweeps();
    ages_.scan(most, [this](std::size_t slot) noexcept { return look(slot); });
    if (ages_.sweeps() == sweeps && ages_.pages() != 0) {
        return outcome::more;
    }
    sights_->end_sweep();
    phase_ = phase::idle;
    return ages_.now().total() == 0 ? outcome::ended : outcome::swept;
}

bool watched_process::begin_sweep() {
    if (start_time() != started_ || !map_.open(directory_) || !sights_->begin_sweep()) {
        return false;
    }
    ranges_.clear();
    for_each_private_mapping(directory_, [this](std::uint64_t begin, std::uint64_t end) {
        ranges_.push_back({begin, end});
    });
    range_ = 0;
    at_ = 0;
    phase_ = phase::finding;
    return !ranges_.empty(); // who has ended has none, also before somebody waited for it
}

std::uint64_t watched_process::start_time() const {
    std::ifstream file(directory_ + "stat");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const std::size_t name_end = text.rfind(')'); // the name may have blanks and brackets
    if (name_end == std::string::npos) {
        return 0;
    }
    constexpr int fields_before = 20; // of the start time, behind the name: proc_pid_stat(5)
    std::size_t at = name_end + 1;
    for (int field = 0; field < fields_before && at != std::string::npos; ++field) {
        at = text.find(' ', at + (field == 0 ? 0 : 1));
    }
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at, nullptr, 10);
}

void watched_process::find(std::size_t most) {
    for (; most > 0 && range_ < ranges_.size(); --most) {
        const range in = ranges_[range_];
        at_ = std::max(at_, in.begin);
        if (page_map::is_anonymous(map_.entry(at_))) {
            add(at_);
        }
        at_ += page_bytes;
        range_ += at_ >= in.end ? 1u : 0u;
    }
    if (range_ == ranges_.size()) {
        phase_ = phase::looking;
    }
}

void watched_process::add(std::uint64_t address) {
    if (slots_.contains(address)) {
        return;
    }
    if (free_.empty()) {
        constexpr std::size_t fewest = 4096;
        const std::size_t before = bytes_.size();
        std::vector<std::uint8_t> more(std::max(fewest, 2 * before));
        addresses_.resize(more.size());
        free_.reserve(more.size());                              // look() allocates nothing
        for (std::size_t slot = more.size(); slot-- > before;) { // handed out in the order of addresses
            free_.push_back(slot);
        }
        ages_.grow(more.data(), more.size());
        bytes_ = std::move(more);
    }
    const std::size_t slot = free_.back();
    slots_.emplace(address, slot);
    free_.pop_back();
    addresses_[slot] = address;
    ages_.touch(slot);
}

pagefold::page_sight watched_process::look(std::size_t slot) {
    if (ages_.age(slot) == pagefold::no_age) {
        return pagefold::page_sight::absent;
    }
    const std::uint64_t address = addresses_[slot];
    const std::uint64_t entry = map_.entry(address);
    if (!page_map::is_anonymous(entry)) {
        slots_.erase(address);
        free_.push_back(slot);
        return pagefold::page_sight::absent;
    }
    return sights_->was_accessed(slot, address, entry) ? pagefold::page_sight::accessed : pagefold::page_sight::idle;
}

} // namespace page_report
