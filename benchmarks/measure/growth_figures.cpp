// SPDX-License-Identifier: MIT
#include "contender.hpp"
#include "interruption.hpp"
#include "peers.hpp"
#include "pressure_figures.hpp"
#include "store_peer.hpp"

#include "../support/latency.hpp"
#include "../support/random_stream.hpp"
#include "../support/text_file.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::measure {
namespace {

/// As many pages as one likes: those of the corpus, and again with two words changed, each time others, so that no two are
/// the same and all shrink as they did. A page of zeros stays one.
class endless_pages {
public:
    explicit endless_pages(std::vector<const std::byte*> pages) : pages_{std::move(pages)} {}

    /// The page's content is good until the next call.
    [[nodiscard]] const std::byte* page(std::size_t i) {
        std::memcpy(words_.data(), pages_[i % pages_.size()], page_bytes);
        if (i >= pages_.size()) {
            support::random_stream random{i};
            change_word(random);
            change_word(random);
        }
        return reinterpret_cast<const std::byte*>(words_.data());
    }

    /// More bytes than the LZ4 streams of the first `count` pages take.
    [[nodiscard]] std::size_t lz4_bytes(std::size_t count) const {
        LZ4_stream_t table;
        std::byte stream[stream_bound];
        std::size_t bytes = 0;
        for (const std::byte* const one : pages_) {
            bytes += static_cast<std::size_t>(std::min(compress_page(table, one, stream) + change_bytes, page_bytes));
        }
        return bytes * (count / pages_.size() + 1);
    }

private:
    // A changed word is literals, which may end one match and begin another.
    static constexpr int change_bytes = 2 * 24;

    void change_word(support::random_stream& random) {
        const std::size_t start = random.below(words_.size());
        for (std::size_t i = 0; i < words_.size(); ++i) {
            std::uint64_t& word = words_[(start + i) % words_.size()];
            if (word != 0) {
                word ^= random.next();
                return;
            }
        }
    }

    std::vector<const std::byte*> pages_;
    alignas(page_bytes) std::array<std::uint64_t, page_bytes / sizeof(std::uint64_t)> words_;
};

/// Something that stores many pages, beside the same with few.
template <class Peer>
class growth {
public:
    /// `make(count)` makes a peer for so many pages.
    template <class Make>
    growth(endless_pages& pages, std::size_t few, std::size_t many, Make make)
        : few_{make(few), few, {}}, many_{make(many), many, {}} {
        fill(few_, pages);
        fill(many_, pages);
    }

    /// p50 of a get from the many over one from the few.
    double round(std::size_t gets, const std::string& name, figures& out) {
        constexpr std::size_t turn = 1024;
        for (std::size_t done = 0; done < gets; done += turn) {
            end_if_interrupted();
            get(few_, turn);
            get(many_, turn);
        }
        const double few = p50(few_);
        const double many = p50(many_);
        out.add_context("growth." + name + "_get_p50_ns_few", few);
        out.add_context("growth." + name + "_get_p50_ns_many", many);
        return many / few;
    }

    void verify(endless_pages& pages, std::size_t count) {
        for (store* const one : {&few_, &many_}) {
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t key = random_.below(one->size);
                if (!one->peer->get(key, out_) || std::memcmp(out_, pages.page(key), page_bytes) != 0) {
                    throw wrong_outcome("growth", "get", key);
                }
            }
        }
    }

private:
    struct store {
        std::unique_ptr<Peer> peer;
        std::size_t size;
        support::latency_histogram latencies;
    };

    static void fill(store& one, endless_pages& pages) {
        for (std::size_t key = 0; key < one.size; ++key) {
            if (!one.peer->put(key, pages.page(key))) {
                throw wrong_outcome("growth", "put", key);
            }
            if (key % 4096 == 0) {
                end_if_interrupted();
            }
        }
    }
    void get(store& one, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t key = random_.below(one.size);
            const std::uint64_t before = support::now_ns();
            const bool is_done = one.peer->get(key, out_);
            one.latencies.record(support::now_ns() - before);
            if (!is_done) [[unlikely]] {
                throw wrong_outcome("growth", "get", key);
            }
        }
    }
    static double p50(store& one) { return std::exchange(one.latencies, {}).percentile(50); }

    support::random_stream random_{3};
    store few_;
    store many_;
    alignas(page_bytes) std::byte out_[page_bytes];
};

/// What this machine has left.
std::size_t available_bytes() {
    constexpr const char* name = "MemAvailable:";
    const std::string text = support::read_text("/proc/meminfo");
    const std::size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + std::strlen(name), nullptr, 10) * 1024;
}

} // namespace

void measure_growth(const support::corpus& corpus, const pressure_options& options, figures& out) {
    const std::size_t many = options.objects * 15;
    const std::size_t few = options.objects / 4;
    const std::size_t gets = options.is_quick ? 50'000 : 200'000;
    const std::size_t samples = std::min<std::size_t>(many, 20'000); // that are compared
    endless_pages pages{corpus.pages()};
    const std::size_t wanted = (pages.lz4_bytes(many) + pages.lz4_bytes(few)) / 8 * 9;
    if (available_bytes() < wanted) {
        out.note("less than " + std::to_string(wanted >> 20) + " MiB available: store.default_get_growth is left out");
        return;
    }
    // One after the other, since each takes some gigabytes.
    {
        using peer = store_peer<page_store<default_config>>;
        growth<peer> own{pages, few, many, [](std::size_t) { return std::make_unique<peer>(); }};
        for (unsigned i = 0; i < options.rounds; ++i) {
            out.add("store.default_get_growth", own.round(gets, "default", out));
        }
        own.verify(pages, samples);
    }
    growth<raw_lz4> raw{pages, few, many,
                        [&](std::size_t count) { return std::make_unique<raw_lz4>(count, pages.lz4_bytes(count)); }};
    for (unsigned i = 0; i < options.rounds; ++i) {
        out.add("peer.raw_get_growth", raw.round(gets, "raw", out));
    }
    raw.verify(pages, samples);
}

} // namespace pagefold::measure
