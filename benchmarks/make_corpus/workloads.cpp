// SPDX-License-Identifier: MIT
#include "workloads.hpp"

namespace pagefold::corpus {
namespace {

constexpr char python_text[] = R"python(
import ast, collections, os, re, sys
library = os.path.dirname(os.__file__)
trees, words, lines, records, total = [], collections.Counter(), [], {}, 0
for name in sorted(os.listdir(library)):
    if not name.endswith('.py') or total > 1500000:
        continue
    with open(os.path.join(library, name), encoding='utf-8', errors='replace') as file:
        text = file.read()
    total += len(text)
    trees.append(ast.parse(text))
    found = re.findall(r'\w+', text)
    words.update(found)
    for number, line in enumerate(text.splitlines()):
        lines.append(line)
        records[name, number] = {'length': len(line), 'indent': len(line) - len(line.lstrip()),
                                 'weight': len(line) / 80, 'words': line.split()}
pairs = collections.defaultdict(list)
for i, word in enumerate(words):
    pairs[word[:2]].append((i, word, float(words[word])))
print('ready', flush=True)
sys.stdin.read()
)python";

constexpr char perl_text[] = R"perl(
use strict;
use warnings;
$| = 1;
my (%words, %records, @lines);
my $total = 0;
for my $folder (grep { -d } sort @INC) {
    for my $path (sort glob("$folder/*.pm $folder/*/*.pm $folder/*/*/*.pm")) {
        next if $total > 4000000;
        open(my $file, '<', $path) or next;
        while (my $line = <$file>) {
            chomp $line;
            $total += length $line;
            push @lines, $line;
            my @found = ($line =~ /(\w+)/g);
            $words{$_}{$.}++ for grep { length > 5 } @found;
            $records{"$path:$."} = {length => length $line, words => [@found]} if @found > 3;
        }
    }
}
print "ready\n";
<STDIN>;
)perl";

constexpr char javascript_text[] = R"javascript(
const rows = [];
const byCity = new Map();
let state = 88172645;
function next(count) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    return (state >>> 0) % count;
}
const stems = ['north', 'bridge', 'water', 'stone', 'field', 'mill', 'castle', 'green', 'long', 'church'];
for (let i = 0; i < 90000; ++i) {
    const city = stems[next(10)] + stems[next(10)];
    const row = {id: i, city, name: stems[next(10)] + i, at: 1.7e12 + i * 977 + next(977), price: next(1e6) / 100,
                 tags: [stems[next(10)], stems[next(10)]], place: {x: next(4096), y: next(4096)},
                 note: `order ${i} for ${city} weighing ${next(900)} g`};
    rows.push(row);
    if (!byCity.has(city)) byCity.set(city, []);
    byCity.get(city).push(row);
}
const text = JSON.stringify(rows.slice(0, 30000));
const again = JSON.parse(text);
const sorted = rows.slice().sort((a, b) => a.price - b.price);
globalThis.kept = [rows, byCity, text, again, sorted];
require('fs').writeSync(1, 'ready\n');
require('fs').readSync(0, Buffer.alloc(1));
)javascript";

constexpr char cpp_text[] = R"cpp(
#include <algorithm>
#include <deque>
#include <functional>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <ranges>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct item {
    std::string name;
    std::variant<int, double, std::string> value;
    std::vector<std::map<std::string, std::shared_ptr<item>>> children;
    bool operator<(const item& other) const { return name < other.name; }
};

template <int N> std::size_t work(const std::string& text) {
    std::map<std::string, item<N>> sorted;
    std::unordered_map<std::string, std::set<item<N>>> grouped;
    std::regex pattern("([a-z]+)" + std::to_string(N));
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
        item<N> one{at->str(), N, {}};
        sorted.emplace(one.name, one);
        grouped[one.name.substr(0, 1)].insert(std::move(one));
    }
    std::vector<item<N>> all;
    for (auto& [name, one] : sorted) all.push_back(one);
    std::stable_sort(all.begin(), all.end());
    std::ostringstream out;
    for (auto&& one : all | std::views::filter([](const auto& x) { return x.name.size() % 3 == N % 3; })) {
        std::visit([&](const auto& value) { out << value << '\n'; }, one.value);
    }
    auto later = std::async(std::launch::deferred, [&] { return all.size() + grouped.size(); });
    return out.str().size() + later.get();
}

template <int... N> std::size_t all_of(const std::string& text, std::integer_sequence<int, N...>) {
    return (work<N>(text) + ...);
}

int main(int, char** arguments) {
    return static_cast<int>(all_of(arguments[0], std::make_integer_sequence<int, 24>{}));
}
)cpp";

constexpr char sql_text[] = R"sql(
CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO word(text) VALUES ('river'),('anchor'),('silver'),('window'),('garden'),('letter'),('market'),('winter'),
 ('summer'),('copper'),('bridge'),('engine'),('paper'),('cotton'),('harbour'),('meadow'),('station'),('bottle'),
 ('lantern'),('kitchen'),('village'),('mountain'),('journey'),('picture'),('weather'),('captain'),('teacher'),
 ('morning'),('evening'),('quarter'),('blanket'),('chimney');
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, email TEXT, city TEXT, born TEXT, balance REAL, note TEXT);
CREATE TABLE purchase(id INTEGER PRIMARY KEY, customer INTEGER, at INTEGER, amount REAL, status TEXT, reference TEXT);
CREATE TABLE event(id INTEGER PRIMARY KEY, at INTEGER, kind TEXT, body TEXT);
BEGIN;
WITH RECURSIVE n(i, h) AS (SELECT 1, SEED UNION ALL
    SELECT i + 1, (h * 1103515245 + 12345) & 0x7fffffff FROM n WHERE i < CUSTOMERS)
INSERT INTO customer SELECT i, a.text || ' ' || b.text, a.text || '.' || b.text || i || '@example.org', c.text || 'ton',
    date(-500000000 + h, 'unixepoch'), (h >> 3) % 1000000 / 100.0,
    printf('%s %s %s %s since %d', b.text, c.text, a.text, c.text, 1980 + (h >> 7) % 40)
    FROM n JOIN word a ON a.id = 1 + (h >> 4) % 32 JOIN word b ON b.id = 1 + (h >> 11) % 32
           JOIN word c ON c.id = 1 + (h >> 18) % 32;
WITH RECURSIVE n(i, h) AS (SELECT 1, SEED + 7 UNION ALL
    SELECT i + 1, (h * 1103515245 + 12345) & 0x7fffffff FROM n WHERE i < CUSTOMERS * 3)
INSERT INTO purchase SELECT i, 1 + (h >> 2) % CUSTOMERS, 1600000000 + i * 60 + (h >> 9) % 60, (h >> 5) % 100000 / 100.0,
    CASE (h >> 13) % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'open' ELSE 'cancelled' END, printf('%08X-%06d', h, i) FROM n;
WITH RECURSIVE n(i, h) AS (SELECT 1, SEED + 13 UNION ALL
    SELECT i + 1, (h * 1103515245 + 12345) & 0x7fffffff FROM n WHERE i < CUSTOMERS * 2)
INSERT INTO event SELECT i, 1600000000 + i * 90,
    CASE (h >> 8) % 4 WHEN 0 THEN 'login' WHEN 1 THEN 'view' ELSE 'add' END,
    printf('{"session":"%08x%08x","customer":%d,"item":"%s","count":%d}', h, (h * 69069 + 1) & 0x7fffffff,
           1 + (h >> 2) % CUSTOMERS, w.text, 1 + (h >> 16) % 9)
    FROM n JOIN word w ON w.id = 1 + (h >> 12) % 32;
CREATE INDEX customer_email ON customer(email);
CREATE INDEX purchase_customer ON purchase(customer, at);
CREATE INDEX event_at ON event(at);
UPDATE customer SET note = note || ', moved to ' || city WHERE id % 5 = 0;
UPDATE purchase SET status = 'returned' WHERE id % 11 = 0;
DELETE FROM event WHERE id % 9 = 0;
COMMIT;
)sql";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

} // namespace

std::string python_program() { return python_text; }
std::string perl_program() { return perl_text; }
std::string javascript_program() { return javascript_text; }
std::string cpp_source() { return cpp_text; }

std::string sql_script(unsigned seed, unsigned customers) {
    std::string script = sql_text;
    replace_all(script, "SEED", std::to_string(seed));
    replace_all(script, "CUSTOMERS", std::to_string(customers));
    return script + "SELECT '" + ready_line + "';\n";
}

} // namespace pagefold::corpus
