// SPDX-License-Identifier: MIT
//
// Every system call and ioctl that a paged region makes, refused alone by a filter of system calls: before it opens, and while
// it runs. It finds a way without, or names the call and its errno; and nothing is left.

#include "support/pager_modes.hpp"
#include "support/process_census.hpp"
#include "support/refused_calls.hpp"
#include "support/sanitized.hpp"
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <string>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_uffd_pager_refusals {
namespace {

using store_type = page_store<default_config>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;
constexpr std::size_t pages = 4096; // a region that is left behind shows among all that moves in a process
constexpr std::size_t touched = 64;

/// What a child came to. Of a failure it prints more.
enum verdict : int { works = 0, is_named = 1, fails = 2, no_filters = 77 };

/// What a program may want, and what its kernel may have: the automatic choice differs in each.
struct way {
    const char* name;
    uffd_backing backing;
    fault_delivery delivery;
    std::uint64_t lacks = 0; // of the kernel's features

    [[nodiscard]] uffd_pager_options options() const {
        uffd_pager_options o = options_of(pages, 16);
        o.backing = backing;
        o.delivery = delivery;
        o.may_use = ~lacks;
        return o;
    }
};
constexpr way ways[] = {
    {"signal", uffd_backing::anonymous, fault_delivery::signal},
    {"thread", uffd_backing::anonymous, fault_delivery::thread},
    {"no scan", uffd_backing::anonymous, fault_delivery::signal, uffd_abi::feature_wp_async},
    {"no move", uffd_backing::anonymous, fault_delivery::thread, uffd_abi::feature_wp_async | uffd_abi::feature_move},
    {"shared", uffd_backing::shared, fault_delivery::signal},
};

/// Writes pages of content and finds them again; the pager runs, and has less room than they need.
bool holds_pages(pager_type& pager) {
    std::byte* const at = pager.memory().data();
    for (int round = 0; round < 2; ++round) {
        for (std::size_t i = 0; i < touched; ++i) {
            const auto value = static_cast<int>(i + 1);
            if (round == 0) {
                std::memset(at + i * page, value, page / 2);
            } else if (at[i * page + 7] != std::byte(value) || at[i * page + page - 1] != std::byte{0}) {
                return false;
            }
        }
    }
    const bool is_discarded = pager.discard(9 * page, page) == status::ok; // or refused, and stays as it is
    return pager.populate(3 * page, 5) == status::ok &&
           at[9 * page + 1] == (is_discarded ? std::byte{0} : std::byte{10}) && pager.check();
}
/// The same, with a thread in run() where the way wants one. `least`: what a new budget has to come to.
bool holds_pages_served(const way& how, pager_type& pager, bool keeps_budget) {
    std::thread server;
    if (how.delivery == fault_delivery::thread) {
        server = std::thread([&] { static_cast<void>(pager.run() == status::ok); });
    }
    const bool is_whole = holds_pages(pager);
    const status s = pager.set_budget(16 * page);
    const bool is_kept = s == status::ok || (!keeps_budget && s == status::limit);
    if (!is_whole || !is_kept) {
        std::fprintf(stderr, "open, but whole=%d and the budget: %s\n", is_whole, to_string(s));
    }
    if (server.joinable()) {
        pager.stop();
        server.join();
    }
    return is_whole && is_kept;
}

/// Opens a pager, uses it and closes it. `error`: what the refused call answers. `lacking`: what it then does without.
verdict use(const way& how, int error, const char* lacking) {
    mmap_source<> source;
    store_type store{source};
    pager_type pager{store};
    const status opened = pager.open(how.options());
    if (opened == status::ok) {
        const bool is_told = std::strlen(pager.reason()) == 0 && std::strcmp(pager.lacking(), lacking) == 0;
        if (!is_told) {
            std::fprintf(stderr, "open, reason '%s', lacking '%s'\n", pager.reason(), pager.lacking());
        }
        return holds_pages_served(how, pager, true) && is_told ? works : fails;
    }
    const status expected = error == ENOMEM || error == EMFILE || error == ENFILE ? status::no_memory : status::invalid;
    const char* const word = error == EMFILE ? "RLIMIT_NOFILE" : error == ENFILE ? "fs.file-max" : "";
    const bool is_right = opened == expected && pager.error() == error && std::strlen(pager.reason()) > 0 &&
                          std::strstr(pager.reason(), word) != nullptr && pager.memory().empty();
    if (!is_right) {
        std::fprintf(stderr, "%s, '%s', errno %d\n", to_string(opened), pager.reason(), pager.error());
    }
    return is_right ? is_named : fails;
}

/// In a child: the call is refused with `error` from before a pager opens.
int refused_from_the_start(const way& how, const system_call& call, int error, const char* lacking) {
    const process_census census;
    if (use(how, error, "") != works) { // the C library keeps a thread's memory, the heap grows: once
        std::fprintf(stderr, "without a filter\n");
        return fails;
    }
    const std::size_t before = process_census::descriptors();
    if (!refuse(call, error)) {
        return no_filters;
    }
    const verdict first = use(how, error, lacking);
    const std::size_t mapped = census.mapped_bytes();
    const verdict second = use(how, error, lacking);
    if (process_census::descriptors() != before || census.mapped_bytes() > mapped || first != second) {
        std::fprintf(stderr, "left: %zu descriptors, %zu bytes\n", process_census::descriptors() - before,
                     census.mapped_bytes() - mapped);
        return fails;
    }
    return first;
}
/// In a child: it is refused from when the pager is open. No page is lost for that; the budget may be.
int refused_while_open(const way& how, const system_call& call, int error) {
    mmap_source<> source;
    store_type store{source};
    pager_type pager{store};
    if (pager.open(how.options()) != status::ok) {
        return fails;
    }
    if (!refuse(call, error)) {
        return no_filters;
    }
    return holds_pages_served(how, pager, false) ? works : fails;
}

constexpr unsigned long pagemap_scan_number = 0xc0606610; // _IOWR('f', 16, 96 bytes)
constexpr system_call an_ioctl(const char* name, unsigned long number) { return {name, SYS_ioctl, 1, number}; }
constexpr system_call advice(const char* name, int which) {
    return {name, SYS_madvise, 2, static_cast<std::uint64_t>(which)};
}

/// In which ways a call that is refused is named; in the others it does without.
struct expectation {
    system_call call;
    const char* named_in;
    const char* lacking = ""; ///< what it then says that it does without, in these ways
    const char* lacking_in = "";
};
constexpr const char* everywhere = "signal thread no scan no move shared";

const expectation expectations[] = {
    {an_ioctl("UFFDIO_API", UFFDIO_API), everywhere},
    {an_ioctl("UFFDIO_REGISTER", UFFDIO_REGISTER), everywhere},
    {an_ioctl("UFFDIO_COPY", UFFDIO_COPY), everywhere},
    {an_ioctl("UFFDIO_WAKE", UFFDIO_WAKE), "thread no move"},
    {an_ioctl("UFFDIO_WRITEPROTECT", UFFDIO_WRITEPROTECT), "no move shared", "the kernel refused UFFDIO_WRITEPROTECT",
     "no scan"},
    {an_ioctl("UFFDIO_MOVE", uffd_abi::ioctl_move), "", "the kernel refused UFFDIO_MOVE", "signal thread no scan"},
    {an_ioctl("UFFDIO_POISON", uffd_abi::ioctl_poison), ""},
    {an_ioctl("PAGEMAP_SCAN", pagemap_scan_number), "", "the kernel refused PAGEMAP_SCAN", "signal thread"},
    {{"openat", SYS_openat}, "", "/proc/self/pagemap can't be read", "signal thread"},
    {advice("MADV_NOHUGEPAGE", MADV_NOHUGEPAGE), ""},
    {advice("MADV_HUGEPAGE", MADV_HUGEPAGE), ""},
    {advice("MADV_DONTFORK", MADV_DONTFORK), everywhere},
    {advice("MADV_DONTNEED", MADV_DONTNEED), "signal thread no scan no move"},
    {{"process_madvise", SYS_process_madvise}, ""},
    {{"munlock", SYS_munlock}, everywhere},
    {{"memfd_create", SYS_memfd_create}, "shared"},
    {{"ftruncate", SYS_ftruncate}, "shared"},
    {{"fallocate", SYS_fallocate}, "shared"},
    {{"eventfd2", SYS_eventfd2}, "thread no move"},
#ifdef SYS_poll
    {{"poll", SYS_poll}, ""},
#endif
    {{"ppoll", SYS_ppoll}, ""},
    {{"rt_sigaction", SYS_rt_sigaction}, "signal no scan shared"},
    {{"rt_sigprocmask", SYS_rt_sigprocmask}, ""},
    {{"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo}, ""},
    {{"getrandom", SYS_getrandom}, ""},
    {{"getpid", SYS_getpid}, ""},
    {{"clock_gettime", SYS_clock_gettime}, ""},
};
bool is_in(const char* ways_of_it, const way& how) { return std::strstr(ways_of_it, how.name) != nullptr; }

/// Whether this machine has what the test is of.
bool can_refuse() {
    if (lacks_uffd(uffd_abi::feature_move | uffd_abi::feature_wp_async | uffd_abi::feature_sigbus |
                   uffd_abi::feature_wp_shmem)) {
        return false;
    }
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which needs those calls itself");
    } else if (in_child([] { return refuse({"none", -1}, EPERM) ? 0 : 1; }) != 0) {
        MESSAGE("skipped: this machine does not allow a filter of system calls");
    } else {
        return true;
    }
    return false;
}
/// What a child's work came to; −1 where a signal ended it.
template <class Work>
int code_of(Work work) {
    const int ended = in_child(work);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

TEST_CASE("uffd_pager: each call that it makes may be refused: it does without, or names it, and leaves nothing") {
    if (!can_refuse()) {
        return;
    }
    for (const way& how : ways) {
        for (const expectation& one : expectations) {
            const char* const lacking = is_in(one.lacking_in, how) ? one.lacking : "";
            for (const int error : {ENOSYS, EPERM, EINVAL}) {
                CAPTURE(how.name);
                CAPTURE(one.call.name);
                CAPTURE(error);
                CHECK(code_of([&] { return refused_from_the_start(how, one.call, error, lacking); }) ==
                      (is_in(one.named_in, how) ? is_named : works));
            }
        }
    }
}

TEST_CASE("uffd_pager: where userfaultfd(2) is refused, the device does as well") {
    if (!can_refuse()) {
        return;
    }
    const bool has_device = access("/dev/userfaultfd", R_OK | W_OK) == 0;
    const system_call call{"userfaultfd", SYS_userfaultfd};
    const system_call new_descriptor = an_ioctl("USERFAULTFD_IOC_NEW", uffd_abi::ioctl_new);
    for (const way& how : ways) {
        for (const int error : {ENOSYS, EPERM, EINVAL}) {
            CAPTURE(how.name);
            CAPTURE(error);
            CHECK(code_of([&] { return refused_from_the_start(how, call, error, ""); }) ==
                  (has_device && error != EINVAL ? works : is_named));
            // The device takes a descriptor itself.
            CHECK(code_of([&] {
                      return refuse(call, error == EINVAL ? EPERM : error) && refuse({"openat", SYS_openat}, EMFILE)
                                 ? use(how, EMFILE, "")
                                 : no_filters;
                  }) == is_named);
            CHECK(code_of([&] {
                      return refuse(new_descriptor, EPERM) ? refused_from_the_start(how, call, error, "")
                                                           : static_cast<int>(no_filters);
                  }) == is_named);
        }
    }
}

TEST_CASE("uffd_pager: what is used up is told from what is refused") {
    if (!can_refuse()) {
        return;
    }
    const system_call takers[] = {{"userfaultfd", SYS_userfaultfd},
                                  {"memfd_create", SYS_memfd_create},
                                  {"eventfd2", SYS_eventfd2},
                                  {"openat", SYS_openat}};
    for (const way& how : ways) {
        for (const system_call& call : takers) {
            const bool is_made = call.number == SYS_userfaultfd ||
                                 (call.number == SYS_memfd_create && how.backing == uffd_backing::shared) ||
                                 (call.number == SYS_eventfd2 && how.delivery == fault_delivery::thread) ||
                                 (call.number == SYS_openat && is_in("signal thread", how));
            for (const int error : {EMFILE, ENFILE, ENOMEM}) {
                CAPTURE(how.name);
                CAPTURE(call.name);
                CAPTURE(error);
                CHECK(code_of([&] { return refused_from_the_start(how, call, error, ""); }) ==
                      (is_made ? is_named : works));
            }
        }
        for (const system_call& call :
             {an_ioctl("UFFDIO_REGISTER", UFFDIO_REGISTER), an_ioctl("UFFDIO_COPY", UFFDIO_COPY)}) {
            CAPTURE(how.name);
            CAPTURE(call.name);
            CHECK(code_of([&] { return refused_from_the_start(how, call, ENOMEM, ""); }) == is_named);
        }
    }
}

TEST_CASE("uffd_pager: a fork policy that the kernel does not know is named") {
    if (!can_refuse()) {
        return;
    }
    CHECK(code_of([] {
              mmap_source<> source;
              store_type store{source};
              pager_type pager{store};
              uffd_pager_options o = ways[0].options();
              o.on_fork = fork_policy::zeros;
              const std::size_t before = process_census::descriptors();
              if (!refuse(advice("MADV_WIPEONFORK", MADV_WIPEONFORK), EINVAL)) { // before Linux 4.14
                  return no_filters;
              }
              return pager.open(o) == status::invalid && pager.error() == EINVAL &&
                             std::strstr(pager.reason(), "fork") != nullptr && process_census::descriptors() == before
                         ? is_named
                         : fails;
          }) == is_named);
}

TEST_CASE("uffd_pager: a call that is refused from when a region is open costs it the budget, and no page") {
    if (!can_refuse()) {
        return;
    }
    // Not here: what maps pages and wakes threads, without which nobody can serve a fault, and what lifts a protection.
    const system_call calls[] = {
        an_ioctl("UFFDIO_MOVE", uffd_abi::ioctl_move),
        an_ioctl("UFFDIO_POISON", uffd_abi::ioctl_poison),
        an_ioctl("PAGEMAP_SCAN", pagemap_scan_number),
        advice("MADV_DONTNEED", MADV_DONTNEED),
        advice("MADV_HUGEPAGE", MADV_HUGEPAGE),
        {"process_madvise", SYS_process_madvise},
        {"mprotect", SYS_mprotect},
        {"mmap", SYS_mmap},
        {"fallocate", SYS_fallocate},
#ifdef SYS_poll
        {"poll", SYS_poll},
#endif
        {"rt_sigprocmask", SYS_rt_sigprocmask},
        {"rt_sigaction", SYS_rt_sigaction},
        {"getrandom", SYS_getrandom},
        {"openat", SYS_openat},
    };
    for (const way& how : ways) {
        for (const system_call& call : calls) {
            if (how.delivery == fault_delivery::thread && (call.number == SYS_mmap || call.number == SYS_mprotect)) {
                continue; // no thread could be made
            }
            for (const int error : {ENOSYS, EPERM, ENOMEM}) {
                CAPTURE(how.name);
                CAPTURE(call.name);
                CAPTURE(error);
                CHECK(code_of([&] { return refused_while_open(how, call, error); }) == works);
            }
        }
    }
}

/// In a child: a thread waits for a page, and run is called where the system refuses `calls`.
int run_refused(std::initializer_list<system_call> calls, const char* reason) {
    mmap_source<> source;
    store_type store{source};
    pager_type pager{store};
    if (pager.open(ways[1].options()) != status::ok) {
        return fails;
    }
    std::thread{[at = pager.memory().data()] { static_cast<void>(*static_cast<volatile std::byte*>(at)); }}.detach();
    for (const system_call& call : calls) {
        if (!refuse(call, EPERM)) {
            return no_filters;
        }
    }
    const bool is_named =
        pager.run() == status::invalid && pager.error() == EPERM && std::strcmp(pager.reason(), reason) == 0;
    _exit(is_named ? works : fails); // the thread waits still
}

TEST_CASE("uffd_pager: where nothing tells of faults, run ends and says why") {
    if (!can_refuse()) {
        return;
    }
    const std::initializer_list<system_call> waits = {
#ifdef SYS_poll
        {"poll", SYS_poll},
#endif
#ifdef SYS_select
        {"select", SYS_select},
#endif
        {"ppoll", SYS_ppoll},
        {"pselect6", SYS_pselect6},
    };
    CHECK(code_of([&] { return run_refused(waits, "the kernel refused poll and select"); }) == works);
    CHECK(code_of([] {
              return run_refused({{"read", SYS_read}}, "the kernel refused read of the userfaultfd");
          }) == works);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_pager_refusals
