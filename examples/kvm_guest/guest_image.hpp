// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace kvm_guest {

struct guest_image {
    const std::byte* data;
    std::size_t size;
};
/// guest.cpp as it is to lie at image_address, where its entry is.
[[nodiscard]] guest_image the_guest_image() noexcept;

} // namespace kvm_guest
