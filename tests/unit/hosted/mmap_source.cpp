// SPDX-License-Identifier: MIT
#include "support/refused_calls.hpp"
#include "support/rng.hpp"
#include "support/sanitized.hpp"
#include "support/soft_limit.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/platform/null_lock.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_mmap_source {
namespace {

static_assert(trimmable_page_source<mmap_source<>>);
static_assert(page_source<mmap_source<null_lock>>);

constexpr std::size_t chunk = mmap_source<>::chunk_bytes;

mmap_options small_pages(std::size_t capacity_bytes, std::size_t retain_bytes, bool batches = true) {
    mmap_options options;
    options.batches = batches;
    options.capacity_bytes = capacity_bytes;
    options.retain_bytes = retain_bytes;
    options.huge_pages = false;
    return options;
}

struct fixture {
    explicit fixture(const mmap_options& options) : source{options} {}

    [[nodiscard]] std::byte* acquire(std::size_t pages) {
        const result<void*> memory = source.acquire(pages, any_node);
        REQUIRE(memory);
        return static_cast<std::byte*>(*memory);
    }
    /// Acquires, and writes to every page.
    [[nodiscard]] std::byte* acquire_touched(std::size_t pages) {
        std::byte* const memory = acquire(pages);
        for (std::size_t i = 0; i < pages; ++i) {
            memory[i * page] = std::byte{0x77};
        }
        return memory;
    }
    void release(std::byte* memory, std::size_t pages = 1) {
        source.release(memory, pages);
        REQUIRE(source.check());
    }
    /// Pages that the system has memory behind.
    [[nodiscard]] std::size_t resident(std::byte* memory, std::size_t pages) const {
        std::vector<unsigned char> flags(pages);
        REQUIRE(mincore(memory, pages * page, flags.data()) == 0);
        std::size_t count = 0;
        for (const unsigned char flag : flags) {
            count += flag & 1u;
        }
        return count;
    }

    mmap_source<> source;
    std::size_t page = source.page_size();
    std::size_t chunk_pages = chunk / page;
};

TEST_CASE("mmap_source: a range that can't be had shows in acquire") {
    for (const std::size_t capacity :
         {std::size_t{0}, std::size_t{1} << 56, ~std::size_t{0} - 1, ~std::size_t{0} - chunk}) {
        CAPTURE(capacity);
        mmap_options options;
        options.capacity_bytes = capacity;
        mmap_source<> source{options};
        CHECK(source.acquire(1, any_node).error() == status::no_memory);
        CHECK(source.acquire(0, any_node).error() == status::invalid);
        CHECK(source.capacity_bytes() == 0);
        CHECK(source.resident_bytes() == 0);
        CHECK(source.trim() == 0);
        CHECK(source.check());
    }
}

TEST_CASE("mmap_source: capacity is rounded up to chunks, and can be acquired whole") {
    fixture f{small_pages(chunk + 1, mmap_options::automatic)};
    CHECK(f.source.capacity_bytes() == 2 * chunk);
    std::byte* const all = f.acquire(2 * f.chunk_pages);
    CHECK(f.source.acquired_bytes() == 2 * chunk);
    CHECK(f.source.acquire(1, any_node).error() == status::no_memory);
    f.release(all, 2 * f.chunk_pages);
    CHECK(f.source.acquire(2 * f.chunk_pages + 1, any_node).error() == status::no_memory);
    CHECK(f.acquire(f.chunk_pages + 1) == all);
}

TEST_CASE("mmap_source: at a standstill its lock is held, and new in a copy") {
    static int made, held;
    struct counted_lock {
        counted_lock() noexcept { ++made; }
        void lock() noexcept { ++held; }
        void unlock() noexcept { --held; }
    };
    made = held = 0;
    mmap_source<counted_lock> source;
    REQUIRE(source.quiesce() == status::ok);
    CHECK(held == 1);
    source.resume();
    CHECK(held == 0);
    CHECK(made == 1);
    REQUIRE(source.quiesce() == status::ok);
    source.resume_alone();
    CHECK(held == 0);
    CHECK(made == 2);
    CHECK(source.check());
}

TEST_CASE("mmap_source: chunks begin where huge pages do") {
    fixture f{mmap_options{}};
    CHECK(reinterpret_cast<std::uintptr_t>(f.acquire(1)) % chunk == 0);
}

TEST_CASE("mmap_source: the lowest run that fits is taken") {
    fixture f{small_pages(4 * chunk, chunk)};
    std::byte* const start = f.acquire(f.chunk_pages);
    std::byte* const second = f.acquire(f.chunk_pages);
    REQUIRE(second == start + chunk);
    f.release(second + 8 * f.page, 4);
    f.release(start + 100 * f.page, 2);
    f.release(start + 300 * f.page, 1);
    CHECK(f.acquire(3) == second + 8 * f.page);
    CHECK(f.acquire(1) == start + 100 * f.page);
    CHECK(f.acquire(1) == start + 101 * f.page);
    CHECK(f.acquire(1) == start + 300 * f.page);
    CHECK(f.acquire(1) == second + 11 * f.page);
    CHECK(f.acquire(1) == start + 2 * chunk);
    CHECK(f.source.check());
}

TEST_CASE("mmap_source: more than a chunk comes from whole chunks next to each other") {
    fixture f{small_pages(6 * chunk, 6 * chunk)};
    std::byte* const start = f.acquire(6 * f.chunk_pages);
    f.release(start, f.chunk_pages);                 // one free chunk
    f.release(start + 2 * chunk, 2 * f.chunk_pages); // two
    f.release(start + 5 * chunk, f.chunk_pages - 1); // nearly one
    CHECK(f.source.acquire(2 * f.chunk_pages + 1, any_node).error() == status::no_memory);
    CHECK(f.acquire(f.chunk_pages + 1) == start + 2 * chunk);
    CHECK(f.acquire(f.chunk_pages) == start);
    CHECK(f.acquire(f.chunk_pages - 1) == start + 3 * chunk + f.page); // the rest of the second
    CHECK(f.source.check());
}

TEST_CASE("mmap_source: pages come back with the memory behind them gone, those beside them untouched") {
    fixture f{small_pages(8 * chunk, 0)};
    const std::size_t pages = f.chunk_pages + 40;
    std::byte* const memory = f.acquire_touched(f.chunk_pages * 2);
    REQUIRE(f.resident(memory, pages) == pages);
    for (std::size_t i = 0; i < pages; i += 2) {
        f.release(memory + i * f.page);
    }
    CHECK(f.resident(memory, pages) == pages / 2);
    for (std::size_t i = 0; i < pages; ++i) {
        if (i % 2 != 0) {
            REQUIRE(memory[i * f.page] == std::byte{0x77});
        }
    }
    CHECK(f.source.resident_bytes() == f.source.acquired_bytes());
    CHECK(f.source.resident_bytes() == f.resident(memory, 2 * f.chunk_pages) * f.page);
    CHECK(f.acquire_touched(1) == memory);
    CHECK(f.source.check());
}

TEST_CASE("mmap_source: released pages stay resident up to the limit") {
    for (const bool batches : {false, true}) {
        CAPTURE(batches);
        fixture f{small_pages(8 * chunk, 64 * 4096, batches)};
        CHECK((batches || !f.source.gives_back_in_batches()));
        const std::size_t limit = 64 * 4096 / f.page;
        const std::size_t pages = f.chunk_pages;
        std::byte* const memory = f.acquire_touched(pages);
        for (std::size_t i = 0; i < limit; ++i) {
            f.release(memory + 2 * i * f.page);
        }
        CHECK(f.resident(memory, pages) == pages);
        CHECK(f.source.resident_bytes() == chunk);
        f.release(memory + 2 * limit * f.page); // each hole is a run of one page
        const std::size_t given = f.source.gives_back_in_batches() ? limit / 4 + 1 : mmap_source<>::calls_a_release;
        CHECK(f.resident(memory, pages) == pages - given);
        CHECK(f.source.resident_bytes() == f.resident(memory, pages) * f.page);
        CHECK(f.source.resident_bytes() - f.source.acquired_bytes() <= limit * f.page);
    }
}

TEST_CASE("mmap_source: one release gives back a bounded number of runs") {
    for (const bool batches : {false, true}) {
        for (const std::size_t run : {std::size_t{1}, std::size_t{4}}) {
            CAPTURE(batches);
            CAPTURE(run);
            constexpr std::size_t chunks = 6;
            fixture f{small_pages(8 * chunk, chunks * chunk / 2, batches)};
            const std::size_t most =
                f.source.gives_back_in_batches() ? mmap_source<>::pages_a_batch : mmap_source<>::calls_a_release * run;
            const std::size_t pages = chunks * f.chunk_pages;
            REQUIRE(pages / 2 / 4 > most); // as many would have to go
            std::byte* const memory = f.acquire_touched(pages);
            std::byte* const other = f.acquire_touched(1);
            for (std::size_t i = 0; i < pages; i += 2 * run) {
                f.source.release(memory + i * f.page, run);
            }
            REQUIRE(f.source.check());
            REQUIRE(f.resident(memory, pages) == pages);
            f.release(other); // alone in its chunk, which stays resident
            CHECK(f.resident(memory, pages) == pages - most);
            CHECK(f.source.trim() == (pages / 2 - most + 1) * f.page); // which is not bounded
            CHECK(f.resident(memory, pages) == pages / 2);
        }
    }
}

TEST_CASE("mmap_source: in batches, hardly a release calls the system, and never is more kept than the limit") {
    constexpr std::size_t limit_pages = 1024;
    fixture f{small_pages(24 * chunk, limit_pages * 4096)};
    if (!f.source.gives_back_in_batches()) {
        MESSAGE("skipped: this machine has no process_madvise on oneself");
        return;
    }
    const std::size_t limit = limit_pages * 4096 / f.page;
    std::vector<std::byte*> pages;
    for (std::size_t i = 0; i < 20 * f.chunk_pages; ++i) {
        std::byte* const page = f.acquire_touched(1);
        if (i % 2 == 0) {
            pages.push_back(page);
        }
    }
    rng random{7};
    std::size_t batches = 0;
    const std::size_t releases = pages.size();
    std::size_t kept_before = 0;
    for (std::size_t left = releases; left > 0; --left) {
        const std::size_t i = random.below(left);
        f.source.release(pages[i], 1);
        pages[i] = pages[left - 1];
        const std::size_t kept = (f.source.resident_bytes() - f.source.acquired_bytes()) / f.page;
        REQUIRE(kept <= limit);
        batches += kept < kept_before ? 1 : 0;
        kept_before = kept;
    }
    CHECK(batches > 0);
    CHECK(batches <= releases / (limit / 4) + 1);
    CHECK(f.source.check());
    CHECK(f.source.trim() == kept_before * f.page);
    CHECK(f.source.resident_bytes() == f.source.acquired_bytes());
}

TEST_CASE("mmap_source: many pages released at once go back chunk by chunk") {
    fixture f{small_pages(8 * chunk, 0)};
    std::byte* const memory = f.acquire_touched(3 * f.chunk_pages + 7);
    f.release(memory, 3 * f.chunk_pages + 7);
    CHECK(f.source.resident_bytes() == 0);
    CHECK(f.resident(memory, 4 * f.chunk_pages) == 0);
}

TEST_CASE("mmap_source: chunks that come free go back whole, but for one") {
    for (const bool huge_pages : {false, true}) {
        CAPTURE(huge_pages);
        mmap_options options;
        options.huge_pages = huge_pages;
        fixture f{options};
        std::vector<std::byte*> pages;
        std::byte* const start = f.acquire_touched(1);
        pages.push_back(start);
        for (std::size_t i = 1; i < 5 * f.chunk_pages; ++i) {
            pages.push_back(f.acquire_touched(1));
        }
        REQUIRE(f.resident(start, 5 * f.chunk_pages) == 5 * f.chunk_pages);
        rng random{3};
        for (std::size_t left = pages.size(); left > 0; --left) {
            const std::size_t i = random.below(left);
            f.source.release(pages[i], 1);
            pages[i] = pages[left - 1];
        }
        CHECK(f.source.check());
        CHECK(f.source.acquired_bytes() == 0);
        CHECK(f.source.resident_bytes() <= chunk);
        CHECK(f.resident(start, 5 * f.chunk_pages) * f.page <= f.source.resident_bytes());
        f.source.trim();
        CHECK(f.source.resident_bytes() == 0);
        CHECK(f.resident(start, 5 * f.chunk_pages) == 0);
        CHECK(f.source.check());
    }
}

/// The kernel's count of huge pages split so far.
std::uint64_t huge_pages_split() {
    std::ifstream counters{"/proc/vmstat"};
    std::string name;
    for (std::uint64_t value = 0; counters >> name >> value;) {
        if (name == "thp_split_page") {
            return value;
        }
    }
    return 0;
}

TEST_CASE("mmap_source: a chunk without memory is not brought in while others have room") {
    for (const bool huge_pages : {false, true}) {
        CAPTURE(huge_pages);
        mmap_options options;
        options.huge_pages = huge_pages;
        fixture f{options};
        constexpr std::size_t count = 6;
        std::byte* chunks[count];
        for (std::byte*& one : chunks) {
            one = f.acquire(f.chunk_pages);
            one[0] = std::byte{1};
        }
        // The lowest two are wholly free: one is given back. Of the last only half is in use.
        f.release(chunks[count - 1] + chunk / 2, f.chunk_pages / 2);
        f.release(chunks[1], f.chunk_pages);
        f.release(chunks[0], f.chunk_pages);
        CHECK(f.source.acquire(f.chunk_pages, any_node).value() == chunks[1]);
        REQUIRE(f.resident(chunks[0], f.chunk_pages) == 0);
        std::byte* const small = f.acquire_touched(f.chunk_pages / 2);
        CHECK(small == chunks[count - 1] + chunk / 2);
        CHECK(f.resident(chunks[0], f.chunk_pages) == 0);
        // There is no other room now.
        CHECK(f.acquire_touched(1) == chunks[0]);
        CHECK(f.acquire_touched(2) == chunks[0] + f.page);
        CHECK(f.acquire(f.chunk_pages) > chunks[count - 1]);
        CHECK(f.source.check());
    }
}

TEST_CASE("mmap_source: a part of a huge page is unmapped, and split off when trimmed or where that was asked for") {
    for (const bool at_once : {false, true}) {
        CAPTURE(at_once);
        mmap_options options;
        options.retain_bytes = 0;
        options.splits_at_once = at_once;
        fixture f{options};
        std::byte* const memory = f.acquire(f.chunk_pages);
        memory[0] = std::byte{1};
        const bool is_huge = f.resident(memory, f.chunk_pages) == f.chunk_pages;
        const std::uint64_t before = huge_pages_split();
        f.release(memory + chunk / 2, f.chunk_pages / 2);
        CHECK((at_once || f.source.resident_bytes() < chunk)); // a split is a whole release's work
        const std::uint64_t released = huge_pages_split();
        CHECK((!is_huge || !at_once || released > before));
        f.source.trim();
        CHECK(f.source.resident_bytes() == chunk / 2);
        CHECK(f.resident(memory, f.chunk_pages) <= f.chunk_pages / 2);
        CHECK((!is_huge || at_once || huge_pages_split() > released));
        CHECK(memory[0] == std::byte{1});
        const std::uint64_t trimmed = huge_pages_split();
        f.source.trim();
        CHECK(huge_pages_split() == trimmed);
        CHECK(f.source.check());
    }
}

TEST_CASE("mmap_source: a huge page is split when a part of it is trimmed") {
    mmap_options options;
    options.retain_bytes = 3 * chunk;
    fixture f{options};
    std::byte* const memory = f.acquire(f.chunk_pages);
    memory[0] = std::byte{1};
    const bool is_huge = f.resident(memory, f.chunk_pages) == f.chunk_pages; // not where the system has none to give
    f.release(memory, f.chunk_pages / 2);
    const std::uint64_t split_before = huge_pages_split();
    CHECK(f.source.trim() == chunk / 2);
    CHECK(f.resident(memory, f.chunk_pages) <= f.chunk_pages / 2);
    CHECK((!is_huge || huge_pages_split() > split_before));

    // It doesn't become one again: neither when a page is touched, nor by khugepaged, whose work can be asked for at
    // once.
    static_cast<void>(f.acquire_touched(1));
    constexpr int collapse = 25; // MADV_COLLAPSE, Linux 6.1
    CHECK(madvise(memory, chunk, collapse) != 0);
    CHECK(f.resident(memory, f.chunk_pages) <= f.chunk_pages / 2 + 1);
    CHECK(f.source.check());
}

std::size_t mappings() {
    std::ifstream file{"/proc/self/maps"};
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) {
        ++count;
    }
    return count;
}

TEST_CASE("mmap_source: holes in all chunks of a large range leave the process its mappings") {
    for (const unsigned stride : {1u, 2u}) {
        CAPTURE(stride);
        mmap_options options;
        options.capacity_bytes = std::size_t{32} << 30;
        options.retain_bytes = 0;
        fixture f{options};
        const std::size_t before = mappings();
        std::vector<std::byte*> rests;
        // A page that stays, and the rest of each chunk; nothing is touched, so nothing is used.
        for (std::size_t c = 0; c < f.source.capacity_bytes() / chunk; ++c) {
            static_cast<void>(f.source.acquire(1, any_node));
            rests.push_back(static_cast<std::byte*>(f.source.acquire(f.chunk_pages - 1, any_node).value()));
        }
        for (std::size_t c = 0; c < rests.size(); c += stride) {
            f.source.release(rests[c], f.chunk_pages - 1);
        }
        for (std::size_t i = 0; i < 2 * rests.size(); ++i) { // each release gives back a little more
            f.source.release(f.source.acquire(1, any_node).value(), 1);
        }
        CHECK(f.source.check());
        CHECK(mappings() - before < 17'000);
    }
}

TEST_CASE("mmap_source: chunks of a group that has many holes are huge again when all of them are whole") {
    mmap_options options;
    options.capacity_bytes = std::size_t{64} << 30;
    options.retain_bytes = 0;
    fixture f{options};
    constexpr std::size_t count = 40;
    std::byte* chunks[count];
    for (std::byte*& one : chunks) {
        one = f.acquire(f.chunk_pages);
        one[0] = std::byte{1};
    }
    const bool is_huge = f.resident(chunks[0], f.chunk_pages) == f.chunk_pages;
    for (std::byte* const one : chunks) {
        f.release(one + chunk / 2, f.chunk_pages / 2);
    }
    f.source.trim();
    for (std::byte* const one : chunks) {
        f.release(one, f.chunk_pages / 2);
    }
    f.source.trim();
    REQUIRE(f.source.resident_bytes() == 0);
    REQUIRE(f.acquire_touched(1) == chunks[0]);
    CHECK((!is_huge || f.resident(chunks[0], f.chunk_pages) == f.chunk_pages));
    CHECK(f.source.check());
}

/// Runs `what` in a child, whose exit status is 0 if it answers true.
template <class What>
bool holds_in_a_child(What what) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(what() ? 0 : 1);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_CASE("mmap_source: where the process may have few addresses, the automatic range is what half of them hold") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which has terabytes of addresses of its own");
        return;
    }
    const bool holds = holds_in_a_child([] {
        const rlimit few{std::size_t{3} << 30, std::size_t{3} << 30};
        if (setrlimit(RLIMIT_AS, &few) != 0) {
            return false;
        }
        mmap_source<> source;
        mmap_options much;
        much.capacity_bytes = std::size_t{64} << 30;
        mmap_source<> refused{much};
        return source.capacity_bytes() >= std::size_t{512} << 20 &&
               source.capacity_bytes() <= std::size_t{1536} << 20 && source.acquire(1, any_node) && source.check() &&
               refused.capacity_bytes() == 0 && refused.acquire(1, any_node).error() == status::no_memory;
    });
    CHECK(holds);
}

TEST_CASE("mmap_source: where the system refuses a range, nothing is acquired and nothing is left") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which maps memory itself");
        return;
    }
    const bool holds = holds_in_a_child([] {
        const bool is_filtered = refuse({"mmap", SYS_mmap}, EPERM);
        mmap_source<> source;
        return is_filtered && source.capacity_bytes() == 0 && source.trim() == 0 && source.check() &&
               source.acquire(1, any_node).error() == status::no_memory;
    });
    CHECK(holds);
}

/// Acquires chunk after chunk until the source has no more; how many it got.
std::size_t acquire_all(mmap_source<>& source, std::vector<void*>& out, std::size_t most) {
    const std::size_t pages = chunk / source.page_size();
    std::size_t count = 0;
    for (; count < most; ++count) {
        const result<void*> one = source.acquire(pages, any_node);
        if (!one) {
            return one.error() == status::no_memory ? count : most + 1;
        }
        std::memset(*one, 3, chunk);
        out.push_back(*one);
    }
    return count;
}

TEST_CASE("mmap_source: a limit of memory that is lowered while it is used is met with no_memory, and outgrown") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, which has terabytes of addresses of its own");
        return;
    }
    const bool holds = holds_in_a_child([] {
        mmap_source<> source;
        std::vector<void*> got;
        got.reserve(64); // what a vector takes is data, too
        const std::size_t pages = chunk / source.page_size();
        bool is_right = acquire_all(source, got, 4) == 4;
        is_right = is_right && set_limit(RLIMIT_DATA, 4096) && acquire_all(source, got, 4) == 0 && source.check();
        source.release(got.back(), pages); // what it has already, it may use
        got.pop_back();
        is_right = is_right && acquire_all(source, got, 4) == 1 && source.check();
        is_right = is_right && lift_limit(RLIMIT_DATA) && acquire_all(source, got, 4) == 4;
        // Addresses: all are there.
        is_right = is_right && set_limit(RLIMIT_AS, 4096) && acquire_all(source, got, 4) == 4 && lift_limit(RLIMIT_AS);
        for (void* const one : got) {
            source.release(one, pages);
        }
        source.trim();
        return is_right && source.check() && source.acquired_bytes() == 0 && source.resident_bytes() == 0;
    });
    CHECK(holds);
}

TEST_CASE("mmap_source: where all memory is locked the range is what may be, and its pages stay until they are not") {
    if (is_sanitized) {
        MESSAGE("skipped: this machine runs a sanitizer, for which mlockall does nothing");
        return;
    }
    for (const bool has_rights : {true, false}) {
        CAPTURE(has_rights);
        const bool holds = holds_in_a_child([has_rights] {
            rlimit few{};
            const bool is_set = has_rights || (set_limit(RLIMIT_MEMLOCK, std::size_t{64} << 20) &&
                                               (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0)));
            static_cast<void>(getrlimit(RLIMIT_MEMLOCK, &few));
            if (!is_set || few.rlim_cur < 4 * chunk || mlockall(MCL_FUTURE) != 0) {
                return geteuid() != 0; // without rights there is nothing to be seen
            }
            mmap_source<> source;
            const bool has_range = has_rights ? source.capacity_bytes() >= std::size_t{512} << 20
                                              : source.capacity_bytes() > 0 && source.capacity_bytes() < few.rlim_cur;
            const std::size_t most = source.capacity_bytes() / chunk < 4 ? source.capacity_bytes() / chunk : 4;
            std::vector<void*> got;
            bool is_right = has_range && acquire_all(source, got, most) == most;
            for (void* const one : got) {
                source.release(one, chunk / source.page_size());
            }
            is_right = is_right && source.trim() == 0 && source.resident_bytes() >= most * chunk;
            is_right = is_right && source.check() && source.acquired_bytes() == 0;
            is_right = is_right && acquire_all(source, got, most) == most && munlockall() == 0;
            for (std::size_t i = most; i < got.size(); ++i) {
                source.release(got[i], chunk / source.page_size());
            }
            source.trim();
            return is_right && source.check() && source.resident_bytes() == 0;
        });
        CHECK(holds);
    }
}

TEST_CASE("mmap_source: batches that the system doesn't take any more go back one by one") {
    const bool holds = holds_in_a_child([] {
        fixture f{small_pages(4 * chunk, 0)};
        std::byte* const memory = f.acquire_touched(f.chunk_pages);
#if defined(SYS_process_madvise)
        if (!refuse({"process_madvise", SYS_process_madvise}, ENOSYS)) {
            return false;
        }
#endif
        for (std::size_t i = 1; i < f.chunk_pages; ++i) {
            f.source.release(memory + i * f.page, 1);
        }
        f.source.trim();
        return f.source.check() && f.source.resident_bytes() == f.page && f.resident(memory, f.chunk_pages) == 1;
    });
    CHECK(holds);
}

TEST_CASE("mmap_source: a chunk that was split and came free is huge again") {
    fixture f{mmap_options{}};
    std::byte* memory = f.acquire(f.chunk_pages);
    memory[0] = std::byte{1};
    const bool is_huge = f.resident(memory, f.chunk_pages) == f.chunk_pages;
    f.release(memory, f.chunk_pages / 2);
    f.source.trim();
    f.release(memory + chunk / 2, f.chunk_pages / 2);
    f.source.trim();
    REQUIRE(f.source.resident_bytes() == 0);
    REQUIRE(f.acquire_touched(1) == memory);
    CHECK((!is_huge || f.resident(memory, f.chunk_pages) == f.chunk_pages));
}

TEST_CASE("mmap_source: never more is resident than it says, whatever the order of operations") {
    struct holding {
        std::byte* memory;
        std::size_t pages;
    };
    for (const unsigned way : {0u, 1u, 2u, 3u}) {
        for (const std::size_t retain_bytes : {std::size_t{0}, std::size_t{100} * 4096, mmap_options::automatic}) {
            CAPTURE(way);
            CAPTURE(retain_bytes);
            mmap_options options = small_pages(12 * chunk, retain_bytes, (way & 1u) != 0);
            options.huge_pages = (way & 2u) != 0;
            fixture f{options};
            std::byte* const start = f.acquire_touched(1);
            std::vector<holding> held;
            rng random{11};
            for (int i = 0; i < 4000; ++i) {
                const bool growing = i / 1000 % 2 == 0;
                if (held.empty() || random.below(10) < (growing ? 6u : 4u)) {
                    const std::size_t pages = random.one_in(100) ? 1 + random.below(700) : 1 + random.below(8);
                    if (const result<void*> memory = f.source.acquire(pages, any_node); memory) {
                        held.push_back({static_cast<std::byte*>(*memory), pages});
                        std::memset(held.back().memory, 0x55, random.one_in(2) ? pages * f.page : f.page);
                    }
                } else {
                    const std::size_t at = random.below(held.size());
                    f.source.release(held[at].memory, held[at].pages);
                    held[at] = held.back();
                    held.pop_back();
                }
                if (i % 50 == 0) {
                    REQUIRE(f.source.check());
                    REQUIRE(f.resident(start, 12 * f.chunk_pages) * f.page <= f.source.resident_bytes());
                }
                if (random.one_in(500)) {
                    f.source.trim();
                    REQUIRE(f.source.resident_bytes() == f.source.acquired_bytes());
                }
            }
            for (const holding& h : held) {
                f.release(h.memory, h.pages);
            }
            CHECK(f.source.acquired_bytes() == f.page);
        }
    }
}

TEST_CASE("mmap_source: memory that the system won't take back stays in the books") {
    for (const bool batches : {false, true}) {
        CAPTURE(batches);
        fixture f{small_pages(4 * chunk, 0, batches)};
        std::byte* const memory = f.acquire_touched(4);
        REQUIRE(syscall(SYS_mlock, memory, f.page) == 0); // sanitizers make a no-op of mlock
        f.release(memory);
        CHECK(f.source.resident_bytes() == 4 * f.page);
        f.release(memory + f.page, 3);
        CHECK(f.source.resident_bytes() == 4 * f.page);
        CHECK(f.source.trim() == 0);
        REQUIRE(syscall(SYS_munlock, memory, f.page) == 0);
        CHECK(f.source.trim() == 4 * f.page);
        CHECK(f.source.resident_bytes() == 0);
        CHECK(f.resident(memory, 4) == 0);
        CHECK(f.source.check());
    }
}

TEST_CASE("mmap_source: what lies before the refused run of a batch is gone, what lies behind it stays") {
    fixture f{small_pages(4 * chunk, 1 << 20)};
    std::byte* const memory = f.acquire_touched(9);
    for (const std::size_t i : {1u, 3u, 5u, 7u}) {
        f.release(memory + i * f.page);
    }
    REQUIRE(syscall(SYS_mlock, memory + 5 * f.page, f.page) == 0);
    CHECK(f.source.trim() == 2 * f.page);
    CHECK(f.source.check());
    CHECK(f.source.resident_bytes() == 7 * f.page);
    CHECK(f.resident(memory, 9) == 7);
    REQUIRE(syscall(SYS_munlock, memory + 5 * f.page, f.page) == 0);
    CHECK(f.source.trim() == 2 * f.page);
    CHECK(f.resident(memory, 9) == 5);
}

TEST_CASE("mmap_source: the range goes with the source") {
    std::byte* memory = nullptr;
    std::size_t page = 0;
    {
        fixture f{small_pages(4 * chunk, 0)};
        memory = f.acquire_touched(1);
        page = f.page;
    }
    unsigned char flag = 0;
    CHECK(mincore(memory, page, &flag) == -1);
    CHECK(errno == ENOMEM);
}

} // namespace
} // namespace pagefold::testing::unit_hosted_mmap_source
