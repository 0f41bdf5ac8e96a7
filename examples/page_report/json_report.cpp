// SPDX-License-Identifier: MIT
#include "json_report.hpp"

#include "support/json_writer.hpp"

#include <algorithm>

namespace page_report {
namespace {

using pagefold::support::json_writer;

/// What the store says of a row and zram does as well.
void write_figures(json_writer& json, const report_row& row) {
    json.member("pages", row.pages)
        .member("data_bytes", row.data_bytes)
        .member("compressed_bytes", row.compressed_bytes)
        .member("total_bytes", row.total_bytes)
        .member("ratio", row.ratio(), 4)
        .member("same_filled", row.same_filled)
        .member("incompressible", row.incompressible)
        .member("put_p50_us", row.put.p50, 3)
        .member("put_p99_us", row.put.p99, 3)
        .member("get_p50_us", row.get.p50, 3)
        .member("get_p99_us", row.get.p99, 3);
}

void write_row(json_writer& json, const report_row& row) {
    json.member("pages_there", row.pages_there);
    write_figures(json, row);
    json.member("evicted", row.evicted).member("refused", row.refused);
}

void write_histogram(json_writer& json, const size_histogram& sizes) {
    json.key("histogram").begin_object().member("same_filled", sizes.same_filled).key("streams").begin_array();
    for (std::size_t i = 0; i < size_histogram::buckets; ++i) {
        json.begin_object()
            .member("from_bytes", i * size_histogram::width + 1)
            .member("to_bytes", std::min((i + 1) * size_histogram::width, page_bytes - 1))
            .member("pages", sizes.shorter[i])
            .end_object();
    }
    json.end_array().member("incompressible", sizes.incompressible).end_object();
}

void write_peer(json_writer& json, const peer_measurement& peer) {
    json.key("zram").begin_object();
    if (peer.left_out.empty()) {
        write_figures(json, peer.row);
    } else {
        json.member("left_out", peer.left_out);
    }
    json.end_object();
}

} // namespace

std::string json_report(const arguments& given, const measurement& made, const std::optional<peer_measurement>& peer) {
    json_writer json;
    json.begin_object()
        .member("page_bytes", page_bytes)
        .member("codec", given.codec)
        .member("threads", given.threads)
        .key("limit_bytes");
    given.limit_bytes == 0 ? json.null() : json.value(given.limit_bytes);
    json.key("sources").begin_array();
    for (const report_row& row : made.rows) {
        json.begin_object().member("name", row.name).member("kind", row.is_process ? "process" : "file");
        write_row(json, row);
        json.end_object();
    }
    json.end_array().key("total").begin_object();
    write_row(json, made.total);
    json.end_object();
    write_histogram(json, made.sizes);
    if (peer) {
        write_peer(json, *peer);
    }
    return json.end_object().text() + "\n";
}

} // namespace page_report
