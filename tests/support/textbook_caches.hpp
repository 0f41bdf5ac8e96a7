// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <set>
#include <unordered_map>
#include <utility>

// Caches as their papers have them: whole keys, lists, a fixed number of pages, and nobody who refuses a victim. request()
// says whether the page was there; it is there then.

namespace pagefold::testing {

class textbook_fifo {
public:
    explicit textbook_fifo(std::size_t size) : size_{size} {}
    bool request(std::uint32_t page) {
        if (held_.count(page) != 0) {
            return true;
        }
        if (held_.size() == size_) {
            held_.erase(queue_.back());
            queue_.pop_back();
        }
        queue_.push_front(page);
        held_.insert(page);
        return false;
    }

private:
    std::size_t size_;
    std::list<std::uint32_t> queue_;
    std::set<std::uint32_t> held_;
};

class textbook_lru {
public:
    explicit textbook_lru(std::size_t size) : size_{size} {}
    bool request(std::uint32_t page) {
        const auto found = held_.find(page);
        if (found != held_.end()) {
            by_use_.splice(by_use_.begin(), by_use_, found->second);
            return true;
        }
        if (held_.size() == size_) {
            held_.erase(by_use_.back());
            by_use_.pop_back();
        }
        by_use_.push_front(page);
        held_[page] = by_use_.begin();
        return false;
    }

private:
    std::size_t size_;
    std::list<std::uint32_t> by_use_;
    std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> held_;
};

/// First in, first out, with reinsertion of what was read.
class textbook_clock {
public:
    explicit textbook_clock(std::size_t size) : size_{size} {}
    bool request(std::uint32_t page) {
        if (const auto found = was_read_.find(page); found != was_read_.end()) {
            found->second = true;
            return true;
        }
        while (was_read_.size() == size_) {
            const std::uint32_t oldest = queue_.back();
            queue_.pop_back();
            if (std::exchange(was_read_[oldest], false)) {
                queue_.push_front(oldest);
            } else {
                was_read_.erase(oldest);
            }
        }
        queue_.push_front(page);
        was_read_[page] = false;
        return false;
    }

private:
    std::size_t size_;
    std::list<std::uint32_t> queue_;
    std::unordered_map<std::uint32_t, bool> was_read_;
};

class textbook_sieve {
public:
    explicit textbook_sieve(std::size_t size) : size_{size}, hand_{queue_.end()} {}
    bool request(std::uint32_t page) {
        if (const auto found = held_.find(page); found != held_.end()) {
            found->second->was_read = true;
            return true;
        }
        if (held_.size() == size_) {
            auto at = hand_ != queue_.end() ? hand_ : std::prev(queue_.end());
            while (std::exchange(at->was_read, false)) {
                at = at != queue_.begin() ? std::prev(at) : std::prev(queue_.end());
            }
            hand_ = at != queue_.begin() ? std::prev(at) : queue_.end();
            held_.erase(at->page);
            queue_.erase(at);
        }
        queue_.push_front({page, false});
        held_[page] = queue_.begin();
        return false;
    }

private:
    struct entry {
        std::uint32_t page;
        bool was_read;
    };
    std::size_t size_;
    std::list<entry> queue_;
    std::list<entry>::iterator hand_; // end: the oldest
    std::unordered_map<std::uint32_t, std::list<entry>::iterator> held_;
};

/// Keys, first in, first out.
class textbook_ghost {
public:
    explicit textbook_ghost(std::size_t size) : size_{size} {}
    void remember(std::uint32_t page) {
        queue_.push_front(page);
        known_[page] = queue_.begin();
        if (queue_.size() > size_) {
            known_.erase(queue_.back());
            queue_.pop_back();
        }
    }
    bool recall(std::uint32_t page) {
        const auto found = known_.find(page);
        if (found == known_.end()) {
            return false;
        }
        queue_.erase(found->second);
        known_.erase(found);
        return true;
    }

private:
    std::size_t size_;
    std::list<std::uint32_t> queue_;
    std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> known_;
};

/// S3-FIFO, Algorithm 1 of its paper, and with a window Clock2Q+.
class textbook_queues {
public:
    struct numbers {
        std::size_t small, ghost;
        unsigned hits_to_stay, most_hits;
        std::size_t window = 0;
    };
    textbook_queues(std::size_t size, const numbers& n) : size_{size}, numbers_{n}, ghost_{n.ghost} {}
    bool request(std::uint32_t page) {
        if (const auto found = held_.find(page); found != held_.end()) {
            entry& e = *found->second;
            const bool counts = !e.is_small || arrivals_ - e.arrival >= numbers_.window;
            e.hits += counts && e.hits < numbers_.most_hits ? 1u : 0u;
            return true;
        }
        while (held_.size() == size_) {
            if (small_.size() >= numbers_.small || main_.empty()) {
                evict_from_small();
            } else {
                evict_from_main();
            }
        }
        std::list<entry>& queue = ghost_.recall(page) ? main_ : small_;
        const bool is_small = &queue == &small_;
        arrivals_ += is_small ? 1 : 0;
        queue.push_front({page, 0, is_small, arrivals_});
        held_[page] = queue.begin();
        return false;
    }

private:
    struct entry {
        std::uint32_t page;
        unsigned hits;
        bool is_small;
        std::uint64_t arrival;
    };
    void evict_from_small() {
        while (!small_.empty()) {
            const auto oldest = std::prev(small_.end());
            if (oldest->hits >= numbers_.hits_to_stay) {
                *oldest = {oldest->page, 0, false, 0};
                main_.splice(main_.begin(), small_, oldest);
                continue;
            }
            ghost_.remember(oldest->page);
            held_.erase(oldest->page);
            small_.erase(oldest);
            return;
        }
    }
    void evict_from_main() {
        while (main_.back().hits > 0) {
            --main_.back().hits;
            main_.splice(main_.begin(), main_, std::prev(main_.end()));
        }
        held_.erase(main_.back().page);
        main_.pop_back();
    }

    std::size_t size_;
    numbers numbers_;
    textbook_ghost ghost_;
    std::list<entry> small_, main_;
    std::uint64_t arrivals_ = 0;
    std::unordered_map<std::uint32_t, std::list<entry>::iterator> held_;
};

} // namespace pagefold::testing
