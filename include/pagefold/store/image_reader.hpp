// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/core/bytes.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/status.hpp>
#include <pagefold/store/change_log.hpp>
#include <pagefold/store/image.hpp>
#include <pagefold/store/image_format.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace pagefold::inline PAGEFOLD_ABI {

// clang-format off
/// Where an image's pools go: the host's, or restored_pools.
///
///   p.open(info)     | result<pool_id>: the pool for what `info` is, once; not_found: it is passed over
///   p.find(number)   | pool_id: what open answered for the pool of that number, in this reader or one before; pool_id{}: none
///   p.close(info)    | status: the pool has all its pages: the one that was a parent is sealed, say
template <class T>
concept image_pools = requires(T& pools, const image_pool_info& info, std::uint32_t number) {
    { pools.open(info) } noexcept -> std::same_as<result<pool_id>>;
    { pools.find(number) } noexcept -> std::same_as<pool_id>;
    { pools.close(info) } noexcept -> std::same_as<status>;
};
// clang-format on

/// What becomes of an image that is damaged.
enum class image_damage : std::uint8_t {
    stop, ///< the first damage is the answer, `corrupt`, and nothing behind it is read
    /// Pages that are damaged are left out and counted, as far as the next frame can be found; so are all of a pool whose beginning
    /// is. What tells that pages went or changed, in a migration, can't be passed over: then it is `corrupt` as well.
    skip
};

/// What a reader is told.
struct image_reading {
    std::uint64_t codec = 0; ///< as image_options
    image_damage on_damage = image_damage::stop;
    bool verifies = false; ///< every stream is decoded before it is put
    /// For the stream of a migration: room for its marks, at least as many words as its change_log has.
    std::uint32_t* marks = nullptr;
    std::size_t mark_words = 0;
};

/// Puts an image's pages into pools of a store (image.hpp). For one thread at a time; everybody else goes on using the store.
template <class Store, image_source Source, image_pools Pools>
class image_reader {
    using stage = image_position::stage;
    static constexpr std::size_t page_size = Store::page_size;
    static constexpr std::uint32_t none = 0xffffffff;

public:
    /// `buffer`: room for the image's longest frame: as long as the writer's is always enough. It must outlive the reader.
    image_reader(Store& store, Source& source, Pools& pools, byte_span buffer, const image_reading& how = {}) noexcept
        : store_{store}, source_{source}, pools_{pools}, buffer_{buffer}, how_{how} {}

    /// Reads a frame, at most, and does what it says. ok: that was the whole image. busy: there is more, call again. What the source
    /// answered (its busy as unavailable): call again later. limit, no_memory: the same, where the store has more room; the step goes on with
    /// the page that had none. corrupt: the image is damaged, or cut (is_cut), or what it says can't be; it stays so. invalid: not for this
    /// store (page size, values, codec, deltas, version), or a page that the store can't keep; a pool that the host doesn't have; stays so.
    /// too_short: the buffer, or the room for marks, is; stays so. What was put stays.
    ///
    /// Costs a frame's pages, each a put without the compression.
    status step() noexcept {
        if (end_ != status::busy) {
            return end_;
        }
        is_of_source_ = false;
        const status s = advance();
        switch (is_of_source_ ? status::busy : s) {
        case status::ok:
        case status::corrupt:
        case status::invalid:
        case status::too_short: end_ = s; break;
        default: break;
        }
        return s;
    }
    status run() noexcept {
        status s;
        do {
            s = step();
        } while (s == status::busy);
        return s;
    }
    /// After the header, and before anything else: goes on at a position, behind the header, of a reader of the same image. The host
    /// has the source go on at `from.bytes`.
    status resume(const image_position& from) noexcept {
        if (!has_header() || head_bytes_ != 0 || have_ != 0 || done_.sequence != 0 || from.next == stage::header) {
            return status::invalid;
        }
        done_ = from;
        end_ = from.next == stage::done ? status::ok : end_;
        return status::ok;
    }

    [[nodiscard]] bool has_header() const noexcept { return done_.next != stage::header; }
    [[nodiscard]] const image_header& header() const noexcept { return header_; }
    /// Behind the last frame that was read whole, and put.
    [[nodiscard]] const image_position& position() const noexcept { return done_; }
    /// Whether the source had no more where something should have come.
    [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }
    [[nodiscard]] std::uint64_t restored_pages() const noexcept { return restored_; }
    /// Pages that were left out as damaged, as far as their frames said; and those of pools that were passed over.
    [[nodiscard]] std::uint64_t damaged_pages() const noexcept { return damaged_; }
    [[nodiscard]] std::uint64_t skipped_pages() const noexcept { return skipped_; }
    /// Frames that were passed over as damaged: of pages, and a pool's beginning or end.
    [[nodiscard]] std::uint64_t damaged_frames() const noexcept { return damaged_frames_; }

private:
    [[nodiscard]] bool skips() const noexcept { return how_.on_damage == image_damage::skip; }
    /// What the host answers must not be taken for "there is more".
    [[nodiscard]] static status from_host(status s) noexcept { return s == status::busy ? status::unavailable : s; }

    /// Has `size` bytes in the buffer.
    status fill(std::size_t size) noexcept {
        if (size > buffer_.size()) {
            return status::too_short;
        }
        while (have_ < size) {
            const result<std::size_t> got = source_.read(buffer_.subview(have_, size - have_));
            if (!got) {
                is_of_source_ = true; // whatever it is, it says nothing of the image
                return from_host(got.error());
            }
            if (*got == 0 || *got > size - have_) {
                is_cut_ = true;
                return status::corrupt;
            }
            have_ += *got;
        }
        return status::ok;
    }
    status advance() noexcept {
        if (!has_header()) {
            return read_header();
        }
        if (head_bytes_ == 0) {
            if (const status s = read_frame(); s != status::ok) {
                return s;
            }
        }
        const status s = is_payload_good_ ? obey() : pass_over();
        if (s != status::ok && s != status::busy) {
            return s;
        }
        if (head_bytes_ != 0 && !is_sweeping_) {
            done_.bytes += have_;
            ++done_.sequence;
            head_bytes_ = have_ = at_ = done_in_frame_ = 0;
        }
        return s;
    }
    status read_header() noexcept {
        using namespace image_format;
        if (const status s = fill(header_bytes); s != status::ok) {
            return s;
        }
        if (const status s = load_header(buffer_.data(), header_); s != status::ok) {
            return s;
        }
        const std::uint64_t codec = image_codec(store_, how_.codec);
        if (header_.page_size != page_size || header_.has_values != Store::has_values || codec == 0 ||
            header_.codec != codec || (header_.delta != 0 && header_.delta != store_.delta_format())) {
            return status::invalid;
        }
        if (buffer_.size() - header_bytes < image_format::head_bytes ||
            header_.most_payload > buffer_.size() - image_format::head_bytes) {
            return status::too_short;
        }
        done_.bytes = header_bytes;
        done_.next = stage::pool;
        have_ = 0;
        return status::busy;
    }
    status read_frame() noexcept {
        using namespace image_format;
        if (const status s = fill(head_bytes); s != status::ok) {
            return s;
        }
        if (load_head(buffer_.data(), header_.id, done_.sequence, head_) != status::ok ||
            head_.payload > header_.most_payload) {
            return status::corrupt;
        }
        if (const status s = fill(head_bytes + head_.payload); s != status::ok) {
            return s;
        }
        is_payload_good_ = image_format::is_payload_good(buffer_.data(), head_, header_.id);
        if (!is_payload_good_) {
            if (!skips()) {
                return status::corrupt;
            }
            ++damaged_frames_;
            damaged_ += head_.kind == image_frame::pages ? head_.count : 0;
        }
        head_bytes_ = head_bytes;
        return status::ok;
    }
    [[nodiscard]] byte_view payload() const noexcept {
        return buffer_.subview(image_format::head_bytes, head_.payload);
    }

    /// Does what the frame says; busy: it is done, and there are more.
    status obey() noexcept {
        switch (head_.kind) {
        case image_frame::pool: return open_pool();
        case image_frame::pages: return put_pages();
        case image_frame::pool_end: return close_pool();
        case image_frame::round: return begin_round();
        case image_frame::marks: return add_marks();
        case image_frame::sweep: return sweep();
        case image_frame::end:
            if (!has_total(0, done_.all_pages)) {
                return status::corrupt;
            }
            done_.next = stage::done;
            return status::ok;
        default: return status::corrupt;
        }
    }
    /// Goes on behind a frame whose head alone is good.
    status pass_over() noexcept {
        switch (head_.kind) {
        case image_frame::pool:
            lost_pool_ = head_.pool;
            begin_pool(head_.pool);
            return status::busy;
        case image_frame::pages: note_pages(); return status::busy;
        case image_frame::pool_end: // the pool's beginning said the same
            return info_.number == head_.pool || pools_.find(head_.pool) == pool_id{} ? end_pool() : status::corrupt;
        case image_frame::round:
        case image_frame::marks:
        case image_frame::sweep:
        case image_frame::end:
        default: return status::corrupt;
        }
    }
    /// Whether the frame's number of pages is that of those that were read or passed over.
    [[nodiscard]] bool has_total(std::size_t at, std::uint64_t pages) const noexcept {
        return payload().size() == at + image_format::total_bytes &&
               little_endian::load<std::uint64_t>(payload().data() + at) == pages;
    }
    void begin_pool(std::uint32_t number) noexcept {
        done_.next = stage::pages;
        done_.pool = number;
        done_.pages = 0;
        done_.cursor = {};
    }
    void note_pages() noexcept {
        done_.pool = head_.pool;
        done_.pages += head_.count;
        done_.all_pages += head_.count;
    }
    /// Of the pool that `info_` is.
    status end_pool() noexcept {
        if (pools_.find(head_.pool) != pool_id{}) {
            if (const status s = pools_.close(info_); s != status::ok) {
                return from_host(s);
            }
        }
        ++done_.pool;
        done_.pages = 0;
        done_.cursor = {};
        done_.next = stage::pool;
        return status::busy;
    }
    status open_pool() noexcept {
        if (const status s = image_format::load_pool(payload(), head_.pool, info_); s != status::ok) {
            return s;
        }
        const result<pool_id> opened = pools_.open(info_);
        if (!opened && opened.error() != status::not_found) {
            return from_host(opened.error());
        }
        begin_pool(info_.number);
        return status::busy;
    }
    status close_pool() noexcept {
        using image_format::pool_bytes;
        if (!has_total(pool_bytes, done_.pages) || head_.pool != done_.pool ||
            image_format::load_pool(payload().first(pool_bytes), head_.pool, info_) != status::ok) {
            return status::corrupt;
        }
        return end_pool();
    }
    status put_pages() noexcept {
        using namespace image_format;
        const byte_view all = payload();
        const pool_id pool = pools_.find(head_.pool);
        if (all.size() < cursor_bytes) {
            return status::corrupt;
        }
        at_ = at_ == 0 ? cursor_bytes : at_;
        while (done_in_frame_ != head_.count) {
            kept_page page = last_;
            const result<std::size_t> head = load_page(all.subview(at_), page, done_in_frame_ != 0);
            if (!head) {
                return head.error();
            }
            if (pool == pool_id{}) {
                ++(head_.pool == lost_pool_ ? damaged_ : skipped_);
            } else {
                const byte_view stream = all.subview(at_ + *head, page.stream);
                const status s = store_.put_kept(pool, page, stream, how_.verifies);
                if (s == status::corrupt && skips()) {
                    ++damaged_;
                } else if (s != status::ok) {
                    return s == status::invalid && page.index >= max_page_index ? status::corrupt : from_host(s);
                } else {
                    ++restored_;
                }
            }
            last_ = page;
            at_ += *head + page.stream;
            ++done_in_frame_;
        }
        if (at_ != all.size()) {
            return status::corrupt;
        }
        load_cursor(all.data(), done_.cursor);
        note_pages();
        return status::busy;
    }

    // Of a migration.

    status begin_round() noexcept {
        if (payload().size() != image_format::total_bytes) {
            return status::corrupt;
        }
        const auto words = little_endian::load<std::uint64_t>(payload().data());
        if (!change_marks::is_count(static_cast<std::size_t>(words <= change_marks::most_words ? words : 0))) {
            return status::corrupt;
        }
        if (how_.marks == nullptr || words > how_.mark_words) {
            return status::too_short;
        }
        words_ = static_cast<std::uint32_t>(words);
        fill_bytes(how_.marks, 0, std::size_t{words_} * sizeof(std::uint32_t));
        return status::busy;
    }
    status add_marks() noexcept {
        using little_endian::load;
        if (payload().size() != std::size_t{head_.count} * 8) {
            return status::corrupt;
        }
        for (std::size_t at = 0; at < payload().size(); at += 8) {
            const auto word = load<std::uint32_t>(payload().data() + at);
            if (word >= words_) {
                return status::corrupt;
            }
            how_.marks[word] |= load<std::uint32_t>(payload().data() + at + 4);
        }
        return status::busy;
    }
    /// Some of the pool's pages that may have changed go; the next step goes on.
    status sweep() noexcept {
        const pool_id pool = pools_.find(head_.pool);
        if (head_.payload != 0 || words_ == 0) {
            return status::corrupt;
        }
        if (pool != pool_id{}) {
            walked_page few[32];
            const std::size_t most = sizeof few / sizeof few[0];
            if (!is_sweeping_) {
                sweeper_ = pool_cursor{pool};
                is_sweeping_ = true;
            }
            const result<std::size_t> found = store_.walk(sweeper_, few, most);
            if (!found) {
                return from_host(found.error());
            }
            const change_marks marks{how_.marks, words_};
            for (std::size_t i = 0; i < *found; ++i) {
                if (marks.has(head_.pool, few[i].object, few[i].index)) {
                    const status s = store_.erase({pool, few[i].object, few[i].index});
                    if (s != status::ok && s != status::not_found) {
                        sweeper_ = pool_cursor{pool};
                        return from_host(s);
                    }
                }
            }
            is_sweeping_ = !sweeper_.has_ended();
        }
        return status::busy;
    }

    Store& store_;
    Source& source_;
    Pools& pools_;
    byte_span buffer_;
    image_reading how_;
    image_header header_{};
    image_frame_head head_{};
    image_pool_info info_{none}; // the last one that was read
    image_position done_{};
    kept_page last_{};
    pool_cursor sweeper_{};
    std::size_t have_ = 0;       // bytes in the buffer
    std::size_t head_bytes_ = 0; // not 0: a frame is there
    std::size_t at_ = 0;         // in its payload
    std::uint32_t done_in_frame_ = 0, words_ = 0;
    std::uint32_t lost_pool_ = none; // whose beginning was damaged
    std::uint64_t restored_ = 0, damaged_ = 0, skipped_ = 0, damaged_frames_ = 0;
    status end_ = status::busy; // or what it ended with
    bool is_cut_ = false, is_payload_good_ = true, is_sweeping_ = false;
    bool is_of_source_ = false; // the step's answer
};

} // namespace pagefold
