// SPDX-License-Identifier: MIT
#include "deferred_figures.hpp"

#include "interruption.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/hosted/compression_threads.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/deferred_store.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <vector>

// Puts overwrite pages of a store that has them all, as a host does that evicts: in bursts that the queue has room for, after each of
// which the worker is waited for; and then without a pause, where the queue is full and the putter works as well. Other programs may
// run on this machine, so the putter's processor time is taken beside the clock.

namespace pagefold::measure {
namespace of_deferred { // sources are compiled together
namespace {

constexpr std::size_t bytes_a_page = 4096, queue_pages = 512, burst = 256;
using store_type = partitioned_store<default_config>;
using queue_type = deferred_store<store_type>;

void expect(bool right, const char* what) {
    if (!right) {
        throw std::runtime_error(std::string("deferred: ") + what);
    }
}
/// Processor time of the thread, or of the process.
[[nodiscard]] std::uint64_t cpu_ns(clockid_t of = CLOCK_THREAD_CPUTIME_ID) noexcept {
    std::timespec t{};
    clock_gettime(of, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

class scene {
public:
    explicit scene(const support::corpus& pages) : pages_{pages}, count_{std::min<std::size_t>(pages.size(), 50'000)} {
        for (std::size_t i = 0; i < count_; ++i) {
            expect(store_.put(key(i), page(i)) == status::ok, "a put");
        }
    }
    struct cost {
        support::latency_histogram latency;
        double cpu = 0; // ns of an operation
    };
    /// `Front` is the store or the queue.
    template <class Front>
    cost put_bursts(Front& front, std::size_t bursts, std::uint64_t seed) {
        cost of;
        support::random_stream random{seed};
        std::uint64_t cpu = 0;
        for (std::size_t b = 0; b < bursts; ++b) {
            const std::size_t first = random.below(count_ - burst);
            const std::uint64_t begun = cpu_ns();
            for (std::size_t i = first; i < first + burst; ++i) {
                const std::uint64_t before = support::now_ns();
                expect(front.put(key(i), page((i + b) % count_)) == status::ok, "a put");
                const std::uint64_t took = support::now_ns() - before;
                of.latency.record(took > overhead_ ? took - overhead_ : 0);
            }
            cpu += cpu_ns() - begun;
            wait();
        }
        of.cpu = static_cast<double>(cpu) / static_cast<double>(bursts * burst) - 2.0 * static_cast<double>(overhead_);
        return of;
    }
    struct rate {
        double puts;   // a second
        double cpu_ns; // of a put, of all threads together
    };
    /// So many puts without a pause, all stored at the end.
    template <class Front>
    rate put_rate(Front& front, std::size_t puts, std::uint64_t seed) {
        support::random_stream random{seed};
        const std::uint64_t begun = support::now_ns(), cpu_begun = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
        for (std::size_t n = 0; n < puts; ++n) {
            const std::size_t i = random.below(count_);
            expect(front.put(key(i), page((i + n) % count_)) == status::ok, "a put");
        }
        expect(queue_.flush() == status::ok, "a flush");
        const double of_all = static_cast<double>(puts);
        return {of_all / static_cast<double>(support::now_ns() - begun) * 1e9,
                static_cast<double>(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun) / of_all};
    }
    /// Reads of pages that are in the queue, or all in the store.
    cost get(std::size_t times, bool is_queued, std::uint64_t seed) {
        cost of;
        support::random_stream random{seed};
        std::vector<std::byte> out(bytes_a_page);
        std::uint64_t cpu = 0;
        for (std::size_t t = 0; t < times; ++t) {
            const std::size_t first = random.below(count_ - burst);
            for (std::size_t i = first; i < first + burst && is_queued; ++i) {
                expect(queue_.put(key(i), page(i)) == status::ok, "a put");
            }
            const std::uint64_t begun = cpu_ns();
            for (std::size_t n = 0; n < burst; ++n) {
                const page_key k = key(first + random.below(burst));
                const std::uint64_t before = support::now_ns();
                expect(queue_.get(k, out) == status::ok, "a get");
                const std::uint64_t took = support::now_ns() - before;
                of.latency.record(took > overhead_ ? took - overhead_ : 0);
            }
            cpu += cpu_ns() - begun;
            expect(queue_.flush() == status::ok, "a flush");
        }
        of.cpu = static_cast<double>(cpu) / static_cast<double>(times * burst) - 2.0 * static_cast<double>(overhead_);
        return of;
    }
    [[nodiscard]] store_type& store() { return store_; }
    [[nodiscard]] queue_type& queue() { return queue_; }

private:
    [[nodiscard]] page_key key(std::size_t i) const { return {pool_, i / 10'000, i % 10'000}; }
    [[nodiscard]] byte_view page(std::size_t i) const { return {pages_.page(i), bytes_a_page}; }
    /// Until the queue has been worked off.
    void wait() {
        while (queue_.waiting_pages() != 0) {
            sched_yield();
        }
    }

    const support::corpus& pages_;
    std::size_t count_;
    std::uint64_t overhead_ = support::clock_overhead_ns();
    mmap_source<> source_;
    store_type store_{source_, {.seed = 3}};
    queue_type queue_{store_, {.queue_bytes = queue_pages * bytes_a_page, .seed = 3}};
    pool_id pool_ = queue_.create_pool().value();
};

} // namespace
} // namespace of_deferred

void measure_deferred(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out) {
    using namespace of_deferred;
    if (pages.size() <= burst) {
        out.note("deferred.*: the corpus is too small");
        return;
    }
    scene one{pages};
    const std::size_t bursts = is_quick ? 20 : 60, puts = is_quick ? 20'000 : 60'000;
    for (unsigned round = 0; round < rounds + 1; ++round) {
        const scene::cost direct = one.put_bursts(one.store(), bursts, round);
        compression_threads threads{one.queue()};
        expect(threads.start() == status::ok, "a thread");
        const scene::cost deferred = one.put_bursts(one.queue(), bursts, round);
        expect(threads.stop() == status::ok, "a flush");
        const scene::cost stored = one.get(bursts / 2, false, round), queued = one.get(bursts / 2, true, round);
        scene::rate rates[3]{};
        rates[0] = one.put_rate(one.store(), puts, round);
        for (const unsigned workers : {1u, 2u}) {
            compression_threads some{one.queue()};
            expect(some.start({.threads = workers}) == status::ok, "a thread");
            rates[workers] = one.put_rate(one.queue(), puts, round);
            expect(some.stop() == status::ok, "a flush");
        }
        end_if_interrupted();
        if (round == 0) { // memory is touched
            continue;
        }
        out.add("deferred.put_p50_over_put", deferred.latency.percentile(50) / direct.latency.percentile(50));
        out.add("deferred.put_p99_over_put", deferred.latency.percentile(99) / direct.latency.percentile(99));
        out.add("deferred.put_cpu_over_put", deferred.cpu / direct.cpu);
        out.add("deferred.get_queued_p50_over_get", queued.latency.percentile(50) / stored.latency.percentile(50));
        out.add("deferred.put_rate_1_worker_over_put", rates[1].puts / rates[0].puts);
        out.add("deferred.put_rate_2_workers_over_put", rates[2].puts / rates[0].puts);
        out.add("deferred.all_cpu_1_worker_over_put", rates[1].cpu_ns / rates[0].cpu_ns);
        out.add_context("deferred.put_p50_ns", deferred.latency.percentile(50));
        out.add_context("deferred.put_p99_ns", deferred.latency.percentile(99));
        out.add_context("deferred.put_cpu_ns", deferred.cpu);
        out.add_context("deferred.direct_put_p50_ns", direct.latency.percentile(50));
        out.add_context("deferred.direct_put_p99_ns", direct.latency.percentile(99));
        out.add_context("deferred.direct_put_cpu_ns", direct.cpu);
        out.add_context("deferred.get_queued_p50_ns", queued.latency.percentile(50));
        out.add_context("deferred.get_queued_cpu_over_get", queued.cpu / stored.cpu);
        out.add_context("deferred.direct_put_rate", rates[0].puts);
    }
}

} // namespace pagefold::measure
