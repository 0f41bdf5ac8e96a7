// SPDX-License-Identifier: MIT
#include "numa_figures.hpp"

#include "interruption.hpp"

#include "../support/random_stream.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/numa_source.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/place/hashed.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <vector>

namespace pagefold::measure {
namespace {

struct plain_config : default_config {
    using place_type = hashed;
};
struct node_config : default_config {
    using place_type = by_node;
};

/// Nanoseconds a put: every page once, then twice as many overwritten at random.
template <class Store>
double fill(Store& store, const pool_options& options, const std::vector<const std::byte*>& pages) {
    const pool_id pool = store.create_pool(options).value();
    support::random_stream random{7};
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t n = 0; n < 3 * pages.size(); ++n) {
        const std::size_t i = n < pages.size() ? n : random.below(pages.size());
        if (store.put({pool, 1, i}, {pages[n % pages.size()], default_config::page_size}) != status::ok) {
            throw std::runtime_error("numa: a put failed");
        }
        if (n % 4096 == 0) {
            end_if_interrupted();
        }
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    return took.count() / static_cast<double>(3 * pages.size());
}

} // namespace

void measure_numa(const support::corpus& pages, unsigned rounds, figures& out) {
    const std::vector<const std::byte*> content = pages.pages();
    for (unsigned round = 0; round < rounds; ++round) {
        double plain = 0, strict = 0;
        std::size_t wrong = 0;
        const auto fill_plain = [&] {
            mmap_source<> source;
            const auto store =
                std::make_unique<partitioned_store<plain_config>>(source, store_options{.partitions = 2, .seed = 1});
            plain = fill(*store, {}, content);
        };
        const auto fill_strict = [&] {
            const auto source = std::make_unique<numa_source<>>();
            const numa_topology& nodes = source->topology();
            const node_id here = nodes.current();
            // Two partitions that keep to the node, as there are two above.
            const auto store = std::make_unique<partitioned_store<node_config>>(
                *source, store_options{.partitions = 4 * nodes.count(), .seed = 1}, node_config::compressor_type{},
                node_config::admission_type{}, by_node{nodes});
            strict = fill(*store, {.node = here, .strict_node = true}, content);
            for (const node_id node : nodes) {
                wrong += source->pages_elsewhere(strictly(node));
            }
        };
        if (round % 2 == 0) {
            fill_plain();
            fill_strict();
        } else {
            fill_strict();
            fill_plain();
        }
        out.add("numa.strict_put_over_plain", strict / plain);
        out.add("numa.wrong_node_pages", static_cast<double>(wrong));
        out.add_context("numa.nodes", static_cast<double>(numa_topology{}.count()));
        out.add_context("numa.plain_put_ns", plain);
        out.add_context("numa.strict_put_ns", strict);
    }
}

} // namespace pagefold::measure
