// SPDX-License-Identifier: MIT
#pragma once

// Everything. A foreign codec is here when its library is: lz4 where its header is found, zstd and lzo where the build
// says so (linking pagefold::zstd or pagefold::lzo does; liblzo2 is GPL-2.0-or-later, hence never by itself).

#include <pagefold/freestanding.hpp>

#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/discard_batch.hpp>
#include <pagefold/hosted/frame_queue.hpp>
#include <pagefold/hosted/mmap_options.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/pagemap_scan.hpp>
#include <pagefold/hosted/read_ahead.hpp>
#include <pagefold/hosted/resident_set.hpp>
#include <pagefold/hosted/sigbus_router.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/hosted/uffd.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/hosted/uffd_pager_options.hpp>
#include <pagefold/hosted/uffd_reclaim.hpp>

#if __has_include(<lz4.h>)
#include <pagefold/compress/lz4.hpp>
#endif

#if defined(PAGEFOLD_WITH_ZSTD)
#include <pagefold/compress/zstd.hpp>
#endif

#if defined(PAGEFOLD_WITH_LZO)
#include <pagefold/compress/lzo.hpp>
#endif
