// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/stats_snapshot.hpp>
#include <pagefold/hosted/text_writer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// Statistics as JSON (RFC 8259), in one line:
//
//     {"version":1,"stores":[{"store":"S","stats":{"stored_pages":1,…},"ratio_permille":2100,
//       "pools":[{"pool":"P","id":"8192","kind":"persistent","stats":{…},
//         "age_seconds":60,"ages":[{"from":0,"pages":1},…]}],"nodes":[{"node":0,"stats":{…}}]}]}
//
// Names are those of the list (store/stats.hpp), in its order. Numbers are whole and have up to 20 digits: who reads them as
// floating point loses those beyond 2^53. So an id, which has bits up there, is a string. The node of what is on none is null. Of a pool
// whose host keeps ages: pages from an age on up to the next one's, in classes (stats_snapshot.hpp).

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

template <class Stats>
void put_members(text_writer& text, const Stats& stats) noexcept {
    text.put("\"stats\":{");
    bool is_first = true;
    visit(stats, [&](const stat_info& info, std::uint64_t value) noexcept {
        text.put(is_first ? "" : ",");
        is_first = false;
        text.put_json(info.name);
        text.put(':');
        text.put(value);
    });
    text.put('}');
}
/// `,` before every element but the first.
template <class Element, class Put>
void put_array(text_writer& text, std::string_view name, std::span<const Element> elements, Put put) noexcept {
    text.put_json(name);
    text.put(":[");
    for (const Element& element : elements) {
        text.put(&element != elements.data() ? "," : "");
        put(element);
    }
    text.put(']');
}

inline void put_ages(text_writer& text, const pool_snapshot& pool) noexcept {
    if (pool.ages == nullptr) {
        return;
    }
    text.put(",\"age_seconds\":");
    text.put(std::uint64_t{pool.age_seconds});
    text.put(",\"ages\":[");
    for (unsigned which = 0; which < published_ages; ++which) {
        text.put(which == 0 ? "{\"from\":" : ",{\"from\":");
        text.put(std::uint64_t{first_published_age(which)});
        text.put(",\"pages\":");
        text.put(pages_of_published_age(*pool.ages, which));
        text.put('}');
    }
    text.put(']');
}

} // namespace detail

/// Writes all stores' statistics; see text_outcome for a buffer that is too short, or empty. Cost: some 900 bytes a store and
/// a node, 500 a pool, 200 where it has ages.
inline text_outcome write_json(std::span<char> out, std::span<const stats_snapshot> stores) noexcept {
    text_writer text{out};
    text.put("{\"version\":1,");
    detail::put_array(text, "stores", stores, [&](const stats_snapshot& store) noexcept {
        text.put("{\"store\":");
        text.put_json(store.name);
        text.put(',');
        detail::put_members(text, store.whole);
        text.put(",\"ratio_permille\":");
        text.put(store.whole.ratio_permille());
        text.put(',');
        detail::put_array(text, "pools", store.pools, [&](const pool_snapshot& pool) noexcept {
            text.put("{\"pool\":");
            text.put_json(pool.name);
            text.put(",\"id\":\"");
            text.put(static_cast<std::uint64_t>(pool.id));
            text.put("\",\"kind\":");
            text.put_json(pool.kind == pool_kind::persistent ? "persistent" : "ephemeral");
            text.put(',');
            detail::put_members(text, pool.stats);
            detail::put_ages(text, pool);
            text.put('}');
        });
        text.put(',');
        detail::put_array(text, "nodes", store.nodes, [&](const node_snapshot& node) noexcept {
            text.put("{\"node\":");
            if (node.node == any_node) {
                text.put("null");
            } else {
                text.put(std::uint64_t{static_cast<std::uint16_t>(node.node)});
            }
            text.put(',');
            detail::put_members(text, node.stats);
            text.put('}');
        });
        text.put('}');
    });
    text.put("}\n");
    return text.outcome();
}

} // namespace pagefold
