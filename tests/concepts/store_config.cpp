// SPDX-License-Identifier: MIT

// The default choices are a store_config, and one wrong choice for each clause is none.

#include <pagefold/alloc/zs.hpp>
#include <pagefold/platform/locality.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/parking.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/default_config.hpp>

#include <doctest/doctest.h>

#include <cstddef>

namespace pagefold::testing::concepts_store_config {
namespace {

static_assert(store_config<default_config>);

template <std::size_t Bytes>
struct pages_of : default_config {
    static constexpr std::size_t page_size = Bytes;
};
static_assert(store_config<pages_of<4096>>);
static_assert(store_config<pages_of<16384>>);
static_assert(store_config<pages_of<65536>>);
static_assert(!store_config<pages_of<0>>);
static_assert(!store_config<pages_of<2048>>);
static_assert(!store_config<pages_of<8192>>);
static_assert(!store_config<pages_of<131072>>);

struct no_part {};

struct without_page_size : default_config {
    static void page_size() {}
};
static_assert(!store_config<without_page_size>);

struct wrong_compressor : default_config {
    using compressor_type = no_part;
};
static_assert(!store_config<wrong_compressor>);

/// A zs that does not say how full its spans are.
template <class Source, std::size_t PageSize>
class allocator_unaware_of_spans : public zs<Source, PageSize> {
public:
    using zs<Source, PageSize>::zs;
    void fullness() = delete;
};
struct wrong_allocator : default_config {
    template <class, std::size_t>
    using allocator_type = no_part;
};
struct allocator_of_small_objects : default_config {
    static constexpr std::size_t page_size = 16384;
    template <class Source, std::size_t>
    using allocator_type = zs<Source, 4096>;
};
struct allocator_no_template : default_config {
    using allocator_type = no_part;
};
static_assert(!store_config<wrong_allocator>);
static_assert(!store_config<allocator_of_small_objects>);
static_assert(!store_config<allocator_no_template>);

template <unsigned Candidates>
struct preferring_sparse_spans : default_config {
    static constexpr unsigned sparse_candidates = Candidates;
};
struct sparse_spans_unknown : preferring_sparse_spans<4> {
    template <class Source, std::size_t PageSize>
    using allocator_type = allocator_unaware_of_spans<Source, PageSize>;
};
static_assert(store_config<preferring_sparse_spans<4>>);
static_assert(!store_config<preferring_sparse_spans<1025>>);
static_assert(!store_config<sparse_spans_unknown>);

struct wrong_eviction : default_config {
    using eviction_type = no_part;
};
static_assert(!store_config<wrong_eviction>);

struct wrong_admission : default_config {
    using admission_type = no_part;
};
static_assert(!store_config<wrong_admission>);

struct lock_without_default : null_lock {
    explicit lock_without_default(int) noexcept {}
};
struct lock_that_may_throw : null_lock {
    lock_that_may_throw() {} // NOLINT(modernize-use-equals-default): not noexcept is the point
};
template <class Lock>
struct locked_by : default_config {
    using lock_type = Lock;
};
static_assert(store_config<locked_by<null_lock>>);
static_assert(!store_config<locked_by<no_part>>);
static_assert(!store_config<locked_by<lock_without_default>>);
static_assert(!store_config<locked_by<lock_that_may_throw>>);

struct wrong_place : default_config {
    using place_type = no_part;
};
static_assert(!store_config<wrong_place>);

template <unsigned Pools>
struct pools_of : default_config {
    static constexpr unsigned max_pools = Pools;
};
static_assert(store_config<pools_of<1>>);
static_assert(store_config<pools_of<4096>>);
static_assert(!store_config<pools_of<0>>);
static_assert(!store_config<pools_of<4097>>);

template <unsigned Scratches>
struct scratches_of : default_config {
    static constexpr unsigned max_scratch = Scratches;
};
static_assert(store_config<scratches_of<1>>);
static_assert(!store_config<scratches_of<0>>);

template <class Parking>
struct parked_by : default_config {
    using parking_type = Parking;
    using lock_type = null_lock;
};
static_assert(store_config<parked_by<spin_parking>>);
static_assert(!store_config<parked_by<no_part>>);

template <class Locality>
struct located_by : default_config {
    using locality_type = Locality;
};
static_assert(store_config<located_by<no_locality>>);
static_assert(!store_config<located_by<no_part>>);

template <unsigned Bits>
struct checked_by : default_config {
    static constexpr unsigned checksum_bits = Bits;
};
static_assert(store_config<checked_by<28>>);
static_assert(store_config<checked_by<60>>);
static_assert(!store_config<checked_by<0>>);
static_assert(!store_config<checked_by<27>>);
static_assert(!store_config<checked_by<32>>);
static_assert(!store_config<checked_by<64>>);

static_assert(!store_config<no_part>);
static_assert(!store_config<int>);

TEST_CASE("a store_config is taken for what it is at compile time") {
    CHECK(store_config<default_config>);
    CHECK(!store_config<no_part>);
}

} // namespace
} // namespace pagefold::testing::concepts_store_config
