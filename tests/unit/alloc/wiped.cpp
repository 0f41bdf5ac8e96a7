// SPDX-License-Identifier: MIT
#include <pagefold/alloc/wiped.hpp>

#include <pagefold/alloc/counted.hpp>
#include <pagefold/alloc/guarded.hpp>
#include <pagefold/alloc/zs.hpp>

#include <support/allocator_calls.hpp>
#include <support/rng.hpp>
#include <support/test_source.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace pagefold::testing::unit_alloc_wiped {
namespace {

constexpr std::byte secret{0x5e}; // no page comes with it: test_source fills with 0x81 and above

/// Looks through its pages for secrets, and through each run that is given back.
struct watching_source : test_source {
    result<void*> acquire(std::size_t pages, node_id node) noexcept {
        const result<void*> p = test_source::acquire(pages, node);
        if (p) {
            runs[static_cast<const std::byte*>(*p)] = pages * page_size();
        }
        return p;
    }
    void release(void* p, std::size_t pages) noexcept {
        const auto run = runs.find(static_cast<const std::byte*>(p));
        released_secrets += count(run->first, run->second);
        ++releases;
        runs.erase(run);
        test_source::release(p, pages);
    }
    /// Pairs of secret bytes in all pages that are out.
    std::size_t secrets() const {
        std::size_t found = 0;
        for (const auto& [p, bytes] : runs) {
            found += count(p, bytes);
        }
        return found;
    }
    static std::size_t count(const std::byte* p, std::size_t bytes) {
        std::size_t found = 0;
        for (std::size_t i = 0; i + 1 < bytes; ++i) {
            found += p[i] == secret && p[i + 1] == secret ? 1 : 0;
        }
        return found;
    }

    std::map<const std::byte*, std::size_t> runs;
    std::size_t released_secrets = 0, releases = 0;
};

using zs4k = zs<watching_source>;

#define PAGEFOLD_ALL_WIPED                                                                                             \
    wiped<zs4k>, wiped<zs<watching_source, 16384, 4>>, wiped<guarded<zs4k>>, guarded<wiped<zs4k>>,                     \
        guarded<counted<wiped<zs4k>>>, wiped<counted<guarded<zs4k>>>, wiped<wiped<zs4k>>

[[nodiscard]] object_handle make(auto& a, std::size_t n, std::size_t secrets) {
    const object_handle h = must_allocate(a, n);
    a.write(h, std::vector<std::byte>(secrets, secret));
    return h;
}

TEST_CASE("without wiping the secrets stay: the search finds them") {
    watching_source source;
    zs4k a{source, any_node};
    const object_handle h = make(a, 1000, 1000);
    static_cast<void>(make(a, 1000, 1));
    CHECK(source.secrets() == 999);
    a.deallocate(h);
    CHECK(source.secrets() == 999);
}

TEST_CASE_TEMPLATE("what is freed is gone from memory", T, PAGEFOLD_ALL_WIPED) {
    watching_source source;
    {
        T a{source, any_node};
        const object_handle stays = make(a, 100, 1);
        for (const std::size_t n : {std::size_t{2}, std::size_t{50}, std::size_t{2000}, T::max_size - 1, T::max_size}) {
            CAPTURE(n);
            std::vector<object_handle> h;
            for (unsigned i = 0; i < 20; ++i) {
                h.push_back(make(a, n, n));
                CHECK(source.secrets() == (i + 1) * (n - 1)); // in one place only
            }
            while (!h.empty()) {
                a.deallocate(h.back());
                h.pop_back();
                CHECK(source.secrets() == h.size() * (n - 1));
            }
            CHECK(a.check());
        }
        CHECK(a.read(stays, 1, {})[0] == secret);
    }
    CHECK(source.released_secrets == 0);
    CHECK(source.releases > 20);
}

TEST_CASE_TEMPLATE("of a content that a shorter one replaces, nothing is left", T, PAGEFOLD_ALL_WIPED) {
    watching_source source;
    T a{source, any_node};
    const object_handle h = make(a, 2000, 2000);
    CHECK(source.secrets() == 1999);
    const std::vector<std::byte> shorter(100, std::byte{1});
    a.write(h, shorter);
    CHECK(source.secrets() == 0);
    const byte_view view = a.read(h, 100, {});
    CHECK(std::vector<std::byte>(view.data(), view.data() + 100) == shorter);
    a.write(h, byte_view{shorter}.first(0));
    CHECK(source.secrets() == 0);
}

TEST_CASE_TEMPLATE("a relocation leaves one copy, and a compacted span goes back clean", T, PAGEFOLD_ALL_WIPED) {
    watching_source source;
    T a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 300; ++i) {
        h.push_back(make(a, 300 + i, 300));
    }
    for (std::size_t i = h.size(); i-- > 0;) {
        if (i % 3 != 0) {
            a.deallocate(h[i]);
            h.erase(h.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    const std::size_t releases = source.releases;
    REQUIRE(a.plan_compaction(~std::size_t{0}) != 0);
    unsigned moved = 0;
    for (object_handle& x : h) {
        if (a.misplaced(x)) {
            x = a.relocate(x).value();
            ++moved;
            CHECK(source.secrets() == h.size() * 299);
            CHECK(a.read(x, 300, {})[299] == secret);
        }
    }
    a.finish_compaction();
    CHECK(moved > 10);
    CHECK(source.releases > releases);
    CHECK(source.released_secrets == 0);
    CHECK(a.check());
}

TEST_CASE_TEMPLATE("a relocation that fails leaves the object as it was, and no copy", T, PAGEFOLD_ALL_WIPED) {
    watching_source source;
    T a{source, any_node};
    std::vector<object_handle> h;
    for (unsigned i = 0; i < 800; ++i) {
        h.push_back(make(a, 300, 300));
    }
    for (unsigned i = 0; i < 800; i += 2) {
        a.deallocate(h[i]);
    }
    REQUIRE(a.plan_compaction(~std::size_t{0}) != 0);
    unsigned to_move = 0;
    for (unsigned i = 1; i < 800; i += 2) {
        to_move += a.misplaced(h[i]) ? 1 : 0;
    }
    for (unsigned i = 0; i < to_move; ++i) {
        static_cast<void>(make(a, 300, 1)); // takes the places that were meant for them
    }
    unsigned failed = 0;
    for (unsigned i = 1; i < 800; i += 2) {
        if (a.misplaced(h[i])) {
            if (const result<object_handle> moved = a.relocate(h[i])) {
                h[i] = *moved;
            } else {
                ++failed;
            }
            CHECK(source.secrets() == 400 * 299);
            CHECK(a.read(h[i], 300, {})[299] == secret);
        }
    }
    CHECK(failed != 0);
    a.finish_compaction();
    CHECK(a.check());
}

TEST_CASE_TEMPLATE("what lives when the allocator ends goes back clean", T, PAGEFOLD_ALL_WIPED) {
    watching_source source;
    {
        T a{source, any_node};
        for (const std::size_t n : {std::size_t{100}, std::size_t{3000}, T::max_size}) {
            for (unsigned i = 0; i < 10; ++i) {
                static_cast<void>(make(a, n, n));
            }
        }
        CHECK(source.secrets() != 0);
    }
    CHECK(source.releases != 0);
    CHECK(source.released_secrets == 0);
    CHECK(source.bytes_held() == 0);
}

TEST_CASE("whichever acquisition of the first allocation fails, no memory stays taken") {
    bool any_refused = true;
    for (std::uint64_t n = 1; any_refused; ++n) {
        CAPTURE(n);
        watching_source source;
        wiped<zs4k> a{source, any_node};
        source.refuse_nth(n, status::limit);
        const result<object_handle> h = a.allocate(200);
        const bool refused = !h;
        any_refused = source.refusals() != 0;
        CHECK((refused ? any_refused : n > 1)); // a whole unit makes up for a span that is not to be had
        CHECK((source.bytes_held() == 0) == refused);
        CHECK(a.check());
        CHECK(a.allocate(200).has_value());
        CHECK((n > 2 || any_refused)); // the buffer, and what is below
    }
}

TEST_CASE("bad sizes take no memory, and an idle allocator has none") {
    watching_source source;
    wiped<zs4k> a{source, any_node};
    CHECK(a.allocate(0).error() == status::invalid);
    CHECK(a.allocate(4097).error() == status::invalid);
    CHECK(source.acquisitions() == 0);
    const object_handle h = make(a, 10, 10);
    CHECK(a.table_bytes() >= 4096);
    a.deallocate(h);
    CHECK(source.bytes_held() == 0);
    CHECK(a.table_bytes() == 0);
}

} // namespace
} // namespace pagefold::testing::unit_alloc_wiped
