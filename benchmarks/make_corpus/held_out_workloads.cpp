// SPDX-License-Identifier: MIT
#include "workloads.hpp"

#include <cstdint>
#include <cstdio>

namespace pagefold::corpus {
namespace {

constexpr char java_text[] = R"java(
import java.util.*;

public class Ledger {
    static final class Booking {
        final long number;
        final String guest;
        final int room;
        final double price;
        final Date from;
        final List<String> wishes = new ArrayList<>();
        Booking next;
        Booking(long number, String guest, int room, double price, Date from) {
            this.number = number; this.guest = guest; this.room = room; this.price = price; this.from = from;
        }
    }

    static final String[] first = {"Ana", "Boris", "Chloe", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas"};
    static final String[] last = {"Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak", "Haddad", "Jensen"};
    static final String[] wish = {"sea view", "late arrival", "cot", "vegan breakfast", "parking", "quiet floor"};

    public static void main(String[] arguments) throws Exception {
        Random random = new Random(20240601);
        Map<String, Booking> byGuest = new HashMap<>();
        TreeMap<Long, Booking> byNumber = new TreeMap<>();
        List<Booking> all = new LinkedList<>();
        BitSet[] occupied = new BitSet[400];
        for (int i = 0; i < occupied.length; ++i) occupied[i] = new BitSet(3650);
        for (int i = 0; i < 120000; ++i) {
            String guest = first[random.nextInt(first.length)] + " " + last[random.nextInt(last.length)] + " " + i % 9973;
            Booking one = new Booking(i * 17L + random.nextInt(17), guest, random.nextInt(occupied.length),
                                      40 + random.nextInt(20000) / 100.0, new Date(1600000000000L + i * 300000L));
            for (int n = random.nextInt(3); n > 0; --n) one.wishes.add(wish[random.nextInt(wish.length)]);
            one.next = byGuest.put(guest, one);
            byNumber.put(one.number, one);
            all.add(one);
            occupied[one.room].set(random.nextInt(3640), 3640 + random.nextInt(10));
            occupied[one.room].clear(random.nextInt(3650));
        }
        StringBuilder report = new StringBuilder();
        Map<Integer, double[]> income = new HashMap<>();
        for (Booking one : byNumber.values()) {
            income.computeIfAbsent(one.room, room -> new double[120])[(int) (one.number % 120)] += one.price;
            if (one.number % 5 == 0) report.append(one.number).append('\t').append(one.guest).append('\t').append(one.price).append('\n');
        }
        System.out.println("ready");
        System.in.read();
        System.out.println(report.length() + all.size() + income.size());
    }
}
)java";

constexpr char tcl_text[] = R"tcl(
expr {srand(4711)}
set parts {bolt washer gasket valve piston bearing spring lever cable socket}
set makers {Nordwind Cascadia Pelican Tramontane Halcyon}
array set stock {}
set orders {}
set catalogue [dict create]
for {set i 0} {$i < 60000} {incr i} {
    set part [lindex $parts [expr {int(rand() * 10)}]]
    set maker [lindex $makers [expr {int(rand() * 5)}]]
    set stock($maker,$part,$i) [list [expr {int(rand() * 5000)}] [expr {rand() * 99}] "shelf [expr {$i % 311}]"]
    lappend orders [list $i $part $maker [expr {$i * 13 % 977}] [string repeat "$part " [expr {$i % 4}]]]
    dict set catalogue $maker $part $i [format "%s-%05d by %s" [string toupper $part] $i $maker]
}
set matrix {}
for {set row 0} {$row < 250} {incr row} {
    set line {}
    for {set column 0} {$column < 250} {incr column} {
        lappend line [expr {sin($row * 0.1) * cos($column * 0.1)}]
    }
    lappend matrix $line
}
set text [join $orders "\n"]
set sorted [lsort -index 3 -integer $orders]
puts ready
flush stdout
gets stdin
)tcl";

constexpr char redis_text[] = R"lua(
local places = {'oslo', 'lima', 'cairo', 'quito', 'accra', 'hanoi', 'turin', 'perth'}
local actions = {'view', 'search', 'basket', 'pay', 'leave'}
local state = 12345
local function draw(count)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % count
end
for i = 1, 30000 do
    local place = places[1 + draw(8)]
    redis.call('HSET', 'user:' .. i, 'name', 'member' .. i, 'place', place, 'visits', draw(500), 'seen', 1700000000 + i * 31)
    redis.call('SET', 'session:' .. i, string.format('{"user":%d,"token":"%08x%08x","place":"%s"}', i, draw(32768) * 65536 + draw(32768), draw(32768), place))
    redis.call('RPUSH', 'trail:' .. i % 3000, actions[1 + draw(5)] .. ':' .. draw(9999))
    redis.call('ZADD', 'rank:' .. place, draw(100000), 'member' .. i)
    redis.call('SADD', 'near:' .. place .. ':' .. i % 50, i)
end
return 'ready'
)lua";

constexpr char numbers_text[] = R"python(
import array, math, random, sys
draw = random.Random(99)
walk, level = array.array('d'), 100.0
for i in range(400000):
    level += draw.gauss(0, 0.25)
    walk.append(level)
counts = array.array('i', (int(draw.expovariate(0.01)) for i in range(400000)))
stamps = array.array('q', (1700000000000 + i * 250 + draw.randrange(40) for i in range(300000)))
short = array.array('h', (int(9000 * math.sin(i / 50) + draw.gauss(0, 90)) for i in range(500000)))
single = array.array('f', (round(20 + 5 * math.sin(i / 900) + draw.gauss(0, 0.2), 1) for i in range(500000)))
sparse = array.array('d', bytes(8 * 300000))
for i in range(6000):
    sparse[draw.randrange(300000)] = draw.random()
histogram = [[draw.randrange(1000) for column in range(200)] for row in range(300)]
points = [(draw.random(), draw.random(), i) for i in range(60000)]
print('ready', flush=True)
sys.stdin.read()
)python";

constexpr char graph_text[] = R"cpp(
#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <mutex>
#include <queue>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

template <int N> struct vertex {
    long number;
    std::string label;
    std::unordered_map<long, std::tuple<double, std::string, std::array<int, N + 1>>> edges;
    std::function<double(const vertex&)> weigh;
};

template <int N> class graph {
public:
    void read(std::istream& in) {
        std::regex line("([0-9]+) -> ([0-9]+) \\[(.*)\\]");
        for (std::string text; std::getline(in, text);) {
            std::smatch found;
            if (std::regex_match(text, found, line)) {
                auto& from = vertices_[std::stol(found[1])];
                from.edges.emplace(std::stol(found[2]), std::make_tuple(std::stod(found[3]), text, std::array<int, N + 1>{}));
            }
        }
    }
    std::vector<std::pair<long, double>> distances(long start) const {
        using step = std::pair<double, long>;
        std::priority_queue<step, std::vector<step>, std::greater<step>> open;
        std::unordered_map<long, double> best{{start, 0.0}};
        for (open.push({0.0, start}); !open.empty();) {
            const auto [cost, at] = open.top();
            open.pop();
            const auto found = vertices_.find(at);
            if (found == vertices_.end()) continue;
            for (const auto& [to, edge] : found->second.edges) {
                const double next = cost + std::get<0>(edge) * N;
                if (auto [place, fresh] = best.try_emplace(to, next); fresh || next < place->second) {
                    place->second = next;
                    open.push({next, to});
                }
            }
        }
        std::vector<std::pair<long, double>> all(best.begin(), best.end());
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
        return all;
    }

private:
    std::unordered_map<long, vertex<N>> vertices_;
};

template <int... N> void all_of(std::istream& in, std::integer_sequence<int, N...>) {
    ([&] {
        graph<N> one;
        one.read(in);
        for (const auto& [to, cost] : one.distances(N)) std::cout << std::setw(8) << to << ' ' << cost << '\n';
    }(), ...);
}

int main() { all_of(std::cin, std::make_integer_sequence<int, 48>{}); }
)cpp";

/// A linear congruential generator; its high bits.
class dice {
public:
    std::uint32_t operator()(std::uint32_t sides) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::uint32_t>(state_ >> 33) % sides;
    }

private:
    std::uint64_t state_ = 2024;
};

} // namespace

std::string graph_source() { return graph_text; }
std::string java_program() { return java_text; }
std::string tcl_program() { return tcl_text; }
std::string redis_script() { return redis_text; }
std::string numbers_program() { return numbers_text; }

std::string log_lines(std::size_t bytes) {
    static constexpr const char* paths[] = {"/index.html",      "/api/v2/items",  "/static/app.js", "/login",
                                            "/images/logo.svg", "/search?q=lamp", "/cart",          "/feed.xml"};
    static constexpr const char* agents[] = {"Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
                                             "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15",
                                             "curl/7.88.1", "Uptime-Monitor/2.1"};
    dice draw;
    std::string lines;
    for (unsigned second = 0; lines.size() < bytes; second += draw(3)) {
        char line[320];
        const int length = std::snprintf(
            line, sizeof line,
            "10.%u.%u.%u - - [0%u/Mar/2024:%02u:%02u:%02u +0000] \"GET %s HTTP/1.1\" %u %u \"-\" \"%s\"\n", draw(4),
            draw(256), draw(256), 1 + second / 86'400 % 9, second / 3'600 % 24, second / 60 % 60, second % 60,
            paths[draw(8)], draw(20) == 0 ? 404u : 200u, 200 + draw(90'000), agents[draw(4)]);
        lines.append(line, static_cast<std::size_t>(length));
    }
    return lines;
}

} // namespace pagefold::corpus
