// SPDX-License-Identifier: MIT
#include <conformance/paging_backend.hpp>

#include <support/test_paging_backend.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace pagefold::testing::conformance_paging_backend {
namespace {

constexpr std::size_t bytes = test_paging_backend::page_size;

TEST_CASE("the backends of the tests keep the contract of a paging backend") {
    for (const bool tells : {false, true}) {
        for (const bool moves : {false, true}) {
            for (const std::size_t most : {std::size_t{1}, std::size_t{2}, std::size_t{8}}) {
                test_paging_backend plain{8, {tells, moves, most}};
                CHECK(describe(paging_violations(plain, plain, bytes)) == "");
                CHECK(plain.misuses() == 0);
                CHECK(plain.refusals() > 8);
                based_test_backend based{9, {tells, moves, most}};
                CHECK(describe(paging_violations(based, based, bytes)) == "");
                CHECK(based.misuses() == 0);
            }
        }
    }
}

// One wrong backend for each clause.

using right = test_paging_backend;

struct half_place : right {
    using right::right;
    result<byte_span> place(slot_id first, std::size_t count) noexcept {
        const result<byte_span> whole = right::place(first, count);
        return whole ? result<byte_span>{whole.value().first(bytes / 2)} : whole;
    }
};
struct open_place : right {
    using right::right;
    result<byte_span> place(slot_id first, std::size_t count) noexcept {
        shown = first;
        return right::place(first, count);
    }
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        shown = ~slot_id{0};
        return right::bring(first, count, access);
    }
    const std::byte* see(std::size_t page) { return page == shown ? zero : right::see(page); }
    slot_id shown = ~slot_id{0};
    std::byte zero[bytes] = {};
};
/// A page that was given up keeps its place.
struct leaking_place : right {
    using right::right;
    result<byte_span> place(slot_id first, std::size_t count) noexcept {
        return kept > 4 ? result<byte_span>{status::no_memory} : right::place(first, count);
    }
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        kept += count == 0 ? 1 : 0;
        return right::bring(first, count, access);
    }
    unsigned kept = 0;
};
struct other_content : right {
    using right::right;
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        const pages_done done = right::bring(first, count, access);
        if (done.done != 0) {
            const std::byte none[bytes] = {};
            right::appear(first, none);
        }
        return done;
    }
};
struct dirty_zeros : right {
    using right::right;
    pages_done bring_zeros(slot_id first, std::size_t count, page_access access) noexcept {
        const pages_done done = right::bring_zeros(first, count, access);
        const std::byte some[bytes] = {std::byte{0}, std::byte{1}};
        right::appear(first, some);
        return done;
    }
};
struct one_more : right {
    using right::right;
    pages_done bring_zeros(slot_id first, std::size_t count, page_access access) noexcept {
        const std::byte none[bytes] = {};
        right::appear(first + count, none);
        return right::bring_zeros(first, count, access);
    }
};
struct always_protects : right {
    using right::right;
    status let_write(slot_id) noexcept { return status::ok; }
};
struct never_tells : right {
    using right::right;
    pages_done bring(slot_id first, std::size_t count, page_access) noexcept {
        return right::bring(first, count, page_access::write);
    }
};
struct forgets_writes : right {
    using right::right;
    bool was_written(slot_id) noexcept { return false; }
};
struct leaves_open : right {
    using right::right;
    bool write(std::size_t page, const std::byte* content) {
        if (right::is_taken(page)) {
            right::lose_memory(page);
            right::appear(page, content);
            return true;
        }
        return right::write(page, content);
    }
};
struct puts_zeros_back : right {
    using right::right;
    status put_back(slot_id page, page_access access) noexcept {
        const status s = right::put_back(page, access);
        const std::byte none[bytes] = {};
        right::appear(page, none);
        return s;
    }
};
struct puts_back_open : right {
    using right::right;
    status put_back(slot_id page, page_access) noexcept { return right::put_back(page, page_access::write); }
};
struct keeps_frames : right {
    using right::right;
    pages_done drop(slot_id first, std::size_t count) noexcept {
        kept += count;
        return right::drop(first, count);
    }
    std::size_t in_memory() const { return right::in_memory() + kept; }
    std::size_t kept = 0;
};
struct says_nothing_lost : right {
    using right::right;
    status set_lost(slot_id, bool) noexcept { return status::ok; }
};
struct stays_lost : right {
    using right::right;
    status set_lost(slot_id page, bool is_lost) noexcept { return is_lost ? right::set_lost(page, true) : status::ok; }
};
struct wakes_one : right {
    using right::right;
    status wake(slot_id first, std::size_t) noexcept { return right::wake(first, 1); }
};
struct half_a_take : right {
    using right::right;
    pages_done take_out(slot_id first, std::size_t count) noexcept {
        const pages_done done = right::take_out(first, count);
        if (done.why != status::ok) {
            static_cast<void>(right::take_out(static_cast<slot_id>(first + done.done), 1));
        }
        return done;
    }
};
struct drops_when_refusing : right {
    using right::right;
    status put_back(slot_id page, page_access access) noexcept {
        const status s = right::put_back(page, access);
        if (s != status::ok) {
            right::lose_memory(page);
            const std::byte none[bytes] = {};
            right::appear(page, none);
        }
        return s;
    }
};
struct counts_too_many : right {
    using right::right;
    pages_done drop(slot_id first, std::size_t count) noexcept {
        static_cast<void>(right::drop(first, count));
        return {count, status::busy};
    }
};
struct changing_its_mind : right {
    using right::right;
    [[nodiscard]] bool tells_writes() const noexcept { return asked++ == 0; }
    mutable unsigned asked = 0;
};
struct changing_file : based_test_backend {
    using based_test_backend::based_test_backend;
    status fill(slot_id page, byte_span out) noexcept {
        fill_bytes(out.data(), static_cast<unsigned char>(++version), out.size());
        return page < 8 ? status::ok : status::invalid;
    }
    unsigned version = 0;
};
struct accessed_for_ever : based_test_backend {
    using based_test_backend::based_test_backend;
    bool was_accessed(slot_id) noexcept { return true; }
};

template <class Backend>
bool breaks(paging_clause clause, const test_paging_kind& kind = {}) {
    Backend backend{10, kind};
    return paging_violations(backend, backend, bytes).count(clause) != 0;
}

TEST_CASE("the contract of a paging backend is broken by one for each clause") {
    using clause = paging_clause;
    CHECK(breaks<half_place>(clause::place_is_whole));
    CHECK(breaks<open_place>(clause::place_is_hidden));
    CHECK(breaks<leaking_place>(clause::place_ends));
    CHECK(breaks<other_content>(clause::brought_is_there));
    CHECK(breaks<dirty_zeros>(clause::zeros_are_zeros));
    CHECK(breaks<one_more>(clause::run_is_the_run));
    CHECK(breaks<always_protects>(clause::write_is_let));
    CHECK(breaks<never_tells>(clause::write_is_told));
    CHECK(breaks<forgets_writes>(clause::write_is_told, {false, false, 4}));
    CHECK(breaks<leaves_open>(clause::taken_is_steady));
    CHECK(breaks<puts_zeros_back>(clause::put_back_is_there));
    CHECK(breaks<puts_back_open>(clause::put_back_is_there));
    CHECK(breaks<keeps_frames>(clause::dropped_is_gone));
    CHECK(breaks<says_nothing_lost>(clause::lost_is_told));
    CHECK(breaks<stays_lost>(clause::lost_is_told));
    CHECK(breaks<wakes_one>(clause::wake_wakes));
    CHECK(breaks<half_a_take>(clause::refusal_is_harmless));
    CHECK(breaks<drops_when_refusing>(clause::refusal_is_harmless));
    CHECK(breaks<counts_too_many>(clause::done_is_counted));
    CHECK(breaks<changing_its_mind>(clause::answers_stay));
    CHECK(breaks<changing_file>(clause::fill_is_the_same));
    CHECK(breaks<accessed_for_ever>(clause::access_is_told));
    CHECK(to_string(static_cast<paging_clause>(99)) == std::string{"unknown"});
}

} // namespace
} // namespace pagefold::testing::conformance_paging_backend
