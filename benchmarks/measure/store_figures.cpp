// SPDX-License-Identifier: MIT
#include "store_figures.hpp"

#include "contender.hpp"
#include "interruption.hpp"
#include "peers.hpp"
#include "processors.hpp"
#include "store_peer.hpp"

#if defined(PAGEFOLD_MEASURE_ROCKSDB)
#include "rocksdb_cache.hpp"
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <malloc.h>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>

namespace pagefold::measure {
namespace {

using lz4_store = store_peer<page_store<lz4_config>>;
using default_store = store_peer<page_store<default_config>>;
using shared_store = store_peer<partitioned_store<default_config>>;

/// What one contender took in one round.
struct round_times {
    pass_times put; ///< kops from a pass timed as a whole, percentiles from another
    pass_times get;
};

/// Contenders on the same pages, taking turns.
class contest {
public:
    explicit contest(std::vector<const std::byte*> pages) : work_{std::move(pages)} {}

    template <class Peer>
    void add(
        const std::string& name, Peer& peer, std::function<void()> start_puts = [] {}) {
        contenders_.push_back(std::make_unique<contender_of<Peer>>(name, peer, std::move(start_puts)));
    }

    [[nodiscard]] const workload& work() const noexcept { return work_; }

    /// Overwrites every page of every contender once; the first call is the load.
    std::vector<pass_times> overwrite(timing how = timing::whole) {
        for (const auto& one : contenders_) {
            one->start_puts();
        }
        take_turns(
            [&](contender& one, std::size_t first, std::size_t last) { one.put(work_, passes_, first, last, how); });
        ++passes_;
        return finish();
    }

    void verify() {
        for (const auto& one : contenders_) {
            one->verify(work_, passes_ - 1);
        }
    }

    /// Puts and gets, each once timed as a whole and once one by one.
    std::map<std::string, round_times> round() {
        std::map<std::string, round_times> times;
        for (const timing how : {timing::whole, timing::each}) {
            const std::vector<pass_times> put = overwrite(how);
            take_turns([&](contender& one, std::size_t first, std::size_t last) { one.get(work_, first, last, how); });
            const std::vector<pass_times> get = finish();
            for (std::size_t i = 0; i < contenders_.size(); ++i) {
                round_times& both = times[contenders_[i]->name()];
                merge(both.put, put[i]);
                merge(both.get, get[i]);
            }
        }
        return times;
    }

private:
    // So many operations last some milliseconds: less than most disturbances, more than what a turn costs in caches.
    static constexpr std::size_t turn = 1024;

    template <class Part>
    void take_turns(Part part) {
        for (std::size_t first = 0; first < work_.size(); first += turn, ++turns_) {
            end_if_interrupted();
            for (std::size_t i = 0; i < contenders_.size(); ++i) {
                part(*contenders_[(i + turns_) % contenders_.size()], first, std::min(first + turn, work_.size()));
            }
        }
    }

    std::vector<pass_times> finish() {
        std::vector<pass_times> times;
        for (const auto& one : contenders_) {
            times.push_back(one->finish());
        }
        return times;
    }

    static void merge(pass_times& into, const pass_times& from) {
        into.kops += from.kops;
        into.p50_ns += from.p50_ns;
        into.p99_ns += from.p99_ns;
    }

    workload work_;
    std::vector<std::unique_ptr<contender>> contenders_;
    std::size_t passes_ = 0;
    std::size_t turns_ = 0;
};

void add_context(figures& out, const std::string& where, const std::map<std::string, round_times>& times) {
    for (const auto& [name, one] : times) {
        for (const auto& [operation, pass] : {std::pair{".get_", one.get}, std::pair{".put_", one.put}}) {
            out.add_context(where + name + operation + "p50_ns", pass.p50_ns);
            out.add_context(where + name + operation + "p99_ns", pass.p99_ns);
            out.add_context(where + name + operation + "kops", pass.kops);
        }
    }
}

/// Bytes that malloc has from the system.
double heap_bytes() {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<double>(info.arena + info.hblkhd);
}

double over(std::uint64_t bytes, std::uint64_t other) {
    return static_cast<double>(bytes) / static_cast<double>(other);
}

/// All classes: the store with LZ4 alone beside its peers, and what all of it takes.
class all_classes {
public:
    all_classes(const support::corpus& pages, figures& out) : contest_{pages.pages()}, out_{out} {
        const std::size_t count = pages.size();
        raw_.emplace(count);
        zram_.emplace(count);
        const double heap_before = heap_bytes();
        naive_.emplace();
        contest_.add("raw", *raw_, [this] { raw_->restart(); });
        contest_.add("naive", *naive_);
        contest_.add("store", lz4_);
        contest_.add("default", default_);
        if (has_zram()) {
            contest_.add("zram", *zram_);
        } else {
            out_.note("no zram here, its figures are left out: " + zram_->device().error());
        }

        contest_.overwrite();
        contest_.verify();
        const store_stats loaded = default_.stats();
        out_.add_context("default.metadata_bytes_per_page.corpus", over(loaded.metadata_bytes, loaded.stored_pages));
        contest_.overwrite();
        contest_.overwrite();
        add_footprints(heap_bytes() - heap_before);
#if defined(PAGEFOLD_MEASURE_ROCKSDB)
        // After the footprints, since it shares the heap with the naive map.
        contest_.add("rocksdb", rocksdb_);
        contest_.overwrite();
#else
        out_.note("RocksDB 7 was not there when this was built, its figures are left out");
#endif
    }

    void round() {
        auto times = contest_.round();
        const round_times& raw = times["raw"];
        const round_times& store = times["store"];
        const round_times& naive = times["naive"];
        out_.add("store.get_p50_over_raw_lz4", store.get.p50_ns / raw.get.p50_ns);
        out_.add("store.put_p50_over_raw_lz4", store.put.p50_ns / raw.put.p50_ns);
        out_.add("peer.naive_get_p50_over_raw_lz4", naive.get.p50_ns / raw.get.p50_ns);
        out_.add("peer.naive_put_p50_over_raw_lz4", naive.put.p50_ns / raw.put.p50_ns);
        out_.add("peer.default_get_p50_over_raw_lz4", times["default"].get.p50_ns / raw.get.p50_ns);
        out_.add("peer.default_put_p50_over_raw_lz4", times["default"].put.p50_ns / raw.put.p50_ns);
        if (has_zram()) {
            const round_times& zram = times["zram"];
            out_.add("store.get_kops_over_zram", store.get.kops / zram.get.kops);
            out_.add("store.put_kops_over_zram", store.put.kops / zram.put.kops);
            out_.add("peer.zram_get_p50_over_raw_lz4", zram.get.p50_ns / raw.get.p50_ns);
            out_.add("peer.zram_put_p50_over_raw_lz4", zram.put.p50_ns / raw.put.p50_ns);
            out_.add("peer.raw_get_kops_over_zram", raw.get.kops / zram.get.kops);
            out_.add("peer.raw_put_kops_over_zram", raw.put.kops / zram.put.kops);
            out_.add("peer.naive_get_kops_over_zram", naive.get.kops / zram.get.kops);
            out_.add("peer.naive_put_kops_over_zram", naive.put.kops / zram.put.kops);
        }
        if (const auto found = times.find("rocksdb"); found != times.end()) {
            const round_times& rocksdb = found->second;
            out_.add("peer.rocksdb_get_p50_over_raw_lz4", rocksdb.get.p50_ns / raw.get.p50_ns);
            out_.add("peer.rocksdb_put_p50_over_raw_lz4", rocksdb.put.p50_ns / raw.put.p50_ns);
            if (has_zram()) {
                out_.add("peer.rocksdb_get_kops_over_zram", rocksdb.get.kops / times["zram"].get.kops);
                out_.add("peer.rocksdb_put_kops_over_zram", rocksdb.put.kops / times["zram"].put.kops);
            }
        }
        add_context(out_, "", times);
    }

    void verify() { contest_.verify(); }

private:
    [[nodiscard]] bool has_zram() const { return static_cast<bool>(zram_->device()); }

    void add_footprints(double naive_bytes) {
        const store_stats store = lz4_.stats();
        const store_stats standard = default_.stats();
        out_.add_context("store.total_bytes", static_cast<double>(store.total_bytes));
        out_.add_context("store.mem_used_total", static_cast<double>(store.mem_used_total));
        out_.add_context("store.compr_data_size", static_cast<double>(store.compr_data_size));
        out_.add_context("store.metadata_bytes", static_cast<double>(store.metadata_bytes));
        out_.add_context("default.total_bytes", static_cast<double>(standard.total_bytes));
        if (!has_zram()) {
            return;
        }
        const support::zram_mm_stat zram = zram_->device().statistics();
        const std::uint64_t taken = zram.mem_used_total;
        out_.add_context("zram.mem_used_total", static_cast<double>(taken));
        out_.add_context("zram.compr_data_size", static_cast<double>(zram.compr_data_size));
        out_.add("store.footprint_over_zram", over(store.total_bytes, taken));
        out_.add("store.default_footprint_over_zram", over(standard.total_bytes, taken));
        out_.add("peer.payload_over_zram", over(store.compr_data_size, taken));
        out_.add("peer.naive_footprint_over_zram", naive_bytes / static_cast<double>(taken));
    }

    contest contest_;
    figures& out_;
    std::optional<raw_lz4> raw_;
    std::optional<zram_disk> zram_;
    std::optional<naive_map> naive_;
    lz4_store lz4_;
    default_store default_;
#if defined(PAGEFOLD_MEASURE_ROCKSDB)
    rocksdb_cache rocksdb_{contest_.work().size()};
#endif
};

/// Process memory: the default configuration.
class process_memory {
public:
    process_memory(const support::corpus& pages, figures& out)
        : contest_{pages.process_memory()}, out_{out}, raw_{contest_.work().size()}, zram_{contest_.work().size()} {
        contest_.add("raw", raw_, [this] { raw_.restart(); });
        contest_.add("default", default_);
        if (zram_.device()) {
            contest_.add("zram", zram_);
        }
        contest_.overwrite();
        contest_.overwrite();
        contest_.verify();
    }

    void round() {
        auto times = contest_.round();
        out_.add("store.default_get_p50_over_raw_lz4_anon", times["default"].get.p50_ns / times["raw"].get.p50_ns);
        if (zram_.device()) {
            out_.add("store.default_put_kops_over_zram_anon", times["default"].put.kops / times["zram"].put.kops);
        }
        add_context(out_, "anon.", times);
    }

    void verify() { contest_.verify(); }

private:
    contest contest_;
    figures& out_;
    raw_lz4 raw_;
    zram_disk zram_;
    default_store default_;
};

/// A slice of time in which one thread or two worked.
struct slice {
    double kops = 0; ///< of all threads together, by the clock; 0 when an operation failed
    bool is_disturbed = false;
};

/// Times that another program took the processor from the calling thread.
long times_displaced() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

/// Four gets to one put on random keys, for a given time.
class mixed_load {
public:
    explicit mixed_load(const std::vector<const std::byte*>& pages) : pages_{pages} {}

    template <class Peer>
    void fill(Peer& peer) const {
        for (std::size_t key = 0; key < pages_.size(); ++key) {
            if (!peer.put(key, pages_[key])) {
                throw wrong_outcome("scale", "put", key);
            }
        }
    }

    /// Thread i runs on processors[i] and works on peers[i]; two peers may be the same.
    template <class Peer>
    [[nodiscard]] slice run(const std::vector<Peer*>& peers, const std::vector<int>& processors) const {
        std::atomic<std::size_t> ready{0};
        std::vector<slice> slices(processors.size());
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < processors.size(); ++i) {
            threads.emplace_back([&, i] {
                pin_to(processors[i]);
                ++ready;
                while (ready != processors.size()) {
                }
                slices[i] = work_on(*peers[i], i);
            });
        }
        slice sum;
        bool has_failed = false;
        for (std::size_t i = 0; i < threads.size(); ++i) {
            threads[i].join();
            sum.kops += slices[i].kops;
            sum.is_disturbed |= slices[i].is_disturbed;
            has_failed |= slices[i].kops == 0;
        }
        if (has_failed) {
            throw std::runtime_error("scale: an operation failed");
        }
        end_if_interrupted();
        return sum;
    }

private:
    static constexpr std::uint64_t slice_ns = 8'000'000;

    template <class Peer>
    slice work_on(Peer& peer, std::size_t thread) const {
        alignas(page_bytes) std::byte out[page_bytes];
        const long displaced = times_displaced();
        const std::uint64_t start = support::now_ns();
        std::uint64_t state = start * 2 + thread + 1;
        std::uint64_t end = start;
        std::size_t done = 0;
        for (; end - start < slice_ns; end = support::now_ns()) {
            for (unsigned i = 0; i < 20; ++i, ++done) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                const std::size_t key = (state >> 20) % pages_.size();
                const bool is_put = i % 5 == 0;
                if (!(is_put ? peer.put(key, pages_[(state >> 8) % pages_.size()]) : peer.get(key, out))) [[unlikely]] {
                    return {};
                }
            }
        }
        return {static_cast<double>(done) * 1e6 / static_cast<double>(end - start), times_displaced() != displaced};
    }

    const std::vector<const std::byte*>& pages_;
};

/// Slices of one kind: the median of those in which no other program took a processor, or of all where there are few.
class slice_set {
public:
    void add(const slice& one) { (one.is_disturbed ? disturbed_ : quiet_).push_back(one.kops); }
    [[nodiscard]] std::size_t quiet_count() const noexcept { return quiet_.size(); }
    [[nodiscard]] double kops() const {
        std::vector<double> chosen = quiet_;
        if (chosen.size() < 3) {
            chosen.insert(chosen.end(), disturbed_.begin(), disturbed_.end());
        }
        return median(chosen);
    }

private:
    std::vector<double> quiet_;
    std::vector<double> disturbed_;
};

/// Two threads over one. One thread is measured on either processor, and the slices of all kinds take turns.
class scaling {
public:
    scaling(const support::corpus& pages, const std::vector<int>& processors, unsigned slices, figures& out)
        : pages_{pages.pages()}, load_{pages_}, processors_{processors[0], processors[1]}, slices_{slices}, out_{out},
          raw_{raw_lz4{pages.size(), raw_lz4::layout::fixed}, raw_lz4{pages.size(), raw_lz4::layout::fixed}} {
        load_.fill(store_);
        load_.fill(raw_[0]);
        load_.fill(raw_[1]);
    }

    void round() {
        out_.add("store.scale_2_threads", ratio<shared_store>({&store_, &store_}, "scale.store_"));
        // The codec with nothing shared: what the processors themselves allow.
        out_.add("peer.raw_scale_2_threads", ratio<raw_lz4>({&raw_[0], &raw_[1]}, "scale.raw_"));
    }

private:
    template <class Peer>
    double ratio(const std::vector<Peer*>& peers, const std::string& name) {
        slice_set first;
        slice_set second;
        slice_set both;
        for (unsigned i = 0; i < slices_ * patience && both.quiet_count() < slices_; ++i) {
            first.add(load_.run<Peer>({peers[0]}, {processors_[0]}));
            both.add(load_.run<Peer>(peers, {processors_[0], processors_[1]}));
            second.add(load_.run<Peer>({peers[1]}, {processors_[1]}));
        }
        const double one = (first.kops() + second.kops()) / 2;
        out_.add_context(name + "1_thread_kops", one);
        out_.add_context(name + "2_threads_kops", both.kops());
        out_.add_context(name + "quiet_slices", static_cast<double>(both.quiet_count()));
        return both.kops() / one;
    }

    static constexpr unsigned patience = 4; // times the slices wanted, on a busy machine

    std::vector<const std::byte*> pages_;
    mixed_load load_;
    std::array<int, 2> processors_;
    unsigned slices_;
    figures& out_;
    shared_store store_{{.partitions = 8}};
    std::array<raw_lz4, 2> raw_;
};

/// Pages that shrink to three quarters or less.
std::vector<const std::byte*> compressible_pages(const support::corpus& pages) {
    LZ4_stream_t table;
    std::byte stream[stream_bound];
    std::vector<const std::byte*> chosen;
    for (const std::byte* page : pages.pages()) {
        if (compress_page(table, page, stream) <= page_bytes * 3 / 4) {
            chosen.push_back(page);
        }
    }
    return chosen;
}

void measure_metadata(const support::corpus& pages, figures& out) {
    constexpr std::size_t count = 200'000;
    const std::vector<const std::byte*> chosen = compressible_pages(pages);
    if (chosen.empty()) {
        out.note("no compressible pages in the corpus: store.metadata_* are left out");
        return;
    }
    for (const bool is_sparse : {false, true}) {
        default_store store;
        for (std::size_t i = 0; i < count; ++i) {
            const std::byte* const page = chosen[i % chosen.size()];
            if (!(is_sparse ? store.put_alone(i, page) : store.put(i, page))) {
                throw wrong_outcome("metadata", "put", i);
            }
        }
        const store_stats stats = store.stats();
        out.add(is_sparse ? "store.metadata_bytes_sparse" : "store.metadata_bytes_per_page",
                over(stats.metadata_bytes, stats.stored_pages));
    }
}

} // namespace

void measure_store(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out) {
    const std::vector<int>& processors = usable_processors();
    // The first processor takes most interrupts.
    pin_to(processors.back());
    out.add_context("clock_overhead_ns", static_cast<double>(support::clock_overhead_ns()));

    measure_metadata(pages, out);
    all_classes all(pages, out);
    std::optional<process_memory> anon;
    if (!pages.process_memory().empty()) {
        anon.emplace(pages, out);
    } else {
        out.note("no anon_* classes in the corpus: store.*_anon are left out");
    }
    std::optional<scaling> scale;
    if (processors.size() >= 2) {
        scale.emplace(pages, processors, is_quick ? 5 : 15, out);
    } else {
        out.note("one processor: store.scale_2_threads is left out");
    }
    for (unsigned i = 0; i < rounds; ++i) {
        all.round();
        if (anon) {
            anon->round();
        }
        if (scale) {
            scale->round();
        }
    }
    all.verify();
    if (anon) {
        anon->verify();
    }
}

} // namespace pagefold::measure
