// SPDX-License-Identifier: MIT
#include "trace.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pagefold::replay {
namespace {

constexpr std::size_t record_bytes = 24;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
    throw std::runtime_error{path + ": " + what};
}

/// Numbers ids in the order in which they come.
class numbering {
public:
    explicit numbering(trace& into) : into_{into} {}
    void add(std::uint64_t id, std::uint64_t bytes, const std::string& path) {
        const auto [at, is_new] = numbers_.try_emplace(id, static_cast<std::uint32_t>(numbers_.size()));
        if (is_new && numbers_.size() == std::numeric_limits<std::uint32_t>::max()) {
            fail(path, "more than 4294967294 objects");
        }
        into_.requests.push_back(at->second);
        into_.objects = numbers_.size();
        if (bytes != 0) {
            into_.bytes.resize(numbers_.size());
            std::uint32_t& known = into_.bytes[at->second];
            constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
            known = known != 0 ? known : static_cast<std::uint32_t>(bytes < most ? bytes : most);
        }
    }

private:
    trace& into_;
    std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

[[nodiscard]] bool ends_with(const std::string& text, std::string_view end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}
/// What a file that begins so was compressed with; null for nothing that is known.
[[nodiscard]] const char* compressed_with(const std::array<unsigned char, 4>& head) {
    if (head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd) {
        return "zstd";
    }
    return head[0] == 0x1f && head[1] == 0x8b ? "gzip" : nullptr;
}
[[nodiscard]] std::uint64_t little_endian(const char* bytes, unsigned count) {
    std::uint64_t value = 0;
    for (unsigned i = count; i > 0; --i) {
        value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
    }
    return value;
}

void read_oracle(std::ifstream& file, const std::string& path, std::size_t most, trace& t) {
    numbering numbers{t};
    std::vector<char> buffer(record_bytes * 4096);
    while (t.requests.size() < most) {
        file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        const std::size_t got = static_cast<std::size_t>(file.gcount());
        for (std::size_t at = 0; at + record_bytes <= got && t.requests.size() < most; at += record_bytes) {
            numbers.add(little_endian(buffer.data() + at + 4, 8), little_endian(buffer.data() + at + 12, 4), path);
        }
        if (got % record_bytes != 0 && t.requests.size() < most) {
            fail(path, "ends within a record: " + std::to_string(got % record_bytes) +
                           " bytes are left behind the last whole one of 24. Is it oracleGeneral?");
        }
        if (got < buffer.size()) {
            break;
        }
    }
}
/// A column of a line: 0, 1, 2 …; empty where there is none.
[[nodiscard]] std::string_view column_of(std::string_view line, unsigned column) {
    constexpr std::string_view ends = ",;\t ";
    for (; column != 0; --column) {
        const std::size_t end = line.find_first_of(ends);
        const std::size_t next = end != std::string_view::npos ? line.find_first_not_of(ends, end) : end;
        line = next != std::string_view::npos ? line.substr(next) : std::string_view{};
    }
    return line.substr(0, line.find_first_of(ends));
}
/// False where the column is no number.
[[nodiscard]] bool number_in(std::string_view column, std::uint64_t& number) {
    const auto [stop, error] = std::from_chars(column.data(), column.data() + column.size(), number);
    return error == std::errc{} && stop == column.data() + column.size();
}
void read_csv(std::ifstream& file, const std::string& path, std::size_t most, trace& t) {
    numbering numbers{t};
    std::string line;
    for (std::size_t number = 1; t.requests.size() < most && std::getline(file, line); ++number) {
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        if (line.empty() || line.front() == '#') {
            continue;
        }
        std::uint64_t id = 0, bytes = 0;
        const bool is_alone = line.find_first_of(",;\t ") == std::string::npos;
        if (number_in(column_of(line, is_alone ? 0 : 1), id)) {
            numbers.add(id, number_in(column_of(line, 2), bytes) ? bytes : 0, path);
        } else if (number != 1) {
            fail(path, "line " + std::to_string(number) + " has no number for an object: " + line.substr(0, 60));
        }
    }
}

} // namespace

std::uint64_t trace::all_bytes() const {
    std::uint64_t sum = 0;
    for (std::size_t object = 0; object < objects; ++object) {
        sum += bytes_of(static_cast<std::uint32_t>(object));
    }
    return sum;
}

trace read_trace(const std::string& path, trace_format format, std::size_t most) {
    std::ifstream file{path, std::ios::binary};
    std::array<unsigned char, 4> head{};
    if (!file || (!file.read(reinterpret_cast<char*>(head.data()), head.size()) && file.bad())) {
        fail(path, std::string{"cannot be read: "} + std::strerror(errno));
    }
    if (file.gcount() == 0) {
        fail(path, "is empty, or no file");
    }
    if (const char* const codec = compressed_with(head); codec != nullptr) {
        fail(path, std::string{"is compressed with "} + codec + ": unpack it first");
    }
    file.clear();
    file.seekg(0);
    if (format == trace_format::by_name) {
        format = ends_with(path, ".csv") || ends_with(path, ".txt") ? trace_format::csv : trace_format::oracle_general;
    }
    trace t;
    (format == trace_format::csv ? read_csv : read_oracle)(file, path, most, t);
    if (t.requests.empty()) {
        fail(path, "has no requests");
    }
    return t;
}

void write_trace(const std::string& path, const trace& t) {
    std::ofstream file{path, std::ios::binary};
    std::array<char, record_bytes> record{};
    std::uint32_t time = 0;
    for (const std::uint32_t object : t.requests) {
        const auto put = [&](std::size_t at, std::uint64_t value, unsigned bytes) {
            for (unsigned i = 0; i < bytes; ++i) {
                record[at + i] = static_cast<char>(value >> 8 * i & 0xff);
            }
        };
        put(0, time++, 4);
        put(4, object, 8);
        put(12, t.bytes.empty() ? 4096 : t.bytes_of(object), 4);
        put(16, ~std::uint64_t{0}, 8); // unknown
        file.write(record.data(), record.size());
    }
    file.close();
    if (!file) {
        fail(path, std::string{"cannot be written: "} + std::strerror(errno));
    }
}

} // namespace pagefold::replay
