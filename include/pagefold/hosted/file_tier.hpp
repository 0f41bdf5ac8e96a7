// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/hosted/file_places.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/tier/concept.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <limits>
#include <sys/types.h>
#include <sys/uio.h>

// A backing tier over a file, a memfd or a block device: what the host has opened, by its descriptor.
//
// What. The file is units of 512 bytes, or what the options say. A stream takes as many neighbours as it needs, and its place is
// the number of the first: 2^31 units of 512 bytes are a terabyte. Which are taken is known in memory of the caller, two bits a
// unit (file_places.hpp): 128 KiB for 256 MiB of file. Nothing is taken from anywhere else, and nothing in the file says what it is: it
// is of no use to a later process, like a swap file.
//
// Writing. What a store demotes comes a few streams at a time (offer_all). They get one run where there is one, and are
// written by one pwritev, each filled up to its unit's end; else by one for each row of neighbours. offer is the same for one.
//
// Errors. A stream is kept once every byte of it was written, and not before: what a short write left out is refused with its
// place free again, and what was wholly written is kept. ENOSPC, EDQUOT and EFBIG are `limit`; anything else is `busy`, for
// another try. EINTR is tried again. A read that fails is `unavailable`, as a later one may succeed; one that meets the end of the file is
// `not_found`: somebody cut it. Bytes that changed are none of the tier's business: a store knows its streams. So an error loses
// nothing that can still be read. What the kernel lost after a write that it called good, a full disk behind a network or a
// failing device, shows at the read as damage: no sync is waited for.
//
// Threads. A mutex around the bits; reads and writes are outside it. A read beside a forget of the same place may bring the next
// copy's bytes, which the contract allows: the store knows that the copy left.
//
// Not this: a write buffer, which would have accepted what a later write loses; one slot of a page's size for each stream, with two
// thirds of the file for nothing; a mapping of the file, where a cut or a bad sector is a signal; io_uring, whose gain is in
// waiting for many at a time, and the store waits for each batch.

namespace pagefold::inline PAGEFOLD_ABI {

/// The system's calls; each is pwritev's or preadv's: the bytes done, or −1 with errno.
struct file_calls {
    [[nodiscard]] ::ssize_t write(int descriptor, const ::iovec* pieces, int count, ::off_t at) const noexcept {
        return ::pwritev(descriptor, pieces, count, at);
    }
    [[nodiscard]] ::ssize_t read(int descriptor, const ::iovec* pieces, int count, ::off_t at) const noexcept {
        return ::preadv(descriptor, pieces, count, at);
    }
};

struct tier_file_options {
    std::uint64_t bytes = 0;        ///< of the file that may be used; what is less than a unit is not
    std::uint64_t first_byte = 0;   ///< where that begins
    std::uint32_t unit_bytes = 512; ///< a power of two from 64 to 4096
};

/// The file, and what is in it; stays where it is for as long as a store has a file_tier of it. Safe from many threads.
template <class Calls = file_calls>
class basic_tier_file {
public:
    explicit basic_tier_file(Calls calls = Calls{}) noexcept : calls_{calls} {}
    basic_tier_file(const basic_tier_file&) = delete;
    basic_tier_file& operator=(const basic_tier_file&) = delete;

    /// Memory for open, in bytes: two bits a unit.
    [[nodiscard]] static constexpr std::size_t memory_for(const tier_file_options& options) noexcept {
        return is_valid(options) ? file_places::memory_for(units_of(options)) : 0;
    }
    /// Uses a part of the file from now on, whatever is in it. Once, before the store is made. invalid: options outside their
    /// range, too little memory, memory that is not aligned to 8 bytes, or a descriptor that appends: Linux writes to the end then,
    /// whatever place it is told. Descriptor and memory are the caller's, and stay.
    status open(int descriptor, const tier_file_options& options, byte_span memory) noexcept {
        const int flags = ::fcntl(descriptor, F_GETFL);
        if (!is_valid(options) || (flags != -1 && (flags & O_APPEND) != 0)) {
            return status::invalid;
        }
        const status s = places_.open(units_of(options), memory);
        if (s == status::ok) {
            descriptor_ = descriptor;
            options_ = options;
        }
        return s;
    }

    /// As a backing tier's; docs/tiers.md. `count` up to most_offers; each gets its answer in `answer` and `place`.
    void offer_all(tier_offer* offers, std::size_t count) noexcept {
        PAGEFOLD_CHECK(count <= most_offers);
        std::uint32_t all = 0;
        for (std::size_t i = 0; i < count; ++i) {
            offers[i].answer = status::busy;
            all += units_for(offers[i].stream.size());
        }
        {
            const holding held{mutex_};
            take_places(offers, count, all);
        }
        for (std::size_t i = 0; i < count;) {
            if (!has_place(offers[i])) {
                ++i;
                continue;
            }
            std::size_t end = i + 1; // of a row of neighbours
            while (end < count && has_place(offers[end]) && number(offers[end]) == behind(offers[end - 1])) {
                ++end;
            }
            write(offers + i, end - i);
            i = end;
        }
        const holding held{mutex_};
        for (std::size_t i = 0; i < count; ++i) {
            if (offers[i].answer == status::ok) {
                continue;
            }
            if (offers[i].place != no_place) {
                static_cast<void>(places_.give_back(number(offers[i])));
            }
        }
    }
    [[nodiscard]] result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        tier_offer one{key, stream};
        offer_all(&one, 1);
        return one.answer == status::ok ? result<tier_place>{one.place} : result<tier_place>{one.answer};
    }
    status fetch(tier_place place, byte_span out) noexcept {
        const std::uint32_t first = static_cast<std::uint32_t>(place);
        {
            const holding held{mutex_};
            if (!places_.begins(first) || places_.length(first) < units_for(out.size())) {
                return status::not_found;
            }
        }
        for (std::size_t done = 0; done < out.size();) {
            const ::iovec piece{out.data() + done, out.size() - done};
            const ::ssize_t got = calls_.read(descriptor_, &piece, 1, offset_of(first, done));
            if (got > 0) {
                done += static_cast<std::size_t>(got);
            } else if (got == 0) {
                return failed(read_errors_, status::not_found); // behind the end of the file, which somebody cut
            } else if (errno != EINTR) {
                return failed(read_errors_, status::unavailable);
            }
        }
        return status::ok;
    }
    status forget(tier_place place) noexcept {
        const holding held{mutex_};
        return places_.give_back(static_cast<std::uint32_t>(place));
    }

    /// Bytes of the file that copies take, each rounded up to units.
    [[nodiscard]] std::uint64_t used_bytes() const noexcept {
        const holding held{mutex_};
        return std::uint64_t{places_.units() - places_.free_units()} * options_.unit_bytes;
    }
    [[nodiscard]] std::uint64_t capacity_bytes() const noexcept {
        const holding held{mutex_};
        return std::uint64_t{places_.units()} * options_.unit_bytes;
    }
    /// Writes that failed, a full file's among them, and reads.
    [[nodiscard]] std::uint64_t write_errors() const noexcept { return write_errors_.load(memory_order::relaxed); }
    [[nodiscard]] std::uint64_t read_errors() const noexcept { return read_errors_.load(memory_order::relaxed); }

    static constexpr std::size_t most_offers = 16;

private:
    class holding {
    public:
        explicit holding(std_mutex& of) noexcept : of_{of} { of_.lock(); }
        ~holding() { of_.unlock(); }
        holding(const holding&) = delete;
        holding& operator=(const holding&) = delete;

    private:
        std_mutex& of_;
    };
    static constexpr tier_place no_place = static_cast<tier_place>(~std::uint32_t{0});
    static constexpr std::size_t most_unit = 4096;

    [[nodiscard]] static constexpr std::uint32_t units_of(const tier_file_options& options) noexcept {
        const std::uint64_t units = options.bytes / options.unit_bytes, most = std::uint64_t{1} << tier_place_bits;
        return static_cast<std::uint32_t>(units < most ? units : most);
    }
    [[nodiscard]] static constexpr bool is_valid(const tier_file_options& options) noexcept {
        constexpr std::uint64_t most = static_cast<std::uint64_t>((std::numeric_limits<::off_t>::max)());
        return options.unit_bytes >= 64 && options.unit_bytes <= most_unit && is_power_of_two(options.unit_bytes) &&
               options.bytes <= most && options.first_byte <= most - options.bytes;
    }
    [[nodiscard]] static constexpr std::uint32_t number(const tier_offer& one) noexcept {
        return static_cast<std::uint32_t>(one.place);
    }
    [[nodiscard]] static constexpr bool has_place(const tier_offer& one) noexcept { return one.place != no_place; }
    [[nodiscard]] std::uint32_t units_for(std::size_t bytes) const noexcept {
        return bytes == 0 ? 1 : static_cast<std::uint32_t>(ceil_div(bytes, std::size_t{options_.unit_bytes}));
    }
    [[nodiscard]] std::uint32_t behind(const tier_offer& one) const noexcept {
        return number(one) + units_for(one.stream.size());
    }
    [[nodiscard]] ::off_t offset_of(std::uint32_t unit, std::size_t bytes) const noexcept {
        return static_cast<::off_t>(options_.first_byte + std::uint64_t{unit} * options_.unit_bytes + bytes);
    }
    static status failed(atomic<std::size_t>& errors, status s) noexcept {
        errors.fetch_add(1, memory_order::relaxed);
        return s;
    }

    /// One run for all, else one for each, as far as there are any.
    void take_places(tier_offer* offers, std::size_t count, std::uint32_t all) noexcept {
        const result<std::uint32_t> run = count > 1 ? places_.take(all) : result<std::uint32_t>{status::limit};
        std::uint32_t next = run.value_or(0);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t units = units_for(offers[i].stream.size());
            if (run) {
                offers[i].place = static_cast<tier_place>(next);
                if (i + 1 < count) {
                    places_.split(next, units);
                }
                next += units;
            } else if (const result<std::uint32_t> own = places_.take(units); own) {
                offers[i].place = static_cast<tier_place>(*own);
            } else {
                offers[i].place = no_place;
                offers[i].answer = status::limit;
            }
        }
    }
    /// Writes some that are neighbours in the file, and answers each.
    void write(tier_offer* offers, std::size_t count) noexcept {
        static constexpr std::byte nothing[most_unit] = {};
        ::iovec pieces[2 * most_offers];
        std::size_t all = 0;
        int used = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t bytes = offers[i].stream.size(),
                              whole = units_for(bytes) * std::size_t{options_.unit_bytes};
            // An iovec is for both ways: what is written is not changed.
            pieces[used++] = {const_cast<std::byte*>(offers[i].stream.data()), bytes};
            if (whole != bytes) {
                pieces[used++] = {const_cast<std::byte*>(&nothing[0]), whole - bytes};
            }
            all += whole;
        }
        std::size_t done = 0;
        status s = status::ok;
        for (int first = 0; done < all;) {
            const ::ssize_t wrote =
                calls_.write(descriptor_, pieces + first, used - first, offset_of(number(offers[0]), done));
            if (wrote < 0 && errno == EINTR) {
                continue;
            }
            if (wrote <= 0) {
                const bool is_full = wrote == 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
                s = failed(write_errors_, is_full ? status::limit : status::busy);
                break;
            }
            done += static_cast<std::size_t>(wrote);
            for (std::size_t left = static_cast<std::size_t>(wrote); left != 0;) {
                ::iovec& piece = pieces[first];
                const std::size_t of_it = left < piece.iov_len ? left : piece.iov_len;
                piece = {static_cast<std::byte*>(piece.iov_base) + of_it, piece.iov_len - of_it};
                left -= of_it;
                first += piece.iov_len == 0 ? 1 : 0;
            }
        }
        std::size_t begin = 0;
        for (std::size_t i = 0; i < count; ++i) {
            offers[i].answer = begin + offers[i].stream.size() <= done ? status::ok : s;
            begin += units_for(offers[i].stream.size()) * std::size_t{options_.unit_bytes};
        }
    }

    mutable std_mutex mutex_{};
    file_places places_{};
    Calls calls_;
    tier_file_options options_{};
    int descriptor_ = -1;
    atomic<std::size_t> write_errors_{0}, read_errors_{0}; // relaxed: counters
};
using tier_file = basic_tier_file<>;

/// The backing tier: what a store copies. The file outlives it.
template <class Calls = file_calls>
class basic_file_tier {
public:
    explicit basic_file_tier(basic_tier_file<Calls>& file) noexcept : file_{&file} {}

    [[nodiscard]] result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        return file_->offer(key, stream);
    }
    void offer_all(tier_offer* offers, std::size_t count) noexcept { file_->offer_all(offers, count); }
    status fetch(const page_key&, tier_place place, byte_span out) noexcept { return file_->fetch(place, out); }
    status forget(const page_key&, tier_place place) noexcept { return file_->forget(place); }

private:
    basic_tier_file<Calls>* file_;
};
using file_tier = basic_file_tier<>;
static_assert(batch_tier<file_tier>);

} // namespace pagefold
