// SPDX-License-Identifier: MIT
#include "clone_figures.hpp"

#include "clone_images.hpp"
#include "contender.hpp"
#include "interruption.hpp"

#include "../support/huge_buffer.hpp"
#include "../support/random_stream.hpp"
#include "../support/scratch_memory.hpp"

#include <pagefold/compress/lz4.hpp>
#include <pagefold/compress/page_delta.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <memory_resource>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

// The images are memory of a program that works: a heap in one piece of memory, in which a memory resource of the standard
// library places the nodes, strings and buffers of a small database, and files of the corpus that it has read. The template is that
// memory when all is loaded. A clone is the same memory after other work on it, at the same addresses, as a clone of a machine
// has it: entries come, change and go, the table is walked and sorted, files are read again into buffers that were something else.

namespace pagefold::measure {
namespace of_clones { // sources are compiled together
namespace {

constexpr std::size_t bytes_a_page = clone_image::page_bytes, heap_bytes = std::size_t{48} << 20,
                      heap_pages = heap_bytes / bytes_a_page;

struct clone_config : default_config {
    using delta_type = page_delta;
};
using store_type = page_store<clone_config>;

/// A program in a heap of its own.
class program {
public:
    explicit program(const support::corpus& files) : files_{files}, heap_(heap_bytes) {
        state_ = new (arena_.allocate(sizeof(state), alignof(state))) state{&pool_};
        support::random_stream random{1};
        for (std::uint64_t i = 0; i < 40'000; ++i) {
            state_->table.emplace(i * 7 + random.below(7), text(random));
        }
        for (std::size_t i = 0; i < 400; ++i) {
            read_file(random);
        }
    }
    ~program() = default;
    program(const program&) = delete;
    program& operator=(const program&) = delete;

    [[nodiscard]] const std::byte* page(std::size_t i) const { return heap_.data() + i * bytes_a_page; }

    /// So much other work. There is no way back: a clone works in a process of its own.
    void work(std::uint64_t seed, std::size_t operations) {
        support::random_stream random{seed};
        for (std::size_t i = 0; i < operations; ++i) {
            const std::uint64_t key = random.below(280'000);
            switch (random.below(8)) {
            case 0: state_->table.insert_or_assign(key, text(random)); break;
            case 1: state_->table.erase(key); break;
            case 2:
                if (i % 4 == 0) {
                    state_->buffers[random.below(state_->buffers.size())].clear();
                    state_->buffers[random.below(state_->buffers.size())].shrink_to_fit();
                    read_file(random);
                }
                break;
            case 3: // all of one neighbourhood is counted
                for (auto at = state_->table.lower_bound(key); at != state_->table.end() && at->first < key + 20;
                     ++at) {
                    state_->hits += at->second.size();
                }
                break;
            default:
                if (const auto found = state_->table.find(key); found != state_->table.end()) {
                    found->second[0] = static_cast<char>('a' + random.below(26));
                }
                break;
            }
        }
    }

private:
    using string = std::pmr::string;
    struct state {
        explicit state(std::pmr::memory_resource* in) : table{in}, buffers{in} {}
        std::pmr::map<std::uint64_t, string> table;
        std::pmr::vector<std::pmr::vector<std::byte>> buffers;
        std::uint64_t hits = 0;
    };

    [[nodiscard]] string text(support::random_stream& random) {
        const std::byte* const page = files_.page(random.below(files_.size()));
        const std::size_t length = 16 + random.below(200), at = random.below(bytes_a_page - 256);
        return string{reinterpret_cast<const char*>(page) + at, length, &pool_};
    }
    void read_file(support::random_stream& random) {
        const std::vector<support::page_class>& classes = files_.classes();
        const support::page_class& file = classes[random.below(classes.size())];
        const std::size_t length = 1 + random.below(16), first = random.below(file.count);
        std::pmr::vector<std::byte> content(std::min(length, file.count - first) * bytes_a_page, &pool_);
        std::memcpy(content.data(), files_.page(file.first + first), content.size());
        state_->buffers.push_back(std::move(content));
    }

    const support::corpus& files_;
    support::huge_buffer heap_;
    std::pmr::monotonic_buffer_resource arena_{heap_.data(), heap_bytes, std::pmr::null_memory_resource()};
    std::pmr::unsynchronized_pool_resource pool_{{0, 1u << 17}, &arena_};
    state* state_ = nullptr;
};

void expect(bool right, const char* what) {
    if (!right) {
        throw std::runtime_error(std::string("clones: ") + what);
    }
}

/// What the program has after work, in a process that is a copy of this one.
clone_image work_in_a_clone(program& from, const clone_family& of, std::uint64_t seed, std::size_t operations) {
    int ends[2];
    expect(pipe(ends) == 0, "no pipe");
    std::fflush(nullptr);
    const pid_t child = fork();
    expect(child >= 0, "no process");
    if (child == 0) {
        close(ends[0]);
        std::FILE* const to = fdopen(ends[1], "w");
        from.work(seed, operations);
        for (std::size_t i = 0; i < heap_pages; ++i) {
            if (!of.is_equal(i, from.page(i))) {
                std::fwrite(&i, sizeof i, 1, to);
                std::fwrite(from.page(i), bytes_a_page, 1, to);
            }
        }
        std::fclose(to);
        _exit(0);
    }
    close(ends[1]);
    clone_image made;
    {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in{fdopen(ends[0], "r"), std::fclose};
        std::size_t number = 0;
        std::vector<std::byte> page(bytes_a_page);
        while (std::fread(&number, sizeof number, 1, in.get()) == 1) {
            expect(std::fread(page.data(), bytes_a_page, 1, in.get()) == 1, "half a page");
            made.add(number, page.data());
        }
    }
    int how = 0;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
    }
    end_if_interrupted();
    expect(WIFEXITED(how) && WEXITSTATUS(how) == 0, "a clone ended");
    return made;
}

clone_family run_program(const support::corpus& files) {
    program from{files};
    clone_family made;
    made.pages = heap_pages;
    made.memory = support::huge_buffer(heap_bytes);
    std::memcpy(made.memory.data(), from.page(0), heap_bytes);
    for (std::uint64_t i = 0; i < 50; ++i) {
        made.clones.push_back(work_in_a_clone(from, made, 100 + i, 800));
    }
    made.idle.push_back(work_in_a_clone(from, made, 1000, 60));
    return made;
}

[[nodiscard]] bool is_same_filled(const std::byte* page) { return std::memcmp(page, page + 8, bytes_a_page - 8) == 0; }

/// A store with the template in it, sealed.
struct host {
    host(const clone_family& from, bool by_content) : store{source, {.seed = 3}}, parent{store.create_pool().value()} {
        for (std::size_t i = 0; i < from.pages; ++i) {
            expect(store.put({parent, 0, i}, {from.page(i), bytes_a_page}) == status::ok, "a put");
        }
        expect(store.seal(parent, {.by_content = by_content}) == status::ok, "seal");
    }
    pool_id add(const clone_image& one) {
        const pool_id child = store.create_pool({.parent = parent}).value();
        put(child, one);
        return child;
    }
    void put(pool_id pool, const clone_image& one) {
        for (std::size_t i = 0; i < one.size(); ++i) {
            expect(store.put({pool, 0, one.numbers[i]}, one.page(i)) == status::ok, "a put");
        }
    }
    [[nodiscard]] double bytes() const { return static_cast<double>(store.stats().total_bytes); }

    mmap_source<> source;
    store_type store;
    pool_id parent;
};

template <class Work>
double seconds(Work work) {
    const std::uint64_t begin = thread_ns();
    work();
    return static_cast<double>(thread_ns() - begin) * 1e-9;
}

/// Up to 50 clones. Where there are fewer than a figure is for, it is reckoned with as many of their mean.
void measure_bytes(const clone_family& from, figures& out) {
    const auto mean_of = [](double sum, std::size_t there, std::size_t wanted) {
        return sum / static_cast<double>(there) * static_cast<double>(wanted);
    };
    const std::size_t many = std::min<std::size_t>(from.clones.size(), 50), ten = std::min<std::size_t>(many, 10),
                      five = std::min<std::size_t>(many, 5);
    double plain = 0;
    for (std::size_t i = 0; i < from.pages; ++i) {
        plain += is_same_filled(from.page(i)) ? 0.0 : double{bytes_a_page};
    }
    double changed = 0;
    for (std::size_t k = 0; k < five; ++k) {
        for (std::size_t i = 0; i < from.clones[k].size(); ++i) {
            changed += is_same_filled(from.clones[k].page(i).data()) ? 0.0 : double{bytes_a_page};
        }
    }
    changed = mean_of(changed, five, 5);
    for (const bool by_content : {true, false}) {
        host one{from, by_content};
        const double alone = one.bytes();
        const std::string suffix = by_content ? "" : "_by_key";
        const auto kind = by_content ? figures::kind::counted : figures::kind::context;
        if (!from.idle.empty()) {
            one.add(from.idle[0]); // the first takes tables that are there for the others
            const double before = one.bytes();
            for (std::size_t i = 0; i < 10; ++i) {
                one.add(from.idle[i % from.idle.size()]);
            }
            out.add(kind, "clones.idle_clone_bytes" + suffix, (one.bytes() - before) / 10);
        }
        host full{from, by_content};
        const double template_pages = static_cast<double>(full.store.stats().stored_pages);
        for (std::size_t i = 0; i < many; ++i) {
            full.add(from.clones[i]);
            if (i + 1 == ten) {
                out.add(kind, "clones.10_over_template" + suffix,
                        (alone + mean_of(full.bytes() - alone, ten, 10)) / alone);
            }
            end_if_interrupted();
        }
        const double of_clones = full.bytes() - alone;
        out.add(kind, "clones.50_over_plain_5" + suffix, (alone + mean_of(of_clones, many, 50)) / (plain + changed));
        const store_stats s = full.store.stats();
        out.add_context("clones.mean_clone_bytes" + suffix, of_clones / static_cast<double>(many));
        out.add_context("clones.reference_pages" + suffix, static_cast<double>(s.reference_pages));
        out.add_context("clones.delta_pages" + suffix, static_cast<double>(s.delta_pages));
        out.add_context("clones.pages" + suffix, static_cast<double>(s.stored_pages) - template_pages);
        out.add_context("clones.content_index_bytes" + suffix, static_cast<double>(s.content_indexes_size));
        out.add_context("clones.template_bytes" + suffix, alone);
    }
    out.add_context("clones.template_pages_not_same_filled", plain / bytes_a_page);
    out.add_context("clones.changed_percent", changed / bytes_a_page / 5 / static_cast<double>(from.pages) * 100);
    if (!from.idle.empty()) {
        out.add_context("clones.idle_changed_pages", static_cast<double>(from.idle[0].size()));
    }
}

/// Puts of clones' pages into clones, over puts of the same into pools of their own; each once into new pools, in turns.
void measure_puts(const clone_family& from, unsigned rounds, figures& out) {
    host by_content{from, true}, by_key{from, false};
    for (unsigned round = 0; round < rounds + 1; ++round) {
        double own = 0, key = 0, content = 0;
        for (std::size_t i = 0; i < from.clones.size() && i < 10; ++i) {
            const pool_id alone = by_key.store.create_pool().value();
            const pool_id of_key = by_key.store.create_pool({.parent = by_key.parent}).value();
            const pool_id of_content = by_content.store.create_pool({.parent = by_content.parent}).value();
            own += seconds([&] { by_key.put(alone, from.clones[i]); });
            key += seconds([&] { by_key.put(of_key, from.clones[i]); });
            content += seconds([&] { by_content.put(of_content, from.clones[i]); });
            for (const pool_id gone : {alone, of_key}) {
                expect(by_key.store.destroy_pool(gone) == status::ok, "destroy_pool");
            }
            expect(by_content.store.destroy_pool(of_content) == status::ok, "destroy_pool");
        }
        if (round != 0) {
            out.add("clones.put_over_own", content / own);
            out.add_context("clones.put_over_own_by_key", key / own);
        }
        end_if_interrupted();
    }
}

/// Deltas read back, over LZ4 on the same pages; both out of warm memory, each page in a batch that fits the second-level cache.
void measure_decoding(const clone_family& from, unsigned rounds, figures& out) {
    constexpr std::size_t batch = 32, repeats = 8;
    const page_delta delta;
    const lz4 other;
    support::scratch_memory scratch{std::max(page_delta::scratch_size(), other.scratch_size(bytes_a_page))};
    const std::size_t room = std::max(page_delta::bound(), other.bound(bytes_a_page));
    struct kept {
        std::vector<std::byte> pair, delta, alone;
    };
    std::vector<kept> pages;
    double bytes = 0, bytes_alone = 0;
    const std::size_t many = std::min<std::size_t>(from.clones.size(), 10), most = 64 * batch / many;
    constexpr std::size_t stride =
        7919; // a prime: pages of all places in memory, of which there may be more than are taken
    for (std::size_t k = 0; k < many; ++k) {
        const clone_image& clone = from.clones[k];
        for (std::size_t j = 0, i = 0, taken = 0; j < clone.size() && taken < most;
             ++j, i = (i + stride) % clone.size()) {
            const std::byte* const base = from.page(clone.numbers[i]);
            const byte_view page = clone.page(i);
            kept one;
            one.pair.assign(base, base + bytes_a_page);
            one.pair.insert(one.pair.end(), page.data(), page.data() + bytes_a_page);
            one.delta.resize(room);
            one.alone.resize(room);
            if (is_same_filled(page.data()) || is_same_filled(base) || !delta.is_near(one.pair)) {
                continue; // it isn't kept as a delta
            }
            const result<std::size_t> size = delta.compress(one.pair, one.delta, scratch.span());
            const result<std::size_t> size_alone = other.compress(page, one.alone, scratch.span());
            if (size && size_alone && *size_alone < bytes_a_page) {
                one.delta.resize(*size);
                one.alone.resize(*size_alone);
                bytes += static_cast<double>(*size);
                bytes_alone += static_cast<double>(*size_alone);
                pages.push_back(std::move(one));
                ++taken;
            }
        }
    }
    if (pages.size() < batch) {
        out.note("clones: hardly a page that is near the template's, so no time of reading deltas");
        return;
    }
    std::vector<std::byte> back(bytes_a_page);
    for (unsigned round = 0; round < rounds + 1; ++round) {
        double of_delta = 0, of_lz4 = 0;
        for (std::size_t first = 0; first + batch <= pages.size(); first += batch) {
            bool is_well = true;
            double least_of_delta = 1, least_of_lz4 = 1; // others run meanwhile
            for (std::size_t again = 0; again < repeats; ++again) {
                const double this_delta = seconds([&] {
                    for (std::size_t i = first; i < first + batch; ++i) {
                        is_well &= delta.decompress(pages[i].delta, pages[i].pair, scratch.span()) == status::ok;
                    }
                });
                const double this_lz4 = seconds([&] {
                    for (std::size_t i = first; i < first + batch; ++i) {
                        is_well &= other.decompress(pages[i].alone, back, scratch.span()) == status::ok;
                    }
                });
                least_of_delta = std::min(least_of_delta, this_delta);
                least_of_lz4 = std::min(least_of_lz4, this_lz4);
            }
            of_delta += least_of_delta;
            of_lz4 += least_of_lz4;
            expect(is_well, "a stream is not read back");
        }
        if (round != 0) {
            const double decoded = static_cast<double>(pages.size() / batch * batch);
            out.add("clones.delta_decode_over_lz4", of_delta / of_lz4);
            out.add_context("clones.delta_decode_ns", of_delta / decoded * 1e9);
            out.add_context("clones.lz4_decode_ns", of_lz4 / decoded * 1e9);
        }
        end_if_interrupted();
    }
    out.add_context("clones.delta_bytes", bytes / static_cast<double>(pages.size()));
    out.add_context("clones.lz4_bytes", bytes_alone / static_cast<double>(pages.size()));
}

} // namespace
} // namespace of_clones

void measure_clones(const support::corpus& pages, const std::string& dumps, unsigned rounds, figures& out) {
    using namespace of_clones;
    const clone_family family = dumps.empty() ? run_program(pages) : read_clone_dumps(dumps);
    measure_bytes(family, out);
    measure_puts(family, rounds, out);
    measure_decoding(family, rounds, out);
}

} // namespace pagefold::measure
