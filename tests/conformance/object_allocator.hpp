// SPDX-License-Identifier: MIT
#pragma once

// The contracts of an object allocator and of a compacting one (the tables in alloc/concept.hpp) as a function that names
// the clauses an allocator breaks: none for a good one. A few scenarios run one after the other, each on an allocator and
// a page source of its own, and each ends at the first breach, because from there on nothing it sees can be trusted.

#include <pagefold/alloc/concept.hpp>
#include <pagefold/core/bytes.hpp>

#include <support/environment.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pagefold::testing {

enum class allocator_clause {
    starts_without_memory,  ///< construction takes nothing from the source, and counts nothing
    refuses_bad_sizes,      ///< 0 and more than max_size are `invalid`
    serves_all_sizes,       ///< from 1 to max_size, while the source gives
    handle_fits,            ///< no handle needs more than handle_bits
    capacity_suffices,      ///< capacity(h) and rounded(n) are at least n
    reads_asked_size,       ///< read gives a view of n bytes
    contains_just_the_live, ///< contains is true of live handles, and of nothing that names no live object
    place_is_the_objects, ///< place(h) is where the object is, capacity(h) bytes; its last owner_bytes are the owner's
    keeps_contents,       ///< what was written is read, whatever other objects do
    counts_allocated,     ///< an object adds its bytes to allocated_bytes and takes the same away
    counts_memory,        ///< bytes_held() + table_bytes() is what the source counts
    passes_on_refusal,    ///< a refusal of the source is what allocate answers
    unchanged_by_refusal, ///< and nothing else changes by it
    gives_all_back,       ///< after destruction the source has all its pages, each given back as it was acquired
    check_holds,          ///< check is true all the time
    plan_keeps_to_budget, ///< about n bytes of objects are misplaced, and none for n = 0
    plan_frees_its_promise,  ///< when all misplaced objects are relocated, the promised pages are back with the source
    plan_ends_when_finished, ///< after finish_compaction no object is misplaced
    relocate_moves_to_stay,  ///< a relocated object is not misplaced
    relocate_takes_no_page,  ///< relocate acquires nothing
    relocate_keeps_contents, ///< nor does it change the bytes of the object
    names_each_misplaced,    ///< next_misplaced names each misplaced object by its place, once, and nothing else
    serves_during_plan,      ///< between plan and finish objects come and go as ever
    snug_keeps_to_size, ///< allocate_snug takes no place too large that allocate would not, and says what the source said
    fullness_tells_the_last, ///< fullness is within its bounds, and 0 for just the objects that take pages along
};

[[nodiscard]] inline const char* to_string(allocator_clause clause) noexcept {
    switch (clause) {
    case allocator_clause::starts_without_memory: return "starts_without_memory";
    case allocator_clause::refuses_bad_sizes: return "refuses_bad_sizes";
    case allocator_clause::serves_all_sizes: return "serves_all_sizes";
    case allocator_clause::handle_fits: return "handle_fits";
    case allocator_clause::capacity_suffices: return "capacity_suffices";
    case allocator_clause::reads_asked_size: return "reads_asked_size";
    case allocator_clause::contains_just_the_live: return "contains_just_the_live";
    case allocator_clause::place_is_the_objects: return "place_is_the_objects";
    case allocator_clause::keeps_contents: return "keeps_contents";
    case allocator_clause::counts_allocated: return "counts_allocated";
    case allocator_clause::counts_memory: return "counts_memory";
    case allocator_clause::passes_on_refusal: return "passes_on_refusal";
    case allocator_clause::unchanged_by_refusal: return "unchanged_by_refusal";
    case allocator_clause::gives_all_back: return "gives_all_back";
    case allocator_clause::check_holds: return "check_holds";
    case allocator_clause::plan_keeps_to_budget: return "plan_keeps_to_budget";
    case allocator_clause::plan_frees_its_promise: return "plan_frees_its_promise";
    case allocator_clause::plan_ends_when_finished: return "plan_ends_when_finished";
    case allocator_clause::relocate_moves_to_stay: return "relocate_moves_to_stay";
    case allocator_clause::relocate_takes_no_page: return "relocate_takes_no_page";
    case allocator_clause::relocate_keeps_contents: return "relocate_keeps_contents";
    case allocator_clause::names_each_misplaced: return "names_each_misplaced";
    case allocator_clause::serves_during_plan: return "serves_during_plan";
    case allocator_clause::snug_keeps_to_size: return "snug_keeps_to_size";
    case allocator_clause::fullness_tells_the_last: return "fullness_tells_the_last";
    }
    return "unknown";
}

/// A pattern of bytes for every seed.
inline void fill_pattern(byte_span bytes, std::uint64_t seed) {
    rng random{seed};
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
        const std::uint64_t word = random();
        std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
    }
}
[[nodiscard]] inline bool has_pattern(byte_view bytes, std::uint64_t seed) {
    rng random{seed};
    bool same = true;
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
        const std::uint64_t word = random();
        same = same && std::memcmp(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at)) == 0;
    }
    return same;
}

namespace detail {

/// One allocator, the objects that live in it, and the first clause that it broke.
template <object_allocator Allocator>
class allocator_checks {
public:
    using clause = allocator_clause;

    allocator_checks(test_source& source, std::uint64_t seed, bool tags_objects)
        : source_{source}, random_{seed}, tags_objects_{tags_objects}, allocator_{source, any_node} {}

    [[nodiscard]] std::optional<clause> broken() const { return broken_; }

    void fresh() {
        expect(source_.acquisitions() == 0 && allocator_.bytes_held() == 0 && allocator_.table_bytes() == 0 &&
                   allocator_.allocated_bytes() == 0,
               clause::starts_without_memory);
        check_sums();
        for (const std::size_t size : {std::size_t{0}, Allocator::max_size + 1, ~std::size_t{0}}) {
            const result<object_handle> h = allocator_.allocate(size);
            expect(!h && h.error() == status::invalid, clause::refuses_bad_sizes);
        }
        check_sums();
    }

    void every_size(std::size_t step) {
        for (std::size_t size = 1; size <= Allocator::max_size && !broken_; size += step) {
            expect(allocator_.rounded(size) >= size, clause::capacity_suffices);
            add(size);
        }
        add(Allocator::max_size);
        add(Allocator::max_size - 1);
        check_sums();
        while (!objects_.empty() && !broken_) {
            remove(objects_.size() - 1);
        }
        check_sums();
        expect(allocator_.allocated_bytes() == 0, clause::counts_allocated);
    }

    /// Swings between few and many objects.
    void churn(unsigned operations, std::size_t many) {
        for (unsigned i = 0; i < operations && !broken_; ++i) {
            const bool filling = i / many % 2 == 0;
            if (objects_.empty() || random_.below(100) < (filling ? 80u : 20u)) {
                add(some_size());
            } else {
                const std::size_t at = random_.below(objects_.size());
                if (random_.one_in(4)) {
                    overwrite(at);
                } else {
                    remove(at);
                }
            }
            if (random_.one_in(64)) {
                check_sums();
            }
        }
        check_sums();
    }

    void refusals() {
        for (const status answer : {status::no_memory, status::limit}) {
            source_.refuse_all(true, answer);
            for (unsigned i = 0; i < 40 && !broken_; ++i) {
                const std::size_t allocated = allocator_.allocated_bytes(), held = allocator_.bytes_held();
                const std::uint64_t refusals = source_.refusals();
                const result<object_handle> h = allocator_.allocate(i == 0 ? Allocator::max_size : some_size());
                if (h) { // it had room left
                    expect(source_.bytes_held() == allocator_.bytes_held() + allocator_.table_bytes(),
                           clause::counts_memory);
                    allocator_.deallocate(*h);
                } else {
                    expect(source_.refusals() > refusals && h.error() == answer, clause::passes_on_refusal);
                }
                expect(allocator_.allocated_bytes() == allocated, clause::unchanged_by_refusal);
                expect(allocator_.bytes_held() <= held, clause::unchanged_by_refusal);
                expect(h || allocator_.bytes_held() == held, clause::unchanged_by_refusal);
            }
            source_.refuse_all(false);
            check_sums();
            verify_all(clause::unchanged_by_refusal);
        }
    }

    /// With a source that refuses, over places of all sizes that came free.
    void snug() requires snug_allocator<Allocator> {
        for (const std::size_t size : {std::size_t{0}, Allocator::max_size + 1}) {
            const result<object_handle> h = allocator_.allocate_snug(size);
            expect(!h && h.error() == status::invalid, clause::snug_keeps_to_size);
        }
        source_.refuse_all(true);
        for (unsigned i = 0; i < 200 && !broken_; ++i) {
            const std::size_t size = some_size();
            const std::size_t rounded = allocator_.rounded(size);
            const result<object_handle> h = allocator_.allocate_snug(size);
            if (!h) {
                expect(h.error() == status::no_memory, clause::snug_keeps_to_size);
                continue;
            }
            keep(*h, size, 0);
            if (!broken_ && allocator_.capacity(*h) > rounded + rounded / 16) {
                remove(objects_.size() - 1);
                // With a source that gives, allocate takes such a place as well.
                source_.refuse_all(false);
                const std::uint64_t acquisitions = source_.acquisitions();
                add(size);
                expect(source_.acquisitions() == acquisitions, clause::snug_keeps_to_size);
                source_.refuse_all(true);
            }
        }
        source_.refuse_all(false);
        check_sums();
    }

    void compact(std::size_t budget) requires compacting_allocator<Allocator> {
        // A plan must find the sparsest pages: some headroom for one span, where the budget is smaller than that.
        const std::size_t held = allocator_.bytes_held();
        const std::size_t promise = allocator_.plan_compaction(budget);
        std::size_t to_move = 0;
        for (const object& o : objects_) {
            to_move += allocator_.misplaced(o.handle) ? o.size : 0;
        }
        const std::size_t headroom = 16 * Allocator::max_size;
        expect(budget == 0 ? to_move == 0 && promise == 0 : to_move <= budget || to_move <= headroom,
               clause::plan_keeps_to_budget);
        check_sums();
        relocate_all();
        expect(allocator_.bytes_held() + promise == held, clause::plan_frees_its_promise);
        finish();
    }

    /// Leaves a plan while objects come and go, then takes it up again.
    void compact_between_operations() requires compacting_allocator<Allocator> {
        static_cast<void>(allocator_.plan_compaction(~std::size_t{0}));
        for (unsigned i = 0; i < 200 && !broken_; ++i) {
            if (objects_.empty() || random_.one_in(2)) {
                add_during_plan();
            } else {
                remove(random_.below(objects_.size()));
            }
            if (random_.one_in(40)) {
                static_cast<void>(allocator_.plan_compaction(~std::size_t{0}));
            }
        }
        expect(allocator_.check(), clause::check_holds);
        relocate_all();
        finish();
    }

    /// As an owner does that is led to its objects by their places. Meanwhile it frees some that are to move and some that
    /// are not, leaves some where they are, adds others, and asks for more to be planned.
    void compact_by_places(bool disturbed) requires compacting_allocator<Allocator> {
        expect(allocator_.next_misplaced().empty(), clause::names_each_misplaced);
        const std::size_t held = allocator_.bytes_held(), promise = allocator_.plan_compaction(~std::size_t{0});
        const std::size_t held_then = allocator_.bytes_held();
        std::set<const std::byte*> left; // named, and where they were
        for (byte_span named = allocator_.next_misplaced(); !named.empty() && !broken_;
             named = allocator_.next_misplaced()) {
            const std::size_t at = object_at(named);
            if (broken_) {
                return;
            }
            expect(left.find(named.data()) == left.end(), clause::names_each_misplaced);
            if (disturbed && random_.one_in(4)) {
                left.insert(named.data());
            } else if (disturbed && random_.one_in(4)) {
                remove(at);
            } else if (!relocate(objects_[at])) {
                left.insert(named.data());
            }
            if (disturbed) {
                come_and_go(left);
            }
        }
        expect(allocator_.next_misplaced().empty(), clause::names_each_misplaced);
        for (const object& o : objects_) {
            expect(broken_ || !allocator_.misplaced(o.handle) || left.count(allocator_.place(o.handle).data()) != 0,
                   clause::names_each_misplaced);
        }
        expect(disturbed || allocator_.bytes_held() + promise == std::max(held, held_then),
               clause::plan_frees_its_promise);
        verify_all(clause::relocate_keeps_contents);
        static_cast<void>(allocator_.plan_compaction(~std::size_t{0})); // it may name some again
        finish();
        expect(allocator_.next_misplaced().empty(), clause::plan_ends_when_finished);
    }

    /// Of values that were never given, those that contains() takes for an object's handle must lead to an object.
    void ask_for_strangers() {
        std::set<const std::byte*> places;
        for (const object& o : objects_) {
            places.insert(allocator_.place(o.handle).data());
        }
        expect(places.size() == objects_.size(), clause::place_is_the_objects);
        const auto ask = [&](std::uint64_t value) {
            const object_handle h{value};
            if (!broken_ && allocator_.contains(h)) {
                expect(places.count(allocator_.place(h).data()) != 0, clause::contains_just_the_live);
            }
        };
        for (const object& o : objects_) {
            for (unsigned bit = 0; bit < 64; ++bit) {
                ask(static_cast<std::uint64_t>(o.handle) ^ std::uint64_t{1} << bit);
            }
            expect(!allocator_.contains(object_handle{static_cast<std::uint64_t>(o.handle) |
                                                      std::uint64_t{1} << (handle_bits + random_.below(16))}),
                   clause::contains_just_the_live);
        }
        for (unsigned i = 0; i < in_part(4000u); ++i) {
            ask(random_() >> random_.below(64));
        }
        ask(~std::uint64_t{0});
        ask(~std::uint64_t{0} >> (64 - handle_bits));
    }

    /// More than half of the objects, at random, so that pages are left sparse.
    void thin_out() {
        for (std::size_t left = objects_.size() * 2 / 5; objects_.size() > left && !broken_;) {
            remove(random_.below(objects_.size()));
        }
        check_sums();
    }

private:
    struct object {
        object_handle handle;
        std::size_t size;
        std::size_t counted; // what it added to allocated_bytes; 0 where that is not known
        std::uint64_t seed;
        std::size_t kept; // bytes of its content that no tag covered
        std::byte* place;
        std::uint32_t tag; // in the last bytes of its place
    };

    void expect(bool holds, clause which) {
        if (!holds && !broken_) {
            broken_ = which;
        }
    }

    [[nodiscard]] std::size_t some_size() {
        const std::size_t most = random_.one_in(3) ? Allocator::max_size : Allocator::max_size / 4;
        return random_.one_in(40) ? Allocator::max_size : 1 + random_.below(most);
    }

    void add(std::size_t size) {
        const std::size_t before = allocator_.allocated_bytes();
        const result<object_handle> h = allocator_.allocate(size);
        expect(h.has_value(), clause::serves_all_sizes);
        if (h) {
            const std::size_t counted = allocator_.allocated_bytes() - before;
            expect(counted >= size, clause::counts_allocated);
            keep(*h, size, counted);
        }
    }
    void add_during_plan() requires compacting_allocator<Allocator> {
        const std::size_t size = some_size();
        const result<object_handle> h = allocator_.allocate(size);
        expect(h.has_value(), clause::serves_during_plan);
        if (h) {
            keep(*h, size, 0);
            expect(!allocator_.misplaced(*h), clause::serves_during_plan);
        }
    }
    void keep(object_handle h, std::size_t size, std::size_t counted) {
        expect(static_cast<std::uint64_t>(h) >> handle_bits == 0, clause::handle_fits);
        expect(allocator_.capacity(h) >= size, clause::capacity_suffices);
        if (!broken_) {
            expect(allocator_.contains(h), clause::contains_just_the_live);
            expect(allocator_.place(h).size() == allocator_.capacity(h), clause::place_is_the_objects);
        }
        if (!broken_) {
            objects_.push_back({h, size, counted, 0, size, allocator_.place(h).data(), 0});
            allocator_.write(h, {}); // nothing, from nowhere
            overwrite(objects_.size() - 1);
        }
    }
    void overwrite(std::size_t at) {
        object& o = objects_[at];
        o.seed = random_();
        buffer_.resize(o.size);
        fill_pattern(buffer_, o.seed);
        allocator_.write(o.handle, buffer_);
        o.kept = o.size;
        tag(o);
    }
    /// As an owner does that wants to be led from the place to the handle. It keeps no content there.
    void tag(object& o) {
        const byte_span place = allocator_.place(o.handle);
        if (is_tagged(o)) {
            o.tag = static_cast<std::uint32_t>(tags_());
            o.kept = std::min(o.kept, place.size() - owner_bytes);
            std::memcpy(place.data() + place.size() - owner_bytes, &o.tag, sizeof o.tag);
        }
    }
    [[nodiscard]] bool is_tagged(const object& o) const {
        return tags_objects_ && o.size > owner_bytes && o.size < Allocator::max_size;
    }
    [[nodiscard]] bool has_tag(const object& o) const {
        const byte_span place = allocator_.place(o.handle);
        return !is_tagged(o) || std::memcmp(place.data() + place.size() - owner_bytes, &o.tag, sizeof o.tag) == 0;
    }
    /// Which one a place is of.
    [[nodiscard]] std::size_t object_at(byte_span place) {
        std::size_t at = 0;
        while (at < objects_.size() && objects_[at].place != place.data()) {
            ++at;
        }
        expect(at < objects_.size() && allocator_.misplaced(objects_[at].handle) &&
                   allocator_.place(objects_[at].handle).size() == place.size(),
               clause::names_each_misplaced);
        return at;
    }
    /// What happens between two moves. Places that come free are those of others then.
    void come_and_go(std::set<const std::byte*>& left) requires compacting_allocator<Allocator> {
        if (random_.one_in(3)) {
            add_during_plan();
        }
        if (random_.one_in(3) && !objects_.empty()) {
            const std::size_t at = random_.below(objects_.size());
            left.erase(objects_[at].place);
            remove(at);
        }
        if (random_.one_in(8)) {
            static_cast<void>(allocator_.plan_compaction(~std::size_t{0}));
        }
    }
    void verify(const object& o, clause which) {
        buffer_.assign(o.size, std::byte{0});
        const byte_view view = allocator_.read(o.handle, o.size, buffer_);
        expect(view.size() == o.size, clause::reads_asked_size);
        expect(broken_ || has_pattern(view.first(o.kept), o.seed), which);
        const byte_span place = allocator_.place(o.handle);
        expect(broken_ || (place.data() == o.place && place.size() == allocator_.capacity(o.handle)),
               clause::place_is_the_objects);
        expect(broken_ || (has_pattern(place.first(o.kept), o.seed) && has_tag(o)), clause::place_is_the_objects);
        const byte_view part = allocator_.read(o.handle, o.size / 2 + 1, buffer_);
        expect(part.size() == o.size / 2 + 1, clause::reads_asked_size);
        expect(broken_ || has_pattern(part.first(std::min(part.size(), o.kept)), o.seed), which);
    }
    void verify_all(clause which) {
        for (const object& o : objects_) {
            verify(o, which);
        }
    }
    void remove(std::size_t at) {
        verify(objects_[at], clause::keeps_contents);
        const std::size_t before = allocator_.allocated_bytes();
        [[maybe_unused]] const std::size_t held = allocator_.bytes_held();
        [[maybe_unused]] unsigned fullness = 0;
        if constexpr (span_aware_allocator<Allocator>) {
            fullness = allocator_.fullness(objects_[at].handle);
        }
        allocator_.deallocate(objects_[at].handle);
        expect(!allocator_.contains(objects_[at].handle), clause::contains_just_the_live);
        if constexpr (span_aware_allocator<Allocator>) {
            expect(fullness <= max_fullness && (fullness == 0) == (allocator_.bytes_held() < held),
                   clause::fullness_tells_the_last);
        }
        if (objects_[at].counted != 0) {
            expect(before - allocator_.allocated_bytes() == objects_[at].counted, clause::counts_allocated);
        }
        objects_[at] = objects_.back();
        objects_.pop_back();
    }
    void relocate_all() requires compacting_allocator<Allocator> {
        const std::uint64_t acquisitions = source_.acquisitions();
        for (object& o : objects_) {
            if (broken_ || !allocator_.misplaced(o.handle)) {
                continue;
            }
            relocate(o);
        }
        expect(source_.acquisitions() == acquisitions, clause::relocate_takes_no_page);
        verify_all(clause::relocate_keeps_contents);
    }
    bool relocate(object& o) requires compacting_allocator<Allocator> {
        if (const result<object_handle> h = allocator_.relocate(o.handle)) {
            expect(!allocator_.contains(o.handle), clause::contains_just_the_live);
            o.handle = *h;
            o.counted = 0; // a place of another size, maybe
            expect(allocator_.contains(o.handle), clause::contains_just_the_live);
            expect(!allocator_.misplaced(o.handle), clause::relocate_moves_to_stay);
            expect(static_cast<std::uint64_t>(o.handle) >> handle_bits == 0, clause::handle_fits);
            expect(allocator_.capacity(o.handle) >= o.size, clause::capacity_suffices);
            if (!broken_) {
                o.place = allocator_.place(o.handle).data();
                tag(o);
                verify(o, clause::relocate_keeps_contents);
            }
            return true;
        } else {
            expect(h.error() == status::no_memory, clause::relocate_moves_to_stay);
            return false;
        }
    }
    void finish() requires compacting_allocator<Allocator> {
        allocator_.finish_compaction();
        for (const object& o : objects_) {
            expect(!allocator_.misplaced(o.handle), clause::plan_ends_when_finished);
        }
        check_sums();
    }
    void check_sums() {
        expect(allocator_.bytes_held() + allocator_.table_bytes() == source_.bytes_held(), clause::counts_memory);
        expect(allocator_.allocated_bytes() <= allocator_.bytes_held(), clause::counts_allocated);
        expect(allocator_.check(), clause::check_holds);
    }

    test_source& source_;
    rng random_;
    rng tags_{2};
    bool tags_objects_;
    Allocator allocator_;
    std::vector<object> objects_;
    std::vector<std::byte> buffer_;
    std::optional<clause> broken_;
};

} // namespace detail

/// The clauses that an allocator, constructed over sources with pages of `page_size`, breaks. An owner that `tags_objects`
/// writes the last bytes of their places.
template <object_allocator Allocator>
[[nodiscard]] std::set<allocator_clause> allocator_violations(std::size_t page_size = 4096, bool tags_objects = true) {
    std::set<allocator_clause> all;
    const auto scenario = [&](auto play) {
        test_source source{page_size};
        source.forgive();
        bool broken = false;
        {
            detail::allocator_checks<Allocator> checks{source, 1 + all.size(), tags_objects};
            play(checks);
            if (checks.broken()) {
                all.insert(*checks.broken());
                broken = true;
            }
        }
        if (!broken && (source.bytes_held() != 0 || source.wrong_releases() != 0)) {
            all.insert(allocator_clause::gives_all_back);
        }
    };
    const std::size_t many = 64 * 4096 / Allocator::max_size + 120;
    scenario([](auto& checks) { checks.fresh(); });
    scenario([](auto& checks) { checks.every_size(Allocator::max_size / 128 - 1); });
    scenario([&](auto& checks) { checks.churn(1500, many); });
    scenario([&](auto& checks) {
        checks.churn(static_cast<unsigned>(many), many);
        checks.refusals();
    });
    scenario([&](auto& checks) {
        checks.churn(static_cast<unsigned>(many), many);
        checks.thin_out();
        checks.ask_for_strangers();
    });
    if constexpr (snug_allocator<Allocator>) {
        scenario([&](auto& checks) {
            checks.churn(static_cast<unsigned>(many), many);
            checks.thin_out();
            checks.snug();
        });
    }
    if constexpr (compacting_allocator<Allocator>) {
        for (const std::size_t budget : {~std::size_t{0}, 8 * Allocator::max_size, std::size_t{1}, std::size_t{0}}) {
            scenario([&](auto& checks) {
                for (unsigned round = 0; round < 3; ++round) {
                    checks.churn(static_cast<unsigned>(many), many);
                    checks.thin_out();
                    checks.compact(budget);
                }
            });
        }
        scenario([&](auto& checks) {
            for (unsigned round = 0; round < 3; ++round) {
                checks.churn(static_cast<unsigned>(many), many);
                checks.thin_out();
                checks.compact_between_operations();
            }
        });
        for (const bool disturbed : {false, true}) {
            scenario([&](auto& checks) {
                for (unsigned round = 0; round < 3; ++round) {
                    checks.churn(static_cast<unsigned>(many), many);
                    checks.thin_out();
                    checks.compact_by_places(disturbed);
                }
            });
        }
    }
    return all;
}

[[nodiscard]] inline std::string describe(const std::set<allocator_clause>& clauses) {
    std::string all;
    for (const allocator_clause clause : clauses) {
        all += all.empty() ? "" : ", ";
        all += to_string(clause);
    }
    return all;
}

} // namespace pagefold::testing
