// SPDX-License-Identifier: MIT
//
// A tier over a real file: the contract, every way in which a call of the system can end, and a store over it with random
// operations while the file is full, cut, and read and written with errors.
#include <pagefold/hosted/file_tier.hpp>

#include "conformance/backing_tier.hpp"
#include "support/rng.hpp"
#include "support/store_fixture.hpp"

#include <pagefold/store/default_config.hpp>
#include <pagefold/store/page_store.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pagefold::testing::unit_hosted_file_tier {
namespace {

/// A file that nobody else can open.
class temporary_file {
public:
    temporary_file() {
        const char* const folder = std::getenv("TMPDIR");
        std::string name = std::string{folder != nullptr ? folder : "/tmp"} + "/pagefold_tier_XXXXXX";
        descriptor_ = ::mkstemp(name.data());
        REQUIRE(descriptor_ >= 0);
        ::unlink(name.c_str());
    }
    ~temporary_file() { ::close(descriptor_); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    [[nodiscard]] int descriptor() const { return descriptor_; }
    void cut(std::uint64_t bytes) const { REQUIRE(::ftruncate(descriptor_, static_cast<::off_t>(bytes)) == 0); }
    [[nodiscard]] std::uint64_t bytes() const {
        struct ::stat about {};
        REQUIRE(::fstat(descriptor_, &about) == 0);
        return static_cast<std::uint64_t>(about.st_size);
    }

private:
    int descriptor_ = -1;
};

/// The system, which does less than it is asked for once in so many calls (0 never), and as many bytes as there is room for.
struct odd_system {
    rng random{1};
    std::uint64_t room = ~std::uint64_t{0}; ///< in the file: what is written behind it is ENOSPC
    std::uint64_t interrupted = 0, short_of = 0, failing_writes = 0, failing_reads = 0;
    std::uint64_t writes = 0, reads = 0;
};
struct odd_calls {
    odd_system* of;

    [[nodiscard]] bool hits(std::uint64_t one_in) const { return one_in != 0 && of->random.one_in(one_in); }
    [[nodiscard]] static ::ssize_t fails(int error) {
        errno = error;
        return -1;
    }
    [[nodiscard]] ::ssize_t write(int descriptor, const ::iovec* pieces, int count, ::off_t at) const noexcept {
        ++of->writes;
        if (hits(of->interrupted)) {
            return fails(EINTR);
        }
        if (hits(of->failing_writes)) {
            return fails(EIO);
        }
        const std::uint64_t from = static_cast<std::uint64_t>(at), room = of->room > from ? of->room - from : 0;
        if (room == 0) {
            return fails(ENOSPC);
        }
        std::uint64_t all = 0;
        for (int i = 0; i < count; ++i) {
            all += pieces[i].iov_len;
        }
        if (all > room || hits(of->short_of)) { // a part of the first piece that has any bytes
            while (pieces->iov_len == 0) {
                ++pieces;
            }
            const std::size_t some = 1 + of->random.below(pieces->iov_len);
            return ::pwrite(descriptor, pieces->iov_base, some < room ? some : room, at);
        }
        return ::pwritev(descriptor, pieces, count, at);
    }
    [[nodiscard]] ::ssize_t read(int descriptor, const ::iovec* pieces, int count, ::off_t at) const noexcept {
        ++of->reads;
        if (hits(of->interrupted)) {
            return fails(EINTR);
        }
        if (hits(of->failing_reads)) {
            return fails(EIO);
        }
        if (hits(of->short_of)) {
            return ::pread(descriptor, pieces->iov_base, 1 + of->random.below(pieces->iov_len), at);
        }
        return ::preadv(descriptor, pieces, count, at);
    }
};
using odd_file = basic_tier_file<odd_calls>;
using odd_tier = basic_file_tier<odd_calls>;

struct fixture {
    explicit fixture(tier_file_options options) : bits(odd_file::memory_for(options) / 8) {
        REQUIRE(file.open(on.descriptor(), options, {reinterpret_cast<std::byte*>(bits.data()), bits.size() * 8}) ==
                status::ok);
    }
    result<tier_place> offer(std::size_t bytes, std::uint64_t seed) { return tier.offer({}, stream_of(bytes, seed)); }
    bool has(tier_place place, std::size_t bytes, std::uint64_t seed) {
        std::vector<std::byte> out(bytes);
        return tier.fetch({}, place, out) == status::ok && out == stream_of(bytes, seed);
    }
    static std::vector<std::byte> stream_of(std::size_t bytes, std::uint64_t seed) {
        std::vector<std::byte> stream(bytes);
        rng random{seed};
        for (std::byte& b : stream) {
            b = static_cast<std::byte>(random());
        }
        return stream;
    }

    temporary_file on;
    std::vector<std::uint64_t> bits;
    odd_system system{};
    odd_file file{odd_calls{&system}};
    odd_tier tier{file};
};

TEST_CASE("file_tier: the contract of a backing tier, in units of any size, from any byte of the file on") {
    for (const std::uint32_t unit : {64u, 512u, 4096u}) {
        for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{12345}}) {
            fixture f{{.bytes = 8u << 20, .first_byte = first, .unit_bytes = unit}};
            f.system.interrupted = f.system.short_of = 5;
            CHECK(describe(tier_violations(f.tier, 100)) == "");
            CHECK(f.file.used_bytes() == 0);
            CHECK(f.on.bytes() <= first + (8u << 20));
        }
    }
}

TEST_CASE("file_tier: options outside their range, and memory that is too little") {
    temporary_file on;
    const auto opens = [&](tier_file_options options, std::size_t less) {
        tier_file file;
        std::vector<std::uint64_t> bits(tier_file::memory_for(options) / 8 + 2);
        const std::size_t bytes = tier_file::memory_for(options);
        return file.open(on.descriptor(), options,
                         {reinterpret_cast<std::byte*>(bits.data()), bytes - (bytes != 0 ? less : 0)});
    };
    constexpr std::uint64_t far = std::numeric_limits<std::uint64_t>::max();
    CHECK(opens({.bytes = 1 << 20}, 0) == status::ok);
    CHECK(opens({.bytes = 1 << 20}, 1) == status::invalid);
    CHECK(opens({.bytes = 1 << 20, .unit_bytes = 32}, 0) == status::invalid);
    CHECK(opens({.bytes = 1 << 20, .unit_bytes = 8192}, 0) == status::invalid);
    CHECK(opens({.bytes = 1 << 20, .unit_bytes = 768}, 0) == status::invalid);
    CHECK(opens({.bytes = 1 << 20, .unit_bytes = 0}, 0) == status::invalid);
    CHECK(opens({.bytes = far}, 0) == status::invalid);
    CHECK(opens({.bytes = 1 << 20, .first_byte = far}, 0) == status::invalid);
    CHECK(tier_file::memory_for({.bytes = 256u << 20}) == 128u << 10);
    if (sizeof(::off_t) == 8) {
        CHECK(tier_file::memory_for({.bytes = std::uint64_t{1} << 60}) == std::size_t{1} << 29); // 2^31 places
    }
    const int appends = ::open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);
    REQUIRE(appends >= 0);
    std::uint64_t two[2] = {};
    tier_file file;
    CHECK(file.open(appends, {.bytes = 512}, {reinterpret_cast<std::byte*>(two), sizeof two}) == status::invalid);
    CHECK(file.open(on.descriptor(), {.bytes = 512}, {reinterpret_cast<std::byte*>(two), sizeof two}) == status::ok);
    ::close(appends);
    fixture none{{.bytes = 511}};
    CHECK(none.offer(1, 1).error() == status::limit);
}

TEST_CASE("file_tier: exactly as many as there are units, and forgotten space is used again") {
    fixture f{{.bytes = 16 * 512 + 100}};
    std::vector<tier_place> places;
    for (std::uint64_t i = 0; i < 16; ++i) {
        places.push_back(f.offer(1 + i * 511 / 15, i).value());
    }
    CHECK(f.offer(1, 99).error() == status::limit);
    CHECK(f.file.used_bytes() == f.file.capacity_bytes());
    for (std::uint64_t i = 0; i < 16; ++i) {
        CHECK(f.has(places[i], 1 + i * 511 / 15, i));
    }
    for (unsigned round = 0; round < 1000; ++round) {
        const std::size_t i = round * 7 % 16;
        REQUIRE(f.tier.forget({}, places[i]) == status::ok);
        std::vector<std::byte> out(1);
        CHECK(f.tier.fetch({}, places[i], out) == status::not_found);
        CHECK(f.tier.forget({}, places[i]) == status::not_found);
        places[i] = f.offer(512, 1000 + round).value();
        REQUIRE(f.has(places[i], 512, 1000 + round));
    }
    CHECK(f.on.bytes() == 16 * 512);
    CHECK(f.tier.forget({}, static_cast<tier_place>(16)) == status::not_found);
    CHECK(f.tier.forget({}, static_cast<tier_place>(0x7fffffff)) == status::not_found);
    std::vector<std::byte> long_one(513);
    CHECK(f.tier.fetch({}, places[0], long_one) == status::not_found); // it was never so long
}

TEST_CASE("file_tier: a batch is one write where it has neighbours, and each of it is kept or refused alone") {
    fixture f{{.bytes = 64 * 512}};
    const auto batch = [&](std::initializer_list<std::size_t> sizes, std::uint64_t seed) {
        std::vector<std::vector<std::byte>> streams;
        std::vector<tier_offer> offers;
        for (const std::size_t size : sizes) {
            streams.push_back(fixture::stream_of(size, seed++));
        }
        for (const auto& stream : streams) {
            offers.push_back({page_key{}, stream});
        }
        f.tier.offer_all(offers.data(), offers.size());
        return offers;
    };
    const auto first = batch({100, 512, 513, 1, 2000}, 1);
    CHECK(f.system.writes == 1);
    std::uint64_t seed = 1;
    for (const tier_offer& one : first) {
        REQUIRE(one.answer == status::ok);
        CHECK(f.has(one.place, one.stream.size(), seed++));
    }
    CHECK(f.file.used_bytes() == (1 + 1 + 2 + 1 + 4) * 512);
    // Neighbours that the file ends in.
    f.system.room = (9 + 3) * 512 + 40;
    const auto cut = batch({512, 700, 40, 300}, 10);
    CHECK(cut[0].answer == status::ok);
    CHECK(cut[1].answer == status::ok);
    CHECK(cut[2].answer == status::ok); // its own bytes are there, though its unit's are not
    CHECK(cut[3].answer == status::limit);
    CHECK(f.file.used_bytes() == (9 + 4) * 512);
    CHECK(f.file.write_errors() == 1);
    CHECK(f.has(cut[0].place, 512, 10));
    CHECK(f.has(cut[1].place, 700, 11));
    CHECK(f.has(cut[2].place, 40, 12));
    f.system.room = ~std::uint64_t{0};
    // No run for all: each where it fits, and what doesn't is refused alone.
    while (f.offer(512, 50)) {
    }
    CHECK(f.tier.forget({}, first[0].place) == status::ok);
    CHECK(f.tier.forget({}, first[2].place) == status::ok);
    const auto apart = batch({900, 1024, 512}, 20);
    CHECK(apart[0].answer == status::ok);
    CHECK(apart[1].answer == status::limit);
    CHECK(apart[2].answer == status::ok);
    CHECK(f.has(apart[0].place, 900, 20));
    CHECK(f.has(apart[2].place, 512, 22));
    CHECK(f.has(cut[1].place, 700, 11));
}

TEST_CASE("file_tier: errors are answers, and leave nothing taken") {
    fixture f{{.bytes = 64 * 512}};
    const tier_place kept = f.offer(1000, 1).value();
    f.system.failing_writes = 1;
    CHECK(f.offer(1000, 2).error() == status::busy);
    f.system.failing_writes = 0;
    CHECK(f.file.used_bytes() == 1024);
    f.system.failing_reads = 1;
    std::vector<std::byte> out(1000);
    CHECK(f.tier.fetch({}, kept, out) == status::unavailable);
    f.system.failing_reads = 0;
    CHECK(f.has(kept, 1000, 1));
    f.on.cut(700);
    CHECK(f.tier.fetch({}, kept, out) == status::not_found);
    CHECK(f.file.read_errors() == 2);
    CHECK(f.tier.forget({}, kept) == status::ok);
    CHECK(f.has(f.offer(1000, 3).value(), 1000, 3)); // it grows again
}

TEST_CASE("file_tier: what the system itself says of no room and no right to write") {
    const tier_file_options options{.bytes = 1 << 20};
    std::vector<std::uint64_t> bits(tier_file::memory_for(options) / 8);
    const byte_span memory{reinterpret_cast<std::byte*>(bits.data()), bits.size() * 8};
    const std::vector<std::byte> stream(100);
    for (const auto& [path, flags, answer] :
         {std::tuple{"/dev/full", O_WRONLY, status::limit}, std::tuple{"/dev/zero", O_RDONLY, status::busy}}) {
        const int descriptor = ::open(path, flags | O_CLOEXEC);
        REQUIRE(descriptor >= 0);
        tier_file file;
        REQUIRE(file.open(descriptor, options, memory) == status::ok);
        CHECK(file_tier{file}.offer({}, stream).error() == answer);
        CHECK(file.used_bytes() == 0);
        ::close(descriptor);
    }
}

struct over_file : default_config {
    using tier_type = odd_tier;
};

TEST_CASE(
    "file_tier: a store over a file that is full, cut and read with errors loses what was cut, and nothing else") {
    fixture f{{.bytes = 300 * 512}};
    f.system.interrupted = f.system.short_of = 9;
    store_fixture<page_store<over_file>> x{store_options{.limit_bytes = 250 << 10}, over_file::compressor_type{},
                                           over_file::admission_type{}, over_file::eviction_type{}, f.tier};
    const pool_id pool = x.make_pool({.on_pressure = pressure_action::demote});
    std::map<std::uint64_t, std::uint64_t> content; // by index
    rng random{5};
    std::uint64_t contents = 0, refused = 0, unavailable = 0, lost = 0, read = 0;
    bool was_cut = false;
    for (unsigned step = 0; step < 20'000; ++step) {
        if (step % 500 == 0) { // a full file, failing reads, failing writes, a cut
            f.system.room = random.one_in(3) ? random.below(200 * 512) : ~std::uint64_t{0};
            f.system.failing_reads = random.one_in(3) ? 4 : 0;
            f.system.failing_writes = random.one_in(3) ? 2 : 0;
        }
        if (step > 10'000 && step % 2000 == 0) {
            f.on.cut(random.below(f.on.bytes() + 1));
            was_cut = true;
        }
        const std::uint64_t index = random.below(400);
        const page_key key{pool, index / 100, index};
        switch (random.below(16)) {
        case 0: CHECK((x.store.erase(key) == status::ok) == (content.erase(index) != 0)); break;
        case 1: static_cast<void>(x.store.shrink(random.below(50'000))); break;
        case 2:
        case 3:
        case 4:
        case 5:
        case 6: {
            const status s = x.put(key, page_kind::text, ++contents);
            REQUIRE((s == status::ok || s == status::limit));
            refused += s == status::ok ? 0 : 1;
            content.erase(index);
            if (s == status::ok) {
                content[index] = contents;
            }
            break;
        }
        default: {
            const status s = x.get(key);
            const auto at = content.find(index);
            const bool is_there = at != content.end();
            switch (s) {
            case status::ok:
                REQUIRE(is_there);
                REQUIRE(x.got(page_kind::text, at->second));
                ++read;
                break;
            case status::not_found: REQUIRE_FALSE(is_there); break;
            case status::unavailable:
                REQUIRE(is_there);
                REQUIRE(f.system.failing_reads != 0);
                ++unavailable;
                break;
            default:
                REQUIRE(s == status::corrupt);
                REQUIRE(was_cut);
                REQUIRE(is_there);
                ++lost;
                REQUIRE(x.store.erase(key) == status::ok);
                content.erase(at);
                break;
            }
            break;
        }
        }
        if (step % 1000 == 0) {
            CHECK(x.store.check());
        }
    }
    const store_stats s = x.store.stats();
    CHECK(s.stored_pages + s.away_pages == content.size());
    CHECK(s.tier_forget_fail == 0);
    CHECK(s.written_back_pages > 1000);
    CHECK(s.tier_refusals != 0);
    CHECK(refused != 0);
    CHECK(unavailable != 0);
    CHECK(lost != 0);
    CHECK(read > 1000);
    CHECK(x.store.destroy_pool(pool) == status::ok);
    CHECK(f.file.used_bytes() == 0);
    CHECK(x.store.check());
}

} // namespace
} // namespace pagefold::testing::unit_hosted_file_tier
