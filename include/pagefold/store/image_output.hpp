// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/store/image.hpp>

#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

/// The frames of an image on their way to a sink: what image_writer and migration_origin share. One frame is in the buffer; it
/// stays there until the sink has taken it, and who is at it makes no other one before.
template <class Store, image_sink Sink>
class image_output {
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr std::size_t pages_a_copy = 16;

public:
    /// `buffer`: at least least_image_buffer bytes, which is asked for by check.
    image_output(Store& store, Sink& sink, byte_span buffer, const image_options& options) noexcept
        : store_{store}, sink_{sink}, options_{options} {
        if (buffer.size() >= least_image_buffer(page_size)) {
            // A quarter for copies, no more than there are in one, and the rest for a frame.
            const std::size_t most = pages_a_copy * page_size, quarter = buffer.size() / 4;
            const std::size_t copies = quarter < page_size ? page_size : quarter < most ? quarter : most;
            copies_ = buffer.first(copies);
            frame_ = buffer.subview(copies, most_frame(buffer.size() - copies));
        }
    }

    /// Whether it can begin: the buffer, and what is known of the codecs.
    [[nodiscard]] bool check() const noexcept { return !frame_.empty() && image_codec(store_, options_.codec) != 0; }

    [[nodiscard]] bool has_pending() const noexcept { return pending_ != 0; }
    /// Bytes that the sink has taken, and the number of the next frame.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
    void go_on(std::uint64_t bytes, std::uint64_t sequence) noexcept {
        bytes_ = bytes;
        sequence_ = sequence;
    }

    /// Hands what is pending to the sink.
    status flush() noexcept {
        if (pending_ == 0) {
            return status::ok;
        }
        const status s = sink_.write(frame_.first(pending_));
        if (s == status::ok) {
            bytes_ += pending_;
            sequence_ += is_frame_ ? 1u : 0u;
            pending_ = 0;
        }
        return s;
    }

    // Each of these makes something pending.

    void header() noexcept {
        image_header h;
        h.id = options_.id;
        h.codec = image_codec(store_, options_.codec);
        h.delta = store_.delta_format();
        h.page_size = page_size;
        h.most_payload = static_cast<std::uint32_t>(payload().size());
        h.has_values = Store::has_values;
        image_format::store_header(frame_.data(), h);
        pending_ = image_format::header_bytes;
        is_frame_ = false;
    }
    void frame(image_frame kind, std::uint32_t pool, std::uint32_t count, std::size_t payload) noexcept {
        image_format::store_head(frame_.data(), {kind, static_cast<std::uint32_t>(payload), sequence_, pool, count},
                                 options_.id);
        pending_ = image_format::head_bytes + payload;
        is_frame_ = true;
    }
    void total(image_frame kind, std::uint32_t pool, std::uint64_t pages) noexcept {
        little_endian::store(payload().data(), pages);
        frame(kind, pool, 0, image_format::total_bytes);
    }
    /// A pool's beginning. invalid: it is none, or its parent comes later. `pools`: all of the image.
    status pool(const image_pool* pools, std::uint32_t number, std::uint32_t count) noexcept {
        const status s = describe(pools, number, count);
        if (s == status::ok) {
            frame(image_frame::pool, number, 0, image_format::pool_bytes);
        }
        return s;
    }
    /// Its end, behind `pages` pages.
    status pool_end(const image_pool* pools, std::uint32_t number, std::uint32_t count, std::uint64_t pages) noexcept {
        const status s = describe(pools, number, count);
        if (s == status::ok) {
            little_endian::store(payload().data() + image_format::pool_bytes, pages);
            frame(image_frame::pool_end, number, 0, image_format::pool_bytes + image_format::total_bytes);
        }
        return s;
    }
    /// Pages from the cursor on, as many as a frame has room for, found in some hundred holds at most; adds to `pages`, and to
    /// `damaged` those that there is nothing to be had of. No frame where there were none. Ends with ok, or the store's answer.
    status pages(std::uint32_t number, pool_cursor& cursor, const kept_filter& filter, std::uint64_t& pages,
                 std::uint64_t& damaged) noexcept {
        using namespace image_format;
        const byte_span room = payload();
        kept_page few[pages_a_copy];
        kept_page last;
        std::size_t used = cursor_bytes, looks = holds_a_step;
        std::uint32_t count = 0;
        pool_cursor at = cursor;
        status s = status::ok;
        while (looks != 0 && !at.has_ended() && room.size() - used >= most_record_bytes + page_size) {
            std::size_t most = pages_a_copy;
            if (room.size() - used < most * most_record_bytes + page_size) {
                most = 1;
            }
            const std::size_t left = room.size() - used - most * most_record_bytes;
            const std::size_t holds = looks < holds_a_copy ? looks : holds_a_copy;
            const result<std::size_t> found = store_.walk_kept(
                at, filter, few, most, copies_.first(left < copies_.size() ? left : copies_.size()), holds);
            if (!found) {
                s = found.error();
                break;
            }
            looks -= holds;
            for (std::size_t i = 0; i < *found; ++i) {
                if (few[i].content == page_content::damaged) {
                    ++damaged;
                    continue;
                }
                used += store_page(room.data() + used, few[i], count != 0 ? &last : nullptr);
                copy_bytes(room.data() + used, copies_.subview(few[i].at, few[i].stream));
                used += few[i].stream;
                last = few[i];
                ++count;
            }
            cursor = at;
        }
        if (count != 0) {
            store_cursor(room.data(), cursor);
            frame(image_frame::pages, number, count, used);
            pages += count;
            return status::ok; // what came behind it comes again
        }
        return s;
    }
    [[nodiscard]] byte_span payload() const noexcept { return frame_.subview(image_format::head_bytes); }

private:
    static constexpr std::size_t holds_a_copy = 8, holds_a_step = 256;

    /// Writes what the pool is to the payload.
    status describe(const image_pool* pools, std::uint32_t number, std::uint32_t count) noexcept {
        const result<pool_family> family = store_.family_of(pools[number].id);
        if (!family) {
            return family.error();
        }
        image_pool_info info;
        info.tag = pools[number].tag;
        info.kind = (*family).kind;
        info.is_sealed = (*family).is_sealed;
        if ((*family).parent != pool_id{}) {
            info.parent = image_pool_info::parent_elsewhere;
            info.parent_tag = pools[number].parent_tag;
            for (std::uint32_t i = 0; i < count; ++i) {
                if (pools[i].id == (*family).parent) {
                    if (i >= number) {
                        return status::invalid;
                    }
                    info.parent = i;
                    info.parent_tag = pools[i].tag;
                }
            }
        }
        image_format::store_pool(payload().data(), info);
        return status::ok;
    }

    /// Frames are not longer: a reader needs room for one.
    [[nodiscard]] static constexpr std::size_t most_frame(std::size_t bytes) noexcept {
        constexpr std::size_t most = std::size_t{1} << 24;
        return bytes < most ? bytes : most;
    }

    Store& store_;
    Sink& sink_;
    image_options options_;
    byte_span copies_{}, frame_{};
    std::uint64_t bytes_ = 0, sequence_ = 0;
    std::size_t pending_ = 0;
    bool is_frame_ = false;
};

} // namespace pagefold
