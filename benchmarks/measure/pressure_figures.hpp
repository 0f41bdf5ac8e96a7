// SPDX-License-Identifier: MIT
#pragma once

#include "../support/corpus.hpp"
#include "figures.hpp"

#include <cstddef>

namespace pagefold::measure {

/// What the figures of a store under pressure are made of.
struct pressure_options {
    unsigned rounds = 7;
    std::size_t objects = 200'000; ///< pages of the object that is erased, and keys of the store that is full
    bool is_quick = false;         ///< shorter rounds
    bool is_full = false;          ///< store.default_get_growth as well: up to 8 GiB
};

/// The figures of a store under pressure: more threads than processors, a limit, much to erase, and, if wanted, growth.
void measure_pressure(const support::corpus& pages, const pressure_options& options, figures& out);

// Its parts.

/// `store.crowded_*`: 16 threads on two processors.
void measure_crowds(const support::corpus& pages, const pressure_options& options, figures& out);
/// `store.limit_put_*`: puts into a store that is full.
void measure_limits(const support::corpus& pages, const pressure_options& options, figures& out);
/// `store.erase_object_*`: gets while another thread erases a large object, or its pool.
void measure_erasures(const support::corpus& pages, const pressure_options& options, figures& out);
/// `store.default_get_growth`: gets from a store of 15 times as many pages as `objects` over one of a quarter of them.
void measure_growth(const support::corpus& pages, const pressure_options& options, figures& out);

} // namespace pagefold::measure
