// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/macros.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>

#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Which threads are at a lock of the store's partitions: about to take one, waiting for it, inside, or leaving; or wait for
/// a scratch. So a call that interrupts another of its thread (a signal handler, a page source that calls back) learns
/// whether it would wait for itself, at whatever instruction the other one stands: a thread says that it is there before it
/// asks for the lock, and that it is gone after it has let it go. What the lock knows of its holder would come too late for
/// that, and of who waits it says nothing; two handlers that each wait for the other's thread would never meet in one lock.
///
/// Threads are told apart by the host's token. Cost: one exchange in a cache line that few threads share. Safe from
/// every thread and from handlers. What is read here of other threads decides nothing, so all is relaxed, but for the two
/// orders that keep the compiler from moving a lock out of the stay.
class presence {
    static constexpr unsigned buckets = 32, places = 7;
    using place = atomic<std::uintptr_t>; // a token, or 0

    struct alignas(64) bucket {
        place in[places];
        atomic<std::uintptr_t> strangers{0}; // whose bucket this is, and who found it full
    };

public:
    /// This thread is there, for a scope; false where it was already.
    class [[nodiscard]] stay {
    public:
        /// With token 0, of a host that can't tell its threads apart, every call is the first.
        stay(presence& of, std::uintptr_t token) noexcept : home_{of.home(token)} {
            place_ = token != 0 ? of.enter(token, home_) : nullptr;
            is_first_ = token == 0 || place_ != nullptr;
        }
        ~stay() {
            if (place_ == nullptr) {
                return;
            }
            const bool is_stranger = place_ < home_.in || place_ >= home_.in + places;
            place_->store(0, memory_order::release); // the unlock stays in front
            if (is_stranger) {
                home_.strangers.fetch_sub(1, memory_order::relaxed);
            }
        }
        stay(const stay&) = delete;
        stay& operator=(const stay&) = delete;
        [[nodiscard]] explicit operator bool() const noexcept { return is_first_; }

    private:
        bucket& home_;
        place* place_ = nullptr;
        bool is_first_ = false;
    };

    /// Whether the thread of this token is there.
    [[nodiscard]] bool has(std::uintptr_t token) const noexcept {
        if (token == 0) {
            return false;
        }
        const bucket& mine = buckets_[mix(token, 0) % buckets];
        bool found = has(mine, token);
        if (mine.strangers.load(memory_order::relaxed) != 0) [[unlikely]] {
            for (const bucket& b : buckets_) {
                found = found || has(b, token);
            }
        }
        return found;
    }

    /// This thread is there until it departs; false where it was already. What a scope can't span.
    [[nodiscard]] bool arrive(std::uintptr_t token) noexcept {
        return token == 0 || enter(token, home(token)) != nullptr;
    }
    void depart(std::uintptr_t token) noexcept {
        bucket& mine = home(token);
        for (bucket& b : buckets_) {
            for (place& p : b.in) {
                if (token != 0 && p.load(memory_order::relaxed) == token) { // only this thread stores its own
                    p.store(0, memory_order::release);                      // the unlock stays in front
                    if (&b != &mine) {
                        mine.strangers.fetch_sub(1, memory_order::relaxed);
                    }
                    return;
                }
            }
        }
    }
    /// Nobody is there: all threads but this one are gone, and left no word.
    void forget_all() noexcept {
        for (bucket& b : buckets_) {
            for (place& p : b.in) {
                p.store(0, memory_order::relaxed);
            }
            b.strangers.store(0, memory_order::relaxed);
        }
    }

private:
    [[nodiscard]] bucket& home(std::uintptr_t token) noexcept { return buckets_[mix(token, 0) % buckets]; }
    [[nodiscard]] static bool has(const bucket& b, std::uintptr_t token) noexcept {
        bool found = false;
        for (const place& p : b.in) {
            found = found || p.load(memory_order::relaxed) == token;
        }
        return found;
    }
    [[nodiscard]] place* enter(std::uintptr_t token, bucket& mine) noexcept {
        if (has(token)) {
            return nullptr;
        }
        place* found = enter(mine, token);
        if (found == nullptr) [[unlikely]] {
            mine.strangers.fetch_add(1, memory_order::relaxed); // before it is in another
            while ((found = enter_anywhere(token)) == nullptr) {
                PAGEFOLD_CPU_RELAX(); // hundreds of threads at locks; this one has none yet, and keeps nobody from leaving
            }
        }
        return found;
    }
    [[nodiscard]] static place* enter(bucket& b, std::uintptr_t token) noexcept {
        for (place& p : b.in) {
            std::uintptr_t found = p.load(memory_order::relaxed);
            // acquire: the lock stays behind it.
            if (found == 0 && p.compare_exchange(found, token, memory_order::acquire)) {
                return &p;
            }
        }
        return nullptr;
    }
    [[nodiscard]] place* enter_anywhere(std::uintptr_t token) noexcept {
        place* found = nullptr;
        for (bucket& b : buckets_) {
            found = found != nullptr ? found : enter(b, token);
        }
        return found;
    }

    bucket buckets_[buckets];
};

} // namespace pagefold
