// SPDX-License-Identifier: MIT
//
// Children that use a store while threads of their parent were inside it. Each fork falls where it may: what is looked for is a
// child that waits for ever (its alarm ends it), a page that is not as it was, and books that do not add up.

#include "support/environment.hpp"
#include "support/sanitized.hpp"

#include <pagefold/hosted/fork_guard.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::stress_fork_guard {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::uint64_t kept_pages = 60, changed_pages = 40, own_pages = 20;

/// A page that says what it is: words that follow from the first one.
void write_page(std::vector<std::byte>& page, std::uint64_t seed) {
    page.assign(page_bytes, std::byte{0});
    for (std::uint64_t i = 0; i < 64; ++i) {
        const std::uint64_t word = seed * 0x9e3779b97f4a7c15 * (i + 1) + i;
        std::memcpy(page.data() + i * 56, i == 0 ? &seed : &word, 8);
    }
}
std::uint64_t seed_of(const std::vector<std::byte>& page) {
    std::uint64_t seed = 0;
    std::memcpy(&seed, page.data(), 8);
    return seed;
}
bool is_page(const std::vector<std::byte>& page) {
    std::vector<std::byte> expected;
    write_page(expected, seed_of(page));
    return page == expected;
}

struct sleeping_locks : default_config {
    using lock_type = std_mutex;
    static constexpr unsigned max_scratch = 2; // so that threads wait for one
};

template <class Store>
class forking_process {
public:
    explicit forking_process(const store_options& options) : store_{source_, options} {
        pool_ = *store_.create_pool();
        std::vector<std::byte> page;
        for (std::uint64_t i = 0; i < kept_pages; ++i) {
            write_page(page, i);
            REQUIRE(store_.put({pool_, 0, i}, page) == status::ok);
        }
        for (unsigned t = 0; t < 2; ++t) {
            threads_.emplace_back([this, t] { change_pages(t); });
        }
        threads_.emplace_back([this] { change_pools(); });
        while (rounds_.load() < 3 * 50) { // all are at it
            std::this_thread::yield();
        }
    }
    ~forking_process() {
        ends_ = true;
        for (std::thread& one : threads_) {
            one.join();
        }
        CHECK(store_.check());
        CHECK(source_.check());
    }
    forking_process(const forking_process&) = delete;
    forking_process& operator=(const forking_process&) = delete;

    /// What became of one child: as waitpid says.
    int fork_one() {
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            std::signal(SIGALRM, SIG_DFL);
            alarm(60);
            _exit(use_copy());
        }
        int how = 0;
        REQUIRE(waitpid(child, &how, 0) == child);
        return how;
    }

private:
    void change_pages(unsigned thread) {
        std::vector<std::byte> page, out(page_bytes);
        for (std::uint64_t round = 0; !ends_; ++round) {
            const std::uint64_t i = round % changed_pages;
            write_page(page, round << 8 | i);
            static_cast<void>(store_.put({pool_, 1 + thread, i}, page));
            static_cast<void>(round % 7 == 0 ? store_.take({pool_, 1 + thread, (i + 9) % changed_pages}, out)
                                             : store_.get({pool_, 0, round % kept_pages}, out));
            if (round % 61 == 0) {
                static_cast<void>(store_.erase_object(pool_, 1 + thread));
                static_cast<void>(store_.shrink(1 << 16));
            }
            rounds_.fetch_add(1);
        }
    }
    void change_pools() {
        std::vector<std::byte> page;
        for (std::uint64_t round = 0; !ends_; ++round) {
            const result<pool_id> pool = store_.create_pool();
            for (std::uint64_t i = 0; pool && i < 100; ++i) {
                write_page(page, i);
                static_cast<void>(store_.put({*pool, i % 5, i}, page));
            }
            static_cast<void>(pool && store_.destroy_pool(*pool) == status::ok);
            rounds_.fetch_add(1);
        }
    }

    /// In the child, 0 where all is well.
    int use_copy() {
        if (!store_guard_.is_usable() || !source_guard_.is_usable()) {
            return 1;
        }
        if (!store_.check() || !source_.check()) {
            return 2;
        }
        std::vector<std::byte> page, out(page_bytes);
        for (std::uint64_t i = 0; i < kept_pages; ++i) {
            if (store_.get({pool_, 0, i}, out) != status::ok || !is_page(out) || seed_of(out) != i) {
                return 3;
            }
        }
        for (std::uint64_t object = 1; object <= 2; ++object) {
            for (std::uint64_t i = 0; i < changed_pages; ++i) {
                const status s = store_.get({pool_, object, i}, out);
                if (s != status::not_found && (s != status::ok || !is_page(out) || seed_of(out) % 256 != i)) {
                    return 4;
                }
            }
        }
        // Threads of its own, and pools.
        std::atomic<int> failures{0};
        const auto work = [this, &failures](std::uint64_t t) {
            std::vector<std::byte> mine, read(page_bytes);
            for (std::uint64_t i = 0; i < own_pages; ++i) {
                write_page(mine, t << 32 | i);
                const page_key key{pool_, 10 + t, i};
                const bool is_well = store_.put(key, mine) == status::ok && store_.get(key, read) == status::ok;
                failures += is_well && mine == read ? 0 : 1;
            }
        };
        std::vector<std::thread> own;
        for (std::uint64_t t = 0; t < 3; ++t) {
            if (may_start_threads_in_child) {
                own.emplace_back(work, t);
            } else {
                work(t);
            }
        }
        for (std::thread& one : own) {
            one.join();
        }
        if (failures != 0) {
            return 5;
        }
        if (store_.stats().stored_pages < kept_pages + 3 * own_pages || store_.destroy_pool(pool_) != status::ok) {
            return 6;
        }
        // At most one more: that which was being filled. The one that was being destroyed is gone.
        if (store_.stats().stored_pages > 100 || !store_.check() || !source_.check()) {
            return 7;
        }
        return 0;
    }

    mmap_source<> source_;
    fork_guard<mmap_source<>> source_guard_{source_};
    Store store_;
    fork_guard<Store> store_guard_{store_};
    pool_id pool_{};
    std::atomic<bool> ends_{false};
    std::atomic<unsigned> rounds_{0};
    std::vector<std::thread> threads_;
};

template <class Store>
void check_children(const store_options& options) {
    forking_process<Store> process{options};
    for (int i = 0; i < in_part(100); ++i) {
        const int how = process.fork_one();
        REQUIRE(WIFEXITED(how));
        REQUIRE(WEXITSTATUS(how) == 0);
    }
}

TEST_CASE("fork_guard: children use a page_store, whose threads sleep at std_mutex and for scratch") {
    check_children<page_store<sleeping_locks>>({});
}
TEST_CASE("fork_guard: children use a partitioned_store with locks that park") {
    check_children<partitioned_store<default_config>>({});
}

} // namespace
} // namespace pagefold::testing::stress_fork_guard
