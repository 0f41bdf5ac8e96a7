// SPDX-License-Identifier: MIT
#include "content.hpp"

#include "library.hpp"

namespace kernel {
namespace {

constexpr std::size_t page_size = 4096;
constinit std::byte expected[page_size]{};

void make_words(std::byte* page, random_stream& random) noexcept {
    static constexpr const char* words[] = {"page ", "frame ",  "the ", "store ",  "of ",    "reclaim ",
                                            "and ",  "pool ",   "is ",  "memory ", "fault ", "returned ",
                                            "in\n",  "object ", "to ",  "index "};
    for (std::size_t at = 0; at < page_size;) {
        for (const char* c = words[random.below(16)]; *c != '\0' && at < page_size; ++c) {
            page[at++] = static_cast<std::byte>(*c);
        }
    }
}

void make_records(std::byte* page, random_stream& random) noexcept {
    struct record {
        std::uint64_t next, previous;
        std::uint32_t references, flags;
        std::uint64_t owner;
    };
    const std::uint64_t heap = 0xffff'8880'0000'0000u + (random.next() & 0xffff'f000);
    for (std::size_t at = 0; at < page_size; at += sizeof(record)) {
        const std::uint64_t luck = random.next();
        const record one{heap + at + sizeof(record), heap + at - sizeof(record), static_cast<std::uint32_t>(luck & 3),
                         0x10u << (luck >> 8 & 3), heap + (luck >> 16 & 0xfc0)};
        pagefold::store_native(page + at, one);
    }
}

void make_noise(std::byte* page, random_stream& random) noexcept {
    for (std::size_t at = 0; at < page_size; at += sizeof(std::uint64_t)) {
        pagefold::store_native(page + at, random.next());
    }
}

} // namespace

void make_content(std::byte* page, std::size_t number, std::uint32_t version) noexcept {
    random_stream random{number * 1'000'003 + version};
    switch (number % 16) {
    case 0: make_noise(page, random); break;
    case 1:
    case 2: pagefold::fill_bytes(page, static_cast<unsigned char>(random.next() & 0xff), page_size); break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7: make_words(page, random); break;
    default: make_records(page, random); break;
    }
}

bool has_content(const std::byte* page, std::size_t number, std::uint32_t version) noexcept {
    make_content(expected, number, version);
    return pagefold::equal_bytes(page, expected, page_size);
}

} // namespace kernel
