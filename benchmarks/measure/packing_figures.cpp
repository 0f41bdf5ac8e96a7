// SPDX-License-Identifier: MIT
#include "packing_figures.hpp"

#include "interruption.hpp"

#include "../support/random_stream.hpp"

#include <pagefold/alloc/tlsf.hpp>
#include <pagefold/alloc/xv.hpp>
#include <pagefold/alloc/zs.hpp>
#include <pagefold/compress/chain.hpp>
#include <pagefold/compress/lz4.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/platform/null_lock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pagefold::measure {
namespace {

struct zs_config : default_config {
    using compressor_type = chain<lz4>;
    using lock_type = null_lock;
};
struct xv_config : zs_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = xv<Source, PageSize>;
};
struct tlsf_config : zs_config {
    template <class Source, std::size_t PageSize>
    using allocator_type = tlsf<Source, PageSize>;
};
template <unsigned Candidates>
struct sparse_config : zs_config {
    static constexpr unsigned sparse_candidates = Candidates;
};

/// A store with one pool of droppable pages, which come and go in a random order.
template <class Config>
class packed_store {
public:
    explicit packed_store(std::vector<const std::byte*> pages, std::size_t limit = ~std::size_t{0})
        : pages_{std::move(pages)}, store_{source_, {limit, 1}} {
        pool_options droppable;
        droppable.kind = pool_kind::ephemeral;
        pool_ = store_.create_pool(droppable).value_or(pool_id{});
    }

    /// Puts every one of `count` pages, in a random order.
    void put_all(std::size_t count) {
        for (const std::uint32_t i : random_.permutation(count)) {
            put(i);
        }
    }
    /// Puts `times` random ones of them.
    void put_some(std::size_t count, std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) {
            put(random_.below(count));
        }
    }
    [[nodiscard]] bool get(std::size_t i) {
        std::array<std::byte, Config::page_size> out;
        return store_.get(key(i), out) == status::ok;
    }
    /// A random one of `count`: nine times of ten, of the first quarter.
    [[nodiscard]] std::size_t skewed(std::size_t count) {
        return random_.below(10) != 0 ? random_.below(count / 4) : random_.below(count);
    }

    void halve() {
        const std::size_t limit = source_.acquired_bytes() / 2;
        status done = status::busy;
        while (done == status::busy) {
            done = store_.resize(limit);
            end_if_interrupted();
        }
        expect(done == status::ok, "resize");
    }
    void compact() {
        while (store_.compact(~std::size_t{0}) != 0) {
            end_if_interrupted();
        }
        expect(store_.check(), "check");
    }

    [[nodiscard]] std::size_t refused() const noexcept { return refused_; }
    [[nodiscard]] store_stats stats() const { return store_.stats(); }
    [[nodiscard]] double streams_over_total() const {
        const store_stats now = stats();
        return static_cast<double>(now.compr_data_size) / static_cast<double>(now.total_bytes);
    }

private:
    static constexpr std::uint64_t object_pages = 4096;

    [[nodiscard]] page_key key(std::uint64_t i) const { return {pool_, i / object_pages, i % object_pages}; }
    void put(std::size_t i) {
        // Another content than that before it: overwritten, a page has another size.
        const std::byte* const content = pages_[(i + 7919 * puts_++) % pages_.size()];
        refused_ += store_.put(key(i), {content, Config::page_size}) != status::ok ? 1 : 0;
        if (puts_ % 4096 == 0) {
            end_if_interrupted();
        }
    }
    static void expect(bool right, const char* what) {
        if (!right) {
            throw std::runtime_error(std::string("packing: ") + what);
        }
    }

    support::random_stream random_{3};
    std::vector<const std::byte*> pages_;
    std::size_t puts_ = 0;
    std::size_t refused_ = 0;
    mmap_source<> source_;
    page_store<Config> store_;
    pool_id pool_{};
};

/// Streams over all that the store took, every page overwritten twice; after that, halved and compacted, the reverse.
template <class Config>
void measure_allocator(const support::corpus& pages, std::size_t most, const std::string& name, figures& out) {
    for (const std::size_t count : {std::size_t{2000}, pages.pages().size(), most}) {
        packed_store<Config> store{pages.pages()};
        for (unsigned i = 0; i < 3; ++i) {
            store.put_all(count);
        }
        const std::string key = "packing." + name + "_" + std::to_string(count);
        out.add_context(key + "_streams_over_total", store.streams_over_total());
        if (count == most) {
            store.halve();
            store.compact();
            out.add_context(key + "_halved_total_over_streams", 1 / store.streams_over_total());
        }
    }
}

/// Streams over the limit of a full store, under puts of random pages out of four times as many as fit. The least always.
void measure_full_stores(const support::corpus& pages, std::size_t most, figures& out) {
    for (const std::size_t mib : {4u, 16u, 40u}) {
        const std::size_t limit = mib << 20, fitting = limit / 2048;
        if (mib != 4 && 4 * fitting > most) {
            continue;
        }
        packed_store<zs_config> store{pages.pages(), limit};
        store.put_some(4 * fitting, 40 * fitting);
        const std::string key = "packing.full_" + std::to_string(mib) + "_mib";
        out.add_context(key, static_cast<double>(store.stats().compr_data_size) / static_cast<double>(limit));
        out.add_context(key + "_refused", static_cast<double>(store.refused()));
    }
}

/// Halving a store of which a quarter takes most of the gets: pages that compaction gave back, and the hits afterwards.
template <unsigned Candidates>
void measure_sparse(const support::corpus& pages, std::size_t count, figures& out) {
    packed_store<sparse_config<Candidates>> store{pages.pages()};
    store.put_all(count);
    for (std::size_t i = 0; i < count; ++i) {
        static_cast<void>(store.get(store.skewed(count)));
    }
    store.halve();
    const std::string key = "packing.sparse_" + std::to_string(Candidates);
    out.add_context(key + "_pages_compacted", static_cast<double>(store.stats().pages_compacted));
    std::size_t hits = 0;
    for (std::size_t i = 0; i < count; ++i) {
        hits += store.get(store.skewed(count)) ? 1 : 0;
    }
    out.add_context(key + "_hits", static_cast<double>(hits) / static_cast<double>(count));
}

/// A source whose pages have any size.
class sized_source {
public:
    explicit sized_source(std::size_t page_size) : page_size_{page_size} {}

    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }
    result<void*> acquire(std::size_t pages, node_id) noexcept {
        void* const p = std::aligned_alloc(page_size_, pages * page_size_);
        return p != nullptr ? result<void*>{p} : result<void*>{status::no_memory};
    }
    void release(void* p, std::size_t) noexcept { std::free(p); }

private:
    std::size_t page_size_;
};

/// What a store of 4 KiB pages takes of larger ones: MiB when it is filled, after each page was overwritten twice, after a
/// random half was erased and what is left compacted, and the same with a tenth of that.
void measure_large_pages(const support::corpus& pages, figures& out) {
    const std::vector<const std::byte*> content = pages.pages();
    for (const std::size_t kib : {4u, 16u, 64u}) {
        sized_source source{kib << 10};
        page_store<default_config> store{source, {.seed = 3}};
        const pool_id pool = store.create_pool().value();
        support::random_stream random{1};
        const std::string key = "packing.pages_of_" + std::to_string(kib) + "_kib_";
        const auto put = [&](std::size_t i, std::size_t what) {
            if (store.put({pool, 0, i}, {content[what], default_config::page_size}) != status::ok) {
                throw std::runtime_error("packing: a put failed");
            }
        };
        const auto show = [&](const char* when) {
            out.add_context(key + when + "_mib", static_cast<double>(store.stats().total_bytes) / (1 << 20));
            end_if_interrupted();
        };
        const auto keep_one_in = [&](unsigned n) {
            for (std::size_t i = 0; i < content.size(); ++i) {
                if (random.below(n) != 0) {
                    static_cast<void>(store.erase({pool, 0, i}));
                }
            }
            while (store.compact(~std::size_t{0}) != 0) {
            }
        };
        for (std::size_t i = 0; i < content.size(); ++i) {
            put(i, i);
        }
        show("filled");
        for (std::size_t i = 0; i < 2 * content.size(); ++i) {
            put(random.below(content.size()), random.below(content.size()));
        }
        show("churned");
        keep_one_in(2);
        show("halved");
        keep_one_in(10);
        show("a_tenth_left");
    }
}

} // namespace

void measure_packing(const support::corpus& pages, std::size_t stored_pages, figures& out) {
    measure_allocator<zs_config>(pages, stored_pages, "zs", out);
    measure_allocator<xv_config>(pages, stored_pages, "xv", out);
    measure_allocator<tlsf_config>(pages, stored_pages, "tlsf", out);
    measure_full_stores(pages, stored_pages, out);
    measure_sparse<0>(pages, stored_pages, out);
    measure_sparse<2>(pages, stored_pages, out);
    measure_sparse<4>(pages, stored_pages, out);
    measure_large_pages(pages, out);
}

} // namespace pagefold::measure
