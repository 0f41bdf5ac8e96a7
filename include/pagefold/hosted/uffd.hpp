// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/hosted/io_control.hpp>
#include <pagefold/hosted/shortage.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>
#include <type_traits>
#include <unistd.h>
#include <utility>

// userfaultfd(2), thinly: what newer kernels can and older headers don't name, and a descriptor that answers with what the
// kernel said. See Documentation/admin-guide/mm/userfaultfd.rst and ioctl_userfaultfd(2).
//
// Everything here is one system call. Nothing is retried but what a signal interrupted: a caller that gets EAGAIN has to
// decide (with EVENT_REMOVE every ioctl answers it until the events are read).

namespace pagefold::inline PAGEFOLD_ABI {

/// The kernel's interface, newer than the headers of many systems. The names are the kernel's, in lower case.
namespace uffd_abi {

inline constexpr std::uint64_t feature_wp = 1u << 0;                // 5.7
inline constexpr std::uint64_t feature_event_fork = 1u << 1;        // 4.11, as the next two
inline constexpr std::uint64_t feature_event_remap = 1u << 2;       //
inline constexpr std::uint64_t feature_event_remove = 1u << 3;      //
inline constexpr std::uint64_t feature_missing_hugetlbfs = 1u << 4; // 4.11
inline constexpr std::uint64_t feature_missing_shmem = 1u << 5;     // 4.11
inline constexpr std::uint64_t feature_event_unmap = 1u << 6;       // 4.11
inline constexpr std::uint64_t feature_sigbus = 1u << 7;            // 4.14
inline constexpr std::uint64_t feature_thread_id = 1u << 8;         // 4.14
inline constexpr std::uint64_t feature_minor_hugetlbfs = 1u << 9;   // 5.13
inline constexpr std::uint64_t feature_minor_shmem = 1u << 10;      // 5.14
inline constexpr std::uint64_t feature_exact_address = 1u << 11;    // 5.18
inline constexpr std::uint64_t feature_wp_shmem = 1u << 12;         // 5.19
inline constexpr std::uint64_t feature_wp_unpopulated = 1u << 13;   // 6.4
inline constexpr std::uint64_t feature_poison = 1u << 14;           // 6.6
inline constexpr std::uint64_t feature_wp_async = 1u << 15;         // 6.7
inline constexpr std::uint64_t feature_move = 1u << 16;             // 6.8

/// The name of the lowest feature in a set, as the kernel's manual writes it. Never null.
[[nodiscard]] constexpr const char* name_of(std::uint64_t features) noexcept {
    constexpr const char* names[] = {"PAGEFAULT_FLAG_WP",
                                     "EVENT_FORK",
                                     "EVENT_REMAP",
                                     "EVENT_REMOVE",
                                     "MISSING_HUGETLBFS",
                                     "MISSING_SHMEM",
                                     "EVENT_UNMAP",
                                     "SIGBUS",
                                     "THREAD_ID",
                                     "MINOR_HUGETLBFS",
                                     "MINOR_SHMEM",
                                     "EXACT_ADDRESS",
                                     "WP_HUGETLBFS_SHMEM",
                                     "WP_UNPOPULATED",
                                     "POISON",
                                     "WP_ASYNC",
                                     "MOVE"};
    for (std::size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        if ((features >> i & 1u) != 0) {
            return names[i];
        }
    }
    return "an unknown feature";
}

struct move_request {
    std::uint64_t dst, src, len, mode;
    std::int64_t move; // out: bytes moved, or −errno
};
inline constexpr std::uint64_t move_dont_wake = 1u << 0;
inline constexpr std::uint64_t move_allow_src_holes = 1u << 1;
inline constexpr std::uint32_t ioctl_move = _IOWR(0xAA, 0x05, move_request);

struct poison_request {
    uffdio_range range;
    std::uint64_t mode;
    std::int64_t updated; // out: bytes, or −errno
};
inline constexpr std::uint32_t ioctl_poison = _IOWR(0xAA, 0x08, poison_request);

/// Serve no faults that the kernel takes in system calls: what an unprivileged process is allowed. 5.11
inline constexpr int user_mode_only = 1;
/// Makes a descriptor through /dev/userfaultfd, whose permissions decide who may. 6.1
inline constexpr std::uint32_t ioctl_new = _IO(0xAA, 0x00);

} // namespace uffd_abi

/// What a call came to: the bytes done, from the start of the range, and why not more (0, or errno's values).
///
///   EEXIST  the page is there already             EAGAIN  the address space changes just now, or events wait to be read
///   ENOENT  there is no such mapping (any more)   ESRCH   the process is gone
///   EBUSY   the page can't be moved now (pinned)  EFAULT  the source can't be read, or has no page to move
struct uffd_outcome {
    std::size_t done = 0;
    int error = 0;

    [[nodiscard]] bool ok() const noexcept { return error == 0; }
};

/// Who may make a descriptor, and what for.
enum class uffd_rights : std::uint8_t {
    any,       ///< faults of user code and of system calls; falls back to user_only where the system allows no more
    full,      ///< both, or nothing
    user_only, ///< faults of user code; a system call that meets a missing page answers EFAULT
};

/// A userfaultfd. Owns the descriptor. Safe from many threads but for open, adopt and close: the kernel orders the calls.
class uffd {
public:
    uffd() noexcept = default;
    uffd(const uffd&) = delete;
    uffd& operator=(const uffd&) = delete;
    uffd(uffd&& other) noexcept
        : fd_{std::exchange(other.fd_, -1)}, features_{other.features_},
          user_only_{other.user_only_}, reason_{other.reason_}, error_{other.error_} {}
    uffd& operator=(uffd&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
            features_ = other.features_;
            user_only_ = other.user_only_;
            reason_ = other.reason_;
            error_ = other.error_;
        }
        return *this;
    }
    ~uffd() { close(); }

    /// The features of this kernel that this process may use; 0 where it may have no userfaultfd at all, or has none this
    /// moment, which look_up tells apart.
    [[nodiscard]] static std::uint64_t supported_features() noexcept {
        uffd probe;
        std::uint64_t features = 0;
        return probe.look_up(features) == status::ok ? features : 0;
    }
    /// The same, or why not, as open does. A descriptor for the time of the call; the object is closed afterwards.
    status look_up(std::uint64_t& features, uffd_rights rights = uffd_rights::any) noexcept {
        uffdio_api api{};
        const status s = make(rights, api);
        close();
        features = s == status::ok ? api.features : 0;
        return s;
    }

    /// Opens a non-blocking descriptor with the features asked for. `no_memory`: no descriptor or memory is left.
    /// `invalid`: the kernel lacks the system call or a feature, or the process the right. reason() says what is missing.
    /// Takes one descriptor at a time, though it asks for the kernel's features first.
    status open(std::uint64_t features, uffd_rights rights = uffd_rights::any) noexcept {
        std::uint64_t there = 0;
        if (const status s = look_up(there, rights); s != status::ok) {
            return s;
        }
        if (const std::uint64_t missing = features & ~there; missing != 0) {
            return failed(EOPNOTSUPP, uffd_abi::name_of(missing));
        }
        uffdio_api api{};
        api.features = features;
        const status s = make(rights, api);
        features_ = s == status::ok ? features : 0;
        return s;
    }

    /// Takes over a descriptor that another process opened, said UFFDIO_API to and sent here.
    void adopt(int fd, std::uint64_t features) noexcept {
        close();
        fd_ = fd;
        features_ = features;
    }
    void close() noexcept {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int descriptor() const noexcept { return fd_; }
    [[nodiscard]] bool has(std::uint64_t features) const noexcept { return (features_ & features) == features; }
    /// Whether system calls that meet a missing page fail with EFAULT instead of waiting.
    [[nodiscard]] bool is_user_only() const noexcept { return user_only_; }
    /// After open failed: what is missing, in words or as the name of a feature, and errno. Static.
    [[nodiscard]] const char* reason() const noexcept { return reason_; }
    [[nodiscard]] int error() const noexcept { return error_; }

    // Ranges. All are multiples of the page size; addresses are those of the process that opened the descriptor.

    /// `modes`: UFFDIO_REGISTER_MODE_*. On success `ioctls` receives what the range allows, a bit for each number.
    [[nodiscard]] uffd_outcome register_range(std::uint64_t start, std::size_t bytes, std::uint64_t modes,
                                              std::uint64_t* ioctls = nullptr) noexcept {
        uffdio_register request{};
        request.range = {start, bytes};
        request.mode = modes;
        const uffd_outcome outcome = whole(call(UFFDIO_REGISTER, request), bytes);
        if (outcome.ok() && ioctls != nullptr) {
            *ioctls = request.ioctls;
        }
        return outcome;
    }
    /// Wakes who waits. The kernel does before it lifts write protections, and a thread that faults in between would wait for
    /// ever (Linux 6.18); once it is done nobody can begin to wait.
    [[nodiscard]] uffd_outcome unregister(std::uint64_t start, std::size_t bytes) noexcept {
        uffdio_range request{start, bytes};
        const uffd_outcome outcome = whole(call(UFFDIO_UNREGISTER, request), bytes);
        if (outcome.ok()) {
            static_cast<void>(wake(start, bytes));
        }
        return outcome;
    }

    /// Maps copies of `bytes` at `source` where there are no pages, and wakes who waits for them unless `mode` has
    /// UFFDIO_COPY_MODE_DONTWAKE. With UFFDIO_COPY_MODE_WP they are write-protected.
    [[nodiscard]] uffd_outcome copy(std::uint64_t to, const void* source, std::size_t bytes,
                                    std::uint64_t mode = 0) noexcept {
        uffdio_copy request{};
        request.dst = to;
        request.src = reinterpret_cast<std::uintptr_t>(source);
        request.len = bytes;
        request.mode = mode;
        const int error = call(UFFDIO_COPY, request);
        return partial(error, request.copy, bytes);
    }
    /// Maps zeros where there are no pages: the kernel's one page of zeros, until it is written.
    [[nodiscard]] uffd_outcome zero(std::uint64_t to, std::size_t bytes, std::uint64_t mode = 0) noexcept {
        uffdio_zeropage request{};
        request.range = {to, bytes};
        request.mode = mode;
        const int error = call(UFFDIO_ZEROPAGE, request);
        return partial(error, request.zeropage, bytes);
    }
    /// Moves pages themselves from one private anonymous mapping of this process to another, where there are none: they are
    /// gone from the old place in the same instant. `mode`: uffd_abi::move_*. Needs feature_move.
    [[nodiscard]] uffd_outcome move(std::uint64_t to, std::uint64_t from, std::size_t bytes,
                                    std::uint64_t mode = 0) noexcept {
        uffd_abi::move_request request{to, from, bytes, mode, 0};
        const int error = call(uffd_abi::ioctl_move, request);
        return partial(error, request.move, bytes);
    }
    /// Protects pages from writing, or (`on` false) allows it and wakes the writers that wait.
    [[nodiscard]] uffd_outcome write_protect(std::uint64_t start, std::size_t bytes, bool on) noexcept {
        uffdio_writeprotect request{};
        request.range = {start, bytes};
        request.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
        return whole(call(UFFDIO_WRITEPROTECT, request), bytes);
    }
    /// From here on whoever touches the pages gets SIGBUS. Needs feature_poison.
    [[nodiscard]] uffd_outcome poison(std::uint64_t start, std::size_t bytes) noexcept {
        uffd_abi::poison_request request{{start, bytes}, 0, 0};
        const int error = call(uffd_abi::ioctl_poison, request);
        return partial(error, request.updated, bytes);
    }
    /// Who waits for these pages looks again.
    [[nodiscard]] uffd_outcome wake(std::uint64_t start, std::size_t bytes) noexcept {
        uffdio_range request{start, bytes};
        return whole(call(UFFDIO_WAKE, request), bytes);
    }

    /// Reads up to `capacity` messages: `done` says how many came. EAGAIN where there are none.
    [[nodiscard]] uffd_outcome read(uffd_msg* messages, std::size_t capacity) noexcept {
        ssize_t got = 0;
        do {
            got = ::read(fd_, messages, capacity * sizeof(uffd_msg));
        } while (got < 0 && errno == EINTR);
        return got < 0 ? uffd_outcome{0, errno} : uffd_outcome{static_cast<std::size_t>(got) / sizeof(uffd_msg), 0};
    }

private:
    template <class Request>
    [[nodiscard]] int call(std::uint32_t what, Request& request) noexcept {
        int result = 0;
        do {
            result = io_control(fd_, what, &request);
        } while (result != 0 && errno == EINTR);
        return result == 0 ? 0 : errno;
    }
    [[nodiscard]] static uffd_outcome whole(int error, std::size_t bytes) noexcept {
        return {error == 0 ? bytes : 0, error};
    }
    /// The calls that stop halfway answer EAGAIN and say how far they came, or a negated errno if not at all.
    [[nodiscard]] static uffd_outcome partial(int error, std::int64_t done, std::size_t bytes) noexcept {
        if (error == 0) {
            return {bytes, 0};
        }
        if (error == EAGAIN && done < 0) {
            error = static_cast<int>(-done);
        }
        return {done > 0 ? static_cast<std::size_t>(done) : 0, error};
    }

    /// A descriptor that both sides have shaken hands over; closed where that fails. `api` has the features to ask for, and
    /// then those that there are.
    status make(uffd_rights rights, uffdio_api& api) noexcept {
        close();
        make_descriptor(rights);
        if (fd_ < 0) {
            return failed(errno, why_none(errno, user_only_));
        }
        api.api = UFFD_API;
        if (const int error = call(UFFDIO_API, api); error != 0) {
            return failed(error, "the kernel refused UFFDIO_API");
        }
        return status::ok;
    }
    void make_descriptor(uffd_rights rights) noexcept {
        user_only_ = rights == uffd_rights::user_only;
        fd_ = descriptor_with(user_only_ ? uffd_abi::user_mode_only : 0);
        if (fd_ < 0 && errno == EPERM && rights == uffd_rights::any) {
            user_only_ = true;
            fd_ = descriptor_with(uffd_abi::user_mode_only);
        }
    }
    /// Through the device as well, whose own permissions decide, and which a filter of system calls does not know. −1 with the
    /// errno of the system call, unless the device met a shortage.
    [[nodiscard]] static int descriptor_with(int flags) noexcept {
        flags |= O_CLOEXEC | O_NONBLOCK;
        int fd = static_cast<int>(::syscall(SYS_userfaultfd, flags));
        const int error = errno;
        if (fd >= 0 || (error != EPERM && error != ENOSYS)) {
            return fd;
        }
        const int device = ::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
        if (device >= 0) {
            fd = io_control(device, uffd_abi::ioctl_new, flags);
        }
        const int second = errno;
        if (device >= 0) {
            ::close(device);
        }
        errno = is_shortage(second) ? second : error;
        return fd;
    }
    [[nodiscard]] static const char* why_none(int error, bool was_user_only) noexcept {
        switch (error) {
        case ENOSYS: return "this kernel has no userfaultfd, or a filter of system calls hides it";
        case EPERM:
            return was_user_only ? "a filter of system calls (a container's) forbids userfaultfd"
                                 : "no permission for faults in system calls: CAP_SYS_PTRACE, access to "
                                   "/dev/userfaultfd, or vm.unprivileged_userfaultfd";
        case EINVAL:
            return was_user_only ? "no permission, and none for user code alone before Linux 5.11: CAP_SYS_PTRACE or "
                                   "vm.unprivileged_userfaultfd"
                                 : "the kernel refused a userfaultfd";
        case ENOMEM: return "no memory for a userfaultfd";
        default: return cause_of_errno(error, "the kernel refused a userfaultfd");
        }
    }
    status failed(int error, const char* why) noexcept {
        close();
        error_ = error;
        reason_ = why;
        return status_of_errno(error);
    }

    int fd_ = -1;
    std::uint64_t features_ = 0;
    bool user_only_ = false;
    const char* reason_ = "";
    int error_ = 0;
};

} // namespace pagefold
