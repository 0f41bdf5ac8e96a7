// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/page_delta.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#ifdef KVM_GUEST_SPOILS
#include "tests/spoiled_config.hpp"
#endif

namespace kvm_guest {

#ifndef KVM_GUEST_SPOILS
using store_config = pagefold::default_config;
#endif
/// On nodes where the program is told so, else as without them.
struct node_config : store_config {
    using place_type = pagefold::by_node;
    using delta_type = pagefold::page_delta; // a guest may be the clone of a snapshot
};
using store_type = pagefold::partitioned_store<node_config>;

} // namespace kvm_guest
