// SPDX-License-Identifier: MIT

// The guest's only program. Fills memory with data, reads it back at random, most often the same fifth of it, compares every
// byte and rewrites one page in five, says on the serial line what it found, and powers off.
//
// The kernel hands what it does not know itself from its command line over as the environment: fill_mib, accesses, seed.

#include "guest_pages.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace qemu_guest;

std::uint64_t number_in(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}
std::uint64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

/// How many pages were wrong.
std::uint64_t work() {
    const std::uint64_t pages = number_in("fill_mib", 64) << 20 >> 12;
    const std::uint64_t accesses = number_in("accesses", 20'000);
    const std::uint64_t seed = number_in("seed", 1);
    auto* const memory = static_cast<unsigned char*>(
        mmap(nullptr, pages * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED) {
        std::printf("guest: no memory\n");
        return 1;
    }
    std::vector<std::uint8_t> versions(pages);
    std::uint64_t wrong = 0;
    const auto check = [&](std::uint64_t page) {
        unsigned char expected[page_size];
        make_page(expected, seed, page, versions[page]);
        wrong += std::memcmp(expected, memory + page * page_size, page_size) != 0 ? 1 : 0;
    };
    const std::uint64_t start = now_ms();
    for (std::uint64_t page = 0; page < pages; ++page) {
        make_page(memory + page * page_size, seed, page, 0);
    }
    const std::uint64_t filled = now_ms();
    stream random{seed + 17};
    for (std::uint64_t i = 0; i < accesses; ++i) {
        const std::uint64_t page = random.below(random.below(5) != 0 ? pages / 5 : pages);
        check(page);
        if (random.below(5) == 0) {
            make_page(memory + page * page_size, seed, page, ++versions[page]);
        }
    }
    const std::uint64_t worked = now_ms();
    for (std::uint64_t page = 0; page < pages; ++page) {
        check(page);
    }
    std::printf("guest: pages=%llu wrong=%llu fill_ms=%llu work_ms=%llu check_ms=%llu\n",
                static_cast<unsigned long long>(pages), static_cast<unsigned long long>(wrong),
                static_cast<unsigned long long>(filled - start), static_cast<unsigned long long>(worked - filled),
                static_cast<unsigned long long>(now_ms() - worked));
    return wrong;
}

} // namespace

int main() {
    const bool is_right = work() == 0;
    std::printf("guest: verdict=%s\n", is_right ? "right" : "WRONG");
    std::fflush(stdout);
    if (getpid() != 1) { // tried out on the host
        return is_right ? 0 : 1;
    }
    tcdrain(STDOUT_FILENO);
    reboot(RB_POWER_OFF);
    return 1;
}
