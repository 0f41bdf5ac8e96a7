// SPDX-License-Identifier: MIT
//
// A small pool_compressor, and one wrong one for each clause: of the signatures, which is none, and of the behaviour, which the
// conformance suite convicts of just that.

#include <conformance/pool_compressor.hpp>

#include <pagefold/compress/lz_block.hpp>
#include <pagefold/compress/page.hpp>
#include <pagefold/compress/routed.hpp>

#include <doctest/doctest.h>

namespace pagefold::testing::concepts_pool_compressor {
namespace {

static_assert(!pool_compressor<lz_block>);
static_assert(pool_compressor<routed<lz_block>>);

/// A good one, for others to spoil.
struct good {
    static constexpr unsigned codec_count = 2;
    routed<lz_block, page_codec> codec{};

    [[nodiscard]] std::size_t scratch_size(std::size_t n) const noexcept { return codec.scratch_size(n); }
    [[nodiscard]] status prepare(byte_span scratch) const noexcept { return codec.prepare(scratch); }
    [[nodiscard]] std::size_t bound(std::size_t n) const noexcept { return codec.bound(n); }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.compress(in, out, scratch);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.decompress(in, out, scratch);
    }
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const noexcept {
        return codec.compress(in, out, scratch, page);
    }
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch,
                                    const page_context& page) const noexcept {
        return codec.decompress(in, out, scratch, page);
    }
};
static_assert(pool_compressor<good>);

struct without_count : good {
    static void codec_count() {}
};
struct counting_none : good {
    static constexpr unsigned codec_count = 0;
};
struct counting_too_many : good {
    static constexpr unsigned codec_count = 257;
};
struct without_page_to_compress : good {
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.compress(in, out, scratch);
    }
};
struct without_page_to_decompress : good {
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.decompress(in, out, scratch);
    }
};
struct may_throw : good {
    using good::compress;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const {
        return codec.compress(in, out, scratch, page);
    }
};
static_assert(!pool_compressor<without_count>);
static_assert(!pool_compressor<counting_none>);
static_assert(!pool_compressor<counting_too_many>);
static_assert(!pool_compressor<without_page_to_compress>);
static_assert(!pool_compressor<without_page_to_decompress>);
static_assert(!pool_compressor<may_throw>);

struct writes_too_much : good { // with number 1
    using good::compress;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const noexcept {
        const result<std::size_t> size = good::compress(in, out, scratch, page);
        return page.codec == 1 && size ? result<std::size_t>{in.size()} : size;
    }
};
struct defaults_to_the_last : good {
    using good::compress;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        return codec.compress(in, out, scratch, page_with_codec(1));
    }
};
struct takes_any_number : good {
    using good::compress;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const noexcept {
        return codec.compress(in, out, scratch, page_with_codec(page.codec % 2));
    }
};
struct reads_its_own_only : good {
    using good::decompress;
    [[nodiscard]] status decompress(byte_view in, byte_span out, byte_span scratch,
                                    const page_context& page) const noexcept {
        const bool is_own = in.size() <= min_stream_size || in[in.size() - 1] == static_cast<std::byte>(page.codec);
        return is_own ? codec.decompress(in, out, scratch, page) : status::corrupt;
    }
};
struct ignores_the_number : good {
    using good::compress;
    [[nodiscard]] result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch,
                                               const page_context& page) const noexcept {
        return page.codec >= codec_count ? result<std::size_t>{status::invalid} : codec.compress(in, out, scratch);
    }
};

TEST_CASE("a pool_compressor that breaks a clause is convicted of it, and a good one of nothing") {
    using clause = pool_compressor_clause;
    const auto broken = [](const auto& codec) { return pool_violations(codec, 4096, true); };
    CHECK(broken(good{}).empty());
    CHECK(broken(writes_too_much{}) == std::set{clause::each_is_a_compressor});
    CHECK(broken(defaults_to_the_last{}) == std::set{clause::first_by_default});
    CHECK(broken(takes_any_number{}) == std::set{clause::refuses_no_number});
    CHECK(broken(reads_its_own_only{}) == std::set{clause::reads_every_number});
    CHECK(broken(ignores_the_number{}) == std::set{clause::heeds_the_number});
}

} // namespace
} // namespace pagefold::testing::concepts_pool_compressor
