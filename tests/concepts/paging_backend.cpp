// SPDX-License-Identifier: MIT
//
// The smallest paging backend, and one wrong one for each clause of its signature.

#include <pagefold/paging/concept.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::concepts_paging_backend {
namespace {

struct smallest {
    result<byte_span> place(slot_id, std::size_t) noexcept { return status::no_memory; }
    pages_done bring(slot_id, std::size_t, page_access) noexcept { return {0, status::no_memory}; }
    pages_done bring_zeros(slot_id, std::size_t, page_access) noexcept { return {0, status::no_memory}; }
    status let_write(slot_id) noexcept { return status::busy; }
    pages_done take_out(slot_id, std::size_t) noexcept { return {0, status::busy}; }
    bool was_written(slot_id) noexcept { return true; }
    result<byte_view> read(slot_id) noexcept { return status::busy; }
    status put_back(slot_id, page_access) noexcept { return status::busy; }
    pages_done drop(slot_id, std::size_t) noexcept { return {0, status::busy}; }
    status set_lost(slot_id, bool) noexcept { return status::busy; }
    status wake(slot_id, std::size_t) noexcept { return status::ok; }
    bool tells_writes() const noexcept { return false; }
};
static_assert(paging_backend<smallest> && !based_backend<smallest> && !accessed_backend<smallest>);

// What is declared here hides the right one.
struct place_of_pointer : smallest {
    std::byte* place(slot_id, std::size_t) noexcept { return nullptr; }
};
struct place_may_throw : smallest {
    result<byte_span> place(slot_id, std::size_t) { return status::no_memory; }
};
struct bring_of_status : smallest {
    status bring(slot_id, std::size_t, page_access) noexcept { return status::ok; }
};
struct bring_without_access : smallest {
    pages_done bring(slot_id, std::size_t) noexcept { return {}; }
};
struct zeros_of_nothing : smallest {
    void bring_zeros(slot_id, std::size_t, page_access) noexcept {}
};
struct let_write_of_nothing : smallest {
    void let_write(slot_id) noexcept {}
};
struct take_out_of_one : smallest {
    pages_done take_out(slot_id) noexcept { return {}; }
};
struct written_of_status : smallest {
    status was_written(slot_id) noexcept { return status::ok; }
};
struct read_copies : smallest {
    status read(slot_id, byte_span) noexcept { return status::ok; }
};
struct put_back_may_throw : smallest {
    status put_back(slot_id, page_access) { return status::ok; }
};
struct drop_of_status : smallest {
    status drop(slot_id, std::size_t) noexcept { return status::ok; }
};
struct lost_for_ever : smallest {
    status set_lost(slot_id) noexcept { return status::ok; }
};
struct wake_of_nothing : smallest {
    void wake(slot_id, std::size_t) noexcept {}
};
struct tells_when_changed : smallest {
    bool tells_writes() noexcept { return true; }
};
static_assert(!paging_backend<place_of_pointer> && !paging_backend<place_may_throw>);
static_assert(!paging_backend<bring_of_status> && !paging_backend<bring_without_access>);
static_assert(!paging_backend<zeros_of_nothing>);
static_assert(!paging_backend<let_write_of_nothing>);
static_assert(!paging_backend<take_out_of_one>);
static_assert(!paging_backend<written_of_status>);
static_assert(!paging_backend<read_copies>);
static_assert(!paging_backend<put_back_may_throw>);
static_assert(!paging_backend<drop_of_status>);
static_assert(!paging_backend<lost_for_ever>);
static_assert(!paging_backend<wake_of_nothing>);
static_assert(!paging_backend<tells_when_changed>);

struct filling : smallest {
    status fill(slot_id, byte_span) noexcept { return status::ok; }
};
struct fill_of_nothing : smallest {
    void fill(slot_id, byte_span) noexcept {}
};
struct accessed : smallest {
    bool was_accessed(slot_id) noexcept { return false; }
};
static_assert(based_backend<filling> && !based_backend<fill_of_nothing>);
static_assert(accessed_backend<accessed>);

// And the store that a pager is over.
struct least_store {
    static constexpr std::size_t page_size = 4096;
    status put(const page_key&, byte_view) noexcept { return status::limit; }
    status get(const page_key&, byte_span) noexcept { return status::not_found; }
    status erase(const page_key&) noexcept { return status::ok; }
};
struct put_of_nothing : least_store {
    void put(const page_key&, byte_view) noexcept {}
};
struct get_may_throw : least_store {
    status get(const page_key&, byte_span) { return status::not_found; }
};
struct without_erase {
    static constexpr std::size_t page_size = 4096;
    status put(const page_key&, byte_view) noexcept { return status::limit; }
    status get(const page_key&, byte_span) noexcept { return status::not_found; }
};
static_assert(paged_store<least_store>);
static_assert(!paged_store<put_of_nothing> && !paged_store<get_may_throw> && !paged_store<without_erase>);

TEST_CASE("a run that is done says so by itself") {
    CHECK(pages_done{} == pages_done{0, status::ok});
    CHECK_FALSE(pages_done{1, status::ok} == pages_done{1, status::busy});
}

} // namespace
} // namespace pagefold::testing::concepts_paging_backend
