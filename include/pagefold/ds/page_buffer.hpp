// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>

namespace pagefold::inline PAGEFOLD_ABI {

/// Working memory of a fixed size, taken from a page source when it is needed and given back when it is not.
/// Not thread-safe.
template <class Source>
class page_buffer {
public:
    /// Takes no memory.
    page_buffer(Source& source, node_id node, std::size_t size) noexcept : source_{source}, node_{node}, size_{size} {}
    ~page_buffer() { release(); }
    page_buffer(const page_buffer&) = delete;
    page_buffer& operator=(const page_buffer&) = delete;

    /// Takes the memory, of any content, unless it is here. Fails with what the source answered.
    status acquire() noexcept {
        if (memory_ != nullptr) {
            return status::ok;
        }
        const result<void*> run = source_.acquire(page_count(), node_);
        if (!run) {
            return run.error();
        }
        memory_ = static_cast<std::byte*>(*run);
        return status::ok;
    }
    /// Gives the memory back, if it is here.
    void release() noexcept {
        if (memory_ != nullptr) {
            source_.release(memory_, page_count());
            memory_ = nullptr;
        }
    }

    [[nodiscard]] bool is_held() const noexcept { return memory_ != nullptr; }
    /// The first `count` bytes; it must be held.
    [[nodiscard]] byte_span first(std::size_t count) const noexcept {
        PAGEFOLD_CHECK(memory_ != nullptr && count <= size_);
        return {memory_, count};
    }
    /// Bytes taken from the source.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return memory_ != nullptr ? page_count() * source_.page_size() : 0;
    }

private:
    [[nodiscard]] std::size_t page_count() const noexcept { return ceil_div(size_, source_.page_size()); }

    Source& source_;
    node_id node_;
    std::size_t size_;
    std::byte* memory_ = nullptr;
};

} // namespace pagefold
