// SPDX-License-Identifier: MIT
#include <pagefold/compress/zstd.hpp>

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>

// Counts allocations, so that the cases below see any that libzstd makes: by the hooks of a sanitizer's allocator, or by
// standing in for glibc's malloc. Weak: another file's replacement goes before this one, and the count then stays at 0,
// which the case takes for "cannot be told".
namespace {
std::atomic<unsigned long> allocations{0};
}

#if defined(__has_feature)
#define PAGEFOLD_TEST_HAS_FEATURE(x) __has_feature(x)
#else
#define PAGEFOLD_TEST_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || PAGEFOLD_TEST_HAS_FEATURE(address_sanitizer) ||   \
    PAGEFOLD_TEST_HAS_FEATURE(thread_sanitizer) || PAGEFOLD_TEST_HAS_FEATURE(memory_sanitizer)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
namespace {
[[maybe_unused]] const int hooks = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { ++allocations; }, [](const volatile void*) {});
}
#elif defined(__GLIBC__)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
__attribute__((weak)) void* malloc(std::size_t size) {
    ++allocations;
    return __libc_malloc(size);
}
__attribute__((weak)) void* calloc(std::size_t count, std::size_t size) {
    ++allocations;
    return __libc_calloc(count, size);
}
}
#endif

namespace pagefold::testing::unit_compress_zstd {
namespace {

static_assert(compressor<zstd>);

class prepared_zstd {
public:
    prepared_zstd(const zstd& codec, std::size_t page_size) : codec_{codec}, scratch_{codec.scratch_size(page_size)} {
        REQUIRE(codec_.prepare(scratch_.span()) == status::ok);
    }
    std::optional<byte_string> compress(const byte_string& page) const {
        byte_string out(codec_.bound(page.size()));
        const result<std::size_t> length = codec_.compress(page, out, scratch_.span());
        if (!length) {
            CHECK(length.error() == status::incompressible);
            return std::nullopt;
        }
        out.resize(*length);
        return out;
    }
    status decompress(byte_view stream, byte_string& page) const {
        return codec_.decompress(stream, page, scratch_.span());
    }

private:
    zstd codec_;
    scratch_memory scratch_;
};

byte_string text_page(std::size_t size) { return sample_pages(size)[15]; }

TEST_CASE("zstd: a stream is a frame without magic number and flags") {
    // Two blocks that repeat a byte 512 times each.
    constexpr unsigned char stream[] = {0, 0, 0x02, 0x10, 0, 'A', 0x03, 0x10, 0, 'B'};
    byte_string back(1024);
    const prepared_zstd codec{zstd{}, 1024};
    CHECK(codec.decompress({reinterpret_cast<const std::byte*>(stream), sizeof stream}, back) == status::ok);
    CHECK(std::count(back.begin(), back.begin() + 512, std::byte{'A'}) == 512);
    CHECK(std::count(back.begin() + 512, back.end(), std::byte{'B'}) == 512);
}

TEST_CASE("zstd: libzstd reads our streams behind a magic number") {
    for (const std::size_t size : {std::size_t{4096}, std::size_t{65536}}) {
        const prepared_zstd codec{zstd{}, size};
        int compressed = 0;
        for (const byte_string& page : sample_pages(size)) {
            if (const std::optional<byte_string> stream = codec.compress(page); stream) {
                byte_string frame = {std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f}, std::byte{0xfd}};
                frame.insert(frame.end(), stream->begin(), stream->end());
                CHECK(frame[4] == std::byte{0});
                byte_string back(size);
                CHECK(ZSTD_decompress(back.data(), back.size(), frame.data(), frame.size()) == size);
                CHECK(back == page);
                ++compressed;
            }
        }
        CHECK(compressed > 15);
    }
}

TEST_CASE("zstd: bytes behind a frame, or a second one, are corrupt") {
    const byte_string page = text_page(4096);
    const prepared_zstd codec{zstd{}, 4096};
    const std::optional<byte_string> stream = codec.compress(page);
    REQUIRE(stream);
    byte_string back(4096);
    for (std::size_t extra = 1; extra < 8; ++extra) {
        byte_string longer = *stream;
        longer.resize(longer.size() + extra);
        CHECK(codec.decompress(longer, back) == status::corrupt);
    }
    byte_string two = *stream;
    two.insert(two.end(), stream->begin(), stream->end());
    byte_string twice(8192);
    CHECK(codec.decompress(two, twice) == status::corrupt);
    CHECK(codec.decompress(*stream, back) == status::ok);
    CHECK(back == page);
}

TEST_CASE("zstd: levels from -5 to 19 at every page size") {
    for (const std::size_t size : {std::size_t{512}, std::size_t{4096}, std::size_t{16384}, std::size_t{65536}}) {
        const byte_string page = text_page(size);
        for (int level = -5; level <= 19; ++level) {
            CAPTURE(size);
            CAPTURE(level);
            const prepared_zstd codec{zstd{level}, size};
            const std::optional<byte_string> stream = codec.compress(page);
            REQUIRE(stream);
            byte_string back(size);
            CHECK(codec.decompress(*stream, back) == status::ok);
            CHECK(back == page);
        }
    }
    CHECK(prepared_zstd{zstd{19}, 16384}.compress(text_page(16384))->size() <
          prepared_zstd{zstd{-5}, 16384}.compress(text_page(16384))->size());
}

TEST_CASE("zstd: levels out of range are invalid") {
    const scratch_memory scratch{std::size_t{1} << 20};
    byte_string page(4096);
    byte_string out(zstd{}.bound(4096));
    for (const int level : {-6, 20, 100, -100000}) {
        CAPTURE(level);
        CHECK(zstd{level}.scratch_size(4096) == 0);
        CHECK(zstd{level}.prepare(scratch.span()) == status::invalid);
        CHECK(zstd{level}.compress(page, out, scratch.span()).error() == status::invalid);
        CHECK(zstd{level}.decompress(out, page, scratch.span()) == status::invalid);
    }
}

TEST_CASE("zstd: the scratch grows with the page, and serves all smaller pages") {
    for (int level = -5; level <= 19; ++level) {
        std::size_t before = 0;
        for (std::size_t size = 16; size <= 131072; size *= 2) {
            const std::size_t now = zstd{level}.scratch_size(size);
            CHECK(now >= before);
            CHECK(zstd{level}.scratch_size(size - 1) <= now);
            before = now;
        }
    }
    const prepared_zstd codec{zstd{}, 65536};
    for (const std::size_t size : {std::size_t{1000}, std::size_t{4096}, std::size_t{12288}, std::size_t{65536}}) {
        const byte_string page(size, std::byte{7});
        const std::optional<byte_string> stream = codec.compress(page);
        REQUIRE(stream);
        byte_string back(size);
        CHECK(codec.decompress(*stream, back) == status::ok);
        CHECK(back == page);
    }
}

TEST_CASE("zstd: pages beyond 128 KiB are invalid") {
    const std::size_t size = std::size_t{1} << 18;
    const scratch_memory scratch{zstd{}.scratch_size(size)};
    REQUIRE(zstd{}.prepare(scratch.span()) == status::ok);
    const byte_string page(size);
    byte_string out(zstd{}.bound(size));
    CHECK(zstd{}.compress(page, out, scratch.span()).error() == status::invalid);
    CHECK(zstd{}.compress(byte_view{page}.first(size / 2), out, scratch.span()).has_value());
}

TEST_CASE("zstd: a scratch that no prepare has seen is invalid") {
    const scratch_memory scratch{zstd{}.scratch_size(4096)};
    byte_string page(4096);
    byte_string out(zstd{}.bound(4096));
    CHECK(zstd{}.compress(page, out, scratch.span()).error() == status::invalid);
    CHECK(zstd{}.decompress(out, page, scratch.span()) == status::invalid);
    CHECK(zstd{}.compress(page, out, {}).error() == status::invalid);
    CHECK(zstd{}.prepare({}) == status::invalid);
}

TEST_CASE("zstd: a dictionary helps, and is needed to read") {
    const byte_string dictionary_bytes = text_page(8192);
    const std::size_t size = 4096;
    const byte_string page = text_page(size);
    const scratch_memory memory{zstd_dictionary::memory_size(dictionary_bytes.size(), 3, size)};
    zstd_dictionary dictionary;
    REQUIRE(dictionary.load(dictionary_bytes, 3, size, memory.span()) == status::ok);
    CHECK(dictionary.is_loaded());
    CHECK(dictionary.level() == 3);

    const prepared_zstd plain{zstd{3}, size};
    const prepared_zstd helped{zstd{dictionary}, size};
    const std::optional<byte_string> stream = helped.compress(page);
    REQUIRE(stream);
    CHECK(stream->size() < plain.compress(page)->size());
    byte_string back(size);
    CHECK(helped.decompress(*stream, back) == status::ok);
    CHECK(back == page);
    CHECK(plain.decompress(*stream, back) == status::corrupt);
}

TEST_CASE("zstd: what lay in a dictionary's memory before does not matter") {
    const byte_string dictionary_bytes = text_page(8192);
    const byte_string page = text_page(131072);
    std::set<byte_string> streams;
    for (const int before : {0x00, 0x01, 0x7f, 0xff}) {
        const scratch_memory memory{zstd_dictionary::memory_size(dictionary_bytes.size(), 9, page.size())};
        fill_bytes(memory.span().data(), static_cast<unsigned char>(before), memory.span().size());
        zstd_dictionary dictionary;
        REQUIRE(dictionary.load(dictionary_bytes, 9, page.size(), memory.span()) == status::ok);
        const std::optional<byte_string> stream = prepared_zstd{zstd{dictionary}, page.size()}.compress(page);
        REQUIRE(stream);
        streams.insert(*stream);
    }
    CHECK(streams.size() == 1);
}

TEST_CASE("zstd: a dictionary for one page size serves others, at every level") {
    const byte_string dictionary_bytes = text_page(16384);
    const scratch_memory memory{std::size_t{8} << 20};
    for (const std::size_t loaded_for : {std::size_t{4096}, std::size_t{65536}}) {
        for (int level = -5; level <= 19; level += 3) {
            zstd_dictionary dictionary;
            REQUIRE(dictionary.load(dictionary_bytes, level, loaded_for, memory.span()) == status::ok);
            for (const std::size_t size : {std::size_t{512}, std::size_t{4096}, std::size_t{65536}}) {
                CAPTURE(loaded_for);
                CAPTURE(level);
                CAPTURE(size);
                const byte_string page = text_page(size);
                const prepared_zstd codec{zstd{dictionary}, size};
                const std::optional<byte_string> stream = codec.compress(page);
                REQUIRE(stream);
                byte_string back(size);
                CHECK(codec.decompress(*stream, back) == status::ok);
                CHECK(back == page);
            }
        }
    }
}

TEST_CASE("zstd: dictionaries that cannot be loaded") {
    const byte_string dictionary_bytes = text_page(4096);
    const std::size_t size = zstd_dictionary::memory_size(dictionary_bytes.size(), 3, 4096);
    const scratch_memory memory{size};
    const byte_span all = memory.span();
    zstd_dictionary dictionary;
    CHECK(dictionary.load({}, 3, 4096, all) == status::invalid);
    CHECK(dictionary.load(dictionary_bytes, 20, 4096, all) == status::invalid);
    CHECK(dictionary.load(dictionary_bytes, -6, 4096, all) == status::invalid);
    CHECK(dictionary.load(dictionary_bytes, 3, 4096, all.first(size - 1)) == status::invalid);
    const scratch_memory roomy{size + 64};
    CHECK(dictionary.load(dictionary_bytes, 3, 4096, roomy.span().subview(8)) == status::invalid);
    // The magic number of a trained dictionary, and then nothing of what it promises.
    byte_string malformed(64, std::byte{0xff});
    store_native(malformed.data(), std::uint32_t{0xec30a437u});
    CHECK(dictionary.load(malformed, 3, 4096, all) == status::invalid);
    CHECK(zstd_dictionary::memory_size(4096, 20, 4096) == 0);

    CHECK_FALSE(dictionary.is_loaded());
    CHECK(zstd{dictionary}.scratch_size(4096) == 0);
    CHECK(zstd{dictionary}.prepare(all) == status::invalid);
    REQUIRE(dictionary.load(dictionary_bytes, 3, 4096, all) == status::ok);
}

TEST_CASE("zstd: nothing is allocated") {
    const unsigned long before_any = allocations;
    const std::vector<byte_string> pages = sample_pages(65536);
    const bool can_tell = allocations != before_any;
    if (!can_tell) {
        MESSAGE("allocations cannot be counted here");
    }
    const byte_string dictionary_bytes = text_page(16384);
    byte_string out(zstd{}.bound(65536));
    byte_string back(65536);
    for (const int level : {-5, 3, 12, 19}) {
        const scratch_memory memory{zstd_dictionary::memory_size(dictionary_bytes.size(), level, 65536)};
        const scratch_memory plain_scratch{zstd{level}.scratch_size(65536)};
        zstd_dictionary dictionary;
        unsigned long before = allocations;
        const status loaded = dictionary.load(dictionary_bytes, level, 65536, memory.span());
        CHECK(allocations - before == 0);
        CHECK(loaded == status::ok);
        const scratch_memory helped_scratch{zstd{dictionary}.scratch_size(65536)};

        before = allocations;
        bool good = true;
        for (const auto& [codec, scratch] :
             {std::pair{zstd{level}, plain_scratch.span()}, std::pair{zstd{dictionary}, helped_scratch.span()}}) {
            good = good && codec.prepare(scratch) == status::ok;
            for (const byte_string& page : pages) {
                const result<std::size_t> length = codec.compress(page, out, scratch);
                good =
                    good && (!length || codec.decompress(byte_view{out}.first(*length), back, scratch) == status::ok);
            }
        }
        CHECK(allocations - before == 0);
        CHECK(good);
    }
}

} // namespace
} // namespace pagefold::testing::unit_compress_zstd
