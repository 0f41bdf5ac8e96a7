// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/types.hpp>
#include <pagefold/place/hashed.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::testing {

/// Two of eight partitions for each of four nodes, which the source under them need not know.
struct four_nodes : hashed {
    [[nodiscard]] partition_id home(const page_key& key, std::uint64_t hash, node_id wish,
                                    std::size_t count) const noexcept {
        const partition_id any = hashed::home(key, hash, any_node, count);
        return wish == any_node ? any : any % (count / 4) * 4 + static_cast<std::size_t>(wish) % 4;
    }
};

} // namespace pagefold::testing
