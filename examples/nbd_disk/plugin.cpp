// SPDX-License-Identifier: MIT

// The store as a disk of the network block device protocol: a plugin of nbdkit, which speaks the protocol and runs the
// threads. Made for nbdkit's interface of version 2, all callbacks of which may be called side by side.

#include "store_disk.hpp"

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <cinttypes>
#include <cstdio>
#include <limits>
#include <memory>
#include <new>
#include <string>

namespace {

using nbd_disk::store_disk;

std::int64_t size_option = -1;
std::int64_t limit_option = -1;
std::string statistics_option;
std::unique_ptr<store_disk> disk;

int config(const char* key, const char* value) {
    const std::string name = key;
    if (name == "statistics") {
        statistics_option = value;
        return 0;
    }
    if (name != "size" && name != "limit") {
        nbdkit_error("unknown parameter '%s': there are size, limit and statistics", key);
        return -1;
    }
    const std::int64_t parsed = nbdkit_parse_size(value);
    if (parsed == -1) {
        return -1; // it has said why
    }
    (name == "size" ? size_option : limit_option) = parsed;
    return 0;
}

int config_complete() {
    if (size_option <= 0 || static_cast<std::uint64_t>(size_option) > store_disk::max_bytes) {
        nbdkit_error("size=SIZE is needed: bytes of the disk, 1 to %" PRIu64, store_disk::max_bytes);
        return -1;
    }
    return 0;
}

int get_ready() {
    const std::size_t limit =
        limit_option < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(limit_option);
    disk.reset(new (std::nothrow) store_disk{static_cast<std::uint64_t>(size_option), limit});
    if (disk == nullptr || disk->open() != 0) {
        nbdkit_error("the limit or this machine has no room for the store's tables");
        return -1;
    }
    return 0;
}

/// What the store held at the end, as one object of JSON.
bool write_statistics(const std::string& path, const pagefold::store_stats& stats) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
    return file && std::fprintf(file.get(),
                                "{\"stored_pages\": %" PRIu64 ", \"stream_bytes\": %" PRIu64
                                ", \"total_bytes\": %" PRIu64 "}\n",
                                static_cast<std::uint64_t>(stats.stored_pages),
                                static_cast<std::uint64_t>(stats.compr_data_size),
                                static_cast<std::uint64_t>(stats.total_bytes)) > 0;
}

void cleanup() {
    if (disk != nullptr && !statistics_option.empty() && !write_statistics(statistics_option, disk->stats())) {
        nbdkit_error("%s cannot be written", statistics_option.c_str());
    }
    disk.reset();
}

void* open_connection(int) { return NBDKIT_HANDLE_NOT_NEEDED; }
std::int64_t get_size(void*) { return static_cast<std::int64_t>(disk->bytes()); }
int can_multi_conn(void*) { return 1; } // all connections see one disk, and nothing is held back
int can_cache(void*) { return NBDKIT_CACHE_NONE; }
int can_fua(void*) { return NBDKIT_FUA_NATIVE; } // memory is as durable as it gets
int can_fast_zero(void*) { return 1; }           // an erase, however much is asked for

int answer(int error) {
    if (error == 0) {
        return 0;
    }
    nbdkit_set_error(error);
    nbdkit_error("%s", error == ENOSPC ? "the store is full"
                       : error == EIO  ? "the block is lost: it is corrupt, or its last write was refused"
                                       : std::strerror(error));
    return -1;
}

int read_blocks(void*, void* to, std::uint32_t count, std::uint64_t at, std::uint32_t) {
    return answer(disk->read(static_cast<std::byte*>(to), at, count));
}
int write_blocks(void*, const void* data, std::uint32_t count, std::uint64_t at, std::uint32_t) {
    return answer(disk->write(static_cast<const std::byte*>(data), at, count));
}
int clear_blocks(void*, std::uint32_t count, std::uint64_t at, std::uint32_t) { return answer(disk->clear(at, count)); }
/// What is written is data, and the rest a hole: so clients copy, back up and convert what is in use alone.
int map_blocks(void*, std::uint32_t count, std::uint64_t at, std::uint32_t flags, nbdkit_extents* extents) {
    const std::uint64_t end = at + count;
    while (at < end) {
        const store_disk::extent next = disk->extent_at(at, end);
        const std::uint32_t kind = next.is_written ? 0 : NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
        if (nbdkit_add_extent(extents, at, next.bytes, kind) == -1) {
            return -1; // it has said why
        }
        if ((flags & NBDKIT_FLAG_REQ_ONE) != 0) {
            break;
        }
        at += next.bytes;
    }
    return 0;
}
int flush(void*, std::uint32_t) { return 0; }

nbdkit_plugin make_plugin() {
    nbdkit_plugin p{};
    p.name = "pagefold";
    p.longname = "a disk in compressed memory";
    p.config = config;
    p.config_complete = config_complete;
    p.config_help = "size=SIZE        (required) bytes of the disk\n"
                    "limit=SIZE       most memory for all of it\n"
                    "statistics=FILE  at the end, what the store held, as JSON";
    p.get_ready = get_ready;
    p.cleanup = cleanup;
    p.open = open_connection;
    p.get_size = get_size;
    p.can_multi_conn = can_multi_conn;
    p.can_cache = can_cache;
    p.can_fua = can_fua;
    p.can_fast_zero = can_fast_zero;
    p.pread = read_blocks;
    p.pwrite = write_blocks;
    p.trim = clear_blocks;
    p.zero = clear_blocks;
    p.extents = map_blocks;
    p.flush = flush;
    return p;
}

nbdkit_plugin plugin = make_plugin();

} // namespace

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
NBDKIT_REGISTER_PLUGIN(plugin)
