// SPDX-License-Identifier: MIT
//
// RocksDB with a compressed secondary cache: its own, and one over a store of values, in the same memory.

#include "counted_cache.hpp"
#include "store_cache.hpp"
#include "workload.hpp"

#include <support/command_line.hpp>
#include <support/failure.hpp>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

using namespace rocksdb_cache;
using examples::failure;
constexpr std::size_t mib = std::size_t{1} << 20;

enum class caches { both, store, rocksdb };

struct settings {
    std::size_t memory = 64; // MiB of both caches
    std::size_t primary = 8; // of those, MiB of uncompressed blocks
    std::size_t rows = std::size_t{1} << 20;
    std::size_t row_bytes = 500;
    unsigned noise = 75;
    unsigned exponent = 95; // hundredths
    std::size_t gets = 1'000'000;
    std::size_t warm_up = 1'000'000;
    unsigned threads = 1;
    unsigned rounds = 1;
    caches which = caches::both;
    std::string folder{};
    bool wants_help = false;
};

constexpr const char* help = R"(usage: rocksdb_cache [OPTION VALUE...]

  --memory MIB       of both caches together (64)
  --primary MIB      of that, for uncompressed blocks (8)
  --rows N           rows of the database, a power of two (1048576)
  --row-bytes N      length of each (500)
  --noise PERCENT    of each row that is random bytes; the rest are words of a small vocabulary (75)
  --exponent N       of Zipf's law, in hundredths (95)
  --gets N           measured gets of all threads together (1000000)
  --warm-up N        gets before (1000000)
  --threads N        (1)
  --rounds N         each cache so many times, in turns (1)
  --cache WHICH      both, store or rocksdb (both)
  --folder PATH      where the database is made, and removed (a temporary one)
)";

settings parse(int count, char** values) {
    settings s;
    examples::command_line line{count, values};
    while (line.next()) {
        const std::string_view option = line.option();
        if (option == "--memory") {
            s.memory = line.number(4, 1 << 20);
        } else if (option == "--primary") {
            s.primary = line.number(1, 1 << 20);
        } else if (option == "--rows") {
            s.rows = line.number(1024, std::size_t{1} << 30);
        } else if (option == "--row-bytes") {
            s.row_bytes = line.number(16, 4000);
        } else if (option == "--noise") {
            s.noise = static_cast<unsigned>(line.number(0, 100));
        } else if (option == "--exponent") {
            s.exponent = static_cast<unsigned>(line.number(0, 300));
        } else if (option == "--gets") {
            s.gets = line.number(1, 1'000'000'000);
        } else if (option == "--warm-up") {
            s.warm_up = line.number(0, 1'000'000'000);
        } else if (option == "--threads") {
            s.threads = static_cast<unsigned>(line.number(1, 256));
        } else if (option == "--rounds") {
            s.rounds = static_cast<unsigned>(line.number(1, 100));
        } else if (option == "--cache") {
            s.which =
                line.choice<caches>({{"both", caches::both}, {"store", caches::store}, {"rocksdb", caches::rocksdb}});
        } else if (option == "--folder") {
            s.folder = line.value();
        } else if (option == "--help" || option == "-h") {
            s.wants_help = true;
        } else {
            line.refuse();
        }
    }
    if ((s.rows & (s.rows - 1)) != 0) {
        throw failure("--rows: not a power of two");
    }
    if (s.primary >= s.memory) {
        throw failure("--primary: not below --memory");
    }
    return s;
}

void expect(const rocksdb::Status& s, const char* what) {
    if (!s.ok()) {
        throw failure(std::string(what) + ": " + s.ToString());
    }
}

/// A folder that is removed with all that is in it.
class temporary_folder {
public:
    explicit temporary_folder(const std::string& in) {
        std::string name =
            (in.empty() ? std::filesystem::temp_directory_path().string() : in) + "/rocksdb_cache.XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            throw failure(name + ": no folder can be made there");
        }
        path_ = name;
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_{};
};

rocksdb::Options options_with(std::shared_ptr<rocksdb::Cache> cache) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression; // what a cache saves is its own doing
    options.disable_auto_compactions = true;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = std::move(cache);
    table.no_block_cache = table.block_cache == nullptr;
    table.block_size = 4096;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

std::unique_ptr<rocksdb::DB> open(const std::string& path, const rocksdb::Options& options) {
    rocksdb::DB* db = nullptr;
    expect(rocksdb::DB::Open(options, path, &db), "open");
    return std::unique_ptr<rocksdb::DB>{db};
}

void fill(const settings& s, const std::string& path) {
    rocksdb::Options options = options_with(nullptr);
    options.PrepareForBulkLoad();
    options.compression = rocksdb::kNoCompression;
    const std::unique_ptr<rocksdb::DB> db = open(path, options);
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    std::string row;
    for (std::size_t at = 0; at < s.rows;) {
        rocksdb::WriteBatch batch;
        for (std::size_t end = std::min(at + 1000, s.rows); at < end; ++at) {
            make_row(row, s.row_bytes, s.noise, at);
            expect(batch.Put(key_of(at), row), "put");
        }
        expect(db->Write(unlogged, &batch), "write");
    }
    expect(db->Flush({}), "flush");
    expect(db->CompactRange({}, nullptr, nullptr), "compact");
}

double processor_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Gets by threads, each its own part; how many rows were not as they should be.
std::size_t get_all(rocksdb::DB& db, const settings& s, const std::vector<std::uint32_t>& asked, std::size_t begin,
                    std::size_t end) {
    std::vector<std::size_t> wrong(s.threads);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < s.threads; ++t) {
        threads.emplace_back([&, t] {
            std::string expected;
            rocksdb::PinnableSlice row;
            for (std::size_t i = begin + t; i < end; i += s.threads) {
                row.Reset();
                const rocksdb::Status found = db.Get({}, db.DefaultColumnFamily(), key_of(asked[i]), &row);
                bool good = found.ok() && row.size() == s.row_bytes;
                if (good && i % 64 == t % 64) { // not so many that it is they that is measured
                    make_row(expected, s.row_bytes, s.noise, asked[i]);
                    good = row == rocksdb::Slice{expected};
                }
                wrong[t] += good ? 0u : 1u;
            }
        });
    }
    for (std::thread& one : threads) {
        one.join();
    }
    std::size_t sum = 0;
    for (const std::size_t one : wrong) {
        sum += one;
    }
    return sum;
}

struct outcome {
    double hits = 0, found = 0, seconds = 0, processor = 0, resident = 0;
};

/// MiB of memory that this process has written and no file has: what the caches take is what it grows by. What malloc keeps for
/// later goes back first, where that can be had.
double resident_mib() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
    std::ifstream status{"/proc/self/status"};
    double kib = 0;
    for (std::string word; status >> word;) {
        if (word == "RssAnon:") {
            status >> kib;
        }
    }
    return kib / 1024;
}

outcome run(const settings& s, const std::string& path, const std::vector<std::uint32_t>& asked, bool over_store) {
    const std::size_t capacity = (s.memory - s.primary) * mib;
    const double resident = resident_mib();
    std::shared_ptr<store_cache> own;
    std::shared_ptr<rocksdb::SecondaryCache> secondary;
    if (over_store) {
        secondary = own = std::make_shared<store_cache>(capacity);
    } else {
        rocksdb::CompressedSecondaryCacheOptions compressed;
        compressed.capacity = capacity;
        secondary = rocksdb::NewCompressedSecondaryCache(compressed);
    }
    const auto counted = std::make_shared<counted_cache>(secondary);
    rocksdb::LRUCacheOptions primary;
    primary.capacity = s.primary * mib;
    primary.secondary_cache = counted;
    outcome o;
    {
        const std::unique_ptr<rocksdb::DB> db = open(path, options_with(rocksdb::NewLRUCache(primary)));
        std::size_t wrong = get_all(*db, s, asked, 0, s.warm_up);
        const counted_cache::counts before = counted->now();
        const double processor = processor_seconds();
        const auto begin = std::chrono::steady_clock::now();
        wrong += get_all(*db, s, asked, s.warm_up, asked.size());
        o.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        o.processor = processor_seconds() - processor;
        o.resident = resident_mib() - resident;
        const counted_cache::counts after = counted->now();
        const auto lookups = static_cast<double>(after.lookups - before.lookups);
        const auto hits = static_cast<double>(after.hits - before.hits);
        o.hits = lookups == 0 ? 0 : hits / lookups;
        o.found = 1 - (lookups - hits) / static_cast<double>(s.gets);
        if (wrong != 0) {
            throw failure(std::to_string(wrong) + " rows were wrong");
        }
    }
    if (own != nullptr) {
        const pagefold::store_stats st = own->stats();
        if (!own->check() || st.total_bytes > capacity || st.decompress_fail != 0) {
            throw failure("the store is not as it should be");
        }
        if (std::getenv("ROCKSDB_CACHE_STATS") != nullptr) {
            std::printf(
                "# values %llu, orig %llu, compr %llu, total %llu, meta %llu, huge %llu, refused %llu, evicted %llu\n",
                static_cast<unsigned long long>(st.stored_pages), static_cast<unsigned long long>(st.orig_data_size),
                static_cast<unsigned long long>(st.compr_data_size), static_cast<unsigned long long>(st.total_bytes),
                static_cast<unsigned long long>(st.metadata_bytes), static_cast<unsigned long long>(st.huge_pages),
                static_cast<unsigned long long>(st.reject_compress_poor),
                static_cast<unsigned long long>(st.evicted_pages));
        }
    }
    return o;
}

int compare(const settings& s) {
    const temporary_folder folder{s.folder};
    const std::string path = folder.path() + "/db";
    fill(s, path);
    const std::vector<std::uint32_t> asked =
        zipf_rows(s.rows, static_cast<double>(s.exponent) / 100, s.warm_up + s.gets, 42);
    std::printf(
        "RocksDB %d.%d.%d, %zu rows of %zu bytes, %u%% of each random; Zipf %.2f; %zu MiB, of those %zu MiB for "
        "uncompressed blocks; %u threads\n\n",
        ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH, s.rows, s.row_bytes, s.noise,
        static_cast<double>(s.exponent) / 100, s.memory, s.primary, s.threads);
    std::printf("%-14s %10s %16s %12s %18s %14s\n", "cache", "hits", "gets in memory", "gets/s", "processor us/get",
                "MiB resident");
    for (unsigned round = 0; round < s.rounds; ++round) {
        for (const bool over_store : {false, true}) {
            if (s.which == (over_store ? caches::rocksdb : caches::store)) {
                continue;
            }
            const outcome o = run(s, path, asked, over_store);
            std::printf("%-14s %10.4f %16.4f %12.0f %18.3f %14.1f\n", over_store ? "pagefold" : "rocksdb", o.hits,
                        o.found, static_cast<double>(s.gets) / o.seconds,
                        o.processor * 1e6 / static_cast<double>(s.gets), o.resident);
            std::fflush(stdout);
        }
    }
    return 0;
}

} // namespace

int main(int count, char** values) {
    try {
        const settings s = parse(count, values);
        if (s.wants_help) {
            std::fputs(help, stdout);
            return 0;
        }
        return compare(s);
    } catch (const std::exception& why) {
        std::fprintf(stderr, "rocksdb_cache: %s\n", why.what());
        return 2;
    }
}
