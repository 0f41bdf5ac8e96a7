// SPDX-License-Identifier: MIT
#include "file_pages.hpp"

#include <algorithm>
#include <fstream>

namespace pagefold::corpus {

namespace fs = std::filesystem;

std::vector<fs::path> find_files(const std::vector<fs::path>& folders, std::size_t least_bytes,
                                 const file_filter& filter) {
    std::vector<fs::path> found;
    for (const fs::path& folder : folders) {
        std::error_code error;
        fs::recursive_directory_iterator walk(folder, fs::directory_options::skip_permission_denied, error);
        for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
            std::error_code ignored;
            if (walk->is_symlink(ignored) || !walk->is_regular_file(ignored) ||
                walk->file_size(ignored) < least_bytes) {
                continue;
            }
            std::vector<char> head(page_bytes);
            std::ifstream file(walk->path(), std::ios::binary);
            file.read(head.data(), static_cast<std::streamsize>(head.size()));
            head.resize(static_cast<std::size_t>(file.gcount()));
            if (filter(walk->path(), head)) {
                found.push_back(walk->path());
            }
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

page_sample sample_files(const std::vector<fs::path>& files, std::size_t wanted) {
    std::vector<std::size_t> first_page{0};
    for (const fs::path& file : files) {
        std::error_code error;
        const std::uintmax_t size = fs::file_size(file, error);
        first_page.push_back(first_page.back() + (error ? 0 : (size + page_bytes - 1) / page_bytes));
    }
    const std::size_t available = first_page.back();

    page_sample sample;
    std::size_t at = 0;
    std::ifstream file;
    std::size_t opened = files.size();
    for (std::size_t i = 0; i < std::min(wanted, available); ++i) {
        const std::size_t page = spread(i, wanted, available);
        while (first_page[at + 1] <= page) {
            ++at;
        }
        if (opened != at) {
            file = std::ifstream(files[at], std::ios::binary);
            opened = at;
        }
        file.clear();
        file.seekg(static_cast<std::streamoff>((page - first_page[at]) * page_bytes));
        file.read(sample.add_page(), static_cast<std::streamsize>(page_bytes));
        if (file.gcount() == 0) {
            sample.drop_last_page();
        }
    }
    return sample;
}

} // namespace pagefold::corpus
