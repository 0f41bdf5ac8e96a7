// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/status.hpp>
#include <pagefold/store/image.hpp>
#include <pagefold/store/image_output.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// Saves pools of a store as an image (image.hpp). For one thread at a time; everybody else goes on using the store.
template <class Store, image_sink Sink>
class image_writer {
    using stage = image_position::stage;

public:
    /// `pools`: `count` of them, a parent before its children; they and `buffer`, at least least_image_buffer bytes, must outlive it.
    /// The buffer is written while locks are held: it must not be memory that is paged by somebody who needs the store.
    image_writer(Store& store, Sink& sink, byte_span buffer, const image_pool* pools, std::uint32_t count,
                 const image_options& options = {}) noexcept
        : output_{store, sink, buffer, options}, pools_{pools}, count_{count} {}
    /// Goes on with an image that was broken off at `from`, where its bytes are cut to `from.bytes`: with the same pools of the
    /// same store, and a buffer of the same length.
    image_writer(Store& store, Sink& sink, byte_span buffer, const image_pool* pools, std::uint32_t count,
                 const image_options& options, const image_position& from) noexcept
        : image_writer{store, sink, buffer, pools, count, options} {
        done_ = next_ = from;
        output_.go_on(from.bytes, from.sequence);
        next_.cursor.pool = from.pool < count ? pools[from.pool].id : pool_id{};
    }

    /// Hands a frame to the sink, at most. ok: the image is whole. busy: there is more, call again. Anything else can be tried again as
    /// well, and nothing is lost by it: what the sink or the store answered, or invalid: the buffer is too short, the codec isn't
    /// known by a number, a pool is gone, or comes before its parent.
    ///
    /// Costs up to 256 holds of a lock, and what is copied to a frame.
    status step() noexcept {
        const bool is_at_pool = next_.next == stage::pool || next_.next == stage::pages;
        if (!output_.check() || next_.pool > count_ || (is_at_pool && next_.pool == count_)) {
            return status::invalid; // the last two: a position of another image
        }
        if (const status s = settle(); s != status::ok) {
            return s;
        }
        if (next_.next == stage::done) {
            return status::ok;
        }
        if (const status s = advance(); s != status::ok) {
            return s;
        }
        const status s = settle();
        return s != status::ok || done_.next == stage::done ? s : status::busy;
    }
    /// Steps until it is whole, or something is in the way.
    status run() noexcept {
        status s;
        do {
            s = step();
        } while (s == status::busy);
        return s;
    }

    /// Behind the last frame that the sink took.
    [[nodiscard]] const image_position& position() const noexcept { return done_; }
    /// Pages that were damaged, and are not in the image.
    [[nodiscard]] std::uint64_t damaged_pages() const noexcept { return damaged_; }

private:
    status settle() noexcept {
        if (const status s = output_.flush(); s != status::ok) {
            return s == status::busy ? status::unavailable : s;
        }
        done_ = next_;
        done_.bytes = output_.bytes();
        done_.sequence = output_.sequence();
        return status::ok;
    }
    status advance() noexcept {
        switch (next_.next) {
        case stage::header:
            output_.header();
            next_.next = count_ != 0 ? stage::pool : stage::end;
            return status::ok;
        case stage::pool: {
            const status s = output_.pool(pools_, next_.pool, count_);
            if (s == status::ok) {
                next_.cursor = pool_cursor{pools_[next_.pool].id};
                next_.pages = 0;
                next_.next = stage::pages;
            }
            return s == status::busy ? status::unavailable : s;
        }
        case stage::pages:
            if (!next_.cursor.has_ended()) {
                const std::uint64_t before = next_.pages;
                const status s =
                    output_.pages(next_.pool, next_.cursor, pools_[next_.pool].range, next_.pages, damaged_);
                next_.all_pages += next_.pages - before;
                return s == status::busy ? status::unavailable : s;
            }
            if (const status s = output_.pool_end(pools_, next_.pool, count_, next_.pages); s != status::ok) {
                return s == status::busy ? status::unavailable : s;
            }
            ++next_.pool;
            next_.next = next_.pool < count_ ? stage::pool : stage::end;
            return status::ok;
        case stage::end:
            output_.total(image_frame::end, count_, next_.all_pages);
            next_.next = stage::done;
            return status::ok;
        case stage::done:
        default: return status::ok;
        }
    }

    image_output<Store, Sink> output_;
    const image_pool* pools_;
    image_position done_{}, next_{};
    std::uint64_t damaged_ = 0;
    std::uint32_t count_;
};

} // namespace pagefold
