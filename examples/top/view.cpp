// SPDX-License-Identifier: MIT
#include "view.hpp"

#include <pagefold/control/fixed_point.hpp>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace top {
namespace {

using pagefold::common_stats;

/// A number with three digits and a letter.
[[nodiscard]] std::string scaled_text(double number, double step, const char* letters) {
    char text[32];
    if (number < step) {
        const bool is_whole = number >= 100 || number == static_cast<double>(static_cast<std::uint64_t>(number));
        std::snprintf(text, sizeof text, is_whole ? "%.0f" : "%.1f", number);
        return text;
    }
    for (number /= step; number >= step && letters[1] != '\0'; ++letters) {
        number /= step;
    }
    std::snprintf(text, sizeof text, number < 10 ? "%.2f%c" : number < 100 ? "%.1f%c" : "%.0f%c", number, *letters);
    return text;
}

/// Rates between two frames.
struct span_of_time {
    double seconds = 0;

    span_of_time(const frame& before, const frame& now) noexcept
        : seconds{before.time_ns != 0 && now.time_ns > before.time_ns
                      ? static_cast<double>(now.time_ns - before.time_ns) / 1e9
                      : 0} {}
    [[nodiscard]] std::optional<double> rate(const common_stats* before, const common_stats& now,
                                             std::uint64_t common_stats::*member) const {
        if (before == nullptr || seconds <= 0) {
            return std::nullopt;
        }
        return static_cast<double>(pagefold::difference_or_zero(now.*member, before->*member)) / seconds;
    }
};
[[nodiscard]] std::string rate_text(const std::optional<double>& rate) { return rate ? count_text(*rate) : "-"; }

[[nodiscard]] std::string permille_text(std::uint64_t part, std::uint64_t whole) {
    char text[32];
    if (whole == 0) {
        return "-";
    }
    std::snprintf(text, sizeof text, "%.1f", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
    return text;
}
/// Data over memory.
[[nodiscard]] double ratio(std::uint64_t pages, std::uint64_t page_bytes, std::uint64_t bytes) {
    return bytes == 0 ? 0 : static_cast<double>(pages) * static_cast<double>(page_bytes) / static_cast<double>(bytes);
}
[[nodiscard]] std::string ratio_text(double ratio) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", ratio);
    return ratio == 0 ? "-" : text;
}
/// How many pages are of which age: a character a class, from none to most.
[[nodiscard]] std::string ages_text(const pagefold::published_pool& pool) {
    if (pool.age_seconds == 0) {
        return "-";
    }
    constexpr std::string_view steps = "_.:-=+*#@";
    const std::uint64_t most =
        std::max<std::uint64_t>(1, *std::max_element(std::begin(pool.ages), std::end(pool.ages)));
    std::string text;
    for (const std::uint64_t pages : pool.ages) {
        const double part = static_cast<double>(pages) / static_cast<double>(most);
        const auto step = static_cast<std::size_t>(part * static_cast<double>(steps.size() - 1) + 0.5);
        text += steps[pages != 0 && step == 0 ? 1 : step];
    }
    return text;
}

struct tenant {
    std::string name;
    const pagefold::published_pool* now;
    double ratio;
    double hit_rate; ///< of the span, or of all time where there is none; -1: no reads
    std::optional<double> puts, gets, evicted, refused;
};

[[nodiscard]] double key_of(const tenant& t, sort_key key) {
    switch (key) {
    case sort_key::memory: return static_cast<double>(t.now->stats.used_bytes);
    case sort_key::pages: return static_cast<double>(t.now->stats.stored_pages);
    case sort_key::ratio: return t.ratio;
    case sort_key::hits: return t.hit_rate;
    case sort_key::puts: return t.puts.value_or(static_cast<double>(t.now->stats.puts));
    case sort_key::gets: return t.gets.value_or(static_cast<double>(t.now->stats.hits + t.now->stats.misses));
    case sort_key::evicted: return t.evicted.value_or(static_cast<double>(t.now->stats.evicted_pages));
    case sort_key::refused: return t.refused.value_or(static_cast<double>(t.now->stats.rejected_puts));
    case sort_key::name:
    default: return 0;
    }
}

[[nodiscard]] std::vector<tenant> tenants_of(const frame& before, const frame& now, const view_options& options) {
    const span_of_time span{before, now};
    const std::uint64_t page_bytes =
        now.whole.stored_pages != 0 ? now.whole.orig_data_size / now.whole.stored_pages : 4096;
    std::vector<tenant> tenants;
    for (const pagefold::published_pool& pool : now.pools) {
        const auto same = std::find_if(before.pools.begin(), before.pools.end(),
                                       [&](const pagefold::published_pool& other) { return other.id == pool.id; });
        const common_stats* const was = same != before.pools.end() ? &same->stats : nullptr;
        tenant t{printable(pool.name),
                 &pool,
                 ratio(pool.stats.stored_pages, page_bytes, pool.stats.used_bytes),
                 -1,
                 span.rate(was, pool.stats, &common_stats::puts),
                 std::nullopt,
                 span.rate(was, pool.stats, &common_stats::evicted_pages),
                 span.rate(was, pool.stats, &common_stats::rejected_puts)};
        const auto hits = span.rate(was, pool.stats, &common_stats::hits);
        const auto misses = span.rate(was, pool.stats, &common_stats::misses);
        double found = static_cast<double>(pool.stats.hits), all = found + static_cast<double>(pool.stats.misses);
        if (hits && misses) {
            t.gets = *hits + *misses;
            found = *hits;
            all = *t.gets;
        }
        t.hit_rate = all > 0 ? 100 * found / all : -1;
        tenants.push_back(t);
    }
    std::stable_sort(tenants.begin(), tenants.end(), [&](const tenant& a, const tenant& b) {
        const bool is_less = options.sort == sort_key::name
                                 ? (options.is_inverted ? b.name < a.name : a.name < b.name)
                                 : (options.is_inverted ? key_of(a, options.sort) < key_of(b, options.sort)
                                                        : key_of(b, options.sort) < key_of(a, options.sort));
        return is_less;
    });
    return tenants;
}

/// A table whose columns are as wide as what is in them; the first is set to the left.
class table {
public:
    explicit table(std::vector<std::string> titles) { add(std::move(titles)); }
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::size_t> widths(rows_.front().size());
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < row.size(); ++i) {
                widths[i] = std::max(widths[i], row[i].size());
            }
        }
        std::vector<std::string> lines;
        for (const auto& row : rows_) {
            std::string line;
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string fill(widths[i] - row[i].size(), ' ');
                line += i == 0 ? row[i] + fill : "  " + fill + row[i];
            }
            lines.push_back(line);
        }
        return lines;
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

[[nodiscard]] std::string age_of(const frame& now, std::uint64_t now_ns) {
    if (now.time_ns == 0) {
        return "nothing published yet";
    }
    char text[64];
    std::snprintf(text, sizeof text, "published %.1f s ago",
                  static_cast<double>(pagefold::difference_or_zero(now_ns, now.time_ns)) / 1e9);
    return text;
}

void add_summary(std::vector<std::string>& lines, const frame& before, const frame& now, const view_options& options) {
    const pagefold::store_stats& s = now.whole;
    const span_of_time span{before, now};
    const common_stats* const was = before.time_ns != 0 ? &before.whole : nullptr;
    const auto rate = [&](std::uint64_t common_stats::*member) { return rate_text(span.rate(was, s, member)) + "/s"; };
    const char* const states[] = {"", " (gone)", " (died in the middle of a publication)", " (unreadable)"};
    lines.push_back("store " + printable(now.name) + "   writer " + std::to_string(now.writer) +
                    states[static_cast<unsigned>(options.writer)] + "   " + age_of(now, options.now_ns));
    lines.push_back("memory " + bytes_text(s.total_bytes) + " of " +
                    (s.mem_limit >= std::uint64_t{1} << 62 ? "no limit" : bytes_text(s.mem_limit)) + ", most " +
                    bytes_text(s.mem_used_max) + "   metadata " + bytes_text(s.metadata_bytes) + "   data " +
                    bytes_text(s.orig_data_size) + "   ratio " +
                    ratio_text(static_cast<double>(s.ratio_permille()) / 1000));
    lines.push_back("pages " + count_text(static_cast<double>(s.stored_pages)) + " stored, " +
                    count_text(static_cast<double>(s.same_pages)) + " of one word, " +
                    count_text(static_cast<double>(s.huge_pages)) + " raw, " +
                    count_text(static_cast<double>(s.away_pages)) + " in the tier");
    lines.push_back("puts " + rate(&common_stats::puts) + "   hits " + rate(&common_stats::hits) + "   misses " +
                    rate(&common_stats::misses) + "   evicted " + rate(&common_stats::evicted_pages) +
                    "   written back " + rate(&common_stats::written_back_pages));
    lines.push_back(
        "refused " + rate(&common_stats::rejected_puts) + ": limit " + rate(&common_stats::reject_reclaim_fail) +
        ", threshold " + rate(&common_stats::reject_threshold) + ", source " + rate(&common_stats::reject_alloc_fail) +
        ", tables " + rate(&common_stats::reject_kmemcache_fail) + ", admission " +
        rate(&common_stats::reject_compress_poor) + "   codec failed " + rate(&common_stats::reject_compress_fail) +
        "   corrupt " + count_text(static_cast<double>(s.decompress_fail)));
}

[[nodiscard]] std::vector<std::string> tenant_lines(const frame& before, const frame& now,
                                                    const view_options& options) {
    const char* const names[sort_keys] = {"TENANT", "MEMORY", "PAGES",   "RATIO",    "HIT%",
                                          "PUTS/s", "GETS/s", "EVICT/s", "REFUSED/s"};
    std::vector<std::string> titles;
    for (unsigned i = 0; i < sort_keys; ++i) {
        titles.push_back((static_cast<unsigned>(options.sort) == i ? "*" : "") + std::string(names[i]));
    }
    titles.insert(titles.begin() + 1, "KIND");
    titles.push_back("AWAY");
    titles.push_back("AGES");
    table t{titles};
    for (const tenant& one : tenants_of(before, now, options)) {
        const pagefold::pool_stats& s = one.now->stats;
        char hit[32];
        std::snprintf(hit, sizeof hit, "%.1f", one.hit_rate);
        t.add({one.name.empty() ? "#" + std::to_string(static_cast<std::uint64_t>(one.now->id)) : one.name,
               one.now->kind == pagefold::pool_kind::persistent ? "keeps" : "drops", bytes_text(s.used_bytes),
               count_text(static_cast<double>(s.stored_pages)), ratio_text(one.ratio), one.hit_rate < 0 ? "-" : hit,
               rate_text(one.puts), rate_text(one.gets), rate_text(one.evicted), rate_text(one.refused),
               count_text(static_cast<double>(s.away_pages)), ages_text(*one.now)});
    }
    return t.lines();
}

[[nodiscard]] std::vector<std::string> node_lines(const frame& before, const frame& now) {
    const span_of_time span{before, now};
    table t{{"NODE", "MEMORY", "PAGES", "RATIO", "HIT%", "PUTS/s", "EVICT/s", "MIGRATED"}};
    for (const pagefold::node_snapshot& node : now.nodes) {
        const auto same = std::find_if(before.nodes.begin(), before.nodes.end(),
                                       [&](const pagefold::node_snapshot& other) { return other.node == node.node; });
        const common_stats* const was = same != before.nodes.end() ? &same->stats : nullptr;
        const pagefold::store_stats& s = node.stats;
        t.add({node.node == pagefold::any_node ? "none" : std::to_string(static_cast<std::uint16_t>(node.node)),
               bytes_text(s.total_bytes), count_text(static_cast<double>(s.stored_pages)),
               ratio_text(static_cast<double>(s.ratio_permille()) / 1000), permille_text(s.hits, s.hits + s.misses),
               rate_text(span.rate(was, s, &common_stats::puts)),
               rate_text(span.rate(was, s, &common_stats::evicted_pages)),
               count_text(static_cast<double>(s.pages_migrated))});
    }
    return t.lines();
}

} // namespace

std::string bytes_text(std::uint64_t bytes) { return scaled_text(static_cast<double>(bytes), 1024, "KMGTPE"); }
std::string count_text(double count) { return scaled_text(count, 1000, "kmgtpe"); }

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
        } else if (byte < 0x80 || byte >= 0xc0) { // one for a character of several bytes
            out += '?';
        }
    }
    return out;
}

std::vector<std::string> lines_of(const frame& before, const frame& now, const view_options& options) {
    std::vector<std::string> lines;
    if (!options.notice.empty()) {
        lines.push_back(printable(options.notice));
    }
    if (now.time_ns != 0 || options.writer != writer_state::unreadable) {
        add_summary(lines, before, now, options);
        for (const auto& table : {tenant_lines(before, now, options), node_lines(before, now)}) {
            if (table.size() > 1) {
                lines.emplace_back();
                lines.insert(lines.end(), table.begin(), table.end());
            }
        }
        if (now.pools.size() < now.all_pools || now.nodes.size() < now.all_nodes) {
            lines.push_back(
                "not in the file: " + std::to_string(pagefold::difference_or_zero(now.all_pools, now.pools.size())) +
                " tenants, " + std::to_string(pagefold::difference_or_zero(now.all_nodes, now.nodes.size())) +
                " nodes");
        }
    }
    if (options.lines != 0 && lines.size() > options.lines) {
        lines.resize(options.lines);
    }
    if (options.columns != 0) {
        for (std::string& line : lines) {
            line.resize(std::min(line.size(), options.columns));
        }
    }
    return lines;
}

} // namespace top
