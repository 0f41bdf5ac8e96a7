// SPDX-License-Identifier: MIT
#pragma once

#include "machine.hpp"
#include "support/rng.hpp"
#include "verdict.hpp"

#include <pagefold/hosted/numa_source.hpp>

#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

// A node that goes away while a store is on it, and comes back: its memory is taken offline, or a cpuset forbids it. The
// kernel moves what is there elsewhere, so nothing is lost; what the store says of it is to be clear.

namespace pagefold::testing::numa {

inline bool write_file(const std::string& path, const std::string& text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool done = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (file >= 0) {
        ::close(file);
    }
    return done;
}

/// A cpuset of this process's own (cgroup v2), which allows what is asked for.
class cpuset {
public:
    cpuset() {
        mkdir("/cgroup", 0755);
        expect(mount("cgroup", "/cgroup", "cgroup2", 0, nullptr) == 0, "this kernel has no cgroups");
        expect(write_file("/cgroup/cgroup.subtree_control", "+cpuset"), "this kernel has no cpusets");
        mkdir("/cgroup/ours", 0755);
    }
    void allow(const std::string& nodes) {
        expect(write_file("/cgroup/ours/cpuset.mems", nodes), "cpuset.mems = " + nodes);
        expect(write_file("/cgroup/ours/cgroup.procs", std::to_string(getpid())), "cgroup.procs");
    }
};

/// All memory of a node, off or on. False: the kernel can't give some of it up.
inline bool set_memory(node_id node, const std::string& state) {
    const std::string folder = "/sys/devices/system/node/node" + std::to_string(static_cast<unsigned>(node));
    std::vector<std::string> blocks;
    if (DIR* const entries = opendir(folder.c_str()); entries != nullptr) {
        while (const dirent* const entry = readdir(entries)) {
            if (std::string{entry->d_name}.starts_with("memory") && entry->d_name[6] >= '0' &&
                entry->d_name[6] <= '9') {
                blocks.push_back("/sys/devices/system/memory/" + std::string{entry->d_name} + "/state");
            }
        }
        closedir(entries);
    }
    bool done = !blocks.empty();
    for (const std::string& block : blocks) {
        bool set = false;
        for (int tries = 0; tries < 10 && !set; ++tries) { // a page may be in the middle of something
            set = write_file(block, state);
        }
        done = done && set;
    }
    return done;
}

/// Whether the node comes to be there, or not. The kernel tells cpusets of memory that came or went a little later.
inline bool comes_to_be(const machine& m, node_id node, bool there) {
    bool is_so = false;
    for (int tries = 0; tries < 1000 && !is_so; ++tries) {
        is_so = numa_topology{}.contains(node) == there && (m.memory.node_status(node) == status::ok) == there;
        if (!is_so) {
            usleep(10'000);
        }
    }
    return is_so;
}

/// What holds while the node is away.
inline void work_without(machine& m, std::size_t place) {
    const node_id node = m.topology().node(place);
    expect(comes_to_be(m, node, false), "the node is still there");
    const auto pool = m.store.create_pool({.node = node, .strict_node = true});
    expect(!pool && pool.error() == status::invalid, "a strict pool on a node that is away");
    m.get_all();
    // What the source holds of the node may still be handed out; then there is no more.
    tenant& strict = m.tenants[3 * place];
    std::size_t kept = 0;
    while (m.put(strict, 30'000 + kept, kept) == status::ok) {
        expect(++kept < 20'000, "memory of a node that is away does not end");
    }
    for (std::uint64_t i = 0; i < 300; ++i) {
        expect(m.put(m.tenants[3 * place + 2], 30'000 + i, i) == status::ok, "a pool that prefers the node is refused");
        expect(m.put(m.tenants.back(), 30'000 + i, i) == status::ok, "a pool without a node is refused");
    }
    rng random{place};
    for (tenant& t : m.tenants) {
        m.work(t, random, 100, 900);
    }
    static_cast<void>(m.store.shrink(16 * page_size, node));
    static_cast<void>(m.store.compact(1u << 20));
    m.get_all();
    expect(m.store.check() && m.memory.source.check(), "the books are wrong while a node is away");
    std::printf("numa: without node %u: %zu more strict puts came in, and nothing is lost\n",
                static_cast<unsigned>(node), kept);
}

/// The node is back: strict pools go on, and their pages can be brought home.
inline void work_again(machine& m, std::size_t place, const char* when) {
    const node_id node = m.topology().node(place);
    expect(comes_to_be(m, node, true), "the node is not back");
    std::size_t away = 0, still = 0;
    for (const node_id wish : {strictly(node), node}) {
        away += m.memory.source.pages_elsewhere(wish);
        still += m.memory.source.bring_home(wish);
    }
    std::printf("numa: node %u is back: %zu pages were elsewhere, %zu still are\n", static_cast<unsigned>(node), away,
                still);
    expect(away > 100 && still == 0, "pages can't be brought home");
    m.get_all();
    const auto pool = m.store.create_pool({.node = node, .strict_node = true});
    expect(static_cast<bool>(pool), "no strict pool on a node that is back");
    expect(m.store.destroy_pool(*pool) == status::ok, "destroy");
    for (std::uint64_t i = 0; i < 200; ++i) {
        expect(m.put(m.tenants[3 * place], 40'000 + i, i) == status::ok, "a node that is back is not used");
    }
    m.check(when);
}

inline void prove_forbidden(machine& m) {
    cpuset ours;
    ours.allow("0-1");
    ours.allow("0");
    work_without(m, 1);
    ours.allow("0-1");
    work_again(m, 1, "a node that was forbidden");
}
inline void prove_offline(machine& m) {
    const std::size_t last = m.topology().count() - 1;
    const node_id node = m.topology().node(last);
    expect(set_memory(node, "offline"), "the kernel does not let go of the node's memory");
    work_without(m, last);
    expect(set_memory(node, "online_movable"), "the node's memory does not come back");
    work_again(m, last, "a node that was offline");
}

} // namespace pagefold::testing::numa
