// SPDX-License-Identifier: MIT
#include "../support/random_stream.hpp"
#include "trace.hpp"

#include <algorithm>
#include <cmath>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

namespace pagefold::replay {
namespace {

/// Draws ranks whose popularity falls as rank^-exponent.
class zipf {
public:
    zipf(std::size_t objects, double exponent) {
        double sum = 0;
        for (std::size_t rank = 1; rank <= objects; ++rank) {
            up_to_.push_back(sum += std::pow(static_cast<double>(rank), -exponent));
        }
    }
    [[nodiscard]] std::uint32_t draw(support::random_stream& random) const {
        const double at = static_cast<double>(random.next()) * 0x1p-32 * up_to_.back();
        const auto found = std::upper_bound(up_to_.begin(), up_to_.end(), at);
        return static_cast<std::uint32_t>(std::min(found, up_to_.end() - 1) - up_to_.begin());
    }

private:
    std::vector<double> up_to_;
};

void add_popular(trace& t, std::size_t objects, std::size_t requests, double exponent) {
    const zipf ranks{objects, exponent};
    support::random_stream random{1};
    while (t.requests.size() < requests) {
        t.requests.push_back(ranks.draw(random));
    }
}
void add_scanned(trace& t, std::size_t objects, std::size_t requests) {
    const zipf ranks{objects, 0.9};
    support::random_stream random{2};
    const std::size_t scanned = std::max<std::size_t>(objects / 10, 1);
    while (t.requests.size() < requests) {
        for (std::size_t i = 0; i < 2 * scanned; ++i) {
            t.requests.push_back(ranks.draw(random));
        }
        const std::size_t first = objects + random.below(20) * scanned;
        for (std::size_t i = 0; i < scanned; ++i) {
            t.requests.push_back(static_cast<std::uint32_t>(first + i));
        }
    }
}
void add_mixed(trace& t, std::size_t objects, std::size_t requests) {
    const zipf ranks{objects, 0.9};
    support::random_stream random{3};
    const std::size_t loop = std::max<std::size_t>(objects * 3 / 20, 1),
                      change = std::max<std::size_t>(requests / 10, 1);
    std::size_t shift = 0, looped = 0, once = 0;
    for (std::size_t i = 0; i < requests; ++i) {
        shift = i % change == 0 ? random.below(objects) : shift;
        const std::uint64_t kind = random.below(10);
        t.requests.push_back(static_cast<std::uint32_t>(kind < 6   ? (ranks.draw(random) + shift) % objects
                                                        : kind < 8 ? objects + looped++ % loop
                                                                   : objects + loop + once++));
    }
}

} // namespace

const std::vector<std::string>& made_traces() {
    static const std::vector<std::string> names{"zipf08", "zipf10", "loop", "scan", "mixed"};
    return names;
}

trace make_trace(const std::string& name, std::size_t objects, std::size_t requests) {
    trace t;
    if (name == "zipf08" || name == "zipf10") {
        add_popular(t, objects, requests, name == "zipf08" ? 0.8 : 1.0);
    } else if (name == "scan") {
        add_scanned(t, objects, requests);
    } else if (name == "mixed") {
        add_mixed(t, objects, requests);
    } else if (name == "loop") {
        for (std::size_t i = 0; i < requests; ++i) {
            t.requests.push_back(static_cast<std::uint32_t>(i % std::max<std::size_t>(objects / 5, 1)));
        }
    } else {
        throw std::runtime_error{"no trace is called " + name};
    }
    constexpr std::uint32_t none = 0xffffffffu;
    std::vector<std::uint32_t> numbers(std::size_t{*std::max_element(t.requests.begin(), t.requests.end())} + 1, none);
    for (std::uint32_t& object : t.requests) { // as a trace that is read
        std::uint32_t& at = numbers[object];
        at = at != none ? at : static_cast<std::uint32_t>(t.objects++);
        object = at;
    }
    return t;
}

const std::vector<std::string>& drawn_sizes() {
    static const std::vector<std::string> names{"pages", "uniform", "some_raw", "halves"};
    return names;
}

void draw_sizes(trace& t, const std::string& name) {
    support::random_stream random{4};
    t.bytes.assign(t.objects, 4096);
    for (std::uint32_t& bytes : t.bytes) {
        const auto drawn = static_cast<std::uint32_t>(random.below(20480));
        if (name == "uniform") {
            bytes = 1 + drawn % 4096;
        } else if (name == "some_raw") {
            bytes = drawn % 5 == 0 ? 4096 : 200 + drawn / 5 % 2048;
        } else if (name == "halves") {
            unsigned halved = 6;
            for (std::uint32_t at = drawn % 127, twice = 64; at >= twice; twice /= 2, --halved) {
                at -= twice;
            }
            bytes = 4096u >> halved;
        } else if (name != "pages") {
            throw std::runtime_error{"no distribution is called " + name};
        }
    }
}

trace filtered(const trace& t, std::size_t cache_size) {
    if (cache_size == 0) {
        return t;
    }
    trace passed;
    passed.objects = t.objects;
    passed.bytes = t.bytes;
    std::list<std::uint32_t> by_use;
    std::vector<std::list<std::uint32_t>::iterator> held(t.objects, by_use.end());
    for (const std::uint32_t object : t.requests) {
        if (held[object] != by_use.end()) {
            by_use.splice(by_use.begin(), by_use, held[object]);
            continue;
        }
        passed.requests.push_back(object);
        if (by_use.size() == cache_size) {
            held[by_use.back()] = by_use.end();
            by_use.pop_back();
        }
        by_use.push_front(object);
        held[object] = by_use.begin();
    }
    return passed;
}

} // namespace pagefold::replay
