// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rocksdb_cache {

/// splitmix64 (Steele, Lea, Flood: OOPSLA 2014).
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) noexcept : state_{seed} {}
    std::uint64_t next() noexcept {
        state_ += 0x9e3779b97f4a7c15u;
        std::uint64_t z = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// In [0, 1).
    double fraction() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
    std::uint64_t state_;
};

[[nodiscard]] inline std::string key_of(std::uint64_t row) {
    std::string key(16, '0');
    for (std::size_t at = key.size(); row != 0; row /= 10) {
        key[--at] = static_cast<char>('0' + row % 10);
    }
    return key;
}

/// A row whose first `noise` percent are random bytes, and whose rest are words of a small vocabulary.
inline void make_row(std::string& row, std::size_t bytes, unsigned noise, std::uint64_t number) {
    static constexpr const char* words[] = {"order ",  "shipped ", "customer ", "pending ", "invoice ",
                                            "north ",  "south ",   "paid ",     "2026-11-", "blue ",
                                            "carton ", "express ", "none ",     "item "};
    random_numbers random{number * 2654435761u + 1};
    row.clear();
    while (row.size() < bytes * noise / 100) {
        row.push_back(static_cast<char>(random.next()));
    }
    while (row.size() < bytes) {
        row += words[random.next() % (sizeof words / sizeof words[0])];
    }
    row.resize(bytes);
}

/// Rows as Zipf's law with an exponent has them asked for, the popular ones scattered: `rows` is a power of two.
[[nodiscard]] inline std::vector<std::uint32_t> zipf_rows(std::size_t rows, double exponent, std::size_t count,
                                                          std::uint64_t seed) {
    std::vector<double> upto(rows);
    double sum = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        sum += std::pow(static_cast<double>(i + 1), -exponent);
        upto[i] = sum;
    }
    random_numbers random{seed};
    std::vector<std::uint32_t> asked(count);
    for (std::uint32_t& one : asked) {
        const double at = random.fraction() * sum;
        std::size_t low = 0, high = rows - 1;
        while (low < high) {
            const std::size_t middle = (low + high) / 2;
            if (upto[middle] > at) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        one = static_cast<std::uint32_t>((low * 0x9e3779b1u) & (rows - 1));
    }
    return asked;
}

} // namespace rocksdb_cache
