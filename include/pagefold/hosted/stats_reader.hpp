// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/hosted/published_stats.hpp>
#include <pagefold/hosted/shortage.hpp>

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace pagefold::inline PAGEFOLD_ABI {

/// Reads what a stats_publisher publishes, in this process or another. Not thread-safe; each reader has its own.
class stats_reader {
    using layout = detail::published_layout;

public:
    /// How often a reading is begun anew before the writer is believed to be at it all the time.
    static constexpr unsigned most_tries = 256;

    /// invalid: there is no such file, or it is another's, another version's or has another list of numbers. no_memory: no
    /// descriptor. reason() says which.
    status open(const char* path) noexcept {
        PAGEFOLD_CHECK(path != nullptr);
        struct ::stat about {};
        if (!file_.open(path, O_RDONLY, 0, about)) {
            return failed("the file can't be read");
        }
        const auto bytes = static_cast<std::uint64_t>(about.st_size);
        if (!S_ISREG(about.st_mode) || bytes < layout::words(0, 0) * 4 || bytes > std::uint64_t{1} << 30) {
            return refused("it is no file of published statistics");
        }
        if (!file_.map(to_size(bytes / 4), PROT_READ)) {
            return failed("the file can't be mapped");
        }
        reason_ = "";
        return check_header() ? status::ok : refused(reason_);
    }
    void close() noexcept { file_.close(); }
    [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }

    /// ok: `out` is all of one publication. busy: the writer was at it each time, try again. unavailable: the writer died in the
    /// middle of a publication, and there is nothing whole until another comes. invalid: the file has become another's, open it
    /// anew. Unless ok, what is in `out` is of no use. Costs a copy, at most 256 times.
    status read(published_stats& out) noexcept {
        PAGEFOLD_CHECK(is_open());
        for (unsigned i = 0; i < most_tries; ++i) {
            const std::uint32_t before = file_[layout::at_sequence].load(memory_order::acquire);
            const bool is_good = (before & 1u) == 0 && copy(out);
            // relaxed: the acquires of the copy are before it.
            const std::uint32_t after = file_[layout::at_sequence].load(memory_order::relaxed);
            if (before == after && (before & 1u) == 0) {
                return is_good ? status::ok : status::invalid;
            }
            ::sched_yield();
        }
        if (has_writer()) {
            reason_ = "the writer is at it all the time";
            return status::busy;
        }
        reason_ = "the writer died in the middle of a publication";
        return status::unavailable;
    }
    /// Whether there is one that has the file open. A system call.
    [[nodiscard]] bool has_writer() const noexcept {
        short found = F_UNLCK;
        return file_.lock(F_OFD_GETLK, F_RDLCK, found) == 0 && found == F_WRLCK;
    }

    [[nodiscard]] const char* reason() const noexcept { return reason_; }
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    status failed(const char* why) noexcept {
        error_ = file_.error();
        reason_ = cause_of_errno(error_, why);
        file_.close();
        return status_of_errno(error_);
    }
    status refused(const char* why) noexcept {
        error_ = 0;
        reason_ = why;
        file_.close();
        return status::invalid;
    }
    [[nodiscard]] std::uint32_t get(std::size_t at) const noexcept { return file_[at].load(memory_order::acquire); }
    [[nodiscard]] std::uint64_t get_long(std::size_t at) const noexcept {
        const std::uint64_t low = get(at);
        return low | std::uint64_t{get(at + 1)} << 32;
    }
    /// Whether what the file says of itself fits this reader and what it has mapped.
    [[nodiscard]] bool check_header() noexcept {
        const std::uint32_t pools = get(layout::at_pools), nodes = get(layout::at_nodes);
        reason_ = get(layout::at_magic) != layout::magic       ? "it is no file of published statistics"
                  : get(layout::at_version) != layout::version ? "it is of another version"
                  : get(layout::at_fingerprint) != layout::fingerprint()
                      ? "its writer has another list of numbers: another version of pagefold"
                  : pools > layout::most_records || nodes > layout::most_records ||
                          layout::words(pools, nodes) > file_.count()
                      ? "the file is shorter than it says, or has become longer"
                      : "";
        return *reason_ == '\0';
    }
    [[nodiscard]] bool copy(published_stats& out) noexcept {
        if (!check_header()) {
            return false;
        }
        const std::size_t node_room = get(layout::at_nodes), pools = get(layout::at_counts),
                          nodes = get(layout::at_counts + 1);
        if (pools > get(layout::at_pools) || nodes > node_room ||
            layout::words(get(layout::at_pools), node_room) > file_.count()) { // it may change between two looks
            reason_ = "the file counts more than it has room for";
            return false;
        }
        out.time_ns = get_long(layout::at_time);
        out.writer = get(layout::at_writer);
        out.all_pools = get(layout::at_counts + 2);
        out.all_nodes = get(layout::at_counts + 3);
        out.pools = pools < out.pool_room.size() ? pools : out.pool_room.size();
        out.nodes = nodes < out.node_room.size() ? nodes : out.node_room.size();
        get_name(layout::at_name, out.name);
        get_stats(layout::at_store, out.whole);
        for (std::size_t i = 0; i < out.nodes; ++i) {
            out.node_room[i].node = static_cast<node_id>(get(layout::node(i)));
            get_stats(layout::node(i) + 2, out.node_room[i].stats);
        }
        for (std::size_t i = 0; i < out.pools; ++i) {
            get_pool(layout::pool(node_room, i), out.pool_room[i]);
        }
        return true;
    }
    void get_name(std::size_t at, char (&name)[published_name_bytes + 1]) const noexcept {
        for (std::size_t i = 0; i < published_name_bytes; ++i) {
            name[i] = static_cast<char>(get(at + i / 4) >> 8 * (i % 4) & 0xff);
        }
        name[published_name_bytes] = '\0';
    }
    template <class Stats>
    void get_stats(std::size_t at, Stats& stats) const noexcept {
        for (const stat_row<Stats>& row : stat_rows<Stats>) {
            stats.*row.value = get_long(at);
            at += 2;
        }
    }
    void get_pool(std::size_t at, published_pool& pool) const noexcept {
        pool.id = static_cast<pool_id>(get_long(at));
        pool.kind = get(at + 2) != 0 ? pool_kind::ephemeral : pool_kind::persistent;
        pool.age_seconds = get(at + 3);
        get_name(at + 4, pool.name);
        at += 4 + layout::name_words;
        get_stats(at, pool.stats);
        at += layout::pool_words;
        for (unsigned i = 0; i < published_ages; ++i) {
            pool.ages[i] = get_long(at + 2 * i);
        }
    }

    detail::published_file file_{};
    const char* reason_ = "not open";
    int error_ = 0;
};

} // namespace pagefold
