// SPDX-License-Identifier: MIT
#include "guest_image.hpp"

__asm__(".section .rodata\n"
        ".globl kvm_guest_image_begin, kvm_guest_image_end\n"
        "kvm_guest_image_begin:\n"
        ".incbin \"" KVM_GUEST_IMAGE "\"\n"
        "kvm_guest_image_end:\n"
        ".previous\n");

extern "C" const std::byte kvm_guest_image_begin[], kvm_guest_image_end[];

namespace kvm_guest {

guest_image the_guest_image() noexcept {
    return {kvm_guest_image_begin, static_cast<std::size_t>(kvm_guest_image_end - kvm_guest_image_begin)};
}

} // namespace kvm_guest
