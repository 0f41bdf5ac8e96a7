// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

// What the programs behind the classes are told to do. Each gives enough memory for a class of some thousand pages, the
// same on every run with the same versions of the programs.

namespace pagefold::corpus {

/// Printed by a program that has done its work and waits.
inline constexpr char ready_line[] = "ready";

/// Syntax trees, strings and dictionaries out of the interpreter's own library.
[[nodiscard]] std::string python_program();
[[nodiscard]] std::string perl_program();
[[nodiscard]] std::string javascript_program();

/// A translation unit heavy with templates.
[[nodiscard]] std::string cpp_source();

/// Customers, orders and events, with indexes, updates and deletions. Another `seed` gives other rows.
[[nodiscard]] std::string sql_script(unsigned seed, unsigned customers);

// The held-out classes: none of these programs, data and words is above.

/// A translation unit of C++17: shortest paths in many kinds of graph.
[[nodiscard]] std::string graph_source();

/// A booking system: objects, maps and strings of a Java virtual machine. A whole source file, of class Ledger.
[[nodiscard]] std::string java_program();

/// Lists, dictionaries and matrices of a Tcl interpreter.
[[nodiscard]] std::string tcl_program();

/// Lua that a Redis server runs: strings, hashes, lists and sorted sets.
[[nodiscard]] std::string redis_script();

/// Arrays of numbers: a random walk, measurements with noise, a matrix, a histogram.
[[nodiscard]] std::string numbers_program();

/// Lines of a web server's log.
[[nodiscard]] std::string log_lines(std::size_t bytes);

} // namespace pagefold::corpus
