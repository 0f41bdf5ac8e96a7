// SPDX-License-Identifier: MIT
#include "batch_figures.hpp"

#include "contender.hpp"
#include "interruption.hpp"

#include "../support/random_stream.hpp"

#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// 64 operations one by one, and 64 others as a batch, in turn: what a neighbour does to the caches it does to both. What counts is
// processor time. A round's figure is the ratio of the two sums, of which the slowest quarter of the turns is left out: those in which
// somebody else had the processor's caches.

namespace pagefold::measure {
namespace of_batch { // sources are compiled together
namespace {

constexpr std::size_t bytes_a_page = 4096, batch = 64;
using store_type = partitioned_store<default_config>;

void expect(bool right, const char* what) {
    if (!right) {
        throw std::runtime_error(std::string("batch: ") + what);
    }
}

class scene {
public:
    scene(const support::corpus& pages, std::size_t count)
        : pages_{pages}, count_{count}, outs_(batch * bytes_a_page), changed_(bytes_a_page) {
        for (std::size_t i = 0; i < count_; ++i) {
            std::memcpy(changed_.data(), pages_.page(i % pages_.size()), bytes_a_page);
            if (i >= pages_.size()) {
                std::memcpy(changed_.data(), &i, sizeof i); // another page than the last of this kind
            }
            expect(store_.put(key(i), changed_) == status::ok, "a put");
            if (i % 4096 == 0) {
                end_if_interrupted();
            }
        }
    }
    enum class what { gets, runs, puts };
    /// Nanoseconds of an operation alone, and in a batch.
    std::pair<double, double> round(what of, std::size_t turns) {
        std::vector<double> alone, together;
        for (std::size_t t = 0; t < turns; ++t) {
            choose(of);
            alone.push_back(of == what::puts ? put_alone() : get_alone());
            choose(of);
            together.push_back(of == what::puts ? put_together() : get_together());
            end_if_interrupted();
        }
        return {mean(alone), mean(together)};
    }

private:
    [[nodiscard]] page_key key(std::size_t i) const { return {pool_, 1, i}; }
    [[nodiscard]] byte_span out(std::size_t i) { return {outs_.data() + i * bytes_a_page, bytes_a_page}; }
    [[nodiscard]] byte_view page(std::size_t i) const { return {pages_.page(i % pages_.size()), bytes_a_page}; }
    void choose(what of) {
        const std::size_t first = random_.below(count_ - batch);
        for (std::size_t i = 0; i < batch; ++i) {
            chosen_[i] = of == what::runs ? first + i : random_.below(count_);
        }
    }
    double get_alone() {
        const std::uint64_t begun = thread_ns();
        for (std::size_t i = 0; i < batch; ++i) {
            expect(store_.get(key(chosen_[i]), out(i)) == status::ok, "a get");
        }
        return static_cast<double>(thread_ns() - begun) / batch;
    }
    double get_together() {
        page_request requests[batch];
        const std::uint64_t begun = thread_ns();
        for (std::size_t i = 0; i < batch; ++i) {
            requests[i] = {key(chosen_[i]), out(i)};
        }
        store_.get_many(requests, batch);
        for (const page_request& one : requests) {
            expect(one.outcome == status::ok, "a get");
        }
        return static_cast<double>(thread_ns() - begun) / batch;
    }
    double put_alone() {
        const std::uint64_t begun = thread_ns();
        for (std::size_t i = 0; i < batch; ++i) {
            expect(store_.put(key(chosen_[i]), page(chosen_[i] * 31)) == status::ok, "a put");
        }
        return static_cast<double>(thread_ns() - begun) / batch;
    }
    double put_together() {
        put_request requests[batch];
        const std::uint64_t begun = thread_ns();
        for (std::size_t i = 0; i < batch; ++i) {
            requests[i] = {key(chosen_[i]), page(chosen_[i] * 31)};
        }
        store_.put_many(requests, batch);
        for (const put_request& one : requests) {
            expect(one.outcome == status::ok, "a put");
        }
        return static_cast<double>(thread_ns() - begun) / batch;
    }
    [[nodiscard]] static double mean(std::vector<double>& of) {
        std::sort(of.begin(), of.end());
        const std::size_t most = of.size() - of.size() / 4;
        double sum = 0;
        for (std::size_t i = 0; i < most; ++i) {
            sum += of[i];
        }
        return sum / static_cast<double>(most);
    }

    const support::corpus& pages_;
    std::size_t count_;
    support::random_stream random_{5};
    std::size_t chosen_[batch]{};
    std::vector<std::byte> outs_, changed_;
    mmap_source<> source_;
    store_type store_{source_, {.seed = 3}};
    pool_id pool_ = store_.create_pool().value();
};

void measure(scene& one, unsigned rounds, std::size_t turns, const std::string& suffix, figures& out) {
    for (unsigned round = 0; round < rounds; ++round) {
        for (const auto& [of, name, share] : {std::tuple{scene::what::gets, "get", std::size_t{1}},
                                              std::tuple{scene::what::runs, "get_run", std::size_t{1}},
                                              std::tuple{scene::what::puts, "put", std::size_t{4}}}) {
            const auto [alone, together] = one.round(of, turns / share);
            out.add("batch." + std::string(name) + "_64_over_single" + suffix, together / alone);
            out.add_context("batch." + std::string(name) + "_single_cpu_ns" + suffix, alone);
            out.add_context("batch." + std::string(name) + "_64_cpu_ns" + suffix, together);
        }
    }
}

} // namespace
} // namespace of_batch

void measure_batch(const support::corpus& pages, unsigned rounds, bool is_quick, bool is_full, figures& out) {
    using namespace of_batch;
    const std::size_t turns = is_quick ? 200 : 800;
    {
        scene one{pages, 50'000};
        measure(one, rounds, turns, "", out);
    }
    if (is_full) {
        scene one{pages, 3'000'000};
        measure(one, rounds, turns, "_3m", out);
    }
}

} // namespace pagefold::measure
