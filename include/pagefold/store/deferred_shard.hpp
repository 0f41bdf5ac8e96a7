// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

// The slots of a deferred_store that the keys of one hash class share, under a lock of their own.
//
// A slot is free, or has a key and stands in one of two lines, or somebody has it: `working`. Who has it is the only one who
// changes what the store holds under its key. What the key's page is, the slot says alone: has_page, with the page, or that
// there is none. Both may change while somebody has it, and `version` then does.
//
// Who goes to the store without a slot, since the key has none, is noted with the key's hash, and no slot comes for that
// key until it is back. So the store's pages of a key are changed by the slot's holder, or by calls that the store puts in order
// itself, and never by both.
//
// Invariants. A key has one slot at most. `live` is the number of slots with a key, `waiting` of those in the line of
// that name. A slot of the lists of free ones has no key; the warm ones have memory. Cost: chains have one slot on average,
// as there are as many buckets as slots; all else is a few steps, and a look at up to 16 hashes.

namespace pagefold::inline PAGEFOLD_ABI {

/// A page that waits to be compressed, or a place for one. The head of the bucket of the same number lies in it as well.
struct deferred_slot {
    static constexpr std::uint32_t none = 0xffffffffu;
    enum class stage : std::uint8_t {
        free,
        waiting, ///< for somebody to put it into the store
        held,    ///< as it did wait, and the store refused it
        working, ///< somebody has it
    };

    page_key key{};
    std::byte* page = nullptr; ///< its memory, which a free slot may keep
    std::uint32_t hash = 0;
    std::uint32_t length = 0;  ///< of the page or value
    std::uint32_t version = 0; ///< changes with the page
    std::uint32_t head = none; ///< of a bucket
    std::uint32_t next = none; ///< in a bucket, or of the free
    std::uint32_t before = none;
    std::uint32_t after = none; ///< in a line, or of those that one call has
    stage is = stage::free;
    bool has_page = false; ///< false: the key has none, and somebody still has to erase it from the store
};

static_assert(sizeof(deferred_slot) <= 64);

/// All is guarded by `lock`, but what is atomic, which is written under it.
template <lockable Lock>
class alignas(64) deferred_shard {
public:
    using stage = deferred_slot::stage;

    /// Slots in the order in which they came.
    struct line {
        std::uint32_t first = deferred_slot::none;
        std::uint32_t last = deferred_slot::none;
    };
    /// What was counted here; sums are deferred_stats.
    struct counts {
        std::uint64_t deferred = 0, direct = 0, superseded = 0, stored = 0, refused = 0, dropped = 0, hits = 0;
    };

    /// Takes slots, which are new; once.
    void set_up(deferred_slot* slots, std::uint32_t count) noexcept {
        PAGEFOLD_CHECK(slots_ == nullptr);
        slots_ = slots;
        count_ = count;
        for (std::uint32_t i = count; i-- != 0;) {
            slots_[i].next = cold_;
            cold_ = i;
        }
    }
    [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
    [[nodiscard]] deferred_slot& slot(std::uint32_t i) noexcept { return slots_[i]; }
    [[nodiscard]] const deferred_slot& slot(std::uint32_t i) const noexcept { return slots_[i]; }

    [[nodiscard]] deferred_slot* find(const page_key& key, std::uint32_t hash) noexcept {
        if (count_ == 0) {
            return nullptr;
        }
        for (std::uint32_t i = slots_[hash % count_].head; i != deferred_slot::none; i = slots_[i].next) {
            if (slots_[i].hash == hash && slots_[i].key == key) {
                return &slots_[i];
            }
        }
        return nullptr;
    }

    /// Whether a slot is free that has no memory.
    [[nodiscard]] bool has_cold() const noexcept { return cold_ != deferred_slot::none; }
    /// A slot for a key that has none, `working`, without a page: one with memory, or one that gets `memory`, which is null then.
    /// Null where there is none.
    [[nodiscard]] deferred_slot* open(const page_key& key, std::uint32_t hash, std::byte*& memory) noexcept {
        std::uint32_t& list = warm_ != deferred_slot::none ? warm_ : cold_;
        if (list == deferred_slot::none || (warm_ == deferred_slot::none && memory == nullptr)) {
            return nullptr;
        }
        deferred_slot& s = slots_[list];
        const std::uint32_t number = list;
        list = s.next;
        if (s.page == nullptr) {
            s.page = memory;
            memory = nullptr;
        }
        s.key = key;
        s.hash = hash;
        s.is = stage::working;
        s.has_page = false;
        std::uint32_t& head = slots_[hash % count_].head;
        s.next = head;
        head = number;
        add_to(live, 1);
        return &s;
    }
    /// The slot, which somebody has, is free; it keeps its memory.
    void close(deferred_slot& s) noexcept {
        PAGEFOLD_ASSERT(s.is == stage::working && !s.has_page);
        const std::uint32_t number = number_of(s);
        std::uint32_t* at = &slots_[s.hash % count_].head;
        while (*at != number) {
            at = &slots_[*at].next;
        }
        *at = s.next;
        s.is = stage::free;
        s.key = page_key{};
        std::uint32_t& list = s.page != nullptr ? warm_ : cold_;
        s.next = list;
        list = number;
        add_to(live, ~std::uint32_t{0});
    }
    /// The memory of a free slot that has some; null where none has.
    [[nodiscard]] std::byte* take_memory() noexcept {
        if (warm_ == deferred_slot::none) {
            return nullptr;
        }
        deferred_slot& s = slots_[warm_];
        const std::uint32_t number = warm_;
        warm_ = s.next;
        s.next = cold_;
        cold_ = number;
        std::byte* const memory = s.page;
        s.page = nullptr;
        return memory;
    }

    /// A slot that somebody has goes to the end of a line.
    void line_up(deferred_slot& s, stage in) noexcept {
        PAGEFOLD_ASSERT(s.is == stage::working && (in == stage::waiting || in == stage::held));
        line& l = in == stage::held ? held_ : waiting_;
        const std::uint32_t number = number_of(s);
        s.is = in;
        s.before = l.last;
        s.after = deferred_slot::none;
        (l.last != deferred_slot::none ? slots_[l.last].after : l.first) = number;
        l.last = number;
        add_to(in == stage::held ? held : waiting, 1);
    }
    /// The caller has a slot that stood in a line.
    void take(deferred_slot& s) noexcept {
        PAGEFOLD_ASSERT(s.is == stage::waiting || s.is == stage::held);
        line& l = s.is == stage::held ? held_ : waiting_;
        (s.before != deferred_slot::none ? slots_[s.before].after : l.first) = s.after;
        (s.after != deferred_slot::none ? slots_[s.after].before : l.last) = s.before;
        add_to(s.is == stage::held ? held : waiting, ~std::uint32_t{0});
        s.is = stage::working;
    }
    /// The first in a line, or null.
    [[nodiscard]] deferred_slot* first_of(stage in) noexcept {
        const std::uint32_t first = in == stage::held ? held_.first : waiting_.first;
        return first != deferred_slot::none ? &slots_[first] : nullptr;
    }

    // Who is at the store without a slot.

    void go_past(std::uint32_t hash) noexcept {
        if (passing_count_ < most_noted) {
            passing_[passing_count_++] = hash;
        } else {
            ++passing_unnoted_;
        }
    }
    void come_back(std::uint32_t hash) noexcept {
        for (std::uint32_t i = 0; i < passing_count_; ++i) {
            if (passing_[i] == hash) {
                passing_[i] = passing_[--passing_count_];
                return;
            }
        }
        --passing_unnoted_; // or it took the note of another of this hash, which finds none then
    }
    /// Whether somebody may be there with such a key.
    [[nodiscard]] bool is_passed(std::uint32_t hash) const noexcept {
        bool found = passing_unnoted_ != 0;
        for (std::uint32_t i = 0; i < passing_count_; ++i) {
            found = found || passing_[i] == hash;
        }
        return found;
    }

    /// In a copy of the process that only this thread came to: who had a slot or was at the store is not there. What they were about
    /// to do is done again by who finds the slot waiting.
    void forget_others() noexcept {
        passing_count_ = 0;
        passing_unnoted_ = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            if (slots_[i].is == stage::working) {
                line_up(slots_[i], stage::waiting);
            }
        }
    }

    /// Whether lists, chains and numbers agree; for tests. Walks all.
    [[nodiscard]] bool check() const noexcept {
        std::uint32_t in[4]{}, chained = 0, free = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            const deferred_slot& s = slots_[i];
            ++in[static_cast<unsigned>(s.is)];
            if ((s.is == stage::free && s.has_page) || (s.is != stage::free && s.page == nullptr)) {
                return false;
            }
            for (std::uint32_t at = s.head, steps = 0; at != deferred_slot::none; at = slots_[at].next) {
                if (at >= count_ || ++steps > count_ || slots_[at].hash % count_ != i || slots_[at].is == stage::free) {
                    return false;
                }
                ++chained;
            }
        }
        for (const std::uint32_t list : {warm_, cold_}) {
            for (std::uint32_t at = list; at != deferred_slot::none && free <= count_; at = slots_[at].next) {
                if (slots_[at].is != stage::free || (slots_[at].page != nullptr) != (list == warm_)) {
                    return false;
                }
                ++free;
            }
        }
        return free == in[0] && chained == count_ - free && live.load(memory_order::relaxed) == chained &&
               check(waiting_, stage::waiting, in[1]) && check(held_, stage::held, in[2]) &&
               waiting.load(memory_order::relaxed) == in[1] && held.load(memory_order::relaxed) == in[2];
    }

    Lock lock{};
    // What a reader sees of a slot that is there comes with the lock. acquire and release, for who finds none: the store has
    // what the slot had.
    atomic<std::uint32_t> live{0};
    atomic<std::uint32_t> waiting{0}; ///< seq_cst, for who sleeps until there are some
    atomic<std::uint32_t> held{0};
    atomic<std::uint32_t> refusals{0}; ///< changes when the store refused a page, whose older version it has erased
    atomic<std::uint32_t> erasures{0}; ///< changes when a page that was gone is erased from the store
    counts counted{};

private:
    static constexpr std::uint32_t most_noted = 16;

    /// Only the lock's holder writes. seq_cst, as it is all for those who sleep: a store of either kind is an exchange or a fence.
    static void add_to(atomic<std::uint32_t>& number, std::uint32_t by) noexcept {
        number.store(number.load(memory_order::relaxed) + by, memory_order::seq_cst);
    }
    [[nodiscard]] std::uint32_t number_of(const deferred_slot& s) const noexcept {
        return static_cast<std::uint32_t>(&s - slots_);
    }
    [[nodiscard]] bool check(const line& l, stage in, std::uint32_t count) const noexcept {
        std::uint32_t found = 0, before = deferred_slot::none;
        for (std::uint32_t at = l.first; at != deferred_slot::none; at = slots_[at].after) {
            if (slots_[at].is != in || slots_[at].before != before || ++found > count) {
                return false;
            }
            before = at;
        }
        return found == count && l.last == before;
    }

    deferred_slot* slots_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t warm_ = deferred_slot::none; // free, with memory
    std::uint32_t cold_ = deferred_slot::none; // free, without
    line waiting_{};
    line held_{};
    std::uint32_t passing_count_ = 0;
    std::uint32_t passing_unnoted_ = 0;
    std::uint32_t passing_[most_noted]{};
};

} // namespace pagefold
