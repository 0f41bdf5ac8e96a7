// SPDX-License-Identifier: MIT
//
// A paged region on older kernels: which way it takes, that it is whole, and what it says where there is none.

#include "support/older_kernel.hpp"
#include "support/pager_modes.hpp"
#include "support/refused_calls.hpp"
#include "support/sanitized.hpp"
#include "support/tsan_ordered.hpp"
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_uffd_pager_kernels {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;

using namespace uffd_abi;
constexpr std::uint64_t of_4_11 = feature_event_fork | feature_event_remap | feature_event_remove |
                                  feature_missing_hugetlbfs | feature_missing_shmem | feature_event_unmap;
constexpr std::uint64_t of_4_14 = of_4_11 | feature_sigbus | feature_thread_id;
constexpr std::uint64_t of_5_7 = of_4_14 | feature_wp;
constexpr std::uint64_t of_5_14 = of_5_7 | feature_minor_hugetlbfs | feature_minor_shmem;
constexpr std::uint64_t of_5_19 = of_5_14 | feature_exact_address | feature_wp_shmem;
constexpr std::uint64_t of_6_4 = of_5_19 | feature_wp_unpopulated;
constexpr std::uint64_t of_6_6 = of_6_4 | feature_poison;
constexpr std::uint64_t of_6_7 = of_6_6 | feature_wp_async;
constexpr std::uint64_t of_6_8 = of_6_7 | feature_move;

/// What a region becomes there; a reason: it can't be.
struct expected_region {
    const char* reason;
    eviction_method eviction = eviction_method::protect;
    clean_tracking tracking = clean_tracking::protect;
};
struct expectation {
    older_kernel kernel;
    expected_region by_thread, by_signal, shared;
};
constexpr expected_region protects{""};
constexpr expected_region moves{"", eviction_method::move, clean_tracking::scan};
constexpr const char* no_wp = "PAGEFAULT_FLAG_WP";
constexpr const char* no_wp_shmem = "WP_HUGETLBFS_SHMEM";

constexpr expectation expectations[] = {
    {{"4.3", 0, false, false}, {no_wp}, {no_wp}, {no_wp}},
    {{"4.11", of_4_11, false, false}, {no_wp}, {no_wp}, {no_wp}},
    {{"4.14", of_4_14, false, false}, {no_wp}, {no_wp}, {no_wp}},
    {{"5.7", of_5_7, false, false}, protects, protects, {no_wp_shmem}},
    {{"5.14", of_5_14, true, false}, protects, protects, {no_wp_shmem}},
    {{"5.19", of_5_19, true, false}, protects, protects, protects},
    {{"6.4", of_6_4, true, false}, protects, protects, protects},
    {{"6.6", of_6_6, true, false}, protects, protects, protects},
    {{"6.7", of_6_7, true, true}, protects, protects, protects},
    {{"6.8", of_6_8, true, true}, moves, moves, protects},
    // MOVE without a scan, as a kernel made of parts may have it.
    {{"6.8 without scan", of_6_8, true, false},
     {"", eviction_method::move, clean_tracking::protect},
     {"", eviction_method::move, clean_tracking::protect},
     protects},
};

/// The pretended kernel, for a scope.
class pretence {
public:
    explicit pretence(const older_kernel& kernel) { pretended_kernel = &kernel; }
    ~pretence() { pretended_kernel = nullptr; }
    pretence(const pretence&) = delete;
    pretence& operator=(const pretence&) = delete;
};

bool lacks_kernel() { return lacks_uffd(feature_move | feature_wp_async | feature_sigbus | feature_wp_shmem); }

void check_region(const uffd_pager_options& options, const expected_region& expected) {
    mmap_source<> source;
    store_type store{source};
    running_pager<pager_type> one{store, options};
    if (*expected.reason != '\0') {
        CHECK(one.opened == status::invalid);
        CHECK(one.pager.reason() == std::string(expected.reason));
        CHECK(one.pager.error() == EOPNOTSUPP);
        return;
    }
    REQUIRE(one.opened == status::ok);
    CHECK(one.pager.eviction() == expected.eviction);
    CHECK(one.pager.tracking() == expected.tracking);
    for (int round = 0; round < 2; ++round) {
        fill(one, 128);
        for (std::size_t i = 0; i < 128; ++i) {
            REQUIRE(holds(one.page(i), i));
        }
    }
    CHECK(one.pager.discard(5 * page, page) == status::ok);
    CHECK(one.page(5)[9] == std::byte{0});
    CHECK(one.pager.set_budget(16 * page) == status::ok);
    CHECK(one.pager.statistics().clean_pages > 0);
    CHECK(one.pager.check());
}

TEST_CASE("uffd_pager: on every kernel it works in the way that there is, or says what is missing") {
    if (lacks_kernel()) {
        return;
    }
    for (const expectation& there : expectations) {
        CAPTURE(there.kernel.release);
        const pretence pretended{there.kernel};
        uffd_pager_options o = options_of(128, 32);
        check_region(o, there.by_thread);
        o.delivery = fault_delivery::signal;
        check_region(o, there.by_signal);
        o.backing = uffd_backing::shared;
        check_region(o, there.shared);
    }
}

TEST_CASE("uffd_pager: what is asked for by name, and the kernel has not, is named") {
    if (lacks_kernel()) {
        return;
    }
    const auto reason_of = [](const older_kernel& kernel, eviction_method eviction, clean_tracking tracking) {
        const pretence pretended{kernel};
        mmap_source<> source;
        store_type store{source};
        pager_type pager{store};
        uffd_pager_options o = options_of(128, 32);
        o.eviction = eviction;
        o.tracking = tracking;
        CHECK(pager.open(o) == status::invalid);
        return std::string(pager.reason());
    };
    const older_kernel before_move{"6.7", of_6_7}, before_async{"6.6", of_6_6}, before_wp{"5.6", of_4_14};
    const older_kernel without_scan{"6.8 without scan", of_6_8, true, false};
    CHECK(reason_of(before_move, eviction_method::move, clean_tracking::automatic) == "MOVE");
    CHECK(reason_of(before_async, eviction_method::automatic, clean_tracking::scan) == "WP_ASYNC");
    CHECK(reason_of(before_wp, eviction_method::protect, clean_tracking::none) == "PAGEFAULT_FLAG_WP");
    CHECK(reason_of(without_scan, eviction_method::move, clean_tracking::scan) == "the kernel refused PAGEMAP_SCAN");
}

TEST_CASE("uffd_pager: with faults by signal before Linux 4.14, SIGBUS is missing") {
    if (lacks_kernel()) {
        return;
    }
    const older_kernel odd{"5.7 without SIGBUS", of_5_7 & ~feature_sigbus};
    const pretence pretended{odd};
    mmap_source<> source;
    store_type store{source};
    pager_type pager{store};
    uffd_pager_options o = options_of(128, 32);
    o.delivery = fault_delivery::signal;
    CHECK(pager.open(o) == status::invalid);
    CHECK(pager.reason() == std::string("SIGBUS"));
}

/// In a child without rights, on a kernel that does not know `flag` of userfaultfd(2).
int without_rights(const older_kernel& kernel, uffd_rights rights, const char* word) {
    const pretence pretended{kernel};
    const system_call user_mode{"userfaultfd", SYS_userfaultfd, 0, user_mode_only, user_mode_only};
    if (!kernel.has_user_mode && !refuse(user_mode, EINVAL)) {
        return 77;
    }
    if (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0) {
        return 77;
    }
    mmap_source<> source;
    store_type store{source};
    pager_type pager{store};
    uffd_pager_options o = options_of(128, 32);
    o.rights = rights;
    const status s = pager.open(o);
    if (s == status::ok) {
        return *word == '\0' ? 0 : 1;
    }
    std::fprintf(stderr, "'%s', errno %d\n", pager.reason(), pager.error());
    return s == status::invalid && *word != '\0' && std::strstr(pager.reason(), word) != nullptr ? 0 : 2;
}

TEST_CASE("uffd_pager: without rights, before Linux 5.11 and since") {
    if (lacks_kernel()) {
        return;
    }
    const int probe =
        in_child([] { return setuid(65534) == 0 && uffd{}.open(0, uffd_rights::full) != status::ok ? 0 : 1; });
    if (geteuid() != 0 || probe != 0) {
        MESSAGE("skipped: this machine's user is not root, or everybody may serve faults of system calls");
        return;
    }
    const older_kernel before{"5.7", of_5_7, false}, since{"5.11", of_5_7};
    for (const uffd_rights rights : {uffd_rights::any, uffd_rights::user_only}) {
        CHECK(in_child([&] { return without_rights(before, rights, "5.11"); }) == 0);
        CHECK(in_child([&] { return without_rights(since, rights, ""); }) == 0);
    }
    CHECK(in_child([&] { return without_rights(since, uffd_rights::full, "CAP_SYS_PTRACE"); }) == 0);
}

TEST_CASE("mmap_source: on a kernel that takes neither batches nor its advice it works one by one") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which gives advice itself");
        return;
    }
    const int how = in_child([] {
        constexpr int cold = 20; // MADV_COLD, 5.4
        const system_call unknown[] = {{"process_madvise", SYS_process_madvise},
                                       {"MADV_COLD", SYS_madvise, 2, cold},
                                       {"MADV_HUGEPAGE", SYS_madvise, 2, MADV_HUGEPAGE},
                                       {"MADV_NOHUGEPAGE", SYS_madvise, 2, MADV_NOHUGEPAGE}};
        for (const system_call& one : unknown) {
            if (!refuse(one, one.number == SYS_process_madvise ? ENOSYS : EINVAL)) {
                return 77;
            }
        }
        mmap_options options;
        options.retain_bytes = 0;
        options.splits_at_once = true;
        mmap_source<> source{options};
        if (source.gives_back_in_batches()) {
            return 1;
        }
        std::byte* runs[64];
        for (std::byte*& run : runs) {
            run = static_cast<std::byte*>(source.acquire(17, any_node).value_or(nullptr));
            if (run == nullptr) {
                return 2;
            }
            std::memset(run, 7, 17 * page);
        }
        for (std::size_t i = 0; i < 64; i += 2) {
            source.release(runs[i], 17);
        }
        source.trim();
        for (std::size_t i = 1; i < 64; i += 2) {
            if (runs[i][5 * page] != std::byte{7}) {
                return 3;
            }
        }
        return source.check() && source.resident_bytes() == 32 * 17 * page ? 0 : 4;
    });
    if (WIFEXITED(how) && WEXITSTATUS(how) == 77) {
        MESSAGE("skipped: this machine does not allow a filter of system calls");
        return;
    }
    CHECK(how == 0);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_pager_kernels
