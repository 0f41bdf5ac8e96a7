// SPDX-License-Identifier: MIT
#pragma once

// What an object allocator makes of a source that runs out: whatever it held once it can hold again, after any history. A
// function that names the clauses an allocator breaks, none for a good one. Every run fills a source of a few pages until
// it refuses, frees in some order, and fills again; it ends at the first breach.

#include <pagefold/alloc/concept.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/platform/static_source.hpp>

#include <support/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pagefold::testing {

enum class small_source_clause {
    refuses_for_want_of_memory,  ///< what a source without enough pages is refused with is no_memory
    serves_a_few_pages,          ///< a source of fewest_units units holds an object of any size
    takes_again_what_was_freed,  ///< when objects are freed, one of the size of any of them fits
    takes_again_all_of_one_size, ///< when some objects of one size are freed, as many fit
    gives_back_when_empty,       ///< without an object nothing is left of the source's pages, nor anything counted
    fits_as_many_as_a_fresh_one, ///< without an object it holds what an allocator without a history does
    stays_sound,                 ///< check is true all the time, and the bytes counted are those taken from the source
};

[[nodiscard]] inline const char* to_string(small_source_clause clause) noexcept {
    switch (clause) {
    case small_source_clause::refuses_for_want_of_memory: return "refuses_for_want_of_memory";
    case small_source_clause::serves_a_few_pages: return "serves_a_few_pages";
    case small_source_clause::takes_again_what_was_freed: return "takes_again_what_was_freed";
    case small_source_clause::takes_again_all_of_one_size: return "takes_again_all_of_one_size";
    case small_source_clause::gives_back_when_empty: return "gives_back_when_empty";
    case small_source_clause::fits_as_many_as_a_fresh_one: return "fits_as_many_as_a_fresh_one";
    case small_source_clause::stays_sound: return "stays_sound";
    }
    return "unknown";
}

namespace detail {

/// Memory for a static_source of just so many pages.
class small_memory {
public:
    small_memory(std::size_t pages, std::size_t page_size)
        : page_size_{page_size}, bytes_{pages * page_size + (pages + 63) / 64 * 8},
          memory_{static_cast<std::byte*>(::operator new (bytes_, std::align_val_t{page_size}))} {}
    ~small_memory() { ::operator delete (memory_, std::align_val_t{page_size_}); }
    small_memory(const small_memory&) = delete;
    small_memory& operator=(const small_memory&) = delete;

    [[nodiscard]] byte_span range() const noexcept { return {memory_, bytes_}; }

private:
    std::size_t page_size_, bytes_;
    std::byte* memory_;
};

/// One allocator over one source, the objects in it, and the first clause that it broke.
template <object_allocator Allocator>
class small_source_checks {
public:
    using clause = small_source_clause;
    static constexpr std::size_t fewest_units = 4;

    small_source_checks(std::size_t pages, std::size_t page_size, std::uint64_t seed)
        : memory_{pages, page_size}, source_{memory_.range(), page_size}, random_{seed}, allocator_{source_, any_node} {
    }

    [[nodiscard]] std::optional<clause> broken() const { return broken_; }

    void one_size(std::size_t size) {
        const std::size_t first = fill(size);
        expect(first != 0 || source_.capacity_bytes() < fewest_units * Allocator::max_size, clause::serves_a_few_pages);
        for (unsigned i = 0; i < 12 && first != 0 && !broken_; ++i) {
            const std::size_t at = i == 0 ? 0 : i == 1 ? objects_.size() - 1 : random_.below(objects_.size());
            free_at(at);
            expect(add(size), clause::takes_again_what_was_freed);
        }
        for (const std::size_t step : {2u, 3u, 7u}) {
            for (std::size_t i = 0; i < objects_.size(); i += step) {
                chosen_.push_back(i);
            }
            swap_chosen(size);
        }
        for (const unsigned of_ten : {1u, 5u, 9u}) {
            for (std::size_t i = 0; i < objects_.size(); ++i) {
                if (random_.below(10) < of_ten) {
                    chosen_.push_back(i);
                }
            }
            shuffle(chosen_);
            swap_chosen(size);
        }
        for (unsigned order = 0; order < 3 && !broken_; ++order) {
            free_all(order);
            expect(fill(size) == first, clause::fits_as_many_as_a_fresh_one);
        }
        free_all(1);
    }

    void mixed_sizes(std::size_t most, unsigned operations) {
        const auto some_size = [&] { return 1 + random_.below(random_.one_in(3) ? most : most / 4 + 1); };
        for (unsigned i = 0; i < operations && !broken_; ++i) {
            for (unsigned refused = 0; refused < 3; refused += add(some_size()) ? 0 : 1) {
            }
            for (const std::size_t count : {1u, 1u, 2u, 5u, 12u, 30u}) {
                free_some_add_one(count);
            }
            for (std::size_t left = random_.below(objects_.size() + 1); objects_.size() > left;) {
                free_at(random_.below(objects_.size()));
            }
            if (random_.one_in(2)) {
                compact();
            }
            sound();
        }
        free_all(random_.one_in(2) ? 0 : 2);
    }

private:
    struct object {
        object_handle handle;
        std::size_t size;
    };

    void expect(bool holds, clause which) {
        if (!holds && !broken_) {
            broken_ = which;
        }
    }
    void sound() {
        expect(allocator_.check() && allocator_.bytes_held() + allocator_.table_bytes() == source_.acquired_bytes() &&
                   source_.check(),
               clause::stays_sound);
    }
    bool add(std::size_t size) {
        const result<object_handle> h = allocator_.allocate(size);
        if (!h) {
            expect(h.error() == status::no_memory, clause::refuses_for_want_of_memory);
            return false;
        }
        objects_.push_back({*h, size});
        return true;
    }
    std::size_t fill(std::size_t size) {
        const std::size_t before = objects_.size();
        while (add(size)) {
        }
        sound();
        return objects_.size() - before;
    }
    void free_at(std::size_t at) {
        allocator_.deallocate(objects_[at].handle);
        objects_[at] = objects_.back();
        objects_.pop_back();
    }
    void free_some_add_one(std::size_t count) {
        std::vector<std::size_t> sizes;
        for (; count != 0 && !objects_.empty() && !broken_; --count) {
            const std::size_t at = random_.below(objects_.size());
            sizes.push_back(objects_[at].size);
            free_at(at);
        }
        if (!sizes.empty()) {
            expect(add(sizes[random_.below(sizes.size())]), clause::takes_again_what_was_freed);
        }
    }
    /// Frees those that were chosen, and adds as many.
    void swap_chosen(std::size_t size) {
        for (const std::size_t at : chosen_) {
            allocator_.deallocate(objects_[at].handle);
        }
        sound();
        for (const std::size_t at : chosen_) {
            const result<object_handle> h = broken_ ? status::no_memory : allocator_.allocate(size);
            expect(h.has_value(), clause::takes_again_all_of_one_size);
            objects_[at] = {h ? *h : object_handle{}, h ? size : 0};
        }
        std::erase_if(objects_, [](const object& o) { return o.size == 0; });
        chosen_.clear();
        sound();
    }
    void free_all(unsigned order) {
        if (order == 1) {
            std::reverse(objects_.begin(), objects_.end());
        } else if (order == 2) {
            shuffle(objects_);
        }
        for (const object& o : objects_) {
            allocator_.deallocate(o.handle);
        }
        objects_.clear();
        expect(allocator_.bytes_held() == 0 && allocator_.table_bytes() == 0 && allocator_.allocated_bytes() == 0 &&
                   source_.acquired_bytes() == 0,
               clause::gives_back_when_empty);
        sound();
    }
    /// Carries a plan out, or leaves it somewhere in between: what is freed then must be there for others all the same.
    void compact() {
        if constexpr (compacting_allocator<Allocator>) {
            static_cast<void>(allocator_.plan_compaction(random_.one_in(3) ? Allocator::max_size : ~std::size_t{0}));
            const std::size_t ends = random_.below(2 * objects_.size() + 1);
            for (std::size_t i = 0; i < objects_.size() && i < ends; ++i) {
                if (allocator_.misplaced(objects_[i].handle)) {
                    if (const result<object_handle> to = allocator_.relocate(objects_[i].handle)) {
                        objects_[i].handle = *to;
                    }
                }
            }
            sound();
            for (const std::size_t count : {1u, 1u, 3u, 1u}) {
                free_some_add_one(count);
            }
            if (random_.one_in(2)) {
                allocator_.finish_compaction();
            }
        }
    }
    template <class T>
    void shuffle(std::vector<T>& all) {
        for (std::size_t i = all.size(); i > 1; --i) {
            std::swap(all[i - 1], all[random_.below(i)]);
        }
    }

    small_memory memory_;
    static_source<> source_;
    rng random_;
    Allocator allocator_;
    std::vector<object> objects_;
    std::vector<std::size_t> chosen_;
    std::optional<clause> broken_;
};

} // namespace detail

/// The clauses that the allocator breaks over sources of one to `most_pages` pages; empty for a good one.
template <object_allocator Allocator>
[[nodiscard]] std::set<small_source_clause> small_source_violations(std::size_t page_size, std::size_t most_pages) {
    std::set<small_source_clause> broken;
    constexpr std::size_t unit = Allocator::max_size;
    const auto note = [&](const auto& checks) {
        if (checks.broken()) {
            broken.insert(*checks.broken());
        }
    };
    for (std::size_t pages = 1; pages <= most_pages; ++pages) {
        for (const std::size_t size : {std::size_t{1}, std::size_t{16},  unit / 64,    unit / 64 + 1, unit / 40,
                                       unit / 33,      unit / 20,        unit / 9,     unit / 7 + 1,  unit / 5,
                                       unit / 3,       unit / 3 + 1,     unit * 3 / 8, unit / 2 - 8,  unit / 2 + 1,
                                       unit * 3 / 5,   unit * 2 / 3 + 1, unit * 3 / 4, unit * 5 / 6,  unit * 9 / 10,
                                       unit - 100,     unit - 1,         unit}) {
            if (size <= unit) {
                detail::small_source_checks<Allocator> checks{pages, page_size, pages + size};
                checks.one_size(size);
                note(checks);
            }
        }
        for (const std::size_t most : {unit / 16, unit / 4, unit}) {
            detail::small_source_checks<Allocator> checks{pages, page_size, pages * most};
            checks.mixed_sizes(most, 12);
            note(checks);
        }
    }
    return broken;
}

[[nodiscard]] inline std::string describe(const std::set<small_source_clause>& clauses) {
    std::string all;
    for (const small_source_clause clause : clauses) {
        all += all.empty() ? "" : ", ";
        all += to_string(clause);
    }
    return all;
}

} // namespace pagefold::testing
