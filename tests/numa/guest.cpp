// SPDX-License-Identifier: MIT
//
// The proof that a pool is kept to its node: /init of a guest with several (run.sh). Random operations over pools that must be
// on a node, prefer one, and don't care; a node whose memory runs out and comes back; compaction, shrinking, other limits;
// four threads. After each part every page that the store holds of a strict wish is asked where it is, by move_pages, from a
// list that a witness between store and source has made. None may be elsewhere.
//
// The kernel's command line: nodes=N, how many there are with memory; kind=..., as run.sh has it. The last line is "numa: ok" or what went wrong.

#include "support/rng.hpp"

#include <pagefold/hosted/numa_source.hpp>
#include <pagefold/place/by_node.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace pagefold;
using pagefold::testing::rng;

constexpr std::size_t page_size = 4096;

[[noreturn]] void end(const std::string& verdict) {
    std::printf("numa: %s\n", verdict.c_str());
    std::fflush(stdout);
    if (getpid() == 1) {
        reboot(RB_POWER_OFF);
    }
    std::exit(verdict == "ok" ? 0 : 1);
}
void expect(bool holds, const std::string& what) {
    if (!holds) {
        end("FAILED: " + what);
    }
}

/// A numa_source, and a list of its own of what is out.
class witness {
public:
    [[nodiscard]] std::size_t page_size() const noexcept { return source.page_size(); }
    result<void*> acquire(std::size_t pages, node_id wish) noexcept {
        const result<void*> memory = source.acquire(pages, wish);
        if (memory) {
            const std::lock_guard guard{mutex_};
            out_[*memory] = {pages, wish};
        }
        return memory;
    }
    void release(void* p, std::size_t pages) noexcept {
        {
            const std::lock_guard guard{mutex_};
            const auto found = out_.find(p);
            expect(found != out_.end() && found->second.pages == pages, "a release of what nobody has");
            out_.erase(found);
        }
        source.release(p, pages);
    }
    std::size_t trim() noexcept { return source.trim(); }
    [[nodiscard]] status node_status(node_id node) const noexcept { return source.node_status(node); }

    struct count {
        std::size_t right = 0;
        std::size_t wrong = 0;
        std::size_t absent = 0; // never touched

        [[nodiscard]] std::size_t all() const { return right + wrong + absent; }
    };
    /// Where the pages are that were wished for on a node, strictly or not.
    [[nodiscard]] count ask(node_id wish) const {
        const std::lock_guard guard{mutex_};
        count found;
        for (const auto& [start, held] : out_) {
            for (std::size_t i = 0; held.wish == wish && i < held.pages; ++i) {
                void* page = static_cast<std::byte*>(start) + i * page_size();
                int node = -1;
                expect(syscall(SYS_move_pages, 0, 1ul, &page, nullptr, &node, 0) == 0, "move_pages");
                ++(node < 0 ? found.absent : node == static_cast<int>(node_of(wish)) ? found.right : found.wrong);
            }
        }
        return found;
    }

    numa_source<> source;

private:
    struct run {
        std::size_t pages;
        node_id wish;
    };
    mutable std::mutex mutex_;
    std::map<void*, run> out_;
};

using page = std::array<std::byte, page_size>;

/// Half of it noise, so that it takes some two kilobytes; another one for each seed.
page page_of(std::uint64_t seed) {
    page p{};
    rng random{seed + 1};
    for (std::size_t i = 0; i < page_size / 2; i += 8) {
        const std::uint64_t word = random();
        std::memcpy(p.data() + i, &word, 8);
    }
    return p;
}

struct config : default_config {
    using place_type = by_node;
};
using store_type = partitioned_store<config>;

struct tenant {
    pool_id pool;
    std::string name;
    bool may_drop = false;
    std::map<std::uint64_t, std::uint64_t> pages; // number and seed
};

class machine {
public:
    explicit machine(std::size_t limit)
        : store{memory, {.limit_bytes = limit, .partitions = 4 * topology().count()}, {}, {}, by_node{topology()}} {
        for (const node_id node : topology()) {
            const std::string name = "node " + std::to_string(static_cast<unsigned>(node));
            add(name + " strict", {.node = node, .strict_node = true});
            add(name + " strict cache", {.kind = pool_kind::ephemeral, .node = node, .strict_node = true});
            add(name + " preferred", {.node = node});
        }
        add("anywhere", {});
    }
    [[nodiscard]] const numa_topology& topology() const { return memory.source.topology(); }

    void add(const std::string& name, const pool_options& options) {
        const auto pool = store.create_pool(options);
        expect(static_cast<bool>(pool), "no pool: " + name);
        tenants.push_back({*pool, name, options.kind == pool_kind::ephemeral, {}});
    }

    status put(tenant& t, std::uint64_t i, std::uint64_t seed) {
        const status done = store.put({t.pool, i / 500, i}, page_of(seed));
        if (done == status::ok) {
            t.pages[i] = seed;
        } else {
            expect(done == status::no_memory || done == status::limit, t.name + ": put " + to_string(done));
            t.pages.erase(i);
        }
        return done;
    }
    void get(tenant& t, std::uint64_t i) {
        page back;
        const status done = store.get({t.pool, i / 500, i}, back);
        const auto known = t.pages.find(i);
        if (done == status::ok) {
            expect(known != t.pages.end() && back == page_of(known->second), t.name + ": a wrong page");
        } else {
            expect(done == status::not_found && (known == t.pages.end() || t.may_drop), t.name + ": a page is lost");
        }
    }
    void erase(tenant& t, std::uint64_t i) {
        const status done = store.erase({t.pool, i / 500, i});
        expect(done == (t.pages.contains(i) ? status::ok : status::not_found) ||
                   (t.may_drop && done == status::not_found),
               t.name + ": erase");
        t.pages.erase(i);
    }
    void work(tenant& t, rng& random, int operations, std::uint64_t numbers) {
        for (int n = 0; n < operations; ++n) {
            const std::uint64_t i = random.below(numbers);
            switch (random.below(8)) {
            case 0:
            case 1: erase(t, i); break;
            case 2:
            case 3: get(t, i); break;
            default: static_cast<void>(put(t, i, random())); break;
            }
        }
    }
    void get_all() {
        for (tenant& t : tenants) {
            for (const auto& [i, seed] : std::map{t.pages}) {
                get(t, i);
            }
        }
    }

    /// Everything is where it must be.
    void check(const char* when) {
        expect(store.check() && memory.source.check(), std::string{when} + ": the books are wrong");
        std::size_t right = 0;
        std::uint64_t bytes = store.stats(any_node).value().total_bytes;
        for (const node_id node : topology()) {
            bytes += store.stats(node).value().total_bytes;
            const auto strict = memory.ask(strictly(node));
            const auto preferred = memory.ask(node);
            wrong += strict.wrong;
            right += strict.right;
            expect(strict.wrong == 0 && memory.source.pages_elsewhere(strictly(node)) == 0,
                   std::string{when} + ": " + std::to_string(strict.wrong) + " strict pages on a wrong node");
            expect(preferred.wrong == memory.source.pages_elsewhere(node) &&
                       preferred.wrong <= memory.source.fallbacks(node),
                   std::string{when} + ": fallbacks that were not counted");
        }
        expect(bytes == store.stats().total_bytes, std::string{when} + ": the nodes' bytes are not the store's");
        std::printf("numa: %s: %zu pages on their nodes, 0 elsewhere\n", when, right);
    }

    witness memory;
    store_type store;
    std::vector<tenant> tenants;
    std::size_t wrong = 0;
};

std::size_t number_after(const std::string& words, const std::string& name) {
    const std::size_t at = words.find(name + "=");
    return at == std::string::npos ? 0 : std::strtoul(words.c_str() + at + name.size() + 1, nullptr, 10);
}

/// The processors that this thread may run on, and on which it runs again in the end.
class processors {
public:
    processors() { expect(sched_getaffinity(0, sizeof all_, &all_) == 0, "sched_getaffinity"); }
    ~processors() { expect(sched_setaffinity(0, sizeof all_, &all_) == 0, "sched_setaffinity"); }
    processors(const processors&) = delete;
    processors& operator=(const processors&) = delete;

    /// Calls `f(number)` on each in turn.
    template <class F>
    void on_each(F f) const {
        for (std::size_t number = 0; number < CPU_SETSIZE; ++number) {
            if (CPU_ISSET(number, &all_)) {
                cpu_set_t one;
                CPU_ZERO(&one);
                CPU_SET(number, &one);
                expect(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
                f(number);
            }
        }
    }

private:
    cpu_set_t all_;
};

/// On each processor in turn: the node that is advised has memory, whatever the processor's own has, and the codec works in
/// scratch that is on the processor's node.
void look_from_all_processors(machine& m, std::size_t bare) {
    const numa_topology& nodes = m.topology();
    const processors all;
    std::size_t without_memory = 0;
    std::map<node_id, std::size_t> seen;
    all.on_each([&](std::size_t number) {
        const node_id raw = numa_topology::current_processor_node(), advised = nodes.current();
        std::printf("numa: processor %zu is on node %u; memory is to come from node %u\n", number,
                    static_cast<unsigned>(raw), static_cast<unsigned>(advised));
        expect(nodes.contains(advised), "a node without memory is advised");
        expect(!nodes.contains(raw) || raw == advised,
               "another node is advised than the processor's, which has memory");
        if (!nodes.contains(raw)) {
            ++without_memory;
            expect(bare != 0 && advised == node_id{1}, "not the nearest one is advised");
        }
        // Of a strict pool; so what is asked for without being strict is scratch.
        const std::size_t before = m.memory.ask(raw).all();
        expect(m.put(m.tenants[0], number, number) == status::ok, "a first put");
        const std::size_t more = m.memory.ask(raw).all() - before;
        const bool is_new = nodes.contains(raw) && !seen.empty() && !seen.contains(raw);
        expect((more != 0) == is_new, "scratch is not on the processor's node");
        ++seen[raw];
    });
    expect(without_memory == bare, "processors without memory: " + std::to_string(without_memory));
}

void prove(std::size_t nodes, std::size_t bare) {
    std::optional<machine> made;
    processors{}.on_each([&](std::size_t) {
        if (!made) { // and the first scratch, on the first processor
            made.emplace(std::size_t{40} << 20);
        }
    });
    machine& m = *made;
    expect(nodes == 0 || m.topology().count() == nodes, "there are " + std::to_string(m.topology().count()) + " nodes");
    for (std::size_t i = 0; i < m.topology().count(); ++i) {
        std::printf("numa: node %u, %s, distances", static_cast<unsigned>(m.topology().node(i)),
                    m.topology().has_processors(i) ? "with processors" : "memory only");
        for (std::size_t j = 0; j < m.topology().count(); ++j) {
            std::printf(" %u", m.topology().distance(i, j));
        }
        std::printf("\n");
    }
    look_from_all_processors(m, bare);
    rng random{7};
    for (int round = 0; round < 2; ++round) {
        for (tenant& t : m.tenants) {
            m.work(t, random, 700, 900);
        }
    }
    m.check("churn");

    // A limit below what is there: caches lose pages, and what is left moves.
    static_cast<void>(m.store.resize(m.store.stats().total_bytes * 3 / 4));
    m.check("a lower limit");
    static_cast<void>(m.store.resize(std::size_t{40} << 20));
    for (tenant& t : m.tenants) {
        m.work(t, random, 300, 900);
        for (const auto& [i, seed] : std::map{t.pages}) {
            if (random.below(3) != 0) {
                m.erase(t, i);
            }
        }
    }
    static_cast<void>(m.store.compact(~std::size_t{0}));
    m.check("compaction");

    // Of each node alone: a limit of its own, and what a kernel's shrinker asks for.
    for (const node_id node : m.topology()) {
        const auto bytes = [&](node_id of) { return m.store.stats(of).value().total_bytes; };
        std::vector<std::uint64_t> before;
        for (const node_id other : m.topology()) {
            before.push_back(bytes(other));
        }
        const std::size_t given = m.store.shrink(64 * page_size, node);
        for (std::size_t i = 0; i < before.size(); ++i) {
            const node_id other = m.topology().node(i);
            expect(bytes(other) + (other == node ? given : 0) == before[i], "shrink took from another node");
        }
        expect(m.store.resize(bytes(node), node) == status::ok, "a node's limit");
        for (tenant& t : m.tenants) {
            m.work(t, random, 100, 900);
        }
        expect(bytes(node) <= m.store.stats(node).value().mem_limit, "a node's limit was passed");
        expect(m.store.resize(~std::size_t{0}, node) == status::ok, "no limit");
    }
    m.check("nodes one by one");

    // A node's memory runs out: all of it is taken, page by page and not through the store.
    const std::size_t last = m.topology().count() - 1;
    const node_id full = m.topology().node(last);
    tenant& strict = m.tenants[3 * last];
    tenant& preferred = m.tenants[3 * last + 2];
    std::vector<void*> ballast;
    constexpr std::size_t lump = 64;
    if (m.topology().count() > 1) {
        static_cast<void>(m.memory.trim());
        for (;;) {
            const auto one = m.memory.source.acquire(lump, strictly(full));
            if (!one) {
                break;
            }
            ballast.push_back(*one);
        }
        const std::size_t before = m.memory.source.fallbacks(full);
        std::size_t refused = 0;
        for (std::uint64_t i = 0; i < 600; ++i) {
            refused += m.put(strict, 10'000 + i, i) == status::ok ? 0 : 1;
            expect(m.put(preferred, 10'000 + i, i) == status::ok, "a pool that prefers a full node is refused");
        }
        expect(refused > 100, "a strict pool on a full node was not refused");
        const std::size_t fallbacks = m.memory.source.fallbacks(full) - before;
        expect(fallbacks > 100, "no fallback was counted");
        m.check("a full node");
        std::printf("numa: there %zu of 600 strict puts were refused, and %zu preferred pages came from elsewhere\n",
                    refused, fallbacks);
        m.get_all();
        for (void* const p : ballast) {
            m.memory.source.release(p, lump);
        }
        static_cast<void>(m.memory.trim());
        for (std::uint64_t i = 0; i < 600; ++i) {
            expect(m.put(strict, 20'000 + i, i) == status::ok, "a node that came back is not used");
        }
        m.check("a node that came back");
    }

    {
        std::vector<std::thread> threads;
        for (std::size_t first = 0; first < 4; ++first) {
            threads.emplace_back([&m, first] {
                rng own{first};
                for (int round = 0; round < 2; ++round) {
                    for (std::size_t t = first; t < m.tenants.size(); t += 4) {
                        m.work(m.tenants[t], own, 300, 900);
                    }
                    static_cast<void>(m.store.compact(1u << 20));
                }
            });
        }
        for (std::thread& t : threads) {
            t.join();
        }
    }
    m.check("four threads");
    m.get_all();
    for (tenant& t : m.tenants) {
        expect(m.store.destroy_pool(t.pool) == status::ok, "destroy");
    }
    m.check("nothing left");
    std::printf("numa: wrong_node_pages %zu\n", m.wrong);
    const auto nowhere = m.store.create_pool({.node = node_id{63}, .strict_node = true});
    expect(!nowhere && nowhere.error() == status::invalid, "a pool on a node that there isn't");
}

} // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::string words;
    if (getpid() == 1) {
        mkdir("/sys", 0755);
        mkdir("/proc", 0755);
        mount("sysfs", "/sys", "sysfs", 0, nullptr);
        mount("proc", "/proc", "proc", 0, nullptr);
        char line[1024] = {};
        if (std::FILE* const file = std::fopen("/proc/cmdline", "r"); file != nullptr) {
            words = std::fgets(line, sizeof line, file) != nullptr ? line : "";
            std::fclose(file);
        }
    }
    prove(number_after(words, "nodes"), words.find("kind=bare") != std::string::npos ? 1 : 0);
    end("ok");
}
