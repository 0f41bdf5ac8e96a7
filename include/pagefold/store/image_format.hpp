// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/core/little_endian.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/store/kept_page.hpp>
#include <pagefold/store/pool_cursor.hpp>

#include <cstddef>
#include <cstdint>

// The bytes of an image: a header, and frames behind it. docs/images.md has the tables.
//
// All words are little-endian, at any address. The header's check is bound to what it is; a frame's checks are bound to the image's id
// and to the frame's number. So a frame that was cut, damaged, left out, doubled, exchanged or taken from another image is not the
// one that is expected. A frame's head has a check of its own: whoever wants to can pass over one whose payload is damaged. The checks
// are against accidents. Who can write an image can make one that passes, and so nothing that passes is believed to be well
// formed.
//
// Version 1. A reader refuses a version that it doesn't know with `invalid`.

namespace pagefold::inline PAGEFOLD_ABI {

/// What an image says of itself.
struct image_header {
    std::uint64_t id = 0;    ///< of the image; the host's
    std::uint64_t codec = 0; ///< which streams (core/stream_format.hpp)
    std::uint64_t delta = 0; ///< which deltas; 0: none
    std::uint32_t page_size = 0;
    std::uint32_t most_payload = 0; ///< bytes of the longest frame, without its head
    bool has_values = false;        ///< of a store of values
};

/// What a frame is.
enum class image_frame : std::uint8_t {
    pool = 1, ///< a pool begins: whose child it is, what its host calls it
    pages,    ///< pages of a pool, and where the walk stands behind them
    pool_end, ///< that was all of the pool
    round,    ///< of a migration: a round begins; the marks are cleared
    marks,    ///< of which keys pages may have changed
    sweep,    ///< the pages of a pool with these marks go, and come again behind this
    end       ///< that was all
};

/// The head of a frame.
struct image_frame_head {
    image_frame kind = image_frame::end;
    std::uint32_t payload = 0; ///< bytes behind the head
    std::uint64_t sequence = 0;
    std::uint32_t pool = 0;  ///< the pool's number in the image
    std::uint32_t count = 0; ///< of pages, or of marked words
};

/// A pool as an image has it.
struct image_pool_info {
    static constexpr std::uint32_t no_parent = 0xffffffff;
    static constexpr std::uint32_t parent_elsewhere = 0xfffffffe; ///< not in this image; `parent_tag` says which

    std::uint32_t number = 0; ///< in the image, from 0; a parent has a lower one than its children
    std::uint64_t tag = 0;    ///< the host's name for it
    std::uint64_t parent_tag = 0;
    std::uint32_t parent = no_parent; ///< its number
    pool_kind kind = pool_kind::persistent;
    bool is_sealed = false;
};

namespace image_format {

inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t header_bytes = 64, head_bytes = 40, pool_bytes = 24, cursor_bytes = 24, total_bytes = 8;
inline constexpr std::size_t most_record_bytes = 48;       ///< of a page, without its stream
inline constexpr std::uint64_t magic = 0x1a4547414d494650; // "PFIMAGE" and a byte that ends a text
inline constexpr std::uint32_t frame_magic = 0x464650;     // "PFF", and the kind behind it
inline constexpr std::uint32_t flag_values = 1;
inline constexpr std::uint64_t header_seed = 0x696d616765686561, head_seed = 0x6672616d65686561,
                               payload_seed = 0x6672616d65706179;

inline void store_header(std::byte* to, const image_header& h) noexcept {
    fill_bytes(to, 0, header_bytes);
    little_endian::store(to, magic);
    little_endian::store(to + 8, version);
    little_endian::store(to + 12, h.page_size);
    little_endian::store(to + 16, h.id);
    little_endian::store(to + 24, h.codec);
    little_endian::store(to + 32, h.delta);
    little_endian::store(to + 40, h.has_values ? flag_values : std::uint32_t{0});
    little_endian::store(to + 44, h.most_payload);
    little_endian::store(to + 56, checksum({to, header_bytes - 8}, header_seed));
}
/// corrupt: it is none, or damaged. invalid: of a version that is not known here.
[[nodiscard]] inline status load_header(const std::byte* from, image_header& h) noexcept {
    if (little_endian::load<std::uint64_t>(from) != magic ||
        little_endian::load<std::uint64_t>(from + 56) != checksum({from, header_bytes - 8}, header_seed)) {
        return status::corrupt;
    }
    const auto flags = little_endian::load<std::uint32_t>(from + 40);
    if (little_endian::load<std::uint32_t>(from + 8) != version || (flags & ~flag_values) != 0 ||
        little_endian::load<std::uint64_t>(from + 48) != 0) {
        return status::invalid;
    }
    h.page_size = little_endian::load<std::uint32_t>(from + 12);
    h.id = little_endian::load<std::uint64_t>(from + 16);
    h.codec = little_endian::load<std::uint64_t>(from + 24);
    h.delta = little_endian::load<std::uint64_t>(from + 32);
    h.has_values = flags != 0;
    h.most_payload = little_endian::load<std::uint32_t>(from + 44);
    return status::ok;
}

[[nodiscard]] inline std::uint64_t seed_of(std::uint64_t id, std::uint64_t sequence, std::uint64_t what) noexcept {
    return mix(id ^ what, sequence);
}
/// Writes the head of a frame, whose payload lies behind it.
inline void store_head(std::byte* to, const image_frame_head& h, std::uint64_t id) noexcept {
    little_endian::store(to, frame_magic | std::uint32_t{static_cast<std::uint8_t>(h.kind)} << 24);
    little_endian::store(to + 4, h.count);
    little_endian::store(to + 8, h.sequence);
    little_endian::store(to + 16, h.payload);
    little_endian::store(to + 20, h.pool);
    little_endian::store(to + 24, checksum({to + head_bytes, h.payload}, seed_of(id, h.sequence, payload_seed)));
    little_endian::store(to + 32, checksum({to, head_bytes - 8}, seed_of(id, h.sequence, head_seed)));
}
/// corrupt: it is not the head of this frame of this image.
[[nodiscard]] inline status load_head(const std::byte* from, std::uint64_t id, std::uint64_t sequence,
                                      image_frame_head& h) noexcept {
    const auto first = little_endian::load<std::uint32_t>(from);
    h.kind = static_cast<image_frame>(first >> 24);
    h.count = little_endian::load<std::uint32_t>(from + 4);
    h.sequence = little_endian::load<std::uint64_t>(from + 8);
    h.payload = little_endian::load<std::uint32_t>(from + 16);
    h.pool = little_endian::load<std::uint32_t>(from + 20);
    const bool is_good = (first & 0xffffff) == frame_magic && h.sequence == sequence && h.kind >= image_frame::pool &&
                         h.kind <= image_frame::end &&
                         little_endian::load<std::uint64_t>(from + 32) ==
                             checksum({from, head_bytes - 8}, seed_of(id, sequence, head_seed));
    return is_good ? status::ok : status::corrupt;
}
/// Of the payload that lies behind a head that load_head took.
[[nodiscard]] inline bool is_payload_good(const std::byte* head, const image_frame_head& h, std::uint64_t id) noexcept {
    return little_endian::load<std::uint64_t>(head + 24) ==
           checksum({head + head_bytes, h.payload}, seed_of(id, h.sequence, payload_seed));
}

inline void store_pool(std::byte* to, const image_pool_info& pool) noexcept {
    little_endian::store(to, pool.tag);
    little_endian::store(to + 8, pool.parent_tag);
    little_endian::store(to + 16, pool.parent);
    little_endian::store(to + 20,
                         (pool.kind == pool_kind::ephemeral ? std::uint32_t{1} : 0u) | (pool.is_sealed ? 2u : 0u));
}
[[nodiscard]] inline status load_pool(byte_view from, std::uint32_t number, image_pool_info& pool) noexcept {
    if (from.size() != pool_bytes) {
        return status::corrupt;
    }
    const auto flags = little_endian::load<std::uint32_t>(from.data() + 20);
    pool.number = number;
    pool.tag = little_endian::load<std::uint64_t>(from.data());
    pool.parent_tag = little_endian::load<std::uint64_t>(from.data() + 8);
    pool.parent = little_endian::load<std::uint32_t>(from.data() + 16);
    pool.kind = (flags & 1u) != 0 ? pool_kind::ephemeral : pool_kind::persistent;
    pool.is_sealed = (flags & 2u) != 0;
    const bool is_good = flags <= 2 && number < image_pool_info::parent_elsewhere &&
                         (pool.parent < number || pool.parent >= image_pool_info::parent_elsewhere) &&
                         !(pool.is_sealed && pool.parent != image_pool_info::no_parent);
    return is_good ? status::ok : status::corrupt;
}

inline void store_cursor(std::byte* to, const pool_cursor& at) noexcept {
    little_endian::store(to, at.route);
    little_endian::store(to + 4, at.partition);
    little_endian::store(to + 8, at.below);
    little_endian::store(to + 12, at.page);
    little_endian::store(to + 16, at.passes);
    little_endian::store(to + 20, at.passes_left);
}
/// All numbers make a cursor that a walk takes.
inline void load_cursor(const std::byte* from, pool_cursor& at) noexcept {
    at.route = little_endian::load<std::uint32_t>(from);
    at.partition = little_endian::load<std::uint32_t>(from + 4);
    at.below = little_endian::load<std::uint32_t>(from + 8);
    at.page = little_endian::load<std::uint32_t>(from + 12);
    at.passes = little_endian::load<std::uint32_t>(from + 16);
    at.passes_left = little_endian::load<std::uint32_t>(from + 20);
}

// A page: form, flags, bytes of its stream less 1 (of a reference 0), length; then its key, unless it is the one behind the page
// before in this frame; then of a page with a base the base's print, and its key where that isn't the page's own; then the stream.

inline constexpr std::uint8_t flag_next = 1, flag_other_base = 2;

/// Writes what comes before a page's stream; says how many bytes. `before`: the page before in this frame, or null.
[[nodiscard]] inline std::size_t store_page(std::byte* to, const kept_page& page, const kept_page* before) noexcept {
    const bool is_next = before != nullptr && before->object == page.object && before->index + 1 == page.index;
    const bool is_other = page.has_base() && (page.base_object != page.object || page.base_index != page.index);
    const auto flags =
        static_cast<std::uint8_t>((is_next ? flag_next : 0u) | (is_other ? unsigned{flag_other_base} : 0u));
    to[0] = static_cast<std::byte>(page.content);
    to[1] = static_cast<std::byte>(flags);
    little_endian::store(to + 2, static_cast<std::uint16_t>(page.stream - (page.stream != 0 ? 1u : 0u)));
    little_endian::store(to + 4, page.length);
    std::size_t size = 8;
    if (!is_next) {
        little_endian::store(to + size, page.object);
        little_endian::store(to + size + 8, page.index);
        size += 16;
    }
    if (page.has_base()) {
        little_endian::store(to + size, page.base_print);
        size += 8;
    }
    if (is_other) {
        little_endian::store(to + size, page.base_object);
        little_endian::store(to + size + 8, page.base_index);
        size += 16;
    }
    return size;
}
/// Reads what comes before a page's stream, which then lies in `from` as well; says how many bytes. `page` is the page before, where
/// there is one.
[[nodiscard]] inline result<std::size_t> load_page(byte_view from, kept_page& page, bool has_before) noexcept {
    if (from.size() < 8) {
        return status::corrupt;
    }
    const auto form = static_cast<std::uint8_t>(from[0]), flags = static_cast<std::uint8_t>(from[1]);
    const auto content = static_cast<page_content>(form);
    if (form > static_cast<std::uint8_t>(page_content::delta) || (flags & ~3u) != 0) {
        return status::corrupt;
    }
    const kept_page before = page;
    page = {};
    page.content = content;
    const std::uint32_t size = little_endian::load<std::uint16_t>(from.data() + 2);
    page.stream = content == page_content::reference ? size : size + 1;
    page.length = little_endian::load<std::uint32_t>(from.data() + 4);
    const bool is_next = (flags & flag_next) != 0, is_other = (flags & flag_other_base) != 0;
    const std::size_t head = 8u + (is_next ? 0u : 16u) + (page.has_base() ? 8u : 0u) + (is_other ? 16u : 0u);
    if ((is_next && !has_before) || (is_other && !page.has_base()) || from.size() < head ||
        from.size() - head < page.stream) {
        return status::corrupt;
    }
    const std::byte* at = from.data() + 8;
    page.object = is_next ? before.object : little_endian::load<std::uint64_t>(at);
    page.index = is_next ? before.index + 1 : little_endian::load<std::uint64_t>(at + 8);
    at += is_next ? 0 : 16;
    if (page.has_base()) {
        page.base_print = little_endian::load<std::uint64_t>(at);
        page.base_object = is_other ? little_endian::load<std::uint64_t>(at + 8) : page.object;
        page.base_index = is_other ? little_endian::load<std::uint64_t>(at + 16) : page.index;
    }
    return head;
}

} // namespace image_format

} // namespace pagefold
