// SPDX-License-Identifier: MIT
//
// What a plan and a walk over misplaced objects look at does not grow with the store: counted with a meter, where there are
// more than ten thousand spans.

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>

#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::testing::conformance_bounded_alloc {
namespace {

struct steps_meter {
    static inline std::size_t steps = 0;
    static void step() noexcept { ++steps; }
};

struct bounds {
    std::size_t plan; // steps of a plan
    std::size_t next; // of a next_misplaced
};
/// Objects here are of 300 bytes or more: 41 in a span of three units, 28 in one of two.
template <class Allocator>
inline constexpr bounds bounds_of{Allocator::spans_a_plan * (1 + 41 * 12), Allocator::max_steps_to_next};
template <unsigned Chain>
inline constexpr bounds bounds_of<zs<test_source, 4096, Chain, steps_meter>>{
    zs<test_source, 4096, Chain, steps_meter>::max_steps_to_plan,
    zs<test_source, 4096, Chain, steps_meter>::max_steps_to_next};
template <unsigned Units>
inline constexpr bounds bounds_of<xv<test_source, 4096, Units, steps_meter>>{
    2 * xv<test_source, 4096, Units, steps_meter>::spans_a_plan, 2 * (1 + 2 * 28 + 1)};

/// An owner that finds its objects by the tags that it keeps in their places, and counts what each call looks at.
template <class Allocator>
class tagging_owner {
public:
    void add(std::size_t n) { REQUIRE(try_to_add(n)); }
    [[nodiscard]] bool try_to_add(std::size_t n) {
        const result<object_handle> h = allocator_.allocate(n + owner_bytes);
        if (!h) {
            return false;
        }
        handles_.push_back(*h);
        sizes_.push_back(n);
        tag(handles_.size() - 1);
        return true;
    }
    /// Each with this chance in a thousand.
    void thin_out(rng& random, unsigned dropped) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < handles_.size(); ++i) {
            if (random.below(1000) < dropped) {
                allocator_.deallocate(handles_[i]);
            } else {
                handles_[kept] = handles_[i];
                sizes_[kept] = sizes_[i];
                tag(kept++);
            }
        }
        handles_.resize(kept);
        sizes_.resize(kept);
    }
    std::size_t plan(std::size_t budget) {
        steps_meter::steps = 0;
        const std::size_t promise = allocator_.plan_compaction(budget);
        most_for_plan_ = std::max(most_for_plan_, steps_meter::steps);
        return promise;
    }
    /// Carries a plan out; how many objects were moved.
    std::size_t carry_out() {
        const std::size_t moved = carry_on(~std::size_t{0});
        allocator_.finish_compaction();
        return moved;
    }
    /// As far as so many objects.
    std::size_t carry_on(std::size_t objects) {
        std::size_t moved = 0;
        for (byte_span place = next(); !place.empty() && objects-- != 0; place = next()) {
            std::uint32_t at = 0;
            std::memcpy(&at, place.data() + place.size() - owner_bytes, sizeof at);
            REQUIRE(at < handles_.size());
            REQUIRE(allocator_.contains(handles_[at]));
            REQUIRE(allocator_.place(handles_[at]).data() == place.data());
            if (const result<object_handle> h = allocator_.relocate(handles_[at])) {
                handles_[at] = *h;
                tag(at);
                ++moved;
            }
        }
        return moved;
    }
    /// One plan and sweep after the other, until there is nothing worth doing.
    void compact() {
        while (plan(~std::size_t{0}) != 0 && carry_out() != 0) {
        }
    }
    [[nodiscard]] std::size_t most_for_plan() const { return most_for_plan_; }
    [[nodiscard]] std::size_t most_for_next() const { return most_for_next_; }
    [[nodiscard]] std::size_t objects() const { return handles_.size(); }
    [[nodiscard]] Allocator& allocator() { return allocator_; }
    [[nodiscard]] test_source& source() { return source_; }
    [[nodiscard]] std::size_t size(std::size_t at) const { return sizes_[at]; }

private:
    void tag(std::size_t at) {
        const byte_span place = allocator_.place(handles_[at]);
        const auto number = static_cast<std::uint32_t>(at);
        std::memcpy(place.data() + place.size() - owner_bytes, &number, sizeof number);
    }
    byte_span next() {
        steps_meter::steps = 0;
        const byte_span place = allocator_.next_misplaced();
        most_for_next_ = std::max(most_for_next_, steps_meter::steps);
        return place;
    }

    test_source source_;
    Allocator allocator_{source_, any_node};
    std::vector<object_handle> handles_;
    std::vector<std::size_t> sizes_; // that were asked for
    std::size_t most_for_plan_ = 0, most_for_next_ = 0;
};

#define PAGEFOLD_METERED                                                                                               \
    zs<test_source, 4096, 1, steps_meter>, zs<test_source, 4096, 3, steps_meter>,                                      \
        xv<test_source, 4096, 1, steps_meter>, xv<test_source, 4096, 2, steps_meter>,                                  \
        tlsf<test_source, 4096, 32, steps_meter>

TEST_CASE_TEMPLATE("a plan and a walk look at few spans, however many there are", T, PAGEFOLD_METERED) {
    tagging_owner<T> owner;
    rng random{4};
    for (unsigned i = 0; i < 66000; ++i) {
        owner.add(300 + random.below(3500));
    }
    owner.thin_out(random, 500);
    std::size_t promise = owner.plan(1);
    const std::size_t held = owner.allocator().bytes_held();
    REQUIRE(held > std::size_t{10000} * 10000); // spans are of less, or hardly more
    // Call by call a plan grows, although no call does more than its share.
    for (unsigned calls = 0; calls < 20; ++calls) {
        const std::size_t more = owner.plan(~std::size_t{0});
        CHECK(more > promise);
        promise = more;
    }
    CHECK(promise > held / 50);
    CHECK(owner.carry_out() != 0);
    CHECK(owner.allocator().bytes_held() + promise == held);
    // Where the budget is small, and where much is full.
    CHECK(owner.plan(20000) != 0);
    static_cast<void>(owner.carry_out());
    owner.compact();
    CHECK(owner.allocator().bytes_held() < held * 9 / 10);
    static_cast<void>(owner.plan(~std::size_t{0}));
    CHECK(owner.allocator().check());
    MESSAGE("steps at most: " << owner.most_for_plan() << " a plan, " << owner.most_for_next() << " a next_misplaced");
    CHECK(owner.most_for_plan() <= bounds_of<T>.plan);
    CHECK(owner.most_for_next() <= bounds_of<T>.next);
}

/// What a fresh allocator takes for objects of the same sizes, compacted as well.
template <class Allocator>
[[nodiscard]] std::size_t fresh_bytes(const tagging_owner<Allocator>& owner, std::size_t& tables) {
    tagging_owner<Allocator> fresh;
    for (std::size_t i = 0; i < owner.objects(); ++i) {
        fresh.add(owner.size(i));
    }
    fresh.compact();
    tables = fresh.allocator().table_bytes();
    return fresh.allocator().bytes_held() + tables;
}

#define PAGEFOLD_UNMETERED zs<test_source>, zs<test_source, 4096, 4>, xv<test_source>, tlsf<test_source>

TEST_CASE_TEMPLATE("the memory of tables comes back when most objects are freed", T, PAGEFOLD_UNMETERED) {
    for (const unsigned dropped : {950u, 990u}) {
        CAPTURE(dropped);
        tagging_owner<T> owner;
        rng random{dropped};
        for (unsigned i = 0; i < 200000; ++i) {
            owner.add(100 + random.below(random.one_in(3) ? 3700 : 1500));
        }
        const std::size_t tables_then = owner.allocator().table_bytes();
        owner.thin_out(random, dropped);
        owner.compact();
        CHECK(owner.allocator().check());
        const std::size_t tables = owner.allocator().table_bytes();
        std::size_t fresh_tables = 0;
        const std::size_t taken = owner.allocator().bytes_held() + tables, fresh = fresh_bytes(owner, fresh_tables);
        MESSAGE("bytes of tables: " << tables_then << ", " << tables << ", fresh " << fresh_tables << "; of all "
                                    << static_cast<double>(taken) / static_cast<double>(fresh));
        CHECK(taken <= fresh + fresh * 6 / 100);
        CHECK(owner.source().bytes_held() == taken);
    }
}

TEST_CASE_TEMPLATE("what a plan opens for objects of high numbers stays right, whatever comes between", T,
                   PAGEFOLD_UNMETERED, zs<test_source, 4096, 1>) {
    unsigned grown = 0, refused = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        tagging_owner<T> owner;
        rng random{seed};
        T& a = owner.allocator();
        while (a.bytes_held() < std::size_t{1500} * 12 * 4096) {
            owner.add(random.one_in(2) ? 2000 + random.below(2000) : 60 + random.below(2000));
        }
        owner.thin_out(random, 985);
        for (unsigned i = 0; i < 300; ++i) {
            const std::size_t held = a.bytes_held();
            switch (random.below(8)) {
            case 0: {
                static_cast<void>(owner.plan(random.one_in(2) ? ~std::size_t{0} : random.below(400000)));
                grown += a.bytes_held() > held ? 1 : 0;
                break;
            }
            case 1: {
                owner.source().refuse_all(true, status::limit);
                for (unsigned k = 0; k < 60; ++k) {
                    const std::size_t held_now = a.bytes_held();
                    if (!owner.try_to_add(1 + random.below(3900))) {
                        ++refused;
                        REQUIRE(a.bytes_held() == held_now);
                    }
                }
                if (random.one_in(2)) {
                    static_cast<void>(owner.plan(~std::size_t{0}));
                }
                owner.source().refuse_all(false);
                break;
            }
            case 2: owner.thin_out(random, 30); break;
            case 3: random.one_in(3) ? a.finish_compaction() : owner.add(500 + random.below(3000)); break;
            default: owner.carry_on(random.below(40));
            }
            REQUIRE(a.check());
            REQUIRE(a.bytes_held() + a.table_bytes() == owner.source().bytes_held());
        }
        owner.compact();
        CHECK(a.check());
    }
    CHECK(grown > 3);
    CHECK(refused > 10);
}

} // namespace
} // namespace pagefold::testing::conformance_bounded_alloc
