// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <pagefold/core/bytes.hpp>
#include <pagefold/paging/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace pagefold::testing {

/// Which kind of host the backend is one of.
struct test_paging_kind {
    bool tells_writes = true;   ///< as one that protects; else as one that has dirty bits
    bool moves = false;         ///< a page that is taken out can't be read by the program
    std::size_t most_place = 4; ///< pages that a place is of
};

/// A paging backend in memory, with the program's side of it. It keeps the contract, refuses as it is told, and notes
/// where the pager breaks its side. Pages have 16 bytes.
class test_paging_backend {
public:
    static constexpr std::size_t page_size = 16;
    enum class call { place, bring, bring_zeros, let_write, take_out, read, put_back, drop, set_lost, wake, fill };
    static constexpr std::size_t calls = 11;

    explicit test_paging_backend(std::size_t pages, const test_paging_kind& kind = {}, std::uint64_t seed = 1)
        : kind_{kind}, pages_(pages), bytes_(pages * page_size), room_(kind.most_place * page_size), random_{seed} {}

    // The program.

    /// What it sees, or null where it has to wait.
    [[nodiscard]] const std::byte* see(std::size_t page) {
        pages_[page].is_accessed = true;
        return is_readable(page) ? at(page) : nullptr;
    }
    /// False where it has to wait.
    [[nodiscard]] bool write(std::size_t page, const std::byte* content) {
        if (!is_readable(page) || pages_[page].is == state::taken || pages_[page].is_protected) {
            return false;
        }
        copy_bytes(at(page), content, page_size);
        pages_[page].is_written = pages_[page].is_accessed = true;
        return true;
    }
    [[nodiscard]] bool hears_an_error(std::size_t page) const { return pages_[page].is == state::lost; }
    void wait(std::size_t page) { pages_[page].is_waited_for = true; }
    [[nodiscard]] bool is_waited_for(std::size_t page) const { return pages_[page].is_waited_for; }
    /// Pages that take memory.
    [[nodiscard]] std::size_t in_memory() const { return in_memory_; }
    [[nodiscard]] bool is_present(std::size_t page) const { return pages_[page].is == state::present; }
    [[nodiscard]] bool is_taken(std::size_t page) const { return pages_[page].is == state::taken; }
    /// The kernel drops a page, or brings one, and tells nobody.
    void lose_memory(std::size_t page) { go(page, state::missing); }
    void appear(std::size_t page, const std::byte* content) {
        copy_bytes(at(page), content, page_size);
        go(page, state::present);
        pages_[page].is_protected = false;
        pages_[page].is_written = true;
    }

    // Injection.

    /// One call in so many is refused, at random; 0: none.
    std::uint64_t refuses_one_in = 0;
    /// That call is refused, always.
    void refuse(call which, bool always) { is_refused_[static_cast<std::size_t>(which)] = always; }
    /// The n-th from here on, counted by pages in runs.
    void refuse_next(unsigned n) { refusal_in_ = n; }
    std::size_t most_memory = ~std::size_t{0}; ///< pages; more is no_memory
    std::function<void(call, slot_id)> on_call{};
    [[nodiscard]] std::uint64_t count(call which) const { return count_[static_cast<std::size_t>(which)]; }
    [[nodiscard]] std::uint64_t refusals() const { return refusals_; }
    /// What the pager asked for and must not: of pages in another state, or beyond the end.
    [[nodiscard]] std::uint64_t misuses() const { return misuses_; }

    // paging_backend

    result<byte_span> place(slot_id first, std::size_t count) noexcept {
        expect(!has_place_ && count >= 1 && first + count <= pages_.size());
        if (is_denied(call::place, first)) {
            return status::busy;
        }
        for (std::size_t i = 0; i < count; ++i) {
            expect(pages_[first + i].is == state::missing);
        }
        if (in_memory_ >= most_memory) {
            return status::no_memory;
        }
        has_place_ = true;
        placed_ = count < kind_.most_place ? count : kind_.most_place;
        placed_ = placed_ < most_memory - in_memory_ ? placed_ : most_memory - in_memory_;
        fill_bytes(room_.data(), 0xa5, room_.size());
        return byte_span{room_.data(), placed_ * page_size};
    }
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        expect(has_place_ && count <= placed_);
        has_place_ = false;
        return bring_from(call::bring, first, count, access, room_.data());
    }
    pages_done bring_zeros(slot_id first, std::size_t count, page_access access) noexcept {
        expect(!has_place_ && count >= 1);
        return bring_from(call::bring_zeros, first, count, access, nullptr);
    }
    status let_write(slot_id page) noexcept {
        expect(pages_[page].is == state::present);
        if (is_denied(call::let_write, page)) {
            return status::busy;
        }
        pages_[page].is_protected = false;
        return status::ok;
    }
    pages_done take_out(slot_id first, std::size_t count) noexcept {
        return over_run(call::take_out, first, count, [this](std::size_t page) {
            expect(pages_[page].is == state::present);
            pages_[page].is = state::taken;
            return status::ok;
        });
    }
    [[nodiscard]] bool was_written(slot_id page) noexcept {
        expect(pages_[page].is == state::taken);
        return pages_[page].is_written;
    }
    result<byte_view> read(slot_id page) noexcept {
        expect(pages_[page].is == state::taken);
        if (is_denied(call::read, page)) {
            return status::busy;
        }
        return byte_view{at(page), page_size};
    }
    status put_back(slot_id page, page_access access) noexcept {
        expect(pages_[page].is == state::taken);
        if (is_denied(call::put_back, page)) {
            return status::busy;
        }
        go(page, state::present);
        note_access(page, access);
        return status::ok;
    }
    pages_done drop(slot_id first, std::size_t count) noexcept {
        return over_run(call::drop, first, count, [this](std::size_t page) {
            expect(pages_[page].is == state::present || pages_[page].is == state::taken);
            go(page, state::missing);
            return status::ok;
        });
    }
    status set_lost(slot_id page, bool is_lost) noexcept {
        expect(pages_[page].is == state::missing || pages_[page].is == state::lost);
        if (is_denied(call::set_lost, page)) {
            return status::busy;
        }
        go(page, is_lost ? state::lost : state::missing);
        return status::ok;
    }
    status wake(slot_id first, std::size_t count) noexcept {
        expect(first + count <= pages_.size());
        if (is_denied(call::wake, first)) {
            return status::busy;
        }
        for (std::size_t i = 0; i < count; ++i) {
            pages_[first + i].is_waited_for = false;
        }
        return status::ok;
    }
    [[nodiscard]] bool tells_writes() const noexcept { return kind_.tells_writes; }

protected:
    enum class state : std::uint8_t { missing, present, taken, lost };
    struct page_of {
        state is = state::missing;
        bool is_protected = false;
        bool is_written = false;
        bool is_accessed = false;
        bool is_waited_for = false;
    };

    [[nodiscard]] bool is_denied(call which, slot_id page) noexcept {
        ++count_[static_cast<std::size_t>(which)];
        if (on_call) {
            on_call(which, page);
        }
        const bool is_next = refusal_in_ != 0 && --refusal_in_ == 0;
        const bool denied = is_next || is_refused_[static_cast<std::size_t>(which)] ||
                            (refuses_one_in != 0 && random_.one_in(refuses_one_in));
        refusals_ += denied ? 1u : 0u;
        return denied;
    }
    void expect(bool holds) noexcept { misuses_ += holds ? 0u : 1u; }
    [[nodiscard]] page_of& page(std::size_t number) noexcept { return pages_[number]; }

private:
    [[nodiscard]] std::byte* at(std::size_t page) { return bytes_.data() + page * page_size; }
    [[nodiscard]] bool is_readable(std::size_t page) const {
        return pages_[page].is == state::present || (pages_[page].is == state::taken && !kind_.moves);
    }
    void go(std::size_t page, state to) {
        const auto takes = [](state s) { return s == state::present || s == state::taken; };
        in_memory_ -= takes(pages_[page].is) ? 1u : 0u;
        in_memory_ += takes(to) ? 1u : 0u;
        if (!takes(to)) {
            fill_bytes(at(page), 0xdd, page_size); // who reads it nevertheless sees it
        }
        pages_[page].is = to;
    }
    void note_access(std::size_t page, page_access access) {
        pages_[page].is_protected = kind_.tells_writes && access == page_access::read;
        pages_[page].is_written = access == page_access::write;
    }
    /// Each page may be refused by itself, so that runs end anywhere.
    template <class One>
    pages_done over_run(call which, slot_id first, std::size_t count, One one) noexcept {
        expect(first + count <= pages_.size());
        for (std::size_t i = 0; i < count; ++i) {
            const auto number = static_cast<slot_id>(first + i);
            if (is_denied(which, number)) {
                return {i, status::busy};
            }
            if (const status s = one(number); s != status::ok) {
                return {i, s};
            }
        }
        return {count, status::ok};
    }
    pages_done bring_from(call which, slot_id first, std::size_t count, page_access access,
                          const std::byte* from) noexcept {
        return over_run(which, first, count, [&](std::size_t page) {
            expect(pages_[page].is == state::missing);
            if (in_memory_ >= most_memory) {
                return status::no_memory;
            }
            go(page, state::present);
            note_access(page, access);
            pages_[page].is_accessed = false;
            if (from == nullptr) {
                fill_bytes(at(page), 0, page_size);
            } else {
                copy_bytes(at(page), from + (page - first) * page_size, page_size);
            }
            return status::ok;
        });
    }

    test_paging_kind kind_;
    std::vector<page_of> pages_;
    std::vector<std::byte> bytes_;
    std::vector<std::byte> room_;
    bool has_place_ = false;
    std::size_t placed_ = 0;
    std::size_t in_memory_ = 0;
    rng random_;
    unsigned refusal_in_ = 0;
    bool is_refused_[calls] = {};
    std::uint64_t count_[calls] = {};
    std::uint64_t refusals_ = 0, misuses_ = 0;
};
static_assert(paging_backend<test_paging_backend>);

/// One whose pages begin as those of a file, each byte of page n being n + 1, and that tells what was accessed.
class based_test_backend : public test_paging_backend {
public:
    using test_paging_backend::test_paging_backend;

    [[nodiscard]] static std::byte base_byte(std::size_t page) noexcept {
        return static_cast<std::byte>(page % 255 + 1);
    }

    status fill(slot_id page, byte_span out) noexcept {
        expect(out.size() == page_size);
        if (is_denied(call::fill, page)) {
            return status::unavailable;
        }
        fill_bytes(out.data(), static_cast<unsigned char>(base_byte(page)), out.size());
        return status::ok;
    }
    [[nodiscard]] bool was_accessed(slot_id number) noexcept {
        expect(page(number).is == state::present);
        const bool was = page(number).is_accessed;
        page(number).is_accessed = false;
        return was;
    }
};
static_assert(based_backend<based_test_backend> && accessed_backend<based_test_backend>);

} // namespace pagefold::testing
