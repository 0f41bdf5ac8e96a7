// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/slot_pool.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A cell of a cell_arena, by number.
enum class cell_ref : std::uint32_t {};

/// Cells of a few fixed sizes, for arrays that grow and shrink: each block of three pages is cut into cells of one size
/// class and goes back to the source when its last cell is freed. Three pages hold 12·2^k-byte cells without a rest.
///
/// A class fills one block at a time; when it is full, one of those with free cells and small numbers is next, so that
/// the others can empty. What stays spread over more blocks than needed is gathered by who owns the references, since the
/// arena doesn't know where they are:
///
///     for (each reference r of the owner) {
///         if (arena.misplaced(r)) {
///             if (const result<cell_ref> to = arena.relocate(r)) { r = *to; }
///         }
///     }
///
/// One walk leaves a class at most one block more than its cells need, if nothing else happens meanwhile; a second one
/// also moves what the first had moved to numbers that are too high by the end of it.
///
/// `Sizes` supplies `class_count` and `cell_bytes(class)`; every size is at least 2 bytes and at most a block. Allocation
/// and freeing are O(1). A reference takes 4 bytes and resolves in three to five loads. Not thread-safe.
template <class Sizes, class Source>
class cell_arena {
public:
    cell_arena(Source& source, node_id node) noexcept
        : source_{source}, node_{node}, blocks_{source, node}, cell_bits_{reference_bits(source.page_size())} {}
    ~cell_arena() {
        for (std::uint32_t id = blocks_.next_live(0); id < blocks_.bound(); id = blocks_.next_live(id + 1)) {
            source_.release(blocks_[id].memory, block_pages);
        }
    }
    cell_arena(const cell_arena&) = delete;
    cell_arena& operator=(const cell_arena&) = delete;

    /// A cell of the class, contents undefined. Takes a block from the source only where no block of the class has a free
    /// cell. Fails with what the source answered; nothing has changed then.
    result<cell_ref> allocate(unsigned size_class) noexcept {
        if (classes_[size_class].filling == none) {
            if (const status s = add_block(size_class, true); s != status::ok) {
                return s;
            }
        }
        return take(size_class);
    }

    /// `ref` must be live.
    void deallocate(cell_ref ref) noexcept {
        const std::uint32_t id = block_of(ref);
        block& b = blocks_[id];
        PAGEFOLD_ASSERT(b.used > 0);
        --classes_[b.size_class].used;
        if (b.used == 1) {
            drop_block(id);
            return;
        }
        if (b.used-- == cells_in_block(b.size_class)) {
            offer(id);
        }
        store_native(cell(b, number_of(ref)), b.free_head);
        b.free_head = static_cast<std::uint16_t>(number_of(ref) + 1);
    }

    /// Whether memory can be given back if cells such as this one move: it is in a block whose number is far above the
    /// count of blocks, which costs descriptors, or in one with free cells that its class is not filling, while the class
    /// has more free cells than a block. `ref` must be live. O(1), one descriptor.
    [[nodiscard]] bool misplaced(cell_ref ref) const noexcept {
        const std::uint32_t id = block_of(ref);
        const block& b = blocks_[id];
        const class_state& c = classes_[b.size_class];
        const std::uint32_t cells = cells_in_block(b.size_class);
        return id >= number_limit() || (b.used < cells && id != c.filling && c.blocks * cells - c.used > cells);
    }
    /// Moves a misplaced cell and its content to a block that is not, and answers its new reference; `ref` is freed. Any
    /// other cell stays, and so does one in the block that is to be filled next: the answer is `ref` then. May take a block
    /// from the source where those with free cells have numbers that are too high; the block that a cell leaves goes back
    /// with its last cell. Fails with what the source answered; nothing has changed then. O(1), and the copy.
    result<cell_ref> relocate(cell_ref ref) noexcept {
        if (!misplaced(ref)) {
            return ref;
        }
        const unsigned size_class = this->size_class(ref);
        if (const status s = fill_low_block(size_class); s != status::ok) {
            return s;
        }
        if (block_of(ref) == classes_[size_class].filling) {
            return ref;
        }
        const cell_ref to = take(size_class);
        copy_bytes(data(to), data(ref), Sizes::cell_bytes(size_class));
        deallocate(ref);
        return to;
    }

    /// Whether `ref` may name a cell: its block is here, and the cell was handed out since the block came. Any value may be
    /// asked, in every build.
    [[nodiscard]] bool contains(cell_ref ref) const noexcept {
        const block* const b = blocks_.find(block_of(ref));
        return b != nullptr && number_of(ref) < b->never_used;
    }
    /// Fetches what data() and size_class() look at into the cache; any value may be given. Inlined, as slot_pool::prefetch.
    PAGEFOLD_ALWAYS_INLINE void prefetch(cell_ref ref) const noexcept { blocks_.prefetch(block_of(ref)); }
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
    /// Bytes of the live cells. Adds up the classes.
    [[nodiscard]] std::size_t used_bytes() const noexcept {
        std::size_t bytes = 0;
        for (unsigned c = 0; c < Sizes::class_count; ++c) {
            bytes += classes_[c].used * Sizes::cell_bytes(c);
        }
        return bytes;
    }
    /// Live cells. Adds up the classes.
    [[nodiscard]] std::size_t cell_count() const noexcept {
        std::size_t count = 0;
        for (const class_state& c : classes_) {
            count += c.used;
        }
        return count;
    }

    /// Walks blocks, lists and free cells; false when they disagree.
    [[nodiscard]] bool check() const noexcept {
        class_state counted[Sizes::class_count];
        std::size_t partial = 0;
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
            ++counted[b.size_class].blocks;
            counted[b.size_class].used += b.used;
            partial += b.used < cells && id != classes_[b.size_class].filling ? 1u : 0u;
        }
        std::size_t listed = 0;
        for (unsigned c = 0; c < Sizes::class_count; ++c) {
            const class_state& state = classes_[c];
            if (counted[c].blocks != state.blocks || counted[c].used != state.used ||
                (state.filling != none && !is_open(state.filling, c))) {
                return false;
            }
            for (unsigned group = 0; group < number_groups; ++group) {
                std::uint32_t before = none;
                for (std::uint32_t id = state.open[group]; id != none; before = id, id = blocks_[id].next) {
                    if (!is_open(id, c) || state.filling == none || state.filling == id || group_of(id) != group ||
                        blocks_[id].previous != before || ++listed > partial) {
                        return false;
                    }
                }
            }
        }
        return listed == partial && blocks_.check();
    }

private:
    static constexpr std::size_t block_pages = 3;
    static constexpr std::uint32_t none = 0xffffffffu;

    /// Lists of blocks by their number: below 64, and for each further doubling, but that the last has no end.
    static constexpr unsigned number_groups = 10;

    struct class_state {
        class_state() noexcept {
            for (std::uint32_t& head : open) {
                head = none;
            }
        }

        std::uint32_t filling = none; // allocation takes its cells; none only if no block has a free one
        std::uint32_t blocks = 0;
        std::uint32_t used = 0;            // cells
        std::uint32_t open[number_groups]; // the other blocks with a free cell
    };
    struct block {
        std::byte* memory;
        std::uint32_t next, previous; // in a list of its class
        std::uint32_t used;
        std::uint16_t free_head; // a cell's number plus one; the free cells are linked through their first two bytes
        std::uint16_t size_class;
        std::uint32_t never_used; // cells from here on were never handed out
        std::uint32_t unused;     // 32 bytes: a page of descriptors has no rest

        [[nodiscard]] bool live() const noexcept { return memory != nullptr; }
        [[nodiscard]] std::uint32_t& free_link() noexcept { return next; }
    };

    [[nodiscard]] static constexpr unsigned reference_bits(std::size_t page_size) noexcept {
        return bit_length(block_pages * page_size / Sizes::cell_bytes(0));
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

    [[nodiscard]] static constexpr unsigned group_of(std::uint32_t id) noexcept {
        const unsigned group = bit_length(id / 64);
        return group < number_groups ? group : number_groups - 1;
    }
    /// A quarter more than there are blocks, and a chunk of descriptors. A new block has a number below it, unless the
    /// source refuses a chunk.
    [[nodiscard]] std::uint32_t number_limit() const noexcept {
        return blocks_.size() + blocks_.size() / 4 + blocks_.chunk_elements();
    }
    [[nodiscard]] bool is_open(std::uint32_t id, unsigned size_class) const noexcept {
        return blocks_.contains(id) && blocks_[id].size_class == size_class &&
               blocks_[id].used < cells_in_block(size_class);
    }

    /// A cell of the block that the class is filling.
    cell_ref take(unsigned size_class) noexcept {
        class_state& c = classes_[size_class];
        const std::uint32_t id = c.filling;
        block& b = blocks_[id];
        std::uint32_t number = b.never_used;
        if (b.free_head != 0) {
            number = b.free_head - 1u;
            b.free_head = load_native<std::uint16_t>(cell(b, number));
        } else {
            ++b.never_used;
        }
        ++c.used;
        if (++b.used == cells_in_block(size_class)) {
            fill_next(c);
        }
        return static_cast<cell_ref>(id << cell_bits_ | number);
    }

    /// A new block, which the class fills from now on; the one before it is listed. One with a number that is too high does
    /// only if it `may_be_high`.
    status add_block(unsigned size_class, bool may_be_high) noexcept {
        const result<void*> memory = source_.acquire(block_pages, node_);
        if (!memory) {
            return memory.error();
        }
        result<std::uint32_t> id = blocks_.insert_lowest();
        if (!id && may_be_high) {
            id = blocks_.insert();
        }
        if (!id || *id >= (1u << (32 - cell_bits_))) {
            if (id) {
                blocks_.erase(*id);
            }
            source_.release(*memory, block_pages);
            return id ? status::limit : id.error();
        }
        blocks_[*id] =
            block{static_cast<std::byte*>(*memory), 0, 0, 0, 0, static_cast<std::uint16_t>(size_class), 0, 0};
        class_state& c = classes_[size_class];
        ++c.blocks;
        if (c.filling != none) {
            link(c.filling);
        }
        c.filling = *id;
        return status::ok;
    }
    /// Gives back a block whose last cell is freed.
    void drop_block(std::uint32_t id) noexcept {
        block& b = blocks_[id];
        class_state& c = classes_[b.size_class];
        if (c.filling == id) {
            fill_next(c);
        } else if (b.used < cells_in_block(b.size_class)) {
            unlink(id);
        }
        --c.blocks;
        source_.release(b.memory, block_pages);
        blocks_.erase(id);
    }
    /// A block of the class has its first free cell.
    void offer(std::uint32_t id) noexcept {
        class_state& c = classes_[blocks_[id].size_class];
        if (c.filling == none) {
            c.filling = id;
        } else {
            link(id);
        }
    }
    /// The lowest group's newest member, or none.
    [[nodiscard]] static std::uint32_t next_to_fill(const class_state& c) noexcept {
        for (const std::uint32_t head : c.open) {
            if (head != none) {
                return head;
            }
        }
        return none;
    }
    void fill_next(class_state& c) noexcept {
        c.filling = next_to_fill(c);
        if (c.filling != none) {
            unlink(c.filling);
        }
    }
    /// Sees to it that the block that the class fills has a number that is not too high.
    status fill_low_block(unsigned size_class) noexcept {
        class_state& c = classes_[size_class];
        if (c.filling < number_limit()) {
            return status::ok;
        }
        const std::uint32_t next = next_to_fill(c);
        if (next >= number_limit()) {
            return add_block(size_class, false);
        }
        unlink(next);
        link(c.filling);
        c.filling = next;
        return status::ok;
    }
    void link(std::uint32_t id) noexcept {
        block& b = blocks_[id];
        std::uint32_t& head = classes_[b.size_class].open[group_of(id)];
        b.previous = none;
        b.next = head;
        if (b.next != none) {
            blocks_[b.next].previous = id;
        }
        head = id;
    }
    void unlink(std::uint32_t id) noexcept {
        const block& b = blocks_[id];
        (b.previous == none ? classes_[b.size_class].open[group_of(id)] : blocks_[b.previous].next) = b.next;
        if (b.next != none) {
            blocks_[b.next].previous = b.previous;
        }
    }

    Source& source_;
    node_id node_;
    slot_pool<block, Source> blocks_;
    unsigned cell_bits_;
    class_state classes_[Sizes::class_count];
};

} // namespace pagefold
