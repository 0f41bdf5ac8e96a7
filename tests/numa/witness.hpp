// SPDX-License-Identifier: MIT
#pragma once

#include "verdict.hpp"

#include <pagefold/hosted/numa_source.hpp>

#include <map>
#include <mutex>
#include <sys/syscall.h>
#include <unistd.h>

namespace pagefold::testing::numa {

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

} // namespace pagefold::testing::numa
