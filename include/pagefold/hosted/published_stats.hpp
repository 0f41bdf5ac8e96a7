// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/hosted/stats_snapshot.hpp>
#include <pagefold/store/stats.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <span>
#include <string_view>
#include <sys/file.h> // flock(): where it is declared the struct needs its keyword, and only there
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Statistics of a store in a file that other processes map: one writes, any number read, nobody waits for anybody. In /dev/shm
// it is shared memory. examples/top reads it.
//
// The file is words of 32 bits in the machine's order, 64-bit numbers the low word first:
//
//     0  magic   1  version   2  fingerprint of the list of numbers   3  words in all   4  pools there is room for   5  nodes
//     6  sequence   7  the writer's process   8 to 15  zero
//     16 time (2)   18 pools   19 nodes   20 pools there are   21 nodes   22 name (16)   38 the store's numbers
//     then a record a node: its number, a zero, its numbers; then one a pool: id (2), kind, seconds an age is, name (16), its
//     numbers, pages by age (18)
//
// A seqlock: the sequence is odd while the writer is at it, and a reader that met an odd one, or another behind its copy, reads
// again. The memory is the same for all, so all words are atomic. The writer's stores are releases behind the odd sequence, and
// the reader's loads acquires before its second look: who saw one word of a write sees the write's odd sequence, or a later one.
// (Fences would do the same, but no race detector follows them.)
//
// The writer has a lock of its open file (F_OFD_SETLK), which ends with it however it dies: a reader tells a writer that is slow
// from one that died in the middle. A child that is forked and never executes another program keeps it. The file never becomes
// shorter, since that would kill who has it mapped; somebody else who shortens it can.
//
// A reader refuses another version, another list of numbers and what is no such file. What it finds is checked against its
// own mapping: counts can't lead beyond it.

namespace pagefold::inline PAGEFOLD_ABI {

/// Bytes of a published name; what is longer is cut.
inline constexpr std::size_t published_name_bytes = 64;

/// A pool as a reader has it.
struct published_pool {
    char name[published_name_bytes + 1] = {};
    pool_id id{};
    pool_kind kind = pool_kind::persistent;
    std::uint32_t age_seconds = 0;           ///< 0: nobody keeps ages
    std::uint64_t ages[published_ages] = {}; ///< pages
    pool_stats stats{};
};
/// All of a store. The room is the reader's, and is filled as far as it goes.
struct published_stats {
    std::span<published_pool> pool_room{};
    std::span<node_snapshot> node_room{};
    std::uint64_t time_ns = 0; ///< when it was published, by the writer's clock; 0: nothing was yet
    std::uint32_t writer = 0;  ///< its process
    char name[published_name_bytes + 1] = {};
    store_stats whole{};
    std::size_t pools = 0, nodes = 0;         ///< that are in the room
    std::size_t all_pools = 0, all_nodes = 0; ///< that the writer had
};

namespace detail {

/// Where what is in the file.
struct published_layout {
    static constexpr std::uint32_t magic = 0x73666770, version = 1;
    static constexpr std::size_t at_magic = 0, at_version = 1, at_fingerprint = 2, at_words = 3, at_pools = 4,
                                 at_nodes = 5, at_sequence = 6, at_writer = 7, header = 16;
    static constexpr std::size_t at_time = 16, at_counts = 18, at_name = 22;
    static constexpr std::size_t name_words = published_name_bytes / 4;
    static constexpr std::size_t store_words = 2 * stat_rows<store_stats>.size();
    static constexpr std::size_t pool_words = 2 * stat_rows<pool_stats>.size();
    static constexpr std::size_t at_store = at_name + name_words, at_records = at_store + store_words;
    static constexpr std::size_t node_record = 2 + store_words;
    static constexpr std::size_t pool_record = 4 + name_words + pool_words + 2 * published_ages;
    static constexpr std::uint32_t most_records = 4096;

    [[nodiscard]] static constexpr std::size_t node(std::size_t i) noexcept { return at_records + i * node_record; }
    [[nodiscard]] static constexpr std::size_t pool(std::size_t nodes, std::size_t i) noexcept {
        return node(nodes) + i * pool_record;
    }
    [[nodiscard]] static constexpr std::size_t words(std::size_t pools, std::size_t nodes) noexcept {
        return pool(nodes, pools);
    }
    /// FNV-1a over names, units and kinds: who has another list has another one.
    [[nodiscard]] static constexpr std::uint32_t fingerprint() noexcept {
        std::uint32_t hash = 2166136261u;
        const auto take = [&](std::uint32_t byte) noexcept { hash = (hash ^ byte) * 16777619u; };
        const auto take_row = [&](const stat_info& info, std::uint64_t) noexcept {
            for (const char c : std::string_view{info.name}) {
                take(static_cast<unsigned char>(c));
            }
            take(static_cast<std::uint32_t>(info.unit) * 2 + static_cast<std::uint32_t>(info.kind));
        };
        visit(store_stats{}, take_row);
        visit(pool_stats{}, take_row);
        return hash;
    }
};

/// The file, mapped; of its descriptor and its words.
class published_file {
public:
    using word = atomic<std::uint32_t>;
    static_assert(sizeof(word) == 4);

    published_file() noexcept = default;
    ~published_file() { close(); }
    published_file(const published_file&) = delete;
    published_file& operator=(const published_file&) = delete;

    [[nodiscard]] bool is_open() const noexcept { return words_ != nullptr; }
    [[nodiscard]] word& operator[](std::size_t i) const noexcept {
        PAGEFOLD_ASSERT(i < count_);
        return words_[i];
    }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    /// False: `error()` says why.
    [[nodiscard]] bool open(const char* path, int flags, ::mode_t mode, struct ::stat& about) noexcept {
        close();
        descriptor_ = ::open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
        if (descriptor_ < 0 || ::fstat(descriptor_, &about) != 0) {
            error_ = errno;
            return false;
        }
        return true;
    }
    [[nodiscard]] bool map(std::size_t words, int protection) noexcept {
        void* const p = ::mmap(nullptr, words * sizeof(word), protection, MAP_SHARED, descriptor_, 0);
        if (p == MAP_FAILED) {
            error_ = errno;
            return false;
        }
        words_ = static_cast<word*>(p);
        count_ = words;
        return true;
    }
    /// Asks for, or about, the writer's lock.
    [[nodiscard]] int lock(int command, short type, short& found) const noexcept {
        struct ::flock lock {};
        lock.l_type = type;
        lock.l_whence = SEEK_SET;
        const int answer = ::fcntl(descriptor_, command, &lock);
        found = lock.l_type;
        return answer;
    }
    void close() noexcept {
        if (words_ != nullptr) {
            ::munmap(words_, count_ * sizeof(word));
        }
        if (descriptor_ >= 0) {
            ::close(descriptor_); // the writer's lock ends here
        }
        words_ = nullptr;
        count_ = 0;
        descriptor_ = -1;
        error_ = 0;
    }
    [[nodiscard]] int error() const noexcept { return error_; }
    void note_error(int error) noexcept { error_ = error; }

private:
    word* words_ = nullptr;
    std::size_t count_ = 0;
    int descriptor_ = -1;
    int error_ = 0;
};

} // namespace detail

} // namespace pagefold
