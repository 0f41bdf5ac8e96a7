// SPDX-License-Identifier: MIT
#include "codec_trials.hpp"

#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/lz_block.hpp>
#if PAGEFOLD_BENCHMARK_LZO
#include <pagefold/compress/lzo.hpp>
#endif
#include <pagefold/compress/page.hpp>
#if PAGEFOLD_BENCHMARK_ZSTD
#include <pagefold/compress/zstd.hpp>
#endif

#include "../support/corpus.hpp"

#include <string>
#include <utility>

namespace pagefold::measure {
namespace {

constexpr std::size_t base_page = support::corpus::page_bytes;

template <compressor Codec>
void add(codec_trials& to, trial_names names, Codec codec, std::size_t page_size = base_page) {
    to.push_back(std::make_unique<trial_of<Codec>>(std::move(names), codec, page_size));
}

trial_names base_names() {
    return {.name = "lz4", .prefix = {}, .suffix = {}, .family = "LZ4", .label = "", .counts = false};
}

/// Other codecs, as peers.
trial_names peer_names(const std::string& name, const std::string& family, const std::string& label,
                       bool counts = true) {
    return {name, "peer." + name + "_", {}, family, label, counts};
}

const char* name_of(page_level level) {
    return level == page_level::fast ? "fast" : level == page_level::high ? "high" : "balanced";
}

/// The page codec at its usual level, on the best path of this machine.
trial_names page_names() {
    return {.name = "page",
            .prefix = "compress.page.",
            .suffix = {},
            .family = "page",
            .label = name_of(page_level::balanced),
            .by_class = true};
}

/// At another level.
trial_names page_names(page_level level) {
    const std::string name = std::string("page.") + name_of(level);
    return {.name = name,
            .prefix = "compress." + name + ".",
            .suffix = {},
            .family = "page",
            .label = name_of(level),
            .counts = false};
}

/// On another path: the same streams.
trial_names page_names(page_path path, const std::string& label) {
    const std::string name = to_string(path);
    return {.name = "page." + name,
            .prefix = "compress.page.",
            .suffix = "_" + name,
            .family = "page_paths",
            .label = label,
            .has_ratio = false};
}

void add_page_codec(codec_trials& to, figures& out) {
    // In the order of their ratios: the plot joins them.
    add(to, page_names(page_level::fast), basic_page_codec<page_level::fast>{});
    add(to, page_names(), page_codec{});
    add(to, page_names(page_level::high), basic_page_codec<page_level::high>{});
    const std::pair<page_path, const char*> lesser[] = {
        {page_path::avx2, "AVX2"}, {page_path::sse42, "SSE4.2"}, {page_path::scalar, "scalar"}};
    for (const auto& [path, label] : lesser) {
        if (available_page_paths().contains(path)) {
            add(to, page_names(path, label), page_codec::with_path(path));
        } else {
            out.note(std::string("this machine has no ") + label + ": compress.page.*_" + to_string(path) +
                     " are left out");
        }
    }
}

} // namespace

codec_trials all_codecs(figures& out) {
    codec_trials all;
    add(all, base_names(), lz4{});
    add(all, peer_names("lz4_acceleration_4", "LZ4", "acceleration 4", false), basic_lz4<4>{});
    add_page_codec(all, out);
    add(all, {.name = "lz_block", .prefix = "compress.lz_block.", .suffix = {}, .family = "lz_block", .label = ""},
        lz_block{});
#if PAGEFOLD_BENCHMARK_LZO
    add(all, peer_names("lzo", "LZO", ""), lzo{});
#else
    out.note("built without lzo: peer.lzo_* are left out");
#endif
#if PAGEFOLD_BENCHMARK_ZSTD
    add(all, peer_names("zstd_minus_3", "zstd", "-3", false), zstd{-3});
    add(all, peer_names("zstd_1", "zstd", "1"), zstd{1});
    add(all, peer_names("zstd_3", "zstd", "3", false), zstd{3});
#else
    out.note("built without zstd: peer.zstd_* are left out");
#endif
    return all;
}

codec_trials codecs_of_larger_pages(std::size_t page_size) {
    codec_trials all;
    add(all, base_names(), lz4{}, page_size);
    add(all, page_names(), page_codec{}, page_size);
    add(all, page_names(page_level::high), basic_page_codec<page_level::high>{}, page_size);
    return all;
}

} // namespace pagefold::measure
