// SPDX-License-Identifier: MIT

// pagefold_migrate --corpus DIR [--pages N] [--hot N] [--rate N] [--mib-per-s N]
//
// Moves pages from one process to another over a socket while a thread rewrites some of them, in three ways: as pages, as pages
// that are compressed by zstd -1 on their way (128 at a time), and as a store keeps them. Each sends all pages, then in up to 8 rounds what
// has changed, and at last, with the writer stopped, the rest. The other process answers, and says a sum over what it has.
//
// Prints bytes sent, seconds in all and of pause, and processor seconds of both sides.

#include "../support/corpus.hpp"
#include "../support/random_stream.hpp"

#include <pagefold/core/checksum.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/image_reader.hpp>
#include <pagefold/store/migration_stream.hpp>
#include <pagefold/store/partitioned_store.hpp>
#include <pagefold/store/restored_pools.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace pagefold;

constexpr std::size_t page_bytes = 4096, batch = 128;
constexpr unsigned most_rounds = 8;
constexpr std::size_t words = std::size_t{1} << 13;

struct config : default_config {
    static constexpr bool logs_changes = true;
};
using store_type = partitioned_store<config>;

struct settings {
    std::size_t pages = 50'000, hot = 5'000;
    double rate = 5'000;  ///< pages rewritten a second
    double mib_per_s = 0; ///< of the socket; 0: as fast as it is
};

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
}
double now(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// One end of the socket: a sink and a source.
class wire {
public:
    wire(int fd, double mib_per_s) : fd_{fd}, bytes_per_s_{mib_per_s * 1048576} {}
    status write(byte_view from) noexcept {
        for (std::size_t at = 0; at < from.size();) {
            const std::size_t left = from.size() - at, most = std::size_t{64} << 10;
            const ssize_t n = ::send(fd_, from.data() + at, left < most ? left : most, MSG_NOSIGNAL);
            if (n <= 0) {
                return status::unavailable;
            }
            at += static_cast<std::size_t>(n);
            sent_ += static_cast<std::size_t>(n);
            if (bytes_per_s_ > 0) { // a slower network
                free_at_ = (free_at_ > now() ? free_at_ : now()) + static_cast<double>(n) / bytes_per_s_;
                while (free_at_ - now() > 0.001) {
                    ::usleep(500);
                }
            }
        }
        return status::ok;
    }
    result<std::size_t> read(byte_span to) noexcept {
        const ssize_t n = ::recv(fd_, to.data(), to.size(), 0);
        return n < 0 ? result<std::size_t>{status::unavailable} : result<std::size_t>{static_cast<std::size_t>(n)};
    }
    bool read_all(void* to, std::size_t size) noexcept {
        for (std::size_t at = 0; at < size;) {
            const result<std::size_t> n = read({static_cast<std::byte*>(to) + at, size - at});
            if (!n || *n == 0) {
                return false;
            }
            at += *n;
        }
        return true;
    }
    template <class T>
    void send(const T& value) noexcept {
        std::byte bytes[sizeof value];
        std::memcpy(bytes, &value, sizeof value);
        if (write({bytes, sizeof bytes}) != status::ok) {
            fail("send");
        }
    }
    template <class T>
    T receive() noexcept {
        T value{};
        if (!read_all(&value, sizeof value)) {
            fail("receive");
        }
        return value;
    }
    [[nodiscard]] std::size_t sent() const noexcept { return sent_; }

private:
    int fd_;
    double bytes_per_s_, free_at_ = 0;
    std::size_t sent_ = 0;
};

/// A page of the guest: one of the corpus, with a word that says which version it is.
void make(const support::corpus& pages, std::size_t number, std::uint64_t version, std::byte* to) {
    std::memcpy(to, pages.page((number + version * 7919) % pages.size()), page_bytes);
    const std::uint64_t word = version << 32 | number;
    std::memcpy(to + 8 * (number % 512), &word, sizeof word);
}
std::uint64_t sum_of(std::size_t number, const std::byte* page) { return checksum({page, page_bytes}, number); }

/// Rewrites hot pages at a rate, from a thread, until it is stopped.
class rewriter {
public:
    template <class Put>
    rewriter(const settings& with, Put put)
        : thread_{[this, with, put] {
              support::random_stream random{7};
              const double start = now();
              for (std::uint64_t done = 0; !stops_.load();) {
                  if (static_cast<double>(done) > (now() - start) * with.rate) {
                      ::usleep(200);
                      continue;
                  }
                  put(random.below(with.hot) * (with.pages / with.hot), ++done);
              }
          }} {}
    void stop() {
        stops_.store(true);
        thread_.join();
    }

private:
    std::atomic<bool> stops_{false};
    std::thread thread_;
};

struct outcome {
    double all = 0, pause = 0, worked = 0;
    std::uint64_t bytes = 0;
    unsigned rounds = 0;
    bool is_equal = false;
};

/// Pages in memory with a bit for each that has changed, as a hypervisor has them.
struct guest {
    explicit guest(std::size_t pages) : memory(pages * page_bytes), changed(pages), count{pages} {}
    [[nodiscard]] std::byte* page(std::size_t i) { return memory.data() + i * page_bytes; }
    std::vector<std::byte> memory;
    std::vector<std::atomic<bool>> changed;
    std::mutex lock; // a page is rewritten, or copied, as a whole
    std::size_t count;
};

// A message: how many pages, bytes behind the numbers (0: the pages themselves), the numbers, the bytes. None: that was all.
struct message {
    std::uint32_t pages = 0, bytes = 0;
};

outcome send_guest(guest& from, wire& to, bool compresses, rewriter& writer) {
    outcome out;
    std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context{ZSTD_createCCtx(), ZSTD_freeCCtx};
    std::vector<std::byte> pages(batch * page_bytes), packed(ZSTD_compressBound(pages.size()));
    std::vector<std::uint32_t> numbers;
    const auto flush = [&] {
        if (numbers.empty()) {
            return;
        }
        byte_view body{pages.data(), numbers.size() * page_bytes};
        message head{static_cast<std::uint32_t>(numbers.size()), 0};
        if (compresses) {
            const std::size_t size =
                ZSTD_compressCCtx(context.get(), packed.data(), packed.size(), body.data(), body.size(), 1);
            body = {packed.data(), size};
            head.bytes = static_cast<std::uint32_t>(size);
        }
        to.send(head);
        static_cast<void>(to.write({reinterpret_cast<const std::byte*>(numbers.data()), numbers.size() * 4}));
        static_cast<void>(to.write(body));
        numbers.clear();
    };
    double pause = 0;
    for (unsigned round = 0;; ++round) {
        std::size_t left = 0;
        for (std::size_t i = 0; i < from.count; ++i) {
            left += from.changed[i].load() ? 1u : 0u;
        }
        const bool is_last = round > most_rounds || (round != 0 && left < from.count / 200);
        if (is_last) {
            pause = now();
            writer.stop();
        }
        for (std::size_t i = 0; i < from.count; ++i) {
            if (round != 0 && !from.changed[i].exchange(false)) {
                continue;
            }
            {
                const std::lock_guard guard{from.lock};
                from.changed[i].store(false);
                std::memcpy(pages.data() + numbers.size() * page_bytes, from.page(i), page_bytes);
            }
            numbers.push_back(static_cast<std::uint32_t>(i));
            if (numbers.size() == batch) {
                flush();
            }
        }
        flush();
        out.rounds = round;
        if (is_last) {
            break;
        }
    }
    to.send(message{});
    static_cast<void>(to.receive<char>());
    out.pause = now() - pause;
    return out;
}
std::uint64_t receive_guest(wire& from, std::size_t count) {
    guest to{count};
    std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context{ZSTD_createDCtx(), ZSTD_freeDCtx};
    std::vector<std::byte> pages(batch * page_bytes), packed(ZSTD_compressBound(pages.size()));
    std::vector<std::uint32_t> numbers(batch);
    for (message head = from.receive<message>(); head.pages != 0; head = from.receive<message>()) {
        if (!from.read_all(numbers.data(), head.pages * 4u)) {
            fail("numbers");
        }
        const std::size_t size = head.pages * page_bytes;
        if (!from.read_all(head.bytes != 0 ? packed.data() : pages.data(), head.bytes != 0 ? head.bytes : size)) {
            fail("pages");
        }
        if (head.bytes != 0 &&
            ZSTD_decompressDCtx(context.get(), pages.data(), size, packed.data(), head.bytes) != size) {
            fail("zstd");
        }
        for (std::uint32_t i = 0; i < head.pages; ++i) {
            std::memcpy(to.page(numbers[i]), pages.data() + i * page_bytes, page_bytes);
        }
    }
    from.send('k');
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        sum += sum_of(i, to.page(i));
    }
    return sum;
}

outcome send_store(store_type& store, pool_id pool, wire& to, rewriter& writer) {
    outcome out;
    std::vector<atomic<std::uint32_t>> marked(words);
    std::vector<std::uint32_t> taken(words);
    std::vector<std::byte> buffer(good_image_buffer(page_bytes));
    change_log log{marked.data(), words};
    const image_pool pools[]{{pool, 1}};
    migration_origin origin{store, to, buffer, pools, 1, log, taken.data(), {.id = 42}};
    const auto round = [&] {
        status s;
        while ((s = origin.step()) == status::busy) {
        }
        if (s != status::ok) {
            fail("round");
        }
    };
    if (origin.start() != status::ok) {
        fail("start");
    }
    round();
    const auto is_enough = [&] {
        return origin.rounds() == most_rounds || origin.marked() < store.statistics_of(pool).value().stored_pages / 200;
    };
    while (!is_enough()) {
        static_cast<void>(origin.next_round());
        round();
    }
    const double pause = now();
    if (origin.freeze() != status::ok || origin.next_round() != status::ok) {
        fail("freeze");
    }
    round();
    if (origin.finish() != status::ok) {
        fail("finish");
    }
    static_cast<void>(to.receive<char>());
    out.pause = now() - pause;
    out.rounds = origin.rounds();
    writer.stop(); // its puts are busy since the freeze
    return out;
}
std::uint64_t receive_store(wire& from, std::size_t count) {
    mmap_source source;
    store_type store{source, {}};
    std::vector<std::byte> buffer(good_image_buffer(page_bytes)), page(page_bytes);
    std::vector<std::uint32_t> marks(words);
    pool_id ids[1]{};
    restored_pools into{store, ids, 1};
    image_reader reader{store, from, into, buffer, {.marks = marks.data(), .mark_words = words}};
    if (reader.run() != status::ok) {
        fail("restore");
    }
    from.send('k');
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (store.peek({ids[0], 0, i}, page) != status::ok) {
            fail("peek");
        }
        sum += sum_of(i, page.data());
    }
    return sum;
}

enum class way { raw, zstd, store };

outcome migrate(const support::corpus& pages, const settings& with, way how) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        fail("socketpair");
    }
    const pid_t child = ::fork(); // before there is a thread
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        ::close(ends[0]);
        wire from{ends[1], 0};
        const std::uint64_t sum = how == way::store ? receive_store(from, with.pages) : receive_guest(from, with.pages);
        from.send(sum);
        std::_Exit(0);
    }
    ::close(ends[1]);
    wire to{ends[0], with.mib_per_s};
    outcome out;
    std::uint64_t sum = 0;
    std::vector<std::byte> page(page_bytes);
    double start = 0, worked = 0;
    if (how == way::store) {
        mmap_source source;
        store_type store{source, {}};
        const pool_id pool = store.create_pool().value();
        for (std::size_t i = 0; i < with.pages; ++i) {
            make(pages, i, 0, page.data());
            if (store.put({pool, 0, i}, page) != status::ok) {
                fail("put");
            }
        }
        rewriter writer{with, [&](std::size_t i, std::uint64_t version) {
                            alignas(64) std::byte one[page_bytes];
                            make(pages, i, version, one);
                            static_cast<void>(store.put({pool, 0, i}, {one, page_bytes}));
                        }};
        start = now();
        worked = now(CLOCK_THREAD_CPUTIME_ID);
        out = send_store(store, pool, to, writer);
        out.worked = now(CLOCK_THREAD_CPUTIME_ID) - worked;
        out.all = now() - start;
        for (std::size_t i = 0; i < with.pages; ++i) {
            static_cast<void>(store.peek({pool, 0, i}, page));
            sum += sum_of(i, page.data());
        }
    } else {
        guest from{with.pages};
        for (std::size_t i = 0; i < with.pages; ++i) {
            make(pages, i, 0, from.page(i));
        }
        rewriter writer{with, [&](std::size_t i, std::uint64_t version) {
                            const std::lock_guard guard{from.lock};
                            make(pages, i, version, from.page(i));
                            from.changed[i].store(true);
                        }};
        start = now();
        worked = now(CLOCK_THREAD_CPUTIME_ID);
        out = send_guest(from, to, how == way::zstd, writer);
        out.worked = now(CLOCK_THREAD_CPUTIME_ID) - worked;
        out.all = now() - start;
        for (std::size_t i = 0; i < with.pages; ++i) {
            sum += sum_of(i, from.page(i));
        }
    }
    out.bytes = to.sent();
    out.is_equal = to.receive<std::uint64_t>() == sum;
    int code = 0;
    rusage used{};
    ::wait4(child, &code, 0, &used);
    ::close(ends[0]);
    out.is_equal = out.is_equal && code == 0;
    return out;
}

} // namespace

int main(int count, char** arguments) {
    settings with;
    std::string corpus;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = arguments[i];
        const char* const value = arguments[i + 1];
        if (name == "--corpus") {
            corpus = value;
        } else if (name == "--pages") {
            with.pages = std::strtoul(value, nullptr, 10);
        } else if (name == "--hot") {
            with.hot = std::strtoul(value, nullptr, 10);
        } else if (name == "--rate") {
            with.rate = std::strtod(value, nullptr);
        } else if (name == "--mib-per-s") {
            with.mib_per_s = std::strtod(value, nullptr);
        }
    }
    if (corpus.empty() || with.hot == 0 || with.pages < with.hot) {
        std::fputs("usage: pagefold_migrate --corpus DIR [--pages N] [--hot N] [--rate N] [--mib-per-s N]\n", stderr);
        return 2;
    }
    const support::corpus pages = support::corpus::load(corpus);
    std::printf("%zu pages, %zu of them rewritten %.0f times a second\n\n%-10s %8s %8s %10s %12s %7s\n", with.pages,
                with.hot, with.rate, "way", "MiB sent", "seconds", "pause, ms", "processor, s", "rounds");
    bool is_equal = true;
    for (const way how : {way::raw, way::zstd, way::store}) {
        const outcome out = migrate(pages, with, how);
        std::printf("%-10s %8.1f %8.2f %10.1f %12.2f %7u%s\n",
                    how == way::raw    ? "pages"
                    : how == way::zstd ? "zstd -1"
                                       : "pagefold",
                    static_cast<double>(out.bytes) / 1048576, out.all, out.pause * 1e3, out.worked, out.rounds,
                    out.is_equal ? "" : "  NOT EQUAL");
        std::fflush(stdout);
        is_equal = is_equal && out.is_equal;
    }
    return is_equal ? 0 : 1;
}
