// SPDX-License-Identifier: MIT
//
// Built for machines of other kinds and run by an emulator: every stream must have the same bytes as here, whatever the
// width of a pointer and the order of bytes, and a store must work on whatever pages the system has. Says what is wrong; the
// status is 0 where nothing is.

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/page_delta.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include "support/rng.hpp"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

namespace {

using namespace pagefold;
using testing::rng;

int failures = 0;

void expect(bool holds, const char* what) {
    if (!holds) {
        ++failures;
        std::printf("wrong: %s\n", what);
    }
}

/// A page whose bytes depend on the seed alone: words, text, pointers, noise, or few bytes between zeros.
void fill(std::vector<std::byte>& page, std::uint64_t seed) {
    rng random{seed};
    const auto put_word = [&](std::size_t at, std::uint64_t word) {
        for (unsigned i = 0; i < 8; ++i) {
            page[at + i] = static_cast<std::byte>(word >> (8 * i));
        }
    };
    const unsigned kind = static_cast<unsigned>(seed % 5);
    const std::uint64_t heap = 0x7f0000000000u | random.below(1u << 20) << 20;
    for (std::size_t at = 0; at < page.size(); at += 8) {
        switch (kind) {
        case 0: put_word(at, seed); break;
        case 1: put_word(at, 0x2065687420656874u + (random.one_in(3) ? random.below(26) << 8 : 0)); break;
        case 2: put_word(at, random.one_in(4) ? random.below(1000) : heap + random.below(1u << 16) * 16); break;
        case 3: put_word(at, random()); break;
        default: put_word(at, random.one_in(20) ? random.below(1u << 20) : 0);
        }
    }
}

/// Compresses pages and adds up what the streams are; decompresses them again.
template <class Compressor>
std::uint64_t streams(const Compressor& codec, std::size_t page_size, const char* name) {
    std::vector<std::byte> page(page_size), back(page_size), stream(codec.bound(page_size));
    std::vector<std::byte> scratch(codec.scratch_size(page_size) + 64);
    const std::size_t off = (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) % 64;
    const byte_span aligned{scratch.data() + off, codec.scratch_size(page_size)};
    std::uint64_t sum = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        fill(page, seed);
        const result<std::size_t> size = codec.compress(page, stream, aligned);
        if (!size) {
            sum = mix(sum + 1, 77);
            continue;
        }
        sum = mix(sum ^ checksum({stream.data(), *size}, seed), *size);
        expect(codec.decompress({stream.data(), *size}, back, aligned) == status::ok && back == page, name);
    }
    return sum;
}

/// The same of deltas: each page against the one before of its kind with some words of the next one's.
std::uint64_t deltas(const char* name) {
    constexpr std::size_t size = page_delta::page_size;
    const page_delta codec;
    std::vector<std::byte> base(size), other(size), pair(2 * size), back(2 * size), stream(codec.bound());
    alignas(scratch_alignment) static std::byte scratch[page_delta::scratch_size()];
    const byte_span room{scratch, sizeof scratch};
    std::uint64_t sum = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        rng random{seed};
        fill(base, seed);
        fill(other, seed + 5);
        std::memcpy(pair.data(), base.data(), size);
        std::memcpy(pair.data() + size, base.data(), size);
        for (std::size_t at = 0; at < size; at += 16) {
            if (random.one_in(10)) {
                std::memcpy(&pair[size + at], &other[at], 16);
            }
        }
        back = pair;
        const result<std::size_t> made = codec.compress(pair, stream, room);
        expect(static_cast<bool>(made), name);
        if (made) {
            sum = mix(sum ^ checksum({stream.data(), *made}, seed), *made);
            std::memset(back.data() + size, 0x5a, size);
            expect(codec.decompress({stream.data(), *made}, back, room) == status::ok && back == pair, name);
        }
    }
    return sum;
}

struct golden {
    const char* name;
    std::uint64_t sum;
};

template <class Store>
void live_in(const char* name, std::size_t limit, std::size_t partitions) {
    mmap_source<> source;
    Store store{source, {.limit_bytes = limit, .partitions = partitions, .seed = 7}};
    const result<pool_id> pool = store.create_pool();
    expect(static_cast<bool>(pool), name);
    if (!pool) {
        return;
    }
    std::map<std::uint64_t, std::uint64_t> model;
    std::vector<std::byte> page(Store::page_size), out(Store::page_size);
    rng random{1};
    for (std::uint64_t i = 0; i < 4000; ++i) {
        const std::uint64_t index = random.below(700) * (random.one_in(2) ? 1 : 1000);
        if (random.one_in(4)) {
            expect((store.erase({*pool, 1, index}) == status::ok) == (model.erase(index) != 0), name);
            continue;
        }
        fill(page, i);
        const status s = store.put({*pool, 1, index}, page);
        expect(s == status::ok || s == status::limit, name);
        s == status::ok ? static_cast<void>(model[index] = i) : static_cast<void>(model.erase(index));
    }
    for (const auto& [index, seed] : model) {
        fill(page, seed);
        expect(store.get({*pool, 1, index}, out) == status::ok && out == page, name);
    }
    expect(store.check(), name);
    expect(store.stats().total_bytes == source.acquired_bytes(), name);
    expect(store.stats().total_bytes <= limit, name);
    // Two threads.
    std::thread other{[&] {
        std::vector<std::byte> own(Store::page_size, std::byte{5});
        for (std::uint64_t i = 0; i < 300; ++i) {
            static_cast<void>(store.put({*pool, 2, i}, own));
        }
    }};
    for (std::uint64_t i = 0; i < 300; ++i) {
        static_cast<void>(store.get({*pool, 2, i}, out));
    }
    other.join();
    expect(store.destroy_pool(*pool) == status::ok, name);
    expect(store.check(), name);
    std::printf("%s: %zu pages were there, the system's pages have %zu bytes\n", name, model.size(),
                source.page_size());
}

struct with_xv : default_config {
    template <page_source Source, std::size_t Unit>
    using allocator_type = xv<Source, Unit>;
    using eviction_type = lru;
};
struct with_tlsf : default_config {
    template <page_source Source, std::size_t Unit>
    using allocator_type = tlsf<Source, Unit>;
    using lock_type = std_mutex;
    static constexpr std::size_t page_size = 16384;
};

} // namespace

int main(int count, char**) {
    const page_codec balanced;
    const lz_block block;
    const golden found[] = {
        {"page codec, 4 KiB", streams(balanced, 4096, "page codec, 4 KiB")},
        {"page codec, 64 KiB", streams(balanced, 65536, "page codec, 64 KiB")},
        {"page codec, fast", streams(basic_page_codec<page_level::fast>{}, 16384, "page codec, fast")},
        {"page codec, high", streams(basic_page_codec<page_level::high>{}, 4096, "page codec, high")},
        {"lz_block, 4 KiB", streams(block, 4096, "lz_block, 4 KiB")},
        {"deltas", deltas("deltas")},
    };
    constexpr std::uint64_t expected[] = {0x5da2288275b4f991, 0x1f1a2e83a9d429b0, 0xd858ff1f533198c3,
                                          0xb313c131f93a6495, 0xfd5429d0ce8d9844, 0xd8f85b966ede9178};
    for (std::size_t i = 0; i < sizeof expected / sizeof *expected; ++i) {
        if (count > 1) {
            std::printf("%s 0x%llx\n", found[i].name, static_cast<unsigned long long>(found[i].sum));
        } else if (found[i].sum != expected[i]) {
            expect(false, found[i].name);
        }
    }
    live_in<page_store<default_config>>("a store by default", std::size_t{2} << 20, 1);
    live_in<page_store<with_xv>>("a store with xv and lru", std::size_t{2} << 20, 1);
    live_in<partitioned_store<with_tlsf>>("a store of pages of 16 KiB with tlsf", std::size_t{9} << 20, 2);
    return failures != 0 ? 1 : 0;
}
