// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

// paging_backend: what moves pages in and out of a region, and nothing else: userfaultfd in one process, the memory of
// somebody else's process, a kernel's page tables. Which page is where, which one goes and what it is worth is the
// pager's (paging/region_pager.hpp). Pages have numbers from 0; a run is `first` and `count`, at least 1 unless it says
// otherwise.
//
// A page is missing, present, taken out, or lost. Of a present page the program's reads never fail; whoever touches a
// missing page, or writes to one that takes no writes yet, waits and asks the pager (a fault).
//
//   b.place(first, count)     | result<byte_span> | room for the content of the first pages of the run, which are missing: a whole
//                             |                   | number of pages, from 1 to count, as the backend likes. Whatever is written
//                             |                   | there is seen by nobody before bring
//   b.bring(first, count, a)  | pages_done        | pages of the last place, from its first on, become present with what was
//                             |                   | written there. count is at most what was placed, and may be 0. After it no
//                             |                   | place is left, whatever it answers: what did not come is still missing
//   b.bring_zeros(first,      | pages_done        | missing pages become present, as zeros. No place is open
//       count, a)             |                   |
//   b.let_write(page)         | status            | a present page takes writes from here on. ok as well where it did already
//   b.take_out(first, count)  | pages_done        | present pages are taken out: nobody writes to them any more. Whether somebody
//                             |                   | reads them meanwhile is the backend's choice
//   b.was_written(page)       | bool              | of a page that is taken out: whether it may have been written since it was
//                             |                   | brought or put back with page_access::read. false must be true; true need not
//   b.read(page)              | result<byte_view> | the page that is taken out, whole. Valid until the next call of the backend
//   b.put_back(page, a)       | status            | a page that is taken out is present again, with its content
//   b.drop(first, count)      | pages_done        | pages that are present or taken out are missing, and their memory is free.
//                             |                   | Nobody is woken
//   b.set_lost(page, is_lost) | status            | true: a missing page is lost: whoever touches it hears an error and waits no
//                             |                   | longer, as far as the system has a way. false: it is missing again; ok of
//                             |                   | a missing page as well, as the pager may know first
//   b.wake(first, count)      | status            | whoever waits for one of the pages tries again. Of pages in any state; the run
//                             |                   | may be empty of waiters. bring, let_write and put_back may wake by themselves
//   b.tells_writes()          | bool              | whether a write to a page that came with page_access::read is a fault. Where it
//                             |                   | is not, was_written tells of it. Always the same
//
// page_access: read says that the pager wants to know whether the page is written, write that it does not.
//
// pages_done: the first `done` pages of the run are as was asked, the others as they were; `why` is ok where done is
// count, else what the next one met. busy, no_memory, limit and unavailable mean not now; invalid, that the page can't
// be had at all (its mapping is gone). Any call that answers may refuse, at any time, and as often as it likes. A
// refusal changes nothing.
//
// based_backend: pages that nobody has touched are not zeros but what a file, a snapshot or a template has.
//
//   b.fill(page, span)        | status            | writes that content into a place. It is the same each time
//                             |                   | ok, or a refusal: damage as well is one, and the page stays nowhere
//
// accessed_backend: the system tells whether a page was used, as processors do in page tables.
//
//   b.was_accessed(page)      | bool              | of a present page: whether it was used since it came or since this was asked
//                             |                   | last
//
// The pager calls with the host's lock held (paging/region_pager.hpp). No call may wait for a thread that needs that lock; one
// that comes back to the pager is answered busy there.

namespace pagefold::inline PAGEFOLD_ABI {

/// Whether the pager wants to know if a page is written.
enum class page_access : std::uint8_t { read, write };

/// How far a call over a run of pages came: the first `done` are done, `why` is ok where those are all.
struct pages_done {
    std::size_t done = 0;
    status why = status::ok;

    friend constexpr bool operator==(const pages_done&, const pages_done&) noexcept = default;
};

// clang-format off
template <class B>
concept paging_backend = requires(B& b, const B& c, slot_id page, std::size_t count, page_access access, bool yes) {
    { b.place(page, count) } noexcept -> std::same_as<result<byte_span>>;
    { b.bring(page, count, access) } noexcept -> std::same_as<pages_done>;
    { b.bring_zeros(page, count, access) } noexcept -> std::same_as<pages_done>;
    { b.let_write(page) } noexcept -> std::same_as<status>;
    { b.take_out(page, count) } noexcept -> std::same_as<pages_done>;
    { b.was_written(page) } noexcept -> std::same_as<bool>;
    { b.read(page) } noexcept -> std::same_as<result<byte_view>>;
    { b.put_back(page, access) } noexcept -> std::same_as<status>;
    { b.drop(page, count) } noexcept -> std::same_as<pages_done>;
    { b.set_lost(page, yes) } noexcept -> std::same_as<status>;
    { b.wake(page, count) } noexcept -> std::same_as<status>;
    { c.tells_writes() } noexcept -> std::same_as<bool>;
};

template <class B>
concept based_backend = paging_backend<B> && requires(B& b, slot_id page, byte_span out) {
    { b.fill(page, out) } noexcept -> std::same_as<status>;
};

template <class B>
concept accessed_backend = paging_backend<B> && requires(B& b, slot_id page) {
    { b.was_accessed(page) } noexcept -> std::same_as<bool>;
};

/// What a pager keeps pages in: a page_store or partitioned_store, or what looks like one. A get that answers corrupt,
/// not_found or invalid says that the page is lost, and any other refusal that it can't be read now; a page that was put is there until it is erased, but where the pager is told that it may
/// go.
template <class S>
concept paged_store = requires(S& s, const page_key& key, byte_view in, byte_span out) {
    { S::page_size } -> std::convertible_to<std::size_t>;
    { s.put(key, in) } noexcept -> std::same_as<status>;
    { s.get(key, out) } noexcept -> std::same_as<status>;
    { s.erase(key) } noexcept -> std::same_as<status>;
};
// clang-format on

} // namespace pagefold
