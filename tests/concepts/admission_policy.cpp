// SPDX-License-Identifier: MIT
//
// The smallest admission policy, and one wrong one for each clause: those that break the signatures must be none, those that
// break the behaviour must be convicted by the conformance suite of just that.

#include <conformance/admission_policy.hpp>

#include <pagefold/admit/concept.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <thread>

namespace pagefold::testing::concepts_admission_policy {
namespace {

struct smallest {
    admission admit(const admission_query&) noexcept { return admission::reject; }
};
static_assert(admission_policy<smallest>);

struct by_value_and_const {
    admission admit(admission_query) const noexcept { return admission::raw; }
};
static_assert(admission_policy<by_value_and_const>);

struct without_admit {};
struct admit_of_bool {
    bool admit(const admission_query&) noexcept { return true; }
};
struct admit_may_throw {
    admission admit(const admission_query&) { return admission::raw; }
};
struct admit_changes_query {
    admission admit(admission_query&) noexcept { return admission::raw; }
};
struct admit_without_query {
    admission admit() noexcept { return admission::raw; }
};
static_assert(!admission_policy<without_admit>);
static_assert(!admission_policy<admit_of_bool>);
static_assert(!admission_policy<admit_may_throw>);
static_assert(!admission_policy<admit_changes_query>);
static_assert(!admission_policy<admit_without_query>);

// What a policy may have besides.

struct screening : smallest {
    bool screen(const admission_query&) const noexcept { return true; }
};
struct screen_of_admission : smallest {
    admission screen(const admission_query&) const noexcept { return admission::raw; }
};
struct screen_may_throw : smallest {
    bool screen(const admission_query&) const { return true; }
};
struct screen_without_admit {
    bool screen(const admission_query&) const noexcept { return true; }
};
static_assert(screening_policy<screening>);
static_assert(!screening_policy<smallest>);
static_assert(!screening_policy<screen_of_admission>);
static_assert(!screening_policy<screen_may_throw>);
static_assert(!screening_policy<screen_without_admit>);

struct remembering : smallest {
    unsigned ghost_percent() const noexcept { return 1; }
};
struct ghost_of_int : smallest {
    int ghost_percent() const noexcept { return 1; }
};
struct ghost_may_throw : smallest {
    unsigned ghost_percent() const { return 1; }
};
struct ghost_changes_policy : smallest {
    unsigned ghost_percent() noexcept { return 1; }
};
struct ghost_without_admit {
    unsigned ghost_percent() const noexcept { return 1; }
};
static_assert(remembering_admission<remembering>);
static_assert(!remembering_admission<smallest>);
static_assert(!remembering_admission<ghost_of_int>);
static_assert(!remembering_admission<ghost_may_throw>);
static_assert(!remembering_admission<ghost_changes_policy>);
static_assert(!remembering_admission<ghost_without_admit>);

template <unsigned Choices>
struct choosing : smallest {
    static constexpr unsigned choice_count = Choices;
};
struct choices_without_admit {
    static constexpr unsigned choice_count = 2;
};
static_assert(choosing_admission<choosing<1>>);
static_assert(choosing_admission<choosing<256>>);
static_assert(!choosing_admission<choosing<0>>);
static_assert(!choosing_admission<choosing<257>>);
static_assert(!choosing_admission<smallest>);
static_assert(!choosing_admission<choices_without_admit>);

// Behaviour.

struct packs_what_is_no_shorter {
    admission admit(const admission_query&) const noexcept { return admission::packed; }
};
struct forgets_in_copies {
    forgets_in_copies() noexcept = default;
    forgets_in_copies(const forgets_in_copies&) noexcept : number{copies++} {}
    forgets_in_copies& operator=(const forgets_in_copies&) = delete;
    static inline std::uint32_t copies = 0;
    std::uint32_t number = 0, asked = 0;
    // The first answer of each is the same.
    admission admit(const admission_query& query) noexcept {
        return asked++ == 0 || number % 2 == 0 ? query.mildest() : admission::raw;
    }
};
struct likes_them_long {
    admission admit(const admission_query& query) const noexcept {
        return query.packed_bytes < query.page_bytes / 2 ? admission::reject : query.mildest();
    }
};
struct screens_what_it_admits : smallest {
    bool screen(const admission_query& query) const noexcept { return query.key_hash % 2 == 0; }
    admission admit(const admission_query& query) const noexcept { return query.mildest(); }
};
struct refuses_untold {
    admission admit(const admission_query& query) const noexcept {
        return query.kind == pool_kind::ephemeral && query.past == key_past::untold ? admission::reject
                                                                                    : query.mildest();
    }
};
struct refuses_known {
    admission admit(const admission_query& query) const noexcept {
        return query.kind == pool_kind::ephemeral && query.past == key_past::left ? admission::reject : query.mildest();
    }
};
struct refuses_stored {
    admission admit(const admission_query& query) const noexcept {
        return query.kind == pool_kind::ephemeral && query.past == key_past::stored ? admission::raw : query.mildest();
    }
};
struct refuses_persistent_strangers {
    admission admit(const admission_query& query) const noexcept {
        return query.past == key_past::unseen ? admission::reject : query.mildest();
    }
};

/// Of one thread at a time.
struct one_at_a_time {
    static inline std::atomic<unsigned> inside{0};
    admission admit(const admission_query& query) const noexcept {
        ++inside;
        std::this_thread::yield();
        const admission answer = inside > 1 ? static_cast<admission>(7) : query.mildest();
        --inside;
        return answer;
    }
};

TEST_CASE("an admission policy that breaks a clause is convicted of just that") {
    using clause = admission_clause;
    CHECK(violations(smallest{}).empty());
    CHECK(violations(packs_what_is_no_shorter{}) == std::set{clause::answers});
    CHECK(violations(forgets_in_copies{}) == std::set{clause::alike});
    CHECK(violations(likes_them_long{}) == std::set{clause::longer_no_milder});
    CHECK(violations(screens_what_it_admits{}) == std::set{clause::screen_is_admits});
    CHECK(violations(refuses_untold{}) == std::set{clause::fair_to_untold});
    CHECK(violations(refuses_known{}) == std::set{clause::fair_to_known});
    CHECK(violations(refuses_stored{}) == std::set{clause::fair_to_known});
    CHECK(violations(refuses_persistent_strangers{}) == std::set{clause::fair_to_kept});
    CHECK(violations(one_at_a_time{}) == std::set{clause::concurrent});
}

TEST_CASE("an admission policy of one function is enough") {
    CHECK(smallest{}.admit({4096, 100, pool_kind::ephemeral, 0}) == admission::reject);
    CHECK(by_value_and_const{}.admit({4096, 100, pool_kind::ephemeral, 0}) == admission::raw);
}

} // namespace
} // namespace pagefold::testing::concepts_admission_policy
