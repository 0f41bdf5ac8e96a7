// SPDX-License-Identifier: MIT
//
// The default choices, the foreign codecs that the build has, and hosted/.
#include "keeps_pages.hpp"

namespace matrix {
namespace {

using namespace pagefold;

struct with_xv : default_config {
    template <class Source, std::size_t Unit>
    using allocator_type = guarded<xv<Source, Unit>>;
    using eviction_type = lru;
    using lock_type = spin_lock;
    using compressor_type = chain<basic_page_codec<page_level::fast>, lz_block
#if __has_include(<lz4.h>)
                                  ,
                                  lz4
#endif
#if defined(PAGEFOLD_WITH_ZSTD)
                                  ,
                                  zstd
#endif
#if defined(PAGEFOLD_WITH_LZO)
                                  ,
                                  lzo
#endif
                                  >;
};

struct with_nodes : default_config {
    using place_type = by_node;
};

} // namespace

bool one_unit() {
    mmap_source<> memory;
    numa_source<> nodes;
    const fork_guard guard{memory};
    const bool first = keeps_pages<partitioned_store<default_config>>("default", memory);
    const bool second = keeps_pages<page_store<with_xv>>("guarded xv, lru", memory);
    const bool third = keeps_pages<partitioned_store<with_nodes>>("by node", nodes);
    return guard.is_active() && first && second && third;
}

} // namespace matrix

// Every member, whether or not this machine has userfaultfd.
template class pagefold::uffd_pager<pagefold::page_store<pagefold::default_config>>;
template class pagefold::resident_set<pagefold::lru>;
