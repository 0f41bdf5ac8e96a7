// SPDX-License-Identifier: MIT
//
// A paged region where the process may not have more of something: descriptors, addresses, memory, locked memory. It says what,
// leaves nothing, and goes on when there is room again.

#include "support/pager_modes.hpp"
#include "support/process_census.hpp"
#include "support/sanitized.hpp"
#include "support/soft_limit.hpp"
#include "support/tsan_ordered.hpp"
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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pagefold::testing::unit_hosted_uffd_pager_limits {
namespace {

using store_type = tsan_ordered<page_store<default_config>>;
using pager_type = uffd_pager<store_type>;
constexpr std::size_t page = 4096;
constexpr std::size_t pages = 2048;

/// Noise: a page of it takes a page in the store.
void write_noise(std::byte* at, std::uint64_t seed) {
    std::uint64_t state = seed * 0x9e37'79b9'7f4a'7c15u + 1;
    for (std::size_t i = 0; i < page; i += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::memcpy(at + i, &state, sizeof state);
    }
}
bool holds_noise(const std::byte* at, std::uint64_t seed) {
    std::byte expected[page];
    write_noise(expected, seed);
    return std::memcmp(at, expected, page) == 0;
}
bool all_hold(const pager_type& pager, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (!holds_noise(pager.memory().data() + i * page, i)) {
            return false;
        }
    }
    return true;
}
int step_failed(int line, const pager_type& pager) {
    std::fprintf(stderr, "line %d: '%s', errno %d\n", line, pager.reason(), pager.error());
    return 1;
}
#define NEEDS(condition)                                                                                               \
    if (!(condition)) {                                                                                                \
        return step_failed(__LINE__, pager);                                                                           \
    }                                                                                                                  \
    static_assert(true)

/// The code of a child, −1 where a signal ended it. Limits end with it.
template <class Work>
int code_of(Work work) {
    const int ended = in_child(work);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

TEST_CASE(
    "uffd_pager: with every number of descriptors left it opens as it does with many, or says that there are none") {
    for_each_mode([](const pager_mode& mode) {
        const auto work = [&] {
            mmap_source<> source;
            store_type store{source};
            pager_type pager{store};
            const uffd_pager_options o = options_of(pages, 32, mode);
            uffd_pager_options chosen = o;
            chosen.eviction = eviction_method::automatic;
            chosen.tracking = clean_tracking::automatic;
            for (const uffd_pager_options& options : {o, chosen}) {
                NEEDS(pager.open(options) == status::ok);
                const eviction_method eviction = pager.eviction();
                const clean_tracking tracking = pager.tracking();
                pager.close();
                const std::size_t before = process_census::descriptors();
                unsigned left = 0;
                for (status s = status::no_memory; s != status::ok; ++left) {
                    NEEDS(left < 5);
                    NEEDS(set_limit(RLIMIT_NOFILE, static_cast<std::size_t>(process_census::free_number()) + left));
                    s = pager.open(options);
                    NEEDS((s == status::ok) == (pager.error() == 0));
                    NEEDS(s == status::ok || (s == status::no_memory && pager.error() == EMFILE &&
                                              std::strstr(pager.reason(), "RLIMIT_NOFILE") != nullptr &&
                                              process_census::descriptors() == before));
                }
                NEEDS(left > 1 && pager.eviction() == eviction && pager.tracking() == tracking);
                NEEDS(std::strlen(pager.lacking()) == 0);
                pager.stop(); // before run: ends it at once
                NEEDS(mode.delivery == fault_delivery::signal || pager.run() == status::ok);
                pager.close();
                NEEDS(process_census::descriptors() == before && lift_limit(RLIMIT_NOFILE));
            }
            return 0;
        };
        CHECK(code_of(work) == 0);
    });
}

TEST_CASE("uffd_pager: a process that may open nothing any more is served as before") {
    for_each_mode([](const pager_mode& mode) {
        const auto work = [&] {
            mmap_source<> source;
            store_type store{source};
            running_pager<pager_type> one{store, options_of(pages, 32, mode)};
            pager_type& pager = one.pager;
            NEEDS(one.opened == status::ok);
            NEEDS(set_limit(RLIMIT_NOFILE, 0)); // poll itself refuses now
            for (std::size_t i = 0; i < 256; ++i) {
                write_noise(one.page(i), i);
            }
            NEEDS(all_hold(pager, 256) && pager.statistics().evicted_pages > 200);
            NEEDS(pager.set_budget(16 * page) == status::ok && pager.check());
            one.stop();
            NEEDS(one.ended == (mode.delivery == fault_delivery::thread ? status::ok : status::busy));
            // And once more, from the start of run. (A sanitizer opens a file for each new thread.)
            if (mode.delivery == fault_delivery::thread && !is_sanitized) {
                std::thread server([&] { static_cast<void>(pager.run() == status::ok); });
                const bool is_whole = all_hold(pager, 256);
                pager.stop();
                server.join();
                NEEDS(is_whole);
            }
            return 0;
        };
        CHECK(code_of(work) == 0);
    });
}

TEST_CASE("uffd_pager: addresses and memory that may not be had are named, and nothing is left") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which has terabytes of addresses of its own");
        return;
    }
    struct limit {
        decltype(RLIMIT_AS) what;
        const char* word; ///< in the reason, where the region itself does not fit
    };
    for (const limit& one : {limit{RLIMIT_AS, "RLIMIT_AS"}, limit{RLIMIT_DATA, "RLIMIT_DATA"}}) {
        for_each_mode(is_anonymous, [&](const pager_mode& mode) {
            CAPTURE(one.word);
            const auto work = [&, limited = one.what, expected = one.word] {
                mmap_options few;
                few.capacity_bytes = std::size_t{64} << 20;
                mmap_source<> source{few};
                store_type store{source};
                pager_type pager{store};
                uffd_pager_options o = options_of(pages * 16, 32, mode);
                const process_census census;
                NEEDS(pager.open(o) == status::ok);
                pager.close();
                const std::size_t mapped = census.mapped_bytes(), descriptors = process_census::descriptors();
                // From nothing at all to all that it takes: somewhere on the way each of its mappings is the one too many.
                bool was_named = false;
                for (std::size_t more = page;; more += more < 256 * page ? 4 * page : 1024 * page) {
                    NEEDS(more < std::size_t{1} << 30);
                    NEEDS(set_limit(limited, (limited == RLIMIT_AS ? mapped : 0) + more));
                    const status s = pager.open(o);
                    NEEDS(lift_limit(limited));
                    if (s == status::ok) {
                        break;
                    }
                    NEEDS(s == status::no_memory && pager.memory().empty());
                    NEEDS(pager.error() == ENOMEM || pager.error() == 0); // 0: the store's pool
                    NEEDS(census.mapped_bytes() == mapped && process_census::descriptors() == descriptors);
                    was_named = was_named || std::strstr(pager.reason(), expected) != nullptr;
                }
                NEEDS(was_named && pager.memory().size() == o.bytes);
                return 0;
            };
            CHECK(code_of(work) == 0);
        });
    }
}

TEST_CASE("uffd_pager: a limit that is lowered while it runs costs the budget, and no page") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which has terabytes of addresses of its own");
        return;
    }
    for_each_mode([](const pager_mode& mode) {
        const auto work = [&](bool limits_data) {
            mmap_source<> source;
            store_type store{source};
            running_pager<pager_type> one{store, options_of(pages, 64, mode)};
            pager_type& pager = one.pager;
            NEEDS(one.opened == status::ok);
            write_noise(one.page(0), 0);
            // Of data the kernel takes 0 for no limit, for valgrind's sake. Addresses are all there already.
            NEEDS(limits_data ? set_limit(RLIMIT_DATA, page) : set_limit(RLIMIT_AS, page));
            for (std::size_t i = 0; i < pages; ++i) {
                write_noise(one.page(i), i);
            }
            const status cut = pager.set_budget(16 * page);
            NEEDS((pager.statistics().refused_pages > 0) == limits_data);
            NEEDS(cut == (limits_data ? status::limit : status::ok));
            NEEDS(all_hold(pager, pages) && pager.check() && source.check() && store.check());
            NEEDS(lift_limit(RLIMIT_DATA) && lift_limit(RLIMIT_AS));
            NEEDS(pager.set_budget(16 * page) == status::ok);
            NEEDS(pager.statistics().resident_bytes + pager.statistics().queued_bytes <= 16 * page);
            NEEDS(all_hold(pager, pages) && pager.check() && source.check() && store.check());
            return 0;
        };
        CHECK(code_of([&] { return work(true); }) == 0);
        CHECK(code_of([&] { return work(false); }) == 0);
    });
}

/// Finds a page corrupt when it is told to.
struct corrupting_store : store_type {
    using store_type::store_type;
    bool is_corrupting = false;
    status get(const page_key& key, byte_span out) noexcept {
        return is_corrupting ? status::corrupt : store_type::get(key, out);
    }
};

TEST_CASE("uffd_pager: a page that is lost while the process may have no more mappings is told when it may") {
    if (lacks_uffd(uffd_abi::feature_wp)) {
        return;
    }
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which maps memory itself");
        return;
    }
    const auto work = [] {
        mmap_source<> source;
        corrupting_store store{source};
        uffd_pager_options o = options_of(64, 16);
        o.may_use = ~uffd_abi::feature_poison; // before Linux 6.6 a lost page is a mapping of its own
        running_pager<uffd_pager<corrupting_store>> one{store, o};
        auto& pager = one.pager;
        if (one.opened != status::ok) {
            return 1;
        }
        for (std::size_t i = 0; i < 64; ++i) {
            write_noise(one.page(i), i);
        }
        constexpr std::size_t many = std::size_t{1} << 17; // each second page differs
        void* const range = mmap(nullptr, many * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        std::size_t made = 0;
        while (made < many && mprotect(static_cast<std::byte*>(range) + made * page, page, PROT_READ) == 0) {
            made += 2;
        }
        if (made >= many) {
            return 77; // vm.max_map_count is larger
        }
        store.is_corrupting = true;
        // In the middle, where a mapping of its own takes two more.
        if (pager.populate(9 * page, page) != status::corrupt || pager.statistics().lost_pages != 1) {
            return 2;
        }
        munmap(range, many * page);
        return *static_cast<volatile std::byte*>(one.page(9)) == std::byte{0} ? 3 : 4;
    };
    const int ended = in_child(work);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 77) {
        MESSAGE("skipped: this machine allows more than 65536 mappings");
        return;
    }
    REQUIRE(WIFSIGNALED(ended));
    CHECK(WTERMSIG(ended) == SIGSEGV);
}

TEST_CASE("uffd_pager: more locked memory than the process may have is named") {
    if (lacks_uffd(uffd_abi::feature_sigbus)) {
        return;
    }
    if (is_sanitized || geteuid() != 0) {
        MESSAGE("skipped: this machine runs a sanitizer, or its user is not root and has no rights to give up");
        return;
    }
    const auto work = [] {
        mmap_options few;
        few.capacity_bytes = std::size_t{4} << 20;
        mmap_source<> source{few};
        store_type store{source};
        pager_type pager{store};
        uffd_pager_options o = options_of(pages, 32);
        o.delivery = fault_delivery::signal;
        o.rights = uffd_rights::user_only;
        NEEDS(setgid(65534) == 0 && setuid(65534) == 0);
        NEEDS(set_limit(RLIMIT_MEMLOCK, std::size_t{4} << 20) && mlockall(MCL_FUTURE) == 0);
        const process_census census;
        const std::size_t mapped = census.mapped_bytes(), descriptors = process_census::descriptors();
        NEEDS(pager.open(o) == status::no_memory && pager.error() == EAGAIN);
        NEEDS(std::strstr(pager.reason(), "RLIMIT_MEMLOCK") != nullptr);
        NEEDS(census.mapped_bytes() == mapped && process_census::descriptors() == descriptors);
        NEEDS(munlockall() == 0 && pager.open(o) == status::ok);
        write_noise(pager.memory().data(), 7);
        NEEDS(holds_noise(pager.memory().data(), 7));
        return 0;
    };
    CHECK(code_of(work) == 0);
}

TEST_CASE("uffd_pager: all memory is locked while it runs: pages stay over the budget until it is not") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, for which mlockall does nothing");
        return;
    }
    for_each_mode([](const pager_mode& mode) { return mode.delivery == fault_delivery::signal; },
                  [](const pager_mode& mode) {
                      const auto work = [&] {
                          mmap_options few;
                          few.capacity_bytes = std::size_t{16} << 20;
                          mmap_source<> source{few};
                          store_type store{source};
                          running_pager<pager_type> one{store, options_of(256, 64, mode)};
                          pager_type& pager = one.pager;
                          NEEDS(one.opened == status::ok);
                          for (std::size_t i = 0; i < 128; ++i) {
                              write_noise(one.page(i), i);
                          }
                          if (mlockall(MCL_CURRENT | MCL_ONFAULT) != 0) {
                              return 77;
                          }
                          for (std::size_t i = 128; i < 256; ++i) {
                              write_noise(one.page(i), i);
                          }
                          NEEDS(all_hold(pager, 256) && pager.check());
                          const status s = pager.set_budget(16 * page);
                          NEEDS(s == status::ok || s == status::limit);
                          NEEDS(all_hold(pager, 256) && pager.check());
                          NEEDS(munlockall() == 0);
                          // What the frames kept meanwhile goes first: one round for each of them.
                          for (int i = 0; i < 50 && pager.set_budget(16 * page) != status::ok; ++i) {
                          }
                          NEEDS(pager.set_budget(16 * page) == status::ok);
                          NEEDS(all_hold(pager, 256) && pager.check() && source.check());
                          return 0;
                      };
                      const int code = code_of(work);
                      if (code == 77) {
                          MESSAGE("skipped: this machine does not allow so much locked memory");
                          return;
                      }
                      CHECK(code == 0);
                  });
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_pager_limits
