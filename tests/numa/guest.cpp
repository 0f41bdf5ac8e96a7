// SPDX-License-Identifier: MIT
//
// The proof that a pool is kept to its node: /init of a guest with several (run.sh). Random operations over pools that must be
// on a node, prefer one, and don't care; a node whose memory runs out and comes back; compaction, shrinking, other limits;
// four threads. After each part every page that the store holds of a strict wish is asked where it is, by move_pages, from a
// list that a witness between store and source has made. None may be elsewhere.
//
// The kernel's command line: nodes=N, how many there are with memory; kind=..., as run.sh has it. The last line is "numa: ok"
// or what went wrong.

#include "machine.hpp"
#include "migration.hpp"
#include "node_loss.hpp"
#include "pagers.hpp"
#include "processors.hpp"
#include "support/rng.hpp"
#include "verdict.hpp"

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

namespace pagefold::testing::numa {
namespace {

/// What stands behind NAME= on the kernel's command line.
std::string word_after(const std::string& words, const std::string& name) {
    const std::size_t at = words.find(name + "=");
    if (at == std::string::npos) {
        return {};
    }
    const std::size_t first = at + name.size() + 1;
    return words.substr(first, words.find_first_of(" \n", first) - first);
}

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

void prove(std::size_t nodes, const std::string& kind) {
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
    look_from_all_processors(m, kind == "bare" ? 1 : 0);
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
            m.sample();
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

    if (kind == "2") {
        prove_forbidden(m);
    }
    if (kind == "offline") {
        prove_offline(m);
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
    prove_migration(m);
    prove_pagers(m);
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
} // namespace pagefold::testing::numa

int main() {
    using namespace pagefold::testing::numa;
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
    prove(std::strtoul(word_after(words, "nodes").c_str(), nullptr, 10), word_after(words, "kind"));
    end("ok");
}
