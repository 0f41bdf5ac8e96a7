// SPDX-License-Identifier: MIT
#include "support/uffd_skip.hpp"

#include <pagefold/hosted/uffd.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace pagefold::testing::unit_hosted_uffd {
namespace {

constexpr std::size_t page = 4096;

/// Some pages of anonymous memory.
struct mapping {
    explicit mapping(std::size_t count)
        : bytes{count * page}, at{static_cast<std::byte*>(
                                   mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))} {
        REQUIRE(at != MAP_FAILED);
        madvise(at, bytes, MADV_NOHUGEPAGE);
    }
    ~mapping() { munmap(at, bytes); }
    mapping(const mapping&) = delete;
    mapping& operator=(const mapping&) = delete;
    [[nodiscard]] std::uint64_t address(std::size_t i) const { return reinterpret_cast<std::uintptr_t>(at + i * page); }
    std::size_t bytes;
    std::byte* at;
};

TEST_CASE("uffd: what can't be had is named") {
    CHECK(std::string(uffd_abi::name_of(uffd_abi::feature_move)) == "MOVE");
    CHECK(std::string(uffd_abi::name_of(uffd_abi::feature_wp_async | uffd_abi::feature_move)) == "WP_ASYNC");
    CHECK(std::string(uffd_abi::name_of(uffd_abi::feature_sigbus)) == "SIGBUS");
    CHECK(std::string(uffd_abi::name_of(std::uint64_t{1} << 40)) == "an unknown feature");
    uffd one;
    CHECK_FALSE(one.is_open());
    CHECK(one.open(std::uint64_t{1} << 40) == status::invalid);
    CHECK_FALSE(one.is_open());
    CHECK(std::strlen(one.reason()) > 0);
    CHECK(one.error() != 0);
}

TEST_CASE("uffd: a call on a closed one answers EBADF") {
    uffd one;
    CHECK(one.copy(0, nullptr, page).error == EBADF);
    CHECK(one.wake(0, page).error == EBADF);
    uffd_msg message{};
    CHECK(one.read(&message, 1).error == EBADF);
}

TEST_CASE("uffd: copy, and what is there already") {
    if (lacks_uffd()) {
        return;
    }
    mapping memory{4};
    uffd one;
    REQUIRE(one.open(0) == status::ok);
    std::uint64_t ioctls = 0;
    REQUIRE(one.register_range(memory.address(0), memory.bytes, UFFDIO_REGISTER_MODE_MISSING, &ioctls).ok());
    CHECK((ioctls >> _UFFDIO_COPY & 1u) != 0);
    const std::vector<std::byte> bytes(2 * page, std::byte{7});
    const uffd_outcome copied = one.copy(memory.address(1), bytes.data(), 2 * page);
    CHECK(copied.ok());
    CHECK(copied.done == 2 * page);
    CHECK(memory.at[page] == std::byte{7});
    const uffd_outcome again = one.copy(memory.address(0), bytes.data(), 2 * page);
    CHECK(again.done == page);
    CHECK(one.copy(memory.address(1), bytes.data(), page).error == EEXIST);
    CHECK(one.zero(memory.address(3), page).ok());
    CHECK(memory.at[3 * page] == std::byte{0});
    CHECK(one.unregister(memory.address(0), memory.bytes).ok());
    CHECK(one.copy(memory.address(0), bytes.data(), page).error == ENOENT);
}

TEST_CASE("uffd: a fault comes as a message, and its thread waits") {
    if (lacks_uffd()) {
        return;
    }
    mapping memory{2};
    uffd one;
    REQUIRE(one.open(0) == status::ok);
    REQUIRE(one.register_range(memory.address(0), memory.bytes, UFFDIO_REGISTER_MODE_MISSING).ok());
    uffd_msg message{};
    CHECK(one.read(&message, 1).error == EAGAIN);
    std::byte seen{};
    std::thread reader([&] { seen = memory.at[page + 5]; });
    pollfd wanted{one.descriptor(), POLLIN, 0};
    REQUIRE(poll(&wanted, 1, 10'000) == 1);
    CHECK(one.read(&message, 1).done == 1);
    CHECK(message.event == UFFD_EVENT_PAGEFAULT);
    CHECK((message.arg.pagefault.address & ~std::uint64_t{page - 1}) == memory.address(1));
    const std::vector<std::byte> bytes(page, std::byte{9});
    CHECK(one.copy(memory.address(1), bytes.data(), page).ok());
    reader.join();
    CHECK(seen == std::byte{9});
}

TEST_CASE("uffd: move takes the page itself") {
    if (lacks_uffd(uffd_abi::feature_move)) {
        return;
    }
    mapping memory{8};
    uffd one;
    REQUIRE(one.open(uffd_abi::feature_move) == status::ok);
    CHECK(one.has(uffd_abi::feature_move));
    REQUIRE(one.register_range(memory.address(0), memory.bytes, UFFDIO_REGISTER_MODE_MISSING).ok());
    const std::vector<std::byte> bytes(page, std::byte{3});
    REQUIRE(one.copy(memory.address(0), bytes.data(), page).ok());
    REQUIRE(one.copy(memory.address(2), bytes.data(), page).ok());
    // With a hole between them.
    CHECK(one.move(memory.address(4), memory.address(0), 3 * page, uffd_abi::move_allow_src_holes).ok());
    CHECK(memory.at[4 * page] == std::byte{3});
    CHECK(memory.at[6 * page] == std::byte{3});
    CHECK(one.copy(memory.address(0), bytes.data(), page).ok()); // is missing again
    CHECK(one.move(memory.address(7), memory.address(1), page).error == ENOENT);
    CHECK(one.move(memory.address(4), memory.address(0), page).error == EEXIST);
}

TEST_CASE("uffd: a moved object gives its descriptor away") {
    if (lacks_uffd()) {
        return;
    }
    uffd one;
    REQUIRE(one.open(0) == status::ok);
    const int fd = one.descriptor();
    uffd other = std::move(one);
    CHECK(other.descriptor() == fd);
    uffd third;
    third = std::move(other);
    CHECK(third.descriptor() == fd);
    CHECK(third.is_open());
    uffd adopted;
    adopted.adopt(dup(fd), 0);
    CHECK(adopted.is_open());
}

TEST_CASE("uffd: a descriptor for user code alone needs no rights") {
    if (lacks_uffd()) {
        return;
    }
    uffd one;
    CHECK(one.open(0, uffd_rights::user_only) == status::ok);
    CHECK(one.is_user_only());
}

} // namespace
} // namespace pagefold::testing::unit_hosted_uffd
