// SPDX-License-Identifier: MIT
//
// The smallest compressor, and one wrong one for each clause: those that break the signatures must be no compressor, those
// that break the behaviour must be convicted by the conformance suite of just that.

#include <conformance/compressor.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace pagefold::testing::concepts_compressor {
namespace {

struct smallest {
    std::size_t scratch_size(std::size_t) const noexcept { return 0; }
    status prepare(byte_span) const noexcept { return status::ok; }
    std::size_t bound(std::size_t) const noexcept { return 0; }
    result<std::size_t> compress(byte_view, byte_span, byte_span) const noexcept { return status::incompressible; }
    status decompress(byte_view, byte_span, byte_span) const noexcept { return status::corrupt; }
};
static_assert(compressor<smallest>);

struct without_scratch_size : smallest {
    std::size_t scratch_size(std::size_t) const noexcept = delete;
};
struct scratch_size_of_int : smallest {
    int scratch_size(std::size_t) const noexcept { return 0; }
};
struct scratch_size_may_throw : smallest {
    std::size_t scratch_size(std::size_t) const { return 0; }
};
struct scratch_size_changes_codec : smallest {
    std::size_t scratch_size(std::size_t) noexcept { return 0; }
};
static_assert(!compressor<without_scratch_size>);
static_assert(!compressor<scratch_size_of_int>);
static_assert(!compressor<scratch_size_may_throw>);
static_assert(!compressor<scratch_size_changes_codec>);

struct without_prepare : smallest {
    status prepare(byte_span) const noexcept = delete;
};
struct prepare_of_bool : smallest {
    bool prepare(byte_span) const noexcept { return true; }
};
struct prepare_may_throw : smallest {
    status prepare(byte_span) const { return status::ok; }
};
struct prepare_changes_codec : smallest {
    status prepare(byte_span) noexcept { return status::ok; }
};
static_assert(!compressor<without_prepare>);
static_assert(!compressor<prepare_of_bool>);
static_assert(!compressor<prepare_may_throw>);
static_assert(!compressor<prepare_changes_codec>);

struct without_bound : smallest {
    std::size_t bound(std::size_t) const noexcept = delete;
};
struct bound_of_int : smallest {
    int bound(std::size_t) const noexcept { return 0; }
};
struct bound_may_throw : smallest {
    std::size_t bound(std::size_t) const { return 0; }
};
struct bound_changes_codec : smallest {
    std::size_t bound(std::size_t) noexcept { return 0; }
};
static_assert(!compressor<without_bound>);
static_assert(!compressor<bound_of_int>);
static_assert(!compressor<bound_may_throw>);
static_assert(!compressor<bound_changes_codec>);

struct without_compress : smallest {
    result<std::size_t> compress(byte_view, byte_span, byte_span) const noexcept = delete;
};
struct compress_of_size : smallest {
    std::size_t compress(byte_view, byte_span, byte_span) const noexcept { return 0; }
};
struct compress_may_throw : smallest {
    result<std::size_t> compress(byte_view, byte_span, byte_span) const { return status::incompressible; }
};
struct compress_changes_codec : smallest {
    result<std::size_t> compress(byte_view, byte_span, byte_span) noexcept { return status::incompressible; }
};
struct compress_of_writable_page : smallest {
    result<std::size_t> compress(byte_span, byte_span, byte_span) const noexcept { return status::incompressible; }
};
static_assert(!compressor<without_compress>);
static_assert(!compressor<compress_of_size>);
static_assert(!compressor<compress_may_throw>);
static_assert(!compressor<compress_changes_codec>);
static_assert(!compressor<compress_of_writable_page>);

struct without_decompress : smallest {
    status decompress(byte_view, byte_span, byte_span) const noexcept = delete;
};
struct decompress_of_size : smallest {
    result<std::size_t> decompress(byte_view, byte_span, byte_span) const noexcept { return std::size_t{0}; }
};
struct decompress_may_throw : smallest {
    status decompress(byte_view, byte_span, byte_span) const { return status::corrupt; }
};
struct decompress_changes_codec : smallest {
    status decompress(byte_view, byte_span, byte_span) noexcept { return status::corrupt; }
};
struct decompress_of_writable_stream : smallest {
    status decompress(byte_span, byte_span, byte_span) const noexcept { return status::corrupt; }
};
static_assert(!compressor<without_decompress>);
static_assert(!compressor<decompress_of_size>);
static_assert(!compressor<decompress_may_throw>);
static_assert(!compressor<decompress_changes_codec>);
static_assert(!compressor<decompress_of_writable_stream>);

struct smallest_with_pair : smallest {
    status_pair decompress_pair(const page_to_read&, const page_to_read&, byte_span) const noexcept {
        return {status::corrupt, status::corrupt};
    }
};
struct pair_of_status : smallest {
    status decompress_pair(const page_to_read&, const page_to_read&, byte_span) const noexcept {
        return status::corrupt;
    }
};
struct pair_may_throw : smallest {
    status_pair decompress_pair(const page_to_read&, const page_to_read&, byte_span) const { return {}; }
};
struct pair_changes_codec : smallest {
    status_pair decompress_pair(const page_to_read&, const page_to_read&, byte_span) noexcept { return {}; }
};
struct pair_changes_what_it_is_told : smallest {
    status_pair decompress_pair(page_to_read&, page_to_read&, byte_span) const noexcept { return {}; }
};
struct pair_without_decompress : smallest_with_pair {
    status decompress(byte_view, byte_span, byte_span) const noexcept = delete;
};
static_assert(pair_decompressor<smallest_with_pair>);
static_assert(!pair_decompressor<smallest>);
static_assert(!pair_decompressor<pair_of_status>);
static_assert(!pair_decompressor<pair_may_throw>);
static_assert(!pair_decompressor<pair_changes_codec>);
static_assert(!pair_decompressor<pair_changes_what_it_is_told>);
static_assert(!pair_decompressor<pair_without_decompress>);

/// A good one to spoil: leaves out the zeros at the end of a page. The stream is what remains, then a word that mixes the
/// sizes of both. The scratch holds a mark that prepare sets.
struct zero_tail {
    static constexpr std::uint64_t mark = 0x7072'6570'6172'6564u;
    static constexpr std::size_t word_size = sizeof(std::uint64_t);

    static std::uint64_t trailer(std::size_t kept, std::size_t page_size) noexcept {
        return 0x9e37'79b9'7f4a'7c15u * (kept + (std::uint64_t{page_size} << 32) + 1);
    }
    std::size_t scratch_size(std::size_t n) const noexcept { return n / 64; }
    status prepare(byte_span scratch) const noexcept {
        if (scratch.size() < word_size) {
            return status::invalid;
        }
        store_native(scratch.data(), mark);
        return status::ok;
    }
    std::size_t bound(std::size_t n) const noexcept { return n; }
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (out.size() < bound(in.size()) || scratch.size() < scratch_size(in.size())) {
            return status::invalid;
        }
        std::size_t kept = in.size();
        while (kept > 0 && in[kept - 1] == std::byte{0}) {
            --kept;
        }
        if (kept + word_size >= in.size()) {
            return status::incompressible;
        }
        std::copy_n(in.data(), kept, out.data());
        store_native(out.data() + kept, trailer(kept, in.size()));
        return kept + word_size;
    }
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        if (scratch.size() < scratch_size(out.size())) {
            return status::invalid;
        }
        if (in.size() < word_size || in.size() >= out.size()) {
            return status::corrupt;
        }
        const std::size_t kept = in.size() - word_size;
        if (load_native<std::uint64_t>(in.data() + kept) != trailer(kept, out.size())) {
            return status::corrupt;
        }
        std::copy_n(in.data(), kept, out.data());
        std::fill_n(out.data() + kept, out.size() - kept, std::byte{0});
        return status::ok;
    }
};

struct refuses_its_own_scratch_size : zero_tail {
    status prepare(byte_span) const noexcept { return status::invalid; }
};

struct ignores_scratch_size : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span) const noexcept {
        static std::byte own[1024];
        return zero_tail::compress(in, out, {own, sizeof own});
    }
};

struct ignores_bound : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        byte_string room(bound(in.size()));
        const result<std::size_t> length = zero_tail::compress(in, room, scratch);
        std::copy_n(room.data(), std::min(length.value_or(0), out.size()), out.data());
        return length;
    }
};

struct answers_compress_otherwise : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        return length.error() == status::incompressible ? result<std::size_t>{status::no_memory} : length;
    }
};

struct stream_below_least_size : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        return length && *length == word_size ? result<std::size_t>{word_size - 1} : length;
    }
};

struct stream_as_long_as_page : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        return length.error() == status::incompressible ? result<std::size_t>{in.size()} : length;
    }
};

struct stream_of_the_day : zero_tail {
    static inline std::atomic<unsigned> day{0};
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        return length && *length > word_size && ++day % 7 == 0 ? result<std::size_t>{status::incompressible} : length;
    }
};

struct stream_by_use_of_scratch : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        if (length && *length == word_size) {
            store_native(scratch.data(), ~mark); // and from now on, streams are refused
        }
        return length && *length > word_size && load_native<std::uint64_t>(scratch.data()) == mark
                   ? result<std::size_t>{status::incompressible}
                   : length;
    }
};

struct loses_a_byte : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status outcome = zero_tail::decompress(in, out, scratch);
        if (outcome == status::ok) {
            out[out.size() / 2] = std::byte{0};
        }
        return outcome;
    }
};

struct leaves_zeros_to_others : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const std::byte last = out[out.size() - 1];
        const status outcome = zero_tail::decompress(in, out, scratch);
        out[out.size() - 1] = last;
        return outcome;
    }
};

struct takes_any_size : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status outcome = zero_tail::decompress(in, out, scratch);
        if (outcome == status::corrupt && in.size() > word_size && out.size() > in.size()) {
            const std::size_t kept = in.size() - word_size;
            const auto found = load_native<std::uint64_t>(in.data() + kept);
            if (found == trailer(kept, out.size() * 2)) {
                std::copy_n(in.data(), kept, out.data());
                std::fill_n(out.data() + kept, out.size() - kept, std::byte{0});
                return status::ok;
            }
        }
        return outcome;
    }
};

struct names_damage_otherwise : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status outcome = zero_tail::decompress(in, out, scratch);
        return outcome == status::corrupt && out.size() == 4096 ? status::not_found : outcome;
    }
};

struct takes_damage_and_fills_nothing : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status outcome = zero_tail::decompress(in, out, scratch);
        return outcome == status::corrupt && out.size() == 4096 ? status::ok : outcome;
    }
};

struct scribbles_on_the_page : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        const_cast<std::byte&>(in[in.size() / 2]) ^= std::byte{1};
        return length;
    }
};

struct scribbles_on_the_stream : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status outcome = zero_tail::decompress(in, out, scratch);
        if (!in.empty()) {
            const_cast<std::byte&>(in[0]) ^= std::byte{1};
        }
        return outcome;
    }
};

// The next four leave their buffers by a byte, so they may be run with margins around these only: which the suite does
// as long as a clause is broken there.

struct compress_writes_behind_out : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        out.data()[out.size()] = std::byte{0};
        return zero_tail::compress(in, out, scratch);
    }
};

struct compress_reads_behind_page : zero_tail {
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        return (in.data()[in.size()] & std::byte{1}) != std::byte{0} ? result<std::size_t>{status::incompressible}
                                                                     : length;
    }
};

struct decompress_writes_before_out : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        *(out.data() - 1) = std::byte{0};
        return zero_tail::decompress(in, out, scratch);
    }
};

struct decompress_reads_behind_stream : zero_tail {
    status decompress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const status outcome = zero_tail::decompress(in, out, scratch);
        const bool odd = (in.data()[in.size()] & std::byte{1}) != std::byte{0};
        if (outcome == status::corrupt && odd && out.size() == 4096) {
            std::fill_n(out.data(), out.size(), std::byte{0});
            return status::ok;
        }
        return outcome;
    }
};

struct works_for_its_maker_only : zero_tail {
    std::thread::id maker = std::this_thread::get_id();
    result<std::size_t> compress(byte_view in, byte_span out, byte_span scratch) const noexcept {
        const result<std::size_t> length = zero_tail::compress(in, out, scratch);
        return std::this_thread::get_id() == maker ? length : result<std::size_t>{status::incompressible};
    }
};

struct reads_pairs : zero_tail {
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                byte_span scratch) const noexcept {
        const status answer = decompress(first.in, first.out, scratch);
        return {answer, decompress(second.in, second.out, scratch)};
    }
};

struct pair_stops_at_damage : zero_tail {
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                byte_span scratch) const noexcept {
        const status answer = decompress(first.in, first.out, scratch);
        return {answer, answer == status::ok ? decompress(second.in, second.out, scratch) : answer};
    }
};

struct damage_behind_spoils_the_first : reads_pairs {
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                byte_span scratch) const noexcept {
        const status_pair answers = reads_pairs::decompress_pair(first, second, scratch);
        if (answers.first == status::ok && answers.second == status::corrupt) {
            first.out[0] ^= std::byte{1};
        }
        return answers;
    }
};

struct pair_takes_the_sizes_for_equal : reads_pairs {
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                byte_span scratch) const noexcept {
        const std::size_t size = std::min(first.out.size(), second.out.size());
        return reads_pairs::decompress_pair({first.in, first.out.first(size)}, {second.in, second.out.first(size)},
                                            scratch);
    }
};

struct pair_swaps_answers : reads_pairs {
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                byte_span scratch) const noexcept {
        const status_pair answers = reads_pairs::decompress_pair(first, second, scratch);
        return {answers.second, answers.first};
    }
};

struct pair_needs_no_scratch : reads_pairs {
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second, byte_span) const noexcept {
        static std::byte own[1024];
        return reads_pairs::decompress_pair(first, second, {own, sizeof own});
    }
};

struct pair_writes_behind_the_second : reads_pairs { // by a byte, as those above
    status_pair decompress_pair(const page_to_read& first, const page_to_read& second,
                                byte_span scratch) const noexcept {
        second.out.data()[second.out.size()] = std::byte{0};
        return reads_pairs::decompress_pair(first, second, scratch);
    }
};

TEST_CASE("a codec without a pair of its own is asked twice") {
    zero_tail twice;
    reads_pairs once;
    byte_string page(4096), scratch(64), stream(4096), out(4096, std::byte{1}), other(4096, std::byte{1});
    page[5] = std::byte{9};
    const result<std::size_t> size = twice.compress(page, stream, scratch);
    REQUIRE(size);
    const page_to_read good{byte_view{stream}.first(*size), out};
    const page_to_read bad{byte_view{stream}.first(*size - 1), other};
    CHECK(decompress_pair(twice, good, bad, scratch) == status_pair{status::ok, status::corrupt});
    CHECK(out == page);
    CHECK(decompress_pair(twice, bad, good, scratch) == status_pair{status::corrupt, status::ok});
    CHECK(decompress_pair(once, good, {good.in, other}, scratch) == status_pair{status::ok, status::ok});
    CHECK(other == page);
    CHECK(decompress_pair(pair_swaps_answers{}, good, bad, scratch) == status_pair{status::corrupt, status::ok});
}

TEST_CASE("the suite finds nothing in compressors that keep their contract") {
    CHECK(describe(violations(smallest{}, 4096)) == "");
    CHECK(describe(violations(zero_tail{}, 4096)) == "");
    CHECK(describe(violations(smallest_with_pair{}, 4096)) == "");
    CHECK(describe(violations(reads_pairs{}, 4096)) == "");
}

TEST_CASE("the suite convicts a compressor of the clause that it breaks") {
    CHECK(describe(violations(refuses_its_own_scratch_size{}, 4096)) == "prepare_accepts");
    CHECK(describe(violations(ignores_scratch_size{}, 4096)) == "checks_scratch");
    CHECK(describe(violations(ignores_bound{}, 4096)) == "checks_bound");
    CHECK(describe(violations(answers_compress_otherwise{}, 4096)) == "compress_status");
    CHECK(describe(violations(stream_below_least_size{}, 4096)) == "stream_length");
    CHECK(describe(violations(stream_as_long_as_page{}, 4096)) == "stream_length");
    CHECK(describe(violations(stream_of_the_day{}, 4096)) == "deterministic");
    CHECK(describe(violations(stream_by_use_of_scratch{}, 4096)) == "deterministic");
    CHECK(describe(violations(loses_a_byte{}, 4096)) == "round_trip");
    CHECK(describe(violations(leaves_zeros_to_others{}, 4096)) == "fills_out");
    CHECK(describe(violations(takes_any_size{}, 4096)) == "refuses_wrong_size");
    CHECK(describe(violations(names_damage_otherwise{}, 4096)) == "damaged_status");
    CHECK(describe(violations(takes_damage_and_fills_nothing{}, 4096)) == "fills_out");
    CHECK(describe(violations(scribbles_on_the_page{}, 4096)) == "input_untouched");
    CHECK(describe(violations(scribbles_on_the_stream{}, 4096)) == "input_untouched");
    CHECK(describe(violations(compress_writes_behind_out{}, 4096)) == "compress_stays_inside");
    CHECK(describe(violations(compress_reads_behind_page{}, 4096)) == "compress_stays_inside");
    CHECK(describe(violations(decompress_writes_before_out{}, 4096)) == "decompress_stays_inside");
    CHECK(describe(violations(decompress_reads_behind_stream{}, 4096)) == "decompress_stays_inside");
    CHECK(describe(violations(works_for_its_maker_only{}, 4096)) == "concurrent");
    CHECK(describe(violations(pair_stops_at_damage{}, 4096)) == "pair_is_two_calls");
    CHECK(describe(violations(damage_behind_spoils_the_first{}, 4096)) == "pair_is_two_calls");
    CHECK(describe(violations(pair_takes_the_sizes_for_equal{}, 4096)) == "pair_is_two_calls");
    CHECK(describe(violations(pair_swaps_answers{}, 4096)) == "pair_is_two_calls");
    CHECK(describe(violations(pair_needs_no_scratch{}, 4096)) == "pair_is_two_calls");
    CHECK(describe(violations(pair_writes_behind_the_second{}, 4096)) == "decompress_stays_inside");
}

} // namespace
} // namespace pagefold::testing::concepts_compressor
