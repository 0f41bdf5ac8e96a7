// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/platform/page_source_ref.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/node_part.hpp>

#include <cstddef>
#include <new>

namespace pagefold::testing {

/// Parts of nodes 0, 1 and so on, side by side as in a store.
template <std::size_t Count>
class node_part_table {
public:
    node_part_table(page_source_ref source, byte_budget& whole) {
        for (std::size_t i = 0; i < Count; ++i) {
            ::new (static_cast<void*>(data() + i)) node_part{static_cast<node_id>(i), source, whole};
        }
    }
    ~node_part_table() {
        for (std::size_t i = 0; i < Count; ++i) {
            data()[i].~node_part();
        }
    }
    node_part_table(const node_part_table&) = delete;
    node_part_table& operator=(const node_part_table&) = delete;
    [[nodiscard]] node_part* data() { return reinterpret_cast<node_part*>(memory_); }

private:
    alignas(node_part) std::byte memory_[Count * sizeof(node_part)];
};

} // namespace pagefold::testing
