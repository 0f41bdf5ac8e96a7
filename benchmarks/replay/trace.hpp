// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pagefold::replay {

/// Requests in their order, each by the number of its object: 0, 1, 2 … in the order of their first requests.
struct trace {
    std::vector<std::uint32_t> requests;
    std::size_t objects = 0;
    /// Of each object, the first that a request says which is not 0; empty where none does. An object of 0 bytes has none.
    std::vector<std::uint32_t> bytes{};

    [[nodiscard]] std::uint32_t bytes_of(std::uint32_t object) const {
        return object < bytes.size() && bytes[object] != 0 ? bytes[object] : 1;
    }
    /// Of all objects together.
    [[nodiscard]] std::uint64_t all_bytes() const;
};

enum class trace_format { by_name, oracle_general, csv };

/// Reads a trace, `most` requests of it. Throws std::runtime_error with a message for the user where the file can't be read, is
/// none of the format, or is empty.
///
/// oracle_general: libCacheSim's oracleGeneral, records of 24 bytes, little-endian: u32 time, u64 id, u32 size, i64 next.
/// csv: a request a line; the object is in the second column, or in the only one, its bytes in the third, if there is one. Lines that begin with # and, where it has
/// no number for an object, the first are passed over. Columns end at a comma, a semicolon, a tab or a blank.
/// by_name: csv where the name ends in .csv or .txt.
[[nodiscard]] trace read_trace(const std::string& path, trace_format format, std::size_t most);

/// Writes it as oracleGeneral: the times are 0, 1, 2 …, the sizes 4096 where it has none. Throws std::runtime_error.
void write_trace(const std::string& path, const trace& t);

/// The names of traces that can be made.
[[nodiscard]] const std::vector<std::string>& made_traces();
/// One of them: zipf08, zipf10 (popularity falls as rank^-0.8, rank^-1), loop (over a fifth of the objects), scan (zipf09 with
/// scans over a tenth between), mixed (popular objects that change, a loop, and objects that never come again).
[[nodiscard]] trace make_trace(const std::string& name, std::size_t objects, std::size_t requests);

/// The names of distributions that sizes can be drawn from.
[[nodiscard]] const std::vector<std::string>& drawn_sizes();
/// Gives each object a size by its number, whatever it had: the same in each run. pages: 4096 bytes; uniform: 1 to 4096; some_raw: a
/// fifth of the objects 4096, the others 200 to 2247; halves: 4096 down to 64, each half as large twice as often.
void draw_sizes(trace& t, const std::string& name);

/// What an LRU cache of so many objects lets through.
[[nodiscard]] trace filtered(const trace& t, std::size_t cache_size);

} // namespace pagefold::replay
