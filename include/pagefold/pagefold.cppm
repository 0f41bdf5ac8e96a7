// SPDX-License-Identifier: MIT
//
// The module pagefold, for clang 16 and later: every name of namespace pagefold that the headers have. Macros do not cross
// a module: PAGEFOLD_ASSERT_LEVEL, the hooks and PAGEFOLD_WITH_<codec> are given where this file is compiled.
//
// A foreign codec's names are here where the build says that the codec is linked; its own headers are not exported.
module;

#if __STDC_HOSTED__ && defined(__linux__)
#include <pagefold/pagefold.hpp>
#else
#include <pagefold/freestanding.hpp>
#endif

export module pagefold;

export namespace pagefold {

/// The version: config/version.hpp says it in macros, which an import does not bring.
inline constexpr unsigned version_major = PAGEFOLD_VERSION_MAJOR;
inline constexpr unsigned version_minor = PAGEFOLD_VERSION_MINOR;
inline constexpr unsigned version_patch = PAGEFOLD_VERSION_PATCH;

// core/
using pagefold::any_node;
using pagefold::atomic;
using pagefold::available_features;
using pagefold::basic_byte_view;
using pagefold::bit_length;
using pagefold::byte_span;
using pagefold::byte_view;
using pagefold::ceil_div;
using pagefold::checksum;
using pagefold::compiled_features;
using pagefold::copy_bytes;
using pagefold::count_ones;
using pagefold::cpu_feature;
using pagefold::cpu_features;
using pagefold::default_features;
using pagefold::equal_bytes;
using pagefold::extent_pages;
using pagefold::fill_bytes;
using pagefold::folded_multiply;
using pagefold::is_odd;
using pagefold::is_power_of_two;
using pagefold::is_strict;
using pagefold::last_power_of_two;
using pagefold::leading_ones;
using pagefold::leading_zeros;
using pagefold::load_native;
using pagefold::low_bits;
using pagefold::max_page_index;
using pagefold::memory_order;
using pagefold::mix;
using pagefold::move_bytes;
using pagefold::next_power_of_two;
using pagefold::no_slot;
using pagefold::node_id;
using pagefold::node_of;
using pagefold::page_context;
using pagefold::page_key;
using pagefold::pool_id;
using pagefold::pool_kind;
using pagefold::pressure_action;
using pagefold::result;
using pagefold::rotate_right;
using pagefold::round_up;
using pagefold::slot_id;
using pagefold::status;
using pagefold::store_native;
using pagefold::strict_bit;
using pagefold::strictly;
using pagefold::to_size;
using pagefold::trailing_zeros;

// platform/
using pagefold::guessable_seed;
using pagefold::host_locality;
using pagefold::host_parking;
using pagefold::host_seed;
using pagefold::locality;
using pagefold::lock_guard;
using pagefold::lockable;
using pagefold::monotonic_clock;
using pagefold::no_locality;
using pagefold::node_page_source;
using pagefold::null_lock;
using pagefold::page_bitmap;
using pagefold::page_source;
using pagefold::page_source_ref;
using pagefold::parking;
using pagefold::parking_lock;
using pagefold::renew;
using pagefold::spin_lock;
using pagefold::spin_parking;
using pagefold::static_source;
using pagefold::trimmable_page_source;
using pagefold::wiping_source;

// ds/
using pagefold::cell_arena;
using pagefold::cell_ref;
using pagefold::fixed_array;
using pagefold::ghost_table;
using pagefold::number_sets;
using pagefold::page_buffer;
using pagefold::page_directory;
using pagefold::slot_pool;
using pagefold::slot_pool_element;
using pagefold::stable_array;
using pagefold::two_level_bitmap;

// compress/
using pagefold::available_page_paths;
using pagefold::basic_lz_block;
using pagefold::basic_page_codec;
using pagefold::basic_page_or_lz;
using pagefold::chain;
using pagefold::compressor;
using pagefold::default_page_path;
using pagefold::lz_block;
using pagefold::min_stream_size;
using pagefold::page_codec;
using pagefold::page_level;
using pagefold::page_or_lz;
using pagefold::page_path;
using pagefold::page_path_set;
using pagefold::page_paths;
using pagefold::pool_compressor;
using pagefold::routed;
using pagefold::same_filled;
using pagefold::scratch_alignment;
using pagefold::tagged_codecs;

// alloc/
using pagefold::allocation_counts;
using pagefold::block_map;
using pagefold::compacting_allocator;
using pagefold::counted;
using pagefold::guard_breach;
using pagefold::guard_breach_kinds;
using pagefold::guard_report;
using pagefold::guarded;
using pagefold::handle_bits;
using pagefold::high_numbers;
using pagefold::max_fullness;
using pagefold::max_span_number;
using pagefold::no_meter;
using pagefold::object_allocator;
using pagefold::object_handle;
using pagefold::over_source;
using pagefold::over_source_t;
using pagefold::owner_bytes;
using pagefold::pending_frees;
using pagefold::size_class;
using pagefold::size_classes;
using pagefold::snug_allocator;
using pagefold::span_aware_allocator;
using pagefold::tlsf;
using pagefold::tlsf_span;
using pagefold::to_string;
using pagefold::whole_units;
using pagefold::wiped;
using pagefold::xv;
using pagefold::xv_links;
using pagefold::xv_span;
using pagefold::xv_table_sizes;
using pagefold::zs;
using pagefold::zs_span;

// evict/
using pagefold::clock;
using pagefold::clock2q_plus;
using pagefold::configurable_policy;
using pagefold::eviction_policy;
using pagefold::fifo;
using pagefold::ghost_view;
using pagefold::links_view;
using pagefold::listed_hook;
using pagefold::listed_slots;
using pagefold::lru;
using pagefold::packed_hook_bits;
using pagefold::probation_clock;
using pagefold::probation_numbers;
using pagefold::probation_queue;
using pagefold::remembering_policy;
using pagefold::s3_fifo;
using pagefold::sieve;
using pagefold::slot_list;
using pagefold::slot_view;
using pagefold::slot_view_archetype;

// admit/
using pagefold::admission;
using pagefold::admission_policy;
using pagefold::admission_query;
using pagefold::all_of;
using pagefold::always;
using pagefold::by_pool;
using pagefold::choosing_admission;
using pagefold::cost_aware;
using pagefold::key_past;
using pagefold::policy_list;
using pagefold::ratio;
using pagefold::remembering_admission;
using pagefold::screening_policy;
using pagefold::second_touch;
using pagefold::size_aware;

// place/
using pagefold::by_node;
using pagefold::hashed;
using pagefold::home_of;
using pagefold::partition_id;
using pagefold::partition_policy;
using pagefold::single;
using pagefold::strict_partition_policy;

// tier/
using pagefold::backing_tier;
using pagefold::fits_entry;
using pagefold::no_tier;
using pagefold::takes_pages;
using pagefold::tier_place;
using pagefold::tier_place_bits;

// store/
using pagefold::acceptance;
using pagefold::add;
using pagefold::basic_entry;
using pagefold::basic_store;
using pagefold::byte_budget;
using pagefold::codec_stage;
using pagefold::common_stats;
using pagefold::compaction_sweep;
using pagefold::compaction_work;
using pagefold::copy_watch;
using pagefold::default_config;
using pagefold::demoter;
using pagefold::demotion_batch;
using pagefold::demotion_link;
using pagefold::demotion_order;
using pagefold::divided_source;
using pagefold::entry;
using pagefold::entry_array;
using pagefold::entry_arrays;
using pagefold::entry_place;
using pagefold::eviction_outcome;
using pagefold::extent;
using pagefold::extent_chains;
using pagefold::extent_entries;
using pagefold::extent_index;
using pagefold::extent_list;
using pagefold::extent_pool;
using pagefold::extent_rings;
using pagefold::fetched;
using pagefold::fetched_away;
using pagefold::give_way;
using pagefold::has_moved;
using pagefold::index_sweep;
using pagefold::is_greater_ratio;
using pagefold::is_in_tier;
using pagefold::key_hasher;
using pagefold::leaving_copies;
using pagefold::limited_source;
using pagefold::linear_buckets;
using pagefold::listed_stats;
using pagefold::located_key;
using pagefold::max_pool_slots;
using pagefold::moved;
using pagefold::net_release;
using pagefold::next_extent;
using pagefold::node_part;
using pagefold::node_parts;
using pagefold::old_version;
using pagefold::page_facts;
using pagefold::page_move;
using pagefold::page_store;
using pagefold::partition;
using pagefold::partition_counters;
using pagefold::partition_gauge;
using pagefold::partition_ghost;
using pagefold::partition_pair;
using pagefold::partition_set;
using pagefold::partition_source;
using pagefold::partition_state;
using pagefold::partition_stats;
using pagefold::partition_tier;
using pagefold::partitioned_store;
using pagefold::placed;
using pagefold::placement;
using pagefold::pool_demotion;
using pagefold::pool_options;
using pagefold::pool_record;
using pagefold::pool_registry;
using pagefold::pool_ring;
using pagefold::pool_route;
using pagefold::pool_shares;
using pagefold::pool_stage;
using pagefold::pool_stats;
using pagefold::pool_table;
using pagefold::presence;
using pagefold::put_effort;
using pagefold::range_cursor;
using pagefold::range_erase;
using pagefold::reclaimer;
using pagefold::retrieval;
using pagefold::room;
using pagefold::route_tries;
using pagefold::scratch_memory;
using pagefold::scratch_of;
using pagefold::scratch_pool;
using pagefold::shared_ghost;
using pagefold::shared_route;
using pagefold::stat_info;
using pagefold::stat_kind;
using pagefold::stat_row;
using pagefold::stat_rows;
using pagefold::stat_unit;
using pagefold::store_config;
using pagefold::store_options;
using pagefold::store_stats;
using pagefold::store_tier;
using pagefold::stray;
using pagefold::tier_copies;
using pagefold::tier_copy;
using pagefold::tier_stage;
using pagefold::victim_search;
using pagefold::visit;

#if defined(PAGEFOLD_WITH_LZ4)
using pagefold::basic_lz4;
using pagefold::lz4;
#endif
#if defined(PAGEFOLD_WITH_ZSTD)
using pagefold::zstd;
using pagefold::zstd_dictionary;
#endif
#if defined(PAGEFOLD_WITH_LZO)
using pagefold::lzo;
#endif

// control/
using pagefold::age_histogram;
using pagefold::budget;
using pagefold::budget_options;
using pagefold::budget_sample;
using pagefold::difference_or_zero;
using pagefold::greatest_number;
using pagefold::interval;
using pagefold::interval_options;
using pagefold::no_age;
using pagefold::no_sample;
using pagefold::oldest_age;
using pagefold::page_ages;
using pagefold::page_sight;
using pagefold::parts_per_million;
using pagefold::pressure;
using pagefold::pressure_advice;
using pagefold::pressure_options;
using pagefold::promotion_rate;
using pagefold::promotion_rate_options;
using pagefold::refault_guard;
using pagefold::refault_guard_options;
using pagefold::sampled_counter;
using pagefold::saturated_sum;
using pagefold::scaled;

#if __STDC_HOSTED__ && defined(__linux__)
// hosted/
using pagefold::any_placement;
using pagefold::asynchronous_signals;
using pagefold::blocked_signals;
using pagefold::cause_of_errno;
using pagefold::clean_tracking;
using pagefold::discard_batch;
using pagefold::eviction_method;
using pagefold::fault_delivery;
using pagefold::fork_guard;
using pagefold::fork_list;
using pagefold::fork_policy;
using pagefold::forkable;
using pagefold::frame_queue;
using pagefold::io_control;
using pagefold::is_refusal;
using pagefold::is_shortage;
using pagefold::mmap_options;
using pagefold::mmap_source;
using pagefold::node_exhausted;
using pagefold::node_mask;
using pagefold::node_placement;
using pagefold::node_snapshot;
using pagefold::numa_source;
using pagefold::numa_topology;
using pagefold::page_place;
using pagefold::pagemap_scan;
using pagefold::pager_budget;
using pagefold::pool_snapshot;
using pagefold::psi_monitor;
using pagefold::psi_sample;
using pagefold::published_ages;
using pagefold::published_name_bytes;
using pagefold::published_pool;
using pagefold::published_stats;
using pagefold::read_ahead;
using pagefold::readable_wait;
using pagefold::refused_move;
using pagefold::resident_set;
using pagefold::sigbus_chain;
using pagefold::sigbus_router;
using pagefold::stats_publisher;
using pagefold::stats_reader;
using pagefold::stats_snapshot;
using pagefold::status_of_errno;
using pagefold::std_mutex;
using pagefold::steady_clock;
using pagefold::text_outcome;
using pagefold::text_writer;
using pagefold::uffd;
using pagefold::uffd_backing;
using pagefold::uffd_memory;
using pagefold::uffd_memory_options;
using pagefold::uffd_outcome;
using pagefold::uffd_pager;
using pagefold::uffd_pager_options;
using pagefold::uffd_pager_stats;
using pagefold::uffd_reclaim;
using pagefold::uffd_rights;
using pagefold::write_json;
using pagefold::write_prometheus;
#endif

} // namespace pagefold

#if __STDC_HOSTED__ && defined(__linux__)
// The kernel's numbers, which uffd is opened with.
export namespace pagefold::uffd_abi {
using pagefold::uffd_abi::feature_event_fork;
using pagefold::uffd_abi::feature_event_remap;
using pagefold::uffd_abi::feature_event_remove;
using pagefold::uffd_abi::feature_event_unmap;
using pagefold::uffd_abi::feature_exact_address;
using pagefold::uffd_abi::feature_minor_hugetlbfs;
using pagefold::uffd_abi::feature_minor_shmem;
using pagefold::uffd_abi::feature_missing_hugetlbfs;
using pagefold::uffd_abi::feature_missing_shmem;
using pagefold::uffd_abi::feature_move;
using pagefold::uffd_abi::feature_poison;
using pagefold::uffd_abi::feature_sigbus;
using pagefold::uffd_abi::feature_thread_id;
using pagefold::uffd_abi::feature_wp;
using pagefold::uffd_abi::feature_wp_async;
using pagefold::uffd_abi::feature_wp_shmem;
using pagefold::uffd_abi::feature_wp_unpopulated;
using pagefold::uffd_abi::ioctl_move;
using pagefold::uffd_abi::ioctl_new;
using pagefold::uffd_abi::ioctl_poison;
using pagefold::uffd_abi::move_allow_src_holes;
using pagefold::uffd_abi::move_dont_wake;
using pagefold::uffd_abi::move_request;
using pagefold::uffd_abi::name_of;
using pagefold::uffd_abi::poison_request;
using pagefold::uffd_abi::user_mode_only;
} // namespace pagefold::uffd_abi
#endif
