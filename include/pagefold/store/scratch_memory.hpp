// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/node_part.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// The memory of a slot of a scratch_pool: where it comes from, and what lies where in it. The codec's scratch comes first,
/// then a buffer for a stream, or for what a compressor makes of a page, then a copy of the page, then what the store wants besides
/// (`extra`); each at a multiple of 64.
/// As safe from many threads as the sources.
template <class Compressor>
class scratch_memory {
public:
    scratch_memory(const Compressor& compressor, std::size_t page_size, limited_source& source,
                   std::size_t extra = 0) noexcept
        : compressor_{compressor}, source_{source}, scratch_bytes_{compressor.scratch_size(page_size)},
          page_bytes_{page_size}, buffer_bytes_{longest_stream(compressor, page_size)},
          buffer_at_{round_up(scratch_bytes_, 64)}, page_at_{round_up(buffer_at_ + buffer_bytes_, 64)},
          extra_at_{round_up(page_at_ + page_bytes_, 64)}, extra_bytes_{extra} {}

    [[nodiscard]] byte_span scratch(std::byte* memory) const noexcept { return {memory, scratch_bytes_}; }
    [[nodiscard]] byte_span buffer(std::byte* memory) const noexcept { return {memory + buffer_at_, buffer_bytes_}; }
    [[nodiscard]] byte_span page(std::byte* memory) const noexcept { return {memory + page_at_, page_bytes_}; }

    /// Buffer and page in one.
    [[nodiscard]] byte_span both(std::byte* memory) const noexcept {
        return {memory + buffer_at_, page_at_ + page_bytes_ - buffer_at_};
    }
    [[nodiscard]] byte_span extra(std::byte* memory) const noexcept { return {memory + extra_at_, extra_bytes_}; }

    /// Bytes of a slot, in whole pages of the source.
    [[nodiscard]] std::size_t bytes() const noexcept { return pages() * source_.page_size(); }

    /// Prepared memory for a slot, on a node or anywhere. Fails with what the source or the codec answered.
    [[nodiscard]] result<std::byte*> acquire(node_part* node, acquire_context context = {}) const noexcept {
        const result<void*> memory = source_of(node).acquire(pages(), node != nullptr ? node->node : any_node, context);
        if (!memory) {
            return memory.error();
        }
        std::byte* const bytes = static_cast<std::byte*>(*memory);
        if (const status prepared = compressor_.prepare(scratch(bytes)); prepared != status::ok) {
            release(bytes, node);
            return prepared;
        }
        return bytes;
    }
    void release(std::byte* memory, node_part* node) const noexcept { source_of(node).release(memory, pages()); }

private:
    [[nodiscard]] static std::size_t longest_stream(const Compressor& compressor, std::size_t page_size) noexcept {
        const std::size_t bound = compressor.bound(page_size);
        return bound > page_size ? bound : page_size;
    }
    [[nodiscard]] std::size_t pages() const noexcept { return ceil_div(extra_at_ + extra_bytes_, source_.page_size()); }
    [[nodiscard]] limited_source& source_of(node_part* node) const noexcept {
        return node != nullptr ? node->source : source_;
    }

    const Compressor& compressor_;
    limited_source& source_;
    std::size_t scratch_bytes_;
    std::size_t page_bytes_;
    std::size_t buffer_bytes_;
    std::size_t buffer_at_;
    std::size_t page_at_;
    std::size_t extra_at_;
    std::size_t extra_bytes_;
};

} // namespace pagefold
