// SPDX-License-Identifier: MIT
#pragma once

// Everything. A foreign codec is here when its library is: lz4 where its header is found, zstd and lzo where the build
// says so (linking pagefold::zstd or pagefold::lzo does; liblzo2 is GPL-2.0-or-later, hence never by itself).

// Names that hosts make macros of (Linux, Qt, curses, macOS), set aside until the end of this file.
#pragma push_macro("bit")
#undef bit
#pragma push_macro("check")
#undef check
#pragma push_macro("clear")
#undef clear
#pragma push_macro("emit")
#undef emit
#pragma push_macro("erase")
#undef erase
#pragma push_macro("move")
#undef move
#pragma push_macro("near")
#undef near
#pragma push_macro("packed")
#undef packed
#pragma push_macro("page_size")
#undef page_size
#pragma push_macro("round_up")
#undef round_up
#pragma push_macro("signals")
#undef signals
#pragma push_macro("slots")
#undef slots
#pragma push_macro("target")
#undef target
#pragma push_macro("used")
#undef used

#include <pagefold/freestanding.hpp>

#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/compression_threads.hpp>
#include <pagefold/hosted/discard_batch.hpp>
#include <pagefold/hosted/file_places.hpp>
#include <pagefold/hosted/file_tier.hpp>
#include <pagefold/hosted/fork_guard.hpp>
#include <pagefold/hosted/frame_queue.hpp>
#include <pagefold/hosted/io_control.hpp>
#include <pagefold/hosted/keep_loaded.hpp>
#include <pagefold/hosted/mmap_options.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/node_placement.hpp>
#include <pagefold/hosted/numa_calls.hpp>
#include <pagefold/hosted/numa_source.hpp>
#include <pagefold/hosted/numa_topology.hpp>
#include <pagefold/hosted/pagemap_scan.hpp>
#include <pagefold/hosted/pager_budget.hpp>
#include <pagefold/hosted/prometheus_text.hpp>
#include <pagefold/hosted/psi_monitor.hpp>
#include <pagefold/hosted/published_stats.hpp>
#include <pagefold/hosted/read_ahead.hpp>
#include <pagefold/hosted/readable_wait.hpp>
#include <pagefold/hosted/resident_set.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/hosted/sigbus_chain.hpp>
#include <pagefold/hosted/sigbus_links.hpp>
#include <pagefold/hosted/sigbus_router.hpp>
#include <pagefold/hosted/stats_json.hpp>
#include <pagefold/hosted/stats_publisher.hpp>
#include <pagefold/hosted/stats_reader.hpp>
#include <pagefold/hosted/stats_snapshot.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/hosted/text_writer.hpp>
#include <pagefold/hosted/uffd.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/uffd_memory_options.hpp>
#include <pagefold/hosted/uffd_methods.hpp>
#include <pagefold/hosted/uffd_pager.hpp>
#include <pagefold/hosted/uffd_pager_options.hpp>
#include <pagefold/hosted/uffd_reclaim.hpp>
#include <pagefold/hosted/uffd_snapshot.hpp>
#include <pagefold/hosted/unsaved_pages.hpp>

#if __has_include(<lz4.h>)
#include <pagefold/compress/lz4.hpp>
#endif

#if defined(PAGEFOLD_WITH_ZSTD)
#include <pagefold/compress/zstd.hpp>
#endif

#if defined(PAGEFOLD_WITH_LZO)
#include <pagefold/compress/lzo.hpp>
#endif

#pragma pop_macro("bit")
#pragma pop_macro("check")
#pragma pop_macro("clear")
#pragma pop_macro("emit")
#pragma pop_macro("erase")
#pragma pop_macro("move")
#pragma pop_macro("near")
#pragma pop_macro("packed")
#pragma pop_macro("page_size")
#pragma pop_macro("round_up")
#pragma pop_macro("signals")
#pragma pop_macro("slots")
#pragma pop_macro("target")
#pragma pop_macro("used")
