// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/compress/concept.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace pagefold::support {

/// Memory with the alignment that a codec's scratch asks for.
class scratch_memory {
public:
    explicit scratch_memory(std::size_t size)
        : size_{size}, data_{static_cast<std::byte*>(
                           std::aligned_alloc(scratch_alignment, round_up(size + 1, scratch_alignment)))} {}
    [[nodiscard]] byte_span span() const { return {data_.get(), size_}; }

private:
    struct deleter {
        void operator()(std::byte* p) const { std::free(p); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte, deleter> data_;
};

} // namespace pagefold::support
