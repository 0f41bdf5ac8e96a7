// SPDX-License-Identifier: MIT
#include "figures.hpp"

#include "../support/json_writer.hpp"

#include <algorithm>

namespace pagefold::measure {
namespace {

enum class wanted { at_most, at_least };

struct goal {
    std::string_view key;
    wanted direction;
    double value;
};

// The one home of the goals.
constexpr goal goals[] = {
    {"store.get_p50_over_raw_lz4", wanted::at_most, 1.10},
    {"store.put_p50_over_raw_lz4", wanted::at_most, 1.10},
    {"store.get_kops_over_zram", wanted::at_least, 2.0},
    {"store.put_kops_over_zram", wanted::at_least, 1.5},
    {"store.default_get_p50_over_raw_lz4_anon", wanted::at_most, 0.55},
    {"store.default_put_kops_over_zram_anon", wanted::at_least, 2.8},
    {"store.scale_2_threads", wanted::at_least, 1.95},
    {"store.footprint_over_zram", wanted::at_most, 0.985},
    {"store.default_footprint_over_zram", wanted::at_most, 0.84},
    {"store.metadata_bytes_per_page", wanted::at_most, 16},
    {"store.metadata_bytes_sparse", wanted::at_most, 48},
    {"compress.page.ratio_over_lz4", wanted::at_least, 1.11},
    {"compress.page.ratio_over_lz4_anon", wanted::at_least, 1.23},
    {"compress.page.least_class_ratio_over_lz4", wanted::at_least, 0.99},
    {"compress.page.compress_speed_over_lz4", wanted::at_least, 2.1},
    {"compress.page.compress_speed_over_lz4_avx2", wanted::at_least, 1.7},
    {"compress.page.compress_speed_over_lz4_scalar", wanted::at_least, 0.6},
    {"compress.page.decompress_speed_over_lz4", wanted::at_least, 2.1},
    {"compress.page.decompress_speed_over_lz4_avx2", wanted::at_least, 1.75},
    {"compress.page.decompress_speed_over_lz4_scalar", wanted::at_least, 0.6},
    {"compress.lz_block.compress_speed_over_lz4", wanted::at_least, 0.9},
    {"compress.lz_block.decompress_speed_over_lz4", wanted::at_least, 0.9},
    {"alloc.zs.live_over_footprint", wanted::at_least, 0.975},
    {"alloc.zs.half_freed", wanted::at_least, 0.96},
    {"alloc.zs.ns_over_jemalloc", wanted::at_most, 1.0},
    {"alloc.xv.live_over_footprint", wanted::at_least, 0.95},
    {"alloc.xv.ns_over_jemalloc", wanted::at_most, 2.0},
    {"alloc.tlsf.live_over_footprint", wanted::at_least, 0.965},
    {"alloc.tlsf.ns_over_jemalloc", wanted::at_most, 2.0},
    {"pager.fault_p50_over_zram_swapin", wanted::at_most, 0.85},
    {"pager.overcommit_2x_over_zram", wanted::at_least, 2.0},
    {"shrink.get_p99_over_idle", wanted::at_most, 2.0},
    {"shrink.held_over_live", wanted::at_most, 1.04},
    {"clones.50_over_plain_5", wanted::at_most, 1.0},
    {"clones.10_over_template", wanted::at_most, 1.4},
    {"clones.idle_clone_bytes", wanted::at_most, 65536},
    {"clones.put_over_own", wanted::at_most, 1.05},
    {"clones.delta_decode_over_lz4", wanted::at_most, 0.5},
    {"numa.strict_put_over_plain", wanted::at_most, 1.02},
    {"numa.wrong_node_pages", wanted::at_most, 0.0},
    {"store.crowded_over_2_threads", wanted::at_least, 0.9},
    {"store.crowded_worst_over_mutex", wanted::at_most, 1.5},
    {"store.erase_object_get_p99_over_idle", wanted::at_most, 3.0},
    {"store.limit_put_p99_over_idle", wanted::at_most, 3.0},
    {"store.limit_put_p999_over_idle", wanted::at_most, 10.0},
    {"store.default_get_growth", wanted::at_most, 1.25},
    {"batch.get_64_over_single", wanted::at_most, 0.75},
    {"batch.put_64_over_single", wanted::at_most, 0.9},
    {"batch.get_64_over_single_3m", wanted::at_most, 0.55},
    {"batch.put_64_over_single_3m", wanted::at_most, 0.9},
    {"deferred.put_p50_over_put", wanted::at_most, 0.35},
    {"image.save_gb_per_s", wanted::at_least, 2.0},
    {"image.restore_gb_per_s", wanted::at_least, 2.0},
};

const goal* goal_of(std::string_view key) {
    const auto* const found =
        std::find_if(std::begin(goals), std::end(goals), [&](const goal& g) { return g.key == key; });
    return found == std::end(goals) ? nullptr : found;
}

bool is_met(const goal& one, double value) {
    return one.direction == wanted::at_most ? value <= one.value : value >= one.value;
}

} // namespace

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

figures::figure& figures::find(std::vector<figure>& among, std::string_view key) {
    const auto found = std::find_if(among.begin(), among.end(), [&](const figure& one) { return one.key == key; });
    return found != among.end() ? *found : among.emplace_back(figure{std::string(key), {}});
}

void figures::print_row(std::FILE* to, const figure& one) {
    const double middle = median(one.values);
    const auto [least, greatest] = std::minmax_element(one.values.begin(), one.values.end());
    std::fprintf(to, "%-56s %10.3f %10.3f %10.3f", one.key.c_str(), middle, *least, *greatest);
    if (const goal* const g = goal_of(one.key)) {
        std::fprintf(to, "  %s %7.3f  %s", g->direction == wanted::at_most ? "<=" : ">=", g->value,
                     is_met(*g, middle) ? "met" : "MISSED");
    }
    std::fputc('\n', to);
}

void figures::print(std::FILE* to) const {
    std::fprintf(to, "%-56s %10s %10s %10s  %10s\n", "figure", "median", "min", "max", "goal");
    for (const figure& one : counted_) {
        print_row(to, one);
    }
    if (!context_.empty()) {
        std::fprintf(to, "\ncontext: this machine, this run\n");
    }
    for (const figure& one : context_) {
        print_row(to, one);
    }
    for (const std::string& text : notes_) {
        std::fprintf(to, "note: %s\n", text.c_str());
    }
}

std::string figures::json() const {
    support::json_writer out;
    out.begin_object();
    for (const figure& one : counted_) {
        out.member(one.key, median(one.values), 4);
    }
    out.end_object();
    return out.text();
}

} // namespace pagefold::measure
