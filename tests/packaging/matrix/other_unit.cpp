// SPDX-License-Identifier: MIT
//
// What the other unit has not: the remaining allocators, policies, codecs, locks and sources.
#include "keeps_pages.hpp"

namespace matrix {
namespace {

using namespace pagefold;

struct with_tlsf : default_config {
    template <class Source, std::size_t Unit>
    using allocator_type = counted<tlsf<Source, Unit>>;
    using eviction_type = lru;
    using lock_type = std_mutex;
    using admission_type = ratio;
    using compressor_type = chain<basic_page_codec<page_level::high>>;
    static constexpr unsigned checksum_bits = 60;
    static constexpr unsigned sparse_candidates = 8;
};

struct with_large_pages : default_config {
    static constexpr std::size_t page_size = 16384;
    template <class Source, std::size_t Unit>
    using allocator_type = wiped<zs<Source, Unit>>;
    using eviction_type = fifo;
    using parking_type = spin_parking;
    using lock_type = null_lock;
    using compressor_type = lz_block;
};

alignas(4096) std::array<std::byte, (std::size_t{4} << 20) + 4096> carve_out;

} // namespace

bool other_unit() {
    static_source<spin_lock> memory{carve_out, 4096};
    wiping_source wiping{memory};
    const bool first = keeps_pages<page_store<with_tlsf>>("tlsf, lru", wiping);
    static_source<> large{carve_out, 16384};
    const bool second = keeps_pages<page_store<with_large_pages>>("zs, fifo", large);
    return first && second;
}

} // namespace matrix

int main() {
    const bool one = matrix::one_unit();
    const bool other = matrix::other_unit();
    return one && other ? 0 : 1;
}
