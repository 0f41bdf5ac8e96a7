// SPDX-License-Identifier: MIT

// The guests' only program. In the one that becomes the template it fills memory with data, says "ready" on the serial line, and
// waits there. Its clones go on from that point, and do what the line tells them:
//
//   hello N            answers at once
//   work SEED STEPS    looks at pages at random, compares every byte, and changes one in four: a few words, all of it, back to
//                      what the template has, or given back to the kernel
//   check              compares every page
//
// Each answer begins with "clone: ". The kernel hands what it does not know itself from its command line over as the
// environment: fill_mib.

#include "../qemu_guest/guest_pages.hpp"

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

constexpr std::uint64_t template_seed = 1;

std::uint64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

/// Memory, and what each of its pages must have.
class memory_at_work {
public:
    explicit memory_at_work(std::uint64_t pages)
        : bytes_{static_cast<unsigned char*>(
              mmap(nullptr, pages * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))},
          states_(pages) {
        for (std::uint64_t page = 0; bytes_ != MAP_FAILED && page < pages; ++page) {
            make(bytes_ + page * page_size, page);
        }
    }
    [[nodiscard]] bool is_there() const { return bytes_ != MAP_FAILED; }
    [[nodiscard]] std::uint64_t pages() const { return states_.size(); }

    void work(std::uint64_t seed, std::uint64_t steps) {
        seed_ = seed;
        stream random{seed};
        const std::uint64_t start = now_ms();
        std::uint64_t changed = 0, wrong = 0;
        for (std::uint64_t step = 0; step < steps; ++step) {
            const std::uint64_t page = random.below(random.below(5) != 0 ? pages() / 5 : pages());
            wrong += is_right(page) ? 0 : 1;
            if (random.below(4) == 0) {
                change(page, random.below(16));
                ++changed;
            }
        }
        std::printf("clone: worked steps=%llu changed=%llu wrong=%llu ms=%llu\n", number(steps), number(changed),
                    number(wrong), number(now_ms() - start));
    }
    void check() const {
        const std::uint64_t start = now_ms();
        std::uint64_t wrong = 0, touched = 0;
        for (std::uint64_t page = 0; page < pages(); ++page) {
            wrong += is_right(page) ? 0 : 1;
            touched += states_[page].version != 0 ? 1 : 0;
        }
        std::printf("clone: checked pages=%llu touched=%llu wrong=%llu ms=%llu\n", number(pages()), number(touched),
                    number(wrong), number(now_ms() - start));
    }

private:
    enum class content : std::uint8_t { of_template, edited, rewritten, gone };
    struct state {
        content is = content::of_template;
        std::uint32_t version = 0; ///< grows with each change
    };

    [[nodiscard]] static unsigned long long number(std::uint64_t value) { return value; }

    void change(std::uint64_t page, std::size_t how) {
        state& now = states_[page];
        ++now.version;
        now.is = how < 8    ? content::edited
                 : how < 11 ? content::rewritten
                 : how < 15 ? content::of_template
                            : content::gone;
        if (now.is == content::gone) {
            madvise(bytes_ + page * page_size, page_size, MADV_DONTNEED);
        } else {
            make(bytes_ + page * page_size, page);
        }
    }
    [[nodiscard]] bool is_right(std::uint64_t page) const {
        unsigned char expected[page_size];
        make(expected, page);
        return std::memcmp(expected, bytes_ + page * page_size, page_size) == 0;
    }
    void make(unsigned char* to, std::uint64_t page) const {
        const state now = states_[page];
        if (now.is == content::gone) {
            std::memset(to, 0, page_size);
        } else if (now.is == content::rewritten) {
            make_page(to, seed_ + 1000, page, now.version);
        } else {
            make_page(to, template_seed, page, 0);
        }
        if (now.is == content::edited) {
            stream words{seed_ * 8191 + page * 131 + now.version};
            for (int word = 0; word < 3; ++word) {
                const std::uint64_t value = words.next();
                std::memcpy(to + 8 * words.below(page_size / 8), &value, sizeof value);
            }
        }
    }

    unsigned char* bytes_;
    std::vector<state> states_;
    std::uint64_t seed_ = 0;
};

void without_echo() {
    termios line{};
    if (tcgetattr(STDIN_FILENO, &line) == 0) {
        line.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &line);
    }
}

int serve() {
    const char* const mib = std::getenv("fill_mib");
    memory_at_work memory{(mib == nullptr ? 16 : std::strtoull(mib, nullptr, 10)) << 20 >> 12};
    if (!memory.is_there()) {
        std::printf("clone: no memory\n");
        return 1;
    }
    std::printf("clone: ready pages=%llu\n", static_cast<unsigned long long>(memory.pages()));
    char line[128];
    while (std::fgets(line, sizeof line, stdin) != nullptr) {
        unsigned long long first = 0, second = 0;
        if (std::sscanf(line, "hello %llu", &first) == 1) {
            std::printf("clone: hello %llu\n", first);
        } else if (std::sscanf(line, "work %llu %llu", &first, &second) == 2) {
            memory.work(first, second);
        } else if (std::strncmp(line, "check", 5) == 0) {
            memory.check();
        }
    }
    return 0;
}

} // namespace

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    without_echo();
    const int status = serve();
    if (getpid() == 1) {
        tcdrain(STDOUT_FILENO);
        reboot(RB_POWER_OFF);
    }
    return status;
}
