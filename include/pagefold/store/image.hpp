// SPDX-License-Identifier: MIT
#pragma once

// Saving pools, and restoring them, without compression.
//
// What. An image is a stream of bytes: a header, and frames with pages as the store keeps them. image_writer makes one of pools of
// a store, image_reader puts one into a store; migration_stream.hpp sends one that goes on while its pools are in use. The host has
// a sink, or a source, for the bytes, and hands in all memory.
//
// Promises. (1) A restored pool is equal to the saved one, page by page, where nobody changed it meanwhile: a sealed pool, one
// that is frozen, or one that nobody uses. Of a pool in use every page is one that it had at some time since the begin, and a page that
// was there all the time, and not put, is in the image. (2) Nothing that was damaged is handed on as good: a stream is checked against
// its entry as it leaves, and against its frame as it comes. (3) An image for another codec, another page size or another kind of store
// is `invalid`, and nothing of it is put. (4) Bad bytes are `corrupt` and shortage is no_memory or limit, whatever the bytes are: an image
// is not believed. (5) The bytes are the same on all machines, for the same streams. (6) No page is compressed or decompressed, unless
// `verifies` asks for it (or the allocator of the restoring store has a place for longer streams less than that of the other).
//
// Broken off. Both work by steps of a frame, and each step's outcome is the whole state: a step that failed is made again by the next
// call. Where the object is lost, position() of a writer or a reader tells where to go on: plain numbers.
//
// Cost. Saving: a walk (pool_cursor.hpp) at which the streams are copied, two checksums and another copy a page. Restoring: a
// checksum, and a put without the compression. Both of a page with a base: a look at the base's stream.

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/stream_format.hpp>
#include <pagefold/store/image_format.hpp>
#include <pagefold/store/kept_page.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

// clang-format off
/// Where an image's bytes go. write(bytes) takes all of them, or answers why not; then it is called again with the same bytes, or
/// whoever reads the sink's bytes cuts them where image_position says.
template <class T>
concept image_sink = requires(T& sink, byte_view bytes) {
    { sink.write(bytes) } noexcept -> std::same_as<status>;
};
/// Where an image's bytes come from. read(bytes) fills as many as it has, at least one, and says how many; 0: there are no
/// more. After any other answer the reader goes on where it was.
template <class T>
concept image_source = requires(T& source, byte_span bytes) {
    { source.read(bytes) } noexcept -> std::same_as<result<std::size_t>>;
};
// clang-format on

/// A pool that is to be saved.
struct image_pool {
    pool_id id{};
    std::uint64_t tag = 0;        ///< the host's name for it, which the reader is told
    std::uint64_t parent_tag = 0; ///< of its parent, where that isn't in the same image
    kept_filter range{};          ///< which of its pages
};

/// What a writer is told.
struct image_options {
    /// Tells this image from others: its frames are taken for no other's. A host gives each a random one.
    std::uint64_t id = 1;
    /// The host's number for what a codec's stream_format doesn't tell, or for one that has none: then it must not be 0, or the writer
    /// is `invalid`. The reader has to be told the same.
    std::uint64_t codec = 0;
};

/// Where an image stands, behind the last frame that is whole. Plain numbers.
struct image_position {
    enum class stage : std::uint8_t { header, pool, pages, end, done };

    std::uint64_t bytes = 0;    ///< of the image
    std::uint64_t sequence = 0; ///< of the next frame
    std::uint64_t pages = 0;    ///< of the pool that is under way
    std::uint64_t all_pages = 0;
    std::uint32_t pool = 0; ///< which is under way, or comes next
    stage next = stage::header;
    pool_cursor cursor{}; ///< in that pool; its id is the writer's
};

/// What an image's header says of the codec of a store; 0 where nothing can be said.
template <class Store>
[[nodiscard]] std::uint64_t image_codec(const Store& store, std::uint64_t of_host) noexcept {
    const std::uint64_t own = store.stream_format();
    return of_host == 0 ? own : mix(own, of_host);
}

/// The least of a buffer for a writer, and what one should have: longer frames carry less besides.
[[nodiscard]] constexpr std::size_t least_image_buffer(std::size_t page_size) noexcept {
    return image_format::head_bytes + image_format::cursor_bytes + image_format::most_record_bytes + 2 * page_size;
}
[[nodiscard]] constexpr std::size_t good_image_buffer(std::size_t page_size) noexcept { return 32 * page_size; }

} // namespace pagefold
