// SPDX-License-Identifier: MIT
#include "policies.hpp"

#include "cache.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/clock2q_plus.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>
#include <pagefold/evict/sieve.hpp>

#include <ctime>
#include <stdexcept>
#include <string>

namespace pagefold::replay {
namespace {

[[nodiscard]] double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <eviction_policy Policy>
[[nodiscard]] contender with(const std::string& name, const Policy& policy = Policy{}) {
    contender c;
    c.name = name;
    c.misses = [=](const trace& t, std::size_t size, const progress& tell) {
        cache<Policy> held{policy, size, t.objects, true};
        std::size_t count = 0;
        for (std::size_t i = 0; i < t.requests.size(); ++i) {
            count += held.request(t.requests[i]) ? 0u : 1u;
            if (i % (std::size_t{1} << 20) == 0) {
                tell(static_cast<unsigned>(i * 1000 / t.requests.size()));
            }
        }
        if (!held.check()) {
            throw std::logic_error{name + " is damaged"};
        }
        return count;
    };
    c.missed_of_bytes = [=](const trace& t, std::uint64_t bytes, const progress& tell) {
        cache<Policy> held{policy, bytes, t};
        missed sum;
        for (std::size_t i = 0; i < t.requests.size(); ++i) {
            if (!held.request(t.requests[i], t.bytes_of(t.requests[i]))) {
                ++sum.requests;
                sum.bytes += t.bytes_of(t.requests[i]);
            }
            if (i % (std::size_t{1} << 20) == 0) {
                tell(static_cast<unsigned>(i * 1000 / t.requests.size()));
            }
        }
        if (!held.check()) {
            throw std::logic_error{name + " is damaged"};
        }
        return sum;
    };
    c.seconds = [=](const trace& t, std::size_t size, std::size_t warm) {
        cache<Policy> held{policy, size, t.objects, false};
        std::size_t hits = 0;
        for (std::size_t i = 0; i < warm; ++i) {
            hits += held.request(t.requests[i]) ? 1u : 0u;
        }
        const double began = processor_seconds();
        for (std::size_t i = warm; i < t.requests.size(); ++i) {
            hits += held.request(t.requests[i]) ? 1u : 0u;
        }
        const double took = processor_seconds() - began;
        return hits <= t.requests.size() ? took : 0; // the hits are used
    };
    return c;
}

} // namespace

const std::vector<contender>& contenders() {
    static const std::vector<contender> all{with<fifo>("fifo"),
                                            with<lru>("lru"),
                                            with<clock>("clock"),
                                            with<sieve>("sieve"),
                                            with("s3_fifo_1", s3_fifo{{10, 1, 90}}),
                                            with<s3_fifo>("s3_fifo"),
                                            with<clock2q_plus>("clock2q_plus"),
                                            with<probation_clock>("probation_clock"),
                                            with("probation_clock_5", probation_clock{{5, 90}}),
                                            with("probation_clock_g50", probation_clock{{10, 50}})};
    return all;
}

} // namespace pagefold::replay
