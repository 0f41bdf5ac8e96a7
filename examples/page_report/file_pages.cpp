// SPDX-License-Identifier: MIT
#include "file_pages.hpp"

#include "failure.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace page_report {
namespace {

constexpr std::size_t most_entries = 50'000;

std::uint64_t pages_of(std::uint64_t bytes) { return (bytes + page_bytes - 1) / page_bytes; }

/// One page, zeros behind the end of the file; the bytes read, or −1.
ssize_t read_page(const unique_file& file, std::uint64_t which, std::byte* to) {
    std::size_t done = 0;
    while (done < page_bytes) {
        const ssize_t got =
            pread(file.id(), to + done, page_bytes - done, static_cast<off_t>(which * page_bytes + done));
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    std::fill(to + done, to + page_bytes, std::byte{0});
    return static_cast<ssize_t>(done);
}

} // namespace

file_pages::file_pages(std::string path) : path_{std::move(path)}, file_{path_} {
    struct stat facts {};
    if (!file_ || fstat(file_.id(), &facts) != 0) {
        throw failure(path_ + ": " + std::strerror(errno));
    }
    if (!S_ISREG(facts.st_mode)) {
        throw failure(path_ + ": not a regular file");
    }
    if (facts.st_size == 0) {
        throw failure(path_ + ": empty, or without a size of its own: it has no pages");
    }
    pages_ = pages_of(static_cast<std::uint64_t>(facts.st_size));
}

page_input::outcome file_pages::copy(std::uint64_t which, std::byte* to) {
    const ssize_t got = read_page(file_, which, to);
    if (got < 0) {
        why_gone_ = path_ + ": " + std::strerror(errno);
    } else if (got == 0) {
        why_gone_ = path_ + ": it was cut short while it was read";
    }
    return got > 0 ? outcome::copied : outcome::input_gone;
}

std::string file_pages::describe(std::uint64_t which) const { return "page " + std::to_string(which); }

folder_pages::folder_pages(std::string path) : path_{std::move(path)} {
    namespace fs = std::filesystem;
    std::error_code error;
    std::uint64_t pages = 0;
    std::size_t entries = 0;
    fs::recursive_directory_iterator at(path_, fs::directory_options::skip_permission_denied, error);
    for (; !error && at != fs::recursive_directory_iterator{} && entries < most_entries; at.increment(error)) {
        ++entries;
        std::error_code ignored;
        if (at->is_symlink(ignored) || !at->is_regular_file(ignored)) {
            continue;
        }
        const std::uint64_t bytes = at->file_size(ignored);
        if (!ignored && bytes > 0) {
            files_.push_back({at->path().string(), pages, pages + pages_of(bytes)});
            pages += pages_of(bytes);
        }
    }
}

const folder_pages::listed_file& folder_pages::file_of(std::uint64_t which) const {
    return *std::partition_point(files_.begin(), files_.end(), [&](const listed_file& f) { return f.last <= which; });
}

page_input::outcome folder_pages::copy(std::uint64_t which, std::byte* to) {
    const listed_file& file = file_of(which);
    if (opened_ != &file) {
        open_ = unique_file(file.path);
        opened_ = &file;
    }
    return open_ && read_page(open_, which - file.first, to) > 0 ? outcome::copied : outcome::page_gone;
}

std::string folder_pages::describe(std::uint64_t which) const {
    const listed_file& file = file_of(which);
    return "page " + std::to_string(which - file.first) + " of " + file.path;
}

} // namespace page_report
