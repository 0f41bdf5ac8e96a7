// SPDX-License-Identifier: MIT
//
// A small allocator that keeps to what is promised for a source that runs out, and one wrong one for each clause: the suite
// must convict it of just that.

#include <conformance/small_source.hpp>

#include <doctest/doctest.h>

#include <bitset>
#include <optional>
#include <vector>

namespace pagefold::testing::concepts_small_source {
namespace {

/// Pages of four slots each, all in order of their numbers. A handle is page number times four plus slot.
class four_a_page {
public:
    static constexpr std::size_t max_size = 1024;

    four_a_page(static_source<>& source, node_id) noexcept : source_{source} {}
    ~four_a_page() {
        for (const page& p : pages_) {
            if (p.memory != nullptr) {
                source_.release(p.memory, 1);
            }
        }
    }
    four_a_page(const four_a_page&) = delete;
    four_a_page& operator=(const four_a_page&) = delete;

    result<object_handle> allocate(std::size_t n) noexcept {
        if (n == 0 || n > max_size) {
            return status::invalid;
        }
        for (std::size_t at = 0; at < pages_.size(); ++at) {
            if (pages_[at].memory != nullptr && !pages_[at].used.all()) {
                return take(at);
            }
        }
        const result<void*> memory = source_.acquire(1, any_node);
        if (!memory) {
            return memory.error();
        }
        std::size_t at = 0;
        while (at < pages_.size() && pages_[at].memory != nullptr) {
            ++at;
        }
        pages_.resize(std::max(pages_.size(), at + 1));
        pages_[at] = {static_cast<std::byte*>(*memory), {}};
        return take(at);
    }
    void deallocate(object_handle h) noexcept {
        page& p = pages_[page_of(h)];
        p.used.reset(slot_of(h));
        if (p.used.none()) {
            source_.release(p.memory, 1);
            p = page{};
        }
    }
    std::size_t capacity(object_handle) const noexcept { return max_size; }
    std::size_t rounded(std::size_t) const noexcept { return max_size; }
    void write(object_handle h, byte_view bytes) noexcept { std::copy_n(bytes.data(), bytes.size(), place(h).data()); }
    byte_view read(object_handle h, std::size_t n, byte_span) const noexcept { return {place(h).data(), n}; }
    bool contains(object_handle h) const noexcept {
        return page_of(h) < pages_.size() && pages_[page_of(h)].used.test(slot_of(h));
    }
    byte_span place(object_handle h) const noexcept {
        return {pages_[page_of(h)].memory + slot_of(h) * max_size, max_size};
    }
    std::size_t allocated_bytes() const noexcept {
        std::size_t slots = 0;
        for (const page& p : pages_) {
            slots += p.used.count();
        }
        return slots * max_size;
    }
    std::size_t bytes_held() const noexcept {
        std::size_t bytes = 0;
        for (const page& p : pages_) {
            bytes += p.memory != nullptr ? 4096 : 0;
        }
        return bytes;
    }
    std::size_t table_bytes() const noexcept { return 0; }
    bool check() const noexcept { return true; }

protected:
    static_source<>& source() noexcept { return source_; }
    /// Whether it is the only object in its page.
    bool is_last(object_handle h) const noexcept { return pages_[page_of(h)].used.count() == 1; }

private:
    struct page {
        std::byte* memory = nullptr;
        std::bitset<4> used;
    };

    static std::size_t page_of(object_handle h) noexcept { return static_cast<std::uint64_t>(h) / 4; }
    static std::size_t slot_of(object_handle h) noexcept { return static_cast<std::uint64_t>(h) % 4; }
    object_handle take(std::size_t at) noexcept {
        std::size_t slot = 0;
        while (pages_[at].used.test(slot)) {
            ++slot;
        }
        pages_[at].used.set(slot);
        return object_handle{at * 4 + slot};
    }

    static_source<>& source_;
    std::vector<page> pages_;
};

struct says_limit : four_a_page {
    using four_a_page::four_a_page;
    result<object_handle> allocate(std::size_t n) noexcept {
        const result<object_handle> h = four_a_page::allocate(n);
        return h || n == 0 || n > max_size ? h : status::limit;
    }
};
struct wants_many_pages : four_a_page {
    using four_a_page::four_a_page;
    result<object_handle> allocate(std::size_t n) noexcept {
        return source().capacity_bytes() < 8 * 4096 ? status::no_memory : four_a_page::allocate(n);
    }
};
/// As where a table that must grow for it can't: a slot that was filled and freed is lost.
struct loses_slots_that_were_freed : four_a_page {
    using four_a_page::four_a_page;
    void deallocate(object_handle h) noexcept {
        if (!is_last(h)) {
            ++lost_;
        }
        four_a_page::deallocate(h);
        lost_ = bytes_held() == 0 ? 0 : lost_;
    }
    result<object_handle> allocate(std::size_t n) noexcept {
        const bool is_full = source().acquired_bytes() == source().capacity_bytes();
        if (is_full && bytes_held() - allocated_bytes() <= lost_ * max_size) {
            return status::no_memory;
        }
        return four_a_page::allocate(n);
    }

private:
    std::size_t lost_ = 0;
};
/// One at a time fits again, but not many.
struct loses_a_page_of_many : four_a_page {
    using four_a_page::four_a_page;
    void deallocate(object_handle h) noexcept {
        four_a_page::deallocate(h);
        ++freed_;
    }
    result<object_handle> allocate(std::size_t n) noexcept {
        const bool is_lost = freed_ > 1 && bytes_held() != 0 && bytes_held() - allocated_bytes() == max_size &&
                             source().acquired_bytes() == source().capacity_bytes();
        if (is_lost) {
            return status::no_memory;
        }
        const result<object_handle> h = four_a_page::allocate(n);
        freed_ = h && bytes_held() == source().capacity_bytes() && allocated_bytes() == bytes_held() ? 0 : freed_;
        return h;
    }

private:
    std::size_t freed_ = 0;
};
struct keeps_a_table : four_a_page {
    using four_a_page::four_a_page;
    ~keeps_a_table() {
        if (table_ != nullptr) {
            source().release(table_, 1);
        }
    }
    void deallocate(object_handle h) noexcept {
        four_a_page::deallocate(h);
        if (bytes_held() == 0 && table_ == nullptr) {
            table_ = *source().acquire(1, any_node);
        }
    }
    result<object_handle> allocate(std::size_t n) noexcept {
        if (table_ != nullptr) {
            source().release(table_, 1);
            table_ = nullptr;
        }
        return four_a_page::allocate(n);
    }
    std::size_t table_bytes() const noexcept { return table_ != nullptr ? 4096 : 0; }

private:
    void* table_ = nullptr;
};
/// With each time that it was empty it fills less.
struct ages : four_a_page {
    using four_a_page::four_a_page;
    void deallocate(object_handle h) noexcept {
        most_ = most_ > allocated_bytes() ? most_ : allocated_bytes();
        four_a_page::deallocate(h);
        const bool is_large = source().capacity_bytes() >= 8 * 4096; // so that only who frees all objects empties it
        if (is_large && allocated_bytes() == 0 && most_ == source().capacity_bytes()) {
            ++rounds_;
            most_ = 0;
        }
    }
    result<object_handle> allocate(std::size_t n) noexcept {
        if (rounds_ > 1 && allocated_bytes() + max_size >= source().capacity_bytes()) {
            return status::no_memory;
        }
        return four_a_page::allocate(n);
    }

private:
    std::size_t most_ = 0;
    unsigned rounds_ = 0;
};
struct counts_wrongly : four_a_page {
    using four_a_page::four_a_page;
    std::size_t bytes_held() const noexcept {
        return four_a_page::bytes_held() + (allocated_bytes() > 5 * max_size ? 4096 : 0);
    }
};

TEST_CASE("a simple allocator breaks no clause") {
    CHECK(describe(small_source_violations<four_a_page>(4096, 10)) == "");
}

template <class Wrong, small_source_clause Clause>
struct breaks {
    using wrong = Wrong;
    static constexpr small_source_clause clause = Clause;
};

TEST_CASE_TEMPLATE_DEFINE("each wrong allocator is convicted of the clause that it breaks", T, wrong_small) {
    CHECK(describe(small_source_violations<typename T::wrong>(4096, 10)) == to_string(T::clause));
}
TEST_CASE_TEMPLATE_INVOKE(wrong_small, breaks<says_limit, small_source_clause::refuses_for_want_of_memory>,
                          breaks<wants_many_pages, small_source_clause::serves_a_few_pages>,
                          breaks<loses_slots_that_were_freed, small_source_clause::takes_again_what_was_freed>,
                          breaks<loses_a_page_of_many, small_source_clause::takes_again_all_of_one_size>,
                          breaks<keeps_a_table, small_source_clause::gives_back_when_empty>,
                          breaks<ages, small_source_clause::fits_as_many_as_a_fresh_one>,
                          breaks<counts_wrongly, small_source_clause::stays_sound>);

} // namespace
} // namespace pagefold::testing::concepts_small_source
