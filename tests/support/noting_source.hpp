// SPDX-License-Identifier: MIT
#pragma once

#include "support/test_source.hpp"

#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>

#include <cstddef>
#include <functional>
#include <vector>

namespace pagefold::testing {

/// A source that wants to know who asks, notes it, and may call back.
struct noting_source {
    explicit noting_source(std::size_t page_bytes = 4096) : memory{page_bytes} {}

    [[nodiscard]] std::size_t page_size() const noexcept { return memory.page_size(); }
    result<void*> acquire(std::size_t, node_id) noexcept {
        ++without_context;
        return status::no_memory;
    }
    result<void*> acquire(std::size_t pages, node_id node, acquire_context context) noexcept {
        contexts.push_back(context);
        if (ask) {
            ask();
        }
        return memory.acquire(pages, node);
    }
    void release(void* p, std::size_t pages) noexcept { memory.release(p, pages); }

    [[nodiscard]] std::size_t asked(acquire_context context) const {
        std::size_t times = 0;
        for (const acquire_context& one : contexts) {
            times += one == context ? 1u : 0u;
        }
        return times;
    }

    test_source memory;
    std::vector<acquire_context> contexts;
    unsigned without_context = 0;
    std::function<void()> ask;
};

} // namespace pagefold::testing
