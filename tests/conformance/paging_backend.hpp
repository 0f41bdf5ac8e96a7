// SPDX-License-Identifier: MIT
#pragma once

// The contract of a paging backend (the table in paging/concept.hpp) as a function that names the clauses it breaks.
//
// What the program sees is asked of a `Program` over the same region:
//
//   p.see(page)            | const std::byte*: what a read sees, or null where it waits or fails
//   p.write(page, content) | bool: writes a page; false where it waits or fails
//   p.wait(page), p.is_waited_for(page): somebody waits for it, and still does
//   p.hears_an_error(page) | bool: whoever touches it hears an error
//   p.refuse_next(n)       | optional: the n-th call from here on is refused; in a run, at its n-th page
//   p.in_memory()          | pages that take memory

#include <pagefold/paging/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace pagefold::testing {

enum class paging_clause {
    place_is_whole,      ///< a place is of whole pages, from 1 to as many as were asked for
    place_is_hidden,     ///< nobody sees it before bring
    place_ends,          ///< with bring, whatever became of its pages
    brought_is_there,    ///< with what was written to the place
    zeros_are_zeros,     ///< and are there
    run_is_the_run,      ///< no page beside it is touched
    write_is_let,        ///< a page for writing takes writes, and so does one that was let
    write_is_told,       ///< by a fault or by was_written, where it came with read
    taken_is_steady,     ///< nobody writes to what is taken out, and it reads as it was
    put_back_is_there,   ///< as it was, and with the access that was asked
    dropped_is_gone,     ///< its memory as well, taken out before or not
    lost_is_told,        ///< to who touches it, and is missing again afterwards
    wake_wakes,          ///< who waits for a page of the run
    refusal_is_harmless, ///< what was refused is as it was
    done_is_counted,     ///< done is count where why is ok, and less where it isn't
    fill_is_the_same,    ///< each time
    access_is_told,      ///< once, and of pages that were used
    answers_stay,        ///< tells_writes is always the same
};

[[nodiscard]] inline const char* to_string(paging_clause clause) noexcept {
    switch (clause) {
    case paging_clause::place_is_whole: return "place_is_whole";
    case paging_clause::place_is_hidden: return "place_is_hidden";
    case paging_clause::place_ends: return "place_ends";
    case paging_clause::brought_is_there: return "brought_is_there";
    case paging_clause::zeros_are_zeros: return "zeros_are_zeros";
    case paging_clause::run_is_the_run: return "run_is_the_run";
    case paging_clause::write_is_let: return "write_is_let";
    case paging_clause::write_is_told: return "write_is_told";
    case paging_clause::taken_is_steady: return "taken_is_steady";
    case paging_clause::put_back_is_there: return "put_back_is_there";
    case paging_clause::dropped_is_gone: return "dropped_is_gone";
    case paging_clause::lost_is_told: return "lost_is_told";
    case paging_clause::wake_wakes: return "wake_wakes";
    case paging_clause::refusal_is_harmless: return "refusal_is_harmless";
    case paging_clause::done_is_counted: return "done_is_counted";
    case paging_clause::fill_is_the_same: return "fill_is_the_same";
    case paging_clause::access_is_told: return "access_is_told";
    case paging_clause::answers_stay: return "answers_stay";
    }
    return "unknown";
}

/// Of a backend over 8 pages at least, all missing, with memory for them.
template <paging_backend Backend, class Program>
class paging_conformance {
    using clause = paging_clause;

public:
    paging_conformance(Backend& backend, Program& program, std::size_t page_size)
        : b_{backend}, p_{program}, size_{page_size}, told_{backend.tells_writes()} {}

    [[nodiscard]] std::set<clause> violations() {
        places();
        zeros();
        writes();
        takes_out();
        drops();
        loses();
        wakes();
        if constexpr (based_backend<Backend>) {
            fills();
        }
        if constexpr (accessed_backend<Backend>) {
            accesses();
        }
        if constexpr (requires { p_.refuse_next(1u); }) {
            refuses();
        }
        expect(b_.tells_writes() == told_, clause::answers_stay);
        return broken_;
    }

private:
    void expect(bool holds, clause which) {
        if (!holds) {
            broken_.insert(which);
        }
    }
    void expect_done(const pages_done& done, std::size_t count) {
        expect(done.done <= count && (done.done == count) == (done.why == status::ok), clause::done_is_counted);
    }
    [[nodiscard]] std::vector<std::byte> content(unsigned kind) const {
        std::vector<std::byte> bytes(size_);
        for (std::size_t i = 0; i < size_; ++i) {
            bytes[i] = static_cast<std::byte>(kind * 37 + i * 5 + 1);
        }
        return bytes;
    }
    [[nodiscard]] bool has(slot_id page, const std::vector<std::byte>& bytes) {
        const std::byte* const seen = p_.see(page);
        return seen != nullptr && equal_bytes(seen, bytes.data(), size_);
    }
    /// Brings pages by as many places as it takes.
    void bring(slot_id first, std::size_t count, page_access access, unsigned kind) {
        for (std::size_t at = 0; at < count;) {
            const auto page = static_cast<slot_id>(first + at);
            const result<byte_span> place = b_.place(page, count - at);
            const std::size_t placed = place ? place.value().size() / size_ : 0;
            expect(placed >= 1 && placed <= count - at && place.value().size() % size_ == 0, clause::place_is_whole);
            if (placed < 1 || placed > count - at) {
                return;
            }
            for (std::size_t i = 0; i < placed; ++i) {
                const auto bytes = content(kind + static_cast<unsigned>(at + i));
                copy_bytes(place.value().data() + i * size_, bytes.data(), size_);
                expect(p_.see(page + static_cast<slot_id>(i)) == nullptr, clause::place_is_hidden);
            }
            const pages_done done = b_.bring(page, placed, access);
            expect(done == pages_done{placed, status::ok}, clause::done_is_counted);
            for (std::size_t i = 0; i < placed; ++i) {
                expect(has(page + static_cast<slot_id>(i), content(kind + static_cast<unsigned>(at + i))),
                       clause::brought_is_there);
            }
            at += placed;
        }
    }
    void clear(slot_id first, std::size_t count) { expect_done(b_.drop(first, count), count); }
    void expect_missing(slot_id first, std::size_t count, clause which) {
        for (std::size_t i = 0; i < count; ++i) {
            expect(p_.see(first + static_cast<slot_id>(i)) == nullptr, which);
        }
    }

    void places() {
        bring(2, 3, page_access::read, 1);
        expect_missing(0, 2, clause::run_is_the_run);
        expect_missing(5, 3, clause::run_is_the_run);
        clear(2, 3);
        // Given up, whole and in part; and again.
        for (unsigned round = 0; round < 20; ++round) {
            const result<byte_span> place = b_.place(1, 2);
            expect(place.has_value(), clause::place_ends);
            if (!place) {
                return;
            }
            const std::size_t part = round % 2;
            const auto bytes = content(9);
            copy_bytes(place.value().data(), bytes.data(), size_);
            expect(b_.bring(1, part, page_access::write) == pages_done{part, status::ok}, clause::done_is_counted);
            expect_missing(static_cast<slot_id>(1 + part), 2 - part, clause::place_ends);
            if (part != 0) {
                expect(has(1, bytes), clause::brought_is_there);
                clear(1, 1);
            }
        }
        expect(p_.in_memory() == 0, clause::place_ends);
    }
    void zeros() {
        expect(b_.bring_zeros(3, 2, page_access::read) == pages_done{2, status::ok}, clause::done_is_counted);
        const std::vector<std::byte> zero(size_);
        expect(has(3, zero) && has(4, zero), clause::zeros_are_zeros);
        expect_missing(2, 1, clause::run_is_the_run);
        expect_missing(5, 1, clause::run_is_the_run);
        clear(3, 2);
    }
    void writes() {
        const auto one = content(50), other = content(51);
        bring(0, 1, page_access::write, 1);
        expect(p_.write(0, one.data()) && has(0, one), clause::write_is_let);
        bring(1, 1, page_access::read, 2);
        if (told_) {
            expect(!p_.write(1, one.data()) && has(1, content(2)), clause::write_is_told);
        }
        expect(b_.let_write(1) == status::ok, clause::write_is_let);
        expect(p_.write(1, other.data()) && has(1, other), clause::write_is_let);
        expect(b_.let_write(1) == status::ok && has(1, other), clause::write_is_let);
        expect(has(0, one), clause::run_is_the_run);
        clear(0, 2);
        if (!told_) {
            bring(2, 2, page_access::read, 3);
            expect(p_.write(3, one.data()), clause::write_is_told);
            expect_done(b_.take_out(2, 2), 2);
            expect(b_.was_written(3), clause::write_is_told);
            clear(2, 2);
        }
    }
    void takes_out() {
        const auto one = content(60);
        bring(2, 3, page_access::write, 5);
        expect(b_.take_out(2, 2) == pages_done{2, status::ok}, clause::done_is_counted);
        expect(p_.write(4, one.data()), clause::run_is_the_run);
        for (const slot_id page : {slot_id{2}, slot_id{3}}) {
            expect(!p_.write(page, one.data()), clause::taken_is_steady);
            const result<byte_view> read = b_.read(page);
            expect(read && read.value().size() == size_ &&
                       equal_bytes(read.value().data(), content(5 + page - 2).data(), size_),
                   clause::taken_is_steady);
        }
        expect(b_.put_back(2, page_access::write) == status::ok, clause::put_back_is_there);
        expect(has(2, content(5)) && p_.write(2, one.data()), clause::put_back_is_there);
        expect(b_.put_back(3, page_access::read) == status::ok, clause::put_back_is_there);
        expect(has(3, content(6)), clause::put_back_is_there);
        if (told_) {
            expect(!p_.write(3, one.data()), clause::put_back_is_there);
        } else {
            expect(p_.write(3, one.data()), clause::put_back_is_there);
            expect_done(b_.take_out(3, 1), 1);
            expect(b_.was_written(3), clause::put_back_is_there);
        }
        clear(2, 3);
    }
    void drops() {
        bring(1, 4, page_access::write, 7);
        expect_done(b_.take_out(2, 2), 2);
        const std::size_t before = p_.in_memory();
        expect(b_.drop(2, 1) == pages_done{1, status::ok}, clause::done_is_counted);
        expect_missing(2, 1, clause::dropped_is_gone);
        expect(has(1, content(7)) && has(4, content(10)), clause::run_is_the_run);
        expect(b_.drop(3, 2) == pages_done{2, status::ok}, clause::done_is_counted);
        expect_missing(3, 2, clause::dropped_is_gone);
        expect(before == 4 && p_.in_memory() == 1, clause::dropped_is_gone);
        clear(1, 1);
        bring(2, 1, page_access::read, 20);
        clear(2, 1);
    }
    void loses() {
        expect(b_.set_lost(5, true) == status::ok, clause::lost_is_told);
        expect(p_.hears_an_error(5) && p_.see(5) == nullptr, clause::lost_is_told);
        expect(!p_.hears_an_error(4) && !p_.hears_an_error(6), clause::run_is_the_run);
        expect(b_.set_lost(5, true) == status::ok && p_.hears_an_error(5), clause::lost_is_told);
        expect(b_.set_lost(5, false) == status::ok && !p_.hears_an_error(5), clause::lost_is_told);
        expect(b_.set_lost(6, false) == status::ok && !p_.hears_an_error(6), clause::lost_is_told); // it never was
        bring(5, 1, page_access::read, 30);
        clear(5, 1);
    }
    void wakes() {
        bring(1, 1, page_access::write, 40);
        for (slot_id page = 0; page < 4; ++page) {
            p_.wait(page);
        }
        expect(b_.wake(1, 2) == status::ok, clause::wake_wakes);
        expect(!p_.is_waited_for(1) && !p_.is_waited_for(2), clause::wake_wakes);
        expect(p_.is_waited_for(0) && p_.is_waited_for(3), clause::run_is_the_run);
        expect(b_.wake(0, 4) == status::ok && !p_.is_waited_for(0) && !p_.is_waited_for(3), clause::wake_wakes);
        expect(has(1, content(40)), clause::run_is_the_run);
        clear(1, 1);
    }
    void fills() {
        std::vector<std::byte> first(size_), again(size_, std::byte{0x77});
        for (slot_id page = 0; page < 8; ++page) {
            expect(b_.fill(page, first) == status::ok, clause::fill_is_the_same);
            expect(b_.fill(page, again) == status::ok && first == again, clause::fill_is_the_same);
        }
    }
    void accesses() {
        bring(1, 2, page_access::write, 45);
        static_cast<void>(b_.was_accessed(1));
        static_cast<void>(b_.was_accessed(2));
        static_cast<void>(p_.see(1));
        expect(b_.was_accessed(1), clause::access_is_told);
        expect(!b_.was_accessed(1), clause::access_is_told);
        expect(!b_.was_accessed(2), clause::access_is_told);
        clear(1, 2);
    }

    /// Each call is refused at each page of a run of three, and then not.
    void refuses() {
        const auto one = content(70);
        for (unsigned at = 1; at <= 3; ++at) {
            const std::size_t well = at - 1;
            p_.refuse_next(at);
            pages_done done = b_.bring_zeros(1, 3, page_access::read);
            expect_done(done, 3);
            expect(done.done == well, clause::done_is_counted);
            expect_missing(static_cast<slot_id>(1 + well), 3 - well, clause::refusal_is_harmless);
            if (done.done != 0 && done.done < 3) {
                clear(1, done.done);
            }
            bring(1, 3, page_access::write, 11);
            p_.refuse_next(at);
            done = b_.take_out(1, 3);
            expect_done(done, 3);
            for (std::size_t i = done.done; i < 3; ++i) {
                expect(p_.write(static_cast<slot_id>(1 + i), one.data()), clause::refusal_is_harmless);
            }
            const auto left = static_cast<slot_id>(1 + done.done);
            expect(done.done < 3 && b_.take_out(left, 3 - done.done).why == status::ok, clause::refusal_is_harmless);
            p_.refuse_next(at);
            done = b_.drop(1, 3);
            expect_done(done, 3);
            for (std::size_t i = done.done; i < 3; ++i) {
                const auto page = static_cast<slot_id>(1 + i);
                const result<byte_view> read = b_.read(page);
                expect(read && equal_bytes(read.value().data(),
                                           (i >= well ? one : content(11 + static_cast<unsigned>(i))).data(), size_),
                       clause::refusal_is_harmless);
            }
            clear(static_cast<slot_id>(1 + done.done), 3 - done.done);
        }
        bring(1, 1, page_access::read, 12);
        p_.refuse_next(1);
        expect(b_.let_write(1) != status::ok, clause::done_is_counted);
        expect(has(1, content(12)) && (!told_ || !p_.write(1, one.data())), clause::refusal_is_harmless);
        expect_done(b_.take_out(1, 1), 1);
        p_.refuse_next(1);
        expect(!b_.read(1), clause::done_is_counted);
        p_.refuse_next(1);
        expect(b_.put_back(1, page_access::write) != status::ok, clause::done_is_counted);
        expect(!p_.write(1, one.data()), clause::refusal_is_harmless);
        const result<byte_view> read = b_.read(1);
        expect(read && equal_bytes(read.value().data(), content(12).data(), size_), clause::refusal_is_harmless);
        clear(1, 1);
        p_.refuse_next(1);
        expect(b_.set_lost(1, true) != status::ok && !p_.hears_an_error(1), clause::refusal_is_harmless);
        const std::size_t before = p_.in_memory();
        p_.refuse_next(1);
        expect(!b_.place(1, 1), clause::done_is_counted);
        const result<byte_span> place = b_.place(1, 1);
        expect(place.has_value(), clause::refusal_is_harmless);
        p_.refuse_next(1);
        expect_done(b_.bring(1, 1, page_access::write), 1);
        expect_missing(1, 1, clause::refusal_is_harmless);
        expect(p_.in_memory() == before, clause::refusal_is_harmless);
        bring(1, 1, page_access::read, 13);
        clear(1, 1);
    }

    Backend& b_;
    Program& p_;
    std::size_t size_;
    bool told_;
    std::set<clause> broken_{};
};

template <paging_backend Backend, class Program>
[[nodiscard]] std::set<paging_clause> paging_violations(Backend& backend, Program& program, std::size_t page_size) {
    return paging_conformance<Backend, Program>{backend, program, page_size}.violations();
}

[[nodiscard]] inline std::string describe(const std::set<paging_clause>& broken) {
    std::string all;
    for (const paging_clause clause : broken) {
        all += (all.empty() ? "" : ", ") + std::string{to_string(clause)};
    }
    return all;
}

} // namespace pagefold::testing
