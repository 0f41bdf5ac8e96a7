// SPDX-License-Identifier: MIT
#include "page_file.hpp"

#include "failure.hpp"
#include "message.hpp"

#include <pagefold/core/bits.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vm_pager {

page_file::page_file(const std::string& path) : fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
    struct stat status {};
    if (!fd_ || fstat(fd_.get(), &status) != 0) {
        throw failure(path + ": " + std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0 ||
        static_cast<std::uint64_t>(status.st_size) % page_bytes != 0) {
        throw failure(path + ": not a file of one or more pages of 4096 bytes");
    }
    bytes_ = static_cast<std::uint64_t>(status.st_size);
    const std::uint64_t written = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                                  static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
    identity_ = pagefold::mix(pagefold::mix(status.st_dev, status.st_ino), written);
}

std::size_t page_file::read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept {
    std::size_t done = 0;
    int why = 0;
    while (done < count * page_bytes) {
        const ssize_t got = pread(fd_.get(), to + done, count * page_bytes - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            why = got < 0 ? errno : 0;
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    static_cast<void>(
        posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(done), POSIX_FADV_DONTNEED));
    pages_read_ += done / page_bytes;
    errno = why;
    return done / page_bytes;
}

} // namespace vm_pager
