// SPDX-License-Identifier: MIT
#include "demo.hpp"

#include <support/failure.hpp>
#include <support/threads.hpp>

#include <pagefold/control/pool_ages.hpp>
#include <pagefold/hosted/mmap_source.hpp>
#include <pagefold/hosted/stats_publisher.hpp>
#include <pagefold/hosted/steady_clock.hpp>
#include <pagefold/store/default_config.hpp>
#include <pagefold/store/partitioned_store.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace top {
namespace {

using namespace pagefold;
constexpr std::size_t demo_page_bytes = 4096;
using page_content = std::array<std::byte, demo_page_bytes>;

/// Words that repeat, so that it shrinks; every eighth page does not, every tenth is of zeros.
void make_content(page_content& page, std::uint64_t seed) {
    std::minstd_rand random{static_cast<std::uint32_t>(seed * 2654435761u + 1)};
    std::uint32_t words[16];
    for (std::uint32_t& word : words) {
        word = static_cast<std::uint32_t>(random());
    }
    for (std::size_t at = 0; at < demo_page_bytes; at += 4) {
        const std::uint32_t number = static_cast<std::uint32_t>(random());
        const std::uint32_t word = seed % 10 == 0 ? 0 : seed % 8 == 0 ? number : words[number % 16];
        std::memcpy(page.data() + at, &word, sizeof word);
    }
}

} // namespace

class demo::host {
public:
    explicit host(const std::string& path) {
        if (publisher_.open(path.c_str(), 16, 4) != status::ok) {
            throw examples::failure(
                path + ": " + publisher_.reason() +
                (publisher_.error() != 0 ? std::string{": "} + std::strerror(publisher_.error()) : std::string{}));
        }
        web_ = pool({.kind = pool_kind::ephemeral, .weight = 300});
        build_ = pool({.kind = pool_kind::ephemeral});
        mail_ = pool({.cap_bytes = 2u << 20});
        attic_ = pool({});
        if (ages_.open(attic_pages) != status::ok) {
            throw examples::failure("no memory for the ages of pages");
        }
        start("to read and put", [this] { work_web(); });
        start("to sweep", [this] { work_build(); });
        start("to keep pages", [this] { work_mail_and_attic(); });
        start("to publish", [this] { publish_all(); });
    }
    ~host() { stop(); }
    host(const host&) = delete;
    host& operator=(const host&) = delete;

private:
    static constexpr std::size_t attic_pages = 600;

    [[nodiscard]] pool_id pool(const pool_options& options) {
        const result<pool_id> made = store_.create_pool(options);
        if (!made) {
            throw examples::failure("no memory for the store's pools");
        }
        return *made;
    }
    template <class Work>
    void start(const std::string& purpose, Work work) {
        try {
            threads_.push_back(examples::start_thread(purpose, work));
        } catch (...) {
            stop(); // the destructor would not be called
            throw;
        }
    }
    void stop() {
        is_done_ = true;
        for (std::thread& thread : threads_) {
            thread.join();
        }
        threads_.clear();
    }
    static void rest(unsigned milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

    void put(pool_id whose, std::uint64_t number, page_content& page) {
        make_content(page, number);
        static_cast<void>(store_.put({whose, number / 1024, number % 1024}, page)); // refused: that is what is shown
    }
    [[nodiscard]] bool get(pool_id whose, std::uint64_t number, page_content& page) {
        return store_.get({whose, number / 1024, number % 1024}, page) == status::ok;
    }
    void work_web() {
        std::mt19937_64 random{1};
        std::geometric_distribution<std::uint64_t> popular{1.0 / 800};
        for (page_content page{}; !is_done_; rest(2)) {
            for (unsigned i = 0; i < 40; ++i) {
                const std::uint64_t number = popular(random);
                if (!get(web_, number, page)) {
                    put(web_, number, page);
                }
            }
        }
    }
    void work_build() {
        std::uint64_t number = 0;
        for (page_content page{}; !is_done_; rest(5)) {
            for (unsigned i = 0; i < 20; ++i) {
                put(build_, number++ % 8000, page);
            }
        }
    }
    void work_mail_and_attic() {
        std::mt19937_64 random{2};
        page_content page{};
        for (std::uint64_t number = 0; number < attic_pages; ++number) {
            put(attic_, number, page);
            ages_.note_access(number);
        }
        for (; !is_done_; rest(5)) {
            put(mail_, random() % 1500, page);
            static_cast<void>(get(mail_, random() % 1500, page));
            if (const std::uint64_t number = random() % attic_pages; random() % 8 == 0 && get(attic_, number, page)) {
                ages_.note_access(number);
            }
        }
    }
    void publish_all() {
        const steady_clock clock;
        for (unsigned round = 0; !is_done_; ++round) {
            if (round % 5 == 0) { // a second
                ages_.scan(attic_pages);
            }
            const pool_snapshot pools[] = {of("web", web_), of("build", build_), of("mail", mail_),
                                           of("attic", attic_, &ages_.ages().now())};
            const result<store_stats> on_none = store_.stats(any_node);
            const node_snapshot node{any_node, on_none ? *on_none : store_stats{}};
            publisher_.publish({"demo", store_.stats(), pools, {&node, 1}}, clock.now());
            rest(200);
        }
    }
    [[nodiscard]] pool_snapshot of(std::string_view name, pool_id id, const age_histogram* ages = nullptr) const {
        const result<pool_stats> stats = store_.statistics_of(id);
        return {name,
                id,
                id == web_ || id == build_ ? pool_kind::ephemeral : pool_kind::persistent,
                stats ? *stats : pool_stats{},
                ages,
                1};
    }

    mmap_source<> memory_;
    partitioned_store<default_config> store_{memory_, {.limit_bytes = 12u << 20, .partitions = 4}};
    stats_publisher publisher_;
    pool_id web_{}, build_{}, mail_{}, attic_{};
    pool_ages<mmap_source<>> ages_{memory_}; // of the attic
    std::atomic<bool> is_done_{false};
    std::vector<std::thread> threads_;
};

demo::demo(const std::string& path) : host_{std::make_unique<host>(path)} {}
demo::~demo() = default;

} // namespace top
