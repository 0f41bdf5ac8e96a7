// SPDX-License-Identifier: MIT

// A process to be followed: HOT pages that are written again and again, and COLD ones that shrink well and are written once. All
// begin with LETTER. Ends after so many SECONDS, or when it is told to.

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

int main(int count, char** values) {
    if (count != 5) {
        return 2;
    }
    constexpr std::size_t page_bytes = 4096;
    const std::size_t hot = std::strtoul(values[1], nullptr, 10);
    const std::size_t cold = std::strtoul(values[2], nullptr, 10);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{std::atoi(values[3])};
    void* const memory =
        mmap(nullptr, (hot + cold) * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return 2;
    }
    char* const pages = static_cast<char*>(memory);
    for (std::size_t page = 0; page < hot + cold; ++page) {
        const std::string text =
            values[4] + std::string("age ") + std::to_string(page) + " of a process that is followed; ";
        for (std::size_t at = 0; at + text.size() < page_bytes; at += text.size()) {
            std::memcpy(pages + page * page_bytes + at, text.data(), text.size());
        }
    }
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) {
        return 2;
    }
    for (unsigned turn = 0; std::chrono::steady_clock::now() < end; ++turn) {
        for (std::size_t page = 0; page < hot; ++page) {
            std::memcpy(pages + page * page_bytes, &turn, sizeof turn);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return 0;
}
