// SPDX-License-Identifier: MIT
#include "snapshot.hpp"

#include "failure.hpp"
#include "message.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace vm_pager {

snapshot::snapshot(store_type& store, const std::string& path)
    : store_{store}, fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
    struct stat status {};
    if (!fd_ || fstat(fd_.get(), &status) != 0) {
        throw failure(path + ": " + std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0 ||
        static_cast<std::uint64_t>(status.st_size) % page_bytes != 0) {
        throw failure(path + ": not a file of one or more pages of 4096 bytes");
    }
    bytes_ = static_cast<std::uint64_t>(status.st_size);
    pagefold::pool_options options;
    options.kind = pagefold::pool_kind::ephemeral;
    pool_ = store_.create_pool(options).value_or(pagefold::pool_id{});
}

snapshot::~snapshot() {
    if (pool_ != pagefold::pool_id{}) {
        static_cast<void>(store_.destroy_pool(pool_));
    }
}

std::size_t snapshot::read(std::uint64_t offset, std::byte* to, std::size_t count) noexcept {
    const auto key = [&](std::size_t i) { return pagefold::page_key{pool_, 0, offset / page_bytes + i}; };
    for (std::size_t i = 0; i < count;) {
        std::byte* const here = to + i * page_bytes;
        if (store_.get(key(i), {here, page_bytes}) == pagefold::status::ok) {
            ++i;
            continue;
        }
        // What follows is most often missing as well: one call for all of it.
        const std::size_t got = read_file(offset + i * page_bytes, here, count - i);
        for (std::size_t j = i; j < i + got; ++j) {
            // A page that the store has no room for is read again another time.
            static_cast<void>(store_.put(key(j), {to + j * page_bytes, page_bytes}) == pagefold::status::ok);
        }
        i += got;
        if (got == 0) {
            return i;
        }
    }
    return count;
}

std::size_t snapshot::read_file(std::uint64_t offset, std::byte* to, std::size_t count) noexcept {
    std::size_t done = 0;
    while (done < count * page_bytes) {
        const ssize_t got = pread(fd_.get(), to + done, count * page_bytes - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    static_cast<void>(
        posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(done), POSIX_FADV_DONTNEED));
    file_pages_ += done / page_bytes;
    return done / page_bytes;
}

} // namespace vm_pager
