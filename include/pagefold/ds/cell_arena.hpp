// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pagefold {

/// A cell of a cell_arena, by number.
enum class cell_ref : std::uint32_t {};

/// Cells of a few fixed sizes, for arrays that grow and shrink: each block of three pages is cut into cells of one size
/// class and goes back to the source when its last cell is freed. Three pages hold 12·2^k-byte cells without a rest.
///
/// `Sizes` supplies `class_count` and `cell_bytes(class)`; every size is at least 2 bytes and at most a block. Allocation
/// and freeing are O(1). A reference takes 4 bytes and resolves in three to five loads. Not thread-safe.
template <class Sizes, class Source>
class cell_arena {
public:
    cell_arena(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, blocks_{source, node}, cell_bits_{reference_bits(source.page_size())} {
        for (std::uint32_t& head : partial_) {
            head = none;
        }
    }
    ~cell_arena() {
        for (std::uint32_t id = blocks_.next_live(0); id < blocks_.bound(); id = blocks_.next_live(id + 1)) {
            source_.release(blocks_[id].memory, block_pages);
        }
    }
    cell_arena(const cell_arena&) = delete;
    cell_arena& operator=(const cell_arena&) = delete;

    /// A cell of the class, contents undefined. Fails with what the source answered; nothing has changed then.
    result<cell_ref> allocate(unsigned size_class) noexcept {
        if (partial_[size_class] == none) {
            if (const status s = add_block(size_class); s != status::ok) {
                return s;
            }
        }
        const std::uint32_t id = partial_[size_class];
        block& b = blocks_[id];
        std::uint32_t number = b.never_used;
        if (b.free_head != 0) {
            number = b.free_head - 1u;
            b.free_head = load_native<std::uint16_t>(cell(b, number));
        } else {
            ++b.never_used;
        }
        if (++b.used == cells_in_block(size_class)) {
            unlink(id);
        }
        return static_cast<cell_ref>(id << cell_bits_ | number);
    }

    /// `ref` must be live.
    void deallocate(cell_ref ref) noexcept {
        const std::uint32_t id = block_of(ref);
        block& b = blocks_[id];
        PAGEFOLD_ASSERT(b.used > 0);
        if (b.used == cells_in_block(b.size_class)) {
            link(id);
        }
        if (--b.used == 0) {
            unlink(id);
            source_.release(b.memory, block_pages);
            blocks_.erase(id);
            return;
        }
        store_native(cell(b, number_of(ref)), b.free_head);
        b.free_head = static_cast<std::uint16_t>(number_of(ref) + 1);
    }

    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::byte* data(cell_ref ref) const noexcept {
        return cell(blocks_[block_of(ref)], number_of(ref));
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE unsigned size_class(cell_ref ref) const noexcept {
        return blocks_[block_of(ref)].size_class;
    }

    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return blocks_.bytes() + blocks_.size() * block_pages * source_.page_size();
    }
    /// Live cells; walks the blocks.
    [[nodiscard]] std::size_t cell_count() const noexcept {
        std::size_t count = 0;
        for (std::uint32_t id = blocks_.next_live(0); id < blocks_.bound(); id = blocks_.next_live(id + 1)) {
            count += blocks_[id].used;
        }
        return count;
    }

    /// Walks blocks, lists and free cells; false when they disagree.
    [[nodiscard]] bool check() const noexcept {
        std::size_t partial = 0, listed = 0;
        for (std::uint32_t id = blocks_.next_live(0); id < blocks_.bound(); id = blocks_.next_live(id + 1)) {
            const block& b = blocks_[id];
            const std::uint32_t cells = cells_in_block(b.size_class);
            std::uint32_t free = 0;
            for (std::uint32_t at = b.free_head; at != 0; at = load_native<std::uint16_t>(cell(b, at - 1))) {
                if (at > b.never_used || ++free > cells) {
                    return false;
                }
            }
            if (b.used == 0 || b.used > cells || b.used + free != b.never_used) {
                return false;
            }
            partial += b.used < cells ? 1 : 0;
        }
        for (unsigned c = 0; c < Sizes::class_count; ++c) {
            std::uint32_t before = none;
            for (std::uint32_t id = partial_[c]; id != none; before = id, id = blocks_[id].next) {
                if (!blocks_.contains(id) || blocks_[id].size_class != c || blocks_[id].previous != before ||
                    ++listed > partial) {
                    return false;
                }
            }
        }
        return listed == partial && blocks_.check();
    }

private:
    static constexpr std::size_t block_pages = 3;
    static constexpr std::uint32_t none = 0xffffffffu;

    struct block {
        std::byte* memory;
        std::uint32_t next, previous; // among the blocks of its class with a free cell
        std::uint32_t used;
        std::uint16_t free_head; // a cell's number plus one; the free cells are linked through their first two bytes
        std::uint16_t size_class;
        std::uint32_t never_used; // cells from here on were never handed out
        std::uint32_t unused;     // 32 bytes: a page of descriptors has no rest

        [[nodiscard]] bool live() const noexcept { return memory != nullptr; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return next; }
    };

    [[nodiscard]] static constexpr unsigned reference_bits(std::size_t page_size) noexcept {
        return static_cast<unsigned>(std::bit_width(block_pages * page_size / Sizes::cell_bytes(0)));
    }
    [[nodiscard]] std::uint32_t cells_in_block(unsigned size_class) const noexcept {
        const std::size_t cells = block_pages * source_.page_size() / Sizes::cell_bytes(size_class);
        return static_cast<std::uint32_t>(cells < 0xffff ? cells : 0xffff);
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t block_of(cell_ref ref) const noexcept {
        return static_cast<std::uint32_t>(ref) >> cell_bits_;
    }
    [[nodiscard]] PAGEFOLD_ALWAYS_INLINE std::uint32_t number_of(cell_ref ref) const noexcept {
        return static_cast<std::uint32_t>(ref) & ((1u << cell_bits_) - 1);
    }
    [[nodiscard]] static PAGEFOLD_ALWAYS_INLINE std::byte* cell(const block& b, std::uint32_t number) noexcept {
        return b.memory + number * Sizes::cell_bytes(b.size_class);
    }

    status add_block(unsigned size_class) noexcept {
        const result<void*> memory = source_.acquire(block_pages, node_);
        if (!memory) {
            return memory.error();
        }
        const result<std::uint32_t> id = blocks_.insert();
        if (!id || *id >= (1u << (32 - cell_bits_))) {
            if (id) {
                blocks_.erase(*id);
            }
            source_.release(*memory, block_pages);
            return id ? status::limit : id.error();
        }
        blocks_[*id] =
            block{static_cast<std::byte*>(*memory), 0, 0, 0, 0, static_cast<std::uint16_t>(size_class), 0, 0};
        link(*id);
        return status::ok;
    }
    void link(std::uint32_t id) noexcept {
        block& b = blocks_[id];
        b.previous = none;
        b.next = partial_[b.size_class];
        if (b.next != none) {
            blocks_[b.next].previous = id;
        }
        partial_[b.size_class] = id;
    }
    void unlink(std::uint32_t id) noexcept {
        const block& b = blocks_[id];
        (b.previous == none ? partial_[b.size_class] : blocks_[b.previous].next) = b.next;
        if (b.next != none) {
            blocks_[b.next].previous = b.previous;
        }
    }

    Source& source_;
    node_id node_;
    slot_pool<block, Source> blocks_;
    unsigned cell_bits_;
    std::uint32_t partial_[Sizes::class_count];
};

} // namespace pagefold
