// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/over_source.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstddef>
#include <cstdint>

// What an allocator was asked for, by size: a few adds a call, and nothing an object. Over zs free + allocate takes 0 to 5 %
// longer (70 ns with 20k objects).
//
// An object is counted under its live bytes, which are what it adds to allocated_bytes(): at deallocation nobody says
// how many bytes were asked for, and to remember them would take a record for each object and a cold line for each call.
// Where the allocator below rounds nothing (guarded), live bytes are the bytes asked for. How much is rounded is seen from
// what allocations asked for and what they got, which are both kept.

namespace pagefold::inline PAGEFOLD_ABI {

/// Counters of one size class, or of all. All but the live ones only grow.
struct allocation_counts {
    std::uint64_t allocations;     ///< objects handed out
    std::uint64_t frees;           ///< objects taken back
    std::uint64_t refusals;        ///< allocations of a valid size that failed; under the rounded size
    std::uint64_t moves;           ///< objects relocated; under where they came to
    std::uint64_t requested_bytes; ///< that allocations asked for
    std::uint64_t granted_bytes;   ///< that they got: what they added to allocated_bytes()
    std::uint64_t live_objects;
    std::uint64_t live_bytes; ///< of live objects, as granted

    constexpr allocation_counts& operator+=(const allocation_counts& other) noexcept {
        allocations += other.allocations;
        frees += other.frees;
        refusals += other.refusals;
        moves += other.moves;
        requested_bytes += other.requested_bytes;
        granted_bytes += other.granted_bytes;
        live_objects += other.live_objects;
        live_bytes += other.live_bytes;
        return *this;
    }
};

/// An allocator that counts by `Classes` size classes of equal width: eighths of the largest object. Thread-safety, errors
/// and costs are those of the allocator below.
template <object_allocator Allocator, unsigned Classes = 8>
class counted {
public:
    /// The same over pages of another source, for decorators (over_source).
    template <page_source Other>
    using over = counted<over_source_t<Allocator, Other>, Classes>;

    static constexpr std::size_t max_size = Allocator::max_size;
    static constexpr unsigned class_count = Classes;
    static_assert(Classes >= 1 && Classes <= 256 && max_size % Classes == 0);

    template <page_source Source>
    counted(Source& source, node_id node) noexcept : inner_{source, node} {}

    // What was counted.

    /// The class of objects of `bytes`, at least 1; what is larger than max_size (by rounding) is in the last.
    [[nodiscard]] static constexpr unsigned class_of(std::size_t bytes) noexcept {
        return bytes > max_size ? Classes - 1 : static_cast<unsigned>((bytes - 1) / (max_size / Classes));
    }
    /// The largest object of a class.
    [[nodiscard]] static constexpr std::size_t class_bytes(unsigned number) noexcept {
        return (number + std::size_t{1}) * (max_size / Classes);
    }
    [[nodiscard]] const allocation_counts& counts(unsigned number) const noexcept {
        PAGEFOLD_CHECK(number < Classes);
        return counts_[number];
    }
    [[nodiscard]] allocation_counts total() const noexcept {
        allocation_counts sum{};
        for (const allocation_counts& c : counts_) {
            sum += c;
        }
        return sum;
    }
    /// Allocations of no bytes, or of more than max_size.
    [[nodiscard]] std::uint64_t invalid_requests() const noexcept { return invalid_requests_; }
    [[nodiscard]] const Allocator& inner() const noexcept { return inner_; }

    // The allocator.

    result<object_handle> allocate(std::size_t n) noexcept {
        const std::size_t before = inner_.allocated_bytes();
        return note(n, before, inner_.allocate(n));
    }
    result<object_handle> allocate_snug(std::size_t n) noexcept requires snug_allocator<Allocator> {
        const std::size_t before = inner_.allocated_bytes();
        return note(n, before, inner_.allocate_snug(n));
    }
    void deallocate(object_handle h) noexcept {
        const std::size_t before = inner_.allocated_bytes();
        inner_.deallocate(h);
        // An allocator that ignores a dead handle has nothing to count.
        if (const std::size_t freed = before - inner_.allocated_bytes(); freed != 0) {
            allocation_counts& c = counts_[class_of(freed)];
            ++c.frees;
            leave(c, freed);
        }
    }
    [[nodiscard]] std::size_t capacity(object_handle h) const noexcept { return inner_.capacity(h); }
    [[nodiscard]] unsigned fullness(object_handle h) const noexcept requires span_aware_allocator<Allocator> {
        return inner_.fullness(h);
    }
    [[nodiscard]] std::size_t rounded(std::size_t n) const noexcept { return inner_.rounded(n); }
    void write(object_handle h, byte_view bytes) noexcept { inner_.write(h, bytes); }
    [[nodiscard]] byte_view read(object_handle h, std::size_t n, byte_span scratch) const noexcept {
        return inner_.read(h, n, scratch);
    }
    [[nodiscard]] bool contains(object_handle h) const noexcept { return inner_.contains(h); }
    [[nodiscard]] byte_span place(object_handle h) const noexcept { return inner_.place(h); }
    [[nodiscard]] std::size_t allocated_bytes() const noexcept { return inner_.allocated_bytes(); }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return inner_.bytes_held(); }
    [[nodiscard]] std::size_t table_bytes() const noexcept { return inner_.table_bytes(); }

    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept requires compacting_allocator<Allocator> {
        return inner_.plan_compaction(max_bytes_to_move);
    }
    [[nodiscard]] bool misplaced(object_handle h) const noexcept requires compacting_allocator<Allocator> {
        return inner_.misplaced(h);
    }
    result<object_handle> relocate(object_handle h) noexcept requires compacting_allocator<Allocator> {
        const std::size_t before = inner_.allocated_bytes(), granted = inner_.capacity(h);
        const result<object_handle> moved = inner_.relocate(h);
        if (moved) {
            // The place may be of another size.
            const std::size_t now = granted + inner_.allocated_bytes() - before;
            leave(counts_[class_of(granted)], granted);
            arrive(counts_[class_of(now)], now);
            ++counts_[class_of(now)].moves;
        }
        return moved;
    }
    byte_span next_misplaced() noexcept requires compacting_allocator<Allocator> { return inner_.next_misplaced(); }
    void finish_compaction() noexcept requires compacting_allocator<Allocator> { inner_.finish_compaction(); }

    [[nodiscard]] bool check() const noexcept {
        const allocation_counts sum = total();
        for (const allocation_counts& c : counts_) {
            if ((c.live_objects == 0) != (c.live_bytes == 0)) {
                return false;
            }
        }
        return sum.live_objects == sum.allocations - sum.frees && sum.live_bytes == inner_.allocated_bytes() &&
               inner_.check();
    }

private:
    /// Counts an allocation of `n` bytes, before which `before` were allocated.
    result<object_handle> note(std::size_t n, std::size_t before, result<object_handle> h) noexcept {
        if (h) {
            const std::size_t granted = inner_.allocated_bytes() - before;
            allocation_counts& c = counts_[class_of(granted)];
            ++c.allocations;
            c.requested_bytes += n;
            c.granted_bytes += granted;
            arrive(c, granted);
        } else if (n == 0 || n > max_size) {
            ++invalid_requests_;
        } else {
            ++counts_[class_of(inner_.rounded(n))].refusals;
        }
        return h;
    }
    static void arrive(allocation_counts& c, std::size_t granted) noexcept {
        ++c.live_objects;
        c.live_bytes += granted;
    }
    static void leave(allocation_counts& c, std::size_t granted) noexcept {
        --c.live_objects;
        c.live_bytes -= granted;
    }

    Allocator inner_;
    allocation_counts counts_[Classes]{};
    std::uint64_t invalid_requests_ = 0;
};

} // namespace pagefold
