// SPDX-License-Identifier: MIT

// page_report: which memory would a compressed store save here? Takes copies of pages of processes and files, puts them
// into a store, gets them back, compares, and tells in zramctl's manner what the store needed for them. See README.md.
//
// Nothing of a report is written to stdout before everything is known, so that a failure leaves nothing half printed.

#include "arguments.hpp"
#include "failure.hpp"
#include "follow.hpp"
#include "histogram.hpp"
#include "json_report.hpp"
#include "measure.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "sample.hpp"
#include "table.hpp"
#include "text.hpp"
#include "zram_peer.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>

namespace page_report {
namespace {

/// What the table does not say, in a line or two.
std::string summary_text(const arguments& given, const measurement& made, const std::optional<peer_measurement>& peer) {
    const report_row& total = made.total;
    std::string text = "codec " + given.codec + ", " + std::to_string(given.threads) +
                       (given.threads == 1 ? " thread, " : " threads, ") +
                       (given.limit_bytes == 0 ? "no limit" : "limit " + human_bytes(given.limit_bytes)) +
                       "; every page held came back byte for byte.\n";
    if (total.data_bytes > total.total_bytes) {
        const std::uint64_t saved = total.data_bytes - total.total_bytes;
        text += "Saved: " + human_bytes(saved) + " of " + human_bytes(total.data_bytes) + " (" +
                fixed(100.0 * static_cast<double>(saved) / static_cast<double>(total.data_bytes), 0) + " %).\n";
    } else {
        text += "Nothing saved: the store takes " + human_bytes(total.total_bytes) + " for " +
                human_bytes(total.data_bytes) + " of pages.\n";
    }
    if (total.pages < total.pages_there) {
        text +=
            "A sample: " + grouped(total.pages) + " of " + grouped(total.pages_there) + " pages (--mib takes more).\n";
    }
    if (total.refused != 0) {
        text += "Refused, as nothing more could be dropped to make room: " + grouped(total.refused) + " pages.\n";
    }
    if (peer && !peer->left_out.empty()) {
        text += "zram is left out: " + peer->left_out + ".\n";
    }
    return text;
}

std::string svg_subtitle(const arguments& given, const measurement& made) {
    std::string what =
        made.rows.size() == 1 ? printable(made.rows[0].name, true) : std::to_string(made.rows.size()) + " sources";
    return shorten(what, 60, true) + ", " + given.codec + ": " + human_bytes(made.total.data_bytes) + " in " +
           human_bytes(made.total.total_bytes) + ", ratio " + fixed(made.total.ratio(), 2) + " with all overhead";
}

void write_file(const std::string& path, const std::string& text) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                               [](std::FILE* f) { return std::fclose(f); });
    if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0) {
        throw failure("--svg " + path + ": " + std::strerror(errno));
    }
}

int tell_fault(const std::string& fault) {
    std::fprintf(stderr, "page_report: %s\n", printable(fault, true).c_str());
    return 1;
}

int run(int count, char** values) {
    const arguments given = parse_arguments(count, values);
    if (given.wants_help) {
        write_stdout(help_text());
        return 0;
    }
    check_codec(given.codec);
    if (given.wants_follow) {
        const std::string fault = follow(given);
        return fault.empty() ? 0 : tell_fault(fault);
    }

    progress shown;
    const page_set pages = take_pages(given, shown);
    const measurement made = measure(pages, given, shown);
    std::optional<peer_measurement> peer;
    if (given.wants_zram) {
        peer = measure_zram(pages, given.threads, shown);
    }
    shown.clear();

    for (const std::string& fault : {made.fault, peer ? peer->fault : std::string()}) {
        if (!fault.empty()) {
            return tell_fault(fault);
        }
    }
    if (!given.svg_path.empty()) {
        write_file(given.svg_path, histogram_svg(made.sizes, svg_subtitle(given, made)));
    }
    if (given.wants_json) {
        write_stdout(json_report(given, made, peer));
    } else {
        const display screen = find_display();
        write_stdout(table_text(made, peer, screen) + "\n" + summary_text(given, made, peer) + "\n" +
                     histogram_text(made.sizes, screen));
    }
    return 0;
}

} // namespace
} // namespace page_report

int main(int count, char** values) {
    try {
        return page_report::run(count, values);
    } catch (const page_report::failure& why) {
        std::fprintf(stderr, "page_report: %s\n", page_report::printable(why.what(), true).c_str());
    } catch (const std::bad_alloc&) {
        std::fputs("page_report: out of memory (--mib takes less)\n", stderr);
    } catch (const std::exception& why) {
        std::fprintf(stderr, "page_report: %s\n", why.what());
    }
    return 2;
}
