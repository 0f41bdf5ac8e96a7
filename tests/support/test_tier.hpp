// SPDX-License-Identifier: MIT
#pragma once

#include "support/rng.hpp"

#include <pagefold/core/bytes.hpp>
#include <pagefold/tier/concept.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pagefold::testing {

/// What a call of a tier can come to that it should not; each happens once in so many calls, 0 never.
struct tier_faults {
    std::uint64_t full = 0;        ///< offer: limit
    std::uint64_t busy = 0;        ///< offer: not now
    std::uint64_t unreadable = 0;  ///< fetch: not now
    std::uint64_t no_copy = 0;     ///< offer: ok, and nothing is kept
    std::uint64_t odd_place = 0;   ///< offer: ok, at a place beyond those that there are
    std::uint64_t lost = 0;        ///< fetch: not_found
    std::uint64_t damage = 0;      ///< fetch: a bit is flipped
    std::uint64_t other = 0;       ///< fetch: another page's bytes
    std::uint64_t older = 0;       ///< fetch: what the place, or the key, had before
    std::uint64_t nothing = 0;     ///< fetch: ok, and `out` is as it was
    std::uint64_t unforgotten = 0; ///< forget: busy, and the copy is still there
    std::uint64_t slow = 0;        ///< any: others have their turns meanwhile

    [[nodiscard]] bool lies() const noexcept { return no_copy + lost + damage + other + older + nothing != 0; }
};

/// A tier in memory that keeps its word, or breaks it as it is told, and notes how a store treats it: each place is forgotten
/// once, and none that was never given out. Places come again as soon as they are free. Safe from many threads.
class test_tier_memory {
public:
    enum class call { offer, fetch, forget };

    explicit test_tier_memory(std::size_t most = ~std::size_t{0}, std::uint64_t seed = 1)
        : most_{most}, random_{seed} {}
    ~test_tier_memory() {
        CHECK_MESSAGE((is_forgiving_ || wrong_forgets_ == 0), "a place was forgotten that held nothing");
    }
    test_tier_memory(const test_tier_memory&) = delete;
    test_tier_memory& operator=(const test_tier_memory&) = delete;

    result<tier_place> offer(const page_key& key, byte_view stream) {
        look(call::offer, key);
        const std::lock_guard guard{mutex_};
        ++offers_;
        if (hits(faults_.full) || copies_.size() >= most_) {
            return status::limit;
        }
        if (hits(faults_.busy)) {
            return status::busy;
        }
        if (hits(faults_.odd_place)) {
            const std::uint32_t beyond = std::uint32_t{1} << tier_place_bits | next_odd_++ % 1000;
            copies_[beyond] = {key, {}};
            return static_cast<tier_place>(beyond);
        }
        std::uint32_t place = next_;
        if (free_.empty()) {
            ++next_;
        } else { // the one that was free last: mistakes meet at once
            place = free_.back();
            free_.pop_back();
        }
        copy& c = copies_[place];
        c = {key, hits(faults_.no_copy) ? std::vector<std::byte>{}
                                        : std::vector<std::byte>(stream.data(), stream.data() + stream.size())};
        kept_ += 1;
        return static_cast<tier_place>(place);
    }
    status fetch(const page_key& key, tier_place place, byte_span out) {
        look(call::fetch, key);
        const std::lock_guard guard{mutex_};
        ++fetches_;
        if (hits(faults_.unreadable)) {
            return status::busy;
        }
        const auto found = copies_.find(static_cast<std::uint32_t>(place));
        if (found == copies_.end() || found->second.bytes.empty() || hits(faults_.lost)) {
            return status::not_found;
        }
        if (hits(faults_.nothing)) {
            return status::ok;
        }
        const std::vector<std::byte>* bytes = &found->second.bytes;
        if (hits(faults_.other)) {
            bytes = &copies_.begin()->second.bytes;
        }
        if (hits(faults_.older) && !gone_.empty()) {
            for (const auto& [k, old] : gone_) {
                bytes = k == key ? &old : bytes;
            }
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = i < bytes->size() ? (*bytes)[i] : std::byte{0};
        }
        if (hits(faults_.damage)) {
            out[random_.below(out.size())] ^= static_cast<std::byte>(1u << random_.below(8));
        }
        return status::ok;
    }
    status forget(const page_key& key, tier_place place) {
        look(call::forget, key);
        const std::lock_guard guard{mutex_};
        ++forgets_;
        const auto found = copies_.find(static_cast<std::uint32_t>(place));
        if (found == copies_.end() || !(found->second.key == key)) {
            ++wrong_forgets_;
            return status::not_found;
        }
        if (hits(faults_.unforgotten)) {
            ++unforgotten_;
            return status::busy;
        }
        gone_.emplace_back(key, std::move(found->second.bytes));
        if (gone_.size() > 64) {
            gone_.pop_front();
        }
        copies_.erase(found);
        if (fits_entry(place)) {
            free_.push_back(static_cast<std::uint32_t>(place));
        }
        return status::ok;
    }

    void set_faults(const tier_faults& faults) {
        const std::lock_guard guard{mutex_};
        faults_ = faults;
    }
    /// Called before each call does anything, with no lock; for tests in one thread.
    std::function<void(call, const page_key&)> on_call{};

    [[nodiscard]] std::size_t copies() const { return locked_count(); }
    [[nodiscard]] std::uint64_t offers() const { return locked(offers_); }
    [[nodiscard]] std::uint64_t fetches() const { return locked(fetches_); }
    [[nodiscard]] std::uint64_t forgets() const { return locked(forgets_); }
    [[nodiscard]] std::uint64_t kept() const { return locked(kept_); }
    [[nodiscard]] std::uint64_t unforgotten() const { return locked(unforgotten_); }
    [[nodiscard]] std::uint64_t wrong_forgets() const { return locked(wrong_forgets_); }
    /// Who forgets wrongly is the point of the test.
    void forgive_all() { is_forgiving_ = true; }

private:
    struct copy {
        page_key key{};
        std::vector<std::byte> bytes{};
    };
    std::uint64_t locked(const std::uint64_t& number) const {
        const std::lock_guard guard{mutex_};
        return number;
    }
    std::size_t locked_count() const {
        const std::lock_guard guard{mutex_};
        return copies_.size();
    }
    bool hits(std::uint64_t one_in) { return one_in != 0 && random_.one_in(one_in); }
    void look(call what, const page_key& key) {
        if (on_call) {
            on_call(what, key);
        }
        bool is_slow = false;
        {
            const std::lock_guard guard{mutex_};
            is_slow = hits(faults_.slow);
        }
        for (unsigned i = 0; is_slow && i < 3; ++i) {
            std::this_thread::yield();
        }
    }

    mutable std::mutex mutex_;
    std::size_t most_;
    rng random_;
    tier_faults faults_{};
    std::unordered_map<std::uint32_t, copy> copies_;
    std::deque<std::pair<page_key, std::vector<std::byte>>> gone_; // the last that were forgotten
    std::vector<std::uint32_t> free_;
    std::uint32_t next_ = 0, next_odd_ = 0;
    bool is_forgiving_ = false;
    std::uint64_t offers_ = 0, fetches_ = 0, forgets_ = 0, kept_ = 0, unforgotten_ = 0, wrong_forgets_ = 0;
};

/// What a store copies: that memory.
class test_tier {
public:
    explicit test_tier(test_tier_memory& memory) noexcept : memory_{&memory} {}
    result<tier_place> offer(const page_key& key, byte_view stream) noexcept { return memory_->offer(key, stream); }
    status fetch(const page_key& key, tier_place place, byte_span out) noexcept {
        return memory_->fetch(key, place, out);
    }
    status forget(const page_key& key, tier_place place) noexcept { return memory_->forget(key, place); }

private:
    test_tier_memory* memory_;
};
static_assert(backing_tier<test_tier>);

} // namespace pagefold::testing
