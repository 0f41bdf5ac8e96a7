// SPDX-License-Identifier: MIT
#include "arguments.hpp"

#include "failure.hpp"
#include "measure.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

namespace page_report {
namespace {

[[noreturn]] void fail(std::string_view option, std::string_view value, std::string_view wanted) {
    throw failure(std::string(option) + " " + std::string(value) + ": not " + std::string(wanted));
}

std::uint64_t parse_number(std::string_view option, std::string_view text, std::uint64_t most,
                           std::string_view wanted) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number == 0 || number > most) {
        fail(option, text, wanted);
    }
    return number;
}

/// 4096, 64K, 1M, 2g.
std::uint64_t parse_bytes(std::string_view option, std::string_view text) {
    constexpr std::string_view wanted = "a number of bytes above 0, such as 512K, 64M or 1G";
    constexpr std::string_view units = "KMG";
    std::string_view digits = text;
    unsigned shift = 0;
    if (!text.empty()) {
        const char last =
            text.back() >= 'a' && text.back() <= 'z' ? static_cast<char>(text.back() - 'a' + 'A') : text.back();
        if (const std::size_t unit = units.find(last); unit != std::string_view::npos) {
            shift = 10 * (static_cast<unsigned>(unit) + 1);
            digits.remove_suffix(1);
        }
    }
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || number == 0 ||
        number > (std::numeric_limits<std::uint64_t>::max() >> 1 >> shift)) {
        fail(option, text, wanted);
    }
    return number << shift;
}

/// Watching takes one process, and leaves nothing to compare it with. `seen` are the options of the command line.
void check_follow(const arguments& given, const std::vector<std::string>& seen) {
    for (const std::string& option : seen) {
        if (!given.wants_follow && (option == "--sweep" || option == "--sweeps")) {
            throw failure(option + ": it is for --follow");
        }
        for (const char* other : {"--file", "--limit", "--threads", "--zram", "--svg"}) {
            if (given.wants_follow && option == other) {
                throw failure(option + ": not with --follow");
            }
        }
    }
    if (given.wants_follow && given.processes.size() > 1) {
        throw failure("--follow: one --pid at most");
    }
}

} // namespace

arguments parse_arguments(int count, char** values) {
    arguments given;
    std::vector<std::string> seen;
    for (int i = 1; i < count; ++i) {
        std::string_view option = values[i];
        std::string_view inline_value;
        bool has_inline_value = false;
        if (const std::size_t equals = option.find('='); option.starts_with("--") && equals != std::string_view::npos) {
            inline_value = option.substr(equals + 1);
            option = option.substr(0, equals);
            has_inline_value = true;
        }
        const auto value = [&]() -> std::string_view {
            if (!has_inline_value && ++i >= count) {
                throw failure(std::string(option) + ": it takes a value (see --help)");
            }
            has_inline_value = false;
            return inline_value.data() != nullptr ? inline_value : values[i];
        };

        seen.emplace_back(option);
        if (option == "--pid") {
            given.processes.push_back(static_cast<pid_t>(
                parse_number(option, value(), std::numeric_limits<pid_t>::max(), "the id of a process")));
        } else if (option == "--file") {
            given.files.emplace_back(value());
        } else if (option == "--limit") {
            given.limit_bytes = parse_bytes(option, value());
        } else if (option == "--mib") {
            given.sample_bytes = parse_number(option, value(), std::uint64_t{1} << 24, "a number of MiB above 0") << 20;
        } else if (option == "--codec") {
            given.codec = value();
        } else if (option == "--threads") {
            given.threads = static_cast<unsigned>(parse_number(option, value(), 256, "a number from 1 to 256"));
        } else if (option == "--svg") {
            given.svg_path = value();
        } else if (option == "--follow") {
            given.wants_follow = true;
        } else if (option == "--sweep") {
            given.sweep_ms = parse_number(option, value(), 3'600'000, "a number of milliseconds from 1 to 3600000");
        } else if (option == "--sweeps") {
            given.sweeps = parse_number(option, value(), std::numeric_limits<std::uint32_t>::max(), "a number above 0");
        } else if (option == "--json") {
            given.wants_json = true;
        } else if (option == "--zram") {
            given.wants_zram = true;
        } else if (option == "--help" || option == "-h") {
            given.wants_help = true;
        } else {
            throw failure(std::string(values[i]) + ": no such option (see --help)");
        }
        if (has_inline_value) {
            throw failure(std::string(option) + ": it takes no value");
        }
    }
    check_follow(given, seen);
    if (given.wants_follow && std::find(seen.begin(), seen.end(), "--mib") == seen.end()) {
        given.sample_bytes = std::uint64_t{4} << 20; // in each sweep
    }
    return given;
}

std::string help_text() {
    std::string text = R"(Usage: page_report [OPTION]...

Which memory would a compressed store save here? Takes copies of pages, puts
every one into a pagefold store, takes every one back, compares it byte for
byte, and says what the store needed for them.

  --pid PID        the private anonymous pages of a process that are in memory
                   now (repeatable)
  --file PATH      the pages of a regular file, as the page cache holds them;
                   the last one ends in zeros (repeatable)
                   Without --pid and --file: a sample of the 16 largest
                   processes that may be read and of the files under /usr. A
                   source that is named and can't be read is an error; one of
                   the sample is left out.
  --mib N          take at most N MiB of pages, evenly from all over each source
                   and in proportion to its size (default 256)
  --limit BYTES    byte limit of the store, with K, M or G; pages are ephemeral
                   then, so that the store drops cold ones to stay within it
  --codec NAME     page is the default: the page codec where the processor has
                   vectors for it, else lz_block
                   )";
    text += codec_names();
    text += R"(
  --threads N      put and get with N threads (default 1)
  --zram           as root: a row for the kernel's zram with lz4 on the same
                   pages, in a device of its own that is removed afterwards
  --svg FILE       write the histogram there, too
  --json           JSON on stdout instead of the table; sizes in bytes, times
                   in µs
  --follow         watches the process of --pid, or itself: how long its pages
                   are not accessed, how many of them may leave without being
                   missed, what that would save, and which budget pagefold's
                   controllers choose. --mib bounds the cold pages that are
                   compressed in each sweep (then 4 without it). With --json an
                   object a line
  --sweep MS       from the beginning of a sweep over its pages to that of the
                   next (default 2000)
  --sweeps N       ends after N sweeps
  --help           this

Columns. Sizes are in bytes with K, M, G for powers of 1024; the others are
counts of pages, times in µs, and a ratio.

  SOURCE           name[pid], or the path of the file, shortened in the middle;
                   each one is a pool of its own
  PAGES            pages of 4 KiB that were put
  DATA             4 KiB for each page that the store held in the end: all but
                   those evicted or refused. The columns from here to
                   INCOMPRESSIBLE are of these pages
  COMPRESSED       their streams, as the codec made them: 4096 for a page kept
                   as it is, nothing for a same-filled one
  TOTAL            all memory that the store took: streams rounded up to what
                   they occupy, free room between them, index, eviction state,
                   tables of pools, working memory of the codec. A row has the
                   same part of it as its pool has of what all pools use
                   (streams rounded up, and entries)
  RATIO            DATA over TOTAL
  SAME-FILLED      pages of one repeated word, which need an entry only
  INCOMPRESSIBLE   pages kept as they are: compressed they'd occupy no less
  PUT p50, p99     µs that half and 99 % of the puts did not exceed
  GET p50, p99     the same of the gets that found their page
  EVICTED          pages that the store dropped to stay within --limit

A put or get is timed by the thread that calls it, with two calls of
clock_gettime(CLOCK_MONOTONIC), whose own cost, measured at the start, is taken
off. Puts go through each source in its order, from memory as cold as the
copying left it, and include the page faults of a growing store; gets come in
random order.

In the row of zram a put is a write and a get a read of 4 KiB with O_DIRECT, and
TOTAL is the mem_used_total of its mm_stat, which leaves out its own table of 16
to 32 bytes a page.

The histogram counts all pages by the length of their stream, evicted ones too;
those that the codec can't shorten at all are its incompressible ones.

With --follow: an age is a number of sweeps in which a page was not accessed. Cold
is a page older than the age under which no more than 0.2 % of the working set
would come back in a minute, as promotion_rate finds it; it says so after eight
sweeps. HOT is what was accessed in the last sweep. A process is seen by the
kernel's idle page tracking, or its soft-dirty bits, or else by checksums of its
pages; which one, and what it can't see, is said first.

Exit status: 0, also when a process that is followed ended; 1 when a page came back wrong or not at all; 2 for anything that
kept the report from being made, and stdout is empty then.
)";
    return text;
}

} // namespace page_report
