// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/store/presence.hpp>
#include <pagefold/store/tier_copies.hpp>
#include <pagefold/tier/concept.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// A store's tier, and what became of its calls. No lock is held around any of them. Safe from many threads, as the tier is.
///
/// A tier may call the store that calls it. Such a call can come to want the tier itself, and so on without end: what a
/// thread asks of it while it is inside is refused here.
template <backing_tier Tier>
class tier_stage {
public:
    explicit tier_stage(const Tier& tier) noexcept : tier_{tier} {}
    tier_stage(const tier_stage&) = delete;
    tier_stage& operator=(const tier_stage&) = delete;

    /// The right of this thread to call the tier, for a scope; false where it is inside already.
    class [[nodiscard]] visit {
    public:
        visit(tier_stage& of, std::uintptr_t token) noexcept : stay_{of.visitors_, token} {}
        [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(stay_); }

    private:
        presence::stay stay_;
    };

    /// Where the tier has a copy of the stream now; any other status: it has none.
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept {
        const result<tier_place> place = tier_.offer(key, stream);
        if (place && fits_entry(*place)) [[likely]] {
            return place;
        }
        if (place) {
            forget({key, *place}); // a place that no entry has room for
            return status::invalid;
        }
        return place;
    }
    /// The same of several; a tier that takes them together is asked once.
    void offer_all(tier_offer* offers, std::size_t count) noexcept {
        if constexpr (batch_tier<Tier>) {
            tier_.offer_all(offers, count);
            for (std::size_t i = 0; i < count; ++i) {
                if (offers[i].answer == status::ok && !fits_entry(offers[i].place)) [[unlikely]] {
                    forget({offers[i].key, offers[i].place});
                    offers[i].answer = status::invalid;
                }
            }
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                const result<tier_place> place = offer(offers[i].key, offers[i].stream);
                offers[i].answer = place.error();
                offers[i].place = place.value_or(tier_place{});
            }
        }
    }
    /// ok: `out` is full, of what nobody knows yet. corrupt: the tier has lost it. unavailable: later, perhaps.
    status fetch(const tier_copy& copy, byte_span out) noexcept {
        const status s = tier_.fetch(copy.key, copy.place, out);
        switch (s) {
        case status::ok: return s;
        case status::not_found:
        case status::corrupt: return status::corrupt;
        default: return status::unavailable;
        }
    }
    void forget(const tier_copy& copy) noexcept {
        if (tier_.forget(copy.key, copy.place) != status::ok) {
            forget_failures_.fetch_add(1, memory_order::relaxed);
        }
    }
    void forget(const leaving_copies& copies) noexcept {
        for (std::size_t i = 0; i < copies.count; ++i) {
            forget(copies.of[i]);
        }
    }
    /// A page could not be read: the tier was asked, and had it not, or not whole, or not now.
    void note_failed_read() noexcept { failed_reads_.fetch_add(1, memory_order::relaxed); }

    [[nodiscard]] std::uint64_t failed_reads() const noexcept { return failed_reads_.load(memory_order::relaxed); }
    [[nodiscard]] std::uint64_t forget_failures() const noexcept {
        return forget_failures_.load(memory_order::relaxed);
    }

private:
    Tier tier_;
    presence visitors_{};
    atomic<std::size_t> failed_reads_{0}, forget_failures_{0}; // relaxed: counters
};

} // namespace pagefold
