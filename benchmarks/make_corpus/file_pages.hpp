// SPDX-License-Identifier: MIT
#pragma once

#include "page_sample.hpp"

#include <filesystem>
#include <functional>
#include <vector>

namespace pagefold::corpus {

/// Says whether a file belongs to a class; `head` is its first page (or less).
using file_filter = std::function<bool(const std::filesystem::path&, const std::vector<char>& head)>;

/// The regular files of at least `least_bytes` under these folders that the filter takes, in order of their paths.
/// Folders that are not there are left out.
[[nodiscard]] std::vector<std::filesystem::path> find_files(const std::vector<std::filesystem::path>& folders,
                                                            std::size_t least_bytes, const file_filter& filter);

/// At most `wanted` pages, taken evenly over the files as the page cache holds them: the last page of a file ends in
/// zeros.
[[nodiscard]] page_sample sample_files(const std::vector<std::filesystem::path>& files, std::size_t wanted);

} // namespace pagefold::corpus
