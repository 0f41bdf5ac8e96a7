// SPDX-License-Identifier: MIT
#pragma once

// The run itself, for any codec: one pool a source, every page put, every page got, the store's own counters read.

#include "arguments.hpp"
#include "drive.hpp"
#include "failure.hpp"
#include "measurement.hpp"
#include "page_set.hpp"
#include "progress.hpp"
#include "text.hpp"

#include <pagefold/pagefold.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace page_report {

/// The stream that this thread's last compress made.
inline thread_local std::size_t last_stream_size = 0;

/// A codec that notes how long its streams are, for the histogram: the store tells only sums.
template <pagefold::compressor Codec>
class observed {
public:
    observed() = default;
    explicit observed(const Codec& codec) noexcept : codec_{codec} {}

    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codec_.scratch_size(n); }
    [[nodiscard]] pagefold::status prepare(pagefold::byte_span scratch) const noexcept {
        return codec_.prepare(scratch);
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codec_.bound(n); }
    [[nodiscard]] pagefold::result<std::size_t> compress(pagefold::byte_view in, pagefold::byte_span out,
                                                         pagefold::byte_span scratch) const noexcept {
        const pagefold::result<std::size_t> size = codec_.compress(in, out, scratch);
        last_stream_size = size.value_or(in.size());
        return size;
    }
    [[nodiscard]] pagefold::status decompress(pagefold::byte_view in, pagefold::byte_span out,
                                              pagefold::byte_span scratch) const noexcept {
        return codec_.decompress(in, out, scratch);
    }

private:
    Codec codec_{};
};

template <pagefold::compressor Codec>
struct report_config : pagefold::default_config {
    using compressor_type = observed<Codec>;
};

template <pagefold::compressor Codec>
class store_run {
    using store_type = pagefold::partitioned_store<report_config<Codec>>;

public:
    store_run(const page_set& pages, const arguments& given, const Codec& codec, progress& shown)
        : pages_{pages}, given_{given}, codec_{codec}, driver_{pages, given.threads, shown} {}

    [[nodiscard]] measurement run() {
        if (pages_.sources().size() > report_config<Codec>::max_pools) {
            throw failure("more than " + std::to_string(report_config<Codec>::max_pools) + " sources");
        }
        const std::size_t limit = given_.limit_bytes != 0 ? given_.limit_bytes : ~std::size_t{0};
        if (!has_room(limit)) {
            throw failure("--limit " + human_bytes(limit) + " is too small: " + smallest_limit() +
                          " is the least that holds a page here");
        }
        pagefold::mmap_source<> memory;
        store_type store{memory, {limit, partitions()}, observed<Codec>{codec_}};
        open_pools(store);
        driver_.put_all(
            "putting",
            [&](std::uint32_t source, std::uint64_t index, const std::byte* page) {
                return store.put({pools_[source], 0, index}, {page, page_bytes}) == pagefold::status::ok;
            },
            [] { return last_stream_size; });
        driver_.get_all("getting", [&](std::uint32_t source, std::uint64_t index, std::byte* to) {
            return store.get({pools_[source], 0, index}, {to, page_bytes}) == pagefold::status::ok;
        });
        return summary(store);
    }

private:
    /// A page index is the page's place in the sample, not its address: a reclaim path hands out swap slots one after
    /// the other, so they are dense.
    void open_pools(store_type& store) {
        const auto kind = given_.limit_bytes != 0 ? pagefold::pool_kind::ephemeral : pagefold::pool_kind::persistent;
        for (std::size_t i = 0; i < pages_.sources().size(); ++i) {
            const pagefold::result<pagefold::pool_id> pool = store.create_pool({.kind = kind});
            if (!pool) {
                throw failure(std::string("the store has no room for the table of a pool: ") +
                              pagefold::to_string(pool.error()));
            }
            pools_.push_back(*pool);
        }
    }

    [[nodiscard]] std::size_t partitions() const noexcept { return given_.threads == 1 ? 1 : 2 * given_.threads; }

    /// Whether a store with that limit takes a page that does not shrink.
    [[nodiscard]] bool has_room(std::size_t limit) const {
        std::vector<std::byte> page(page_bytes);
        std::uint32_t state = 1;
        for (std::byte& byte : page) {
            state = state * 1664525u + 1013904223u;
            byte = static_cast<std::byte>(state >> 24);
        }
        pagefold::mmap_source<> memory;
        store_type store{memory, {limit, partitions()}, observed<Codec>{codec_}};
        pagefold::pool_id pool{};
        for (std::size_t i = 0; i < pages_.sources().size(); ++i) {
            const auto made = store.create_pool({.kind = pagefold::pool_kind::ephemeral});
            if (!made) {
                return false;
            }
            pool = *made;
        }
        return store.put({pool, 0, 0}, page) == pagefold::status::ok;
    }

    [[nodiscard]] std::string smallest_limit() const {
        std::size_t enough = page_bytes;
        while (!has_room(enough)) {
            enough *= 2;
        }
        std::size_t too_small = enough / 2;
        while (enough - too_small > page_bytes) {
            const std::size_t middle = too_small + (enough - too_small) / 2 / page_bytes * page_bytes;
            (has_room(middle) ? enough : too_small) = middle;
        }
        return std::to_string(enough / 1024) + "K";
    }

    [[nodiscard]] measurement summary(const store_type& store) const {
        measurement made;
        const pagefold::store_stats stats = store.stats();
        std::vector<std::uint64_t> used;
        for (std::size_t i = 0; i < pages_.sources().size(); ++i) {
            const page_set::source& source = pages_.sources()[i];
            const pagefold::pool_stats pool = *store.statistics_of(pools_[i]);
            report_row row = row_of(source, pool);
            driver_.summarize(source.first, source.count, row);
            used.push_back(pool.used_bytes);
            add(made.total, row);
            note_lost(source, row, made.fault);
            made.rows.push_back(row);
        }
        share(stats.total_bytes, used, made.rows);
        made.total.name = "TOTAL";
        made.total.total_bytes = stats.total_bytes;
        driver_.summarize(0, pages_.size(), made.total);
        for (const page_record& record : driver_.records()) {
            count(record.stream_size, made.sizes);
        }
        if (const std::string wrong = driver_.first_with(page_fate::wrong); !wrong.empty()) {
            made.fault = wrong + " came back with other bytes than were put";
        }
        return made;
    }

    [[nodiscard]] static report_row row_of(const page_set::source& source, const pagefold::pool_stats& pool) {
        report_row row;
        row.name = source.input->name();
        row.is_process = source.input->is_process();
        row.pages_there = source.input->pages();
        row.pages = source.count;
        row.data_bytes = pool.stored_pages * page_bytes;
        row.compressed_bytes = pool.compr_data_size;
        row.used_bytes = pool.used_bytes;
        row.same_filled = pool.same_pages;
        row.incompressible = pool.huge_pages;
        row.evicted = pool.evicted_pages;
        row.refused = pool.rejected_puts;
        return row;
    }

    static void add(report_row& total, const report_row& row) {
        total.pages_there += row.pages_there;
        total.pages += row.pages;
        total.data_bytes += row.data_bytes;
        total.compressed_bytes += row.compressed_bytes;
        total.used_bytes += row.used_bytes;
        total.same_filled += row.same_filled;
        total.incompressible += row.incompressible;
        total.evicted += row.evicted;
        total.refused += row.refused;
    }

    /// A page that is not found must be one that the store says it dropped.
    void note_lost(const page_set::source& source, const report_row& row, std::string& fault) const {
        const std::size_t missing = driver_.count(page_fate::missing, source.first, source.count);
        if (missing != row.evicted && fault.empty()) {
            fault = row.name + ": pages not found: " + std::to_string(missing) +
                    ", evicted: " + std::to_string(row.evicted) + "; the first not found is " +
                    driver_.first_with(page_fate::missing, source.first);
        } else if (given_.limit_bytes == 0 && row.refused != 0 && fault.empty()) {
            fault = driver_.first_with(page_fate::refused, source.first) + " was refused";
        }
    }

    /// Splits `total` in proportion to `used`; the rows add up to it.
    static void share(std::uint64_t total, const std::vector<std::uint64_t>& used, std::vector<report_row>& rows) {
        double all = 0;
        for (const std::uint64_t bytes : used) {
            all += static_cast<double>(bytes);
        }
        double so_far = 0;
        std::uint64_t given = 0;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            so_far += static_cast<double>(used[i]);
            const bool is_last = i + 1 == rows.size();
            const auto up_to =
                is_last || all == 0 ? total : static_cast<std::uint64_t>(static_cast<double>(total) * so_far / all);
            rows[i].total_bytes = up_to - given;
            given = up_to;
        }
    }

    static void count(std::size_t stream_size, size_histogram& sizes) {
        if (stream_size <= pagefold::min_stream_size) {
            ++sizes.same_filled;
        } else if (stream_size >= page_bytes) {
            ++sizes.incompressible;
        } else {
            ++sizes.shorter[(stream_size - 1) / size_histogram::width];
        }
    }

    const page_set& pages_;
    const arguments& given_;
    Codec codec_;
    page_driver driver_;
    std::vector<pagefold::pool_id> pools_;
};

/// The whole run with one codec.
template <pagefold::compressor Codec>
[[nodiscard]] measurement measure_store(const page_set& pages, const arguments& given, const Codec& codec,
                                        progress& shown) {
    return store_run<Codec>{pages, given, codec, shown}.run();
}

} // namespace page_report
