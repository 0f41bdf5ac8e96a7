// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/uffd.hpp>
#include <pagefold/hosted/uffd_memory_options.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI::detail {

/// Which ways the memory of a region works (uffd_memory.hpp), and what they take of the kernel. Calls nothing.
struct uffd_methods {
    /// The options with each `automatic` replaced, where the kernel has the features `there`.
    [[nodiscard]] static uffd_memory_options chosen(uffd_memory_options options, std::uint64_t there) noexcept {
        const bool is_anonymous = options.backing == uffd_backing::anonymous;
        const auto has = [&](std::uint64_t features) { return (there & features) == features; };
        if (options.eviction == eviction_method::automatic) {
            options.eviction =
                is_anonymous && has(uffd_abi::feature_move) ? eviction_method::move : eviction_method::protect;
        }
        if (options.tracking == clean_tracking::automatic) {
            const bool can_scan =
                options.eviction == eviction_method::move && has(uffd_abi::feature_wp | uffd_abi::feature_wp_async);
            const bool can_protect = has(uffd_abi::feature_wp | (is_anonymous ? 0 : uffd_abi::feature_wp_shmem));
            options.tracking = can_scan      ? clean_tracking::scan
                               : can_protect ? clean_tracking::protect
                                             : clean_tracking::none;
        }
        return options;
    }

    // The others are asked for chosen options.

    [[nodiscard]] static bool needs_protection(const uffd_memory_options& options) noexcept {
        return options.tracking != clean_tracking::none || options.eviction == eviction_method::protect;
    }
    /// Those that it can't do without.
    [[nodiscard]] static std::uint64_t features(const uffd_memory_options& options) noexcept {
        const bool protects = needs_protection(options);
        std::uint64_t wanted = 0;
        if (options.backing == uffd_backing::shared) {
            wanted |= uffd_abi::feature_missing_shmem | (protects ? uffd_abi::feature_wp_shmem : 0);
        }
        wanted |= options.delivery == fault_delivery::signal ? uffd_abi::feature_sigbus : 0;
        wanted |= options.eviction == eviction_method::move ? uffd_abi::feature_move : 0;
        wanted |= options.tracking == clean_tracking::scan ? uffd_abi::feature_wp_async : 0;
        wanted |= protects ? uffd_abi::feature_wp : 0;
        return wanted;
    }
    /// Why no kernel can do what was asked for, or null.
    [[nodiscard]] static const char* contradiction(const uffd_memory_options& options) noexcept {
        const bool is_shared = options.backing == uffd_backing::shared;
        if (is_shared && options.on_fork != fork_policy::none) {
            return "a child can't have shared memory to itself: fork_policy::none";
        }
        if (is_shared && options.eviction == eviction_method::move) {
            return "MOVE takes pages of private anonymous memory only";
        }
        if (options.tracking == clean_tracking::scan && options.eviction == eviction_method::protect) {
            return "WP_ASYNC lifts the protection that this eviction relies on";
        }
        return nullptr;
    }
};

} // namespace pagefold::inline PAGEFOLD_ABI::detail
