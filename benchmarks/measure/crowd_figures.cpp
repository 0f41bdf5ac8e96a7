// SPDX-License-Identifier: MIT
#include "interruption.hpp"
#include "peers.hpp"
#include "pressure_figures.hpp"
#include "processors.hpp"
#include "store_peer.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/hosted/std_mutex.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pagefold::measure {
namespace {

/// The default configuration with a lock whose waiters sleep.
struct mutex_config : default_config {
    using lock_type = std_mutex;
};

/// No store: threads that have nothing to do with each other copy pages. What an operation takes at the longest then is
/// the scheduler's.
class unrelated_copies {
public:
    explicit unrelated_copies(std::vector<const std::byte*> pages) : pages_{std::move(pages)} {}

    bool put(std::size_t, const std::byte* page) {
        thread_local std::byte own[page_bytes];
        std::memcpy(own, page, page_bytes);
        return own[0] == page[0];
    }
    bool get(std::size_t key, std::byte* out) {
        std::memcpy(out, pages_[key], page_bytes);
        return out[0] == pages_[key][0];
    }

private:
    std::vector<const std::byte*> pages_;
};

/// What the threads of a sample did together.
struct crowd_sample {
    double kops = 0;
    std::uint64_t worst_ns = 0; ///< the longest operation
};

/// Threads that work on one store at the same time, on two processors: four gets to one put on random keys.
class crowd {
public:
    crowd(std::vector<const std::byte*> pages, std::chrono::nanoseconds time, int first, int second)
        : pages_{std::move(pages)}, sample_ns_{static_cast<std::uint64_t>(time.count())}, first_{first}, second_{
                                                                                                             second} {}

    template <class Peer>
    void fill(Peer& peer) const {
        for (std::size_t key = 0; key < pages_.size(); ++key) {
            if (!peer.put(key, pages_[key])) {
                throw std::runtime_error("crowd: a put failed");
            }
        }
    }

    template <class Peer>
    [[nodiscard]] crowd_sample run(Peer& peer, unsigned threads) {
        ++samples_;
        std::vector<share> shares(threads);
        // The threads wait asleep, so that none has worked before all are there.
        std::latch ready{threads + 1};
        std::uint64_t end = 0;
        std::latch begun{1};
        std::vector<std::thread> workers;
        for (unsigned i = 0; i < threads; ++i) {
            workers.emplace_back([&, i] {
                pin_to({first_, second_});
                ready.count_down();
                begun.wait();
                shares[i] = work(peer, samples_ * max_threads + i, end);
            });
        }
        ready.arrive_and_wait();
        end = support::now_ns() + sample_ns_;
        begun.count_down();
        crowd_sample sum;
        std::uint64_t done = 0;
        bool has_failed = false;
        for (unsigned i = 0; i < threads; ++i) {
            workers[i].join();
            done += shares[i].done;
            sum.worst_ns = std::max(sum.worst_ns, shares[i].worst_ns);
            has_failed |= shares[i].has_failed;
        }
        if (has_failed) {
            throw std::runtime_error("crowd: an operation failed");
        }
        end_if_interrupted();
        sum.kops = static_cast<double>(done) * 1e6 / static_cast<double>(sample_ns_);
        return sum;
    }

private:
    static constexpr std::size_t max_threads = 64;
    static constexpr unsigned gets_a_put = 4;

    /// One thread's part of a sample. An operation that ends late is not among those done, but its length counts.
    struct share {
        std::uint64_t done = 0;
        std::uint64_t worst_ns = 0;
        bool has_failed = false;
    };

    template <class Peer>
    share work(Peer& peer, std::uint64_t seed, std::uint64_t end) const {
        support::random_stream random{seed};
        alignas(page_bytes) std::byte out[page_bytes];
        share own;
        for (std::uint64_t before = support::now_ns(); before < end;) {
            const std::size_t key = random.below(pages_.size());
            const bool is_put = random.below(gets_a_put + 1) == 0;
            if (!(is_put ? peer.put(key, pages_[random.below(pages_.size())]) : peer.get(key, out))) [[unlikely]] {
                own.has_failed = true;
                break;
            }
            // The next operation begins where this one ends: nothing a thread waits for falls between two of them.
            const std::uint64_t after = support::now_ns();
            own.worst_ns = std::max(own.worst_ns, after - before);
            own.done += after <= end ? 1 : 0;
            before = after;
        }
        return own;
    }

    std::vector<const std::byte*> pages_;
    std::uint64_t sample_ns_;
    int first_;
    int second_;
    std::uint64_t samples_ = 0;
};

struct crowd_ratios {
    double crowded_over_2_threads;
    double worst_over_mutex;
    double mutex_crowded_over_2_threads;
};

/// A store of so many partitions, and the same with a mutex.
class crowded_store {
public:
    crowded_store(crowd& threads, std::size_t partitions)
        : threads_{threads}, where_{"crowd." + std::to_string(partitions) +
                                    (partitions == 1 ? "_partition." : "_partitions.")},
          default_{{.partitions = partitions}}, mutex_{{.partitions = partitions}} {
        threads_.fill(default_);
        threads_.fill(mutex_);
    }

    crowd_ratios round(figures& out) {
        constexpr unsigned many = 16;
        const crowd_sample few = threads_.run(default_, 2);
        const crowd_sample own = threads_.run(default_, many);
        const crowd_sample mutex = threads_.run(mutex_, many);
        const crowd_sample mutex_few = threads_.run(mutex_, 2);
        const auto worst_ms = [](const crowd_sample& one) { return static_cast<double>(one.worst_ns) / 1e6; };
        out.add_context(where_ + "2_threads_kops", few.kops);
        out.add_context(where_ + "16_threads_kops", own.kops);
        out.add_context(where_ + "2_threads_worst_ms", worst_ms(few));
        out.add_context(where_ + "16_threads_worst_ms", worst_ms(own));
        out.add_context(where_ + "mutex_16_threads_worst_ms", worst_ms(mutex));
        return {own.kops / few.kops, worst_ms(own) / worst_ms(mutex), mutex.kops / mutex_few.kops};
    }

private:
    crowd& threads_;
    std::string where_;
    store_peer<partitioned_store<default_config>> default_;
    store_peer<partitioned_store<mutex_config>> mutex_;
};

} // namespace

void measure_crowds(const support::corpus& pages, const pressure_options& options, figures& out) {
    const std::vector<int>& processors = usable_processors();
    const auto sample_time = std::chrono::milliseconds(options.is_quick ? 300 : 1000);
    crowd threads{pages.pages(), sample_time, processors[0], processors[1]};
    crowded_store one_partition{threads, 1};
    crowded_store eight_partitions{threads, 8};
    unrelated_copies none{pages.pages()};
    for (unsigned i = 0; i < options.rounds; ++i) {
        out.add_context("crowd.unrelated_16_threads_worst_ms",
                        static_cast<double>(threads.run(none, 16).worst_ns) / 1e6);
        const crowd_ratios one = one_partition.round(out);
        const crowd_ratios eight = eight_partitions.round(out);
        out.add("store.crowded_over_2_threads", std::min(one.crowded_over_2_threads, eight.crowded_over_2_threads));
        out.add("store.crowded_worst_over_mutex", std::max(one.worst_over_mutex, eight.worst_over_mutex));
        out.add("peer.mutex_crowded_over_2_threads",
                std::min(one.mutex_crowded_over_2_threads, eight.mutex_crowded_over_2_threads));
    }
}

} // namespace pagefold::measure
