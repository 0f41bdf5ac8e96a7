// SPDX-License-Identifier: MIT
#pragma once

// Everything that needs no operating system and no foreign library: all of pagefold but hosted/ and the adapters to lz4,
// lzo and zstd. Where there is an operating system the default configuration names lz4, and is here if lz4 is.

#include <pagefold/admit/always.hpp>
#include <pagefold/admit/concept.hpp>
#include <pagefold/admit/ratio.hpp>
#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/size_classes.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/concept.hpp>
#include <pagefold/compress/same_filled.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/config/version.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/cell_arena.hpp>
#include <pagefold/ds/page_directory.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/ds/stable_array.hpp>
#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/concept.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/slot_list.hpp>
#include <pagefold/place/concept.hpp>
#include <pagefold/place/hashed.hpp>
#include <pagefold/place/single.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/platform/page_bitmap.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/platform/spin_lock.hpp>
#include <pagefold/platform/static_source.hpp>
#include <pagefold/store/basic_store.hpp>
#include <pagefold/store/config.hpp>
#include <pagefold/store/entry.hpp>
#include <pagefold/store/extent_index.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/page_store.hpp>
#include <pagefold/store/partition.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/pool.hpp>
#include <pagefold/store/scratch_pool.hpp>
#include <pagefold/store/stats.hpp>

#if !__STDC_HOSTED__ || __has_include(<lz4.h>)
#include <pagefold/store/default_config.hpp>
#endif
