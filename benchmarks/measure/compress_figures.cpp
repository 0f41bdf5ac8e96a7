// SPDX-License-Identifier: MIT
#include "compress_figures.hpp"

#include "codec_trials.hpp"
#include "contender.hpp"
#include "interruption.hpp"
#include "processors.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>

namespace pagefold::measure {
namespace {

/// What a codec took for some pages, in one round.
struct effort {
    double bytes = 0;
    double kept_bytes = 0; ///< as a store would account: a page that does not shrink counts whole
    double compress_ns = 0;
    double decompress_ns = 0;

    effort& operator+=(const effort& other) {
        bytes += other.bytes;
        kept_bytes += other.kept_bytes;
        compress_ns += other.compress_ns;
        decompress_ns += other.decompress_ns;
        return *this;
    }
    [[nodiscard]] double ratio() const { return bytes / kept_bytes; }
};

/// A codec's effort over that of the base, for the same pages: how many times better.
struct advantage {
    double ratio;
    double compress_speed;
    double decompress_speed;
};

advantage over_base(const effort& one, const effort& base) {
    return {base.kept_bytes / one.kept_bytes, base.compress_ns / one.compress_ns,
            base.decompress_ns / one.decompress_ns};
}

/// Consecutive pages of one class, same-filled ones left out: stores keep those without any codec.
struct class_of_batches {
    std::string name;
    bool is_process_memory;
    std::vector<page_batch> batches;
};

bool is_same_filled(const std::byte* page, std::size_t size) {
    return std::memcmp(page, page + sizeof(std::uint64_t), size - sizeof(std::uint64_t)) == 0;
}

constexpr std::size_t batch_bytes = 256 * 1024; // with its streams and copies within the second-level cache

/// Every `step`-th batch of each class.
std::vector<class_of_batches> batches_of(const support::corpus& pages, std::size_t page_size, std::size_t step) {
    const std::size_t group = page_size / support::corpus::page_bytes;
    std::vector<class_of_batches> classes;
    for (const support::page_class& one : pages.classes()) {
        std::vector<page_batch> batches;
        for (std::size_t i = 0; i + group <= one.count; i += group) {
            const std::byte* const page = pages.page(one.first + i);
            if (is_same_filled(page, page_size)) {
                continue;
            }
            if (batches.empty() || batches.back().pages.size() == batch_bytes / page_size) {
                batches.push_back({{}, page_size});
            }
            batches.back().pages.push_back(page);
        }
        std::vector<page_batch> chosen;
        for (std::size_t i = 0; i < batches.size(); i += step) {
            chosen.push_back(std::move(batches[i]));
        }
        if (!chosen.empty()) {
            classes.push_back({one.name, one.is_process_memory(), std::move(chosen)});
        }
    }
    return classes;
}

/// Codecs taking turns on the same batches.
class codec_contest {
public:
    codec_contest(codec_trials trials, std::vector<class_of_batches> classes, std::size_t page_size)
        : trials_{std::move(trials)}, classes_{std::move(classes)}, bench_{batch_bytes / page_size, page_size,
                                                                           largest_stream(page_size)} {}

    [[nodiscard]] const codec_trials& trials() const noexcept { return trials_; }
    [[nodiscard]] const std::vector<class_of_batches>& classes() const noexcept { return classes_; }

    /// Every codec on every page. In the first round each page that comes back is compared.
    void round() {
        efforts_.assign(trials_.size(), std::vector<effort>(classes_.size()));
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            for (const page_batch& batch : classes_[k].batches) {
                end_if_interrupted();
                touch(batch);
                for (std::size_t i = 0; i < trials_.size(); ++i) {
                    const std::size_t t = (i + turns_) % trials_.size();
                    run(*trials_[t], batch, efforts_[t][k]);
                }
                ++turns_;
            }
        }
        is_first_ = false;
    }

    /// In the last round.
    [[nodiscard]] const effort& in_class(std::size_t trial, std::size_t k) const { return efforts_[trial][k]; }
    [[nodiscard]] effort in_all(std::size_t trial, bool only_process_memory = false) const {
        effort sum;
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            if (classes_[k].is_process_memory || !only_process_memory) {
                sum += efforts_[trial][k];
            }
        }
        return sum;
    }
    [[nodiscard]] bool has_process_memory() const {
        return std::any_of(classes_.begin(), classes_.end(),
                           [](const class_of_batches& one) { return one.is_process_memory; });
    }

private:
    [[nodiscard]] std::size_t largest_stream(std::size_t page_size) const {
        std::size_t most = page_size;
        for (const auto& one : trials_) {
            most = std::max(most, one->bound(page_size));
        }
        return most;
    }

    // So that the first codec finds a batch no colder than the others.
    static void touch(const page_batch& batch) {
        for (const std::byte* page : batch.pages) {
            for (std::size_t at = 0; at < batch.page_size; at += 64) {
                static_cast<void>(*static_cast<const volatile std::byte*>(page + at));
            }
        }
    }

    void run(codec_trial& trial, const page_batch& batch, effort& sum) {
        const std::uint64_t start = thread_ns();
        trial.compress(batch, bench_);
        const std::uint64_t middle = thread_ns();
        trial.decompress(batch, bench_);
        const std::uint64_t end = thread_ns();
        sum.compress_ns += static_cast<double>(middle - start);
        sum.decompress_ns += static_cast<double>(end - middle);
        for (std::size_t i = 0; i < batch.pages.size(); ++i) {
            sum.kept_bytes += static_cast<double>(bench_.size(i));
            if (is_first_ && std::memcmp(bench_.page(i).data(), batch.pages[i], batch.page_size) != 0) {
                throw wrong_outcome(trial.names().name, "decompression", i);
            }
        }
        sum.bytes += static_cast<double>(batch.pages.size() * batch.page_size);
    }

    codec_trials trials_;
    std::vector<class_of_batches> classes_;
    workbench bench_;
    std::vector<std::vector<effort>> efforts_;
    std::size_t turns_ = 0;
    bool is_first_ = true;
};

/// The values of all rounds for the plot.
struct plotted_point {
    std::vector<advantage> all;
    std::vector<advantage> process_memory;
};

double median_of(const std::vector<advantage>& rounds, double advantage::*member) {
    std::vector<double> values;
    for (const advantage& one : rounds) {
        values.push_back(one.*member);
    }
    return median(std::move(values));
}

/// 4 KiB pages: all codecs, levels and paths.
class usual_pages {
public:
    usual_pages(const support::corpus& pages, std::size_t step, figures& out)
        : out_{out}, contest_{all_codecs(out), batches_of(pages, page_size, step), page_size},
          points_(contest_.trials().size()) {}

    void round() {
        contest_.round();
        for (std::size_t t = 0; t < contest_.trials().size(); ++t) {
            add_absolute_values(t);
            points_[t].all.push_back(over_base(contest_.in_all(t), contest_.in_all(0)));
            if (contest_.has_process_memory()) {
                points_[t].process_memory.push_back(over_base(contest_.in_all(t, true), contest_.in_all(0, true)));
            }
            if (t != 0) {
                add_ratios(t);
            }
        }
    }

    void write_points(const std::filesystem::path& file) const {
        std::ofstream out(file);
        out << "family\tlabel\tratio\tcompress_speed\tdecompress_speed\tratio_anon\tcompress_speed_anon\t"
               "decompress_speed_anon\n";
        for (std::size_t t = 0; t < points_.size(); ++t) {
            const trial_names& names = contest_.trials()[t]->names();
            out << names.family << '\t' << names.label;
            write_values(out, points_[t].all, contest_.in_all(0));
            write_values(out, points_[t].process_memory, contest_.in_all(0, true));
            out << '\n';
        }
        if (!out.flush()) {
            throw std::runtime_error("cannot write " + file.string());
        }
    }

private:
    static constexpr std::size_t page_size = support::corpus::page_bytes;

    static void write_values(std::ofstream& out, const std::vector<advantage>& rounds, const effort& base) {
        if (rounds.empty()) {
            out << "\tnan\tnan\tnan";
            return;
        }
        out << '\t' << median_of(rounds, &advantage::ratio) * base.ratio() << '\t'
            << median_of(rounds, &advantage::compress_speed) << '\t' << median_of(rounds, &advantage::decompress_speed);
    }

    void add_absolute_values(std::size_t t) {
        const std::string prefix = "codec." + contest_.trials()[t]->names().name + ".";
        const effort all = contest_.in_all(t);
        out_.add_context(prefix + "ratio", all.ratio());
        if (contest_.has_process_memory()) {
            out_.add_context(prefix + "ratio_anon", contest_.in_all(t, true).ratio());
        }
        out_.add_context(prefix + "compress_gb_per_s", all.bytes / all.compress_ns);
        out_.add_context(prefix + "decompress_gb_per_s", all.bytes / all.decompress_ns);
    }

    void add_ratios(std::size_t t) {
        add(t, points_[t].all.back(), "", names(t).counts);
        if (contest_.has_process_memory()) {
            add(t, points_[t].process_memory.back(), "_anon", names(t).counts);
        }
        if (names(t).by_class) {
            add_classes(t);
        }
    }

    void add_classes(std::size_t t) {
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t k = 0; k < contest_.classes().size(); ++k) {
            const advantage one = over_base(contest_.in_class(t, k), contest_.in_class(0, k));
            const std::string group = "." + contest_.classes()[k].name;
            add_one(t, "ratio_over_lz4", group, one.ratio, names(t).counts);
            add_one(t, "compress_speed_over_lz4", group, one.compress_speed, false);
            add_one(t, "decompress_speed_over_lz4", group, one.decompress_speed, false);
            least = std::min(least, one.ratio);
        }
        add_one(t, "least_class_ratio_over_lz4", "", least, names(t).counts);
    }

    void add(std::size_t t, const advantage& one, const std::string& group, bool counts) {
        if (names(t).has_ratio) {
            add_one(t, "ratio_over_lz4", group, one.ratio, counts);
        }
        add_one(t, "compress_speed_over_lz4", group, one.compress_speed, counts);
        add_one(t, "decompress_speed_over_lz4", group, one.decompress_speed, counts);
    }

    void add_one(std::size_t t, const std::string& figure, const std::string& group, double value, bool counts) {
        const std::string key = names(t).prefix + figure + names(t).suffix + group;
        if (counts) {
            out_.add(key, value);
        } else {
            out_.add_context(key, value);
        }
    }

    [[nodiscard]] const trial_names& names(std::size_t t) const { return contest_.trials()[t]->names(); }

    figures& out_;
    codec_contest contest_;
    std::vector<plotted_point> points_;
};

/// Larger pages: do they gain on themselves at 4 KiB, and how does LZ4?
class larger_pages {
public:
    larger_pages(const support::corpus& pages, std::size_t page_size, std::size_t step, figures& out)
        : out_{out}, size_{"." + std::to_string(page_size / 1024) + "_kib"}, contest_{
                                                                                 codecs_of_larger_pages(page_size),
                                                                                 batches_of(pages, page_size, step),
                                                                                 page_size} {}

    void round() {
        if (contest_.classes().empty()) {
            return;
        }
        contest_.round();
        for (std::size_t t = 0; t < contest_.trials().size(); ++t) {
            add(t, "", contest_.in_all(t), contest_.in_all(0));
            if (contest_.has_process_memory()) {
                add(t, "_anon", contest_.in_all(t, true), contest_.in_all(0, true));
            }
        }
    }

private:
    void add(std::size_t t, const std::string& group, const effort& one, const effort& base) {
        const trial_names& names = contest_.trials()[t]->names();
        const std::string codec = "codec." + names.name + size_;
        out_.add_context(codec + ".ratio" + group, one.ratio());
        if (t != 0) {
            const advantage better = over_base(one, base);
            out_.add_context(codec + ".ratio_over_lz4" + group, better.ratio);
            out_.add_context(codec + ".compress_speed_over_lz4" + group, better.compress_speed);
            out_.add_context(codec + ".decompress_speed_over_lz4" + group, better.decompress_speed);
        }
    }

    figures& out_;
    std::string size_;
    codec_contest contest_;
};

} // namespace

void measure_compress(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out,
                      const std::filesystem::path& plots) {
    // The first processor takes most interrupts.
    pin_to(usable_processors().back());
    const std::size_t step = is_quick ? 4 : 1;
    usual_pages usual(pages, step, out);
    larger_pages of_16_kib(pages, std::size_t{16} << 10, step, out);
    larger_pages of_64_kib(pages, std::size_t{64} << 10, step, out);
    for (unsigned i = 0; i < rounds; ++i) {
        usual.round();
        if (i % 3 == 0) {
            of_16_kib.round();
            of_64_kib.round();
        }
    }
    if (!plots.empty()) {
        std::filesystem::create_directories(plots);
        usual.write_points(plots / "codecs.dat");
    }
}

} // namespace pagefold::measure
