// SPDX-License-Identifier: MIT
//
// A pager in one file that asks nothing of its kernel but mprotect and SIGSEGV: memory that is protected, a handler that brings its
// pages, and pagefold's region_pager between them and a store. It works on four times the memory that it may use, and checks every
// page that it reads.
//
// The smallest host there is, to start another one from: docs/paging.md. One thread touches the region (a signal's handler takes no
// lock); hosted/uffd_pager.hpp is what programs with threads use on Linux.

#include <pagefold/pagefold.hpp>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace {

using pagefold::page_access;
using pagefold::pages_done;
using pagefold::slot_id;
using pagefold::status;

constexpr std::size_t page_size = 4096;

/// pagefold::paging_backend over protected memory: no access is missing, reading alone is watched for writes.
class protected_memory {
public:
    explicit protected_memory(std::size_t pages)
        : memory_{mmap(nullptr, pages * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)} {}
    [[nodiscard]] bool is_open() const { return memory_ != MAP_FAILED; }
    [[nodiscard]] std::byte* page(std::size_t number) const {
        return static_cast<std::byte*>(memory_) + number * page_size;
    }

    pagefold::result<pagefold::byte_span> place(slot_id, std::size_t count) noexcept {
        return pagefold::byte_span{buffer_, (count < window ? count : window) * page_size};
    }
    pages_done bring(slot_id first, std::size_t count, page_access access) noexcept {
        if (count == 0 || !protect(first, count, PROT_READ | PROT_WRITE)) {
            return {0, count == 0 ? status::ok : status::no_memory};
        }
        std::memcpy(page(first), buffer_, count * page_size);
        if (access == page_access::read && !protect(first, count, PROT_READ)) {
            static_cast<void>(drop(first, count));
            return {0, status::no_memory};
        }
        return {count, status::ok};
    }
    pages_done bring_zeros(slot_id first, std::size_t count, page_access access) noexcept {
        return protect_each(first, count, with(access)); // what was never touched, or given back, reads as zeros
    }
    status let_write(slot_id number) noexcept { return put_back(number, page_access::write); }
    pages_done take_out(slot_id first, std::size_t count) noexcept { return protect_each(first, count, PROT_READ); }
    [[nodiscard]] bool was_written(slot_id) noexcept { return false; }
    pagefold::result<pagefold::byte_view> read(slot_id number) noexcept {
        return pagefold::byte_view{page(number), page_size};
    }
    status put_back(slot_id number, page_access access) noexcept {
        return protect(number, 1, with(access)) ? status::ok : status::no_memory;
    }
    pages_done drop(slot_id first, std::size_t count) noexcept {
        if (protect(first, count, PROT_NONE) && madvise(page(first), count * page_size, MADV_DONTNEED) == 0) {
            return {count, status::ok};
        }
        static_cast<void>(protect(first, count, PROT_READ)); // memory that is locked, say
        return {0, status::busy};
    }
    status set_lost(slot_id, bool) noexcept { return status::ok; } // the handler ends who reads it
    status wake(slot_id, std::size_t) noexcept { return status::ok; }
    [[nodiscard]] bool tells_writes() const noexcept { return true; }

private:
    static constexpr std::size_t window = 16;

    [[nodiscard]] static int with(page_access access) noexcept {
        return access == page_access::read ? PROT_READ : PROT_READ | PROT_WRITE;
    }
    /// A call that fails may have changed its first pages, where mappings became too many: then they are asked for one by one.
    [[nodiscard]] pages_done protect_each(slot_id first, std::size_t count, int rights) noexcept {
        if (protect(first, count, rights)) {
            return {count, status::ok};
        }
        std::size_t done = 0;
        while (done < count && protect(static_cast<slot_id>(first + done), 1, rights)) {
            ++done;
        }
        return {done, done == count ? status::ok : status::no_memory};
    }
    [[nodiscard]] bool protect(slot_id first, std::size_t count, int rights) noexcept {
        return mprotect(page(first), count * page_size, rights) == 0;
    }

    void* memory_;
    alignas(page_size) std::byte buffer_[window * page_size] = {};
};

using store_type = pagefold::page_store<pagefold::default_config>;
using pager_type = pagefold::region_pager<store_type, protected_memory, pagefold::clock>;

constexpr std::size_t pages = 8192;
protected_memory region{pages};
pager_type* pager = nullptr;

bool is_there(pagefold::page_state state) {
    return state == pagefold::page_state::clean || state == pagefold::page_state::resident;
}
/// A page that is missing is read, for all that is known; who writes to it comes again.
void on_fault(int, siginfo_t* info, void*) {
    const std::size_t offset =
        reinterpret_cast<std::uintptr_t>(info->si_addr) - reinterpret_cast<std::uintptr_t>(region.page(0));
    const auto number = static_cast<slot_id>(offset / page_size);
    if (offset >= pages * page_size || pager->fault(number, is_there(pager->state(number))) == status::corrupt) {
        std::signal(SIGSEGV,
                    SIG_DFL); // no page of ours, or one that is lost: the access comes again, and ends the program
    }
}

void write_page(std::size_t number, unsigned version) {
    std::memset(region.page(number), static_cast<int>(number % 7), page_size);
    std::snprintf(reinterpret_cast<char*>(region.page(number)), 64, "page %zu, version %u", number, version);
}
bool is_right(std::size_t number, unsigned version) {
    char expected[64];
    std::snprintf(expected, sizeof expected, "page %zu, version %u", number, version);
    return std::strcmp(reinterpret_cast<const char*>(region.page(number)), expected) == 0 &&
           region.page(number)[page_size - 1] == static_cast<std::byte>(number % 7);
}

} // namespace

int main() {
    if (sysconf(_SC_PAGESIZE) != static_cast<long>(page_size) || !region.is_open()) {
        std::puts("skipped: the system's pages are not of 4 KiB, or it has no addresses");
        return 77;
    }
    pagefold::mmap_source source;
    store_type store{source};
    pager_type one{store, region};
    pagefold::region_pager_options options;
    options.pool = store.create_pool().value();
    options.limit = pages / 4;
    options.read_ahead = 16;
    std::vector<std::uint64_t> tables(pager_type::bytes_for(pages, options) / sizeof(std::uint64_t) + 1);
    if (one.open({reinterpret_cast<std::byte*>(tables.data()), tables.size() * sizeof(std::uint64_t)}, pages,
                 options) != status::ok) {
        return 1;
    }
    pager = &one;
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, nullptr);

    std::vector<unsigned> versions(pages, 1);
    for (std::size_t number = 0; number < pages; ++number) {
        write_page(number, 1);
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0, number = 0; i < 2 * pages; ++i, number = (number * 5 + 3) % pages) {
        wrong += is_right(number, versions[number]) ? 0u : 1u;
        if (i % 4 == 0) {
            write_page(number, ++versions[number]);
        }
    }
    for (std::size_t number = pages; number-- > 0;) { // backwards: read ahead
        wrong += is_right(number, versions[number]) ? 0u : 1u;
    }
    const pagefold::region_pager_stats s = one.statistics();
    std::printf(
        "%zu pages in memory for %zu, %zu wrong: %llu faults, %llu pages read ahead, %llu evicted, %llu of them "
        "without a put\n",
        options.limit, pages, wrong, static_cast<unsigned long long>(s.faults),
        static_cast<unsigned long long>(s.read_ahead_pages), static_cast<unsigned long long>(s.evicted_pages),
        static_cast<unsigned long long>(s.clean_pages));
    const bool holds = wrong == 0 && one.in_memory() <= options.limit && one.check() && s.read_ahead_pages > pages / 2;
    return holds && one.drop(0, pages) == status::ok && store.stats().stored_pages == 0 ? 0 : 1;
}
