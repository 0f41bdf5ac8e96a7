// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/acquire_context.hpp>
#include <pagefold/core/atomic.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/platform/locality.hpp>
#include <pagefold/platform/parking.hpp>
#include <pagefold/store/limited_source.hpp>
#include <pagefold/store/node_part.hpp>
#include <pagefold/store/presence.hpp>
#include <pagefold/store/scratch_memory.hpp>

#include <cstddef>
#include <cstdint>

// Working memory for codecs, so that no lock is held while they work.
//
// A slot has a scratch, prepared once by the codec, a buffer for one stream and one for the page as it was when the
// operation began. Slot 0 has its memory from the store's beginning and keeps it, so that no operation fails for want of
// scratch. Others get theirs when every slot that has some is taken, one request to the source for each operation at most,
// and none for a while after a refusal; trim() gives them back. Room for the first few is kept free under the byte limit:
// a store that one thread filled must not leave its readers one scratch.
//
//     free ──take──► taken ──lease ends──► free                 (nobody waits)
//                       └──every 16th, where somebody waits──► handed ──a waiter takes it──► taken
//
// Invariants. A slot is used by who took it from `free` or `handed`: one word says which it is, or whose, so that a handler
// which comes at any instruction finds a slot free or sees that its own thread has it. While somebody waits, no slot stays
// free without a wake after it, and a waiter gets the slot of one of 16 operations; a newcomer has to sleep first before it
// takes such a one. So who works without a pause can't shut out the others for long, even on a single processor. Handing
// every one over would be fair and slow: a change of threads for each page.
//
// Where a store is on several memory nodes, a thread takes a slot whose memory is on the node of its processor, or gives one
// that has none such memory; only then one of another node, or, where the node's budget or the source refuses, memory of
// any. Who waits takes what comes free. So a node that is short costs distance, and never an operation. Such memory is asked
// for as a wish, not strictly, and charged to the node's budget. With one node, or none, nobody asks where it runs.
//
// Cost. Uncontended: one exchange to take and one to give back, in a cache line of the slot's own, and a look at a line
// that seldom changes; on several nodes, the host's answer and a look at such a line for each node before. Threads begin at
// different slots, by their token, so that each meets the slot warm in its cache.

namespace pagefold::inline PAGEFOLD_ABI {

/// `Exclusive`: one thread at a time uses the store, so a slot that is taken was taken by a call that this one interrupts.
template <class Compressor, unsigned Slots, parking Parking, bool Exclusive, locality Locality>
requires(Slots >= 1) class scratch_pool {
    using mask = std::size_t; // a bit a slot
    static constexpr unsigned mask_bits = sizeof(mask) * 8;
    static constexpr unsigned slot_count = Slots < mask_bits ? Slots : mask_bits;

    // What a slot's word says: one of these, or the token of the thread that has it, which is a pointer or a small number.
    static constexpr std::uintptr_t free = 0;
    static constexpr std::uintptr_t handed = ~std::uintptr_t{0}; // for a waiter
    static constexpr std::uintptr_t nameless =
        ~std::uintptr_t{0} - 1; // taken, where the host can't tell its threads apart

    struct alignas(64) slot {
        atomic<std::uintptr_t> holder{free};
        std::byte* memory = nullptr; // guarded by `holder`, as is
        node_part* node = nullptr;   // whose source it is from; null: the store's
    };

public:
    /// Slots for which room is kept free.
    static constexpr unsigned kept_slots = slot_count < 8 ? slot_count : 8;

    /// The right to use a slot, given back at the end of the scope.
    class [[nodiscard]] lease {
    public:
        lease(scratch_pool& pool, slot* taken) noexcept : pool_{pool}, slot_{taken} {}
        ~lease() {
            if (slot_ != nullptr) {
                pool_.give_back(*slot_);
            }
        }
        lease(const lease&) = delete;
        lease& operator=(const lease&) = delete;

        [[nodiscard]] explicit operator bool() const noexcept { return slot_ != nullptr; }
        [[nodiscard]] byte_span scratch() const noexcept { return pool_.memory_.scratch(slot_->memory); }
        /// For a stream, or for what a compressor makes.
        [[nodiscard]] byte_span buffer() const noexcept { return pool_.memory_.buffer(slot_->memory); }
        /// For a copy of the page.
        [[nodiscard]] byte_span page() const noexcept { return pool_.memory_.page(slot_->memory); }
        /// Buffer and page in one: for several streams.
        [[nodiscard]] byte_span both() const noexcept { return pool_.memory_.both(slot_->memory); }
        /// What the store wanted besides.
        [[nodiscard]] byte_span extra() const noexcept { return pool_.memory_.extra(slot_->memory); }

    private:
        scratch_pool& pool_;
        slot* slot_;
    };

    /// `at_locks`: threads that a handler must not wait for; who waits here is one of them.
    scratch_pool(const Compressor& compressor, std::size_t page_size, limited_source& source, const byte_budget& budget,
                 presence& at_locks, std::size_t extra = 0) noexcept
        : memory_{compressor, page_size, source, extra}, budget_{budget}, at_locks_{at_locks} {}
    ~scratch_pool() {
        for (slot& s : slots_) {
            if (s.memory != nullptr) {
                memory_.release(s.memory, s.node);
            }
        }
    }
    scratch_pool(const scratch_pool&) = delete;
    scratch_pool& operator=(const scratch_pool&) = delete;

    /// The nodes that scratch can be on; before set_up. They outlive the pool.
    void set_nodes(node_part* nodes, std::size_t count) noexcept { nodes_ = {nodes, count}; }
    /// Takes the memory of slot 0; once, before the first acquire. Fails with what the source or the codec answered.
    status set_up() noexcept {
        slot& first = slots_[0];
        if (first.memory != nullptr) {
            return status::ok;
        }
        return give_memory(first, 0, nodes_.at_processor(), {});
    }

    /// A slot. Waits where all are taken; empty where that would be for ever, because this call interrupts another of the
    /// same thread (`busy` to the caller). `context`: for memory of one more.
    lease acquire(acquire_context context = {}) noexcept {
        const std::uintptr_t self = token();
        const unsigned start = hint(self);
        node_part* const node = nodes_.at_processor();
        slot* found = take(free, start, self, slots_near(node));
        if (found == nullptr) [[unlikely]] {
            found = acquire_slowly(start, self, node, context);
        }
        return {*this, found};
    }

    /// Gives back the memory of slots that nobody uses, on a node or wherever they are, all but the first; says how many
    /// bytes. Waits for nothing.
    std::size_t trim(node_id where = any_node) noexcept {
        std::size_t bytes = 0;
        for (unsigned i = 1; i < slot_count; ++i) {
            slot& s = slots_[i];
            if ((warm_.load(memory_order::relaxed) >> i & 1u) == 0 || !claim_unused(s, token())) {
                continue;
            }
            if (s.memory != nullptr && (where == any_node || (s.node != nullptr && s.node->node == where))) {
                memory_.release(s.memory, s.node);
                s.memory = nullptr;
                // The bits were set: only the slot's holder changes them.
                if (s.node != nullptr) {
                    s.node->scratch.fetch_sub(mask{1} << i, memory_order::relaxed);
                    s.node = nullptr;
                }
                warm_.fetch_sub(mask{1} << i, memory_order::relaxed);
                bytes += memory_.bytes();
            }
            give_back(s);
        }
        return bytes;
    }

    /// Whether this thread is inside an operation already, and has a slot: whoever quiesces waits for it.
    [[nodiscard]] bool has_slot(std::uintptr_t self = token()) const noexcept {
        bool has = false;
        for (const slot& s : slots_) {
            // relaxed: only this thread ever stores its own token, so what it reads of that is what it did.
            has = has || (self != nameless && s.holder.load(memory_order::relaxed) == self);
        }
        return has;
    }
    /// Takes every slot, after those who have them: no operation is under way then, and none begins. False, and nothing
    /// happened, where this call interrupts one. Slots that come free meanwhile are kept for it, so that it waits for one
    /// operation of each thread, or a few.
    [[nodiscard]] bool quiesce() noexcept {
        const std::uintptr_t self = token();
        for (const slot& s : slots_) {
            const std::uintptr_t holder = s.holder.load(memory_order::relaxed); // as in has_slot()
            if (holder != free && holder != handed && (Exclusive || (self != nameless && holder == self))) {
                return false;
            }
        }
        waiters_.fetch_add(stopping, memory_order::seq_cst); // as in wait()
        for (slot& s : slots_) {
            for (;;) {
                const std::uint32_t epoch = epoch_.load(memory_order::seq_cst);
                if (claim(s, free, self) || claim(s, handed, self)) {
                    break;
                }
                Parking::wait(epoch_, epoch);
            }
        }
        return true;
    }
    void resume() noexcept {
        for (slot& s : slots_) {
            s.holder.store(free, memory_order::seq_cst); // as in give_back()
        }
        if (waiters_.fetch_sub(stopping, memory_order::seq_cst) != stopping) {
            epoch_.fetch_add(1, memory_order::seq_cst);
            Parking::wake_all(epoch_);
        }
    }
    /// The same where all threads but this one are gone: nothing is handed to those that waited.
    void resume_alone() noexcept {
        for (slot& s : slots_) {
            s.holder.store(free, memory_order::release);
        }
        waiters_.store(0, memory_order::release);
    }

    /// Bytes taken from the source. Exact while no operation is under way.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return count_ones(warm_.load(memory_order::relaxed)) * memory_.bytes();
    }
    /// Of those, bytes on a node.
    [[nodiscard]] std::size_t bytes_on(const node_part& node) const noexcept {
        return count_ones(node.scratch.load(memory_order::relaxed)) * memory_.bytes();
    }
    /// Bytes of the limit that everything else leaves free, so that the first slots can be had: kept_slots of them, a 64th of
    /// the limit at most; but the first half of those is worth a 32nd, as one slot fewer than readers is a queue.
    [[nodiscard]] std::size_t kept_free() const noexcept {
        const unsigned have = count_ones(warm_.load(memory_order::relaxed));
        const std::size_t all = wanted(kept_slots, have, budget_.limit() / 64);
        const std::size_t first = wanted((kept_slots + 1) / 2, have, budget_.limit() / 32);
        return all > first ? all : first;
    }

private:
    static constexpr unsigned operations_a_handover = 16;
    static constexpr std::uint32_t stopping = 1u << 30;        // in waiters_: who quiesces gets whatever comes free
    static constexpr std::uint32_t calls_after_refusal = 1024; // that find no slot, before the source is asked again

    [[nodiscard]] static std::uintptr_t token() noexcept {
        const std::uintptr_t self = Exclusive ? 1 : Parking::self();
        return self != 0 ? self : nameless;
    }
    /// Where a thread begins to look: by its token, or by where its stack is.
    [[nodiscard]] static unsigned hint(std::uintptr_t self) noexcept {
        self = self != nameless ? self : reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) >> 16;
        return slot_count == 1 ? 0 : static_cast<unsigned>(mix(self, 0) % slot_count);
    }
    [[nodiscard]] std::size_t wanted(unsigned slots, unsigned have, std::size_t most) const noexcept {
        const std::size_t bytes = have < slots ? (slots - have) * memory_.bytes() : 0;
        return bytes < most ? bytes : most;
    }

    [[nodiscard]] mask all() const noexcept { return warm_.load(memory_order::seq_cst); }
    /// The slots to look at first. relaxed: who finds none there looks at all.
    [[nodiscard]] mask slots_near(const node_part* node) const noexcept {
        return nodes_.count > 1 && node != nullptr ? node->scratch.load(memory_order::relaxed) : all();
    }

    /// Takes a slot that is as said. The exchange acquires what the last holder released: the codec's state in the memory.
    /// seq_cst, and the look before it too, as it may be a waiter's last one before it sleeps; see give_back().
    [[nodiscard]] static bool claim(slot& s, std::uintptr_t is, std::uintptr_t self) noexcept {
        return s.holder.load(memory_order::seq_cst) == is && s.holder.compare_exchange(is, self, memory_order::seq_cst);
    }
    /// The same of one that nobody has, and nobody waits for.
    [[nodiscard]] bool claim_unused(slot& s, std::uintptr_t self) noexcept {
        // relaxed: whoever begins to wait now gets another.
        return claim(s, free, self) || (waiters_.load(memory_order::relaxed) == 0 && claim(s, handed, self));
    }
    /// A slot that has memory and is as said, of these. A bit that is not seen yet is a slot that is not found this time; all()
    /// is seq_cst for a waiter's last look, as above.
    [[nodiscard]] slot* take(std::uintptr_t is, unsigned start, std::uintptr_t self, mask among) noexcept {
        const mask warm = rotate_right(among, start);
        for (mask bits = warm; bits != 0; bits &= bits - 1) {
            slot& s = slots_[(start + trailing_zeros(bits)) % mask_bits];
            if (claim(s, is, self)) {
                if (s.memory != nullptr) [[likely]] {
                    return &s;
                }
                s.holder.store(free, memory_order::release); // trimmed just now
            }
        }
        return nullptr;
    }
    PAGEFOLD_NOINLINE slot* acquire_slowly(unsigned start, std::uintptr_t self, node_part* node,
                                           acquire_context context) noexcept {
        // From within the page source, which would be asked within itself; and who has a scratch may wait for a lock that
        // this thread has.
        const bool may_grow = !is_growing(self) && (self == nameless || !at_locks_.has(self));
        slot* found = may_grow ? take_left_or_grow(start, self, node, context) : nullptr;
        if (found == nullptr && node != nullptr) { // elsewhere, then
            found = take(free, start, self, all());
            if (found == nullptr && may_grow) {
                found = take_left_or_grow(start, self, nullptr, context);
            }
        }
        return found != nullptr || !may_grow || Exclusive || has_slot(self) ? found : wait(start, self);
    }
    /// One that was kept for somebody who found another, or one with new memory.
    [[nodiscard]] slot* take_left_or_grow(unsigned start, std::uintptr_t self, node_part* node,
                                          acquire_context context) noexcept {
        // relaxed: whoever begins to wait now gets another.
        const bool is_left = waiters_.load(memory_order::relaxed) == 0;
        slot* const left = is_left ? take(handed, start, self, slots_near(node)) : nullptr;
        return left != nullptr ? left : grow(start, self, node, context);
    }
    [[nodiscard]] slot* wait(unsigned start, std::uintptr_t self) noexcept {
        // A handler that comes meanwhile must not wait for what was handed to this thread.
        const presence::stay stay{at_locks_, self != nameless ? self : 0};
        if (!stay) {
            return nullptr;
        }
        // Who comes when others wait already has to sleep before it takes what may be meant for one of them. If all of those
        // find other slots, they wake it when they give them back; which is behind its being counted, and so changes the word
        // that was read in front of that, even where the slot that they found is gone again before it looks.
        std::uint32_t epoch = epoch_.load(memory_order::seq_cst);
        bool may_take_handed = waiters_.fetch_add(1, memory_order::seq_cst) == 0;
        slot* found = nullptr;
        for (;;) {
            found = take(free, start, self, all());
            // relaxed: who quiesces gets the slot when it comes free again.
            if (found == nullptr && may_take_handed && waiters_.load(memory_order::relaxed) < stopping) {
                found = take(handed, start, self, all());
            }
            if (found != nullptr) {
                break;
            }
            Parking::wait(epoch_, epoch);
            may_take_handed = true;
            // Read before the next look, so that a slot given back after it changes the word and ends the wait.
            epoch = epoch_.load(memory_order::seq_cst);
        }
        waiters_.fetch_sub(1, memory_order::relaxed); // one too many only costs a wake
        return found;
    }
    /// A slot that never had memory, or gave it back, with new memory, of the node if one is named; null where there is no such
    /// slot, or the source refuses.
    [[nodiscard]] slot* grow(unsigned start, std::uintptr_t self, node_part* node, acquire_context context) noexcept {
        // relaxed: a number of tries that nobody relies on.
        atomic<std::uint32_t>& pauses = node != nullptr ? node->pause : pause_;
        if (const std::uint32_t pause = pauses.load(memory_order::relaxed); pause != 0) {
            pauses.store(pause - 1, memory_order::relaxed);
            return nullptr;
        }
        for (unsigned i = 0; i < slot_count; ++i) {
            const unsigned number = (start + i) % slot_count;
            slot& s = slots_[number];
            if ((warm_.load(memory_order::relaxed) >> number & 1u) != 0 || !claim(s, free, self)) {
                continue;
            }
            if (s.memory == nullptr && give_memory(s, number, node, context) != status::ok) {
                pauses.store(calls_after_refusal, memory_order::relaxed);
                give_back(s);
                return nullptr;
            }
            return &s;
        }
        return nullptr;
    }
    /// Whether this thread is at the page source for a slot.
    [[nodiscard]] bool is_growing(std::uintptr_t self) const noexcept {
        bool grows = false;
        for (const slot& s : slots_) {
            grows = grows || (self != nameless && s.holder.load(memory_order::relaxed) == self && s.memory == nullptr);
        }
        return grows;
    }

    void give_back(slot& s) noexcept {
        const std::uint32_t waiting = waiters_.load(memory_order::relaxed);
        const bool is_handed =
            waiting != 0 && s.memory != nullptr &&
            (waiting >= stopping || turn_.fetch_add(1, memory_order::relaxed) % operations_a_handover == 0);
        // Releases what this holder wrote. seq_cst, here and on waiters_: either a waiter's look comes later and finds the
        // slot, or its count is seen here and it is woken.
        static_cast<void>(s.holder.exchange(is_handed ? handed : free, memory_order::seq_cst));
        if (const std::uint32_t sleepers = waiters_.load(memory_order::seq_cst); sleepers != 0) [[unlikely]] {
            epoch_.fetch_add(1, memory_order::seq_cst);
            if (sleepers < stopping) {
                Parking::wake_one(epoch_);
            } else {
                Parking::wake_all(epoch_); // one that may not take it might be woken, and the one that may sleep on
            }
        }
    }
    status give_memory(slot& s, unsigned number, node_part* node, acquire_context context) noexcept {
        const result<std::byte*> memory = memory_.acquire(node, context);
        if (!memory) {
            return memory.error();
        }
        s.memory = *memory;
        s.node = node;
        // The bits were clear, and the slot's holder alone sets them. seq_cst: in front of the slot's return, for a waiter's
        // last look; relaxed of the node's, where nobody looks last.
        if (node != nullptr) {
            node->scratch.fetch_add(mask{1} << number, memory_order::relaxed);
        }
        warm_.fetch_add(mask{1} << number, memory_order::seq_cst);
        return status::ok;
    }

    scratch_memory<Compressor> memory_;
    const byte_budget& budget_;
    presence& at_locks_;
    node_parts<Locality> nodes_{};
    alignas(64) atomic<mask> warm_{0}; // bit set: the slot has memory
    atomic<std::uint32_t> pause_{0};
    alignas(64) atomic<std::uint32_t> waiters_{0};
    atomic<std::uint32_t> epoch_{0}; // changes with every slot given back while somebody waits
    atomic<std::uint32_t> turn_{0};
    slot slots_[slot_count];
};

} // namespace pagefold
