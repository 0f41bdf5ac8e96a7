// SPDX-License-Identifier: MIT
#pragma once

#include <pagefold/config/assert.hpp>
#include <pagefold/core/bits.hpp>
#include <pagefold/hosted/discard_batch.hpp>
#include <pagefold/hosted/mmap_options.hpp>
#include <pagefold/hosted/node_placement.hpp>
#include <pagefold/hosted/std_mutex.hpp>
#include <pagefold/platform/concept.hpp>
#include <pagefold/platform/page_bitmap.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

// The page source of a hosted program: one reserved range of addresses, memory behind it only where pages are in use.
//
// The range is cut into chunks of 2 MiB, aligned as huge pages are. A store that is spread over small pages pays a
// TLB miss or two for every get; on huge pages it doesn't. So pages are handed out from the lowest chunk that has
// room: chunks low in the range are kept full and huge, those high in it empty and are given back whole. A chunk without
// memory comes last, wherever it lies: its first touch brings in the whole of it, which takes 160 µs.
//
// Released pages stay resident up to a limit, because a page that is given back and then taken again costs two system
// entries, some 4 µs. Above the limit they are given back, from the chunks that have most of them, until a quarter of the
// limit is free.
//
// A part of a huge page comes free only when that is split, and to split one takes 160 µs, for which everybody waits who
// touches it: with a lock held, everybody else. So the part is unmapped, and the kernel splits the page when it needs the
// memory; it has a list of such pages and asks nobody. trim() splits at once, and so does all under the option
// splits_at_once. (Measured while an object of 200,000 pages was erased: of the waits of a reader the 99.9th percentile
// was 160 to 260 µs with splits, 50 to 100 without, and the erasure took 80 ms and 39.) Either way khugepaged is told to
// keep away: it would fill the holes again.
//
// Each call that gives pages back interrupts all processors that the process runs on. So a whole batch goes in one call
// where the system can do that (discard_batch), and the releases that follow call nothing. The work of one release is
// bounded: pages_a_batch pages in one call, or one huge page is split. Where each run needs a call of its own (1 to 4 µs)
// it is calls_a_release of them, and the next release goes on.
//
// The books: for every chunk two bits a page, taken and resident, and an upper bound for its longest free run; for
// every group of 64 chunks the greatest of those bounds. A release raises them, a search that fails corrects them. So
// acquire looks at one bound a group, at those of one group, and into hardly more than one chunk. Chunks without memory
// have no bound; the lowest of them is searched for by itself, from where the last one was found. All this is 1/15000 of
// the memory, and mapped when it is used.

namespace pagefold::inline PAGEFOLD_ABI {

/// Anonymous private memory of the system, Linux. Safe from many threads. The node wish is left to `Placement`
/// (node_placement.hpp), which by default leaves it to the kernel's policy; numa_source has a source a node.
///
/// The constructor can't fail: where the range can't be had, every acquire answers no_memory. All memory goes back on
/// destruction. Acquiring up to 2 MiB takes 100 to 200 ns, and a page fault for each page (or huge page) that is not
/// resident when it is touched; acquiring more is a walk over all chunks.
template <lockable Lock = std_mutex, class Placement = any_placement>
class mmap_source {
public:
    static constexpr std::size_t chunk_bytes = std::size_t{2} << 20;
    static constexpr unsigned pages_a_batch = 256;
    static constexpr unsigned calls_a_release = 4;
    static constexpr unsigned most_idle_chunks = 1; // wholly free, but resident

    explicit mmap_source(const mmap_options& options = {}, const Placement& placement = Placement{}) noexcept
        : placement_{placement}, page_size_{static_cast<std::size_t>(sysconf(_SC_PAGESIZE))}, chunk_pages_{chunk_bytes /
                                                                                                           page_size_},
          retain_bytes_{options.retain_bytes}, splits_at_once_{options.splits_at_once}, //
          huge_pages_{options.huge_pages} {
        if (options.capacity_bytes != mmap_options::automatic) {
            reserve(options.capacity_bytes / chunk_bytes + (options.capacity_bytes % chunk_bytes != 0));
        } else if (!reserve(usual_chunks)) {
            std::size_t chunks = usual_chunks / 2;
            for (; chunks > 1 && !reserve(chunks); chunks /= 2) {
            }
            if (chunks > 1) { // the rest of the process needs addresses as well
                free_range();
                reserve(chunks / 2);
            }
        }
        if (chunk_count_ == 0) {
            return;
        }
        if constexpr (Placement::places) {
            placement_.adopt(base_, chunk_count_ * chunk_bytes);
        }
        // Where pages are larger than 4 KiB, huge ones are larger than a chunk.
        huge_pages_ =
            huge_pages_ && page_size_ == 4096 && madvise(base_, chunk_count_ * chunk_bytes, MADV_HUGEPAGE) == 0;
        most_holed_ = static_cast<std::uint16_t>((std::min)(most_exceptions / group_count(), group_chunks));
        batches_ = options.batches && discard_batch::is_one_call(base_, page_size_);
    }
    ~mmap_source() { free_range(); }
    mmap_source(const mmap_source&) = delete;
    mmap_source& operator=(const mmap_source&) = delete;

    /// The system's page size.
    [[nodiscard]] std::size_t page_size() const noexcept { return page_size_; }

    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        if (pages == 0 || (!Placement::places && is_strict(node))) {
            return status::invalid;
        }
        if (pages > chunk_count_ * chunk_pages_) {
            return status::no_memory;
        }
        const lock_guard guard{lock_};
        const std::size_t first = pages <= chunk_pages_ ? find_in_chunk(pages) : find_chunks(pages);
        if (first == none) {
            return status::no_memory;
        }
        if constexpr (Placement::places) {
            if (!bring_in(first, pages)) {
                return status::no_memory;
            }
        }
        for_each_chunk(first, pages, [this](std::size_t c, std::size_t at, std::size_t count) { take(c, at, count); });
        return static_cast<void*>(base_ + first * page_size_);
    }

    void release(void* p, std::size_t pages) noexcept {
        const std::size_t offset = static_cast<std::size_t>(static_cast<std::byte*>(p) - base_);
        const lock_guard guard{lock_};
        const std::size_t first = offset / page_size_;
        const bool ours = offset % page_size_ == 0 && first < ready_ * chunk_pages_ && pages != 0 &&
                          pages <= ready_ * chunk_pages_ - first;
        PAGEFOLD_CHECK(ours);
        if (!ours) {
            return;
        }
        for_each_chunk(first, pages, [this](std::size_t c, std::size_t at, std::size_t count) { drop(c, at, count); });
        if (retained_pages_ > retain_limit()) {
            give_back_excess();
        }
    }

    /// Gives back all that is not acquired; returns how many bytes that were. Takes up to 4 µs for each run of pages (a
    /// tenth of that in batches), and 160 µs for each chunk that is still one huge page.
    std::size_t trim() noexcept {
        const lock_guard guard{lock_};
        const std::size_t before = retained_pages_;
        unsigned work = ~0u;
        for (std::size_t c = 0; c < ready_; ++c) {
            if ((retained_[c] != 0 || chunks_[c].state == backing::holed) && !give_back(c, 0, work, true)) {
                break;
            }
        }
        discard();
        return (before - retained_pages_) * page_size_;
    }

    /// Calls `look` with the placement, while nobody else is here.
    template <class Look>
    void look_at_placement(Look look) const noexcept {
        const lock_guard guard{lock_};
        look(placement_);
    }
    /// Calls visit(start, bytes) for the runs of pages that are acquired, in their order, while nobody else is here.
    template <class Visit>
    void for_each_acquired(Visit visit) const noexcept {
        const lock_guard guard{lock_};
        for (std::size_t c = 0; c < ready_; ++c) {
            for (std::size_t at = 0; at < chunk_pages_; ++at) {
                const std::size_t first = at;
                while (at < chunk_pages_ && taken(c).all_set(at, 1)) {
                    ++at;
                }
                if (at != first) {
                    visit(static_cast<void*>(base_ + c * chunk_bytes + first * page_size_), (at - first) * page_size_);
                }
            }
        }
    }
    /// Whether the address is in the range that this source hands out.
    [[nodiscard]] bool owns(const void* p) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(p), base = reinterpret_cast<std::uintptr_t>(base_);
        return chunk_count_ != 0 && at >= base && at - base < chunk_count_ * chunk_bytes;
    }

    // Standstill, as of a store (basic_store.hpp): after those of the stores that it is behind.

    status quiesce() noexcept {
        lock_.lock();
        return status::ok;
    }
    void resume() noexcept { lock_.unlock(); }
    void resume_alone() noexcept {
        lock_.unlock();
        renew(lock_);
    }

    /// Whether many runs are given back in one call.
    [[nodiscard]] bool gives_back_in_batches() const noexcept { return batches_; }
    /// Bytes that can be acquired in all; 0 where the range could not be had.
    [[nodiscard]] std::size_t capacity_bytes() const noexcept { return chunk_count_ * chunk_bytes; }
    /// Bytes acquired and not released.
    [[nodiscard]] std::size_t acquired_bytes() const noexcept {
        const lock_guard guard{lock_};
        return acquired_pages_ * page_size_;
    }
    /// What is mapped at most: bytes acquired, and released ones not given back. The system may count more as used, where
    /// parts of huge pages were given back (mmap_options::splits_at_once).
    [[nodiscard]] std::size_t resident_bytes() const noexcept {
        const lock_guard guard{lock_};
        return (acquired_pages_ + retained_pages_) * page_size_;
    }

    /// Walks everything; false when it is damaged.
    [[nodiscard]] bool check() const noexcept {
        const lock_guard guard{lock_};
        std::size_t acquired = 0;
        std::size_t retained = 0;
        std::size_t idle = 0;
        for (std::size_t c = 0; c < ready_; ++c) {
            const std::size_t taken_here = taken(c).count(0, chunk_pages_);
            const std::size_t resident_here = resident(c).count(0, chunk_pages_);
            for (std::size_t w = 0; w < words; ++w) {
                if ((chunks_[c].taken[w] & ~chunks_[c].resident[w]) != 0) {
                    return false;
                }
            }
            const bool bound_holds = is_empty(c) ? c >= lowest_empty_ && bounds_[c] == 0
                                                 : taken(c).longest_clear_run() <= bounds_[c] &&
                                                       bounds_[c] <= groups_[c / group_chunks].bound;
            if (taken_here != chunks_[c].taken_count || resident_here - taken_here != retained_[c] || !bound_holds) {
                return false;
            }
            acquired += taken_here;
            retained += retained_[c];
            idle += taken_here == 0 && resident_here != 0 ? 1u : 0u;
        }
        for (std::size_t g = 0; g < group_count(); ++g) {
            std::size_t holed = 0;
            for (std::size_t c = g * group_chunks; c < (std::min)((g + 1) * group_chunks, chunk_count_); ++c) {
                holed += chunks_[c].state != backing::huge ? 1u : 0u;
            }
            if (holed != groups_[g].holed || (groups_[g].is_off ? holed == 0 : holed > most_holed_)) {
                return false;
            }
        }
        return acquired == acquired_pages_ && retained == retained_pages_ && idle == idle_chunks_;
    }

private:
    static constexpr std::size_t none = ~std::size_t{0};
    static constexpr std::size_t group_chunks = 64;
    static constexpr std::size_t usual_chunks =
        static_cast<std::size_t>(sizeof(void*) >= 8 ? 64ull << 30 : 512ull << 20) / chunk_bytes;
    static constexpr std::size_t most_exceptions = 8192; // chunks with advice of their own, each of two mappings
    static constexpr std::size_t words = page_bitmap::words_for(chunk_bytes / 4096);

    /// What may be behind a chunk. Huge pages are advised off where parts were given back.
    enum class backing : std::uint8_t {
        huge,  ///< a huge page; zero, as the books begin
        holed, ///< one of which parts are unmapped
        small
    };
    struct chunk {
        std::uint64_t taken[words];
        std::uint64_t resident[words]; // all that are taken, and those free ones that the system still keeps for us
        std::uint16_t taken_count;
        backing state;
    };

    struct group {
        std::uint16_t bound;
        std::uint16_t holed; // chunks in it that are not huge
        bool is_off;         // huge pages are advised off for all of it
    };
    [[nodiscard]] std::size_t group_count() const noexcept { return ceil_div(chunk_count_, group_chunks); }

    /// Makes the range and its books, if the process may have so many addresses.
    bool reserve(std::size_t chunks) noexcept {
        if (chunks == 0 || chunks >= ~std::size_t{0} / chunk_bytes - 1) {
            return false;
        }
        const std::size_t groups = ceil_div(chunks, group_chunks);
        table_bytes_ = chunks * (sizeof(chunk) + 2 * sizeof(std::uint16_t)) + groups * sizeof(group);
        range_bytes_ = (chunks + 1) * chunk_bytes;
        void* const table = map(table_bytes_, PROT_READ | PROT_WRITE);
        void* const range = map(range_bytes_, PROT_NONE);
        if (table == MAP_FAILED || range == MAP_FAILED) {
            unmap(table, table_bytes_);
            unmap(range, range_bytes_);
            return false;
        }
        range_ = range;
        base_ = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(range), chunk_bytes));
        chunks_ = static_cast<chunk*>(table);
        retained_ = reinterpret_cast<std::uint16_t*>(chunks_ + chunks);
        bounds_ = retained_ + chunks;
        groups_ = reinterpret_cast<group*>(bounds_ + chunks);
        chunk_count_ = chunks;
        return true;
    }
    void free_range() noexcept {
        if (chunk_count_ != 0) {
            unmap(chunks_, table_bytes_);
            unmap(range_, range_bytes_);
        }
        chunk_count_ = 0;
    }
    [[nodiscard]] static void* map(std::size_t bytes, int protection) noexcept {
        return mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    static void unmap(void* p, std::size_t bytes) noexcept {
        if (p != MAP_FAILED) {
            munmap(p, bytes);
        }
    }

    /// Whether the chunk is wholly free, and no memory is behind it.
    [[nodiscard]] bool is_empty(std::size_t c) const noexcept {
        return chunks_[c].taken_count == 0 && retained_[c] == 0;
    }
    [[nodiscard]] page_bitmap taken(std::size_t c) const noexcept { return {chunks_[c].taken, chunk_pages_}; }
    [[nodiscard]] page_bitmap resident(std::size_t c) const noexcept { return {chunks_[c].resident, chunk_pages_}; }

    /// Calls function(chunk, first page in it, count) for the parts of a run of pages.
    template <class Function>
    void for_each_chunk(std::size_t first, std::size_t pages, Function function) noexcept {
        while (pages != 0) {
            const std::size_t at = first % chunk_pages_;
            const std::size_t count = (std::min)(pages, chunk_pages_ - at);
            function(first / chunk_pages_, at, count);
            first += count;
            pages -= count;
        }
    }

    // Finding room.

    [[nodiscard]] std::size_t find_in_chunk(std::size_t pages) noexcept {
        for (std::size_t g = 0; g * group_chunks < ready_; ++g) {
            if (groups_[g].bound < pages) {
                continue;
            }
            const std::size_t end = (std::min)((g + 1) * group_chunks, ready_);
            std::uint16_t greatest = 0;
            for (std::size_t c = g * group_chunks; c < end; ++c) {
                if (bounds_[c] >= pages) {
                    if (const std::size_t at = taken(c).find_clear(pages); at != page_bitmap::npos) {
                        return c * chunk_pages_ + at;
                    }
                    bounds_[c] = static_cast<std::uint16_t>(taken(c).longest_clear_run());
                }
                greatest = (std::max)(greatest, bounds_[c]);
            }
            groups_[g].bound = greatest;
        }
        while (lowest_empty_ < ready_ && !is_empty(lowest_empty_)) {
            ++lowest_empty_;
        }
        return lowest_empty_ < ready_ || make_ready(1) ? lowest_empty_ * chunk_pages_ : none;
    }
    /// For more pages than a chunk has: wholly free chunks next to each other.
    [[nodiscard]] std::size_t find_chunks(std::size_t pages) noexcept {
        const std::size_t count = ceil_div(pages, chunk_pages_);
        std::size_t free = 0;
        for (std::size_t c = 0; c < ready_; ++c) {
            free = chunks_[c].taken_count == 0 ? free + 1 : 0;
            if (free == count) {
                return (c + 1 - count) * chunk_pages_;
            }
        }
        const std::size_t first = ready_ - free;
        return make_ready(count - free) ? first * chunk_pages_ : none;
    }
    /// Opens the next chunks of the range for access. Until here they count for nothing, even where the system doesn't
    /// overcommit memory.
    [[nodiscard]] bool make_ready(std::size_t count) noexcept {
        if (count > chunk_count_ - ready_ ||
            mprotect(base_ + ready_ * chunk_bytes, count * chunk_bytes, PROT_READ | PROT_WRITE) != 0) {
            return false;
        }
        for (const std::size_t end = ready_ + count; ready_ < end; ++ready_) {
            taken(ready_).reset();
            resident(ready_).reset();
        }
        return true;
    }
    void raise_bound(std::size_t c, std::size_t run) noexcept {
        const std::uint16_t bound = (std::max)(bounds_[c], static_cast<std::uint16_t>(run));
        bounds_[c] = bound;
        groups_[c / group_chunks].bound = (std::max)(groups_[c / group_chunks].bound, bound);
    }

    // Memory that must be somewhere (node_placement.hpp).

    /// Brings in what isn't there of a run of free pages, or for the first pages of a chunk of huge pages all of the chunk.
    /// Where that can't be had, only the run, in small pages. False: not even that, and nothing of it stays.
    [[nodiscard]] bool bring_in(std::size_t first, std::size_t pages) noexcept {
        bool all = true;
        for_each_chunk(first, pages, [&](std::size_t c, std::size_t at, std::size_t count) {
            all = all && (brings_whole(c) && bring_in_whole(c) ? true : bring_in_part(c, at, count));
        });
        if (!all) {
            for_each_chunk(first, pages, [&](std::size_t c, std::size_t at, std::size_t count) {
                if (is_empty(c)) {
                    madvise(base_ + c * chunk_bytes, chunk_bytes, MADV_DONTNEED);
                    if (chunks_[c].state != backing::huge) {
                        make_huge(c);
                    }
                } else {
                    for_each_absent(c, at, count, [](std::byte* start, std::size_t bytes) {
                        madvise(start, bytes, MADV_DONTNEED);
                        return true;
                    });
                }
            });
        }
        return all;
    }
    [[nodiscard]] bool bring_in_whole(std::size_t c) noexcept {
        std::byte* const start = base_ + c * chunk_bytes;
        if (placement_.bring_in(start, chunk_bytes, page_size_)) {
            return true;
        }
        madvise(start, chunk_bytes, MADV_DONTNEED);
        make_holed(c); // so that its first pages don't bring in the rest
        return false;
    }
    [[nodiscard]] bool bring_in_part(std::size_t c, std::size_t at, std::size_t count) noexcept {
        return for_each_absent(c, at, count, [this](std::byte* start, std::size_t bytes) {
            return placement_.bring_in(start, bytes, page_size_);
        });
    }
    /// Calls function(start, bytes) for the runs that have no memory, until it answers false.
    template <class Function>
    bool for_each_absent(std::size_t c, std::size_t at, std::size_t count, Function function) noexcept {
        const page_bitmap here = resident(c);
        for (auto r = here.next_clear_run(at); r.count != 0 && r.first < at + count;
             r = here.next_clear_run(r.first + r.count)) {
            const std::size_t length = (std::min)(r.count, at + count - r.first);
            if (!function(base_ + c * chunk_bytes + r.first * page_size_, length * page_size_)) {
                return false;
            }
        }
        return true;
    }

    // Keeping the books.

    /// Whether the first touch of a chunk brings in all of it.
    [[nodiscard]] bool brings_whole(std::size_t c) const noexcept {
        return is_empty(c) && huge_pages_ && !groups_[c / group_chunks].is_off && chunks_[c].state == backing::huge;
    }

    void take(std::size_t c, std::size_t at, std::size_t count) noexcept {
        chunk& here = chunks_[c];
        const bool whole = brings_whole(c);
        if (is_empty(c)) {
            raise_bound(c, (std::max)(at, chunk_pages_ - at - count));
            if (whole) {
                resident(c).set(0, chunk_pages_); // the first touch brings the whole chunk in
                set_retained(c, chunk_pages_);
            }
        } else if (here.taken_count == 0) {
            --idle_chunks_;
        }
        const std::size_t was_resident = resident(c).count(at, count);
        taken(c).set(at, count);
        resident(c).set(at, count);
        set_retained(c, retained_[c] - was_resident);
        here.taken_count = static_cast<std::uint16_t>(here.taken_count + count);
        acquired_pages_ += count;
        if (here.taken_count == chunk_pages_) {
            bounds_[c] = 0;
        }
    }
    void drop(std::size_t c, std::size_t at, std::size_t count) noexcept {
        chunk& here = chunks_[c];
        const bool all_taken = taken(c).all_set(at, count);
        PAGEFOLD_CHECK(all_taken);
        if (!all_taken) {
            return;
        }
        taken(c).clear(at, count);
        set_retained(c, retained_[c] + count);
        here.taken_count = static_cast<std::uint16_t>(here.taken_count - count);
        acquired_pages_ -= count;
        raise_bound(c, taken(c).clear_run_around(at).count);
        if (here.taken_count == 0 && ++idle_chunks_ > most_idle_chunks) {
            unsigned work = 1;
            give_back(c, 0, work, false);
        }
    }
    void set_retained(std::size_t c, std::size_t pages) noexcept {
        retained_pages_ += pages - retained_[c];
        retained_[c] = static_cast<std::uint16_t>(pages);
    }

    // Giving memory back.

    [[nodiscard]] std::size_t retain_limit() const noexcept {
        constexpr std::size_t least = std::size_t{4} << 20;
        return retain_bytes_ == mmap_options::automatic ? (std::max)(least / page_size_, acquired_pages_ / 32)
                                                        : retain_bytes_ / page_size_;
    }
    /// What one release may give back at most: pages of a batch, or calls.
    [[nodiscard]] unsigned work_a_release() const noexcept { return batches_ ? pages_a_batch : calls_a_release; }

    /// Goes a quarter below the limit, so that the releases that follow have nothing to do.
    PAGEFOLD_COLD void give_back_excess() noexcept {
        const std::size_t goal = retain_limit() - retain_limit() / 4;
        for (unsigned work = work_a_release(); work > 0 && retained_pages_ > goal;) {
            std::size_t most = 0;
            for (std::size_t c = 1; c < ready_; ++c) {
                most = retained_[c] > retained_[most] ? c : most;
            }
            if (!give_back(most, goal, work, splits_at_once_)) {
                break;
            }
        }
        discard();
    }
    /// Gives back what the chunk retains, until only `goal` pages are retained in all or `work` is used up. A part of a
    /// chunk is only noted; discard() does it. `splits`: a huge page, so that the memory comes free at once. False if the
    /// system refuses: then the books stay as they are.
    bool give_back(std::size_t c, std::size_t goal, unsigned& work, bool splits) noexcept {
        chunk& here = chunks_[c];
        std::byte* const start = base_ + c * chunk_bytes;
        if (here.taken_count == 0) {
            if (madvise(start, chunk_bytes, MADV_DONTNEED) != 0) {
                return false;
            }
            --work;
            if (here.state != backing::huge) {
                make_huge(c);
            }
            resident(c).reset();
            set_retained(c, 0);
            bounds_[c] = 0;
            lowest_empty_ = (std::min)(lowest_empty_, c);
            --idle_chunks_;
            return true;
        }
        std::uint64_t kept[words];
        for (std::size_t w = 0; w < words; ++w) {
            kept[w] = here.taken[w] | ~here.resident[w];
        }
        const page_bitmap others{kept, chunk_pages_};
        if (huge_pages_ && here.state == backing::huge) {
            make_holed(c);
        }
        if (here.state == backing::holed && splits) {
            if (work < work_a_release()) { // a split counts as a whole release's work
                work = 0;
                return true;
            }
            work -= work_a_release();
            split(c);
        }
        for (page_bitmap::run r = others.next_clear_run(0); r.count != 0 && work > 0 && retained_pages_ > goal;
             r = others.next_clear_run(r.first + r.count)) {
            if (batch_.is_full() && !discard()) {
                return false;
            }
            batch_.add(start + r.first * page_size_, r.count * page_size_);
            resident(c).clear(r.first, r.count);
            set_retained(c, retained_[c] - r.count);
            work -= batches_ ? (std::min)(work, static_cast<unsigned>(r.count)) : 1;
        }
        return true;
    }
    /// Gives the noted runs back. What the system refuses is retained again.
    bool discard() noexcept {
        bool all = true;
        batch_.discard(batches_, [&](void* start, std::size_t bytes) {
            const std::size_t first = static_cast<std::size_t>(static_cast<std::byte*>(start) - base_) / page_size_;
            const std::size_t c = first / chunk_pages_;
            resident(c).set(first % chunk_pages_, bytes / page_size_);
            set_retained(c, retained_[c] + bytes / page_size_);
            all = false;
        });
        return all;
    }

    // khugepaged is told to keep away from chunks with holes. Each piece of advice that differs from its neighbours' is a
    // mapping, of which a process has some 65,000. So where many chunks of a group have holes, all of it is advised.

    void make_holed(std::size_t c) noexcept {
        group& g = groups_[c / group_chunks];
        ++g.holed;
        if (!g.is_off && g.holed > most_holed_) {
            advise_group(c, MADV_NOHUGEPAGE);
            g.is_off = true;
        } else if (!g.is_off) {
            madvise(base_ + c * chunk_bytes, chunk_bytes, MADV_NOHUGEPAGE);
        }
        chunks_[c].state = backing::holed;
    }
    void make_huge(std::size_t c) noexcept {
        group& g = groups_[c / group_chunks];
        --g.holed;
        if (g.is_off && g.holed == 0) {
            advise_group(c, MADV_HUGEPAGE);
            g.is_off = false;
        } else if (!g.is_off) {
            madvise(base_ + c * chunk_bytes, chunk_bytes, MADV_HUGEPAGE);
        }
        chunks_[c].state = backing::huge;
    }
    void advise_group(std::size_t c, int advice) const noexcept {
        const std::size_t first = c / group_chunks * group_chunks;
        madvise(base_ + first * chunk_bytes, (std::min)(group_chunks, chunk_count_ - first) * chunk_bytes, advice);
    }

    /// Makes small pages of a huge one of which parts are unmapped, or will be. If the system refuses, the memory comes
    /// free later, when the kernel is short of it.
    void split(std::size_t c) noexcept {
#ifdef MADV_COLD
        // This advice splits a huge page if it is given for a part of it, or for all that is mapped of one with parts
        // unmapped (Linux 5.4). One of the two calls is for a part.
        std::byte* const start = base_ + c * chunk_bytes;
        madvise(start, page_size_, MADV_COLD);
        madvise(start + page_size_, chunk_bytes - page_size_, MADV_COLD);
#endif
        chunks_[c].state = backing::small;
    }

    mutable Lock lock_{};
    Placement placement_; // takes room though it is empty: see chain.hpp
    const std::size_t page_size_;
    const std::size_t chunk_pages_;
    const std::size_t retain_bytes_;
    const bool splits_at_once_;
    bool huge_pages_;
    bool batches_ = false;

    void* range_ = nullptr;
    std::size_t range_bytes_ = 0;
    std::size_t table_bytes_ = 0;
    std::byte* base_ = nullptr;    // of the first chunk
    std::size_t chunk_count_ = 0;  // 0: the range could not be had
    std::size_t ready_ = 0;        // chunks opened for access, from the lowest; the books know only these
    std::size_t lowest_empty_ = 0; // no empty chunk is lower

    chunk* chunks_ = nullptr;
    std::uint16_t* retained_ = nullptr; // for every chunk: pages resident and not taken
    std::uint16_t* bounds_ = nullptr;   // for every chunk: no free run is longer; 0 for an empty one
    group* groups_ = nullptr;
    std::uint16_t most_holed_ = 0; // chunks of a group that have advice of their own
    std::size_t acquired_pages_ = 0;
    std::size_t retained_pages_ = 0;
    std::size_t idle_chunks_ = 0; // resident, with no page taken
    discard_batch batch_{};       // empty while nobody holds the lock
};

} // namespace pagefold
