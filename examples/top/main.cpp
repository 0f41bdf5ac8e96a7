// SPDX-License-Identifier: MIT
//
// Shows what a store publishes of itself (hosted/stats_publisher.hpp): README.md.
#include "arguments.hpp"
#include "demo.hpp"
#include "terminal.hpp"
#include "view.hpp"
#include "watch.hpp"

#include <support/failure.hpp>
#include <support/interruption.hpp>

#include <pagefold/hosted/prometheus_text.hpp>
#include <pagefold/hosted/stats_json.hpp>
#include <pagefold/hosted/steady_clock.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace top {
namespace {

/// Sleeps; shorter where a signal asks to end.
void rest(std::size_t milliseconds) {
    const ::timespec time{static_cast<::time_t>(milliseconds / 1000),
                          static_cast<long>(milliseconds % 1000) * 1'000'000};
    if (examples::was_interrupted == 0) {
        ::nanosleep(&time, nullptr);
    }
}

/// Where a demo publishes that nobody gave a file for; gone at the end.
class temporary_file {
public:
    temporary_file() {
        const int file = ::mkstemp(path_.data());
        if (file < 0) {
            throw examples::failure("/tmp: no file can be made there");
        }
        ::close(file);
    }
    ~temporary_file() { ::unlink(path_.c_str()); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_ = "/tmp/pagefold_top_XXXXXX";
};

[[nodiscard]] view_options options_for(const arguments& a, writer_state state, const watch& watched) {
    view_options options;
    options.sort = a.sort;
    options.now_ns = pagefold::steady_clock{}.now();
    options.writer = state;
    if (state == writer_state::unreadable || state == writer_state::died) {
        options.notice = a.path + ": " + watched.reason();
    }
    return options;
}

/// Writes what is published in one of the formats, with a buffer as long as it asks for.
[[nodiscard]] bool write_out(const frame& now, output as) {
    std::vector<pagefold::pool_snapshot> pools;
    for (const pagefold::published_pool& pool : now.pools) {
        pools.push_back({pool.name, pool.id, pool.kind, pool.stats});
    }
    const pagefold::stats_snapshot store{now.name, now.whole, pools, now.nodes};
    const auto write = [&](std::span<char> out) {
        return as == output::json ? pagefold::write_json(out, {&store, 1})
                                  : pagefold::write_prometheus(out, {&store, 1});
    };
    std::vector<char> text(write({}).bytes);
    return write(text).is_whole && std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
}

/// Waits for a first publication: somebody may just have begun.
[[nodiscard]] writer_state first_frame(watch& watched) {
    writer_state state = watched.update();
    for (unsigned i = 0; i < 40 && state == writer_state::alive && watched.now().time_ns == 0; ++i) {
        rest(50);
        state = watched.update();
    }
    return state;
}

int print_once(const arguments& a) {
    watch watched{a.path};
    const writer_state state = first_frame(watched);
    if (watched.now().time_ns == 0) {
        throw examples::failure(a.path + ": " + (watched.reason().empty() ? "nothing is published" : watched.reason()));
    }
    if (state == writer_state::died) { // and what there was is of no use
        std::fprintf(stderr, "top: %s: %s\n", a.path.c_str(), watched.reason().c_str());
        return 1;
    }
    return write_out(watched.now(), a.as) ? 0 : 1;
}

int print_tables(const arguments& a) {
    watch watched{a.path};
    writer_state state = first_frame(watched);
    for (std::size_t shown = 0; examples::was_interrupted == 0;) {
        const bool is_empty = watched.now().time_ns == 0;
        if (is_empty && (state == writer_state::unreadable || state == writer_state::died)) {
            std::fprintf(stderr, "top: %s: %s\n", printable(a.path).c_str(), watched.reason().c_str());
            return 1;
        }
        for (const std::string& line : lines_of(watched.before(), watched.now(), options_for(a, state, watched))) {
            std::printf("%s\n", line.c_str());
        }
        std::printf("\n");
        if (std::fflush(stdout) != 0) {
            return 1; // whoever read it is gone
        }
        if (++shown == a.count) {
            return 0;
        }
        if (state != writer_state::alive) {
            return state == writer_state::gone ? 0 : 1;
        }
        rest(a.interval_ms);
        state = watched.update();
    }
    return 0;
}

int follow(arguments a) {
    watch watched{a.path};
    terminal screen;
    bool is_inverted = false;
    std::uint64_t next_ns = 0;
    writer_state state = writer_state::alive;
    std::size_t read = 0;
    const pagefold::steady_clock clock;
    while (examples::was_interrupted == 0) {
        if (clock.now() >= next_ns) {
            if (a.count != 0 && read++ == a.count) {
                break;
            }
            state = watched.update();
            // A host that is only just beginning is worth a look before the interval is over.
            const bool is_early = watched.now().time_ns == 0 && state == writer_state::alive;
            next_ns = clock.now() + (is_early ? std::min<std::size_t>(a.interval_ms, 100) : a.interval_ms) * 1'000'000;
        }
        view_options options = options_for(a, state, watched);
        const terminal::extent size = screen.size();
        options.columns = size.columns;
        options.lines = size.lines;
        options.is_inverted = is_inverted;
        screen.show(lines_of(watched.before(), watched.now(), options));
        const std::uint64_t now = clock.now();
        const auto wait = next_ns > now ? static_cast<unsigned>((next_ns - now) / 1'000'000 + 1) : 0u;
        const auto column = static_cast<unsigned>(a.sort);
        switch (screen.key(wait)) {
        case 'q': return 0;
        case 'i': is_inverted = !is_inverted; break;
        case '<': a.sort = static_cast<sort_key>((column + sort_keys - 1) % sort_keys); break;
        case '>': a.sort = static_cast<sort_key>((column + 1) % sort_keys); break;
        case ' ': next_ns = 0; break;
        default: break;
        }
    }
    return 0;
}

int run(arguments a) {
    std::optional<temporary_file> file;
    if (a.path.empty()) {
        file.emplace();
        a.path = file->path();
    }
    std::optional<demo> host;
    if (a.is_demo) {
        host.emplace(a.path);
    }
    if (a.as == output::host) {
        for (std::size_t i = 0; examples::was_interrupted == 0 && (a.count == 0 || i < a.count); ++i) {
            rest(a.interval_ms);
        }
        return 0;
    }
    if (a.as != output::display) {
        return print_once(a);
    }
    return terminal::is_there() ? follow(a) : print_tables(a);
}

} // namespace
} // namespace top

int main(int count, char** values) {
    try {
        const top::arguments a = top::parse(count, values);
        if (a.is_help) {
            std::fputs(top::help_text(), stdout);
            return 0;
        }
        examples::note_interruptions();
        std::signal(SIGPIPE, SIG_IGN); // a write tells it
        return top::run(a);
    } catch (const examples::failure& why) {
        std::fprintf(stderr, "top: %s\n", why.what());
        return 2;
    }
}
