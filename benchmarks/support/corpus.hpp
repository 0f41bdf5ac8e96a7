// SPDX-License-Identifier: MIT
#pragma once

#include "huge_buffer.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace pagefold::support {

/// One file of a corpus.
struct page_class {
    std::string name;  ///< of the file, without its ending: `anon_*` is process memory, `file_*` page cache
    std::size_t first; ///< number of its first page in the corpus
    std::size_t count;

    [[nodiscard]] bool is_process_memory() const { return name.starts_with("anon"); }
};

/// The pages of a folder of `*.pages` files, one class a file, in memory.
class corpus {
public:
    static constexpr std::size_t page_bytes = 4096;

    /// Throws std::runtime_error when the folder has no pages or cannot be read.
    [[nodiscard]] static corpus load(const std::filesystem::path& folder) {
        namespace fs = std::filesystem;
        corpus loaded;
        std::vector<fs::path> files;
        std::error_code error;
        for (const fs::directory_entry& file : fs::directory_iterator(folder, error)) {
            if (file.path().extension() == ".pages") {
                files.push_back(file.path());
            }
        }
        std::sort(files.begin(), files.end());
        for (const fs::path& file : files) {
            const std::size_t count = fs::file_size(file) / page_bytes;
            loaded.classes_.push_back({file.stem().string(), loaded.size_, count});
            loaded.size_ += count;
        }
        if (loaded.size_ == 0) {
            throw std::runtime_error("no *.pages files in " + folder.string());
        }
        loaded.memory_ = huge_buffer(loaded.size_ * page_bytes);
        for (std::size_t i = 0; i < files.size(); ++i) {
            const page_class& one = loaded.classes_[i];
            std::ifstream file(files[i], std::ios::binary);
            if (!file.read(reinterpret_cast<char*>(loaded.memory_.data() + one.first * page_bytes),
                           static_cast<std::streamsize>(one.count * page_bytes))) {
                throw std::runtime_error("cannot read " + files[i].string());
            }
        }
        return loaded;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const std::byte* page(std::size_t i) const noexcept { return memory_.data() + i * page_bytes; }
    [[nodiscard]] const std::vector<page_class>& classes() const noexcept { return classes_; }

    [[nodiscard]] std::vector<const std::byte*> pages() const {
        return pages_if([](const page_class&) { return true; });
    }
    [[nodiscard]] std::vector<const std::byte*> process_memory() const {
        return pages_if([](const page_class& one) { return one.is_process_memory(); });
    }
    [[nodiscard]] std::vector<const std::byte*> page_cache() const {
        return pages_if([](const page_class& one) { return !one.is_process_memory(); });
    }

private:
    template <class Predicate>
    [[nodiscard]] std::vector<const std::byte*> pages_if(Predicate is_wanted) const {
        std::vector<const std::byte*> chosen;
        for (const page_class& one : classes_) {
            for (std::size_t i = 0; i < one.count && is_wanted(one); ++i) {
                chosen.push_back(page(one.first + i));
            }
        }
        return chosen;
    }

    huge_buffer memory_;
    std::size_t size_ = 0;
    std::vector<page_class> classes_;
};

} // namespace pagefold::support
