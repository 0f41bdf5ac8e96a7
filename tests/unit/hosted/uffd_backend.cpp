// SPDX-License-Identifier: MIT
#include "support/pager_modes.hpp"
#include "support/uffd_skip.hpp"

#include <conformance/paging_backend.hpp>

#include <pagefold/core/bytes.hpp>
#include <pagefold/hosted/uffd_backend.hpp>
#include <pagefold/hosted/uffd_memory.hpp>
#include <pagefold/hosted/unsaved_pages.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace pagefold::testing::unit_hosted_uffd_backend {
namespace {

constexpr std::size_t page = 4096, pages = 128;

/// A region without a pager. Only system calls touch it, and they fail with EFAULT where a program would wait: the descriptor
/// is one for user code. The test itself is who waits, and who hears of lost pages.
class region : public uffd_backend {
public:
    explicit region(const pager_mode& mode) : uffd_backend{memory, unsaved} {
        uffd_memory_options options;
        options.pages = pages;
        options.frames = mode.eviction == eviction_method::move ? 512 : 0;
        options.backing = mode.backing;
        options.delivery = mode.delivery;
        options.eviction = mode.eviction;
        options.tracking = mode.tracking;
        options.rights = uffd_rights::user_only;
        is_open = memory.open(options) == status::ok && open() && pipe(ends) == 0;
    }
    region(const region&) = delete;
    region& operator=(const region&) = delete;
    ~region() {
        close();
        ::close(ends[0]);
        ::close(ends[1]);
    }

    // paging_backend, watched.

    status wake(slot_id first, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            waits[first + i] = false;
        }
        return uffd_backend::wake(first, count);
    }
    status set_lost(slot_id number, bool yes) noexcept {
        lost[number] = yes;
        return uffd_backend::set_lost(number, yes);
    }

    // The program.

    const std::byte* see(std::size_t number) {
        if (::write(ends[1], memory.page(number), page) != static_cast<ssize_t>(page)) {
            return nullptr;
        }
        return ::read(ends[0], seen.data(), page) == static_cast<ssize_t>(page) ? seen.data() : nullptr;
    }
    bool write(std::size_t number, const std::byte* content) {
        REQUIRE(::write(ends[1], content, page) == static_cast<ssize_t>(page));
        if (::read(ends[0], memory.page(number), page) == static_cast<ssize_t>(page)) {
            return true;
        }
        std::vector<std::byte> rest(page); // what could not be read is in the pipe still
        REQUIRE(::read(ends[0], rest.data(), page) == static_cast<ssize_t>(page));
        return false;
    }
    void wait(std::size_t number) { waits[number] = true; }
    [[nodiscard]] bool is_waited_for(std::size_t number) const { return waits[number]; }
    [[nodiscard]] bool hears_an_error(std::size_t number) const { return lost[number]; }
    [[nodiscard]] std::size_t in_memory() const {
        std::vector<unsigned char> there(pages + memory.frames());
        if (mincore(memory.page(0), there.size() * page, there.data()) != 0) {
            return 0;
        }
        std::size_t count = 0;
        for (const unsigned char one : there) {
            count += one & 1u;
        }
        return count;
    }

    uffd_memory memory{};
    unsaved_pages unsaved{};
    bool is_open = false;

private:
    int ends[2] = {-1, -1};
    std::vector<bool> waits = std::vector<bool>(pages), lost = std::vector<bool>(pages);
    std::vector<std::byte> seen = std::vector<std::byte>(page);
};

TEST_CASE("uffd_backend: keeps the contract of a paging backend, in every mode") {
    for_each_mode([](const pager_mode& mode) {
        region one{mode};
        REQUIRE(one.is_open);
        CHECK(describe(paging_violations(one, one, page)) == "");
        CHECK(one.check(0));
        CHECK(one.spare() == 0);
    });
}

TEST_CASE("uffd_backend: what a snapshot has not saved is protected, however it comes") {
    for_each_mode([](const pager_mode& mode) { return mode.tracking == clean_tracking::protect; },
                  [](const pager_mode& mode) {
                      region one{mode};
                      REQUIRE(one.is_open);
                      REQUIRE(one.unsaved.open(pages));
                      const std::vector<std::byte> content(page, std::byte{5});
                      for (const slot_id number : {2u, 3u, 4u}) {
                          REQUIRE(one.place(number, 1).has_value());
                          REQUIRE(one.bring(number, 1, page_access::write).done == 1);
                          REQUIRE(one.write(number, content.data()));
                      }
                      one.unsaved.add(3);
                      CHECK(one.take_out(2, 3).done == 3);
                      for (const slot_id number : {2u, 3u, 4u}) {
                          CHECK(one.put_back(number, page_access::write) == status::ok);
                      }
                      CHECK(one.write(2, content.data()));
                      CHECK_FALSE(one.write(3, content.data()));
                      CHECK(one.write(4, content.data()));
                      CHECK(one.drop(2, 3).done == 3);
                      REQUIRE(one.place(2, 3).has_value());
                      CHECK(one.bring(2, 3, page_access::write).done == 3);
                      CHECK(one.write(2, content.data()));
                      CHECK_FALSE(one.write(3, content.data()));
                      CHECK(one.write(4, content.data()));
                      CHECK(one.drop(2, 3).done == 3);
                      CHECK(one.unsaved.has(3));
                      CHECK(one.bring_zeros(1, 40, page_access::write).done == 40);
                      CHECK_FALSE(one.unsaved.has(3)); // zeros need no saving
                      CHECK(one.write(3, content.data()));
                  });
}

TEST_CASE("uffd_backend: frames of pages that were put back are spare until pages are taken out or dropped") {
    for_each_mode(evicts_by_move, [](const pager_mode& mode) {
        region one{mode};
        REQUIRE(one.is_open);
        REQUIRE(one.bring_zeros(0, pages, page_access::write).done == pages);
        CHECK(one.take_out(0, 100).done == 100); // more than a call of apart pages takes
        CHECK(one.in_memory() == pages);
        for (slot_id number = 0; number < 10; ++number) {
            CHECK(one.put_back(number, page_access::read) == status::ok);
        }
        CHECK(one.spare() == 10);
        CHECK(one.in_memory() == pages + 10);
        CHECK(one.drop(50, 1).done == 1);
        CHECK(one.spare() == 1); // behind pages that wait
        CHECK(one.drop(105, 2).done == 2);
        CHECK(one.drop(108, 3).done == 3);
        CHECK(one.drop(112, 15).done == 15);
        const slot_id apart[] = {104, 107, 111, 127};
        CHECK(one.take_out_pages(apart, 4).done == 4);
        CHECK(one.check(93));
        const slot_id back[] = {127, 104, 111, 107};
        CHECK(one.drop_pages(back, 4).done == 4);
        CHECK(one.drop(10, 40).done == 40);
        CHECK(one.drop(51, 49).done == 49);
        CHECK(one.spare() == 0);
        CHECK(one.check(0));
        CHECK(one.in_memory() == 10 + 4);
    });
}

TEST_CASE("uffd_backend: pages that a call moved and did not count are out with their own bytes") {
    for_each_mode(evicts_by_move, [](const pager_mode& mode) {
        region one{mode};
        REQUIRE(one.is_open);
        constexpr slot_id all[] = {0, 1, 2, 3};
        REQUIRE(one.bring_zeros(0, 4, page_access::write).done == 4);
        for (const slot_id number : all) {
            REQUIRE(one.write(number, std::vector<std::byte>(page, std::byte(number + 1)).data()));
        }
        // As where the kernel begins its batch again: three are in their frames.
        REQUIRE(one.memory.move_out(0, 3, 0).ok());
        std::vector<bool> is_out(4);
        for (std::size_t first = 0; first < 4;) { // as the pager does
            const std::size_t run = 4 - first;
            const pages_done done = one.take_out_pages(all + first, run);
            for (std::size_t i = 0; i < done.done; ++i) {
                is_out[first + i] = true;
            }
            first += done.done < run ? done.done + 1 : run;
        }
        for (const slot_id number : all) {
            CAPTURE(number);
            const std::byte own = std::byte(number + 1);
            if (is_out[number]) {
                const result<byte_view> bytes = one.read(number);
                REQUIRE(bytes);
                CHECK((*bytes)[0] == own);
            } else {
                const std::byte* const seen = one.see(number);
                REQUIRE(seen != nullptr);
                CHECK(seen[0] == own);
            }
        }
    });
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd_backend
