// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/store/change_log.hpp>
#include <pagefold/store/image.hpp>
#include <pagefold/store/image_output.hpp>

#include <cstddef>
#include <cstdint>

// Moving pools to another store while they are in use.
//
// What. The rules of Xen's transcendent memory: begin; send while everybody goes on; send what changed meanwhile, round by round; freeze;
// send the last changes; go on there, or cancel and go on here. The stream is an image whose pools come several times, so
// whoever reads it is an image_reader, with room for the marks. Its transport is the host's.
//
//     start()                                    changes are noted from here on
//     step() until ok                            a round: all pages the first time
//     next_round(), step() until ok              what changed since the last round began; again while that gets less
//     freeze(), next_round(), step() until ok    puts, takes and erasures are busy from here on
//     finish() until ok                          the image is whole: the other side says ok, and goes on
//     then destroy the pools here, or cancel()   everything goes on here, as if nothing had been
//
// Invariants. (1) The origin's pools are whole at any time, and cancel() is possible at any time, and done where the object goes: a migration changes nothing here.
// (2) After the round behind freeze the target has every page of the origin and no other one, but for pages of ephemeral
// pools that were dropped here. (3) What changed is noted in a bitmap of the host's (change_log.hpp): no memory is taken, and nothing
// overflows. (4) Until the stream's end the target's pools are half of something, which nobody may use; drop them after a failure.
//
// Cost. A round costs a walk over the pools, and what it sends. A change of a page of such a pool sets a bit; other pools, and stores
// whose config doesn't have logs_changes, pay nothing. The pause is from freeze to the target's ok: a walk, and the last round's pages.
//
// A page that is put all the time is sent in each round, and at last in the pause. Who wants a short pause goes on with rounds as
// long as marked() gets less, and freezes then.

namespace pagefold::inline PAGEFOLD_ABI {

/// Sends pools of a store to another one while they are in use. For one thread at a time.
template <class Store, image_sink Sink>
class migration_origin {
public:
    static constexpr std::uint32_t most_pools = 64;

    /// `pools`: up to most_pools, a parent before its children; one that is sealed at the start is sent once, and no other one may be
    /// sealed meanwhile. Their ranges take every page. `log` and `taken`, which has
    /// room for log.count() words, are for this migration alone; all of them, and `buffer` (as image_writer), must outlive it.
    migration_origin(Store& store, Sink& sink, byte_span buffer, const image_pool* pools, std::uint32_t count,
                     change_log& log, std::uint32_t* taken, const image_options& options = {}) noexcept
        : store_{store}, output_{store, sink, buffer, options}, pools_{pools}, log_{log}, taken_{taken}, count_{count} {
    }
    /// Cancels, if it has not ended.
    ~migration_origin() {
        const status s = cancel();
        PAGEFOLD_CHECK(s == status::ok); // or the store would go on at a log that is gone
    }
    migration_origin(const migration_origin&) = delete;
    migration_origin& operator=(const migration_origin&) = delete;

    /// Begins to note changes, and the first round. invalid: as image_writer, or it has begun, or a pool is there twice or is being
    /// migrated by another object. busy: this call interrupts another, and nothing happened.
    status start() noexcept {
        if (now_ != stage::idle || has_begun_ || count_ > most_pools || !output_.check()) {
            return status::invalid;
        }
        sealed_ = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            for (std::uint32_t k = 0; k < i; ++k) {
                if (pools_[k].id == pools_[i].id) {
                    return status::invalid; // its changes would be noted under one of the two numbers
                }
            }
            const result<pool_family> family = store_.family_of(pools_[i].id);
            if (!family) {
                return family.error();
            }
            sealed_ |= std::uint64_t{(*family).is_sealed} << i;
        }
        log_.clear();
        for (std::uint32_t i = 0; i < count_; ++i) {
            if (const status s = store_.log_changes(pools_[i].id, &log_, i); s != status::ok) {
                while (i-- > 0) { // not of those behind: a log that they have is another's
                    static_cast<void>(store_.log_changes(pools_[i].id, nullptr, 0));
                }
                return s;
            }
        }
        has_begun_ = true;
        now_ = stage::header;
        return status::ok;
    }
    /// Hands a frame to the sink, at most. ok: the round is over. busy: there is more, call again. Else the sink's answer, or the
    /// store's, whose busy is unavailable: the same call can be made again.
    status step() noexcept {
        if (now_ == stage::idle) {
            return status::invalid;
        }
        if (const status s = flush(); s != status::ok) {
            return s;
        }
        if (now_ == stage::between || now_ == stage::finished) {
            return status::ok;
        }
        if (const status s = advance(); s != status::ok) {
            return s == status::busy ? status::unavailable : s;
        }
        const status s = flush();
        return s == status::ok && now_ != stage::between ? status::busy : s;
    }
    /// Bits that are set by what changed since the round began: about so many pages, or fewer, are for the next one.
    [[nodiscard]] std::size_t marked() const noexcept { return log_.marked(); }
    /// From here on nothing changes in the pools; what is under way comes first. Behind it a round is the last one. As log_changes;
    /// where a pool is gone none is frozen.
    status freeze() noexcept {
        if (now_ != stage::between) {
            return status::invalid;
        }
        const status s = note(&log_, true);
        is_frozen_ = s == status::ok;
        if (!is_frozen_ && s != status::busy) {
            static_cast<void>(note(&log_, false));
        }
        return s;
    }
    /// Begins a round of what has changed since the last one began. invalid: that one isn't over.
    status next_round() noexcept {
        if (now_ != stage::between) {
            return status::invalid;
        }
        is_last_ = is_frozen_;
        marks_ = log_.take(taken_);
        ++round_;
        word_ = 0;
        now_ = stage::round;
        return status::ok;
    }
    /// Ends the stream, after a round that followed freeze(): ok; else as step(). The pools stay frozen until they are destroyed, or
    /// cancel() is called.
    status finish() noexcept {
        if (now_ == stage::between && is_last_) {
            output_.total(image_frame::end, count_, all_pages_);
            now_ = stage::finished;
        }
        return now_ == stage::finished ? flush() : status::invalid;
    }
    /// Ends it here: nothing is noted any more, and nothing is frozen. The log is free behind it. busy, and nothing happened: this
    /// call interrupts another.
    status cancel() noexcept {
        if (now_ != stage::idle) {
            if (note(nullptr, false) == status::busy) {
                return status::busy;
            }
            now_ = stage::idle;
        }
        return status::ok;
    }

    [[nodiscard]] unsigned rounds() const noexcept { return round_; }
    [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return output_.bytes(); }
    [[nodiscard]] std::uint64_t pages_sent() const noexcept { return all_pages_; }
    /// Pages that were damaged here, and are not sent.
    [[nodiscard]] std::uint64_t damaged_pages() const noexcept { return damaged_; }

private:
    enum class stage : std::uint8_t { idle, header, round, marks, sweep, pool, pages, pool_end, between, finished };

    status flush() noexcept {
        const status s = output_.flush();
        return s == status::busy ? status::unavailable : s;
    }
    /// Of all pools. One that is gone meanwhile is not waited for.
    status note(change_log* log, bool is_frozen) noexcept {
        status all = status::ok;
        for (std::uint32_t i = 0; i < count_; ++i) {
            const status s = store_.log_changes(pools_[i].id, log, i, is_frozen);
            all = all == status::ok ? s : all;
        }
        return all;
    }
    status advance() noexcept {
        switch (now_) {
        case stage::header:
            output_.header();
            now_ = count_ != 0 ? stage::pool : stage::between;
            return status::ok;
        case stage::round:
            output_.total(image_frame::round, 0, log_.count());
            now_ = stage::marks;
            return status::ok;
        case stage::marks: send_marks(); return status::ok;
        case stage::sweep:
            output_.frame(image_frame::sweep, pool_, 0, 0);
            now_ = stage::pages;
            cursor_ = pool_cursor{pools_[pool_].id};
            return status::ok;
        case stage::pool: {
            const status s = output_.pool(pools_, pool_, count_);
            if (s == status::ok) {
                now_ = stage::pages;
                pages_ = 0;
                cursor_ = pool_cursor{pools_[pool_].id};
            }
            return s;
        }
        case stage::pages: return send_pages();
        case stage::pool_end:
            if (const status s = output_.pool_end(pools_, pool_, count_, pages_); s != status::ok) {
                return s;
            }
            next_pool();
            return status::ok;
        case stage::idle:
        case stage::between:
        case stage::finished:
        default: return status::ok;
        }
    }
    void go_to_pool(std::uint32_t number) noexcept {
        pool_ = number;
        while (round_ != 0 && pool_ < count_ && (sealed_ >> pool_ & 1) != 0) {
            ++pool_;
        }
        now_ = pool_ == count_ ? stage::between : round_ == 0 ? stage::pool : stage::sweep;
    }
    void next_pool() noexcept { go_to_pool(pool_ + 1); }
    /// Words that are not 0, with their numbers, as many as a frame has room for.
    void send_marks() noexcept {
        const byte_span room = output_.payload();
        std::size_t used = 0;
        std::uint32_t count = 0;
        for (; word_ < log_.count() && room.size() - used >= 8; ++word_) {
            if (taken_[word_] != 0) {
                little_endian::store(room.data() + used, word_);
                little_endian::store(room.data() + used + 4, taken_[word_]);
                used += 8;
                ++count;
            }
        }
        output_.frame(image_frame::marks, 0, count, used);
        if (word_ == log_.count()) {
            go_to_pool(marks_ != 0 ? 0 : count_);
        }
    }
    status send_pages() noexcept {
        kept_filter filter;
        if (round_ != 0) {
            filter.marks = {taken_, log_.count()};
            filter.tag = pool_;
        }
        const std::uint64_t before = pages_;
        const status s = output_.pages(pool_, cursor_, filter, pages_, damaged_);
        all_pages_ += pages_ - before;
        if (s == status::ok && cursor_.has_ended()) {
            if (round_ == 0) {
                now_ = stage::pool_end;
            } else {
                next_pool();
            }
        }
        return s;
    }

    Store& store_;
    image_output<Store, Sink> output_;
    const image_pool* pools_;
    change_log& log_;
    std::uint32_t* taken_;
    pool_cursor cursor_{};
    std::uint64_t pages_ = 0, all_pages_ = 0, damaged_ = 0;
    std::size_t marks_ = 0;
    std::uint32_t count_, pool_ = 0, word_ = 0;
    unsigned round_ = 0;
    stage now_ = stage::idle;
    std::uint64_t sealed_ = 0; // at the start, by number
    bool has_begun_ = false, is_frozen_ = false, is_last_ = false;
};

} // namespace pagefold
