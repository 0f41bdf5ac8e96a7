// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

// The data of the guest: pages like those of a running system, each of which can be made again from its number and version, so
// that a read can be compared byte for byte. The mixture shrinks about as well as real pages do (see README.md).

namespace qemu_guest {

inline constexpr std::size_t page_size = 4096;

/// Numbers that depend on nothing but the seed.
class stream {
public:
    explicit stream(std::uint64_t seed) noexcept : state_{seed * 0x9e37'79b9'7f4a'7c15u + 1} {}
    [[nodiscard]] std::uint64_t next() noexcept {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ * 0x2545'f491'4f6c'dd1du;
    }
    [[nodiscard]] std::size_t below(std::size_t bound) noexcept {
        return static_cast<std::size_t>(next() >> 33) % bound;
    }

private:
    std::uint64_t state_;
};

namespace kinds {

inline void put(unsigned char* to, std::uint64_t value) noexcept { std::memcpy(to, &value, sizeof value); }

/// Lines of a log: times that go up, few hosts and messages, numbers.
inline void log_lines(unsigned char* to, stream& s) noexcept {
    static constexpr const char* programs[] = {"kernel", "sshd",     "systemd",  "cron",
                                               "nginx",  "postgres", "dhclient", "sudo"};
    static constexpr const char* messages[] = {"session opened for user",
                                               "connection closed by authenticating peer",
                                               "started a scheduled task",
                                               "request took longer than expected",
                                               "checkpoint complete, buffers written",
                                               "renewed its lease until",
                                               "link becomes ready on port",
                                               "failed to resolve the name of"};
    std::size_t at = 0;
    std::uint64_t time = 1'700'000'000 + s.below(10'000'000);
    while (at < page_size) {
        char line[160];
        time += s.below(90);
        const int length = std::snprintf(line, sizeof line, "%llu host%zu %s[%zu]: %s %zu\n",
                                         static_cast<unsigned long long>(time), s.below(4), programs[s.below(8)],
                                         300 + s.below(9'000), messages[s.below(8)], s.below(100'000));
        const std::size_t count = std::size_t(length) < page_size - at ? std::size_t(length) : page_size - at;
        std::memcpy(to + at, line, count);
        at += count;
    }
}
/// A heap: objects of a few types with pointers to each other, counters, and room that was never used.
inline void objects(unsigned char* to, stream& s) noexcept {
    const std::uint64_t heap = 0x7f3a'0000'0000u + (s.below(64) << 24);
    for (std::size_t at = 0; at < page_size; at += 64) {
        const std::size_t type = s.below(5);
        put(to + at, 0x5581'2233'4000u + type * 0x60);
        put(to + at + 8, heap + s.below(1 << 16) * 64);
        put(to + at + 16, s.below(3) == 0 ? 0 : heap + s.below(1 << 16) * 64);
        put(to + at + 24, s.below(200) | std::uint64_t{s.below(4)} << 32);
        put(to + at + 32, type < 2 ? s.next() : 0); // a hash
        put(to + at + 40, s.below(1 << 20));
        put(to + at + 48, 0);
        put(to + at + 56, type == 4 ? heap + s.below(1 << 12) * 64 : 0);
    }
}
/// Rows of a table.
inline void rows(unsigned char* to, stream& s) noexcept {
    static constexpr const char* cities[] = {"Amsterdam", "Barcelona", "Copenhagen", "Dresden",
                                             "Edinburgh", "Florence",  "Gothenburg", "Hamburg"};
    std::uint64_t key = s.below(1 << 26);
    for (std::size_t at = 0; at < page_size; at += 64) {
        char text[40] = {};
        std::snprintf(text, sizeof text, "%s, street %zu", cities[s.below(8)], s.below(400));
        put(to + at, key += 1 + s.below(3));
        put(to + at + 8, s.below(50'000));
        put(to + at + 16, 1'700'000'000 + s.below(1 << 24));
        std::memcpy(to + at + 24, text, 40);
    }
}
/// Instructions: the same few openings, with registers and offsets that differ.
inline void code(unsigned char* to, stream& s) noexcept {
    static constexpr unsigned char openings[16][4] = {
        {0x48, 0x8b, 0x45, 0xf8}, {0x48, 0x89, 0xe5, 0x00}, {0xe8, 0x00, 0x00, 0xff}, {0x0f, 0x84, 0x00, 0x00},
        {0x48, 0x83, 0xec, 0x10}, {0x31, 0xc0, 0xc3, 0x90}, {0x48, 0x8d, 0x3d, 0x00}, {0x41, 0x57, 0x41, 0x56},
        {0x85, 0xc0, 0x74, 0x05}, {0x48, 0x8b, 0x00, 0x48}, {0x66, 0x0f, 0x1f, 0x44}, {0x89, 0xd8, 0x5b, 0xc3},
        {0x4c, 0x89, 0xe7, 0xe8}, {0x48, 0x39, 0xc2, 0x75}, {0xff, 0x25, 0x00, 0x00}, {0x55, 0x48, 0x89, 0xe5}};
    for (std::size_t at = 0; at < page_size; at += 8) {
        std::memcpy(to + at, openings[s.below(16)], 4);
        const std::uint64_t offset = s.below(1 << 14);
        std::memcpy(to + at + 4, &offset, 4);
    }
}
inline void noise(unsigned char* to, stream& s) noexcept {
    for (std::size_t at = 0; at < page_size; at += 8) {
        put(to + at, s.next());
    }
}

} // namespace kinds

/// Page `number` at `version`.
inline void make_page(unsigned char* to, std::uint64_t seed, std::uint64_t number, std::uint32_t version) noexcept {
    stream s{seed * 1'000'003 + number * 4'099 + version};
    const std::size_t kind = stream{seed + number}.below(100); // a page stays of one kind
    if (kind < 20) {
        kinds::log_lines(to, s);
    } else if (kind < 50) {
        kinds::objects(to, s);
    } else if (kind < 70) {
        kinds::rows(to, s);
    } else if (kind < 82) {
        kinds::code(to, s);
    } else if (kind < 90) {
        std::memset(to, 0, page_size);
    } else {
        kinds::noise(to, s);
    }
}

} // namespace qemu_guest
