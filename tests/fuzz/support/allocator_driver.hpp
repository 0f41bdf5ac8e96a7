// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz/support/heap_source.hpp"
#include "fuzz/support/input.hpp"
#include "fuzz/support/require.hpp"

#include <pagefold/alloc/concept.hpp>
#include <pagefold/core/bytes.hpp>

#include <support/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace pagefold::fuzz {

/// What an allocator promises of handles that are not live, where the assertion's hook returns.
enum class dead_handles {
    undefined,             ///< nothing
    ignored_by_deallocate, ///< deallocate has no effect
    ignored,               ///< no call has one: capacity is 0, reads are zeros
};

/// Does with an allocator what a stream of bytes says, and with a naive model: every object's bytes in a vector of its own.
///
/// An operation is a byte (modulo 32), its arguments are bytes and words (two bytes, low first) behind it:
///
///     0..8    allocate (word: size), and write     19      plan (word: budget)
///     9..14   free (word: which)                   20      relocate some (word: from which on)
///     15      free a row (word: first; byte: how   21      plan, relocate all, finish; or (odd number of objects)
///             many; byte: each n-th)                       the same as an owner that is led by places
///                                                  22      finish
///     16      write (word: which; word: how much)  23, 24  limit the source (byte: pages to spare; ≥ 200 no limit)
///     17, 18  read (word: which)                   25      refuse an acquisition (byte: the n-th from now)
///     26      allocate with sizes out of range     27      use a wrong handle (word: which; byte: a shift)
///     28      check and read all                   29..31  allocate a row (word: size; byte: how many)
///
/// 8 is a snug allocation where there is such a thing. After each operation the sums must be right; check() follows every
/// eighth (with many objects, every 32nd) and the last.
/// `Hints`: bits of a handle that tell of the object, not where it is; one that differs in them alone names the same object.
template <object_allocator Allocator, dead_handles Dead, std::uint64_t Hints>
class allocator_driver {
public:
    allocator_driver(input& in, std::size_t page_size) : in_{in}, source_{page_size} {}
    ~allocator_driver() = default;
    allocator_driver(const allocator_driver&) = delete;
    allocator_driver& operator=(const allocator_driver&) = delete;

    void run() {
        for (unsigned step = 1; !in_.empty(); ++step) {
            operate(in_.byte() % 32);
            require_sums();
            if (step % (objects_.size() < 100 ? 8 : 32) == 0) {
                PAGEFOLD_FUZZ_REQUIRE(allocator_.check());
            }
        }
        check_all();
        while (objects_.size() > leave_behind) {
            free_one(objects_.size() - 1);
        }
        require_sums();
        if (objects_.empty()) {
            PAGEFOLD_FUZZ_REQUIRE(allocator_.bytes_held() == 0);
        }
        PAGEFOLD_FUZZ_REQUIRE(allocator_.check());
    }

private:
    struct object {
        object_handle handle;
        std::size_t capacity;
        std::vector<std::byte> content; // all that was written last
    };
    static constexpr std::size_t most_objects = 600;
    static constexpr bool compacts = compacting_allocator<Allocator>;

    void operate(unsigned what) {
        if (what <= 8) {
            allocate(some_size(), what == 8);
        } else if (what <= 14) {
            free_one(some_object());
        } else if (what == 15) {
            free_row();
        } else if (what == 16) {
            overwrite();
        } else if (what <= 18) {
            read(some_object());
        } else if (what <= 22) {
            compact(what);
        } else if (what <= 24) {
            const unsigned spare = in_.byte();
            source_.set_limit(spare >= 200 ? ~std::size_t{0} : source_.bytes_held() + spare % 16 * source_.page_size());
        } else if (what == 25) {
            source_.refuse_nth(in_.byte() % 8);
        } else if (what == 26) {
            ask_for_bad_sizes();
        } else if (what == 27) {
            use_wrong_handle();
        } else if (what == 28) {
            check_all();
        } else {
            const std::size_t size = some_size();
            for (unsigned count = in_.byte() % 64; count > 0; --count) {
                allocate(size);
            }
        }
    }

    // Decisions.

    [[nodiscard]] std::size_t some_size() {
        const unsigned word = in_.word();
        const std::size_t part = word & 0x1fffu;
        switch (word >> 13) {
        case 0: return Allocator::max_size - part % 40;
        case 1: return 1 + part % 64;
        case 2: return 1 + part * (Allocator::max_size / 8) / 0x2000;
        case 3: return Allocator::max_size / 2 + 32 - part % 64;
        default: return 1 + part * Allocator::max_size / 0x2000;
        }
    }
    /// objects_.size() when there is none.
    [[nodiscard]] std::size_t some_object() {
        const std::size_t number = in_.word();
        return objects_.empty() ? 0 : number % objects_.size();
    }

    // Operations.

    [[nodiscard]] result<object_handle> ask_for(std::size_t n, bool snug) {
        if constexpr (snug_allocator<Allocator>) {
            return snug ? allocator_.allocate_snug(n) : allocator_.allocate(n);
        } else {
            return allocator_.allocate(n);
        }
    }
    void allocate(std::size_t n, bool snug = false) {
        if (objects_.size() == most_objects) {
            return;
        }
        const std::size_t allocated = allocator_.allocated_bytes(), held = allocator_.bytes_held();
        const std::uint64_t refusals = source_.refusals();
        const result<object_handle> h = ask_for(n, snug);
        if (!h) {
            PAGEFOLD_FUZZ_REQUIRE(h.error() == status::limit || h.error() == status::no_memory);
            PAGEFOLD_FUZZ_REQUIRE(source_.refusals() != refusals);
            PAGEFOLD_FUZZ_REQUIRE(allocator_.allocated_bytes() == allocated && allocator_.bytes_held() == held);
            return;
        }
        PAGEFOLD_FUZZ_REQUIRE(static_cast<std::uint64_t>(*h) >> handle_bits == 0);
        PAGEFOLD_FUZZ_REQUIRE(find(*h) == nullptr);
        const std::size_t capacity = allocator_.capacity(*h);
        PAGEFOLD_FUZZ_REQUIRE(capacity >= n);
        PAGEFOLD_FUZZ_REQUIRE(allocator_.rounded(n) >= n);
        PAGEFOLD_FUZZ_REQUIRE(allocator_.contains(*h));
        require_placed(*h);
        objects_.push_back({*h, capacity, {}});
        write(objects_.back(), n);
    }
    void free_one(std::size_t at) {
        if (at >= objects_.size()) {
            return;
        }
        read(at);
        const std::size_t before = allocator_.allocated_bytes();
        allocator_.deallocate(objects_[at].handle);
        PAGEFOLD_FUZZ_REQUIRE(before - allocator_.allocated_bytes() == objects_[at].capacity);
        PAGEFOLD_FUZZ_REQUIRE(!allocator_.contains(objects_[at].handle));
        dead_.push_back(objects_[at].handle);
        std::swap(objects_[at], objects_.back());
        objects_.pop_back();
    }
    void free_row() {
        const std::size_t first = some_object();
        const unsigned count = in_.byte(), step = in_.byte() % 8u + 1u;
        for (unsigned i = 0; i < count && !objects_.empty(); ++i) {
            free_one((first + i * step) % objects_.size());
        }
    }
    void overwrite() {
        const std::size_t at = some_object(), bytes = in_.word();
        if (at < objects_.size()) {
            write(objects_[at], bytes % (objects_[at].capacity + 1));
        }
    }
    void write(object& o, std::size_t n) {
        // One value, and random words here and there, at both ends among them.
        testing::rng random{++contents_};
        o.content.assign(n, static_cast<std::byte>(random()));
        for (std::size_t i = 0; i < n; i += n / 16 + sizeof(std::uint64_t)) {
            const std::uint64_t word = random();
            std::memcpy(o.content.data() + i, &word, std::min(sizeof word, n - i));
        }
        if (n != 0) {
            o.content.back() = static_cast<std::byte>(random());
        }
        if (n != 0) {
            allocator_.write(o.handle, o.content);
        }
        require_its_place(o);
        if (n + owner_bytes <= o.capacity && o.capacity < Allocator::max_size) {
            store_native(tail_of(o), ++tags_);
        }
    }
    [[nodiscard]] std::byte* tail_of(const object& o) const {
        const byte_span place = allocator_.place(o.handle);
        return place.data() + place.size() - owner_bytes;
    }
    void require_its_place(const object& o) const {
        const byte_span place = allocator_.place(o.handle);
        PAGEFOLD_FUZZ_REQUIRE(place.size() == o.capacity && o.content.size() <= o.capacity);
        PAGEFOLD_FUZZ_REQUIRE(o.content.empty() || std::memcmp(o.content.data(), place.data(), o.content.size()) == 0);
    }
    void read(std::size_t at) {
        if (at >= objects_.size()) {
            return;
        }
        const object& o = objects_[at];
        scratch_.assign(o.content.size(), std::byte{0});
        const byte_view view = allocator_.read(o.handle, o.content.size(), scratch_);
        PAGEFOLD_FUZZ_REQUIRE(view.size() == o.content.size());
        PAGEFOLD_FUZZ_REQUIRE(view.empty() || std::memcmp(o.content.data(), view.data(), view.size()) == 0);
    }

    void compact(unsigned what) {
        if constexpr (compacts) {
            if (what == 19) {
                const unsigned word = in_.word();
                const std::size_t budget = word == 0xffff ? ~std::size_t{0} : std::size_t{word} * 16;
                const std::size_t held = allocator_.bytes_held(), promise = allocator_.plan_compaction(budget);
                PAGEFOLD_FUZZ_REQUIRE(promise <= held);
            } else if (what == 20) {
                relocate(some_object(), 16);
            } else if (what == 21) {
                compact_all();
            } else {
                finish();
            }
        }
    }
    void relocate(std::size_t first, std::size_t count) requires compacts {
        const std::uint64_t acquisitions = source_.acquisitions();
        for (std::size_t i = 0; i < objects_.size() && count > 0; ++i) {
            const std::size_t at = (first + i) % objects_.size();
            if (allocator_.misplaced(objects_[at].handle)) {
                --count;
                relocate_one(at);
            }
        }
        PAGEFOLD_FUZZ_REQUIRE(source_.acquisitions() == acquisitions);
    }
    void relocate_one(std::size_t at) requires compacts {
        object& o = objects_[at];
        if (const result<object_handle> h = allocator_.relocate(o.handle)) {
            PAGEFOLD_FUZZ_REQUIRE(*h == o.handle || find(*h) == nullptr);
            dead_.push_back(std::exchange(o.handle, *h));
            o.capacity = allocator_.capacity(*h);
            PAGEFOLD_FUZZ_REQUIRE(o.capacity >= o.content.size());
            PAGEFOLD_FUZZ_REQUIRE(allocator_.contains(*h));
            require_its_place(o);
            require_placed(*h);
        } else {
            PAGEFOLD_FUZZ_REQUIRE(h.error() == status::no_memory);
        }
        read(at);
    }
    void compact_all() requires compacts {
        finish();
        const bool by_places = objects_.size() % 2 != 0;
        const std::size_t held = allocator_.bytes_held(), promise = allocator_.plan_compaction(~std::size_t{0});
        const std::size_t most_held = std::max(held, allocator_.bytes_held());
        if (by_places) {
            relocate_named();
        } else {
            relocate(0, objects_.size());
        }
        PAGEFOLD_FUZZ_REQUIRE(allocator_.bytes_held() + promise == most_held);
        finish();
    }
    void relocate_named() requires compacts {
        std::size_t left = objects_.size();
        for (byte_span named = allocator_.next_misplaced(); !named.empty(); named = allocator_.next_misplaced()) {
            std::size_t at = 0;
            while (at < objects_.size() && allocator_.place(objects_[at].handle).data() != named.data()) {
                ++at;
            }
            PAGEFOLD_FUZZ_REQUIRE(at < objects_.size() && left-- != 0);
            PAGEFOLD_FUZZ_REQUIRE(allocator_.misplaced(objects_[at].handle));
            relocate_one(at);
        }
        for (const object& o : objects_) {
            require_placed(o.handle);
        }
    }
    void finish() requires compacts {
        allocator_.finish_compaction();
        PAGEFOLD_FUZZ_REQUIRE(allocator_.next_misplaced().empty());
        for (const object& o : objects_) {
            require_placed(o.handle);
        }
    }

    void ask_for_bad_sizes() {
        for (const std::size_t n : {std::size_t{0}, Allocator::max_size + 1, ~std::size_t{0}}) {
            PAGEFOLD_FUZZ_REQUIRE(allocator_.allocate(n).error() == status::invalid);
        }
    }
    void use_wrong_handle() {
        const object_handle h = wrong_handle();
        PAGEFOLD_FUZZ_REQUIRE(allocator_.contains(h) ? names_object(h) : find(h) == nullptr);
        if (Dead == dead_handles::undefined || names_object(h)) {
            return;
        }
        const misuse now;
        const std::size_t allocated = allocator_.allocated_bytes(), held = allocator_.bytes_held();
        allocator_.deallocate(h);
        if constexpr (Dead == dead_handles::ignored) {
            std::byte bytes[4] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
            allocator_.write(h, {bytes, sizeof bytes});
            PAGEFOLD_FUZZ_REQUIRE(allocator_.capacity(h) == 0);
            PAGEFOLD_FUZZ_REQUIRE(allocator_.read(h, 4, {bytes, 4}).size() == 4 && bytes[3] == std::byte{0});
            if constexpr (compacts) {
                PAGEFOLD_FUZZ_REQUIRE(!allocator_.misplaced(h) && !allocator_.relocate(h).has_value());
            }
        }
        PAGEFOLD_FUZZ_REQUIRE(allocator_.allocated_bytes() == allocated && allocator_.bytes_held() == held);
    }

    /// One that was live once, a live one with a bit changed, or some number. It may be live by chance.
    [[nodiscard]] object_handle wrong_handle() {
        const unsigned word = in_.word(), shift = in_.byte() % 64;
        if (word < 0x8000) {
            return dead_.empty() ? object_handle{word} : dead_[word % dead_.size()];
        }
        if (word < 0xc000 && !objects_.empty()) {
            const object_handle live = objects_[word % objects_.size()].handle;
            return object_handle{static_cast<std::uint64_t>(live) ^ std::uint64_t{1} << shift};
        }
        return object_handle{std::uint64_t{word} << shift};
    }

    // What must hold.

    [[nodiscard]] const object* find(object_handle h) const {
        const auto it = std::find_if(objects_.begin(), objects_.end(), [&](const object& o) { return o.handle == h; });
        return it != objects_.end() ? &*it : nullptr;
    }
    [[nodiscard]] bool names_object(object_handle h) const {
        const auto place = [](object_handle of) { return static_cast<std::uint64_t>(of) & ~Hints; };
        return std::any_of(objects_.begin(), objects_.end(),
                           [&](const object& o) { return place(o.handle) == place(h); });
    }
    void require_placed(object_handle h) const {
        if constexpr (compacts) {
            PAGEFOLD_FUZZ_REQUIRE(!allocator_.misplaced(h));
        }
    }
    void require_sums() const {
        std::size_t capacity = 0;
        for (const object& o : objects_) {
            capacity += o.capacity;
        }
        PAGEFOLD_FUZZ_REQUIRE(allocator_.allocated_bytes() == capacity);
        PAGEFOLD_FUZZ_REQUIRE(allocator_.bytes_held() >= capacity);
        PAGEFOLD_FUZZ_REQUIRE(allocator_.bytes_held() + allocator_.table_bytes() == source_.bytes_held());
    }
    void check_all() {
        PAGEFOLD_FUZZ_REQUIRE(allocator_.check());
        for (std::size_t at = 0; at < objects_.size(); ++at) {
            PAGEFOLD_FUZZ_REQUIRE(allocator_.capacity(objects_[at].handle) == objects_[at].capacity);
            read(at);
        }
    }

    static constexpr std::size_t leave_behind = 3; // for the destructor, in every stream that has so many

    input& in_;
    heap_source source_;
    Allocator allocator_{source_, any_node};
    std::vector<object> objects_;
    std::vector<object_handle> dead_;
    std::vector<std::byte> scratch_;
    std::uint64_t contents_ = 0;
    std::uint32_t tags_ = 0;
};

} // namespace pagefold::fuzz
