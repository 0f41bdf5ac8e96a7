// SPDX-License-Identifier: MIT
#include "class_sampling.hpp"

#include "process_memory.hpp"
#include "workloads.hpp"

#include <fstream>

namespace pagefold::corpus {

namespace fs = std::filesystem;

std::string program(const std::string& name) {
    for (const char* folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
        if (fs::exists(folder + name)) {
            return folder + name;
        }
    }
    throw skipped(name + " is not installed");
}

page_sample sample_when_ready(child_process& child, const std::string& name, std::size_t wanted) {
    if (!child.wait_for_line(ready_line, patience)) {
        throw skipped(name + " did not finish its work");
    }
    if (!child.stop()) {
        throw skipped(name + " ended");
    }
    return sample_process(child.id(), wanted);
}

void run(const std::vector<std::string>& arguments, const fs::path& folder, const char* complaint) {
    child_process child(arguments, folder);
    if (!child.wait_for_exit(patience)) {
        throw skipped(complaint);
    }
}

void write_text(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

} // namespace pagefold::corpus
