// SPDX-License-Identifier: MIT
#include "clone_images.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace pagefold::measure {
namespace of_clone_dumps { // sources are compiled together
namespace {

namespace fs = std::filesystem;
constexpr std::size_t bytes_a_page = clone_image::page_bytes, chunk_pages = 16;

std::ifstream open(const fs::path& file, std::size_t bytes) {
    std::error_code error;
    std::ifstream in(file, std::ios::binary);
    if (!in || fs::file_size(file, error) != bytes || error) {
        throw std::runtime_error("clones: " + file.string() + " can't be read, or is not as long as the template");
    }
    return in;
}

void read(std::ifstream& from, const fs::path& file, std::byte* to, std::size_t bytes) {
    if (!from.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(bytes))) {
        throw std::runtime_error("clones: cannot read " + file.string());
    }
}

clone_image read_clone(const fs::path& file, const clone_family& of) {
    std::ifstream in = open(file, of.pages * bytes_a_page);
    std::vector<std::byte> chunk(chunk_pages * bytes_a_page);
    clone_image made;
    for (std::size_t first = 0; first < of.pages; first += chunk_pages) {
        const std::size_t count = std::min(chunk_pages, of.pages - first);
        read(in, file, chunk.data(), count * bytes_a_page);
        for (std::size_t i = 0; i < count; ++i) {
            if (const std::byte* const page = chunk.data() + i * bytes_a_page; !of.is_equal(first + i, page)) {
                made.add(first + i, page);
            }
        }
    }
    return made;
}

} // namespace
} // namespace of_clone_dumps

clone_family read_clone_dumps(const std::string& folder) {
    using namespace of_clone_dumps;
    std::error_code error;
    const fs::path file = fs::path{folder} / "template.pages";
    const std::uintmax_t bytes = fs::file_size(file, error);
    if (error || bytes == 0 || bytes % bytes_a_page != 0) {
        throw std::runtime_error("clones: no whole pages in " + file.string());
    }
    clone_family made;
    made.pages = bytes / bytes_a_page;
    made.memory = support::huge_buffer(made.pages * bytes_a_page);
    std::ifstream in = open(file, made.pages * bytes_a_page);
    read(in, file, made.memory.data(), made.pages * bytes_a_page);

    std::vector<fs::path> files;
    for (const fs::directory_entry& one : fs::directory_iterator(folder, error)) {
        if (one.path().extension() == ".pages") {
            files.push_back(one.path());
        }
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& one : files) {
        const std::string name = one.filename().string();
        if (name.starts_with("clone")) {
            made.clones.push_back(read_clone(one, made));
        } else if (name.starts_with("idle")) {
            made.idle.push_back(read_clone(one, made));
        }
    }
    if (made.clones.empty()) {
        throw std::runtime_error("clones: no clone*.pages in " + folder);
    }
    return made;
}

} // namespace pagefold::measure
