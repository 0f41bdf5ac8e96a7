// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/hosted/blocked_signals.hpp>
#include <pagefold/hosted/shortage.hpp>
#include <pagefold/platform/host_parking.hpp>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <linux/futex.h>
#include <linux/posix_types.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

// Threads that work off a deferred_store's queue, each on a processor of its own if the host says so.
//
// A thread works while there are pages. Then it sleeps until a put rings (deferred_store::arm). To wake a sleeper costs the put a
// system call, several times what the put itself does. So who was woken by the first page of a burst doesn't begin at once: it
// sleeps on, until a number of pages waits or a moment has passed. A put rings twice in a burst at most, and the processor finds
// enough to do to be worth waking up. Pages that the store refused are tried again from time to time.
//
// A process that was copied by fork has none of these threads; the object in the child says so by being stopped, and may be
// started.

namespace pagefold::inline PAGEFOLD_ABI {

/// What threads are started with.
struct compression_threads_options {
    unsigned threads = 1; ///< at least 1, and most_compression_threads at most
    /// A processor for each thread, which it then stays on; null: they run where the system lets them.
    const unsigned* processors = nullptr;
    /// How long a thread that was woken waits for more pages, in microseconds; 0: it begins at once.
    std::uint32_t linger_us = 500;
    /// And how many it doesn't wait for; 0: an eighth of the queue.
    std::uint32_t burst_pages = 0;
    /// When pages that the store refused are tried again, in milliseconds; 0 as 1.
    std::uint32_t retry_ms = 50;

    /// The same in microseconds.
    [[nodiscard]] constexpr std::uint64_t retry_us() const noexcept {
        return std::uint64_t{retry_ms != 0 ? retry_ms : 1u} * 1000u;
    }
};
inline constexpr unsigned most_compression_threads = 64;

/// The system's calls for threads, which a test may replace.
struct thread_calls {
    static int create(pthread_t* thread, const pthread_attr_t* how, void* (*body)(void*), void* argument) noexcept {
        return pthread_create(thread, how, body, argument);
    }
};

/// `Queue` is a deferred_store whose threads park by host_parking. It outlives this, or the threads are stopped before.
/// One thread at a time calls start and stop.
template <class Queue, class Calls = thread_calls>
class compression_threads {
    static_assert(std::same_as<typename Queue::parking_type, host_parking>,
                  "who sleeps is woken by the queue's parking");

public:
    explicit compression_threads(Queue& queue) noexcept : queue_{queue} {}
    /// Stops the threads; what they leave in the queue is the queue's.
    ~compression_threads() { end(); }
    compression_threads(const compression_threads&) = delete;
    compression_threads& operator=(const compression_threads&) = delete;

    /// Starts the threads; all of them, or none. ok: they run. no_memory: the system has no more threads for this process. invalid:
    /// a number of threads that can't be, a processor that this process may not use, or they run already.
    status start(const compression_threads_options& options = {}) noexcept {
        if (is_running() || options.threads == 0 || options.threads > most_compression_threads) {
            return status::invalid;
        }
        options_ = options;
        options_.processors = nullptr; // not looked at again
        if (options_.burst_pages == 0) {
            const std::size_t part = queue_.capacity() / 8;
            options_.burst_pages = part < 1 ? 1 : static_cast<std::uint32_t>(part);
        }
        process_ = getpid();
        count_ = 0;                            // what it says in a child is of its parent
        ends_.store(0, memory_order::relaxed); // the creation of a thread orders it
        const blocked_signals none_of_theirs;
        for (unsigned i = 0; i < options.threads; ++i) {
            const int error = create(threads_[i], options.processors != nullptr ? &options.processors[i] : nullptr);
            if (error != 0) {
                end();
                return is_shortage(error) ? status::no_memory : status::invalid;
            }
            count_ = i + 1;
        }
        return status::ok;
    }

    /// Ends the threads, each behind the page that it is at. With `flushes` the queue is flushed then, and the answer is that
    /// one's; else ok.
    status stop(bool flushes = true) noexcept {
        end();
        return flushes ? queue_.flush() : status::ok;
    }
    /// Whether there are threads in this process.
    [[nodiscard]] bool is_running() const noexcept { return count_ != 0 && process_ == getpid(); }
    /// How many.
    [[nodiscard]] unsigned size() const noexcept { return is_running() ? count_ : 0; }
    /// How often a thread was asleep and came back; for who looks what waking costs. Relaxed.
    [[nodiscard]] std::uint32_t wakes() const noexcept { return wakes_.load(memory_order::relaxed); }

private:
    static constexpr std::size_t pages_a_turn = 16;
    static constexpr std::uint32_t others_at_it_us = 1000; // pages wait, and none can be had
#if defined(SYS_futex)
    static constexpr long timed_wait = SYS_futex;
    using span_part = __kernel_long_t;
#else
    static constexpr long timed_wait = SYS_futex_time64; // younger ports have only this
    using span_part = std::int64_t;
#endif

    int create(pthread_t& thread, const unsigned* processor) noexcept {
        pthread_attr_t how;
        if (const int error = pthread_attr_init(&how); error != 0) {
            return error;
        }
        int error = 0;
        if (processor != nullptr) {
            cpu_set_t set;
            CPU_ZERO(&set);
            if (*processor < CPU_SETSIZE) {
                CPU_SET(*processor, &set);
                error = pthread_attr_setaffinity_np(&how, sizeof set, &set);
            } else {
                error = EINVAL;
            }
        }
        if (error == 0) {
            error = Calls::create(
                &thread, &how,
                [](void* self) -> void* {
                    static_cast<compression_threads*>(self)->run();
                    return nullptr;
                },
                this);
        }
        pthread_attr_destroy(&how);
        return error;
    }
    void end() noexcept {
        if (is_running()) {
            ends_.store(1, memory_order::seq_cst); // before the bell, which a thread reads before it looks at this
            queue_.ring();
            for (unsigned i = 0; i < count_; ++i) {
                pthread_join(threads_[i], nullptr);
            }
        }
        count_ = 0;
    }

    void run() noexcept {
        while (!has_to_end()) {
            if (queue_.work(pages_a_turn) != 0) {
                continue;
            }
            const std::uint32_t now = queue_.arm(1);
            if (has_to_end()) {
                return;
            }
            if (queue_.waiting_pages() != 0) {
                sleep(now, others_at_it_us);
                continue;
            }
            sleep(now, queue_.held_pages() != 0 ? options_.retry_us() : 0);
            linger();
        }
    }
    /// Waits a moment for more to do.
    void linger() noexcept {
        if (options_.linger_us == 0 || options_.burst_pages <= 1 || has_to_end()) {
            return;
        }
        const std::uint32_t now = queue_.arm(options_.burst_pages);
        if (queue_.waiting_pages() < options_.burst_pages && !has_to_end()) {
            sleep(now, options_.linger_us);
        }
    }
    /// Until the bell is another, or so long; 0: without an end.
    void sleep(std::uint32_t bell, std::uint64_t microseconds) noexcept {
        if (microseconds == 0) {
            host_parking::wait(queue_.bell(), bell);
        } else {
            // Two numbers as the kernel's call reads them, which a timespec of 64-bit time on a 32-bit system isn't.
            const span_part span[2] = {static_cast<span_part>(microseconds / 1'000'000),
                                       static_cast<span_part>(microseconds % 1'000'000 * 1000)};
            const int before = errno;
            syscall(timed_wait, &queue_.bell(), FUTEX_WAIT_PRIVATE, bell, span, nullptr, 0);
            errno = before;
        }
        wakes_.fetch_add(1, memory_order::relaxed);
    }
    [[nodiscard]] bool has_to_end() const noexcept { return ends_.load(memory_order::seq_cst) != 0; }

    Queue& queue_;
    compression_threads_options options_{};
    pthread_t threads_[most_compression_threads]{};
    unsigned count_ = 0;
    pid_t process_ = 0;
    atomic<std::uint32_t> ends_{0};
    atomic<std::uint32_t> wakes_{0};
};

} // namespace pagefold
