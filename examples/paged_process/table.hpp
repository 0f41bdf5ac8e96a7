// SPDX-License-Identifier: MIT
#pragma once

#include <support/random_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace paged_process {

/// A table of orders, as a small database keeps it in memory: rows in a row store and a hash index over their keys, all in
/// the memory that it is given. Rows are written in the order of their keys and then read and changed at random, most
/// often the same ones. Beside it, out of that memory, is the number of changes of every row: what a read must find.
class order_table {
public:
    /// 128 bytes, with the repetition that such rows have.
    struct row {
        std::uint64_t key;
        std::uint32_t changes;
        std::uint32_t cents;
        std::uint64_t customer;
        std::int64_t placed_at; ///< seconds since 1970
        char status[16];
        char city[24];
        char note[56];
    };
    static_assert(sizeof(row) == 128);

    /// As many rows as `bytes` at `memory` hold with their index.
    order_table(std::byte* memory, std::size_t bytes)
        : rows_{reinterpret_cast<row*>(memory)}, count_{bytes / (sizeof(row) + 2 * sizeof(std::uint32_t))},
          buckets_{2 * count_}, index_{reinterpret_cast<std::uint32_t*>(memory + count_ * sizeof(row))},
          changes_(count_) {}

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

    /// Writes row `i`; all of them, in order, before anything else.
    void fill(std::size_t i) noexcept {
        write(rows_[i], i, 0);
        std::size_t bucket = bucket_of(key_of(i));
        while (index_[bucket] != 0) {
            bucket = bucket + 1 == buckets_ ? 0 : bucket + 1;
        }
        index_[bucket] = static_cast<std::uint32_t>(i + 1);
    }
    /// Finds a row by its key through the index, compares every byte of it, and changes one in ten. False where it was not
    /// what it must be.
    [[nodiscard]] bool query(pagefold::support::random_stream& random) noexcept {
        const std::size_t i = pick(random);
        std::size_t bucket = bucket_of(key_of(i));
        while (index_[bucket] != 0 && index_[bucket] - 1 < count_ && rows_[index_[bucket] - 1].key != key_of(i)) {
            bucket = bucket + 1 == buckets_ ? 0 : bucket + 1;
        }
        if (index_[bucket] != i + 1) {
            return false;
        }
        return visit(i, random);
    }
    /// The same for one of the `newest` rows, each as often, without the index: a collision in that leads to any row.
    [[nodiscard]] bool query_newest(std::size_t newest, pagefold::support::random_stream& random) noexcept {
        return visit(count_ - 1 - random.below(newest), random);
    }

private:
    [[nodiscard]] bool visit(std::size_t i, pagefold::support::random_stream& random) noexcept {
        row expected;
        write(expected, i, changes_[i]);
        if (std::memcmp(&expected, &rows_[i], sizeof(row)) != 0) {
            return false;
        }
        if (random.below(10) == 0) {
            write(rows_[i], i, ++changes_[i]);
        }
        return true;
    }
    [[nodiscard]] static std::uint64_t mixed(std::uint64_t x) noexcept {
        x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9u;
        return x ^ (x >> 31);
    }
    [[nodiscard]] static std::uint64_t key_of(std::size_t i) noexcept { return 10'000'000 + 3 * i; }
    [[nodiscard]] std::size_t bucket_of(std::uint64_t key) const noexcept { return mixed(key) % buckets_; }

    /// Four of five queries go to a fifth of the orders, the newest ones, and in the same way within that.
    [[nodiscard]] std::size_t pick(pagefold::support::random_stream& random) const noexcept {
        std::size_t among = count_;
        for (int level = 0; level < 3 && random.below(5) != 0; ++level) {
            among /= 5;
        }
        return count_ - 1 - random.below(among == 0 ? 1 : among);
    }

    static void write(row& out, std::size_t i, std::uint32_t changes) noexcept {
        static constexpr const char* states[] = {"open", "paid", "packed", "shipped", "delivered", "returned"};
        static constexpr const char* cities[] = {"Amsterdam", "Barcelona",  "Copenhagen", "Dresden",   "Edinburgh",
                                                 "Florence",  "Gothenburg", "Hamburg",    "Innsbruck", "Krakow"};
        const std::uint64_t luck = mixed(i * 2'654'435'761u + changes);
        std::memset(static_cast<void*>(&out), 0, sizeof out);
        out.key = key_of(i);
        out.changes = changes;
        out.cents = static_cast<std::uint32_t>(luck % 50'000);
        out.customer = 4'000'000 + luck % 30'000;
        out.placed_at = 1'700'000'000 + static_cast<std::int64_t>(i) * 11;
        std::snprintf(out.status, sizeof out.status, "%s", states[changes % 6]);
        std::snprintf(out.city, sizeof out.city, "%s", cities[luck / 7 % 10]);
        std::snprintf(out.note, sizeof out.note, "order %zu, %u items, leave at the door", i,
                      static_cast<unsigned>(luck % 9 + 1));
    }

    row* rows_;
    std::size_t count_;
    std::size_t buckets_;
    std::uint32_t* index_; // row number + 1; 0 is free
    std::vector<std::uint32_t> changes_;
};

} // namespace paged_process
