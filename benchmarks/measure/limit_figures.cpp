// SPDX-License-Identifier: MIT
#include "contender.hpp"
#include "interruption.hpp"
#include "peers.hpp"
#include "pressure_figures.hpp"
#include "store_peer.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/evict/clock.hpp>
#include <pagefold/evict/fifo.hpp>
#include <pagefold/evict/lru.hpp>
#include <pagefold/evict/probation_clock.hpp>
#include <pagefold/evict/s3_fifo.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::measure {
namespace {

/// The pages that puts are made of, and how often a key comes: four of five puts go to a fifth of the keys.
class skewed_puts {
public:
    struct one {
        std::uint32_t key;
        std::uint32_t page;
    };

    skewed_puts(std::vector<const std::byte*> pages, std::size_t keys)
        : pages_{std::move(pages)}, keys_{random_.permutation(keys)} {}

    [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }
    [[nodiscard]] const std::byte* page(std::size_t i) const noexcept { return pages_[i]; }

    /// Every key once, in random order.
    [[nodiscard]] std::vector<one> all() {
        std::vector<one> puts;
        for (const std::uint32_t key : random_.permutation(keys())) {
            puts.push_back({key, next_page()});
        }
        return puts;
    }
    [[nodiscard]] std::vector<one> draw(std::size_t count) {
        std::vector<one> puts;
        puts.reserve(count);
        const std::size_t fifth = (keys() + 4) / 5;
        while (puts.size() < count) {
            const bool is_hot = random_.below(5) != 0;
            puts.push_back({keys_[random_.below(is_hot ? fifth : keys())], next_page()});
        }
        return puts;
    }

private:
    [[nodiscard]] std::uint32_t next_page() { return static_cast<std::uint32_t>(random_.below(pages_.size())); }

    support::random_stream random_{5};
    std::vector<const std::byte*> pages_;
    std::vector<std::uint32_t> keys_; // those that come often first
};

/// A store of droppable pages, and what its puts took.
template <class Config>
class droppable_store {
public:
    droppable_store(std::string name, std::size_t keys, std::size_t limit_bytes)
        : name_{std::move(name)}, last_put_(keys), peer_{{.limit_bytes = limit_bytes}, pool_kind::ephemeral} {}

    /// Times each by itself. A put that is refused ends the program: there is always something to drop.
    void put(const skewed_puts& work, const std::vector<skewed_puts::one>& puts) {
        std::uint64_t before = thread_ns();
        for (const auto& [key, page] : puts) {
            if (!peer_.put(key, work.page(page))) [[unlikely]] {
                throw wrong_outcome(name_, "put", key);
            }
            last_put_[key] = page;
            const std::uint64_t after = thread_ns();
            latencies_.record(after - before);
            before = after;
        }
    }

    /// Compares all that is stored with what was put last.
    void verify(const skewed_puts& work) {
        alignas(page_bytes) std::byte out[page_bytes];
        std::size_t found = 0;
        for (std::size_t key = 0; key < last_put_.size(); ++key) {
            if (peer_.get(key, out)) {
                ++found;
                if (std::memcmp(out, work.page(last_put_[key]), page_bytes) != 0) {
                    throw wrong_outcome(name_, "get", key);
                }
            }
        }
        if (found != peer_.stats().stored_pages) {
            throw std::logic_error(name_ + ": not all that is stored can be read");
        }
    }

    [[nodiscard]] store_stats stats() const { return peer_.stats(); }
    /// What was put since the last call.
    [[nodiscard]] support::latency_histogram finish() { return std::exchange(latencies_, {}); }

private:
    std::string name_;
    std::vector<std::uint32_t> last_put_;
    store_peer<page_store<Config>> peer_;
    support::latency_histogram latencies_;
};

/// A put into a full store over one into a store without a limit.
struct limit_ratios {
    double p99;
    double p999;
};

/// A store without a limit, and one of the same eviction policy that has room for a quarter of the keys.
class limit_trial {
public:
    limit_trial() = default;
    virtual ~limit_trial() = default;
    limit_trial(const limit_trial&) = delete;
    limit_trial& operator=(const limit_trial&) = delete;

    /// Both stores get these puts.
    virtual void turn(const skewed_puts& work, const std::vector<skewed_puts::one>& puts) = 0;
    /// Of the turns since the last call.
    virtual limit_ratios finish(figures& out) = 0;
    virtual void verify(const skewed_puts& work) = 0;
};

template <class Config>
class limit_trial_of final : public limit_trial {
public:
    limit_trial_of(const std::string& policy, skewed_puts& work) : where_{"limit." + policy + ".put_"} {
        const std::vector<skewed_puts::one> load = work.all();
        idle_.emplace(policy + " without a limit", work.keys(), std::numeric_limits<std::size_t>::max());
        idle_->put(work, load);
        full_.emplace(policy, work.keys(), idle_->stats().total_bytes / keys_a_place);
        full_->put(work, load);
        // Until what is stored is what the policy keeps.
        const std::vector<skewed_puts::one> settling = work.draw(work.keys() / 2);
        full_->put(work, settling);
        static_cast<void>(idle_->finish());
        static_cast<void>(full_->finish());
        evicted_ = full_->stats().evicted_pages;
    }

    void turn(const skewed_puts& work, const std::vector<skewed_puts::one>& puts) override {
        idle_->put(work, puts);
        full_->put(work, puts);
    }

    limit_ratios finish(figures& out) override {
        const support::latency_histogram idle = idle_->finish();
        const support::latency_histogram full = full_->finish();
        add_latencies(idle, "_idle", out);
        add_latencies(full, "_full", out);
        const store_stats stats = full_->stats();
        out.add_context(where_ + "evictions_a_put",
                        static_cast<double>(stats.evicted_pages - evicted_) / static_cast<double>(full.count()));
        evicted_ = stats.evicted_pages;
        return {full.percentile(99) / idle.percentile(99), full.percentile(99.9) / idle.percentile(99.9)};
    }

    void verify(const skewed_puts& work) override {
        idle_->verify(work);
        full_->verify(work);
    }

private:
    static constexpr std::size_t keys_a_place = 4;

    void add_latencies(const support::latency_histogram& found, const char* when, figures& out) const {
        out.add_context(where_ + "p50_ns" + when, found.percentile(50));
        out.add_context(where_ + "p99_ns" + when, found.percentile(99));
        out.add_context(where_ + "p999_ns" + when, found.percentile(99.9));
        out.add_context(where_ + "worst_ns" + when, static_cast<double>(found.max()));
    }

    std::string where_;
    std::optional<droppable_store<Config>> idle_;
    std::optional<droppable_store<Config>> full_;
    std::uint64_t evicted_ = 0;
};

template <class Policy>
struct evicting_config : default_config {
    using eviction_type = Policy;
};

/// All policies, taking turns.
class limit_contest {
public:
    limit_contest(const support::corpus& pages, std::size_t keys) : work_{pages.pages(), keys} {
        add<clock>("clock");
        add<fifo>("fifo");
        add<lru>("lru");
        add<probation_clock>("probation_clock");
        add<s3_fifo>("s3_fifo");
    }

    void round(std::size_t puts, figures& out) {
        for (std::size_t done = 0; done < puts; done += turn, ++turns_) {
            end_if_interrupted();
            const std::vector<skewed_puts::one> drawn = work_.draw(turn);
            for (std::size_t i = 0; i < trials_.size(); ++i) {
                trials_[(i + turns_) % trials_.size()]->turn(work_, drawn);
            }
        }
        limit_ratios worst{};
        for (const auto& one : trials_) {
            const limit_ratios found = one->finish(out);
            worst = {std::max(worst.p99, found.p99), std::max(worst.p999, found.p999)};
        }
        out.add("store.limit_put_p99_over_idle", worst.p99);
        out.add("store.limit_put_p999_over_idle", worst.p999);
    }

    void verify() {
        for (const auto& one : trials_) {
            one->verify(work_);
        }
    }

private:
    static constexpr std::size_t turn = 1024; // some milliseconds, as in the contest of whole passes

    template <class Policy>
    void add(const char* name) {
        trials_.push_back(std::make_unique<limit_trial_of<evicting_config<Policy>>>(name, work_));
        end_if_interrupted();
    }

    skewed_puts work_;
    std::vector<std::unique_ptr<limit_trial>> trials_;
    std::size_t turns_ = 0;
};

} // namespace

void measure_limits(const support::corpus& pages, const pressure_options& options, figures& out) {
    limit_contest contest{pages, options.is_quick ? options.objects / 2 : options.objects};
    for (unsigned i = 0; i < options.rounds; ++i) {
        contest.round(options.is_quick ? 30'000 : 60'000, out);
    }
    contest.verify();
}

} // namespace pagefold::measure
