// SPDX-License-Identifier: MIT
#include "watch.hpp"

#include <cstddef>
#include <cstring>
#include <utility>

namespace top {

writer_state watch::update() {
    frame next;
    pagefold::status s = pagefold::status::invalid;
    // Once more where the file has another form than when it was opened.
    for (int tries = 0; tries < 2 && s == pagefold::status::invalid; ++tries) {
        if (tries != 0 || !reader_.is_open() || !reader_.has_writer()) { // there may be a new file of that name
            s = reader_.open(path_.c_str());
        } else {
            s = pagefold::status::ok;
        }
        s = s == pagefold::status::ok ? read(next) : s;
    }
    if (s != pagefold::status::ok) {
        reason_ = reader_.reason();
        if (reader_.error() != 0) {
            reason_ += std::string(": ") + std::strerror(reader_.error());
        }
        return s == pagefold::status::unavailable ? writer_state::died
               : s == pagefold::status::busy      ? writer_state::alive
                                                  : writer_state::unreadable;
    }
    if (next.time_ns != now_.time_ns || next.writer != now_.writer) {
        before_ = next.writer == now_.writer ? std::move(now_) : frame{};
        now_ = std::move(next);
    }
    return reader_.has_writer() ? writer_state::alive : writer_state::gone;
}

pagefold::status watch::read(frame& out) {
    pagefold::published_stats stats;
    std::size_t room = 16;
    for (;;) {
        out.pools.resize(room);
        out.nodes.resize(room);
        stats.pool_room = out.pools;
        stats.node_room = out.nodes;
        const pagefold::status s = reader_.read(stats);
        if (s != pagefold::status::ok) {
            return s;
        }
        if ((stats.pools < room && stats.nodes < room) || room >= 4096) {
            break;
        }
        room *= 4;
    }
    out.pools.resize(stats.pools);
    out.nodes.resize(stats.nodes);
    out.name = stats.name;
    out.time_ns = stats.time_ns;
    out.writer = stats.writer;
    out.whole = stats.whole;
    out.all_pools = stats.all_pools;
    out.all_nodes = stats.all_nodes;
    return pagefold::status::ok;
}

} // namespace top
