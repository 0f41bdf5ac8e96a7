// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#ifdef KVM_GUEST_SPOILS
#include "tests/spoiled_config.hpp"
#endif

namespace kvm_guest {

#ifndef KVM_GUEST_SPOILS
using store_config = pagefold::default_config;
#endif
using store_type = pagefold::partitioned_store<store_config>;

} // namespace kvm_guest
