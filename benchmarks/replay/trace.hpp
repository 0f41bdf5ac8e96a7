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
};

enum class trace_format { by_name, oracle_general, csv };

/// Reads a trace, `most` requests of it. Throws std::runtime_error with a message for the user where the file can't be read, is
/// none of the format, or is empty.
///
/// oracle_general: libCacheSim's oracleGeneral, records of 24 bytes, little-endian: u32 time, u64 id, u32 size, i64 next.
/// csv: a request a line; the object is in the second column, or in the only one. Lines that begin with # and, where it has
/// no number for an object, the first are passed over. Columns end at a comma, a semicolon, a tab or a blank.
/// by_name: csv where the name ends in .csv or .txt.
[[nodiscard]] trace read_trace(const std::string& path, trace_format format, std::size_t most);

/// Writes it as oracleGeneral: the times are 0, 1, 2 …, the sizes 4096. Throws std::runtime_error.
void write_trace(const std::string& path, const trace& t);

/// The names of traces that can be made.
[[nodiscard]] const std::vector<std::string>& made_traces();
/// One of them: zipf08, zipf10 (popularity falls as rank^-0.8, rank^-1), loop (over a fifth of the objects), scan (zipf09 with
/// scans over a tenth between), mixed (popular objects that change, a loop, and objects that never come again).
[[nodiscard]] trace make_trace(const std::string& name, std::size_t objects, std::size_t requests);

/// What an LRU cache of so many objects lets through.
[[nodiscard]] trace filtered(const trace& t, std::size_t cache_size);

} // namespace pagefold::replay
