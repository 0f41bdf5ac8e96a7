// SPDX-License-Identifier: MIT
#pragma once

#include "page_input.hpp"
#include "unique_file.hpp"

#include <string>
#include <vector>

namespace page_report {

/// The pages of a regular file, as the page cache holds them: the last one ends in zeros.
class file_pages : public page_input {
public:
    /// Throws `failure`.
    explicit file_pages(std::string path);

    [[nodiscard]] std::string name() const override { return path_; }
    [[nodiscard]] bool is_process() const override { return false; }
    [[nodiscard]] std::uint64_t pages() const override { return pages_; }
    [[nodiscard]] outcome copy(std::uint64_t which, std::byte* to) override;
    [[nodiscard]] std::string describe(std::uint64_t which) const override;
    [[nodiscard]] std::string why_gone() const override { return why_gone_; }

private:
    std::string path_;
    unique_file file_;
    std::uint64_t pages_ = 0;
    std::string why_gone_;
};

/// The pages of all regular files below a folder, behind one another. Unreadable ones are passed over; of a large folder
/// only a part is listed.
class folder_pages : public page_input {
public:
    explicit folder_pages(std::string path);

    [[nodiscard]] std::string name() const override { return path_ + "/*"; }
    [[nodiscard]] bool is_process() const override { return false; }
    [[nodiscard]] std::uint64_t pages() const override { return files_.empty() ? 0 : files_.back().last; }
    [[nodiscard]] outcome copy(std::uint64_t which, std::byte* to) override;
    [[nodiscard]] std::string describe(std::uint64_t which) const override;
    [[nodiscard]] std::string why_gone() const override { return path_ + ": it is gone"; }
    /// Neighbours cost one seek and one look-up of a name.
    [[nodiscard]] std::uint64_t run_length() const override { return 16; }

private:
    struct listed_file {
        std::string path;
        std::uint64_t first; ///< its pages, counted over the whole folder
        std::uint64_t last;
    };

    [[nodiscard]] const listed_file& file_of(std::uint64_t which) const;

    std::string path_;
    std::vector<listed_file> files_;
    unique_file open_;
    const listed_file* opened_ = nullptr;
};

} // namespace page_report
