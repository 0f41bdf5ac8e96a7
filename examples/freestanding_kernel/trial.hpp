// SPDX-License-Identifier: MIT
#pragma once

#include "command_line.hpp"
#include "console.hpp"
#include "content.hpp"
#include "interrupts.hpp"
#include "library.hpp"
#include "machine.hpp"
#include "paged_region.hpp"
#include "stack_probe.hpp"

#include <cstddef>
#include <cstdint>

namespace kernel {

inline constexpr std::size_t max_region_pages = 65536;
inline constinit std::uint8_t versions[max_region_pages]{}; // how often each page of the region was written

template <class... Part>
void require(bool holds, Part... otherwise) noexcept {
    if (!holds) {
        panic(otherwise...);
    }
}

/// One store, and a region larger than the machine's memory that is paged through it. Every page is compared byte for
/// byte whenever it is read.
template <class Config>
class trial {
    using store_type = pagefold::page_store<Config>;
    using region_type = paged_region<store_type>;

public:
    trial(pagefold::page_source_ref source, frame_allocator& frames, std::size_t anonymous, std::size_t file) noexcept
        : frames_{frames}, store_{source}, region_{store_, frames, anonymous, file} {}

    /// Everything; panics where anything is not as it must be.
    void run(plant planted) noexcept {
        require(region_.open() == pagefold::status::ok, "no memory for the region");
        pagefold::fill_bytes(versions, 0, sizeof versions);
        interrupts::set_fault_handler(region_type::serve, &region_);
        interrupts::set_tick_handler(on_tick, this);

        print_times();
        fill();
        work(2 * region_.pages());
        print("under pressure");
        work_while_full();
        if (planted == plant::wild) {
            write(region_.pages(), 1);
        }
        if (planted == plant::page) {
            const std::size_t page = region_.anonymous() / 2;
            static_cast<void>(is_right(page));
            page_table::address(page)[1000] ^= std::byte{1};
        }
        verify();
        meet_corruption(planted == plant::stream);
        verify();
        print("in the end");
        print_stacks();

        interrupts::set_tick_handler(nullptr, nullptr);
        interrupts::set_fault_handler(nullptr, nullptr);
        require(ticks_ != 0, "no timer interrupt looked at the store");
        require(store_.check(), "the store's structures are damaged");
        require(region_.close() == pagefold::status::ok, "the pools can't be destroyed");
        require(store_.stats().stored_pages == 0, "pages are left in the store");
    }

private:
    static constexpr std::size_t page_size = frame_allocator::frame_size;
    static constexpr std::size_t frames_for_the_store = 64;

    /// As a monitor would: from an interrupt, whatever the kernel is doing with the store.
    static void on_tick(void* self) noexcept {
        auto& t = *static_cast<trial*>(self);
        const pagefold::store_stats s = t.store_.stats();
        require(s.total_bytes <= s.mem_limit || t.is_shrinking_, "the store is over its limit");
        t.ticks_ = t.ticks_ + 1;
    }

    void write(std::size_t page, std::uint8_t version) noexcept {
        make_content(page_table::address(page), page, version);
        if (page < region_.pages()) {
            versions[page] = version;
        }
    }
    [[nodiscard]] bool is_right(std::size_t page) noexcept {
        return has_content(page_table::address(page), page, versions[page]);
    }
    void read(std::size_t page) noexcept { require(is_right(page), "page ", page, " has wrong bytes"); }

    void fill() noexcept {
        for (std::size_t page = 0; page < region_.anonymous(); ++page) {
            write(page, 1);
        }
        for (std::size_t page = region_.anonymous(); page < region_.pages(); ++page) {
            read(page);
        }
        require(region_.of_anonymous().evicted_pages + region_.of_file().evicted_pages != 0,
                "the machine has too much memory for this: nothing was evicted");
    }
    /// Reads pages at random, three of four from a quarter of them, and writes one in four of the anonymous ones.
    void work(std::size_t steps) noexcept {
        for (std::size_t i = 0; i < steps; ++i) {
            const bool is_anywhere = random_.below(4) == 0;
            const std::size_t page =
                is_anywhere ? random_.below(region_.pages()) : random_.below(region_.pages() / 4) * 4;
            read(page);
            if (page < region_.anonymous() && random_.below(4) == 0) {
                write(page, static_cast<std::uint8_t>(versions[page] + 1));
            }
        }
    }
    /// The store may not have what it has: what reclaim offers is refused, and stays.
    void work_while_full() noexcept {
        const std::uint64_t before = region_.of_anonymous().refused_pages;
        const pagefold::store_stats full = store_.stats();
        is_shrinking_ = true;
        pagefold::status s = pagefold::status::busy;
        while (s == pagefold::status::busy) {
            s = store_.resize(static_cast<std::size_t>(full.total_bytes / 4));
        }
        require(s == pagefold::status::limit, "the store answered ", s, " to a quarter of what it has");
        region_.drop_copies(region_.pages());
        while (store_.compact(1 << 20) != 0) { // no holes are left that a put could fill
        }
        for (std::size_t page = 0; page < region_.anonymous(); ++page) {
            if (region_.is_resident(page)) {
                write(page, static_cast<std::uint8_t>(versions[page] + 1)); // no copy is good any more
            }
        }
        work(64);
        for (std::size_t page = 0; page < region_.anonymous(); ++page) {
            if (region_.is_resident(page)) {
                const bool has_gone = region_.evict(page);
                require(has_gone != region_.is_resident(page), "page ", page, " is in two places or none");
                read(page);
            }
        }
        const std::uint64_t refused = region_.of_anonymous().refused_pages - before;
        require(refused != 0, "a full store refused nothing");
        require(store_.stats().evicted_pages != 0 || full.evicted_pages != 0, "no page of the page cache made room");
        console::line("  store full: ", refused, " evictions refused, pages stayed");
        require(store_.resize(~std::size_t{0}) == pagefold::status::ok, "the limit can't be lifted");
        is_shrinking_ = false;
        require(region_.reclaim(256) != 0, "nothing can be reclaimed once the store has room again");
    }
    void verify() noexcept {
        for (std::size_t page = 0; page < region_.pages(); ++page) {
            read(page);
        }
    }

    // Corruption.

    /// A page among first … last − 1, neither noise nor of one value, that is sent to the store, which takes it.
    [[nodiscard]] std::size_t make_stored(std::size_t first, std::size_t last) noexcept {
        region_.reclaim(frames_for_the_store);
        for (std::size_t page = first; page < last; ++page) {
            if (page % 16 < 3) {
                continue;
            }
            read(page);
            if (region_.evict(page) && store_.get(region_.key(page), {page_, page_size}) == pagefold::status::ok) {
                return page;
            }
        }
        panic("no page to spoil");
    }
    /// Flips a bit in the stream of a page that is stored, wherever its bytes lie in the machine; how many copies of it
    /// there were (freed memory may hold old ones).
    std::size_t spoil(std::size_t page) noexcept {
        alignas(pagefold::scratch_alignment) static constinit std::byte scratch[49152]{};
        static constinit std::byte content[page_size]{}, stream[2 * page_size]{};
        const typename Config::compressor_type codec{};
        const pagefold::byte_span working{scratch, sizeof scratch};
        make_content(content, page, versions[page]);
        require(codec.scratch_size(page_size) <= sizeof scratch && codec.bound(page_size) <= sizeof stream &&
                    codec.prepare(working) == pagefold::status::ok,
                "the codec wants ", codec.scratch_size(page_size), " bytes of scratch and ", codec.bound(page_size),
                " for a stream");
        const auto size = codec.compress({content, page_size}, {stream, sizeof stream}, working);
        require(size.has_value() && *size > 64, "page ", page, " has no stream to spoil");
        std::size_t found = 0;
        frames_.for_each_taken([&](std::byte* frame) noexcept {
            for (std::byte* at = frame; at != frame + page_size; ++at) {
                if (*at == stream[0] &&
                    pagefold::load_native<std::uint64_t>(at + 8) == pagefold::load_native<std::uint64_t>(stream + 8) &&
                    pagefold::equal_bytes(at, stream, *size)) {
                    at[*size / 2] ^= std::byte{0x10};
                    ++found;
                }
            }
        });
        return found;
    }
    /// A stream that was overwritten is told, never handed out: an anonymous page is lost, and the fault says so; one of the
    /// page cache costs another reading of the file.
    void meet_corruption(bool planted) noexcept {
        const std::size_t cached = make_stored(region_.anonymous(), region_.pages());
        require(spoil(cached) != 0, "the stream of page ", cached, " is nowhere");
        const std::uint64_t before = region_.of_file().vanished_pages;
        read(cached);
        require(region_.of_file().vanished_pages == before + 1, "a corrupt page was not told");

        const std::size_t lost = make_stored(0, region_.anonymous());
        require(spoil(lost) != 0, "the stream of page ", lost, " is nowhere");
        if (planted) {
            read(lost);
            panic("a corrupt page was read");
        }
        const pagefold::status s = region_.bring(lost, false);
        require(s == pagefold::status::corrupt && !region_.is_resident(lost), "a corrupt page was answered ", s);
        console::line("  corrupt streams told: an anonymous page, and one of the page cache, read from the file again");
        require(region_.forget(lost) == pagefold::status::ok,
                "a lost page can't be forgotten"); // as when its process ends
        versions[lost] = 0;
        write(lost, 1);
    }

    // What is printed.

    void print(const char* when) noexcept {
        const pagefold::store_stats s = store_.stats();
        const pagefold::region_pager_stats a = region_.of_anonymous(), f = region_.of_file();
        const std::uint64_t kib = 1024;
        console::line("  ", when, ": ", region_.pages(), " pages, ", a.resident_pages + f.resident_pages, " resident, ",
                      s.stored_pages, " stored (", s.same_pages, " same-filled, ", s.huge_pages, " raw)");
        console::print("    ");
        console::print(s.orig_data_size / kib);
        console::print(" KiB in ");
        console::print(s.total_bytes / kib);
        console::print(" KiB, tables and slack included: ratio ");
        console::print_permille(s.ratio_permille());
        console::line("; ", s.metadata_bytes / kib, " KiB are metadata");
        console::line("    faults ", a.faults + f.faults, ": ", a.zero_faults, " zeros, ",
                      a.store_faults + f.store_faults, " from the store, ", f.base_faults, " from the file");
        console::line("    evicted ", a.evicted_pages + f.evicted_pages, " (", a.clean_pages + f.clean_pages,
                      " without a put), refused ", a.refused_pages, ", page cache dropped by the store ",
                      s.evicted_pages);
    }
    /// Means over pages of all kinds, in a store that is still empty.
    void print_times() noexcept {
        constexpr std::size_t count = 256;
        const auto pool = store_.create_pool();
        require(pool.has_value(), "no room for another pool");
        std::uint64_t putting = 0, getting = 0;
        for (std::size_t i = 0; i < count; ++i) {
            make_content(page_, i, 7);
            const std::uint64_t start = machine::cycles();
            const pagefold::status put = store_.put({*pool, 0, i}, {page_, page_size});
            const std::uint64_t middle = machine::cycles();
            const pagefold::status got = store_.get({*pool, 0, i}, {page_, page_size});
            getting += machine::cycles() - middle;
            putting += middle - start;
            require(put == pagefold::status::ok && got == pagefold::status::ok && has_content(page_, i, 7),
                    "a page that was put does not come back");
        }
        require(store_.destroy_pool(*pool) == pagefold::status::ok, "a pool can't be destroyed");
        const std::uint64_t cycles = cycles_a_microsecond();
        console::line("  put ", putting * 1000 / count / cycles, " ns, get ", getting * 1000 / count / cycles,
                      " ns, as this machine sees time");
    }
    [[nodiscard]] static std::uint64_t cycles_a_microsecond() noexcept {
        constexpr std::uint64_t wait = 10;
        const std::uint64_t first = interrupts::ticks() + 1;
        while (interrupts::ticks() < first) {
        }
        const std::uint64_t start = machine::cycles();
        while (interrupts::ticks() < first + wait) {
        }
        const std::uint64_t cycles = (machine::cycles() - start) / (wait * 1'000'000 / interrupts::ticks_a_second);
        return cycles == 0 ? 1 : cycles;
    }
    /// The stack that each operation takes in a store that is full.
    void print_stacks() noexcept {
        region_.reclaim(frames_for_the_store);
        const auto pool = store_.create_pool({.kind = pagefold::pool_kind::ephemeral});
        require(pool.has_value(), "no room for another pool");
        const pagefold::page_key key{*pool, 1, 0};
        pagefold::status s = pagefold::status::ok;
        make_content(page_, 3, 8);
        const auto put_page = [&]() noexcept { s = store_.put(key, {page_, page_size}); };
        std::size_t put = stack_of(put_page);
        for (unsigned patience = 0; s == pagefold::status::no_memory && patience < 16; ++patience) {
            region_.reclaim(frames_for_the_store); // there may be frames, and not the consecutive ones that it asks for
            put = stack_of(put_page);
        }
        require(s == pagefold::status::ok, "a put of an ephemeral page answered ", s);
        const std::size_t get = stack_of([&]() noexcept { s = store_.get(key, {page_, page_size}); });
        require(s == pagefold::status::ok && has_content(page_, 3, 8), "a get answered ", s);
        const std::size_t erase = stack_of([&]() noexcept { s = store_.erase(key); });
        require(s == pagefold::status::ok, "an erase answered ", s);
        const std::size_t compact = stack_of([&]() noexcept { static_cast<void>(store_.compact(1 << 20)); });
        const auto half = static_cast<std::size_t>(store_.stats().total_bytes / 2);
        is_shrinking_ = true;
        const std::size_t resize = stack_of([&]() noexcept { s = store_.resize(half); });
        require(s == pagefold::status::limit || s == pagefold::status::busy, "a resize to half answered ", s);
        require(store_.resize(~std::size_t{0}) == pagefold::status::ok, "the limit can't be lifted");
        is_shrinking_ = false;
        console::line("    stack: put ", put, ", get ", get, ", erase ", erase, ", compact ", compact, ", resize ",
                      resize, " bytes");
        require(store_.destroy_pool(*pool) == pagefold::status::ok, "a pool can't be destroyed");
    }

    inline static constinit std::byte page_[page_size]{};

    frame_allocator& frames_;
    store_type store_;
    region_type region_;
    random_stream random_{2026};
    volatile bool is_shrinking_ = false;
    volatile std::uint64_t ticks_ = 0;
};

} // namespace kernel
