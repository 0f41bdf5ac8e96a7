// SPDX-License-Identifier: MIT
//
// The smallest page source, and one wrong one for each clause: those that break the signatures must be no source, those
// that break the behaviour must be convicted by the conformance suite of just that.

#include <conformance/page_source.hpp>

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <utility>

namespace pagefold::testing::concepts_page_source {
namespace {

struct smallest {
    std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t, node_id) noexcept { return status::no_memory; }
    void release(void*, std::size_t) noexcept {}
};
static_assert(page_source<smallest>);

struct without_page_size : smallest {
    std::size_t page_size() const noexcept = delete;
};
struct page_size_of_int : smallest {
    int page_size() const noexcept { return 4096; }
};
struct page_size_may_throw : smallest {
    std::size_t page_size() const { return 4096; }
};
struct page_size_changes_source : smallest {
    std::size_t page_size() noexcept { return 4096; }
};
static_assert(!page_source<without_page_size>);
static_assert(!page_source<page_size_of_int>);
static_assert(!page_source<page_size_may_throw>);
static_assert(!page_source<page_size_changes_source>);

struct without_acquire : smallest {
    result<void*> acquire(std::size_t, node_id) noexcept = delete;
};
struct acquire_of_pointer : smallest {
    void* acquire(std::size_t, node_id) noexcept { return nullptr; }
};
struct acquire_may_throw : smallest {
    result<void*> acquire(std::size_t, node_id) { return status::no_memory; }
};
struct acquire_without_node : smallest {
    result<void*> acquire(std::size_t) noexcept { return status::no_memory; }
};
static_assert(!page_source<without_acquire>);
static_assert(!page_source<acquire_of_pointer>);
static_assert(!page_source<acquire_may_throw>);
static_assert(!page_source<acquire_without_node>);

struct without_release : smallest {
    void release(void*, std::size_t) noexcept = delete;
};
struct release_of_bool : smallest {
    bool release(void*, std::size_t) noexcept { return true; }
};
struct release_may_throw : smallest {
    void release(void*, std::size_t) {}
};
struct release_without_count : smallest {
    void release(void*) noexcept {}
};
static_assert(!page_source<without_release>);
static_assert(!page_source<release_of_bool>);
static_assert(!page_source<release_may_throw>);
static_assert(!page_source<release_without_count>);

struct smallest_trimmable : smallest {
    std::size_t trim() noexcept { return 0; }
};
static_assert(trimmable_page_source<smallest_trimmable>);
static_assert(!trimmable_page_source<smallest>);

struct trim_of_nothing : smallest {
    void trim() noexcept {}
};
struct trim_may_throw : smallest {
    std::size_t trim() { return 0; }
};
struct trims_without_pages {
    std::size_t trim() noexcept { return 0; }
};
static_assert(!trimmable_page_source<trim_of_nothing>);
static_assert(!trimmable_page_source<trim_may_throw>);
static_assert(!trimmable_page_source<trims_without_pages>);

struct knows_nodes : smallest {
    status node_status(node_id) const noexcept { return status::ok; }
};
struct node_status_may_throw : smallest {
    status node_status(node_id) const { return status::ok; }
};
struct node_status_of_bool : smallest {
    bool node_status(node_id) const noexcept { return true; }
};
static_assert(node_page_source<knows_nodes>);
static_assert(!node_page_source<smallest>);
static_assert(!node_page_source<node_status_may_throw>);
static_assert(!node_page_source<node_status_of_bool>);

/// A good one to spoil: an array of pages and of who is taken.
struct array_source {
    static constexpr std::size_t count = 64;

    std::size_t page_size() const noexcept { return 4096; }
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (pages == 0 || is_strict(node)) {
            return status::invalid;
        }
        for (std::size_t first = 0; pages <= count && first <= count - pages; ++first) {
            if (is_free(first, pages)) {
                mark(first, pages, true);
                return static_cast<void*>(memory + first * 4096);
            }
        }
        return status::no_memory;
    }
    void release(void* p, std::size_t pages) noexcept {
        mark(static_cast<std::size_t>(static_cast<std::byte*>(p) - memory) / 4096, pages, false);
    }
    bool is_free(std::size_t first, std::size_t pages) const noexcept {
        bool free = true;
        for (std::size_t i = 0; i < pages; ++i) {
            free = free && !taken[first + i];
        }
        return free;
    }
    void mark(std::size_t first, std::size_t pages, bool value) noexcept {
        for (std::size_t i = 0; i < pages; ++i) {
            taken[first + i] = value;
        }
    }

    alignas(16384) std::byte memory[(count + 1) * 4096];
    std::array<bool, count> taken{};
};

struct page_size_no_power : array_source {
    std::size_t page_size() const noexcept { return 5000; }
};
struct page_size_too_small : array_source {
    std::size_t page_size() const noexcept { return 2048; }
};
struct page_size_changes : array_source {
    std::size_t page_size() const noexcept { return taken[5] ? 8192 : 4096; }
};
struct serves_no_pages : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return pages == 0 ? result<void*>{memory} : array_source::acquire(pages, node);
    }
};
struct names_no_pages_otherwise : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return pages == 0 ? result<void*>{status::no_memory} : array_source::acquire(pages, node);
    }
};
struct multiplies_without_care : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return pages != 0 && pages * 4096 <= 4096 ? array_source::acquire(1, node) : array_source::acquire(pages, node);
    }
};
struct takes_strict_for_a_wish : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return array_source::acquire(pages, node_of(node));
    }
};
struct has_nothing : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return pages == 0 || is_strict(node) ? status::invalid : status::no_memory;
    }
};
struct says_limit : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        const result<void*> memory_found = array_source::acquire(pages, node);
        return !memory_found && pages == 1 && !is_strict(node) ? result<void*>{status::limit} : memory_found;
    }
};
struct between_boundaries : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        const result<void*> found = array_source::acquire(pages, node);
        return found ? result<void*>{static_cast<std::byte*>(*found) + 2048} : found;
    }
};
struct runs_lap_over : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        const result<void*> found = array_source::acquire(pages, node);
        if (found && pages > 1) { // the last page is free for others
            const auto first = static_cast<std::size_t>(static_cast<std::byte*>(*found) - memory) / 4096;
            taken[first + pages - 1] = false;
        }
        return found;
    }
};
struct hands_out_twice : array_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        return pages == 1 && taken[20] && !taken[21] ? result<void*>{memory + 20 * 4096}
                                                     : array_source::acquire(pages, node);
    }
};
struct scribbles : array_source {
    void release(void* p, std::size_t pages) noexcept {
        array_source::release(p, pages);
        const auto first = static_cast<std::size_t>(static_cast<std::byte*>(p) - memory) / 4096;
        if (first > 0) { // a link of a free list, in the wrong page
            memory[(first - 1) * 4096] ^= std::byte{1};
        }
    }
};
struct leaks : array_source {
    void release(void* p, std::size_t pages) noexcept {
        if (pages < 4) {
            array_source::release(p, pages);
        } else {
            array_source::release(p, pages - 1);
        }
    }
};
struct takes_nothing_back : array_source {
    void release(void*, std::size_t) noexcept {}
};

struct trims : array_source {
    std::size_t kept = 0;
    void release(void* p, std::size_t pages) noexcept {
        kept += pages * 4096;
        array_source::release(p, pages);
    }
    std::size_t trim() noexcept { return std::exchange(kept, 0); }
};
struct trims_bit_by_bit : trims {
    std::size_t trim() noexcept { return kept == 0 ? 0 : std::exchange(kept, kept - 4096) - kept; }
};
struct trims_odd_bytes : trims {
    std::size_t trim() noexcept { return std::exchange(kept, 0) + 1; }
};
struct trims_what_is_held : trims {
    std::size_t trim() noexcept {
        for (std::size_t i = 0; i < count; ++i) { // all pages, not those that are free
            memory[i * 4096] = std::byte{0};
        }
        return trims::trim();
    }
};
struct trims_for_good : trims {
    std::size_t trim() noexcept {
        taken[count - 1] = true;
        return trims::trim();
    }
};

template <class Source>
std::string violation() {
    const auto source = std::make_unique<Source>();
    return page_source_violation(*source, 1000);
}

TEST_CASE("the suite finds nothing in a page source that keeps its contract") {
    CHECK(violation<array_source>() == "");
    CHECK(violation<trims>() == "");
}

TEST_CASE("the suite convicts a page source of the clause that it breaks") {
    CHECK(violation<page_size_no_power>() == "page_size_is_sound");
    CHECK(violation<page_size_too_small>() == "page_size_is_sound");
    CHECK(violation<page_size_changes>() == "page_size_is_sound");
    CHECK(violation<serves_no_pages>() == "refuses_no_pages");
    CHECK(violation<names_no_pages_otherwise>() == "refuses_no_pages");
    CHECK(violation<multiplies_without_care>() == "refuses_too_many");
    CHECK(violation<takes_strict_for_a_wish>() == "refuses_strangers");
    CHECK(violation<has_nothing>() == "serves");
    CHECK(violation<says_limit>() == "says_no_memory");
    CHECK(violation<between_boundaries>() == "aligned");
    CHECK(violation<runs_lap_over>() == "apart");
    CHECK(violation<hands_out_twice>() == "apart");
    CHECK(violation<scribbles>() == "keeps_contents");
    CHECK(violation<leaks>() == "serves_again");
    CHECK(violation<takes_nothing_back>() == "serves_again");
    CHECK(violation<trims_bit_by_bit>() == "trims_all");
    CHECK(violation<trims_odd_bytes>() == "trims_all");
    CHECK(violation<trims_what_is_held>() == "keeps_contents");
    CHECK(violation<trims_for_good>() == "serves_again");
}

} // namespace
} // namespace pagefold::testing::concepts_page_source
