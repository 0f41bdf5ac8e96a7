// SPDX-License-Identifier: MIT
#pragma once

#include "child_process.hpp"
#include "page_sample.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

// What classes have in common: finding programs, running them until they are ready, and giving up with a reason.

namespace pagefold::corpus {

inline constexpr std::chrono::seconds patience{120};

/// Why a class cannot be made here.
struct skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The system's own program of that name; what a user put into PATH is not asked. Throws skipped.
[[nodiscard]] std::string program(const std::string& name);

/// Pages of a program that has printed the ready line. Throws skipped.
[[nodiscard]] page_sample sample_when_ready(child_process& child, const std::string& name, std::size_t wanted);

/// Runs a program that ends by itself. Throws skipped, with `complaint`, when it fails.
void run(const std::vector<std::string>& arguments, const std::filesystem::path& folder, const char* complaint);

void write_text(const std::filesystem::path& file, const std::string& text);

} // namespace pagefold::corpus
