// SPDX-License-Identifier: MIT
#include "saved_guests.hpp"

#include "failure.hpp"
#include "message.hpp"
#include "unique_fd.hpp"

#include <pagefold/core/checksum.hpp>
#include <pagefold/core/little_endian.hpp>
#include <pagefold/store/image_reader.hpp>
#include <pagefold/store/image_writer.hpp>
#include <pagefold/store/restored_pools.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vm_pager {
namespace {

using pagefold::byte_span;
using pagefold::byte_view;
using pagefold::pool_id;
using pagefold::result;
using pagefold::status;
namespace little_endian = pagefold::little_endian;

constexpr std::uint64_t magic = 0x1a54534555474650; // "PFGUEST" and a byte that ends a text
constexpr std::uint64_t version = 1;
constexpr std::uint64_t book_seed = 0x677565737420626f;
constexpr std::size_t head_words = 10;
constexpr std::size_t word = sizeof(std::uint64_t);

[[noreturn]] void fail(const std::string& path, const std::string& why) { throw failure(path + ": " + why); }
[[noreturn]] void fail_by_errno(const std::string& path) { fail(path, std::strerror(errno)); }

/// Says which start of the machine this is: inodes of memfds are told from those of another one by it.
std::array<std::uint64_t, 2> boot() {
    std::array<std::uint64_t, 2> id{};
    char text[64] = {};
    const unique_fd file{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
    const ssize_t got = ::read(file.get(), text, sizeof text);
    if (got <= 0) {
        throw failure(
            "/proc/sys/kernel/random/boot_id can't be read: nothing tells which start of the machine this is");
    }
    std::size_t digits = 0;
    for (const char c : std::string(text, static_cast<std::size_t>(got))) {
        const auto digit = std::string("0123456789abcdef").find(c);
        if (digit != std::string::npos && digits < 32) {
            id[digits / 16] = id[digits / 16] << 4 | digit;
            ++digits;
        }
    }
    return id;
}

std::uint64_t random_id() {
    std::uint64_t id = 0;
    if (getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) {
        throw failure("no random number is to be had");
    }
    return id;
}

/// Both a sink and a source; the first error is kept.
class file {
public:
    explicit file(unique_fd fd) : fd_{std::move(fd)} {}

    [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

    status write(byte_view from) noexcept {
        for (std::size_t done = 0; done < from.size();) {
            const ssize_t put = ::write(fd_.get(), from.data() + done, from.size() - done);
            if (put < 0 && errno == EINTR) {
                continue;
            }
            if (put <= 0) {
                error_ = put < 0 ? errno : ENOSPC;
                return status::unavailable;
            }
            done += static_cast<std::size_t>(put);
            bytes_ += static_cast<std::size_t>(put);
        }
        return status::ok;
    }
    result<std::size_t> read(byte_span to) noexcept {
        for (;;) {
            const ssize_t got = ::read(fd_.get(), to.data(), to.size());
            if (got >= 0) {
                bytes_ += static_cast<std::size_t>(got);
                return static_cast<std::size_t>(got);
            }
            if (errno != EINTR) {
                error_ = errno;
                return status::unavailable;
            }
        }
    }
    /// False at the file's end, or for an error.
    [[nodiscard]] bool read_all(byte_span to) noexcept {
        for (std::size_t done = 0; done < to.size();) {
            const result<std::size_t> got = read(to.subview(done));
            if (!got || *got == 0) {
                return false;
            }
            done += *got;
        }
        return true;
    }

private:
    unique_fd fd_;
    int error_ = 0;
    std::uint64_t bytes_ = 0;
};

std::vector<std::byte> encode(const saved_guests& all, std::uint64_t image_id) {
    const auto [boot_high, boot_low] = boot();
    std::vector<std::uint64_t> words{magic,
                                     version,
                                     0,
                                     image_id,
                                     boot_high,
                                     boot_low,
                                     static_cast<std::uint64_t>(all.base.is),
                                     all.base.bytes,
                                     all.base.identity,
                                     all.guests.size()};
    for (const saved_guest& g : all.guests) {
        words.insert(words.end(), {g.identity.device, g.identity.inode, g.identity.born, g.identity.regions.size()});
        for (const auto& [offset, bytes] : g.identity.regions) {
            words.insert(words.end(), {offset, bytes});
        }
        words.insert(words.end(), g.states.begin(), g.states.end());
    }
    words[2] = (words.size() + 1) * word;
    std::vector<std::byte> book(words[2]);
    for (std::size_t i = 0; i < words.size(); ++i) {
        little_endian::store(book.data() + i * word, words[i]);
    }
    const std::size_t end = book.size() - word;
    little_endian::store(book.data() + end, pagefold::checksum({book.data(), end}, book_seed));
    return book;
}

/// Reads words one after the other, and stands at none where there are no more.
class words_of {
public:
    words_of(const std::vector<std::byte>& book) : book_{book} {}

    std::uint64_t next() noexcept {
        if (left() == 0) {
            is_whole_ = false;
            return 0;
        }
        return little_endian::load<std::uint64_t>(book_.data() + word * at_++);
    }
    /// Without the check.
    [[nodiscard]] std::size_t left() const noexcept { return book_.size() / word - 1 - at_; }
    [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }

private:
    const std::vector<std::byte>& book_;
    std::size_t at_ = 0;
    bool is_whole_ = true;
};

/// The image's id. Nothing where the book can't be what encode made.
std::optional<std::uint64_t> decode(const std::vector<std::byte>& book, saved_guests& all) {
    words_of words{book};
    for (int i = 0; i < 3; ++i) {
        words.next();
    }
    const std::uint64_t id = words.next();
    words.next();
    words.next();
    const std::uint64_t base = words.next();
    all.base.is = static_cast<saved_base::kind>(base);
    all.base.bytes = words.next();
    all.base.identity = words.next();
    const std::uint64_t guests = words.next();
    if (base > static_cast<std::uint64_t>(saved_base::kind::pool) || guests > store_choices::max_pools) {
        return std::nullopt;
    }
    for (std::uint64_t i = 0; i < guests; ++i) {
        guest_identity who;
        who.device = words.next();
        who.inode = words.next();
        who.born = words.next();
        const std::uint64_t regions = words.next();
        if (regions == 0 || regions > most_regions) {
            return std::nullopt;
        }
        std::uint64_t bytes = 0;
        for (std::uint64_t r = 0; r < regions; ++r) {
            const std::uint64_t offset = words.next();
            who.regions.emplace_back(offset, words.next());
            bytes += std::min(who.regions.back().second, most_guest_bytes);
        }
        if (bytes > most_guest_bytes || bytes % page_bytes != 0 || (bytes / page_bytes + 31) / 32 > words.left()) {
            return std::nullopt;
        }
        saved_guest& g = all.guests.emplace_back(std::move(who));
        std::generate(g.states.begin(), g.states.end(), [&] { return words.next(); });
    }
    return words.is_whole() && words.left() == 0 ? std::optional{id} : std::nullopt;
}

std::vector<std::byte> read_book(file& from, const std::string& path) {
    struct stat is {};
    std::vector<std::byte> book(head_words * word);
    if (fstat(from.descriptor(), &is) != 0) {
        fail_by_errno(path);
    }
    const auto at = [&book](std::size_t i) { return little_endian::load<std::uint64_t>(book.data() + i * word); };
    if (!S_ISREG(is.st_mode) || !from.read_all({book.data(), book.size()}) || at(0) != magic) {
        fail(path, "not a file that --save wrote");
    }
    if (at(1) != version) {
        fail(path, "of version " + std::to_string(at(1)) + ", which this vm_pager doesn't know");
    }
    const std::uint64_t bytes = at(2);
    if (bytes < book.size() + word || bytes % word != 0 || bytes > static_cast<std::uint64_t>(is.st_size)) {
        fail(path, "damaged or cut: it has no whole book of its guests");
    }
    const std::size_t head = book.size();
    book.resize(static_cast<std::size_t>(bytes));
    if (!from.read_all({book.data() + head, book.size() - head}) ||
        at(book.size() / word - 1) != pagefold::checksum({book.data(), book.size() - word}, book_seed)) {
        fail(path, "damaged: the book of its guests is not what was written");
    }
    if (const auto [high, low] = boot(); at(4) != high || at(5) != low) {
        fail(path, "from before this machine was started: none of its guests is there any more");
    }
    return book;
}

void write_pools(store_type& store, file& to, const std::string& path, saved_guests& all) {
    std::vector<pagefold::image_pool> pools;
    if (all.base.is == saved_base::kind::pool) {
        pools.push_back({all.base.pool, 0});
    }
    for (const saved_guest& g : all.guests) {
        pools.push_back({g.pool, pools.size()});
    }
    const std::uint64_t id = random_id();
    const std::vector<std::byte> book = encode(all, id);
    std::vector<std::byte> buffer(pagefold::good_image_buffer(page_bytes));
    pagefold::image_writer writer{
        store, to, {buffer.data(), buffer.size()}, pools.data(), static_cast<std::uint32_t>(pools.size()), {.id = id}};
    status s = to.write({book.data(), book.size()});
    if (s == status::ok) {
        s = writer.run();
    }
    if (s != status::ok) {
        fail(path,
             to.error() != 0 ? std::strerror(to.error()) : std::string("the image was not made: ") + to_string(s));
    }
    if (writer.damaged_pages() != 0) {
        std::printf("%" PRIu64 " pages were damaged in the store: they are lost\n", writer.damaged_pages());
    }
    all.pages = writer.position().all_pages;
    all.bytes = to.bytes();
}

/// A name in a folder is on the disk when the folder is.
void settle_folder(const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const unique_fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd || ::fsync(fd.get()) != 0) {
        std::printf("%s: %s: it may not be there after the machine fails\n", folder.c_str(), std::strerror(errno));
    }
}

} // namespace

void save_guests(store_type& store, const std::string& path, saved_guests& all) {
    const std::string made = path + ".new";
    file to{unique_fd{::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)}};
    if (to.descriptor() < 0) {
        fail_by_errno(made);
    }
    try {
        write_pools(store, to, made, all);
        if (::fsync(to.descriptor()) != 0 || ::rename(made.c_str(), path.c_str()) != 0) {
            fail_by_errno(made);
        }
    } catch (...) {
        ::unlink(made.c_str());
        throw;
    }
    settle_folder(path);
}

std::optional<saved_guests> restore_guests(store_type& store, const std::string& path,
                                           const std::function<bool()>& goes_on) {
    file from{unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}};
    if (from.descriptor() < 0) {
        fail_by_errno(path);
    }
    saved_guests all;
    const std::optional<std::uint64_t> id = decode(read_book(from, path), all);
    if (!id) {
        fail(path, "what it says of its guests can't be");
    }
    const std::size_t first = all.base.is == saved_base::kind::pool ? 1 : 0;
    std::vector<pool_id> ids(first + all.guests.size());
    std::vector<std::byte> buffer(pagefold::good_image_buffer(page_bytes));
    pagefold::restored_pools into{store, ids.data(), static_cast<std::uint32_t>(ids.size())};
    pagefold::image_reader reader{store, from, into, {buffer.data(), buffer.size()}};
    status s = status::busy;
    while (s == status::busy) {
        s = goes_on() ? reader.step() : status::not_found;
        const bool is_other = reader.has_header() && reader.header().id != *id;
        s = (s == status::ok || s == status::busy) && is_other ? status::corrupt : s;
    }
    std::byte more{};
    const bool has_all =
        s == status::ok && std::find(ids.begin(), ids.end(), pool_id{}) == ids.end() && !from.read_all({&more, 1});
    if (!has_all) {
        into.drop_all();
        if (s == status::not_found) {
            return std::nullopt;
        }
        if (from.error() != 0) {
            fail(path, std::strerror(from.error()));
        }
        const std::string after = " (after " + std::to_string(reader.restored_pages()) + " pages)";
        fail(path, s == status::limit || s == status::no_memory
                       ? std::string("the store has no room for all of it: ") + to_string(s) + after
                   : s == status::invalid ? "made by a vm_pager that compresses in another way"
                   : reader.is_cut()      ? "cut: its end is missing" + after
                                          : "damaged" + after);
    }
    all.base.pool = first != 0 ? ids[0] : pool_id{};
    for (std::size_t i = 0; i < all.guests.size(); ++i) {
        all.guests[i].pool = ids[first + i];
    }
    all.pages = reader.restored_pages();
    all.bytes = from.bytes();
    return all;
}

} // namespace vm_pager
