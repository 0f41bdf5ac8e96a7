// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// object_allocator: packs objects of up to max_size bytes into pages of a page source. Not thread-safe: a partition's
// lock is held around every call.
//
//   expression           | returns                | fails              | meaning
//   A::max_size          | size_t constant        | –                  | the largest object
//   A(source, node)      | –                      | –                  | takes no memory; destruction gives all of it back
//   a.allocate(n)        | result<object_handle>  | invalid (n == 0 or | an object of at least n bytes, contents undefined
//                        |                        | n > max_size),     |
//                        |                        | no_memory, limit   | what the source said; the allocator is unchanged
//                        |                        |                    | then. What was held can be held again: when objects
//                        |                        |                    | have been freed, one of the size of any of them
//                        |                        |                    | fits, if nobody took their pages from the source;
//                        |                        |                    | and as many as there were, if all were of one size
//   a.deallocate(h)      | –                      | –                  | h must be live (checked builds assert), and is
//                        |                        |                    | dead then. Its memory may come free a few frees
//                        |                        |                    | later, but for an allocation that would be refused
//                        |                        |                    | otherwise, and before a plan, at once. With the last
//                        |                        |                    | object everything goes back to the source
//   a.capacity(h)        | size_t                 | –                  | bytes that fit in place, ≥ n
//   a.rounded(n)         | size_t                 | –                  | memory that an object of n bytes occupies
//   a.write(h, bytes)    | –                      | –                  | copies bytes.size() ≤ capacity(h) to the start; what
//                        |                        |                    | was behind them is undefined then
//   a.read(h, n, scratch)| byte_view              | –                  | the first n bytes: in place, or put together in
//                        |                        |                    | scratch (≥ n bytes); valid until the next non-const
//                        |                        |                    | call
//   c.contains(h)        | bool                   | –                  | h is live; one whose free waits is not. Any value may
//                        |                        |                    | be asked, in every build. O(1)
//   c.place(h)           | byte_span              | –                  | where a live object is, all capacity(h) bytes of it,
//                        |                        |                    | until it is relocated or freed. Of an object that was
//                        |                        |                    | asked for with more than owner_bytes and less than
//                        |                        |                    | max_size bytes, the last owner_bytes are its owner's
//                        |                        |                    | to write there, for what leads from the place to the
//                        |                        |                    | handle; a write() may change them
//   a.allocated_bytes()  | size_t                 | –                  | sum of rounded sizes of live objects
//   a.bytes_held()       | size_t                 | –                  | bytes of pages that hold objects, or memory of
//                        |                        |                    | freed ones that has not come free
//   a.table_bytes()      | size_t                 | –                  | bytes taken from the source besides
//   a.check()            | bool                   | –                  | walks every structure; false when it is damaged
//
// compacting_allocator: its objects can be moved so that whole pages come free. Their owner moves them, since it must learn
// the new handles: plan, relocate what is misplaced, finish. It finds them in one of two ways. next_misplaced() names them
// by their places, from where a tag in the last owner_bytes leads to the handle; or the owner walks all its handles and
// asks misplaced(), so that an object needs no tag. A plan may be left and taken up between other operations.
//
//   a.plan_compaction(n) | size_t                 | –                  | picks sparse spans to empty, so that at most n bytes
//                        |                        |                    | of objects need to move (or one span's, if that is
//                        |                        |                    | more); returns the bytes of pages that will come
//                        |                        |                    | free, of what is held then; 0: nothing worth doing,
//                        |                        |                    | or n is 0. Called again before finish_compaction it
//                        |                        |                    | keeps these spans and adds to them. An allocator may
//                        |                        |                    | bound what a call looks at, and take pages for where
//                        |                        |                    | objects are to move to
//   a.misplaced(h)       | bool                   | –                  | h lies in a span to be emptied
//   a.relocate(h)        | result<object_handle>  | no_memory          | moves a misplaced object to a place that is not; h is
//                        |                        |                    | dead after success, and unchanged after a failure.
//                        |                        |                    | Takes no page from the source
//   a.next_misplaced()   | byte_span              | –                  | the place of the next misplaced object; empty at the
//                        |                        |                    | end, and where there is no plan. Each is named once a
//                        |                        |                    | plan at most, whether it is moved, freed or left, and
//                        |                        |                    | each that is neither freed nor relocated before is
//                        |                        |                    | named, also those of spans that a further call of
//                        |                        |                    | plan_compaction adds. O(1), amortised over a plan
//   a.finish_compaction()| –                      | –                  | forgets the plan; spans not emptied serve again
//
// snug_allocator: where the source refuses, an object may go into a place that is much too large, which is better than
// nothing, and worse than to drop another object whose place fits. It tells the two apart.
//
//   a.allocate_snug(n)   | result<object_handle>  | as allocate        | as allocate, but where the source refuses, so does
//                        |                        |                    | it, rather than take a place that allocate would not
//                        |                        |                    | have taken otherwise and that is by more than 1/16
//                        |                        |                    | larger than rounded(n)
//
// span_aware_allocator: it tells how near to coming free the pages under an object are, so that whoever must drop objects
// can drop those that bring pages back soonest.
//
//   a.fullness(h)        | unsigned               | –                  | live bytes over all bytes of the span that h lies
//                        |                        |                    | in, as 0 to max_fullness; 0: the span comes free
//                        |                        |                    | with h, as soon as the memory of h does. One look
//                        |                        |                    | at what is known of the span

namespace pagefold::inline PAGEFOLD_ABI {

/// Where an object is, in at most handle_bits bits; 0 is a valid value, and there is no null. With a length of 16 bits and a
/// bit of parity it makes a word of an index; the allocators here number 2^30 spans with it, and as many raw pages.
enum class object_handle : std::uint64_t {};
inline constexpr unsigned handle_bits = 47;
/// The greatest number of a span, or of a raw page: one bit of a handle says which of the two it is, 16 where in the span.
inline constexpr std::uint32_t max_span_number = low_bits(handle_bits - 17);
/// Bytes at the end of an object's place that its owner may write without the allocator.
inline constexpr std::size_t owner_bytes = 4;
/// The answer of fullness() for a span without a free byte.
inline constexpr unsigned max_fullness = 256;

// clang-format off
template <class T>
concept object_allocator = requires(T& a, const T& c, std::size_t n, object_handle h, byte_view bytes, byte_span scratch) {
    { T::max_size } -> std::convertible_to<std::size_t>;
    { a.allocate(n) } noexcept -> std::same_as<result<object_handle>>;
    { a.deallocate(h) } noexcept -> std::same_as<void>;
    { c.capacity(h) } noexcept -> std::same_as<std::size_t>;
    { c.rounded(n) } noexcept -> std::same_as<std::size_t>;
    { a.write(h, bytes) } noexcept -> std::same_as<void>;
    { c.read(h, n, scratch) } noexcept -> std::same_as<byte_view>;
    { c.contains(h) } noexcept -> std::same_as<bool>;
    { c.place(h) } noexcept -> std::same_as<byte_span>;
    { c.allocated_bytes() } noexcept -> std::same_as<std::size_t>;
    { c.bytes_held() } noexcept -> std::same_as<std::size_t>;
    { c.table_bytes() } noexcept -> std::same_as<std::size_t>;
    { c.check() } noexcept -> std::same_as<bool>;
};

/// One that can be told which objects are looked at next: `prefetch` asks for what read and place look at first, without
/// waiting for it. Any handle may be given.
template <class T>
concept prefetching_allocator = object_allocator<T> && requires(const T& c, object_handle h) {
    { c.prefetch(h) } noexcept -> std::same_as<void>;
};

template <class T>
concept compacting_allocator = object_allocator<T> && requires(T& a, const T& c, std::size_t n, object_handle h) {
    { a.plan_compaction(n) } noexcept -> std::same_as<std::size_t>;
    { c.misplaced(h) } noexcept -> std::same_as<bool>;
    { a.relocate(h) } noexcept -> std::same_as<result<object_handle>>;
    { a.next_misplaced() } noexcept -> std::same_as<byte_span>;
    { a.finish_compaction() } noexcept -> std::same_as<void>;
};

template <class T>
concept snug_allocator = object_allocator<T> && requires(T& a, std::size_t n) {
    { a.allocate_snug(n) } noexcept -> std::same_as<result<object_handle>>;
};

template <class T>
concept span_aware_allocator = object_allocator<T> && requires(const T& c, object_handle h) {
    { c.fullness(h) } noexcept -> std::same_as<unsigned>;
};
// clang-format on

} // namespace pagefold
