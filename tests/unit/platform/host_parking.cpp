// SPDX-License-Identifier: MIT
#include <pagefold/platform/host_parking.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <set>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_platform_host_parking {
namespace {

TEST_CASE("host_parking: a wait for another value returns at once") {
    atomic<std::uint32_t> word{7};
    host_parking::wait(word, 8);
    CHECK(word.load(memory_order::relaxed) == 7);
}

/// Threads that wait until the word says 1.
class sleepers {
public:
    explicit sleepers(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            threads_.emplace_back([this] {
                come_.fetch_add(1, memory_order::relaxed);
                while (word.load(memory_order::acquire) == 0) {
                    host_parking::wait(word, 0);
                }
                awake_.fetch_add(1, memory_order::relaxed);
            });
        }
        while (come_.load(memory_order::relaxed) != count) {
            std::this_thread::yield();
        }
    }
    void join() {
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }
    [[nodiscard]] unsigned awake() const { return awake_.load(memory_order::relaxed); }

    atomic<std::uint32_t> word{0};

private:
    atomic<unsigned> come_{0};
    atomic<unsigned> awake_{0};
    std::vector<std::thread> threads_;
};

TEST_CASE("host_parking: one wake reaches who waits") {
    for (int i = 0; i < 50; ++i) {
        sleepers one{1};
        if (i % 2 != 0) {
            std::this_thread::yield(); // more often asleep by then
        }
        one.word.store(1, memory_order::release);
        host_parking::wake_one(one.word);
        one.join();
        CHECK(one.awake() == 1);
    }
}

TEST_CASE("host_parking: a wake of all reaches all who wait") {
    sleepers many{12};
    many.word.store(1, memory_order::release);
    host_parking::wake_all(many.word);
    many.join();
    CHECK(many.awake() == 12);
}

TEST_CASE("host_parking: errno stays") {
    atomic<std::uint32_t> word{0};
    errno = 77;
    host_parking::wait(word, 1); // the kernel answers EAGAIN
    host_parking::wake_one(word);
    host_parking::wake_all(word);
    CHECK(errno == 77);
}

TEST_CASE("host_parking: every thread has a token of its own, and keeps it") {
    constexpr unsigned count = 8;
    std::uintptr_t tokens[count] = {};
    bool kept[count] = {};
    atomic<unsigned> here{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            tokens[i] = host_parking::self();
            here.fetch_add(1, memory_order::relaxed);
            while (here.load(memory_order::relaxed) != count) { // all alive at the same time
                std::this_thread::yield();
            }
            kept[i] = host_parking::self() == tokens[i];
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    std::set<std::uintptr_t> different{tokens, tokens + count};
    different.insert(host_parking::self());
    CHECK(different.size() == count + 1);
    CHECK(different.count(0) == 0);
    for (const bool it : kept) {
        CHECK(it);
    }
}

} // namespace
} // namespace pagefold::testing::unit_platform_host_parking
