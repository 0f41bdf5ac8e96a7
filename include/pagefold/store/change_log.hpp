// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>

#include <cstddef>
#include <cstdint>

// What changed in pools that are being copied to somewhere else while they are in use.
//
// A bitmap over a hash of keys. Each page that comes, goes or gets another content sets the bit of its key. So the memory is
// bounded, whatever happens, and nothing overflows: where pages share a bit, some are sent again that needn't be. With as many
// bits as pages and a tenth of them changed that is a tenth more. Who copies takes all bits at once, and sends every page whose
// bit was set; the other side erases all of its pages with such bits first, and so has no page that is gone here.
//
// Why nothing is missed. A bit is set in the hold of the partition's lock in which the page changes. Whoever takes the bits
// walks the pool afterwards, by holds of the same locks. If the walk's hold of that partition comes first, the taking happened before
// the change did, by the lock, and the bit stays for the next round. If it comes second, it finds what the change left. So all
// accesses are relaxed: the locks order them.
//
// Not this: a list of changed keys (it overflows just when much changes), and a bit for each page number (a pool's objects are
// many, and sparse).

namespace pagefold::inline PAGEFOLD_ABI {

/// A bitmap of changed keys, to look at: `words` times 32 bits, a power of two of words. An empty one has none.
struct change_marks {
    const std::uint32_t* words = nullptr;
    std::uint32_t count = 0;

    [[nodiscard]] constexpr bool is_empty() const noexcept { return count == 0; }
    /// The bit of a key, among `count` words; part of the format of a migration's stream. `tag` says which pool.
    [[nodiscard]] static constexpr std::uint32_t bit(std::uint32_t count, std::uint32_t tag, std::uint64_t object,
                                                     std::uint64_t index) noexcept {
        return static_cast<std::uint32_t>(mix(mix(object, tag), index)) & (count * 32 - 1);
    }
    [[nodiscard]] static constexpr bool is_count(std::size_t count) noexcept {
        return count != 0 && count <= most_words && (count & (count - 1)) == 0;
    }
    [[nodiscard]] constexpr bool has(std::uint32_t tag, std::uint64_t object, std::uint64_t index) const noexcept {
        const std::uint32_t b = bit(count, tag, object, index);
        return (words[b / 32] >> (b % 32) & 1u) != 0;
    }

    static constexpr std::size_t most_words = std::size_t{1} << 26;
};

/// The log itself, over memory of the host's. `mark` and `mark_all` are safe from many threads, each in a hold of a
/// partition's lock; the others are the copier's.
class change_log {
public:
    /// `now`: `count` words, a power of two up to 2^26, which must outlive it.
    change_log(atomic<std::uint32_t>* now, std::size_t count) noexcept
        : now_{now}, count_{static_cast<std::uint32_t>(count)} {
        PAGEFOLD_CHECK(change_marks::is_count(count));
    }
    change_log(const change_log&) = delete;
    change_log& operator=(const change_log&) = delete;

    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

    /// The page changed. Costs a look at a word, and an atomic addition where the bit is not set.
    void mark(std::uint32_t tag, std::uint64_t object, std::uint64_t index) noexcept {
        const std::uint32_t bit = change_marks::bit(count_, tag, object, index);
        atomic<std::uint32_t>& word = now_[bit / 32];
        // relaxed, here and below: see above. A look first, so that a page that changes often leaves the line shared; a bit that
        // is taken between the two was set by an earlier change, and the taker's walk comes to this hold's partition later.
        if ((word.load(memory_order::relaxed) >> (bit % 32) & 1u) == 0) {
            word.fetch_or(std::uint32_t{1} << (bit % 32), memory_order::relaxed);
        }
    }
    /// Any page may have changed.
    void mark_all() noexcept { all_.store(1, memory_order::relaxed); }

    /// Moves all bits to `into`, `count()` words, and says how many there are. Costs a look at each word.
    std::size_t take(std::uint32_t* into) noexcept {
        const bool is_all = all_.exchange(0, memory_order::relaxed) != 0;
        std::size_t bits = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            const std::uint32_t word = now_[i].exchange(0, memory_order::relaxed);
            into[i] = is_all ? ~std::uint32_t{0} : word;
            bits += count_ones(into[i]);
        }
        return bits;
    }
    /// Bits that are set now.
    [[nodiscard]] std::size_t marked() const noexcept {
        std::size_t bits = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            bits += count_ones(now_[i].load(memory_order::relaxed));
        }
        return all_.load(memory_order::relaxed) != 0 ? std::size_t{count_} * 32 : bits;
    }
    void clear() noexcept {
        all_.store(0, memory_order::relaxed);
        for (std::uint32_t i = 0; i < count_; ++i) {
            now_[i].store(0, memory_order::relaxed);
        }
    }

private:
    atomic<std::uint32_t>* now_;
    atomic<std::uint32_t> all_{0};
    std::uint32_t count_;
};

/// What a partition's pool knows of who copies it; nothing where nobody can.
template <bool LogsChanges>
struct pool_log {};
template <>
struct pool_log<true> {
    change_log* log = nullptr; ///< or nobody does
    std::uint32_t log_tag = 0;
    bool is_frozen = false; ///< puts, takes and erasures are refused for now
};

} // namespace pagefold
