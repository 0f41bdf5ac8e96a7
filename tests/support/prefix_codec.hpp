// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pagefold::testing {

/// A codec of few instructions, for tests that step through them. The first word of a page says how many bytes of it are
/// worth keeping, 16 at least; the rest are zeros. A page whose first word says nothing such is kept raw.
struct prefix_codec {
    [[nodiscard]] std::size_t scratch_size(std::size_t) const noexcept { return 64; }
    [[nodiscard]] status prepare(byte_span) const noexcept { return status::ok; }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return n; }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        const std::uint64_t size = load_native<std::uint64_t>(in.data());
        if (size < 16 || size >= in.size()) {
            return status::incompressible;
        }
        std::memcpy(out.data(), in.data(), size);
        return static_cast<std::size_t>(size);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span) const noexcept {
        if (in.size() < 16 || in.size() >= out.size() || load_native<std::uint64_t>(in.data()) != in.size()) {
            return status::corrupt;
        }
        std::memcpy(out.data(), in.data(), in.size());
        std::memset(out.data() + in.size(), 0, out.size() - in.size());
        return status::ok;
    }
};

using prefix_page = std::array<std::byte, 4096>;

/// A page that prefix_codec keeps in `size` bytes, or, with 4096, raw; every word of them follows from the name.
inline void write_prefix_page(prefix_page& page, std::uint64_t size, std::uint64_t name) noexcept {
    page.fill(std::byte{0});
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
        const std::uint64_t word = at == 0 ? size : name * 0x9e3779b97f4a7c15u + at;
        std::memcpy(page.data() + at, &word, 8);
    }
}
[[nodiscard]] inline bool is_prefix_page(const prefix_page& page, std::uint64_t size, std::uint64_t name) noexcept {
    prefix_page expected;
    write_prefix_page(expected, size, name);
    return page == expected;
}

} // namespace pagefold::testing
