// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/alloc/concept.hpp>
#include <pagefold/alloc/guard_report.hpp>
#include <pagefold/alloc/over_source.hpp>
#include <pagefold/config/assert.hpp>
#include <pagefold/config/macros.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/core/bytes.hpp>
#include <pagefold/core/checksum.hpp>
#include <pagefold/core/result.hpp>
#include <pagefold/core/types.hpp>
#include <pagefold/ds/page_buffer.hpp>
#include <pagefold/ds/slot_pool.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/page_source_ref.hpp>

#include <cstddef>
#include <cstdint>

// Finds who misuses an allocator, and an allocator that mixes up its objects.
//
//     handle:  record number (32 bits) | generation (16 bits)
//     record:  where the object is in the allocator below, its exact size, its generation, a checksum of its content
//     object:  | front zone | content, n bytes | rear zone |  tag  |     zones of a known pattern
//     freed:   | poison ...                                |     kept back for a while
//
// What finds what:
//   - Records stand beside the objects, not in them: whatever is done to the memory, whether a handle is live, has been freed
//     or was never given is known without looking at it, and the rear zone starts right behind the last byte asked for. A
//     relocation gives a new generation, so that the old handle is stale here even if the place is taken again.
//   - capacity(h) is the n that was asked for. What the allocator below rounds up to is not lent out, or an overrun by one
//     would mostly be legal.
//   - An object is written through write() only. The checksum of its content, kept in the record, hence finds any other
//     write to it, and two objects that overlap. It is all that guards an object for which the zones and the
//     tag leave no room in the allocator's max_size: such a one has what is left as rear zone, and one of max_size has none.
//     A larger unit for the allocator below would have given them zones, but then what is tested is not what is used: an
//     object of max_size would not be one below.
//   - The last `Quarantine` objects freed are filled with poison and given to the allocator below later. One whose poison
//     is gone was written to after it was freed. Nobody but the guard may notice: when no object is live, or a compaction
//     is planned, all of them are given back (a plan's promise counts what that frees), one in a span that is being emptied
//     never is kept, and when the source refuses an allocation, the smallest one that suffices becomes the new object.
//   - Where the owner may write the last bytes of an object through place(), they are in no checksum. A guard below another
//     sees such a write as a stray one, since its own last bytes are the other guard's.
//
// The tag is the record's number, in the last bytes of the place below: the guard is the owner of what is there, and
// next_misplaced() below names it by its place. An object that leaves no room for a tag is one of max_size below, which the
// allocators here don't move.
//
// Where an object is looked at: read, write, deallocate, relocate, check and the guard's end. Each such look reads the
// whole object. Besides that time by the byte, a guard costs 16 bytes of record and 32 of zones an object, and a buffer of
// max_size while there are objects (an allocator's interface writes whole prefixes only). Over zs with 20k objects of 2.2 KB
// in the mean, free + allocate + write takes 5 times as long, read 13 times, relocate 1.3 times, and of what is held 0.935
// is what was asked for, where it was 0.955.
//
// Invariant: a record is live or freed; every freed one is in the quarantine once, and nothing else is; the buffer is
// held while there are records, and holds no content between two calls.

namespace pagefold::inline PAGEFOLD_ABI {

/// An allocator that finds its callers' mistakes. Each one found is counted and goes to PAGEFOLD_ASSERT_HOOK, at every
/// PAGEFOLD_ASSERT_LEVEL. If the hook returns: a call with a wrong handle or too many bytes has no effect (read answers
/// zeros in the scratch, or nothing where that is too small; capacity is 0; relocate `invalid`); damaged bytes stay as
/// they are found, and are reported at each look.
///
/// Zone: bytes before and behind an object, which keep its alignment to themselves. Quarantine: freed objects kept back.
/// allocated_bytes() and rounded() count the bytes asked for; what the guard and the allocator below add is in
/// bytes_held(). A refused allocation changes nothing. Deterministic if the allocator below is. Not thread-safe.
template <object_allocator Allocator, std::size_t Zone = 16, unsigned Quarantine = 16>
class guarded {
public:
    /// The same over pages of another source, for decorators (over_source).
    template <page_source Other>
    using over = guarded<over_source_t<Allocator, Other>, Zone, Quarantine>;

    static constexpr std::size_t max_size = Allocator::max_size;
    static_assert(max_size <= 65536 && Zone >= 1 && Zone <= 256 && 2 * Zone < max_size && Quarantine >= 1);

    template <page_source Source>
    guarded(Source& source, node_id node) noexcept
        : source_{source}, inner_{source, node}, records_{source_, node}, buffer_{source_, node, max_size} {}
    /// Looks at every object a last time.
    ~guarded() {
        for (std::uint32_t id = records_.next_live(0); id != records_.bound(); id = records_.next_live(id + 1)) {
            inspect(id);
        }
    }
    guarded(const guarded&) = delete;
    guarded& operator=(const guarded&) = delete;

    [[nodiscard]] const guard_report& report() const noexcept { return report_; }
    [[nodiscard]] const Allocator& inner() const noexcept { return inner_; }

    result<object_handle> allocate(std::size_t n) noexcept {
        return allocate_from(n, ~std::size_t{0}, [this](std::size_t bytes) noexcept { return inner_.allocate(bytes); });
    }
    /// Of the quarantine, too, only a place that is snug.
    result<object_handle> allocate_snug(std::size_t n) noexcept requires snug_allocator<Allocator> {
        const std::size_t least = n == 0 || n > max_size ? 0 : inner_.rounded(place_bytes(n));
        return allocate_from(n, least + least / 16,
                             [this](std::size_t bytes) noexcept { return inner_.allocate_snug(bytes); });
    }

    void deallocate(object_handle h) noexcept {
        if (!require_live(h, guard_breach::double_free)) {
            return;
        }
        const std::uint32_t id = id_of(h);
        inspect(id);
        record& r = records_[id];
        --live_;
        requested_ -= r.size();
        r.set_freed();
        if (is_in_emptied_span(r)) {
            end_object(id);
        } else {
            poison(r);
            if (quarantined_ == Quarantine) {
                leave_quarantine(0);
            }
            quarantine_[quarantined_++] = id;
        }
        if (live_ == 0) {
            empty_quarantine();
        }
    }

    [[nodiscard]] std::size_t capacity(object_handle h) const noexcept {
        return require_live(h, guard_breach::use_after_free) ? records_[id_of(h)].size() : 0;
    }
    [[nodiscard]] std::size_t rounded(std::size_t n) const noexcept {
        PAGEFOLD_CHECK(n != 0 && n <= max_size);
        return n;
    }
    /// Exact, too, in that 0 says that pages come free: with the object itself, or with what its end pushes out of the
    /// quarantine.
    [[nodiscard]] unsigned fullness(object_handle h) const noexcept requires span_aware_allocator<Allocator> {
        if (!require_live(h, guard_breach::use_after_free)) {
            return max_fullness;
        }
        const record& r = records_[id_of(h)];
        const unsigned below = inner_.fullness(r.place());
        if (live_ == 1 || is_in_emptied_span(r)) {
            return live_ == 1 ? 0 : below;
        }
        const bool pushes = quarantined_ == Quarantine;
        const bool frees = pushes && inner_.fullness(records_[quarantine_[0]].place()) == 0;
        return frees ? 0 : below != 0 ? below : 1;
    }
    void write(object_handle h, byte_view bytes) noexcept {
        if (!require_room(h, bytes.size())) {
            return;
        }
        const std::uint32_t id = id_of(h);
        inspect(id);
        write_image(id, bytes);
        clear_buffer(records_[id]);
    }
    [[nodiscard]] byte_view read(object_handle h, std::size_t n, byte_span scratch) const noexcept {
        if (!require_room(h, n)) {
            if (n > scratch.size()) {
                return {};
            }
            fill_bytes(scratch.data(), 0, n);
            return scratch.first(n);
        }
        const std::uint32_t id = id_of(h);
        inspect(id);
        const record& r = records_[id];
        const byte_view image = image_of(r);
        const byte_view content = image.subview(front_zone(r.size()), n);
        if (image.data() != buffer_.first(0).data()) {
            return content;
        }
        copy_bytes(scratch.data(), content.data(), n); // where it may stay while others are read
        clear_buffer(r);
        return scratch.first(n);
    }

    [[nodiscard]] bool contains(object_handle h) const noexcept {
        return names_record(h) && !records_[id_of(h)].is_freed();
    }
    /// The bytes that were asked for, without zones.
    [[nodiscard]] byte_span place(object_handle h) const noexcept {
        return require_live(h, guard_breach::use_after_free) ? content_of(records_[id_of(h)]) : byte_span{};
    }
    [[nodiscard]] std::size_t allocated_bytes() const noexcept { return requested_; }
    [[nodiscard]] std::size_t bytes_held() const noexcept { return inner_.bytes_held(); }
    [[nodiscard]] std::size_t table_bytes() const noexcept {
        return inner_.table_bytes() + records_.bytes() + buffer_.bytes();
    }

    /// What giving back the quarantine frees counts as part of the promise.
    std::size_t plan_compaction(std::size_t max_bytes_to_move) noexcept requires compacting_allocator<Allocator> {
        const std::size_t held = inner_.bytes_held();
        if (max_bytes_to_move != 0) {
            empty_quarantine();
        }
        const std::size_t after = inner_.bytes_held();
        const std::size_t planned = inner_.plan_compaction(max_bytes_to_move);
        // A promise counts from the most that was held, before the plan or behind it: for the one below from `after` on.
        const std::size_t now = inner_.bytes_held();
        return planned + (held > now ? held : now) - (after > now ? after : now);
    }
    [[nodiscard]] bool misplaced(object_handle h) const noexcept requires compacting_allocator<Allocator> {
        return require_live(h, guard_breach::use_after_free) && inner_.misplaced(records_[id_of(h)].place());
    }
    result<object_handle> relocate(object_handle h) noexcept requires compacting_allocator<Allocator> {
        if (!require_live(h, guard_breach::use_after_free)) {
            return status::invalid;
        }
        const std::uint32_t id = id_of(h);
        inspect(id);
        record& r = records_[id];
        const result<object_handle> moved = inner_.relocate(r.place());
        if (!moved) {
            return moved;
        }
        r.set_place(*moved, r.size());
        tag(id);
        return name_anew(id);
    }
    /// Passes over an object whose tag is damaged, which the next look at it reports.
    byte_span next_misplaced() noexcept requires compacting_allocator<Allocator> {
        byte_span found = inner_.next_misplaced();
        while (!found.empty() && !is_tagged(found)) {
            found = inner_.next_misplaced();
        }
        return found.empty() ? found : content_of(records_[tag_at(found)]);
    }
    void finish_compaction() noexcept requires compacting_allocator<Allocator> { inner_.finish_compaction(); }

    [[nodiscard]] bool check() const noexcept {
        std::size_t live = 0, bytes = 0;
        for (std::uint32_t id = records_.next_live(0); id != records_.bound(); id = records_.next_live(id + 1)) {
            const record& r = records_[id];
            if (judge(id) != guard_breach::none || (r.is_freed() && !is_in_quarantine(id))) {
                return false;
            }
            live += r.is_freed() ? 0u : 1u;
            bytes += r.is_freed() ? 0 : r.size();
        }
        return live == live_ && bytes == requested_ && records_.size() == live_ + quarantined_ &&
               buffer_.is_held() == (records_.size() != 0) && records_.check() && inner_.check();
    }

private:
    static constexpr unsigned char poison_byte = 0x6b; // what is freed
    static constexpr unsigned char fresh_byte = 0xcd;  // what is not written to yet

    class record {
    public:
        [[nodiscard]] bool live() const noexcept { return state_ != 0; } // for slot_pool: in use
        [[nodiscard]] std::uint32_t& free_link() noexcept { return sum_; }

        [[nodiscard]] object_handle place() const noexcept { return object_handle{where_ >> 16}; }
        [[nodiscard]] std::size_t size() const noexcept { return to_size(where_ & 0xffffu) + 1; }
        void set_place(object_handle place, std::size_t size) noexcept {
            where_ = static_cast<std::uint64_t>(place) << 16 | (size - 1);
        }
        [[nodiscard]] bool is_freed() const noexcept { return state_ == freed; }
        void set_freed() noexcept { state_ = freed; }
        void set_live(std::uint16_t generation) noexcept {
            state_ = live_object;
            generation_ = generation;
        }
        [[nodiscard]] std::uint16_t generation() const noexcept { return generation_; }
        [[nodiscard]] std::uint32_t sum() const noexcept { return sum_; }
        void set_sum(std::uint64_t sum) noexcept { sum_ = static_cast<std::uint32_t>(sum >> 32); }

    private:
        static constexpr std::uint16_t live_object = 1, freed = 2;

        std::uint64_t where_; // handle below, size - 1
        std::uint32_t sum_;   // of the content
        std::uint16_t generation_;
        std::uint16_t state_;
    };

    // Handles.

    [[nodiscard]] static std::uint32_t id_of(object_handle h) noexcept {
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>(h) >> 16);
    }
    [[nodiscard]] object_handle handle_of(std::uint32_t id) const noexcept {
        return object_handle{std::uint64_t{id} << 16 | records_[id].generation()};
    }
    object_handle name_anew(std::uint32_t id) noexcept {
        records_[id].set_live(++generation_);
        return handle_of(id);
    }
    /// Whether the handle is the one that its record gave last; the object may be freed.
    [[nodiscard]] bool names_record(object_handle h) const noexcept {
        return static_cast<std::uint64_t>(h) >> handle_bits == 0 && records_.contains(id_of(h)) &&
               handle_of(id_of(h)) == h;
    }
    /// Whether the handle names an object, which is noted if not; `if_freed` is what it is to name one in quarantine.
    [[nodiscard]] bool require_live(object_handle h, guard_breach if_freed) const noexcept {
        if (!names_record(h)) {
            note(guard_breach::unknown_handle, h);
            return false;
        }
        if (records_[id_of(h)].is_freed()) {
            note(if_freed, h);
            return false;
        }
        return true;
    }
    [[nodiscard]] bool require_room(object_handle h, std::size_t n) const noexcept {
        if (!require_live(h, guard_breach::use_after_free)) {
            return false;
        }
        if (n > records_[id_of(h)].size()) {
            note(guard_breach::too_long, h);
            return false;
        }
        return true;
    }
    PAGEFOLD_COLD void note(guard_breach breach, object_handle h) const noexcept {
        ++report_.count[static_cast<unsigned>(breach)];
        report_.last = breach;
        report_.last_handle = h;
        PAGEFOLD_ASSERT_HOOK(to_string(breach), __FILE__, __LINE__);
    }

    // Bytes.

    [[nodiscard]] static constexpr std::size_t front_zone(std::size_t n) noexcept {
        return n + 2 * Zone + owner_bytes <= max_size ? Zone : 0;
    }
    /// Both zones and the object.
    [[nodiscard]] static constexpr std::size_t image_bytes(std::size_t n) noexcept {
        const std::size_t all = front_zone(n) + n + Zone;
        return all < max_size ? all : max_size;
    }
    /// What is asked of the allocator below: the tag, too; or where there is no room for it, an object of max_size.
    [[nodiscard]] static constexpr std::size_t place_bytes(std::size_t n) noexcept {
        return has_tag(n) ? front_zone(n) + n + Zone + owner_bytes : max_size;
    }
    [[nodiscard]] static constexpr bool has_tag(std::size_t n) noexcept { return n + Zone + owner_bytes <= max_size; }
    /// What of an object the checksum is of: its owner may write the rest through its place.
    [[nodiscard]] static constexpr std::size_t summed_bytes(std::size_t n) noexcept {
        return n >= owner_bytes && n < max_size ? n - owner_bytes : n;
    }
    /// Neighbouring bytes differ, so that a run of any one value is seen.
    [[nodiscard]] static constexpr std::byte zone_byte(std::size_t at) noexcept {
        return static_cast<std::byte>(0xa5 + at * 0x3b);
    }
    static void fill_zone(byte_span zone) noexcept {
        for (std::size_t i = 0; i < zone.size(); ++i) {
            zone[i] = zone_byte(i);
        }
    }
    [[nodiscard]] static bool is_zone(byte_view zone) noexcept {
        bool same = true;
        for (std::size_t i = 0; i < zone.size(); ++i) {
            same = same && zone[i] == zone_byte(i);
        }
        return same;
    }

    /// The object with its zones: in place, or in the buffer.
    [[nodiscard]] byte_view image_of(const record& r) const noexcept {
        const std::size_t bytes = image_bytes(r.size());
        return inner_.read(r.place(), bytes, buffer_.first(bytes));
    }
    [[nodiscard]] byte_span content_of(const record& r) const noexcept {
        return inner_.place(r.place()).subview(front_zone(r.size()), r.size());
    }
    void tag(std::uint32_t id) noexcept {
        if (const record& r = records_[id]; has_tag(r.size())) {
            const byte_span place = inner_.place(r.place());
            store_native(place.data() + place.size() - owner_bytes, id);
        }
    }
    [[nodiscard]] static std::uint32_t tag_at(byte_span place) noexcept {
        return load_native<std::uint32_t>(place.data() + place.size() - owner_bytes);
    }
    /// Whether the tag at the end of a place leads to the record of an object that is there.
    [[nodiscard]] bool is_tagged(byte_span place) const noexcept {
        const record* const r = place.size() < owner_bytes ? nullptr : records_.find(tag_at(place));
        return r != nullptr && !r->is_freed() && has_tag(r->size()) && inner_.place(r->place()).data() == place.data();
    }
    /// So that it keeps nothing of an object's content.
    void clear_buffer(const record& r) const noexcept {
        const byte_span image = buffer_.first(image_bytes(r.size()));
        fill_bytes(image.data(), 0, image.size());
        PAGEFOLD_KEEP_STORES();
    }
    [[nodiscard]] guard_breach judge(std::uint32_t id) const noexcept {
        const record& r = records_[id];
        const byte_view image = image_of(r);
        const std::size_t front = front_zone(r.size());
        guard_breach found = guard_breach::none;
        if (r.is_freed()) {
            const bool is_poison =
                image[0] == std::byte{poison_byte} && equal_bytes(image.data(), image.data() + 1, image.size() - 1);
            found = is_poison ? found : guard_breach::write_after_free;
        } else if (!is_zone(image.first(front))) {
            found = guard_breach::underrun;
        } else if (!is_zone(image.subview(front + r.size()))) {
            found = guard_breach::overrun;
        } else {
            record now = r;
            now.set_sum(checksum(image.subview(front, summed_bytes(r.size())), id));
            if (now.sum() != r.sum()) {
                found = guard_breach::stray_write;
            } else if (has_tag(r.size()) && tag_at(inner_.place(r.place())) != id) {
                found = guard_breach::overrun;
            }
        }
        if (image.data() == buffer_.first(0).data()) {
            clear_buffer(r);
        }
        return found;
    }
    void inspect(std::uint32_t id) const noexcept {
        if (const guard_breach found = judge(id); found != guard_breach::none) {
            note(found, handle_of(id));
        }
    }
    /// Zones and content; what a content leaves of the object reads as fresh.
    void write_image(std::uint32_t id, byte_view content) noexcept {
        record& r = records_[id];
        const std::size_t n = r.size(), front = front_zone(n);
        const byte_span image = buffer_.first(image_bytes(n));
        fill_zone(image.first(front));
        if (!content.empty()) {
            copy_bytes(image.data() + front, content.data(), content.size());
        }
        fill_bytes(image.data() + front + content.size(), fresh_byte, n - content.size());
        fill_zone(image.subview(front + n));
        inner_.write(r.place(), image);
        tag(id);
        r.set_sum(checksum(image.subview(front, summed_bytes(n)), id));
    }
    void poison(const record& r) noexcept {
        const byte_span image = buffer_.first(image_bytes(r.size()));
        fill_bytes(image.data(), poison_byte, image.size());
        inner_.write(r.place(), image);
    }

    // The life of an object.

    /// An object in a new place, or where there is none, in one of at most `most` bytes from the quarantine.
    template <class AllocateBelow>
    result<object_handle> allocate_from(std::size_t n, std::size_t most, AllocateBelow allocate_below) noexcept {
        if (n == 0 || n > max_size) {
            return status::invalid;
        }
        const result<std::uint32_t> fresh = take_place(n, allocate_below);
        if (fresh) {
            return begin_object(*fresh, n);
        }
        const unsigned at = find_in_quarantine(n, most);
        if (at == Quarantine) {
            return fresh.error();
        }
        const std::uint32_t id = quarantine_[at];
        inspect(id);
        remove_from_quarantine(at);
        return begin_object(id, n);
    }
    /// A record and room below for an object of `n` bytes. On a failure nothing has changed.
    template <class AllocateBelow>
    result<std::uint32_t> take_place(std::size_t n, AllocateBelow allocate_below) noexcept {
        status why = buffer_.acquire();
        if (why == status::ok) {
            const result<std::uint32_t> id = records_.insert();
            why = id.error();
            if (id) {
                const result<object_handle> place = allocate_below(place_bytes(n));
                if (place) {
                    records_[*id].set_place(*place, n);
                    return id;
                }
                why = place.error();
                records_.erase(*id);
            }
        }
        release_idle_buffer();
        return why;
    }
    object_handle begin_object(std::uint32_t id, std::size_t n) noexcept {
        records_[id].set_place(records_[id].place(), n);
        write_image(id, {});
        ++live_;
        requested_ += n;
        return name_anew(id);
    }
    void end_object(std::uint32_t id) noexcept {
        inner_.deallocate(records_[id].place());
        records_.erase(id);
        release_idle_buffer();
    }
    void release_idle_buffer() noexcept {
        if (records_.size() == 0) {
            buffer_.release();
        }
    }
    [[nodiscard]] bool is_in_emptied_span(const record& r) const noexcept {
        if constexpr (compacting_allocator<Allocator>) {
            return inner_.misplaced(r.place());
        } else {
            return false;
        }
    }

    // The quarantine, oldest first.

    void leave_quarantine(unsigned at) noexcept {
        const std::uint32_t id = quarantine_[at];
        inspect(id);
        remove_from_quarantine(at);
        end_object(id);
    }
    void remove_from_quarantine(unsigned at) noexcept {
        for (--quarantined_; at < quarantined_; ++at) {
            quarantine_[at] = quarantine_[at + 1];
        }
    }
    void empty_quarantine() noexcept {
        while (quarantined_ != 0) {
            leave_quarantine(quarantined_ - 1);
        }
    }
    [[nodiscard]] bool is_in_quarantine(std::uint32_t id) const noexcept {
        bool found = false;
        for (unsigned at = 0; at < quarantined_; ++at) {
            found = found || quarantine_[at] == id;
        }
        return found;
    }
    /// The smallest place, of at most `most` bytes, that an object of `n` bytes fits into, or Quarantine.
    [[nodiscard]] unsigned find_in_quarantine(std::size_t n, std::size_t most) const noexcept {
        unsigned best = Quarantine;
        std::size_t best_bytes = most < ~std::size_t{0} ? most + 1 : most;
        for (unsigned at = 0; at < quarantined_; ++at) {
            const std::size_t bytes = inner_.capacity(records_[quarantine_[at]].place());
            if (bytes >= place_bytes(n) && bytes < best_bytes) {
                best = at;
                best_bytes = bytes;
            }
        }
        return best;
    }

    page_source_ref source_;
    Allocator inner_;
    slot_pool<record, page_source_ref> records_;
    page_buffer<page_source_ref> buffer_;
    std::uint32_t quarantine_[Quarantine]{};
    unsigned quarantined_ = 0;
    std::size_t live_ = 0;
    std::size_t requested_ = 0;
    std::uint16_t generation_ = 0;
    mutable guard_report report_{};
};

} // namespace pagefold
