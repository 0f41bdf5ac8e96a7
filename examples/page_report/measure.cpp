// SPDX-License-Identifier: MIT
#include "measure.hpp"

#include "failure.hpp"
#include "measure_store.hpp"

#include <charconv>
#include <optional>
#include <string_view>

namespace page_report {
namespace {

#if defined(PAGEFOLD_WITH_ZSTD)
constexpr std::string_view zstd_name = "zstd";
constexpr int zstd_least_level = -5; // of pagefold::zstd
constexpr int zstd_most_level = 19;

/// The level of `zstd` (3) or `zstd:LEVEL`.
std::optional<int> zstd_level(std::string_view name) {
    if (name == zstd_name) {
        return 3;
    }
    if (!name.starts_with("zstd:")) {
        return std::nullopt;
    }
    const std::string_view digits = name.substr(zstd_name.size() + 1);
    int level = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), level);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || level < zstd_least_level ||
        level > zstd_most_level) {
        return std::nullopt;
    }
    return level;
}
#endif

/// What a store has unless told otherwise: the page codec, or lz_block where there are no vectors for it.
constexpr std::string_view default_codec = "page";

/// Calls `use` with the codec of that name; nothing when there is none.
template <class Use>
auto with_codec(std::string_view name, Use use) -> std::optional<decltype(use(pagefold::same_filled{}))> {
    if (name == default_codec) {
        return use(pagefold::default_config::compressor_type{});
    }
    if (name == "lz_block") {
        return use(pagefold::chain<pagefold::lz_block>{});
    }
    if (name == "lz4") {
        return use(pagefold::chain<pagefold::lz4>{});
    }
    if (name == "none") {
        return use(pagefold::same_filled{});
    }
#if defined(PAGEFOLD_WITH_LZO)
    if (name == "lzo") {
        return use(pagefold::chain<pagefold::lzo>{});
    }
#endif
#if defined(PAGEFOLD_WITH_ZSTD)
    if (const std::optional<int> level = zstd_level(name)) {
        return use(pagefold::chain<pagefold::zstd>{pagefold::zstd{*level}});
    }
#endif
    return std::nullopt;
}

} // namespace

std::string codec_names() {
    std::string names = std::string{default_codec} + ", lz4, lz_block, ";
#if defined(PAGEFOLD_WITH_LZO)
    names += "lzo, ";
#endif
#if defined(PAGEFOLD_WITH_ZSTD)
    names += "zstd[:LEVEL] (" + std::to_string(zstd_least_level) + " to " + std::to_string(zstd_most_level) + "), ";
#endif
    return names + "none (same-filled pages only)";
}

void check_codec(const std::string& name) {
    if (!with_codec(name, [](const auto&) { return true; })) {
        throw failure("--codec " + name + ": not among " + codec_names());
    }
}

measurement measure(const page_set& pages, const arguments& given, progress& shown) {
    return with_codec(given.codec, [&](const auto& codec) { return measure_store(pages, given, codec, shown); })
        .value();
}

} // namespace page_report
