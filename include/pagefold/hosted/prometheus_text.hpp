// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/hosted/stats_snapshot.hpp>
#include <pagefold/hosted/text_writer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// Statistics in Prometheus' text exposition format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), for a
// host that answers /metrics itself: no server, no allocation. A metric's samples stand together behind its HELP and TYPE, as
// the format wants, so several stores are written in one call.
//
//     pagefold_store_NAME{store="S"}   pagefold_pool_NAME{store="S",pool="P",id="N"}   pagefold_node_NAME{store="S",node="N"}
//
// NAME is that of the list (store/stats.hpp), with `_bytes` behind where it counts bytes and does not say so, and `_total` where
// it is a counter. A pool's id tells pools of one name apart; the node of what is on none is "none".
//
// Of a pool whose host keeps ages: pagefold_pool_age_seconds, how long an age is, and pagefold_pool_age_pages{…,from="4"}, pages
// of that age or more, up to the next `from`. They are gauges, and no histogram, whose numbers could not fall.

namespace pagefold::inline PAGEFOLD_ABI {

namespace detail {

/// The metrics of one struct, of all that have it; `for_each(sample)` calls sample(stats, put_labels).
template <class Stats, class ForEach>
void put_metrics(text_writer& text, std::string_view prefix, ForEach for_each) noexcept {
    for (const stat_row<Stats>& row : stat_rows<Stats>) {
        const stat_info& info = row.info;
        const auto put_name = [&]() noexcept {
            const std::string_view name = info.name;
            text.put(prefix);
            text.put(name);
            text.put(info.unit == stat_unit::bytes && !name.ends_with("_bytes") ? "_bytes" : "");
            text.put(info.kind == stat_kind::counter ? "_total" : "");
        };
        bool is_first = true;
        for_each([&](const Stats& stats, auto put_labels) noexcept {
            if (is_first) {
                is_first = false;
                text.put("# HELP ");
                put_name();
                text.put(' ');
                text.put(info.help);
                text.put("\n# TYPE ");
                put_name();
                text.put(info.kind == stat_kind::counter ? " counter\n" : " gauge\n");
            }
            put_name();
            text.put('{');
            put_labels();
            text.put("} ");
            text.put(stats.*row.value);
            text.put('\n');
        });
    }
}

/// A gauge of the pools with ages; `put_samples(store, pool)` writes those of one.
template <class PutSamples>
void put_age_metric(text_writer& text, std::span<const stats_snapshot> stores, std::string_view name,
                    std::string_view help, PutSamples put_samples) noexcept {
    bool is_first = true;
    for (const stats_snapshot& store : stores) {
        for (const pool_snapshot& pool : store.pools) {
            if (pool.ages == nullptr) {
                continue;
            }
            if (is_first) {
                is_first = false;
                text.put("# HELP ");
                text.put(name);
                text.put(' ');
                text.put(help);
                text.put("\n# TYPE ");
                text.put(name);
                text.put(" gauge\n");
            }
            put_samples(store, pool);
        }
    }
}
template <class PutPool>
void put_ages(text_writer& text, std::span<const stats_snapshot> stores, PutPool put_pool) noexcept {
    constexpr std::string_view seconds = "pagefold_pool_age_seconds", pages = "pagefold_pool_age_pages";
    put_age_metric(text, stores, seconds, "Seconds that an age is.",
                   [&](const stats_snapshot& store, const pool_snapshot& pool) noexcept {
                       text.put(seconds);
                       text.put('{');
                       put_pool(store, pool);
                       text.put("} ");
                       text.put(std::uint64_t{pool.age_seconds});
                       text.put('\n');
                   });
    put_age_metric(text, stores, pages, "Pages from an age on, up to the next one.",
                   [&](const stats_snapshot& store, const pool_snapshot& pool) noexcept {
                       for (unsigned which = 0; which < published_ages; ++which) {
                           text.put(pages);
                           text.put('{');
                           put_pool(store, pool);
                           text.put(",from=\"");
                           text.put(std::uint64_t{first_published_age(which)});
                           text.put("\"} ");
                           text.put(pages_of_published_age(*pool.ages, which));
                           text.put('\n');
                       }
                   });
}

} // namespace detail

/// Writes all stores' statistics; see text_outcome for a buffer that is too short, or empty. Cost: some 200 bytes for each
/// number, with its HELP and TYPE; 37 numbers a store and a node, 18 a pool.
inline text_outcome write_prometheus(std::span<char> out, std::span<const stats_snapshot> stores) noexcept {
    text_writer text{out};
    const auto put_store = [&](const stats_snapshot& store) noexcept {
        text.put("store=");
        text.put_label(store.name);
    };
    const auto put_pool = [&](const stats_snapshot& store, const pool_snapshot& pool) noexcept {
        put_store(store);
        text.put(",pool=");
        text.put_label(pool.name);
        text.put(",id=\"");
        text.put(static_cast<std::uint64_t>(pool.id));
        text.put('"');
    };
    detail::put_metrics<store_stats>(text, "pagefold_store_", [&](auto sample) noexcept {
        for (const stats_snapshot& store : stores) {
            sample(store.whole, [&]() noexcept { put_store(store); });
        }
    });
    detail::put_metrics<pool_stats>(text, "pagefold_pool_", [&](auto sample) noexcept {
        for (const stats_snapshot& store : stores) {
            for (const pool_snapshot& pool : store.pools) {
                sample(pool.stats, [&]() noexcept { put_pool(store, pool); });
            }
        }
    });
    detail::put_ages(text, stores, put_pool);
    detail::put_metrics<store_stats>(text, "pagefold_node_", [&](auto sample) noexcept {
        for (const stats_snapshot& store : stores) {
            for (const node_snapshot& node : store.nodes) {
                sample(node.stats, [&]() noexcept {
                    put_store(store);
                    text.put(",node=\"");
                    if (node.node == any_node) {
                        text.put("none");
                    } else {
                        text.put(std::uint64_t{static_cast<std::uint16_t>(node.node)});
                    }
                    text.put('"');
                });
            }
        }
    });
    return text.outcome();
}

} // namespace pagefold
