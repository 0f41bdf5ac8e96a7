// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/store/default_config.hpp>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace kvm_guest {

/// The default codec, but for one reading: KVM_GUEST_SPOIL=byte gives a wrong byte back and does not tell, anything else
/// says that the stream is corrupt.
struct spoiling_codec {
    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codec.scratch_size(n); }
    [[nodiscard]] pagefold::status prepare(pagefold::byte_span scratch) const noexcept {
        return codec.prepare(scratch);
    }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codec.bound(n); }
    [[nodiscard]] pagefold::result<std::size_t> compress(pagefold::byte_view in, pagefold::byte_span out,
                                                         pagefold::byte_span scratch) const noexcept {
        return codec.compress(in, out, scratch);
    }
    [[nodiscard]] pagefold::status decompress(pagefold::byte_view in, pagefold::byte_span out,
                                              pagefold::byte_span scratch) const noexcept {
        static std::atomic<int> readings{0};
        static const char* const what = std::getenv("KVM_GUEST_SPOIL");
        const pagefold::status s = codec.decompress(in, out, scratch);
        if (what == nullptr || readings.fetch_add(1) != 1000) {
            return s;
        }
        out[0] ^= std::byte{1};
        return std::strcmp(what, "byte") == 0 ? s : pagefold::status::corrupt;
    }

    pagefold::page_or_lz codec;
};

struct store_config : pagefold::default_config {
    using compressor_type = pagefold::chain<spoiling_codec>;
};

} // namespace kvm_guest
