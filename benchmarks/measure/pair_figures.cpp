// SPDX-License-Identifier: MIT
#include "pair_figures.hpp"

#include "../support/scratch_memory.hpp"
#include "contender.hpp"
#include "interruption.hpp"

#include <pagefold/compress/page.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pagefold::measure {
namespace {

constexpr std::size_t pair_page_bytes = support::corpus::page_bytes;

/// Streams one behind the other, and where the pages come from.
class stream_slab {
public:
    /// The pages of `from` over and over, as they come in a random order, those left out that the codec can't shorten.
    stream_slab(const std::vector<const std::byte*>& from, std::size_t bytes, const page_codec& codec,
                byte_span scratch) {
        memory_.reserve(bytes + codec.bound(pair_page_bytes));
        const std::vector<std::uint32_t> order = permutation(from.size(), 5);
        for (std::size_t i = 0; memory_.size() < bytes && (i < from.size() || !entries_.empty()); ++i) {
            const std::byte* const page = from[order[i % from.size()]];
            const std::size_t begin = memory_.size();
            memory_.resize(begin + codec.bound(pair_page_bytes));
            const std::size_t size =
                codec
                    .compress({page, pair_page_bytes}, byte_span{memory_}.subview(begin, codec.bound(pair_page_bytes)),
                              scratch)
                    .value_or(0);
            memory_.resize(begin + size);
            if (size != 0) {
                entries_.push_back({page, begin, size});
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] const std::byte* page(std::size_t i) const noexcept { return entries_[i].page; }
    [[nodiscard]] byte_view stream(std::size_t i) const noexcept {
        return byte_view{memory_}.subview(entries_[i].begin, entries_[i].size);
    }

private:
    struct entry {
        const std::byte* page;
        std::size_t begin;
        std::size_t size;
    };
    std::vector<std::byte> memory_;
    std::vector<entry> entries_;
};

/// Both ways by turns over the same streams, in a random order.
class pair_contest {
public:
    pair_contest(const stream_slab& slab, const page_codec& codec, byte_span scratch)
        : slab_{slab}, codec_{codec}, scratch_{scratch}, order_(permutation(slab.size(), 31)) {}

    /// The processor time of pairs over that of single pages, of `passes` times all streams each way. Each turn has streams
    /// of its own, or the second way would find them near; in the next pass the ways have each other's.
    double round(unsigned passes) {
        double singles = 0, pairs = 0;
        for (unsigned pass = 0; pass != 2 * passes; ++pass) {
            for (std::size_t turn = 0; (turn + 1) * turn_size <= order_.size(); ++turn) {
                end_if_interrupted();
                const bool by_pairs = (turn + pass) % 2 == 0;
                const std::uint64_t start = thread_ns();
                for (std::size_t i = turn * turn_size; i != (turn + 1) * turn_size; i += 2) {
                    read(order_[i], order_[i + 1], i % places, by_pairs);
                }
                (by_pairs ? pairs : singles) += static_cast<double>(thread_ns() - start);
            }
        }
        is_first_ = false;
        return pairs / singles;
    }

private:
    static constexpr std::size_t turn_size = 32;
    static constexpr std::size_t places = 16; ///< what pages are read into in turn

    void read(std::size_t one, std::size_t other, std::size_t place, bool by_pairs) {
        const page_to_read first{slab_.stream(one), {out_ + place * pair_page_bytes, pair_page_bytes}};
        const page_to_read second{slab_.stream(other), {out_ + (place + 1) * pair_page_bytes, pair_page_bytes}};
        const status_pair answers = by_pairs ? codec_.decompress_pair(first, second, scratch_)
                                             : status_pair{codec_.decompress(first.in, first.out, scratch_),
                                                           codec_.decompress(second.in, second.out, scratch_)};
        if (answers != status_pair{status::ok, status::ok} ||
            (is_first_ && (std::memcmp(first.out.data(), slab_.page(one), pair_page_bytes) != 0 ||
                           std::memcmp(second.out.data(), slab_.page(other), pair_page_bytes) != 0))) {
            throw wrong_outcome("page codec", "a pair", one);
        }
    }

    const stream_slab& slab_;
    page_codec codec_;
    byte_span scratch_;
    std::vector<std::uint32_t> order_;
    bool is_first_ = true;
    alignas(pair_page_bytes) std::byte out_[places * pair_page_bytes];
};

} // namespace

void measure_pairs(const support::corpus& pages, unsigned rounds, bool is_quick, figures& out) {
    std::vector<const std::byte*> chosen;
    for (const std::byte* page : pages.pages()) {
        if (std::memcmp(page, page + 8, pair_page_bytes - 8) != 0) {
            chosen.push_back(page);
        }
    }
    const page_codec codec;
    const support::scratch_memory scratch{codec.scratch_size(pair_page_bytes)};
    const stream_slab near(chosen, std::size_t{256} << 10, codec, scratch.span());
    const stream_slab far(chosen, std::size_t{is_quick ? 128u : 512u} << 20, codec, scratch.span());
    pair_contest of_near(near, codec, scratch.span());
    pair_contest of_far(far, codec, scratch.span());
    static_cast<void>(of_near.round(1));
    for (unsigned i = 0; i != rounds; ++i) {
        out.add("compress.page.pair_over_single", of_near.round(200));
        out.add("compress.page.pair_over_single_far", of_far.round(1));
    }
}

} // namespace pagefold::measure
