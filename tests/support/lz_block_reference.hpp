// SPDX-License-Identifier: MIT
#pragma once

// The LZ4 block format byte by byte, straight from its description: what a decoder must do with any bytes.

#include <pagefold/core/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace pagefold::testing::lz_reference {

struct sequence {
    std::vector<std::byte> literals;
    std::size_t offset = 0; ///< 0 in the last sequence, which has no match
    std::size_t length = 0;
};

/// The stream of the sequences; what is not possible in the format, such as an offset of 0, is written all the same.
[[nodiscard]] inline std::vector<std::byte> write(const std::vector<sequence>& sequences) {
    std::vector<std::byte> out;
    const auto put = [&](std::size_t byte) { out.push_back(static_cast<std::byte>(byte)); };
    const auto put_more = [&](std::size_t length) {
        for (; length >= 255; length -= 255) {
            put(255);
        }
        put(length);
    };
    for (std::size_t i = 0; i < sequences.size(); ++i) {
        const auto& [literals, offset, length] = sequences[i];
        const bool is_last = i + 1 == sequences.size();
        const std::size_t more = is_last ? 0 : length - 4;
        put((literals.size() < 15 ? literals.size() : 15) << 4 | (more < 15 ? more : 15));
        if (literals.size() >= 15) {
            put_more(literals.size() - 15);
        }
        out.insert(out.end(), literals.begin(), literals.end());
        if (!is_last) {
            put(offset & 0xff);
            put(offset >> 8);
            if (more >= 15) {
                put_more(more - 15);
            }
        }
    }
    return out;
}

/// The sequences of a stream; nothing if it ends within one, repeats what was not written, or passes `limit` bytes.
/// `first_offset` is the least offset that passes.
[[nodiscard]] inline std::optional<std::vector<sequence>> parse(byte_view stream, std::size_t limit,
                                                                std::size_t first_offset = 1) {
    std::vector<sequence> sequences;
    std::size_t at = 0, written = 0;
    const auto byte = [&] { return std::to_integer<std::size_t>(stream.data()[at++]); };
    const auto add_more = [&](std::size_t& length) {
        std::size_t more = 255;
        while (more == 255) {
            if (at == stream.size()) {
                return false;
            }
            more = byte();
            length += more;
        }
        return true;
    };
    while (at != stream.size()) {
        const std::size_t token = byte();
        std::size_t literals = token >> 4;
        if ((literals == 15 && !add_more(literals)) || literals > stream.size() - at || literals > limit - written) {
            return std::nullopt;
        }
        sequence& next = sequences.emplace_back();
        next.literals.assign(stream.data() + at, stream.data() + at + literals);
        at += literals;
        written += literals;
        if (at == stream.size()) {
            return sequences;
        }
        if (stream.size() - at < 2) {
            return std::nullopt;
        }
        next.offset = byte();
        next.offset |= byte() << 8;
        next.length = (token & 15) + 4;
        if ((next.length == 19 && !add_more(next.length)) || next.offset < first_offset || next.offset > written ||
            next.length > limit - written) {
            return std::nullopt;
        }
        written += next.length;
    }
    return std::nullopt;
}

[[nodiscard]] inline std::vector<std::byte> expand(const std::vector<sequence>& sequences) {
    std::vector<std::byte> page;
    for (const auto& [literals, offset, length] : sequences) {
        page.insert(page.end(), literals.begin(), literals.end());
        for (std::size_t i = 0; i < length; ++i) {
            page.push_back(page[page.size() - offset]);
        }
    }
    return page;
}

/// The page of `size` bytes that the stream stands for; nothing if it does for none.
[[nodiscard]] inline std::optional<std::vector<std::byte>> decode(byte_view stream, std::size_t size) {
    const auto sequences = parse(stream, size);
    if (!sequences) {
        return std::nullopt;
    }
    std::vector<std::byte> page = expand(*sequences);
    return page.size() == size ? std::optional{page} : std::nullopt;
}

} // namespace pagefold::testing::lz_reference
