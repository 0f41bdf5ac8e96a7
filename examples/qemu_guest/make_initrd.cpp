// SPDX-License-Identifier: MIT

// make_initrd INIT FILE: an initial file system for Linux, in the cpio format "newc"
// (Documentation/driver-api/early-userspace/buffer-format.rst): /init, and the console that the kernel opens for it.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string padded(std::string bytes) {
    bytes.resize((bytes.size() + 3) / 4 * 4, '\0');
    return bytes;
}

struct entry {
    const char* name;
    unsigned mode = 0; ///< as stat(2) has it
    unsigned major = 0, minor = 0;
    std::string content{};
};

std::string packed(const entry& e, unsigned number) {
    const std::string name = e.name;
    char head[6 + 13 * 8 + 1];
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    std::snprintf(head, sizeof head, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", number, e.mode, 0u,
                  0u, 1u, 0u, e.content.size(), 0u, 0u, e.major, e.minor, name.size() + 1, 0u);
    return padded(head + name + '\0') + padded(e.content);
}

} // namespace

int main(int count, char** values) {
    std::ifstream in{count == 3 ? values[1] : "", std::ios::binary};
    if (!in) {
        std::fprintf(stderr, "usage: make_initrd INIT FILE\n");
        return 2;
    }
    const std::string init{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    const entry entries[] = {
        {"dev", 0040755}, {"dev/console", 0020600, 5, 1}, {"init", 0100755, 0, 0, init}, {"TRAILER!!!"}};
    std::string archive;
    unsigned number = 1;
    for (const entry& e : entries) {
        archive += packed(e, number++);
    }
    std::ofstream out{values[2], std::ios::binary | std::ios::trunc};
    out << archive;
    out.close();
    if (!out) {
        std::fprintf(stderr, "make_initrd: %s can't be written\n", values[2]);
        return 1;
    }
    return 0;
}
