// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/hosted/published_stats.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/hosted/stats_snapshot.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// Publishes a store's statistics. Not thread-safe. A publication costs a store to memory for each word: about 100 for the store,
/// 76 a node, 74 a pool. No system call but those of open and close.
class stats_publisher {
    using layout = detail::published_layout;

public:
    /// Makes the file, or takes one over whose writer is gone. `mode` is a new file's. busy: another writer has it. no_memory: no
    /// room for it, or no descriptor. invalid: anything else, such as another file of that name, which stays as it is; reason()
    /// says what.
    status open(const char* path, std::uint32_t most_pools = 64, std::uint32_t most_nodes = 8,
                ::mode_t mode = 0600) noexcept {
        PAGEFOLD_CHECK(path != nullptr && most_pools <= layout::most_records && most_nodes <= layout::most_records);
        struct ::stat about {};
        if (!file_.open(path, O_RDWR | O_CREAT, mode, about)) {
            return failed("the file can't be made");
        }
        short found = 0;
        if (!S_ISREG(about.st_mode)) {
            return refused(status::invalid, "there is something else of that name");
        }
        if (file_.lock(F_OFD_SETLK, F_WRLCK, found) != 0) {
            const bool is_taken = errno == EAGAIN || errno == EACCES;
            file_.note_error(errno);
            return is_taken ? refused(status::busy, "another writer has the file") : failed("the file can't be locked");
        }
        std::uint32_t first = 0;
        const ssize_t got = ::pread(file_.descriptor(), &first, sizeof first, 0);
        if (got != 0 && (got != sizeof first || first != layout::magic)) {
            return refused(status::invalid, "there is another file of that name");
        }
        const std::uint32_t mark = layout::magic; // first: whoever dies here leaves a file that is known
        if (got == 0 && ::pwrite(file_.descriptor(), &mark, sizeof mark, 0) != sizeof mark) {
            file_.note_error(errno);
            return failed("there is no room for the file");
        }
        const std::size_t words = layout::words(most_pools, most_nodes);
        // Room now, or a store into the mapping would meet a full disk.
        int error = 0;
        do {
            error = ::posix_fallocate(file_.descriptor(), 0, static_cast<::off_t>(words * 4));
        } while (error == EINTR);
        if (error != 0) {
            file_.note_error(error);
            return failed("there is no room for the file");
        }
        if (!file_.map(words, PROT_READ | PROT_WRITE)) {
            return failed("the file can't be mapped");
        }
        begin();
        put(layout::at_version, layout::version);
        put(layout::at_fingerprint, layout::fingerprint());
        put(layout::at_words, static_cast<std::uint32_t>(words));
        put(layout::at_pools, most_pools);
        put(layout::at_nodes, most_nodes);
        put(layout::at_writer, static_cast<std::uint32_t>(::getpid()));
        for (std::size_t i = layout::at_writer + 1; i < words; ++i) {
            put(i, 0);
        }
        end();
        most_pools_ = most_pools;
        most_nodes_ = most_nodes;
        reason_ = "";
        return status::ok;
    }
    /// The file stays, with what was published last and without a writer.
    void close() noexcept { file_.close(); }
    [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }

    /// For all readers from now on. Pools and nodes beyond the file's room are only counted. `now_ns`: of the monotonic clock,
    /// by which readers tell how old it is.
    void publish(const stats_snapshot& store, std::uint64_t now_ns) noexcept {
        PAGEFOLD_CHECK(is_open());
        begin();
        put_long(layout::at_time, now_ns);
        const std::size_t pools = store.pools.size() < most_pools_ ? store.pools.size() : most_pools_;
        const std::size_t nodes = store.nodes.size() < most_nodes_ ? store.nodes.size() : most_nodes_;
        put(layout::at_counts, static_cast<std::uint32_t>(pools));
        put(layout::at_counts + 1, static_cast<std::uint32_t>(nodes));
        put(layout::at_counts + 2, static_cast<std::uint32_t>(store.pools.size()));
        put(layout::at_counts + 3, static_cast<std::uint32_t>(store.nodes.size()));
        put_name(layout::at_name, store.name);
        put_stats(layout::at_store, store.whole);
        for (std::size_t i = 0; i < nodes; ++i) {
            put(layout::node(i), static_cast<std::uint16_t>(store.nodes[i].node));
            put_stats(layout::node(i) + 2, store.nodes[i].stats);
        }
        for (std::size_t i = 0; i < pools; ++i) {
            put_pool(layout::pool(most_nodes_, i), store.pools[i]);
        }
        end();
    }

    /// Why open failed; static. And errno, 0 where it was none of the system's.
    [[nodiscard]] const char* reason() const noexcept { return reason_; }
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    status failed(const char* why) noexcept {
        const int error = file_.error();
        return refused(status_of_errno(error), cause_of_errno(error, why));
    }
    status refused(status s, const char* why) noexcept {
        error_ = file_.error();
        reason_ = why;
        file_.close();
        return s;
    }

    /// The sequence becomes odd, also where another writer died and left it so. relaxed: it is published by each store behind it.
    void begin() noexcept {
        auto& sequence = file_[layout::at_sequence];
        sequence.store(sequence.load(memory_order::relaxed) | 1u, memory_order::relaxed);
    }
    /// release: who sees it even sees all that was written before.
    void end() noexcept {
        auto& sequence = file_[layout::at_sequence];
        sequence.store(sequence.load(memory_order::relaxed) + 1, memory_order::release);
    }
    /// release: who sees the word sees the odd sequence.
    void put(std::size_t at, std::uint32_t value) noexcept { file_[at].store(value, memory_order::release); }
    void put_long(std::size_t at, std::uint64_t value) noexcept {
        put(at, static_cast<std::uint32_t>(value));
        put(at + 1, static_cast<std::uint32_t>(value >> 32));
    }
    void put_name(std::size_t at, std::string_view name) noexcept {
        for (std::size_t i = 0; i < layout::name_words; ++i) {
            std::uint32_t word = 0;
            for (std::size_t b = 0; b < 4; ++b) {
                const std::size_t n = i * 4 + b;
                word |= (n < name.size() ? std::uint32_t{static_cast<unsigned char>(name[n])} : 0u) << 8 * b;
            }
            put(at + i, word);
        }
    }
    template <class Stats>
    void put_stats(std::size_t at, const Stats& stats) noexcept {
        visit(stats, [&](const stat_info&, std::uint64_t value) noexcept {
            put_long(at, value);
            at += 2;
        });
    }
    void put_pool(std::size_t at, const pool_snapshot& pool) noexcept {
        put_long(at, static_cast<std::uint64_t>(pool.id));
        put(at + 2, pool.kind == pool_kind::ephemeral ? 1 : 0);
        put(at + 3, pool.ages != nullptr ? pool.age_seconds : 0);
        put_name(at + 4, pool.name);
        at += 4 + layout::name_words;
        put_stats(at, pool.stats);
        at += layout::pool_words;
        for (unsigned i = 0; i < published_ages; ++i) {
            put_long(at + 2 * i, pool.ages != nullptr ? pages_of_published_age(*pool.ages, i) : 0);
        }
    }

    detail::published_file file_{};
    std::size_t most_pools_ = 0, most_nodes_ = 0;
    const char* reason_ = "not open";
    int error_ = 0;
};

} // namespace pagefold
