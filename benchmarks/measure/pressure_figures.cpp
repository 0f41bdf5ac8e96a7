// SPDX-License-Identifier: MIT
#include "pressure_figures.hpp"

#include "processors.hpp"

namespace pagefold::measure {

void measure_pressure(const support::corpus& pages, const pressure_options& options, figures& out) {
    const std::vector<int>& processors = usable_processors();
    pin_to(processors.back());
    if (processors.size() >= 2) {
        measure_crowds(pages, options, out);
        measure_erasures(pages, options, out);
    } else {
        out.note("one processor: store.crowded_* and store.erase_object_get_p99_over_idle are left out");
    }
    measure_limits(pages, options, out);
    if (options.is_full) {
        measure_growth(pages, options, out);
    }
}

} // namespace pagefold::measure
