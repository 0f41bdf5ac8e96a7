// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace page_report {

/// A file that is open, for reading unless told otherwise, or not.
class unique_file {
public:
    unique_file() = default;
    explicit unique_file(const std::string& path, int flags = O_RDONLY | O_NONBLOCK)
        : id_{open(path.c_str(), flags | O_CLOEXEC)} {}
    unique_file(unique_file&& other) noexcept : id_{std::exchange(other.id_, -1)} {}
    unique_file& operator=(unique_file&& other) noexcept {
        std::swap(id_, other.id_);
        return *this;
    }
    ~unique_file() {
        if (id_ >= 0) {
            close(id_);
        }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return id_ >= 0; }
    [[nodiscard]] int id() const noexcept { return id_; }

private:
    int id_ = -1;
};

} // namespace page_report
