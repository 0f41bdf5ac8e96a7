// SPDX-License-Identifier: MIT
#pragma once

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

} // namespace pagefold::corpus
