// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "store_disk.hpp"

#include <doctest/doctest.h>
#include <support/rng.hpp>

#include <limits>
#include <thread>
#include <vector>

namespace {

using nbd_disk::store_disk;

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// Compresses to about a half.
std::vector<std::byte> content(std::size_t count, std::uint64_t seed) {
    pagefold::testing::rng random{seed};
    std::vector<std::byte> bytes(count);
    for (std::byte& b : bytes) {
        b = static_cast<std::byte>(random.below(16));
    }
    return bytes;
}

std::vector<std::byte> read_all(store_disk& disk) {
    std::vector<std::byte> bytes(disk.bytes(), std::byte{0xee});
    REQUIRE(disk.read(bytes.data(), 0, bytes.size()) == 0);
    return bytes;
}

TEST_CASE("a new disk reads as zeros and takes no pages") {
    store_disk disk{100'000, no_limit}; // ends within a page
    REQUIRE(disk.open() == 0);
    CHECK(read_all(disk) == std::vector<std::byte>(100'000));
    CHECK(disk.stats().stored_pages == 0);
}

TEST_CASE("random reads, writes and trims do what they do to plain memory") {
    constexpr std::size_t size = 40 * store_disk::page_size + 123;
    store_disk disk{size, no_limit};
    REQUIRE(disk.open() == 0);
    std::vector<std::byte> model(size);
    pagefold::testing::rng random{1};
    for (int i = 0; i < 4000; ++i) {
        const std::size_t at = random.below(size);
        const std::size_t count = std::min<std::size_t>(size - at, 1 + random.below(3 * store_disk::page_size));
        switch (random.below(4)) {
        case 0: {
            const std::vector<std::byte> data = content(count, random.below(1u << 30));
            REQUIRE(disk.write(data.data(), at, count) == 0);
            std::copy(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(at));
            break;
        }
        case 1:
            REQUIRE(disk.clear(at, count) == 0);
            std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(at), count, std::byte{});
            break;
        default: {
            std::vector<std::byte> found(count);
            REQUIRE(disk.read(found.data(), at, count) == 0);
            REQUIRE(std::equal(found.begin(), found.end(), model.begin() + static_cast<std::ptrdiff_t>(at)));
        }
        }
    }
    CHECK(read_all(disk) == model);
    CHECK(disk.check());
}

TEST_CASE("a trim frees the pages that it covers whole, and only zeros the rest") {
    store_disk disk{8 * store_disk::page_size, no_limit};
    REQUIRE(disk.open() == 0);
    const std::vector<std::byte> data = content(disk.bytes(), 2);
    REQUIRE(disk.write(data.data(), 0, data.size()) == 0);
    REQUIRE(disk.stats().stored_pages == 8);
    REQUIRE(disk.clear(store_disk::page_size / 2, 3 * store_disk::page_size) == 0);
    CHECK(disk.stats().stored_pages == 6);
    std::vector<std::byte> wanted = data;
    std::fill_n(wanted.begin() + store_disk::page_size / 2, 3 * store_disk::page_size, std::byte{});
    CHECK(read_all(disk) == wanted);
}

/// Whether each page of the disk is written, by its extents; they must alternate, as each goes as far as it can.
std::vector<bool> map_of(const store_disk& disk) {
    std::vector<bool> pages;
    bool was_written = false;
    for (std::uint64_t at = 0; at < disk.bytes();) {
        const store_disk::extent next = disk.extent_at(at, disk.bytes());
        REQUIRE(next.bytes != 0);
        REQUIRE(next.bytes <= disk.bytes() - at);
        CHECK((at == 0 || next.is_written != was_written));
        was_written = next.is_written;
        at += next.bytes;
        REQUIRE((at % store_disk::page_size == 0 || at == disk.bytes()));
        pages.resize((at + store_disk::page_size - 1) / store_disk::page_size, next.is_written);
    }
    return pages;
}

TEST_CASE("the map says what is written, after random writes and trims") {
    constexpr std::size_t pages = 200;
    constexpr std::size_t size = pages * store_disk::page_size - 100; // the last page is a part
    store_disk disk{size, no_limit};
    REQUIRE(disk.open() == 0);
    std::vector<bool> model(pages);
    CHECK(map_of(disk) == model);
    pagefold::testing::rng random{6};
    for (int i = 0; i < 400; ++i) {
        const std::size_t at = random.one_in(8) ? 0 : random.below(size);
        const std::size_t count =
            random.one_in(8) ? size - at : 1 + random.below(std::min(size - at, 40 * store_disk::page_size));
        if (random.one_in(2)) {
            const std::vector<std::byte> data = content(count, random.below(1u << 30));
            REQUIRE(disk.write(data.data(), at, count) == 0);
            std::fill(model.begin() + static_cast<std::ptrdiff_t>(at / store_disk::page_size),
                      model.begin() + static_cast<std::ptrdiff_t>((at + count - 1) / store_disk::page_size + 1), true);
        } else {
            REQUIRE(disk.clear(at, count) == 0);
            for (std::size_t page = 0; page < pages; ++page) {
                const std::size_t begin = page * store_disk::page_size;
                const std::size_t end = std::min(begin + store_disk::page_size, size);
                model[page] = model[page] && !(at <= begin && end <= at + count);
            }
        }
        REQUIRE(map_of(disk) == model);
        REQUIRE(disk.stats().stored_pages == static_cast<std::uint64_t>(std::count(model.begin(), model.end(), true)));
    }
    CHECK(disk.check());
}

TEST_CASE("an extent begins and ends within pages, where it was asked for") {
    store_disk disk{8 * store_disk::page_size, no_limit};
    REQUIRE(disk.open() == 0);
    const std::vector<std::byte> data = content(store_disk::page_size, 7);
    REQUIRE(disk.write(data.data(), 2 * store_disk::page_size, data.size()) == 0);
    CHECK(disk.extent_at(100, 200).bytes == 100);
    CHECK(disk.extent_at(100, disk.bytes()).bytes == 2 * store_disk::page_size - 100);
    CHECK_FALSE(disk.extent_at(100, disk.bytes()).is_written);
    CHECK(disk.extent_at(2 * store_disk::page_size + 1, disk.bytes()).bytes == store_disk::page_size - 1);
    CHECK(disk.extent_at(2 * store_disk::page_size + 1, disk.bytes()).is_written);
}

TEST_CASE("a trim of all of a large disk frees what was written in it") {
    store_disk disk{store_disk::max_bytes, no_limit};
    REQUIRE(disk.open() == 0);
    const std::vector<std::byte> data = content(3 * store_disk::page_size, 8);
    constexpr std::uint64_t step = store_disk::max_bytes / 16;
    for (std::uint64_t at = 0; at < store_disk::max_bytes; at += step) {
        REQUIRE(disk.write(data.data(), at, data.size()) == 0);
    }
    CHECK(disk.stats().stored_pages == 48);
    CHECK(disk.extent_at(data.size(), store_disk::max_bytes).bytes == step - data.size());
    REQUIRE(disk.clear(0, store_disk::max_bytes) == 0);
    CHECK(disk.stats().stored_pages == 0);
    CHECK(disk.extent_at(0, store_disk::max_bytes).bytes == store_disk::max_bytes);
}

TEST_CASE("zeros to a part of what was never written store nothing") {
    store_disk disk{4 * store_disk::page_size, no_limit};
    REQUIRE(disk.open() == 0);
    REQUIRE(disk.clear(10, 2 * store_disk::page_size) == 0);
    REQUIRE(disk.clear(5, 10) == 0);
    CHECK(disk.stats().stored_pages == 0);
    CHECK(disk.extent_at(0, disk.bytes()).bytes == disk.bytes());
}

TEST_CASE("requests beyond the end are refused and change nothing") {
    store_disk disk{2 * store_disk::page_size, no_limit};
    REQUIRE(disk.open() == 0);
    const std::vector<std::byte> data = content(disk.bytes(), 3);
    std::vector<std::byte> found(16);
    CHECK(disk.write(data.data(), 1, data.size()) == EINVAL);
    CHECK(disk.read(found.data(), disk.bytes() - 15, 16) == EINVAL);
    CHECK(disk.clear(~std::uint64_t{0} - 3, 8) == EINVAL);
    CHECK(disk.read(found.data(), disk.bytes(), 0) == 0);
    CHECK(read_all(disk) == std::vector<std::byte>(disk.bytes()));
}

TEST_CASE("a full store says so; the block that it refused is an error, not zeros, until it is written or trimmed") {
    store_disk disk{1 << 20, 512 << 10};
    REQUIRE(disk.open() == 0);
    std::vector<std::byte> noise(disk.bytes());
    pagefold::testing::rng random{4};
    for (std::byte& b : noise) {
        b = static_cast<std::byte>(random.below(256));
    }
    std::uint64_t written = 0;
    int error = 0;
    while (written < noise.size() &&
           (error = disk.write(noise.data() + written, written, store_disk::page_size)) == 0) {
        written += store_disk::page_size;
    }
    REQUIRE(error == ENOSPC);
    REQUIRE(written > 64 * store_disk::page_size);
    CHECK(disk.stats().total_bytes <= 512u << 10);

    std::vector<std::byte> page(store_disk::page_size);
    for (std::uint64_t at = 0; at < written; at += store_disk::page_size) {
        REQUIRE(disk.read(page.data(), at, page.size()) == 0);
        REQUIRE(std::memcmp(page.data(), noise.data() + at, page.size()) == 0);
    }
    CHECK(disk.read(page.data(), written, page.size()) == EIO);
    CHECK(disk.read(page.data(), written + 10, 10) == EIO);
    CHECK(disk.write(noise.data(), written + 10, 10) == EIO); // the rest of the block is unknown
    CHECK(disk.clear(written + 10, 10) == EIO);
    CHECK(disk.extent_at(0, disk.bytes()).bytes == written + store_disk::page_size); // no hole to who copies the disk

    REQUIRE(disk.clear(0, 8 * store_disk::page_size) == 0);
    REQUIRE(disk.write(noise.data(), written, store_disk::page_size) == 0);
    CHECK(disk.read(page.data(), written, page.size()) == 0);
    CHECK(std::memcmp(page.data(), noise.data(), page.size()) == 0);
    CHECK(disk.check());
}

TEST_CASE("a refused block that is trimmed reads as zeros") {
    store_disk disk{1 << 20, 256 << 10};
    REQUIRE(disk.open() == 0);
    std::vector<std::byte> noise(store_disk::page_size);
    pagefold::testing::rng random{5};
    for (std::byte& b : noise) {
        b = static_cast<std::byte>(random.below(256));
    }
    std::uint64_t at = 0;
    while (disk.write(noise.data(), at, noise.size()) == 0) {
        at += store_disk::page_size;
        REQUIRE(at < disk.bytes());
    }
    REQUIRE(disk.read(noise.data(), at, noise.size()) == EIO);
    REQUIRE(disk.clear(at, store_disk::page_size) == 0);
    REQUIRE(disk.read(noise.data(), at, noise.size()) == 0);
    CHECK(noise == std::vector<std::byte>(noise.size()));
}

TEST_CASE("a limit without room for the tables is told on opening") {
    store_disk disk{1 << 20, 0};
    CHECK(disk.open() == ENOMEM);
}

TEST_CASE("threads that write parts of the same pages lose nothing of each other") {
    constexpr std::size_t pages = 4;
    constexpr std::size_t threads = 4;
    constexpr std::size_t slice = store_disk::page_size / threads;
    store_disk disk{pages * store_disk::page_size, no_limit};
    REQUIRE(disk.open() == 0);
    std::vector<std::thread> writers;
    std::atomic<int> errors{0};
    for (std::size_t t = 0; t < threads; ++t) {
        writers.emplace_back([&, t] {
            std::vector<std::byte> mine(slice);
            for (unsigned round = 1; round <= 200; ++round) {
                std::fill(mine.begin(), mine.end(), static_cast<std::byte>(round % 64 + 64 * t));
                for (std::size_t page = 0; page < pages; ++page) {
                    errors += disk.write(mine.data(), page * store_disk::page_size + t * slice, slice) != 0 ? 1 : 0;
                }
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    CHECK(errors == 0);
    const std::vector<std::byte> found = read_all(disk);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const std::size_t t = i % store_disk::page_size / slice;
        REQUIRE(found[i] == static_cast<std::byte>(200 % 64 + 64 * t));
    }
}

TEST_CASE("readers beside a writer and its trims see one or the other, never an error") {
    store_disk disk{2 * store_disk::page_size, no_limit};
    REQUIRE(disk.open() == 0);
    const std::vector<std::byte> full(store_disk::page_size, std::byte{0x5a});
    std::atomic<bool> is_done{false};
    std::atomic<int> errors{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 2; ++t) {
        readers.emplace_back([&] {
            std::vector<std::byte> found(store_disk::page_size);
            while (!is_done) {
                const bool failed = disk.read(found.data(), 0, found.size()) != 0;
                const bool is_mixed =
                    found.front() != found.back() || (found.front() != std::byte{} && found.front() != full.front());
                errors += failed || is_mixed ? 1 : 0;
                const store_disk::extent next = disk.extent_at(1, disk.bytes());
                errors += next.bytes == 0 || next.bytes > disk.bytes() - 1 ? 1 : 0;
            }
        });
    }
    for (int round = 0; round < 20'000; ++round) {
        errors += disk.write(full.data(), 0, full.size()) != 0 ? 1 : 0;
        errors += disk.clear(0, full.size()) != 0 ? 1 : 0;
    }
    is_done = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK(errors == 0);
}

} // namespace
