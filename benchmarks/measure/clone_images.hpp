// SPDX-License-Identifier: MIT
#pragma once

#include "../support/huge_buffer.hpp"

#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace pagefold::measure {

/// Pages that are not the template's, by their numbers.
struct clone_image {
    static constexpr std::size_t page_bytes = 4096;

    std::vector<std::size_t> numbers;
    std::vector<std::byte> content;

    [[nodiscard]] std::size_t size() const { return numbers.size(); }
    [[nodiscard]] byte_view page(std::size_t i) const { return {content.data() + i * page_bytes, page_bytes}; }
    void add(std::size_t number, const std::byte* page) {
        numbers.push_back(number);
        content.insert(content.end(), page, page + page_bytes);
    }
};

/// A template and its clones.
struct clone_family {
    std::size_t pages = 0; ///< of the template
    support::huge_buffer memory;
    std::vector<clone_image> clones;
    std::vector<clone_image> idle; ///< that have only started; may be none

    [[nodiscard]] const std::byte* page(std::size_t i) const { return memory.data() + i * clone_image::page_bytes; }
    [[nodiscard]] bool is_equal(std::size_t i, const std::byte* to) const {
        return std::memcmp(page(i), to, clone_image::page_bytes) == 0;
    }
};

/// What dumps in a folder have: `template.pages`, `clone*.pages` and, if there are any, `idle*.pages`; each is all memory of a guest,
/// page by page, and all are of one size. Throws std::runtime_error where one isn't, or can't be read.
[[nodiscard]] clone_family read_clone_dumps(const std::string& folder);

} // namespace pagefold::measure
